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

from isthmus.kernel import FrontEnd
from isthmus.markings import AnyMetric, Atomic

from .model import OWN, Field, FieldKind, Model, fields_of, metric_problems, read_field, shorn

EVERYBODY: Final = "*"  # in a policy: the attributes of all front ends
DIMENSIONS: Final[frozenset[FieldKind]] = frozenset(["text", "integer", "boolean", "date", "timestamp", "uuid"])
MODELS_MAX: Final = 64  # as many askers as there are front ends, and some versions of each

Declared = Mapping[str, FrontEnd]  # all front ends there are, by code


class Attributed:
    """A model with what an asker sees of front ends' own. `declared` returns all of them as they are at that moment."""

    def __init__(self, model: Model, declared: Callable[[], Declared]) -> None:
        self._model = model
        self._declared = declared
        self._known: dict[object, Model] = {}

    def front_ends(self) -> tuple[str, ...]:
        return tuple(self._declared())

    def seen_by(self, front_ends: Sequence[str]) -> Model:
        """Return the model with the attributes and metrics of some front ends, or of all (`*`)."""
        declared = self._declared()
        every = EVERYBODY in front_ends
        adding = {code: own for code, own in declared.items() if own.attributes or own.metrics}
        seen = {code: own for code, own in adding.items() if every or code in front_ends}
        if not seen:
            return self._model
        place = tuple(seen.values())  # a release that is deployed has front ends of its own
        if place not in self._known:
            while len(self._known) >= MODELS_MAX:
                self._known.pop(next(iter(self._known)), None)  # another thread may have been first
            self._known[place] = with_own(self._model, seen)
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
    found = replace(model, entities=entities, metrics=metrics, owners=owners)
    scopes: dict[str, str] = {}
    for code, said in seen.items():
        for metric in _own_metrics(found, said):
            metrics[metric.name], owners[metric.name] = metric, metric.owner or said.owner
            scopes[metric.name] = code
            shape += [[code, metric.name, shorn(metric)]]
    hashed = hashlib.sha256(msgspec.json.encode(shape)).hexdigest()[:16]
    return replace(found, metrics=dict(sorted(metrics.items())), scopes=scopes, version=hashed)


def _own_metrics(found: Model, said: FrontEnd) -> list[AnyMetric]:
    """Return a front end's metrics, but for those over an attribute that another calls alike and means otherwise.

    Those have an answer where the front end alone is seen, and none where all are.
    """
    own = {f"{name}.{one.name}": one.kind for name, kind in said.attributes.items() for one in _fields(kind, said.code)}
    kept = [
        metric
        for metric in cast(tuple[AnyMetric, ...], said.metrics)
        if metric.name not in found.metrics
        and all(found.split(name)[1].kind == own[name] for name in fields_of(metric) if name in own)
    ]
    while True:
        model = replace(found, metrics={**found.metrics, **{metric.name: metric for metric in kept}})
        whole = [metric for metric in kept if not any(metric_problems(model, metric))]
        if len(whole) == len(kept):
            return kept
        kept = whole


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
