"""Declare an extension point with its default, and answer one; both inert until a Registry reads them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any, Generic, Literal, ParamSpec, TypeVar, cast, get_args

from .capability import source_of
from .combine import Pass, Rule, first_answer

P = ParamSpec("P")
R = TypeVar("R")

OnFailure = Literal["default", "refuse"]
DIMENSIONS_MAX = 3  # more conditions than this on one question and nobody can foresee who answers
SWITCH = "flag."  # what a condition on a flag begins with: its values are asked for outside, once a call
REMOTE_DEADLINE_MS = 500  # what one `async def` point may take of a call where it does not say otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A closed set of values that conditions may name; read from the field of the same name in the ask."""

    name: str
    values: tuple[str, ...]
    default: str

    def __post_init__(self) -> None:
        if self.default not in self.values:
            raise ValueError(f"dimension {self.name!r} has default {self.default!r}, which is not one of {self.values}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExtensionPoint(Generic[P, R]):
    """A typed question that a capability asks the front end on whose behalf it runs."""

    name: str
    combine: Rule
    default: Callable[P, R]
    dimensions: tuple[Dimension, ...]
    on_failure: OnFailure
    per_line: bool
    deadline_ms: int
    until: date | None
    parameters: tuple[str, ...]
    is_async: bool
    doc: str
    source: str

    @property
    def pack(self) -> str:
        return self.name.partition(".")[0]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the default answer; `ctx.answer(point)` gives the front end's."""
        return self.default(*args, **kwargs)


def extension_point(
    name: str,
    *,
    combine: Rule,
    dimensions: Sequence[Dimension] = (),
    on_failure: OnFailure = "refuse",
    per_line: bool = False,
    deadline_ms: int = REMOTE_DEADLINE_MS,
    until: date | None = None,
) -> Callable[[Callable[P, R]], ExtensionPoint[P, R]]:
    """Declare a question; the decorated function is its documentation and its default answer.

    dimensions: what conditional answers may depend on. on_failure: what happens when an answer raises:
    `refuse` fails the call, `default` uses the default answer. per_line: the first argument is a sequence
    of lines and so is the answer, one element a line, combined element by element. until: the day on
    which a point that has found no second user is to be removed.
    """
    if len(dimensions) > DIMENSIONS_MAX:
        raise TypeError(f"{name!r} has {len(dimensions)} dimensions; {DIMENSIONS_MAX} is the limit")
    if per_line and combine.name not in ("first_answer", "total", "lowest", "highest", "every"):
        raise TypeError(f"{name!r}: {combine.name} does not combine line by line")

    def declare(function: Callable[P, R]) -> ExtensionPoint[P, R]:
        parameters = inspect.signature(function).parameters
        for one in parameters.values():
            if one.kind is not one.POSITIONAL_OR_KEYWORD or one.default is not one.empty:
                raise TypeError(f"{name!r}: write parameter {one.name!r} plain, without * or default, for all answers")
        return ExtensionPoint(
            name=name,
            combine=combine,
            default=function,
            dimensions=tuple(dimensions),
            on_failure=on_failure,
            per_line=per_line,
            deadline_ms=deadline_ms,
            until=until,
            parameters=tuple(parameters),
            is_async=inspect.iscoroutinefunction(function),
            doc=inspect.getdoc(function) or "",
            source=source_of(function),
        )

    return declare


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a front end or product gives to an extension point."""

    point: ExtensionPoint[..., Any]
    function: Callable[..., Any]
    when: Mapping[str, frozenset[str]]
    applies: Callable[..., bool] | None
    stage: str
    parameters: tuple[str, ...]
    source: str
    owner: str = ""  # set when a Registry reads the front end or product that lists it
    rank: int = 0  # 0 for the front end itself, 1 for its parent …; products come behind all
    at: str = ""  # where it would like to be asked; empty for a question that is asked

    @property
    def name(self) -> str:
        """Return the function's name: what orders and explanations call it."""
        return self.function.__name__

    @property
    def label(self) -> str:
        """Return the name with the front end or product whose answer it is, such as `club.members_pay_less`."""
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def is_total(self) -> bool:
        """True where its annotation promises an opinion for every question that reaches it."""
        return self.applies is None and not self.point.per_line and _never_passes(self.function)

    @property
    def declaration(self) -> Hashable:
        """What the `@answers` line says: equal for two readings of it, whoever owns them."""
        return self.point, self.function, self.applies, self.stage, frozenset(self.when.items())

    def owned_by(self, owner: str, rank: int) -> Answer:
        """Return the answer as that of a front end or product, so far from the front end that is asked."""
        return replace(self, owner=owner, rank=rank)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer directly, as its owner's tests do."""
        return self.function(*args, **kwargs)


def answers(
    point: ExtensionPoint[P, R] | str,
    *,
    when: Mapping[str, str | Sequence[str]] | None = None,
    applies: Callable[P, bool] | None = None,
    stage: str = "",
    at: str = "",
) -> Callable[[Callable[P, Any]], Answer]:
    """Answer an extension point, always or only `when` dimensions have the values named.

    applies: a predicate over the arguments, for what no dimension says; as it may overlap anything, the
    front end must then state the order. stage: which stage of a `fold` the answer belongs to. For a question that
    nobody asks yet, its name and `at` which function of the platform it is to be asked: `isthmus seam` makes it.
    """
    named = {name: frozenset([values] if isinstance(values, str) else values) for name, values in (when or {}).items()}

    def answer(function: Callable[P, Any]) -> Answer:
        asked = extension_point(point, combine=first_answer)(function) if isinstance(point, str) else point
        return Answer(
            point=cast("ExtensionPoint[..., Any]", asked),
            function=function,
            when=named,
            applies=applies,
            stage=stage,
            parameters=tuple(inspect.signature(function).parameters),
            source=source_of(function),
            at=at,
        )

    return answer


@cache  # as many as there are answers, which a Registry holds anyway
def _never_passes(function: Callable[..., Any]) -> bool:
    returned = inspect.get_annotations(function).get("return", Any)
    if isinstance(returned, str):
        try:
            returned = eval(returned, getattr(inspect.unwrap(function), "__globals__", {}))
        except NameError:  # imported for the type checker only: the names have to do
            return not {"Pass", "Any", "object"} & set(re.findall(r"\w+", returned))
    return returned not in (Any, object) and Pass not in (returned, *get_args(returned))
