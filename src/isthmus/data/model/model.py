"""The model: entities, references and metrics of all packs, read from their contract types and checked together."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal, cast, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from isthmus.kernel import Pack, errors
from isthmus.markings import (
    AnyMetric,
    Atomic,
    Count,
    Cumulative,
    Derived,
    Dimension,
    EntityMarking,
    Key,
    Measure,
    Metric,
    Percentile,
    Pii,
    Ref,
    Stock,
    Time,
)

from ..errors import NoAttribute, UnknownName
from .calendars import PERIODS, Calendar
from .columns import FieldKind, quoted, table_name
from .marks import bare, is_union, limits, malformed, marks_of, wrong_marks
from .named import answerable, fields_of, pack_of, parts_of

OWN: Final = ".attributes"  # between an entity and an attribute that a front end gives it

_KINDS: Mapping[type, FieldKind] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "decimal",
    datetime: "timestamp",
    date: "date",
    UUID: "uuid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column, with what the pack says of it: `values` is its closed set, `least` to `greatest` its range.

    column: its name as SQL reads it.
    """

    name: str
    kind: FieldKind
    is_nullable: bool
    is_key: bool = False
    is_dimension: bool = False
    values: tuple[str, ...] = ()
    least: float | None = None
    greatest: float | None = None
    pattern: str = ""
    pii: str | None = None
    measure: Measure | None = None
    time: Time | None = None
    doc: str = ""
    front_ends: tuple[str, ...] = ()  # whose own attribute it is; a column of everybody's where it is empty
    column: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "column", quoted(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Many rows of `source` to at most one of `target`; `pairs` are (own field, key field there)."""

    name: str
    source: str
    target: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Rows of one kind, in one table, told apart by `key`. `time` dates a row: an own field, or one by references.

    relation: its table as SQL reads it.
    """

    name: str
    table: str
    owner: str
    doc: str
    fields: Mapping[str, Field]
    key: tuple[str, ...]
    references: tuple[Reference, ...]
    time: str
    fresh_hours: float = 0
    consents: tuple[str, ...] = ()
    value: type | None = None
    relation: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "relation", table_name(self.table))

    def field(self, name: str) -> Field:
        if name not in self.fields:
            raise UnknownName(f"field of {self.name}", name, self.fields)
        return self.fields[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """All entities and metrics, checked together. `version` is a hash of everything that a number depends on.

    `scopes` are the front ends whose own metrics some are: those count rows of theirs alone, whoever asks.
    """

    entities: Mapping[str, Entity]
    metrics: Mapping[str, AnyMetric]
    version: str
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    scopes: Mapping[str, str] = field(default_factory=dict[str, str])
    calendar: Calendar = field(default_factory=Calendar)  # when weeks and years begin where a question does not say
    known: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, compare=False, repr=False)  # of `Names`

    def entity(self, name: str) -> Entity:
        if name not in self.entities:
            raise UnknownName("entity", name, self.entities)
        return self.entities[name]

    def metric(self, name: str) -> AnyMetric:
        if name not in self.metrics:
            raise UnknownName("metric", name, self.metrics)
        return self.metrics[name]

    def unit(self, name: str) -> str:
        """Return what a metric counts: what it says, or what that one counts that it narrows or runs over."""
        metric = self.metric(name)
        is_window = isinstance(metric, Cumulative) and not metric.window_unit and metric.unit in PERIODS
        said = "" if is_window else metric.unit
        return said or (self.unit(metric.of) if isinstance(metric, Cumulative | Derived) else "")

    def split(self, field: str) -> tuple[Entity, Field]:
        """Return the entity and field that a name such as `order.order.status` stands for."""
        owner, _, name = field.rpartition(".")
        if owner.endswith(OWN):
            entity = self.entity(owner.removesuffix(OWN))
            own = {found.name.rpartition(".")[2]: found for found in entity.fields.values() if found.front_ends}
            if name not in own:
                raise NoAttribute(entity.name, name, own)
            return entity, own[name]
        if owner not in self.entities:
            raise UnknownName("entity", owner or field, self.entities)
        return self.entities[owner], self.entities[owner].field(name)

    def references_to(self, name: str) -> list[Reference]:
        return [ref for entity in self.entities.values() for ref in entity.references if ref.target == name]


def read_packs(packs: Iterable[Pack], more: Sequence[AnyMetric] = ()) -> Model:
    """Return the model of all packs, with metrics that front ends add. Raises BuildProblems with all that is wrong."""
    packs = tuple(packs)
    marked: list[tuple[type, str]] = []
    metrics: list[AnyMetric] = []
    owners: dict[str, str] = {}
    for pack in packs:
        marked += [(cls, pack.owner) for cls in pack.entities]
        for metric in cast(tuple[AnyMetric, ...], pack.metrics):
            metrics.append(metric)
            owners[metric.name] = metric.owner or pack.owner
    here = {
        pack.name for pack in packs if pack.entities or pack.metrics
    }  # the rows of one that is a service are not here
    return build(marked, [*more, *answerable(metrics, here)], owners, here)


def build(
    marked: Iterable[tuple[type, str]],
    metrics: Iterable[AnyMetric],
    owners: Mapping[str, str] | None = None,
    packs: Container[str] | None = None,
) -> Model:
    """Return the model of these Value classes (each with its owner) and metrics.

    packs: those that are plugged in. A reference to another pack goes with it: packs do without one another.
    Raises BuildProblems with everything that is wrong, not only the first thing.
    """
    problems: list[str] = []
    readings: dict[str, _Reading] = {}
    for cls, owner in marked:
        reading = _read(cls, owner, problems)
        if reading is None:
            continue
        if reading.marking.name in readings:
            problems.append(f"two classes are entity {reading.marking.name!r}: {cls.__name__} is the second")
        readings[reading.marking.name] = reading
    entities = {name: _linked(reading, readings, problems, packs) for name, reading in sorted(readings.items())}
    named: dict[str, AnyMetric] = {}
    for metric in metrics:
        if metric.name in named:
            problems.append(f"two metrics are called {metric.name!r}")
        named[metric.name] = metric
    model = Model(
        entities=entities,
        metrics=dict(sorted(named.items())),
        version=_version(entities, named),
        owners={name: (owners or {}).get(name, "") or metric.owner for name, metric in named.items()},
    )
    for metric in named.values():
        problems += [f"metric {metric.name!r}: {problem}" for problem in metric_problems(model, metric)]
    if problems:
        raise errors.BuildProblems(problems)
    return model


_SUMMED: Final = frozenset(["integer", "number", "decimal"])


def metric_problems(model: Model, metric: AnyMetric) -> Iterable[str]:
    """Yield what a metric says that cannot be, and what it names that the model does not have."""
    if wrong := malformed(metric):
        yield wrong
        return
    looks: list[Callable[[], object]] = [partial(model.split, field) for field in fields_of(metric)]
    if isinstance(metric, Count):
        looks.append(partial(model.entity, metric.of))
    looks += [partial(model.metric, part) for part in parts_of(metric)]
    for look in looks:
        try:
            look()
        except UnknownName as unknown:
            yield unknown.message
            return
    yield from _sums_of_no_numbers(model, metric)


def _sums_of_no_numbers(model: Model, metric: AnyMetric) -> Iterable[str]:
    if not isinstance(metric, Atomic | Percentile | Stock):
        return
    _, found = model.split(metric.measure.rpartition(">")[2])
    said = metric.agg if isinstance(metric, Atomic) else "sum" if isinstance(metric, Stock) else "percentile"
    agg = said or (found.measure.agg if found.measure else None)
    if agg in ("sum", "avg", "median", "percentile") and found.kind not in _SUMMED:
        yield f"{metric.measure} is a {found.kind}, and there is no {agg} of that"
    if isinstance(metric, Percentile) and not 0 <= metric.share <= 1:
        yield f"share is {metric.share:g}, and lies between 0 and 1"


def event_columns(contract: type) -> dict[str, FieldKind]:
    """Return the fields of an event's contract with their kinds."""
    hints = get_type_hints(contract, include_extras=True)
    names = cast(tuple[str, ...], getattr(contract, "__struct_fields__", ()))
    return {name: _kind(bare(hints[name]))[0] for name in names}


@dataclass(frozen=True, slots=True)
class _Reading:
    cls: type
    owner: str
    marking: EntityMarking
    fields: dict[str, Field]
    refs: dict[str, Ref]


def _read(cls: type, owner: str, problems: list[str]) -> _Reading | None:
    marking = vars(cls).get("__isthmus_entity__")
    if not isinstance(marking, EntityMarking):
        problems.append(f"{cls.__name__} is listed as an entity and has no @entity")
        return None
    hints = get_type_hints(cls, include_extras=True)
    fields: dict[str, Field] = {}
    refs: dict[str, Ref] = {}
    for name in cast(tuple[str, ...], getattr(cls, "__struct_fields__", ())):
        fields[name] = read_field(name, hints[name])
        problems += [f"{marking.name}.{name} {wrong}" for wrong in wrong_marks(hints[name])]
        if found := [mark for mark in marks_of(hints[name]) if isinstance(mark, Ref)]:
            refs[name] = found[0]
    for found_field in fields.values():
        currency = found_field.measure.currency if found_field.measure else ""
        if currency and "." not in currency and currency not in fields:
            problems.append(f"{marking.name}.{found_field.name} names a currency field {currency!r} that is not there")
    return _Reading(cls, marking.owner or owner, marking, fields, refs)


def read_field(name: str, hint: Any) -> Field:
    """Return a field as the annotation of a class says it."""
    marks = tuple(marks_of(hint))
    kind, values, is_nullable = _kind(bare(hint))
    found = {type(mark): mark for mark in marks}
    return Field(
        name=name,
        kind=kind,
        values=values,
        is_nullable=is_nullable,
        is_key=Key in found,
        is_dimension=any(mark in found for mark in (Dimension, Key, Time, Ref)),
        pii=cast(Pii, found[Pii]).kind if Pii in found else None,
        measure=cast(Measure | None, found.get(Measure)),
        time=cast(Time | None, found.get(Time)),
        **limits([mark for mark in marks if isinstance(mark, msgspec.Meta)]),
    )


def _linked(
    reading: _Reading, readings: Mapping[str, _Reading], problems: list[str], packs: Container[str] | None
) -> Entity:
    name = reading.marking.name
    key = tuple(field.name for field in reading.fields.values() if field.is_key)
    if not key:
        problems.append(f"entity {name!r} has no field marked Key(), so nothing tells its rows apart")
    here = {field: ref for field, ref in reading.refs.items() if packs is None or pack_of(ref.to) in packs}
    references = [_reference(reading, field, ref, readings, problems) for field, ref in here.items()]
    times = [field for field in reading.fields.values() if field.time]
    defaults = [field for field in times if field.time and field.time.is_default]
    if len(defaults) > 1:
        shown = ", ".join(field.name for field in defaults)
        problems.append(f"entity {name!r} has several default times: {shown}; mark all but one Time(is_default=False)")
    if reading.marking.fresh_hours and not defaults:
        problems.append(f"entity {name!r} may be {reading.marking.fresh_hours:g} h old and has no Time() to tell by")
    return Entity(
        name=name,
        table=reading.marking.table,
        owner=reading.owner,
        doc=(reading.cls.__doc__ or "").strip(),
        fields=reading.fields,
        key=key,
        references=tuple(ref for ref in references if ref is not None),
        time=f"{name}.{defaults[0].name}" if defaults else reading.marking.time,
        fresh_hours=reading.marking.fresh_hours,
        consents=reading.marking.consents,
        value=reading.cls,
    )


def _reference(
    reading: _Reading, name: str, ref: Ref, readings: Mapping[str, _Reading], problems: list[str]
) -> Reference | None:
    where = f"{reading.marking.name}.{name}"
    target = readings.get(ref.to)
    if target is None:
        problems.append(f"{where} refers to {ref.to!r}, which is no entity{errors.near(ref.to, readings)}")
        return None
    key = [field.name for field in target.fields.values() if field.is_key]
    shared = {"front_end", *ref.also} & set(reading.fields) & set(key)
    rest = [part for part in key if part not in shared or part == name]
    if len(rest) != 1:
        problems.append(f"{where} cannot match the key ({', '.join(key)}) of {ref.to}; name the other fields in `also`")
        return None
    same = tuple((part, part) for part in key if part in shared and part not in rest)
    return Reference(name=name, source=reading.marking.name, target=ref.to, pairs=((name, rest[0]), *same))


def _kind(hint: Any) -> tuple[FieldKind, tuple[str, ...], bool]:
    if is_union(hint):
        parts = [part for part in get_args(hint) if part not in (type(None), msgspec.UnsetType)]
        kind, values, _ = _kind(bare(parts[0])) if len(parts) == 1 else ("json", (), False)
        return kind, values, type(None) in get_args(hint)
    hint = bare(hint)
    if get_origin(hint) is Literal:
        return "text", tuple(map(str, get_args(hint))), False
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "text", tuple(str(member.value) for member in hint), False
    return _KINDS.get(cast("type[object]", hint), "json"), (), False


def _version(entities: Mapping[str, Entity], metrics: Mapping[str, Metric]) -> str:
    """Hash what numbers depend on: not documentation, not owners."""
    shape = {
        "entities": {
            name: [entity.table, entity.key, entity.time, entity.references, _shape(entity)]
            for name, entity in sorted(entities.items())
        },
        "metrics": {name: shorn(metric) for name, metric in sorted(metrics.items())},
    }
    return hashlib.sha256(msgspec.json.encode(shape, order="deterministic")).hexdigest()[:16]


def _shape(entity: Entity) -> list[object]:
    return [[f.name, f.kind, f.is_nullable, f.values, f.pii, f.measure] for f in entity.fields.values()]


def shorn(metric: Metric) -> object:
    """Return what a metric's number depends on."""
    return {
        key: value
        for key, value in msgspec.to_builtins(metric).items()
        if key not in ("doc", "owner", "unit", "fresh_hours") and (value or key not in ("purpose", "whose"))
    }
