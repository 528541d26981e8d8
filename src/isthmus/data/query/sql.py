"""A plan becomes one SELECT. Each leg is a scan at its own grain; legs meet by dimension, empty values included.

visible rows → leg: rows → (last of each series) → (running over earlier periods) → one row a group
             → all legs together → metrics → order and limit
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from isthmus.markings import Filter

from ..errors import NeedsTime
from ..lake import rates
from ..model.ask import Ask, zone
from ..model.expression import Cell, Expression, Quotient, Total
from ..model.model import Model
from .periods import row_filters, shown
from .plan import Leg, Plan, currency_field
from .scope import SQL_TYPES, Parameters, Scope, conjunction, interval, quoted, reaching
from .visible import visible_rows

_ADDED: Final = frozenset(["sum", "count", "distinct"])  # nothing to add up is nought, not unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL in DuckDB's dialect with numbered parameters, and its columns in order.

    `hidden` are columns that do not leave: counts of people and currencies. `lacking` lists, with the same parameters,
    what rows lack to be converted; it is empty where nothing is.
    """

    sql: str
    parameters: tuple[object, ...]
    columns: tuple[str, ...]
    hidden: tuple[str, ...]
    lacking: str = ""


def statement(
    model: Model, plan: Plan, rows: Mapping[str, Filter] | None = None, *, is_whole_table: bool = False
) -> Statement:
    """Return the SQL of a plan. `rows` restricts which rows of an entity the asker sees.

    With `is_whole_table` order and limit are left out: small cells must be hidden before either.
    """
    return _Writer(model, plan, visible=rows or {}).written(is_whole_table)


@dataclass(slots=True)
class _Writer:
    model: Model
    plan: Plan
    visible: Mapping[str, Filter]
    shared: Parameters = field(init=False)
    ctes: list[str] = field(default_factory=list[str])
    places: dict[Cell, str] = field(default_factory=dict[Cell, str])
    currency: str = ""
    lacks: list[str] = field(default_factory=list[str])
    is_recursive: bool = False

    def __post_init__(self) -> None:
        self.shared = Parameters(self.model, zone(self.plan.ask), {})

    def written(self, is_whole_table: bool) -> Statement:
        self.ctes += visible_rows(self.shared, self.visible)
        if self.plan.ask.currency:
            self.currency = self.shared.add(self.plan.ask.currency, "varchar")
            self.ctes.append(f"rates as (\n    {rates.table_to(self.plan.ask.currency, self.currency)})")
        dimensions, source = self._written_legs()
        outputs = [f"{sql} as {quoted(by.asked)}" for sql, by in zip(dimensions, self.plan.by, strict=True)]
        outputs += [f"{self._expression(found)} as {quoted(name)}" for name, found in self.plan.metrics.items()]
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
            lacking=f"{written}{' union '.join(self.lacks)}\norder by lacking" if self.lacks else "",
        )

    def _written_legs(self) -> tuple[list[str], str]:
        """Return the dimensions, and where they and all cells are selected from: for a plain leg alone, its rows."""
        first = self.plan.legs[0]
        if len(self.plan.legs) == 1 and self._is_plain(first):
            dimensions, aggregates, source = self._plain(first)
            self.places |= aggregates
            return dimensions, source
        names = [self._write_leg(number, leg) for number, leg in enumerate(self.plan.legs)]
        source = f"from {names[0] if len(names) == 1 else self._write_together(names)}"
        if any(leg.shift for leg in self.plan.legs):
            source += f"\n{self._not_after(names)}"
        return [f"d{at}" for at in range(len(self.plan.by))], source

    def _write_leg(self, number: int, leg: Leg) -> str:
        name = f"leg{number}"
        for at, cell in enumerate(leg.cells):
            self.places[cell] = f"c{number}_{at}"
        if self._is_plain(leg):
            dimensions, aggregates, source = self._plain(leg)
            outputs = [f"{sql} as d{at}" for at, sql in enumerate(dimensions)]
            outputs += [f"{sql} as {self.places[cell]}" for cell, sql in aggregates.items()]
            self.ctes.append(f"{name} as (\n    select {', '.join(outputs)}\n    {source})")
            return name
        rows = self._write_rows(name, leg)
        if leg.series is not None:
            rows = self._write_last(name, leg, rows)
        is_running = leg.window is not None or (leg.series is not None and leg.series.is_carried)
        if not is_running or self.plan.time_at is None:
            self._write_groups(name, leg, rows, {cell: self._aggregate(leg, cell) for cell in leg.cells})
            return name
        if leg.series is not None:
            self._write_carried(name, leg, rows)
        else:
            self._write_running(name, leg, rows)
        return name

    def _is_plain(self, leg: Leg) -> bool:
        """Return whether rows can be aggregated as they are read, which spares the engine half of its planning."""
        return _is_shared(leg) and leg.window is None and not (leg.many or self.currency)

    def _plain(self, leg: Leg) -> tuple[list[str], dict[Cell, str], str]:
        """Return dimensions, aggregates, and where they are selected from."""
        scope, reason = Scope(self.shared, leg.root, "r", leg.time, leg.shift), f"a metric on {leg.root}"
        dimensions = [self._dimension(scope, leg, at) for at in range(len(self.plan.by))]
        aggregates: dict[Cell, str] = {}
        for cell in leg.cells:
            column = scope.column(scope.reach(cell.field, reason)) if cell.field else ""
            aggregates[cell] = f"cast({_aggregated(cell, column)} as {self._type(cell)})"
        first = leg.cells[0]
        conditions = conjunction(scope, [*row_filters(self.model, self.plan.ask, leg), *first.filters], reason)
        where = _where(conditions + reaching(scope, first.goal))
        by = ", ".join(str(at + 1) for at in range(len(dimensions)))
        ending = f"\n    group by {by}" if by else ""
        return dimensions, aggregates, f"{scope.clause()}\n    {where}{ending}"

    def _write_rows(self, name: str, leg: Leg) -> str:
        """Write the rows of a leg: its dimensions, what is aggregated, and which cell's filter a row passes."""
        scope, reason = Scope(self.shared, leg.root, "r", leg.time, leg.shift), f"a metric on {leg.root}"
        outputs = [f"{self._dimension(scope, leg, at)} as d{at}" for at in range(len(self.plan.by))]
        for cell in leg.cells:
            if cell.field:
                outputs += self._inputs(scope, leg, cell, f"{name}_rows")
        conditions = conjunction(scope, row_filters(self.model, self.plan.ask, leg), reason)
        for cell in leg.cells:
            passing = conjunction(scope, cell.filters, reason) + reaching(scope, cell.goal)
            if _is_shared(leg):
                conditions += passing
                break
            if passing:
                outputs.append(f"({' and '.join(passing)}) as f{self.places[cell]}")
        entity = self.model.entity(leg.root)
        if leg.many or leg.series is not None:
            outputs += [f"r.{quoted(part)} as k{at}" for at, part in enumerate(entity.key)]
        if leg.series is not None and leg.time is not None:
            outputs += [f"r.{quoted(part)} as s{at}" for at, part in enumerate(leg.series.per)]
            outputs.append(f"{scope.column(leg.time)} as t")
        distinct = "distinct " if leg.many else ""
        listed = ", ".join(outputs) or "1 as one"
        self.ctes.append(
            f"{name}_rows as (\n    select {distinct}{listed}\n    {scope.clause()}\n    {_where(conditions)})"
        )
        return f"{name}_rows"

    def _write_last(self, name: str, leg: Leg, rows: str) -> str:
        """Keep the last row of each series (in each period, where asked by time)."""
        at = self.plan.time_at
        parts = self._series(leg) + ([f"d{at}"] if at is not None else [])
        keys = [f"k{place} desc" for place in range(len(self.model.entity(leg.root).key))]
        order = ", ".join(["t desc", *keys])
        self.ctes.append(
            f"{name}_last as (\n    select * from (select *, row_number() over (partition by {', '.join(parts)} "
            f"order by {order}) as place from {rows}) as ranked where place = 1)"
        )
        return f"{name}_last"

    def _write_carried(self, name: str, leg: Leg, rows: str) -> None:
        """Give every later period the last level of each series, and add the levels up."""
        at = self.plan.time_at
        spine = self._write_spine(name, rows, f"d{at}")
        others = [column for column in self._columns(leg) if column != f"d{at}"]
        parts = ", ".join([*self._series(leg), "s.t"])
        self.ctes.append(
            f"{name}_carried as (\n    select * from (select s.t as d{at}, {', '.join(f'p.{one}' for one in others)}, "
            f"row_number() over (partition by {parts} order by p.d{at} desc) as place\n"
            f"    from {spine} as s join {rows} as p on p.d{at} <= s.t) as ranked where place = 1)"
        )
        self._write_groups(name, leg, f"{name}_carried", {cell: self._aggregate(leg, cell) for cell in leg.cells})

    def _write_running(self, name: str, leg: Leg, rows: str) -> None:
        """Let each period see the rows of the earlier ones in its window."""
        at, window = self.plan.time_at, leg.window
        grain = self.plan.by[at].grain if at is not None else None
        if window is None or grain is None:
            return
        if not leg.is_holistic:
            self._write_groups(
                f"{name}_parts", leg, rows, {cell: self._aggregate(leg, cell) for cell in leg.cells}, is_cast=False
            )
            rows = f"{name}_parts"
        label = f"date_trunc('{grain}', d{at})"
        spine = self._write_spine(name, rows, label)
        end = f"(s.t + {interval(1, grain)})"
        joined = [f"p.d{at} < {end}"]
        if window.size:
            joined.append(f"p.d{at} >= {end} - {interval(window.size, window.unit)}")
        if window.reset:
            joined.append(f"date_trunc('{window.reset}', p.d{at}) = date_trunc('{window.reset}', s.t)")
        others = [column for column in self._columns(leg, is_grouped=not leg.is_holistic) if column != f"d{at}"]
        dimensions = [one for one in others if one.startswith("d")]
        listed = "".join(
            [f", g.{one}" for one in dimensions] + [f", p.{one}" for one in others if one not in dimensions]
        )
        groups = f" cross join (select distinct {', '.join(dimensions)} from {rows}) as g" if dimensions else ""
        joined += [f"p.{one} is not distinct from g.{one}" for one in dimensions]
        looked = _where(shown(self.shared, self.plan.ask, leg))
        self.ctes.append(
            f"{name}_seen as (\n    select s.t as d{at}{listed}\n"
            f"    from {spine} as s{groups} left join {rows} as p on {' and '.join(joined)}\n    {looked})"
        )
        self._write_groups(name, leg, f"{name}_seen", {cell: self._combined(leg, cell) for cell in leg.cells})

    def _write_spine(self, name: str, rows: str, label: str) -> str:
        """Write every period from the first row's to the last row's, with or without rows."""
        by = self.plan.by[self.plan.time_at or 0]
        sql_type = "timestamp" if by.grain == "hour" else "date"
        step = interval(1, by.grain or "day")
        self.is_recursive = True
        self.ctes.append(
            f"{name}_ends as (\n    select cast(min({label}) as {sql_type}) as first, "
            f"cast(max({label}) as {sql_type}) as final from {rows})"
        )
        self.ctes.append(
            f"{name}_spine(t, final) as (\n    select first, final from {name}_ends where first is not null union all "
            f"select cast(t + {step} as {sql_type}), final from {name}_spine where t < final)"
        )
        return f"{name}_spine"

    def _write_groups(
        self, name: str, leg: Leg, rows: str, aggregates: Mapping[Cell, str], *, is_cast: bool = True
    ) -> None:
        groups = [f"d{at}" for at in range(len(self.plan.by))]
        outputs = groups + [
            f"cast({sql} as {self._type(cell)}) as {self.places[cell]}" if is_cast else f"{sql} as {self.places[cell]}"
            for cell, sql in aggregates.items()
        ]
        by = f"\n    group by {', '.join(groups)}" if groups else ""
        self.ctes.append(f"{name} as (\n    select {', '.join(outputs)}\n    from {rows}{by})")

    def _write_together(self, names: Sequence[str]) -> str:
        """Let legs meet by dimension: one row a group, with nothing where a leg has no such group."""
        groups = [f"d{at}" for at in range(len(self.plan.by))]
        branches: list[str] = []
        for name, leg in zip(names, self.plan.legs, strict=True):
            values = [
                self.places[cell] if cell in leg.cells else f"cast(null as {self._type(cell)}) as {self.places[cell]}"
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
        ends = [f"select d{at} from {name}" for name, leg in zip(names, self.plan.legs, strict=True) if not leg.shift]
        return f"where d{at} <= (select max(d{at}) from ({' union all '.join(ends)}) as ends)"

    def _dimension(self, scope: Scope, leg: Leg, at: int) -> str:
        by, found = self.plan.by[at], leg.dimensions[at]
        if by.grain is None:
            return scope.column(found)
        fine = leg.window is not None and at == self.plan.time_at and leg.window.size > 0
        return scope.label(found, leg.window.unit if fine and leg.window else by.grain)

    def _inputs(self, scope: Scope, leg: Leg, cell: Cell, rows: str) -> list[str]:
        """Return what is aggregated; where it is money of an asked currency, also what a row lacks for that."""
        reason, place, currency = f"a metric on {cell.root}", self.places[cell], self.currency
        found = scope.reach(cell.field, reason)
        amount, own = scope.column(found), currency_field(self.model, cell) if currency else ""
        if not own:
            return [f"{amount} as {place}"]
        rates.check_is_minor(found.name, found.field)
        if leg.time is None:
            raise NeedsTime(f"{found.name} has no day to take a rate of", remedy="mark a field of its entity Time()")
        own = scope.column(scope.reach(own, reason))
        day = rates.day_of(scope.column(leg.time), leg.time.field)
        rate = scope.rate(own, day)
        passing = f" and f{place}" if self._is_flagged(leg, cell) else ""
        self.lacks.append(f"select distinct l{place} as lacking from {rows} where l{place} is not null{passing}")
        return [
            f"{rates.converted(amount, own, rate, currency)} as {place}",
            f"{rates.lacking(amount, own, day, rate, currency)} as l{place}",
        ]

    def _aggregate(self, leg: Leg, cell: Cell) -> str:
        place = self.places[cell]
        return _aggregated(cell, place, f"f{place}" if self._is_flagged(leg, cell) else "")

    def _combined(self, leg: Leg, cell: Cell) -> str:
        """Return how parts of earlier periods make one number; over a window without rows nothing adds up to nought."""
        if leg.is_holistic:
            return self._aggregate(leg, cell)
        place = self.places[cell]
        return f"coalesce(sum({place}), 0)" if cell.agg in ("sum", "count") else f"{cell.agg}({place})"

    def _is_flagged(self, leg: Leg, cell: Cell) -> bool:
        """Return whether a row says for itself if it counts in this cell."""
        return bool(cell.filters or cell.goal) and not _is_shared(leg)

    def _series(self, leg: Leg) -> list[str]:
        return [f"s{at}" for at in range(len(leg.series.per))] if leg.series else []

    def _columns(self, leg: Leg, *, is_grouped: bool = False) -> list[str]:
        dimensions = [f"d{at}" for at in range(len(self.plan.by))]
        if is_grouped:
            return dimensions + [self.places[cell] for cell in leg.cells]
        flags = [f"f{self.places[cell]}" for cell in leg.cells if self._is_flagged(leg, cell)]
        return dimensions + [self.places[cell] for cell in leg.cells if cell.field] + flags + self._series(leg)

    def _type(self, cell: Cell) -> str:
        if cell.agg in ("count", "distinct", "people"):
            return "bigint"
        _, found = self.model.split(cell.field.rpartition(">")[2])
        return SQL_TYPES[found.kind]

    def _expression(self, expression: Expression) -> str:
        match expression:
            case Cell():
                place = self.places[expression]
                is_running = expression.window is not None or expression.series is not None
                return f"coalesce({place}, 0)" if expression.agg in _ADDED and not is_running else place
            case Quotient(over=over, under=under):
                divisor = f"nullif(cast({self._expression(under)} as double), 0)"
                return f"(cast({self._expression(over)} as double) / {divisor})"
            case Total(plus=plus, minus=minus):
                added = " + ".join(self._expression(part) for part in plus)
                return "(" + added + "".join(f" - {self._expression(part)}" for part in minus) + ")"

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


def _aggregated(cell: Cell, column: str, passing: str = "") -> str:
    kept = f" filter (where {passing})" if passing else ""
    if not cell.field:
        return f"count(*){kept}"
    if cell.agg == "people":  # a row of nobody counts as one: it may be anybody's
        nobody = f"{passing} and {column} is null" if passing else f"{column} is null"
        return f"count(distinct {column}){kept} + count(*) filter (where {nobody})"
    return f"{f'count(distinct {column})' if cell.agg == 'distinct' else f'{cell.agg}({column})'}{kept}"


def _is_shared(leg: Leg) -> bool:
    """Return whether all cells count the same rows, so that others need not be read."""
    return len({(cell.filters, cell.goal) for cell in leg.cells}) == 1 and leg.series is None


def _ending(ask: Ask, columns: Sequence[str]) -> str:
    asked = [(name.lstrip("-"), "desc" if name.startswith("-") else "asc") for name in ask.order]
    rest = [(name, "asc") for name in columns if name not in {found for found, _ in asked}]
    order = ", ".join(f"{columns.index(name) + 1} {direction} nulls last" for name, direction in [*asked, *rest])
    return f"\norder by {order}\nlimit {ask.limit + 1}"


def _where(conditions: Sequence[str]) -> str:
    return "where " + " and ".join(conditions) if conditions else ""
