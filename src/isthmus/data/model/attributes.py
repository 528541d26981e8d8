"""What front ends add to the model, for whoever may ask for it: attributes as fields, and metrics of their own.

Attributes are read out of the JSON that they landed in, so a version that was deployed a second ago is asked at once:
there is no column to land, and nothing to fill in for older rows. A metric of a front end counts its own rows alone,
whoever asks, so that the group reads the number that the front end reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast, get_type_hints

import msgspec

from isthmus.kernel import FrontEnd, errors
from isthmus.markings import AnyMetric, Atomic

from .model import OWN, Field, FieldKind, Model, read_field, shorn
from .named import fields_of, parts_of

EVERYBODY: Final = "*"  # in a policy: the attributes of all front ends
DIMENSIONS: Final[frozenset[FieldKind]] = frozenset(["text", "integer", "boolean", "date", "timestamp", "uuid"])
MODELS_MAX: Final = 64  # as many askers as there are front ends, and some versions of each

Declared = Mapping[str, FrontEnd]  # all front ends there are, by code


class Attributed:
    """A model with what an asker sees of front ends' own. `declared` returns all of them as they are at that moment."""

    def __init__(self, model: Model, declared: Callable[[], Declared]) -> None:
        self._model = model
        self.declared = declared
        self._known: dict[object, Model] = {}

    def front_ends(self) -> tuple[str, ...]:
        return tuple(self.declared())

    def seen_by(self, front_ends: Sequence[str], metrics: Sequence[str] = ()) -> Model:
        """Return the model with the attributes and metrics of some front ends, or of all (`*`).

        metrics: those of front ends that are asked for. One front end's stand among its attributes alone, where each
        means what it means at home; several's raise BadAsk where they are over one that means something else to each.
        """
        declared = self.declared()
        adding = {code: one for code, one in declared.items() if one.attributes or one.metrics}
        seen = {code: one for code, one in adding.items() if EVERYBODY in front_ends or code in front_ends}
        of = {name.partition(".")[0] for name in metrics}
        if len(of) == 1 and seen.keys() >= of:
            seen = {code: seen[code] for code in of}
        if not seen:
            return self._model
        # not the front ends themselves: whoever holds one that answers in a process of its own holds the process
        place = tuple((code, tuple(one.attributes.items()), one.metrics) for code, one in seen.items())
        if place not in self._known:
            while len(self._known) >= MODELS_MAX:
                self._known.pop(next(iter(self._known)), None)  # another thread may have been first
            self._known[place] = with_own(self._model, seen)
        if len(of) > 1:
            _check_alike(self._known[place], seen, metrics)
        return self._known[place]


def dimensions(model: Model, text: str = "") -> Iterator[tuple[str, Field]]:
    """Yield the attributes that may be asked by and in whose name or description all words occur, by full name."""
    words = text.lower().split()
    for entity in model.entities.values():
        for field in entity.fields.values():
            name = f"{entity.name}.{field.name}"
            if field.front_ends and field.is_dimension and all(word in f"{name} {field.doc}".lower() for word in words):
                yield name, field


def with_own(model: Model, seen: Declared) -> Model:
    """Return the model with what these front ends add."""
    entities = dict(model.entities)
    shape: list[object] = [model.version]
    metrics: dict[str, AnyMetric] = dict(model.metrics)
    owners = dict(model.owners)
    for name, entity in model.entities.items():
        if not {"attributes", "front_end"} <= entity.fields.keys():
            continue
        own = _together(one for code, said in seen.items() for one in _fields(said.attributes.get(name), code))
        entities[name] = replace(entity, fields={**entity.fields, **own})
        shape += [[name, *(str(replace(field, doc="")) for field in own.values())]]
        for field in own.values():
            if field.measure is not None:
                metric = Atomic(
                    name=f"{name}.{field.name}", measure=f"{name}.{field.name}", doc=field.doc, unit=field.measure.unit
                )
                metrics[metric.name], owners[metric.name] = metric, ", ".join(field.front_ends)
    scopes: dict[str, str] = {}
    for code, said in seen.items():
        for metric in cast(tuple[AnyMetric, ...], said.metrics):
            metrics[metric.name], owners[metric.name] = metric, metric.owner or said.owner
            scopes[metric.name] = code
            shape += [[code, metric.name, shorn(metric)]]
    return replace(
        model,
        entities=entities,
        metrics=dict(sorted(metrics.items())),
        owners=owners,
        scopes=scopes,
        version=hashlib.sha256(msgspec.json.encode(shape)).hexdigest()[:16],
    )


def _check_alike(model: Model, seen: Declared, metrics: Iterable[str]) -> None:
    """Raise BadAsk where one of these is over an attribute that is something else among those of all."""
    todo, done = list(metrics), set[str]()
    while todo:
        name = todo.pop()
        if name in done or name not in model.scopes:
            continue
        done.add(name)
        metric, code = model.metrics[name], model.scopes[name]
        parts = parts_of(metric)
        todo += parts
        own = {
            f"{entity}.{one.name}": one.kind
            for entity, kind in seen[code].attributes.items()
            for one in _fields(kind, code)
        }
        for field in (*fields_of(metric), *parts):
            if field in own and model.split(field)[1].kind != own[field]:
                raise errors.BadAsk(
                    f"{name} is over {field}, which is something else to other front ends",
                    remedy=f"ask for the metrics of {code!r} apart",
                )


def _fields(declared: type[Any] | None, code: str) -> Iterator[Field]:
    """Yield what a front end declares; what has no name that a path can be written with cannot be asked for."""
    hints = get_type_hints(declared, include_extras=True) if declared is not None else {}
    for one in msgspec.structs.fields(declared) if declared is not None else ():
        name = one.encode_name
        if name.isidentifier() and name.isascii():
            found = read_field(f"{OWN[1:]}.{name}", hints[one.name])
            is_measure = found.measure is not None and found.kind in ("integer", "number", "decimal")
            yield replace(
                found,
                is_nullable=True,
                is_key=False,
                is_dimension=found.kind in DIMENSIONS and not is_measure,
                measure=found.measure if is_measure else None,
                time=None,
                doc=found.doc or (declared.__doc__ or "").strip().partition("\n")[0],
                front_ends=(code,),
            )


def _together(found: Iterable[Field]) -> dict[str, Field]:
    """Return fields by name. What several front ends call alike and mean otherwise is a text, personal if any is."""
    together: dict[str, Field] = {}
    for field in found:
        before = together.get(field.name)
        if before is None:
            together[field.name] = field
            continue
        front_ends = (*before.front_ends, *field.front_ends)
        values = tuple(dict.fromkeys((*before.values, *field.values))) if before.values and field.values else ()
        is_same = (before.kind, before.measure) == (field.kind, field.measure)
        same = replace(before, values=values, pii=before.pii or field.pii, front_ends=front_ends)
        together[field.name] = (
            same
            if is_same
            else Field(
                name=field.name, kind="text", is_nullable=True, is_dimension=True, pii=same.pii, front_ends=front_ends
            )
        )
    return together
