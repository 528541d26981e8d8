"""Fields and conditions as SQL: the joins that a field needs, typed parameters, and conditions on the many side.

The text is DuckDB's dialect; `dialect.py` turns it into others. Values are never in the text.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, cast
from zoneinfo import ZoneInfo

from isthmus.data.model.columns import SQL_TYPES, history_of, quoted, table_name
from isthmus.kernel import errors
from isthmus.markings import AllOf, AnyOf, Cut, Filter, Grain, Has, Not, Operator, Where

from ..errors import NotADimension
from ..model.calendars import Calendar
from ..model.expression import Consented, Flag, Goal, Rowwise, Within
from ..model.model import Field, Model
from ..model.paths import THEN, JoinPath, Names, Path, Step
from .consents import consented
from .moments import Day
from .values import BIGINT, DIGITS_MAX, SQL_OPERATORS, read_values

UTC_ZONE: Final = ZoneInfo("UTC")


@dataclass(slots=True)
class Joined:
    """What a statement reads, noted as each part of it is written: so no join is made that no proof is asked for."""

    keys: dict[str, None] = field(default_factory=dict)
    references: dict[str, None] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        for step in path:
            self.keys[step.end] = None
            self.references[f"{step.reference.source}.{step.reference.name}"] = None

    def take(self, other: Joined) -> None:
        self.keys |= other.keys
        self.references |= other.references


@dataclass(slots=True)
class Parameters:
    """The values of a statement, numbered as they come; and what all parts of the statement share."""

    model: Model
    zone: ZoneInfo
    visible: Mapping[str, str]  # the name of the rows that the asker may see, by entity; absent: all rows
    values: list[object] = field(default_factory=list)
    joined: Joined = field(default_factory=Joined)
    behind: dict[str, Joined] = field(default_factory=dict)  # what was joined to tell visible rows
    calendar: Calendar = field(default_factory=Calendar)
    names: Names = field(default=cast(Names, None))
    has: Callable[[Scope, Has], str] | None = None  # writes a condition on a metric
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        if cast("Names | None", self.names) is None:
            self.names = Names(self.model)

    def add(self, value: object, sql_type: str) -> str:
        self.values.append(value)
        return f"cast(${len(self.values)} as {sql_type})"

    def alias(self, letter: str) -> str:
        return f"{letter}{next(self._numbers)}"

    def relation(self, entity: str) -> str:
        """Return where an entity's rows come from: its table, or those of its rows that the asker may see."""
        self.joined.keys[entity] = None
        if entity in self.behind:
            self.joined.take(self.behind[entity])
        if entity in self.visible:
            return quoted(self.visible[entity])
        return self.model.entities[entity].relation


@dataclass(slots=True)
class Scope:
    """One FROM clause: rows of an entity, with what is joined to them. Every path is joined once."""

    shared: Parameters
    entity: str
    alias: str
    time: JoinPath | None = None
    shift: tuple[int, Grain] | None = None
    outer: tuple[Scope, int] | None = None  # whose names these rows are asked by, and how many steps lead here
    joins: list[str] = field(default_factory=list)
    _aliases: dict[Path, str] = field(default_factory=dict)
    _rates: dict[str, str] = field(default_factory=dict)

    def column(self, found: JoinPath) -> str:
        alias = self._then(found) if found.is_then else self.at(found.path)
        return self._own(alias, found.field) if found.field.front_ends else f"{alias}.{found.field.column}"

    def clause(self) -> str:
        return "\n        ".join([f"from {self.shared.relation(self.entity)} as {self.alias}", *self.joins])

    def rate(self, own: str, day: str) -> str:
        """Return the alias of the exchange rate from a currency on a day, joined once."""
        if own not in self._rates:
            alias = self._rates[own] = self.shared.alias("q")
            self.joins.append(f"left join rates as {alias} on {alias}.day = {day} and {alias}.currency = {own}")
        return self._rates[own]

    def label(self, found: JoinPath, grain: Cut) -> str:
        """Return the first day (or hour) of the period that a time field lies in, in the asker's time zone."""
        return self.shared.calendar.label(self.local(found), grain)

    def local(self, found: JoinPath) -> str:
        """Return a time as the asker's clock shows it, moved where this scan stands in for a later period."""
        column = self.column(found)
        if found.field.kind == "timestamp":
            column = f"({column} at time zone '{self.shared.zone.key}')"
        if self.shift is not None and self.is_own_time(found):
            count, grain = self.shift
            return f"({column} + {interval(count, grain)})"
        return column

    def is_own_time(self, found: JoinPath) -> bool:
        return self.time is not None and found.place == self.time.place

    def join_path(self, name: str, reason: str) -> JoinPath:
        """Return the way from this scope's rows to a field; `time` is their own time, a bare name their own field."""
        if self.outer is not None:
            scope, steps = self.outer
            found = scope.join_path(name, reason)
            return JoinPath(found.path[steps:], found.entity, found.field)
        if name == "time" and self.time is not None:
            return self.time
        return self.shared.names.of(self.entity, name, reason)

    def _own(self, alias: str, field: Field) -> str:
        """Return an attribute out of the JSON that it is kept in, as far as a row is of those who declare it.

        A row keeps what an earlier version wrote: what is of another type by now is empty.
        """
        column, _, name = field.name.partition(".")
        codes = ", ".join(self.shared.add(code, "varchar") for code in field.front_ends)
        text = f"json_extract_string({alias}.{quoted(column)}, '$.{name}')"
        value = text if field.kind == "text" else f"try_cast({text} as {SQL_TYPES[field.kind]})"
        return f"(case when {alias}.front_end in ({codes}) then {value} end)"

    def _then(self, found: JoinPath) -> str:
        """Return the alias of a row as it was at the time of this scope's rows, joined once.

        Of the time before it first landed, it is as it was then.
        """
        place = (*found.path, found.path[-1])  # no way goes one step twice
        if place not in self._aliases:
            if self.time is None:
                raise errors.BadAsk(f"{self.entity} has no time to look back to", remedy=f"leave {THEN} out")
            now, moment = self.at(found.path), self.moment(self.time)
            alias = self._aliases[place] = self.shared.alias("t")
            key = found.entity.key
            same = " and ".join(f"{alias}.{quoted(part)} = {now}.{quoted(part)}" for part in key)
            listed = ", ".join(map(quoted, key))
            rows = (
                f"(select *, row_number() over (partition by {listed} order by valid_from) = 1 as is_first "
                f"from {table_name(history_of(found.entity.table))})"
            )
            self.joins.append(
                f"left join {rows} as {alias} on {same} and ({alias}.valid_from <= {moment} or {alias}.is_first) "
                f"and ({alias}.valid_to is null or {moment} < {alias}.valid_to)"
            )
        return self._aliases[place]

    def moment(self, time: JoinPath) -> str:
        """Return a time as a moment: of a day, its beginning as the asker's clock shows it."""
        column = self.column(time)
        if time.field.kind == "timestamp":
            return column
        return f"(cast({column} as timestamp) at time zone '{self.shared.zone.key}')"

    def at(self, path: Path) -> str:
        """Return the alias of the row at the end of a path, joined once."""
        if not path:
            return self.alias
        if path not in self._aliases:
            before = self.at(path[:-1])
            alias = self.shared.alias("j")
            step = path[-1]
            self.shared.joined.add((step,))
            self.joins.append(
                f"left join {self.shared.relation(step.end)} as {alias} on {matching(step, before, alias)}"
            )
            self._aliases[path] = alias
        return self._aliases[path]


def matching(step: Step, near: str, far: str) -> str:
    """Return the condition that a step's two rows belong together."""
    return " and ".join([f"{far}.{there} = {near}.{own}" for there, own in step.matched])


def conjunction(scope: Scope, filters: Iterable[Filter | Rowwise], reason: str) -> list[str]:
    """Return the conditions that hold together. Those on the many side that begin with the same step down are about
    the same row there, wherever they lead from it."""
    conditions: list[str] = []
    on_many: dict[Path, list[Filter]] = {}
    for one in _flat(filters):
        way = () if isinstance(one, Rowwise | Not) else _way_down(scope, one, reason)
        if way and not isinstance(one, Rowwise):
            on_many.setdefault(way, []).append(one)
        else:
            conditions.append(condition(scope, one, reason))
    return conditions + [_some_row(scope, way, found, reason) for way, found in on_many.items()]


def reaching(scope: Scope, goal: Goal | None) -> list[str]:
    """Return the condition that a goal is reached by the subject of a row, in its days."""
    if goal is None or scope.time is None:
        return []
    time = scope.shared.names.of(goal.entity, goal.time, "a conversion")
    inner = Scope(scope.shared, goal.entity, scope.shared.alias("g"), time)
    start, end = scope.column(scope.time), inner.column(time)
    reached = inner.column(inner.join_path(goal.other, "a conversion"))
    started = scope.column(scope.join_path(goal.own, "a conversion"))
    conditions = [
        f"{reached} = {started}",
        f"{end} between {start} and {start} + interval '{goal.days} day'",
        *conjunction(inner, goal.filters, "a conversion"),
    ]
    if goal.apart:
        one, other = inner.join_path(goal.apart, "a conversion"), scope.join_path(goal.apart, "a conversion")
        conditions.append(f"{inner.column(one)} is distinct from {scope.column(other)}")
    if goal.entity == scope.entity:  # who buys once has not bought again: a row does not follow itself
        key = scope.shared.model.entity(goal.entity).key
        same = " and ".join(f"{inner.alias}.{quoted(part)} = {scope.alias}.{quoted(part)}" for part in key)
        conditions.append(f"not ({same})")
    return [f"exists (select 1 {inner.clause()} where {' and '.join(conditions)})"]


def condition(scope: Scope, one: Filter | Rowwise, reason: str) -> str:
    """Return one filter as SQL."""
    match one:
        case Within():
            return _within(scope, one)
        case Consented():
            return consented(scope, one)
        case Flag(of=of, holds=holds):
            phrase = " and ".join(reaching(scope, of)) if isinstance(of, Goal) else condition(scope, of, reason)
            return f"({phrase})" if holds else f"(({phrase}) is not true)"
        case Has():
            if scope.shared.has is None:
                raise errors.BadAsk(
                    f"a condition on {one.metric} of each {one.of} is not looked at here",
                    remedy="ask for the metric by what you look for, with `having`",
                )
            return scope.shared.has(scope, one)
        case Not(of=inner):
            return f"(({condition(scope, inner, reason)}) is not true)"
        case AnyOf(parts=parts):
            return "(" + (" or ".join(condition(scope, part, reason) for part in parts) or "false") + ")"
        case AllOf():
            return "(" + (" and ".join(conjunction(scope, [one], reason)) or "true") + ")"
        case Where():
            found = scope.join_path(one.field, reason)
            return _some_row(scope, found.way_down, [one], reason) if found.is_many else _compare(scope, one, found)


def interval(count: int, grain: Grain) -> str:
    """Return so many periods as SQL; not every database knows quarters."""
    return f"interval '{count * 3} month'" if grain == "quarter" else f"interval '{count} {grain}'"


def _flat(filters: Iterable[Filter | Rowwise]) -> Iterable[Filter | Rowwise]:
    for one in filters:
        if isinstance(one, AllOf):
            yield from _flat(one.parts)
        else:
            yield one


def _way_down(scope: Scope, one: Filter, reason: str) -> Path:
    """Return the steps up to the first one down that all fields of a filter share; none where they do not."""
    match one:
        case Where():
            return scope.join_path(one.field, reason).way_down
        case Not() | Has():
            return ()  # "no such row", which another filter's row says nothing about
        case AllOf(parts=parts) | AnyOf(parts=parts):
            ways = {_way_down(scope, part, reason) for part in parts}
            return ways.pop() if len(ways) == 1 else ()


def _some_row(scope: Scope, way: Path, filters: Sequence[Filter], reason: str) -> str:
    """Return that some row on the many side fulfils all these filters."""
    *ups, down = way
    inner = Scope(scope.shared, down.end, scope.shared.alias("e"), outer=(scope, len(way)))
    scope.shared.joined.add((down,))
    near = scope.at(tuple(ups))
    matched = " and ".join([matching(down, near, inner.alias), *conjunction(inner, filters, reason)])
    return f"exists (select 1 {inner.clause()} where {matched})"


def _compare(scope: Scope, one: Where, found: JoinPath) -> str:
    column = scope.column(found)
    values = read_values(found.field, one, scope.shared.zone)
    if one.op in ("is null", "is not null"):
        return f"({column} {one.op})"
    if not found.field.is_dimension and found.field.measure is None and found.field.pii is None:
        raise NotADimension(
            f"{found.name} is neither a dimension nor a measure",
            remedy="mark it Dimension() in its pack, or filter by another field",
        )
    if scope.shift is not None and scope.is_own_time(found):
        column = scope.local(found)
    if one.op in ("in", "not in"):
        is_in = _any_of(scope, found, column, values)
        return is_in if one.op == "in" else f"({is_in} is not true)"
    value = values[0]
    if isinstance(value, Day) and found.field.kind == "timestamp":
        return _compare_day(scope, one.op, found, column, value)
    return f"({column} {SQL_OPERATORS[one.op]} {_parameter(scope, found, value)})"


def _any_of(scope: Scope, found: JoinPath, column: str, values: Sequence[object]) -> str:
    """Return that a column has one of these values; a day of a time is any moment of it."""
    days = [value for value in values if isinstance(value, Day) and found.field.kind == "timestamp"]
    listed = ", ".join(_parameter(scope, found, value) for value in values if value not in days)
    parts = [f"{column} in ({listed})"] if listed else []
    parts += [_compare_day(scope, "=", found, column, day) for day in days]
    return f"({' or '.join(parts) or 'false'})"


def _compare_day(scope: Scope, op: Operator, found: JoinPath, column: str, day: Day) -> str:
    """Return how a time compares with a day: with all of it, from its first moment in the asker's zone to its last."""
    start, end = day.moments(scope.shared.zone)
    match op:
        case "<" | ">=":
            return f"({column} {op} {_parameter(scope, found, start)})"
        case "<=" | ">":
            return f"({column} {'<' if op == '<=' else '>='} {_parameter(scope, found, end)})"
        case _:
            within = f"{column} >= {_parameter(scope, found, start)} and {column} < {_parameter(scope, found, end)}"
            return f"(({within}) is not true)" if op == "!=" else f"({within})"


def _parameter(scope: Scope, found: JoinPath, value: object) -> str:
    if isinstance(value, Day):
        value = value.date
    sql_type = SQL_TYPES[found.field.kind]
    if isinstance(value, Decimal):  # as many places as it was written with
        sql_type = f"decimal({DIGITS_MAX}, {max(0, -int(value.as_tuple().exponent))})"
    elif isinstance(value, int) and not isinstance(value, bool) and value not in BIGINT:
        sql_type = "hugeint"
    sql = scope.shared.add(value, sql_type)
    is_moved = scope.shift is not None and scope.is_own_time(found) and found.field.kind == "timestamp"
    return f"({sql} at time zone '{scope.shared.zone.key}')" if is_moved else sql


def before_end(scope: Scope, period: Within) -> str:
    """Return that a row is not after a period, whenever before: what a level of that time comes from."""
    if scope.time is None:
        return "true"
    column, add = scope.column(scope.time), scope.shared.add
    if scope.time.field.kind == "date":
        return f"({column} <= {add(period.last_day, 'date')})"
    return f"({column} < {add(period.end, 'timestamptz')})"


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
