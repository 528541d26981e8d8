"""Fields and conditions as SQL: the joins that a field needs, typed parameters, and conditions on the many side.

The text is DuckDB's dialect; `dialect.py` turns it into others. Values are never in the text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from isthmus.kernel import errors
from isthmus.markings import AllOf, AnyOf, Filter, Grain, Not, Scalar, Where

from ..errors import NotADimension
from ..model.expression import Goal, Within
from ..model.model import Entity, Field, FieldKind, Model
from ..model.paths import Path, Reach, Step, reach

SQL_TYPES: Final[Mapping[FieldKind, str]] = {
    "text": "varchar",
    "integer": "bigint",
    "number": "double",
    "decimal": "decimal(38, 6)",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
    "uuid": "uuid",
    "json": "varchar",
}


@dataclass(slots=True)
class Parameters:
    """The values of a statement, numbered as they come; and what all parts of the statement share."""

    model: Model
    zone: ZoneInfo
    visible: Mapping[str, str]  # the name of the rows that the asker may see, by entity; absent: all rows
    values: list[object] = field(default_factory=list[object])
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, value: object, sql_type: str) -> str:
        self.values.append(value)
        return f"cast(${len(self.values)} as {sql_type})"

    def alias(self, letter: str) -> str:
        return f"{letter}{next(self._numbers)}"

    def relation(self, entity: str) -> str:
        """Return where an entity's rows come from: its table, or those of its rows that the asker may see."""
        if entity in self.visible:
            return quoted(self.visible[entity])
        return table_name(self.model.entity(entity).table)


@dataclass(slots=True)
class Scope:
    """One FROM clause: rows of an entity, with what is joined to them. Every path is joined once."""

    shared: Parameters
    entity: str
    alias: str
    time: Reach | None = None
    shift: tuple[int, Grain] | None = None
    joins: list[str] = field(default_factory=list[str])
    _aliases: dict[Path, str] = field(default_factory=dict[Path, str])
    _rates: dict[str, str] = field(default_factory=dict[str, str])

    def column(self, found: Reach) -> str:
        alias = self._joined(found.path)
        return self._own(alias, found.field) if found.field.front_ends else f"{alias}.{quoted(found.field.name)}"

    def clause(self) -> str:
        return "\n        ".join([f"from {self.shared.relation(self.entity)} as {self.alias}", *self.joins])

    def rate(self, own: str, day: str) -> str:
        """Return the alias of the exchange rate from a currency on a day, joined once."""
        if own not in self._rates:
            alias = self._rates[own] = self.shared.alias("q")
            self.joins.append(f"left join rates as {alias} on {alias}.day = {day} and {alias}.currency = {own}")
        return self._rates[own]

    def label(self, found: Reach, grain: Grain) -> str:
        """Return the first day (or hour) of the period that a time field lies in, in the asker's time zone."""
        truncated = f"date_trunc('{grain}', {self.local(found)})"
        return f"cast({truncated} as timestamp)" if grain == "hour" else f"cast({truncated} as date)"

    def local(self, found: Reach) -> str:
        """Return a time as the asker's clock shows it, moved where this scan stands in for a later period."""
        column = self.column(found)
        if found.field.kind == "timestamp":
            column = f"({column} at time zone '{self.shared.zone.key}')"
        if self.shift is not None and self.is_own_time(found):
            count, grain = self.shift
            return f"({column} + {interval(count, grain)})"
        return column

    def is_own_time(self, found: Reach) -> bool:
        return self.time is not None and (found.path, found.name) == (self.time.path, self.time.name)

    def reach(self, name: str, reason: str) -> Reach:
        """Return the way from this scope's rows to a field; `time` is their own time, a bare name their own field."""
        if name == "time" and self.time is not None:
            return self.time
        if "." not in name:
            name = f"{self.entity}.{name}"
        return reach(self.shared.model, self.entity, name, reason)

    def _own(self, alias: str, field: Field) -> str:
        """Return an attribute out of the JSON that it is kept in, as far as a row is of those who declare it.

        A row keeps what an earlier version wrote: what is of another type by now is empty.
        """
        column, _, name = field.name.partition(".")
        codes = ", ".join(self.shared.add(code, "varchar") for code in field.front_ends)
        text = f"json_extract_string({alias}.{quoted(column)}, '$.{name}')"
        value = text if field.kind == "text" else f"try_cast({text} as {SQL_TYPES[field.kind]})"
        return f"(case when {alias}.front_end in ({codes}) then {value} end)"

    def _joined(self, path: Path) -> str:
        if not path:
            return self.alias
        if path not in self._aliases:
            before = self._joined(path[:-1])
            alias = self.shared.alias("j")
            step = path[-1]
            self.joins.append(
                f"left join {self.shared.relation(step.end)} as {alias} on {matching(step, before, alias)}"
            )
            self._aliases[path] = alias
        return self._aliases[path]


def matching(step: Step, near: str, far: str) -> str:
    """Return the condition that a step's two rows belong together."""
    pairs = step.reference.pairs if step.is_up else [(there, own) for own, there in step.reference.pairs]
    return " and ".join(f"{far}.{quoted(there)} = {near}.{quoted(own)}" for own, there in pairs)


def conjunction(scope: Scope, filters: Iterable[Filter | Within], reason: str) -> list[str]:
    """Return the conditions that hold together. Those on one way to the many side are about the same row there."""
    conditions: list[str] = []
    on_many: dict[Path, list[Where]] = {}
    for one in _flat(filters):
        if isinstance(one, Where):
            found = scope.reach(one.field, reason)
            if found.is_many:
                on_many.setdefault(found.path, []).append(one)
                continue
        conditions.append(condition(scope, one, reason))
    return conditions + [_exists(scope, path, found, reason) for path, found in on_many.items()]


def reaching(scope: Scope, goal: Goal | None) -> list[str]:
    """Return the condition that a goal is reached by the subject of a row, in its days."""
    if goal is None or scope.time is None:
        return []
    time = reach(scope.shared.model, goal.entity, goal.time, "a conversion")
    inner = Scope(scope.shared, goal.entity, scope.shared.alias("g"), time)
    start, end = scope.column(scope.time), inner.column(time)
    reached = inner.column(inner.reach(goal.other, "a conversion"))
    started = scope.column(scope.reach(goal.own, "a conversion"))
    conditions = [
        f"{reached} = {started}",
        f"{end} between {start} and {start} + interval '{goal.days} day'",
        *conjunction(inner, goal.filters, "a conversion"),
    ]
    if goal.entity == scope.entity:  # who buys once has not bought again: a row does not follow itself
        key = scope.shared.model.entity(goal.entity).key
        same = " and ".join(f"{inner.alias}.{quoted(part)} = {scope.alias}.{quoted(part)}" for part in key)
        conditions.append(f"not ({same})")
    return [f"exists (select 1 {inner.clause()} where {' and '.join(conditions)})"]


def condition(scope: Scope, one: Filter | Within, reason: str) -> str:
    """Return one filter as SQL."""
    match one:
        case Within():
            return _within(scope, one)
        case Not(of=inner):
            return f"(({condition(scope, inner, reason)}) is not true)"
        case AnyOf(parts=parts):
            return "(" + (" or ".join(condition(scope, part, reason) for part in parts) or "false") + ")"
        case AllOf():
            return "(" + (" and ".join(conjunction(scope, [one], reason)) or "true") + ")"
        case Where():
            found = scope.reach(one.field, reason)
            return _exists(scope, found.path, [one], reason) if found.is_many else _compare(scope, one, found)


def interval(count: int, grain: Grain) -> str:
    """Return so many periods as SQL; not every database knows quarters."""
    return f"interval '{count * 3} month'" if grain == "quarter" else f"interval '{count} {grain}'"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def table_name(table: str) -> str:
    """Return `order.orders` as SQL reads it: what stands before the first dot is the schema."""
    schema, dot, name = table.partition(".")
    return f"{quoted(schema)}.{quoted(name)}" if dot else quoted(schema)


def _flat(filters: Iterable[Filter | Within]) -> Iterable[Filter | Within]:
    for one in filters:
        if isinstance(one, AllOf):
            yield from _flat(one.parts)
        else:
            yield one


def _exists(scope: Scope, path: Path, wheres: Sequence[Where], reason: str) -> str:
    """Return that some row at the end of a path fulfils all these conditions."""
    first = path[0]
    inner = Scope(scope.shared, first.end, scope.shared.alias("e"))
    rest = path[1:]
    compared = [
        _compare(
            inner, one, Reach(rest, *_ends(scope.shared.model, one.field, first.end if not rest else rest[-1].end))
        )
        for one in wheres
    ]
    matched = " and ".join([matching(first, scope.alias, inner.alias), *compared])
    return f"exists (select 1 {inner.clause()} where {matched})"


def _ends(model: Model, name: str, end: str) -> tuple[Entity, Field]:
    written = name.rpartition(">")[2]
    return model.split(written if "." in written else f"{end}.{written}")


def _compare(scope: Scope, one: Where, found: Reach) -> str:
    column = scope.column(found)
    if one.op in ("is null", "is not null"):
        return f"({column} {one.op})"
    if not found.field.is_dimension and found.field.measure is None and found.field.pii is None:
        raise NotADimension(
            f"{found.name} is neither a dimension nor a measure",
            remedy="mark it Dimension() in its pack, or filter by another field",
        )
    if one.op in ("in", "not in"):
        options = one.value if isinstance(one.value, tuple) else () if one.value is None else (one.value,)
        listed = ", ".join(_parameter(scope, one, found.field, option) for option in options)
        is_in = f"{column} in ({listed})" if listed else "false"
        return f"({is_in})" if one.op == "in" else f"(({is_in}) is not true)"
    if one.value is None or isinstance(one.value, tuple):
        raise errors.BadAsk(
            f"{one.field} {one.op} needs one value", remedy="give one, or use `in`, `is null`", path="$.where"
        )
    operator = "is distinct from" if one.op == "!=" else one.op
    if scope.shift is not None and scope.is_own_time(found):
        return f"({scope.local(found)} {operator} {_local_parameter(scope, one, found.field, one.value)})"
    return f"({column} {operator} {_parameter(scope, one, found.field, one.value)})"


def _parameter(scope: Scope, one: Where, field: Field, value: Scalar) -> str:
    return scope.shared.add(read_value(field, value, scope.shared.zone, one.field), SQL_TYPES[field.kind])


def _local_parameter(scope: Scope, one: Where, field: Field, value: Scalar) -> str:
    sql = _parameter(scope, one, field, value)
    return f"({sql} at time zone '{scope.shared.zone.key}')" if field.kind == "timestamp" else sql


def _within(scope: Scope, period: Within) -> str:
    if scope.time is None:
        raise errors.BadAsk(f"{scope.entity} has no time to take a period of", remedy="mark a field Time()")
    column = scope.local(scope.time) if scope.shift else scope.column(scope.time)
    add = scope.shared.add
    if scope.time.field.kind == "date":
        return f"({column} between {add(period.first_day, 'date')} and {add(period.last_day, 'date')})"
    start, end = add(period.start, "timestamptz"), add(period.end, "timestamptz")
    if scope.shift:
        key = scope.shared.zone.key
        return f"({column} >= {start} at time zone '{key}' and {column} < {end} at time zone '{key}')"
    return f"({column} >= {start} and {column} < {end})"


def read_value(field: Field, value: Scalar, zone: ZoneInfo, name: str) -> object:
    """Return a value of a filter as its field's type. Raises BadAsk where it is none, with what is allowed."""
    try:
        read = _converted(field, value, zone)
    except (ValueError, InvalidOperation):
        raise errors.BadAsk(
            f"{value!r} is no value of {name}, which is a {field.kind}",
            remedy="write times as 2026-01-31T08:00:00Z and dates as 2026-01-31",
            path="$.where",
        ) from None
    if field.values and read not in field.values:
        raise errors.BadAsk(
            f"{value!r} is no value of {name}{errors.near(str(value), field.values)}",
            remedy=f"use one of {', '.join(field.values)}",
            path="$.where",
        )
    return read


def _converted(field: Field, value: Scalar, zone: ZoneInfo) -> object:
    match field.kind:
        case "integer":
            return int(value)
        case "number":
            return float(value)
        case "decimal":
            return Decimal(str(value))
        case "boolean":
            return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        case "date":
            return date.fromisoformat(str(value)[:10])
        case "timestamp":
            moment = datetime.fromisoformat(str(value))
            return moment if moment.tzinfo else moment.replace(tzinfo=zone)
        case "uuid":
            return UUID(str(value))
        case "text" | "json":
            return str(value)
