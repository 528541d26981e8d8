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

from isthmus.markings import Filter, Grain

from ..errors import NeedsTime
from ..lake import rates
from ..model.ask import Ask, calendar, leaves, zone
from ..model.calendars import Calendar, nested
from ..model.expression import Cell, Expression, Quotient, Scaled, Total, Within
from ..model.model import Model
from .periods import drawn, is_whole, until
from .plan import Leg, Plan, currency_field
from .proof import Levels, Relied, relied_on
from .scope import SQL_TYPES, Parameters, Scope, before_end, conjunction, interval, quoted, reaching
from .visible import visible_rows

_ADDED: Final = frozenset(["sum", "count", "distinct"])  # nothing to add up is nought, not unknown
_CODES: Final[Mapping[str, str]] = {"least-code": "min", "greatest-code": "max"}
_INSTANT: Final = "interval '1 microsecond'"


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
        ask = self.plan.ask
        self.shared = Parameters(self.model, zone(ask), {}, calendar=calendar(ask), names=self.plan.names)

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
            relied=relied_on(self.shared.joined, self._levels()),
            lacking=f"{written}{' union '.join(self.lacks)}\norder by lacking" if self.lacks else "",
        )

    def _levels(self) -> list[Levels]:
        """Return the series whose last row is taken."""
        found = [(leg.root, leg.series.per, leg.cells[0].time) for leg in self.plan.legs if leg.series]
        return [Levels(entity=root, per=per, time=time) for root, per, time in dict.fromkeys(found)]

    def _written_legs(self) -> tuple[list[str], str]:
        """Return the dimensions, and where they and all cells are selected from: for a plain leg alone, its rows."""
        first = self.plan.legs[0]
        if len(self.plan.legs) == 1 and self._is_plain(first) and self.plan.spine is None:
            dimensions, aggregates, source = self._plain(first)
            self.places |= aggregates
            return dimensions, source
        names = [f"leg{number}" for number in range(len(self.plan.legs))]
        read = [self._read(name, leg) for name, leg in zip(names, self.plan.legs, strict=True)]
        if self.plan.spine is not None:
            self._write_periods(read)
        for name, rows, leg in zip(names, read, self.plan.legs, strict=True):
            self._write_leg(name, leg, rows)
        filled = self._write_filled(names) if self.plan.ask.is_filled else []
        source = f"from {names[0] if len(names) == 1 and not filled else self._write_together(names, filled)}"
        if any(leg.shift for leg in self.plan.legs):
            source += f"\n{self._not_after(names)}"
        return [f"d{at}" for at in range(len(self.plan.by))], source

    def _read(self, name: str, leg: Leg) -> str:
        """Write what is read of a leg's entity, and return its name; a plain leg is then done."""
        for at, cell in enumerate(leg.cells):
            self.places[cell] = f"c{name.removeprefix('leg')}_{at}"
        if not self._is_plain(leg):
            rows = self._write_rows(name, leg)
            return self._write_last(name, leg, rows) if leg.series is not None else rows
        dimensions, aggregates, source = self._plain(leg)
        outputs = [f"{sql} as d{at}" for at, sql in enumerate(dimensions)]
        outputs += [f"{sql} as {self.places[cell]}" for cell, sql in aggregates.items()]
        self.ctes.append(f"{name} as (\n    select {', '.join(outputs)}\n    {source})")
        return name

    def _write_leg(self, name: str, leg: Leg, rows: str) -> None:
        if rows == name:
            return
        if not self._runs(leg):
            self._write_groups(name, leg, rows, {cell: self._aggregate(leg, cell) for cell in leg.cells})
        elif leg.series is not None:
            self._write_carried(name, leg, rows)
        else:
            self._write_running(name, leg, rows)

    def _runs(self, leg: Leg) -> bool:
        """Return whether a leg's rows count in later periods too, as far as those are asked for."""
        return leg.looks_back and leg.axis is not None

    def _is_plain(self, leg: Leg) -> bool:
        """Return whether rows can be aggregated as they are read, which spares the engine half of its planning."""
        is_whole = _is_shared(leg) and leg.series is None
        return is_whole and not (leg.many or self.currency or self._runs(leg))

    def _plain(self, leg: Leg) -> tuple[list[str], dict[Cell, str], str]:
        """Return dimensions, aggregates, and where they are selected from."""
        scope, reason = Scope(self.shared, leg.root, "r", leg.time, leg.shift), f"a metric on {leg.root}"
        dimensions = [self._dimension(scope, leg, at) for at in range(len(self.plan.by))]
        aggregates: dict[Cell, str] = {}
        for cell in leg.cells:
            column = self._column(scope, cell, reason) if cell.field else ""
            aggregates[cell] = self._cast(_aggregated(cell, column), cell)
        first = leg.cells[0]
        conditions = self._asked(scope, leg) + conjunction(scope, first.filters, reason)
        where = _where(conditions + reaching(scope, first.goal))
        by = ", ".join(str(at + 1) for at in range(len(dimensions)))
        ending = f"\n    group by {by}" if by else ""
        return dimensions, aggregates, f"{scope.clause()}\n    {where}{ending}"

    def _asked(self, scope: Scope, leg: Leg) -> list[str]:
        """Return the asker's filters on rows. Where earlier rows count too, time ends, and does not begin."""
        if leg.bounds is None or not leg.looks_back or leg.time is None:
            return conjunction(scope, self.plan.ask.where, "a filter")
        found = conjunction(scope, leg.bounds.rest, "a filter") if leg.series is None else []
        left = leg.bounds.stretches
        if not left:
            return [*found, "false"]
        end = left[-1][1]
        return found if end is None else [*found, f"{scope.local(leg.time)} < {self.shared.add(end, 'timestamp')}"]

    def _write_rows(self, name: str, leg: Leg) -> str:
        """Write the rows of a leg: its dimensions, what is aggregated, and which cell's filter a row passes."""
        scope, reason = Scope(self.shared, leg.root, "r", leg.time, leg.shift), f"a metric on {leg.root}"
        outputs = [f"{self._dimension(scope, leg, at)} as d{at}" for at in range(len(self.plan.by))]
        for cell in leg.cells:
            if cell.field:
                outputs += self._inputs(scope, leg, cell, f"{name}_rows")
        if leg.series is not None and leg.time is not None:
            conditions, more = self._of_level(scope, leg)
            outputs += more
        else:
            conditions = self._asked(scope, leg)
            if _is_shared(leg):
                conditions += conjunction(scope, leg.cells[0].filters, reason) + reaching(scope, leg.cells[0].goal)
            else:
                outputs += self._flags(scope, leg)
        if leg.many or leg.series is not None:
            outputs += [f"r.{quoted(part)} as k{at}" for at, part in enumerate(self.model.entity(leg.root).key)]
        distinct = "distinct " if leg.many else ""
        listed = ", ".join(outputs) or "1 as one"
        self.ctes.append(
            f"{name}_rows as (\n    select {distinct}{listed}\n    {scope.clause()}\n    {_where(conditions)})"
        )
        return f"{name}_rows"

    def _of_level(self, scope: Scope, leg: Leg) -> tuple[list[str], list[str]]:
        """Return conditions on the rows that a level is looked for in, and what is to be known of the one found.

        Only time and what tells series apart may choose among rows: any other filter is about the row that is the
        last, since an earlier one that would pass it is no longer true.
        """
        if leg.series is None or leg.time is None or leg.bounds is None:
            return [], []
        per = leg.series.per
        outputs = [f"r.{quoted(part)} as s{at}" for at, part in enumerate(per)]
        time = scope.column(leg.time)
        outputs.append(f"{time} as t")
        conditions = [f"{time} is not null"]
        conditions += self._asked(scope, leg) if leg.looks_back else conjunction(scope, leg.bounds.on_time, "a filter")
        of_series = [one for one in leg.bounds.rest if _is_of_series(one, leg.root, per)]
        conditions += conjunction(scope, of_series, "a filter")
        periods = [one for one in leg.cells[0].filters if isinstance(one, Within)]
        conditions += (
            [before_end(scope, one) for one in periods] if leg.looks_back else conjunction(scope, periods, "a metric")
        )
        state = conjunction(scope, [one for one in leg.bounds.rest if one not in of_series], "a filter")
        if _is_shared(leg):
            state += conjunction(scope, _stated(leg.cells[0]), "a metric") + reaching(scope, leg.cells[0].goal)
        else:
            outputs += self._flags(scope, leg)
        return conditions, [*outputs, f"({' and '.join(state)}) as w"] if state else outputs

    def _flags(self, scope: Scope, leg: Leg) -> list[str]:
        """Return for each cell with filters of its own whether a row passes them."""
        found: list[str] = []
        for cell in leg.cells:
            passing = conjunction(scope, _stated(cell), f"a metric on {cell.root}") + reaching(scope, cell.goal)
            if passing:
                found.append(f"({' and '.join(passing)}) as f{self.places[cell]}")
        return found

    def _write_last(self, name: str, leg: Leg, rows: str) -> str:
        """Keep the last row of each series (in each period, where asked by time)."""
        parts = self._series(leg) + ([f"d{leg.axis}"] if leg.axis is not None else [])
        keys = [f"k{place} desc" for place in range(len(self.model.entity(leg.root).key))]
        order = ", ".join(["t desc", *keys])
        self.ctes.append(
            f"{name}_last as (\n    select * from (select *, row_number() over (partition by {', '.join(parts)} "
            f"order by {order}) as place from {rows}) as ranked where place = 1)"
        )
        return f"{name}_last"

    def _write_carried(self, name: str, leg: Leg, rows: str) -> None:
        """Give every later period the last level of each series, and add the levels up."""
        at = leg.axis
        others = [column for column in self._columns(leg) if column != f"d{at}"]
        parts = ", ".join([*self._series(leg), "s.t"])
        self.ctes.append(
            f"{name}_carried as (\n    select * from (select s.t as d{at}, {', '.join(f'p.{one}' for one in others)}, "
            f"row_number() over (partition by {parts} order by p.d{at} desc) as place\n"
            f"    from periods as s join {rows} as p on p.d{at} < s.upto) as ranked where place = 1)"
        )
        self._write_groups(name, leg, f"{name}_carried", {cell: self._aggregate(leg, cell) for cell in leg.cells})

    def _write_running(self, name: str, leg: Leg, rows: str) -> None:
        """Let each period see the rows of the earlier ones in its window."""
        at, window = leg.axis, leg.window
        if window is None:
            return
        if not leg.is_holistic:
            self._write_groups(
                f"{name}_parts", leg, rows, {cell: self._aggregate(leg, cell) for cell in leg.cells}, is_cast=False
            )
            rows = f"{name}_parts"
        shown = self._write_ends(name, leg, rows)
        joined = [f"p.d{at} < s.upto"]
        if window.size:
            joined.append(f"p.d{at} >= s.upto - {interval(window.size, window.unit)}")
        if window.reset:
            joined.append(f"p.d{at} >= {self._calendar.start(f'(s.upto - {_INSTANT})', window.reset)}")
        others = [column for column in self._columns(leg, is_grouped=not leg.is_holistic) if column != f"d{at}"]
        dimensions = [one for one in others if one.startswith("d")]
        listed = "".join(
            [f", g.{one}" for one in dimensions] + [f", p.{one}" for one in others if one not in dimensions]
        )
        groups = f" cross join (select distinct {', '.join(dimensions)} from {rows}) as g" if dimensions else ""
        joined += [f"p.{one} is not distinct from g.{one}" for one in dimensions]
        self.ctes.append(
            f"{name}_seen as (\n    select s.t as d{at}{listed}\n"
            f"    from {shown} as s{groups} left join {rows} as p on {' and '.join(joined)})"
        )
        self._write_groups(name, leg, f"{name}_seen", {cell: self._combined(leg, cell) for cell in leg.cells})

    def _write_ends(self, name: str, leg: Leg, rows: str) -> str:
        """Write up to when each period counts, where a total begins anew within it: there, up to the last row's part.

        So the month to date by years is, of the year that is going on, that of its last month with a row.
        """
        spine, reset = self.plan.spine, leg.window.reset if leg.window else None
        if spine is None or reset is None or (part := nested([spine.grain, reset])) == spine.grain:
            return "periods"
        last = f"(cast({self._calendar.start(f'max(d{leg.axis})', part)} as timestamp) + {interval(1, part)})"
        upto = "case when final > t and final < upto then final else upto end"
        self.ctes.append(
            f"{name}_periods as (\n    select t, {upto} as upto\n"
            f"    from periods cross join (select {last} as final from {rows}) as ends)"
        )
        return f"{name}_periods"

    def _write_periods(self, read: Sequence[str]) -> None:
        """Write every period that is shown, with or without rows: `t` is its first day, `upto` when it ends."""
        spine = self.plan.spine
        if spine is None:
            return
        sql_type = "timestamp" if spine.grain == "hour" else "date"
        ends = [one and self.shared.add(one, sql_type) for one in drawn(spine, self._calendar)]
        if None in ends:
            label = self._calendar.label(f"d{spine.at}", spine.grain)
            every = " union all ".join(
                f"select min({label}) as first, max({label}) as final from {rows}"
                for rows, leg in zip(read, self.plan.legs, strict=True)
                if not leg.shift
            )
            self.ctes.append(f"ends as (\n    select min(first) as first, max(final) as final from ({every}) as every)")
        source = " from ends" if None in ends else ""
        both = f"select {ends[0] or 'first'} as first, {ends[1] or 'final'} as final{source}"
        step = f"cast(t + {interval(1, spine.grain)} as {sql_type})"
        self.is_recursive = True
        self.ctes.append(
            f"spine(t, final) as (\n    select first, final from ({both}) as drawn where first <= final union all\n"
            f"    select {step}, final from spine where t < final)"
        )
        upto = until(spine, lambda moment: self.shared.add(moment, "timestamp"))
        self.ctes.append(
            f"periods as (\n    select t, upto from (select t, {upto} as upto from spine) as drawn where upto > t)"
        )

    def _write_filled(self, names: Sequence[str]) -> list[str]:
        """Write each period that is shown for each group that there is, so that none is missing for want of rows."""
        at = self.plan.time_at
        others = [f"d{place}" for place in range(len(self.plan.by)) if place != at]
        groups = " union ".join(f"select {', '.join(others)} from {name}" for name in names)
        crossed = f" cross join ({groups}) as g" if others else ""
        listed = ", ".join(["s.t as " + f"d{at}", *(f"g.{one}" for one in others)])
        self.ctes.append(f"filled as (\n    select {listed} from periods as s{crossed})")
        return ["filled"]

    @property
    def _calendar(self) -> Calendar:
        return self.shared.calendar

    def _write_groups(
        self, name: str, leg: Leg, rows: str, aggregates: Mapping[Cell, str], *, is_cast: bool = True
    ) -> None:
        groups = [f"d{at}" for at in range(len(self.plan.by))]
        outputs = groups + [
            f"{self._cast(sql, cell) if is_cast else sql} as {self.places[cell]}" for cell, sql in aggregates.items()
        ]
        by = f"\n    group by {', '.join(groups)}" if groups else ""
        where = "\n    where w" if leg.series is not None and self._has_state(leg) else ""
        self.ctes.append(f"{name} as (\n    select {', '.join(outputs)}\n    from {rows}{where}{by})")

    def _has_state(self, leg: Leg) -> bool:
        """Return whether the last row of a series must be in some state to count."""
        series, rest = leg.series, leg.bounds.rest if leg.bounds else ()
        asked = series is not None and any(not _is_of_series(one, leg.root, series.per) for one in rest)
        return asked or (_is_shared(leg) and bool(_stated(leg.cells[0]) or leg.cells[0].goal))

    def _write_together(self, names: Sequence[str], filled: Sequence[str] = ()) -> str:
        """Let legs meet by dimension: one row a group, with nothing where a leg has no such group."""
        groups = [f"d{at}" for at in range(len(self.plan.by))]
        legs = dict(zip(names, self.plan.legs, strict=True))
        branches: list[str] = []
        for name in (*names, *filled):
            own = legs[name].cells if name in legs else []
            values = [
                self.places[cell] if cell in own else f"{self._cast('null', cell)} as {self.places[cell]}"
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
        if at != leg.axis or not self._runs(leg) or self.plan.spine is None:
            return scope.label(found, by.grain)
        fine = self._fine(leg, self.plan.spine.grain)
        return scope.label(found, fine) if fine else f"cast({scope.local(found)} as timestamp)"

    def _fine(self, leg: Leg, grain: Grain) -> Grain | None:
        """Return the periods that rows are put together by before they are added up over earlier ones; None for none.

        All that is cut, by periods, windows, beginnings and bounds, lies between them.
        """
        window = leg.window
        cut = [grain, window.unit] if window and window.size else [grain]
        fine = nested([*cut, window.reset] if window and window.reset else cut)
        left = leg.bounds.stretches if leg.bounds else ()
        return next((one for one in (fine, "day", "hour") if is_whole(left, one, self._calendar)), None)

    def _inputs(self, scope: Scope, leg: Leg, cell: Cell, rows: str) -> list[str]:
        """Return what is aggregated; where it is money of an asked currency, also what a row lacks for that."""
        reason, place, currency = f"a metric on {cell.root}", self.places[cell], self.currency
        found = scope.reach(cell.field, reason)
        amount, own = self._column(scope, cell, reason), currency_field(self.model, cell) if currency else ""
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

    def _column(self, scope: Scope, cell: Cell, reason: str) -> str:
        """Return what is aggregated; of a currency, the code of each amount, which is empty where it has none."""
        column = scope.column(scope.reach(cell.field, reason))
        if not cell.amount:
            return column
        return (
            f"(case when {scope.column(scope.reach(cell.amount, reason))} is not null then coalesce({column}, '') end)"
        )

    def _aggregate(self, leg: Leg, cell: Cell) -> str:
        place = self.places[cell]
        return _aggregated(cell, place, f"f{place}" if self._is_flagged(leg, cell) else "")

    def _combined(self, leg: Leg, cell: Cell) -> str:
        """Return how parts of earlier periods make one number; over a window without rows nothing adds up to nought."""
        if leg.is_holistic:
            return self._aggregate(leg, cell)
        place = self.places[cell]
        if cell.agg in ("sum", "count"):
            return f"coalesce(sum({place}), 0)"
        return f"{_CODES.get(cell.agg, cell.agg)}({place})"

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
        flags += ["w"] if leg.series is not None and self._has_state(leg) else []
        return dimensions + [self.places[cell] for cell in leg.cells if cell.field] + flags + self._series(leg)

    def _cast(self, sql: str, cell: Cell) -> str:
        """Return a number as its type; decimals keep the places that they have."""
        sql_type = self._type(cell)
        if sql_type != "decimal":
            return f"cast({sql} as {sql_type})"
        return "cast(null as decimal(1, 0))" if sql == "null" else sql

    def _type(self, cell: Cell) -> str:
        if cell.agg in ("count", "distinct", "people"):
            return "bigint"
        if cell.agg == "percentile":
            return "double"
        _, found = self.model.split(cell.field.rpartition(">")[2])
        if found.kind == "decimal":
            return "decimal"
        return "hugeint" if found.kind == "integer" and cell.agg == "sum" else SQL_TYPES[found.kind]

    def _expression(self, expression: Expression) -> str:
        match expression:
            case Cell():
                place = self.places[expression]
                is_known = expression.agg not in _ADDED or expression.series is not None
                return place if is_known else f"coalesce({place}, 0)"
            case Quotient(over=over, under=under):
                divisor = f"nullif(cast({self._expression(under)} as double), 0)"
                return f"(cast({self._expression(over)} as double) / {divisor})"
            case Total(plus=plus, minus=minus):
                added = " + ".join(self._expression(part) for part in plus)
                return "(" + added + "".join(f" - {self._expression(part)}" for part in minus) + ")"
            case Scaled(of=of, times=times, plus=plus):
                if isinstance(times, int) and isinstance(plus, int):
                    return f"({self._expression(of)} * {times} + {plus})"
                return f"(cast({self._expression(of)} as double) * {_double(times)} + {_double(plus)})"

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
    if cell.agg == "distinct":
        return f"count(distinct {column}){kept}"
    if cell.agg == "percentile":
        return f"quantile_cont({column}, {cell.share!r}){kept}"
    return f"{_CODES.get(cell.agg, cell.agg)}({column}){kept}"


def _double(number: float) -> str:
    return f"cast({number!r} as double)"


def _stated(cell: Cell) -> list[Filter | Within]:
    """Return a cell's filters on what its rows say; of a level, a period is no such filter."""
    return [one for one in cell.filters if not (cell.series and isinstance(one, Within))]


def _is_of_series(one: Filter, root: str, per: Sequence[str]) -> bool:
    """Return whether a filter is only about what tells series apart, so that it leaves whole ones."""
    known = {*per, *(f"{root}.{part}" for part in per)}
    return all(leaf.field in known for leaf in leaves(one))


def _is_shared(leg: Leg) -> bool:
    """Return whether all cells count the same rows, so that others need not be read."""
    return len({(cell.filters, cell.goal) for cell in leg.cells}) == 1


def _ending(ask: Ask, columns: Sequence[str]) -> str:
    asked = [(name.lstrip("-"), "desc" if name.startswith("-") else "asc") for name in ask.order]
    rest = [(name, "asc") for name in columns if name not in {found for found, _ in asked}]
    order = ", ".join(f"{columns.index(name) + 1} {direction} nulls last" for name, direction in [*asked, *rest])
    return f"\norder by {order}\nlimit {ask.limit + 1}"


def _where(conditions: Sequence[str]) -> str:
    return "where " + " and ".join(conditions) if conditions else ""
