"""A front end's manifest as data: what a worker or a service tells of it, and the front end made of that.

What is the platform's own (products, and their answers in an order) goes by name, `isthmus.products.presale:PRESALE`;
what is the front end's own stays where it is, and the platform gets a function that asks there.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_type_hints

import msgspec

from isthmus.kernel import FrontEnd, Product, Value, errors
from isthmus.kernel.host import Answer, Point, code_hash, json_schema
from isthmus.markings import AnyMetric, Brought

from ..adopt.types import Types, marks_as_keywords

_TYPES = "types"
OURS = "isthmus."  # names outside this are not looked up: a manifest may come from a stranger


class WrongManifest(errors.BadAsk):
    """A front end cannot be run apart as its manifest stands."""

    slug = "runtime.wrong-manifest"


class AnswerManifest(Value):
    """One answer of the front end's own. code: what it does, as a hash or a version."""

    point: str
    name: str
    when: dict[str, tuple[str, ...]] = {}
    has_predicate: bool = False
    stage: str = ""
    is_total: bool = False
    source: str = ""
    code: str = ""


class FrontEndManifest(Value):
    """A front end or a part of one. order: names of its own answers, or `module:name` of a product's."""

    code: str
    name: str
    owner: str
    doc: str = ""
    uses: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    answers: tuple[AnswerManifest, ...] = ()
    order: dict[str, tuple[str, ...]] = {}
    children: tuple[FrontEndManifest, ...] = ()
    when: dict[str, str] = {}
    settings: dict[str, str] = {}
    attributes: dict[str, dict[str, Any]] = {}  # by entity, as JSON Schema
    metrics: tuple[AnyMetric, ...] = ()
    brings: tuple[Brought, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IsolatedFrontEnd(FrontEnd):
    """A front end whose answers are given elsewhere, so that asking them may take a while.

    answering: what answers, for as long as somebody holds the front end.
    """

    answering: object = None


Asking = Callable[[str, int, AnswerManifest, Point], Callable[..., Any]]  # owner, place in the manifest, answer, point


def own_answers(front_end: FrontEnd) -> Iterator[Answer]:
    """Go through a front end's own answers and its children's, in the order of the manifest: the place is the index."""
    yield from front_end.answers
    for child in front_end.children:
        yield from own_answers(child)


def describe(front_end: FrontEnd) -> FrontEndManifest:
    """Return the manifest as data. Raises WrongManifest for what cannot run apart."""
    if front_end.capabilities or front_end.implementations:
        own = ", ".join(sorted(found.name for found in front_end.capabilities))
        raise WrongManifest(
            f"front end {front_end.code!r} has flows, screens or capabilities of its own ({own}), and they run in the "
            "platform's transactions, where a worker has no part: process and http are for answers alone",
            remedy=f'write [front_ends.{front_end.code}] isolation = "inline" into isthmus.toml, or leave them out',
        )
    names = {answer.declaration: answer.name for answer in own_answers(front_end)}
    return _described(front_end, names)


def _described(part: FrontEnd, names: Mapping[Any, str]) -> FrontEndManifest:
    return FrontEndManifest(
        code=part.code,
        name=part.name,
        owner=part.owner,
        doc=part.doc,
        uses=part.uses,
        products=tuple(_place(product, f"product {product.name!r}") for product in part.products),
        answers=tuple(_described_answer(answer) for answer in part.answers),
        order={
            point.name: tuple(names.get(one.declaration) or _place(one, f"answer {one.name!r}") for one in order)
            for point, order in part.order.items()
        },
        children=tuple(_described(child, names) for child in part.children),
        when=dict(part.when),
        settings=dict(part.settings),
        attributes={entity: _schema(declared) for entity, declared in part.attributes.items()},
        metrics=cast(tuple[AnyMetric, ...], part.metrics),
        brings=cast(tuple[Brought, ...], part.brings),
    )


def _schema(declared: type[Value]) -> dict[str, Any]:
    (schema,), components = json_schema((declared,), f"#/{_TYPES}/{{name}}")
    own = components[schema["$ref"].rpartition("/")[2]]["properties"]
    hints = get_type_hints(declared, include_extras=True)
    for one in msgspec.structs.fields(cast(Any, declared)):
        own[one.encode_name] |= marks_as_keywords(hints[one.name])
    return {**schema, _TYPES: components}


def _described_answer(answer: Answer) -> AnswerManifest:
    predicate = code_hash(answer.applies) if answer.applies else ""
    return AnswerManifest(
        point=answer.point.name,
        name=answer.name,
        when={name: tuple(sorted(values)) for name, values in answer.when.items()},
        has_predicate=answer.applies is not None,
        stage=answer.stage,
        is_total=answer.is_total,
        source=answer.source,
        code=code_hash(answer.function) + predicate,
    )


def _place(thing: object, what: str) -> str:
    for name, module in [*sys.modules.items()]:
        if name.startswith(OURS):
            for attribute, value in vars(module).items():
                if value is thing:
                    return f"{name}:{attribute}"
    raise WrongManifest(
        f"{what} is defined by the front end itself, and only the platform's can be named from outside",
        remedy="list its answers among the front end's own",
    )


def restore(manifest: FrontEndManifest, points: Mapping[str, Point], asking: Asking) -> IsolatedFrontEnd:
    """Make the front end of its manifest; `asking` gives the function that asks one of its answers."""
    made: dict[tuple[str, str], Answer] = {}
    answers: dict[int, list[Answer]] = {}
    place = 0
    for part in _parts(manifest):
        answers[id(part)] = []
        for one in part.answers:
            answer = _restored(part.code, place, one, points, asking)
            if (one.point, one.name) in made:
                raise WrongManifest(
                    f"front end {part.code!r} has two answers {one.name!r} to {one.point!r}",
                    remedy="give one of them another name: they are told apart by it",
                )
            made[one.point, one.name] = answer
            answers[id(part)].append(answer)
            place += 1

    def build(part: FrontEndManifest) -> IsolatedFrontEnd:
        return IsolatedFrontEnd(
            code=part.code,
            name=part.name,
            owner=part.owner,
            doc=part.doc,
            uses=part.uses,
            products=tuple(_found(one, Product) for one in part.products),
            answers=tuple(answers[id(part)]),
            order={
                _point(point, points): tuple(made.get((point, one)) or _found(one, Answer) for one in order)
                for point, order in part.order.items()
            },
            children=tuple(build(child) for child in part.children),
            when=part.when,
            settings=part.settings,
            attributes={
                entity: Types(schema, is_strict=True, fills_in=True).of(schema, "Attributes")
                for entity, schema in part.attributes.items()
            },
            metrics=part.metrics,
            brings=part.brings,
        )

    return build(manifest)


def _parts(manifest: FrontEndManifest) -> Iterator[FrontEndManifest]:
    yield manifest
    for child in manifest.children:
        yield from _parts(child)


def _restored(owner: str, place: int, manifest: AnswerManifest, points: Mapping[str, Point], asking: Asking) -> Answer:
    point = _point(manifest.point, points)
    function = asking(owner, place, manifest, point)
    function.__name__ = function.__qualname__ = manifest.name
    function.__module__ = f"isthmus_front_end_{owner.replace('-', '_')}_elsewhere"
    function.__annotations__ = {
        "return": bool if manifest.is_total else object
    }  # the kernel asks only whether it may pass
    function.__signature__ = inspect.signature(point.default)  # pyright: ignore[reportFunctionMemberAccess]
    return Answer(
        point=point,
        function=function,
        when={name: frozenset(values) for name, values in manifest.when.items()},
        applies=_decided_there if manifest.has_predicate else None,
        stage=manifest.stage,
        parameters=point.parameters,
        source=manifest.source,
    )


def _decided_there(*_: Any, **__: Any) -> bool:
    """Stand for a predicate that is asked where the answer is, which then says PASS."""
    return True


def _point(name: str, points: Mapping[str, Point]) -> Point:
    if name not in points:
        raise WrongManifest(
            f"nobody asks {name!r}{errors.near(name, points)}", remedy="answer a point that `isthmus catalogue` lists"
        )
    return points[name]


def _found(place: str, type_: type[Any]) -> Any:
    module, _, name = place.partition(":")
    found = None
    if module.startswith(OURS):
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ImportError:
            found = None
    if not isinstance(found, type_):
        raise WrongManifest(
            f"{place!r} is no {type_.__name__.lower()} of the platform",
            remedy="name it as module:name, such as isthmus.products.presale:PRESALE, or name an own answer",
        )
    return found
