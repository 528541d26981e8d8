"""A plan becomes one SELECT. Each leg is a scan at its own grain; legs meet by dimension, empty values included.

visible rows → leg: rows → (last of each series) ┐
             → periods that are shown, where a metric runs over them: drawn once for all legs
             → leg: (running over earlier periods) → one row a group
             → all legs together → metrics → order and limit
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from isthmus.data.model.columns import quoted
from isthmus.markings import Filter, Has

from ..errors import NeedsTime, NoPath
from ..lake import rates
from ..model.ask import Ask
from ..model.expression import Expression, Measured, Quotient, Scaled, Total
from ..model.model import Model
from .money import currency_field, rows_behind
from .over_time import (
    finest,
    levels,
    read_level,
    write_carried,
    write_filled,
    write_last,
    write_periods,
    write_running,
)
from .plan import FactScan, Plan
from .proof import Relied, relied_on
from .scope import Scope, conjunction, reaching
from .visible import visible_rows
from .writing import Writing, aggregated, is_shared, where_all

_ADDED: Final = frozenset(["sum", "count", "distinct"])  # nothing to add up is zero, not unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL in DuckDB's dialect with numbered parameters, and its columns in order.

    `hidden` are columns that do not leave: counts of people and currencies. `lacking` lists, with the same parameters,
    what rows lack to be converted; it is empty where nothing is. `relied` is what must be proved of the rows it joins.
    """

    sql: str
    parameters: tuple[object, ...]
    columns: tuple[str, ...]
    hidden: tuple[str, ...]
    relied: Relied
    lacking: str = ""


def statement(
    model: Model, plan: Plan, rows: Mapping[str, Filter] | None = None, *, is_whole_table: bool = False
) -> Statement:
    """Return the SQL of a plan. `rows` restricts which rows of an entity the asker sees.

    With `is_whole_table` order and limit are left out: small cells must be hidden before either.
    """
    return _Writer(model, plan, visible=rows or {}).written(is_whole_table)


@dataclass(slots=True)
class _Writer(Writing):
    visible: Mapping[str, Filter] = field(default_factory=dict[str, Filter])
    currency: str = ""
    lacks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        Writing.__post_init__(self)
        self.shared.has = self._has

    def _has(self, scope: Scope, one: Has) -> str:
        """Return a condition on a metric: what it is of the row that this one refers to, compared with a number.

        Amounts of two currencies are never added up: who has some of both passes nothing.
        """
        inner = _Writer(self.model, self.plan.having[one], visible=self.visible)
        keys = self.model.entity(one.of.rpartition(">")[2]).key
        found = [scope.join_path(f"{one.of}.{part}", "a condition on a metric") for part in keys]
        if any(way.is_many for way in found):
            raise NoPath(scope.entity, one.of, f"a condition on {one.metric}")
        inner.shared, numbers, before = self.shared, scope.shared.alias("h"), self.shared.has
        self.shared.has = inner._has
        dimensions, source = inner.written_legs()
        self.shared.has = before
        outputs = [f"{sql} as k{at}" for at, sql in enumerate(dimensions)]
        value = inner.expression(inner.plan.metrics[one.metric])
        for least, greatest in inner.plan.currencies[one.metric]:
            value = f"(case when {inner.places[least]} is not distinct from {inner.places[greatest]} then {value} end)"
        head = f"with {', '.join(inner.ctes)} " if inner.ctes else ""
        rows = f"({head}select {', '.join([*outputs, f'{value} as v'])} {source})"
        same = " and ".join(f"{numbers}.k{at} = {scope.column(way)}" for at, way in enumerate(found))
        nothing = "0" if inner.is_zero_without_rows(one.metric) else "null"
        number = f"(select case when count(*) = 0 then {nothing} else max({numbers}.v) end from {rows} as {numbers} "
        return f"({number}where {same}) {one.op} {self.shared.add(one.value, 'double')})"

    def is_zero_without_rows(self, metric: str) -> bool:
        found = self.plan.metrics[metric]
        return isinstance(found, Measured) and found.agg in _ADDED and found.series is None

    def written(self, is_whole_table: bool) -> Statement:
        if self.visible:
            self.ctes, self.is_recursive = visible_rows(self.shared, self.visible)
        if self.plan.ask.currency:
            self.currency = self.shared.add(self.plan.ask.currency, "varchar")
            self.ctes.append(f"rates as (\n    {rates.table_to(self.plan.ask.currency, self.currency)})")
        dimensions, source = self.written_legs()
        outputs = [f"{sql} as {quoted(by.asked)}" for sql, by in zip(dimensions, self.plan.by, strict=True)]
        outputs += [f"{self.expression(found)} as {quoted(name)}" for name, found in self.plan.metrics.items()]
        hidden = self._hidden()
        outputs += [f"{sql} as {quoted(name)}" for name, sql in hidden.items()]
        columns = (*(by.asked for by in self.plan.by), *self.plan.metrics)
        is_one_row = not self.plan.by
        ending = "" if is_whole_table or is_one_row else _ending(self.plan.ask, columns)
        keyword = "with recursive " if self.is_recursive else "with "
        written = keyword + ",\n".join(self.ctes) + "\n" if self.ctes else ""
        return Statement(
            sql=f"{written}select {', '.join(outputs)}\n{source}{ending}",
            parameters=tuple(self.shared.values),
            columns=columns,
            hidden=tuple(hidden),
            relied=relied_on(self.shared.joined, levels(self)),
            lacking=f"{written}{' union '.join(self.lacks)}\norder by lacking" if self.lacks else "",
        )

    def written_legs(self) -> tuple[list[str], str]:
        """Return the dimensions, and where they and all cells are selected from: for a plain leg alone, its rows."""
        first = self.plan.legs[0]
        if len(self.plan.legs) == 1 and self._is_plain(first) and self.plan.spine is None:
            dimensions, aggregates, source = self._plain(first)
            self.places |= aggregates
            return dimensions, source
        names = [f"leg{number}" for number in range(len(self.plan.legs))]
        read = [self._read(name, leg) for name, leg in zip(names, self.plan.legs, strict=True)]
        if self.plan.spine is not None:
            write_periods(self, read)
        for name, rows, leg in zip(names, read, self.plan.legs, strict=True):
            self._write_leg(name, leg, rows)
        filled = write_filled(self, names) if self.plan.ask.is_filled else []
        source = f"from {names[0] if len(names) == 1 and not filled else self._write_together(names, filled)}"
        if any(leg.shift for leg in self.plan.legs):
            source += f"\n{self._not_after(names)}"
        return [f"d{at}" for at in range(len(self.plan.by))], source

    def _read(self, name: str, leg: FactScan) -> str:
        """Write what is read of a leg's entity, and return its name; a plain leg is then done."""
        for at, cell in enumerate(leg.cells):
            self.places[cell] = f"c{name.removeprefix('leg')}_{at}"
        if not self._is_plain(leg):
            rows = self._write_rows(name, leg)
            return write_last(self, name, leg, rows) if leg.series is not None else rows
        dimensions, aggregates, source = self._plain(leg)
        outputs = [f"{sql} as d{at}" for at, sql in enumerate(dimensions)]
        outputs += [f"{sql} as {self.places[cell]}" for cell, sql in aggregates.items()]
        self.ctes.append(f"{name} as (\n    select {', '.join(outputs)}\n    {source})")
        return name

    def _write_leg(self, name: str, leg: FactScan, rows: str) -> None:
        if rows == name:
            return
        if not self.runs(leg):
            self.write_groups(name, leg, rows, {cell: self.aggregate(leg, cell) for cell in leg.cells})
        elif leg.series is not None:
            write_carried(self, name, leg, rows)
        else:
            write_running(self, name, leg, rows)

    def _is_plain(self, leg: FactScan) -> bool:
        """Return whether rows can be aggregated as they are read, which spares the engine half of its planning."""
        is_whole = is_shared(leg) and leg.series is None
        return is_whole and not (leg.many or self.currency or self.runs(leg))

    def _plain(self, leg: FactScan) -> tuple[list[str], dict[Measured, str], str]:
        """Return dimensions, aggregates, and where they are selected from."""
        scope, reason = Scope(self.shared, leg.root, "r", leg.time, leg.shift), f"a metric on {leg.root}"
        dimensions = [self._dimension(scope, leg, at) for at in range(len(self.plan.by))]
        aggregates: dict[Measured, str] = {}
        for cell in leg.cells:
            column = self._column(scope, cell, reason) if cell.field else ""
            aggregates[cell] = self.cast(aggregated(cell, column), cell)
        first = leg.cells[0]
        conditions = self.conditions_asked(scope, leg) + conjunction(scope, first.filters, reason)
        where = where_all(conditions + reaching(scope, first.goal))
        by = ", ".join(str(at + 1) for at in range(len(dimensions)))
        ending = f"\n    group by {by}" if by else ""
        return dimensions, aggregates, f"{scope.clause()}\n    {where}{ending}"

    def _write_rows(self, name: str, leg: FactScan) -> str:
        """Write the rows of a leg: its dimensions, what is aggregated, and which cell's filter a row passes."""
        scope, reason = Scope(self.shared, leg.root, "r", leg.time, leg.shift), f"a metric on {leg.root}"
        outputs = [f"{self._dimension(scope, leg, at)} as d{at}" for at in range(len(self.plan.by))]
        for cell in leg.cells:
            if cell.field:
                outputs += self._inputs(scope, leg, cell, f"{name}_rows")
        if leg.series is not None and leg.time is not None:
            conditions, more = read_level(self, scope, leg)
            outputs += more
        else:
            conditions = self.conditions_asked(scope, leg)
            if is_shared(leg):
                conditions += conjunction(scope, leg.cells[0].filters, reason) + reaching(scope, leg.cells[0].goal)
            else:
                outputs += self.flags(scope, leg)
        if leg.many or leg.series is not None:
            outputs += [f"r.{quoted(part)} as k{at}" for at, part in enumerate(self.model.entity(leg.root).key)]
        distinct = "distinct " if leg.many else ""
        listed = ", ".join(outputs) or "1 as one"
        self.ctes.append(
            f"{name}_rows as (\n    select {distinct}{listed}\n    {scope.clause()}\n    {where_all(conditions)})"
        )
        return f"{name}_rows"

    def _write_together(self, names: Sequence[str], filled: Sequence[str] = ()) -> str:
        """Let legs meet by dimension: one row a group, with nothing where a leg has no such group."""
        groups = [f"d{at}" for at in range(len(self.plan.by))]
        legs = dict(zip(names, self.plan.legs, strict=True))
        branches: list[str] = []
        for name in (*names, *filled):
            own = legs[name].cells if name in legs else []
            values = [
                self.places[cell] if cell in own else f"{self.cast('null', cell)} as {self.places[cell]}"
                for cell in self.places
            ]
            branches.append(f"    select {', '.join(groups + values)} from {name}")
        self.ctes.append("stacked as (\n" + "\n    union all\n".join(branches) + ")")
        values = [f"max({place}) as {place}" for place in self.places.values()]
        by = f" group by {', '.join(groups)}" if groups else ""
        self.ctes.append(f"together as (\n    select {', '.join(groups + values)} from stacked{by})")
        return "together"

    def _not_after(self, names: Sequence[str]) -> str:
        """Return that no period is shown for which there is only an earlier one to compare with."""
        at = self.plan.time_at
        if self.plan.spine is not None:
            return f"where d{at} <= (select max(t) from periods)"
        ends = [f"select d{at} from {name}" for name, leg in zip(names, self.plan.legs, strict=True) if not leg.shift]
        return f"where d{at} <= (select max(d{at}) from ({' union all '.join(ends)}) as ends)"

    def _dimension(self, scope: Scope, leg: FactScan, at: int) -> str:
        by, found = self.plan.by[at], leg.dimensions[at]
        if by.grain is None:
            return scope.column(found)
        if at != leg.axis or not self.runs(leg) or self.plan.spine is None:
            return scope.label(found, by.grain)
        fine = finest(self, leg, self.plan.spine.grain)
        return scope.label(found, fine) if fine else f"cast({scope.local(found)} as timestamp)"

    def _inputs(self, scope: Scope, leg: FactScan, cell: Measured, rows: str) -> list[str]:
        """Return what is aggregated; where it is money of an asked currency, also what a row lacks for that."""
        reason, place, currency = f"a metric on {cell.root}", self.places[cell], self.currency
        found = scope.join_path(cell.field, reason)
        amount, own = self._column(scope, cell, reason), currency_field(self.model, cell) if currency else ""
        if not own:
            return [f"{amount} as {place}"]
        rates.check_is_minor(found.name, found.field)
        if leg.time is None:
            raise NeedsTime(f"{found.name} has no day to take a rate of", remedy="mark a field of its entity Time()")
        own = scope.column(scope.join_path(own, reason))
        day = rates.day_of(scope.column(leg.time), leg.time.field)
        rate = scope.rate(own, day)
        passing = f" and f{place}" if self.is_flagged(leg, cell) else ""
        self.lacks.append(f"select distinct l{place} as lacking from {rows} where l{place} is not null{passing}")
        return [
            f"{rates.converted(amount, own, rate, currency)} as {place}",
            f"{rates.lacking(amount, own, day, rate, currency)} as l{place}",
        ]

    def _column(self, scope: Scope, cell: Measured, reason: str) -> str:
        """Return what is aggregated; of a currency, the code of each amount, which is empty where it has none."""
        column = scope.column(scope.join_path(cell.field, reason))
        if not cell.amount:
            return column
        amount = scope.column(scope.join_path(cell.amount, reason))
        return f"(case when {amount} is not null then coalesce({column}, '') end)"

    def expression(self, expression: Expression) -> str:
        match expression:
            case Measured():
                place = self.places[expression]
                if expression.agg not in _ADDED or expression.series is not None:
                    return place
                rows = rows_behind(self.model, expression)
                known = f"coalesce({place}, 0)"
                return f"(case when {self.places[rows]} > 0 then {place} else {known} end)" if rows else known
            case Quotient(over=over, under=under):
                divisor = f"nullif(cast({self.expression(under)} as double), 0)"
                return f"(cast({self.expression(over)} as double) / {divisor})"
            case Total(plus=plus, minus=minus):
                added = " + ".join(self.expression(part) for part in plus)
                return "(" + added + "".join(f" - {self.expression(part)}" for part in minus) + ")"
            case Scaled(of=of, times=times, plus=plus):
                if isinstance(times, int) and isinstance(plus, int):
                    return f"({self.expression(of)} * {times} + {plus})"
                return f"(cast({self.expression(of)} as double) * {_double(times)} + {_double(plus)})"

    def _hidden(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, pairs in self.plan.currencies.items():
            for at, (least, greatest) in enumerate(pairs):
                found[f"least currency {at} of {name}"] = self.places[least]
                found[f"greatest currency {at} of {name}"] = self.places[greatest]
        for name, counted in self.plan.people.items():
            for at, cell in enumerate(counted):
                found[f"people {at} of {name}"] = f"coalesce({self.places[cell]}, 0)"
        return found


def _double(number: float) -> str:
    return f"cast({number!r} as double)"


def _ending(ask: Ask, columns: Sequence[str]) -> str:
    asked = [(name.lstrip("-"), "desc" if name.startswith("-") else "asc") for name in ask.order]
    named = {found for found, _ in asked}
    asked += [(name, "asc") for name in columns if name not in named]
    order = ", ".join([f"{columns.index(name) + 1} {direction} nulls last" for name, direction in asked])
    return f"\norder by {order}\nlimit {ask.limit + 1}"
