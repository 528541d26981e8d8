"""Legs that run over time, as SQL: levels, running totals, windows and to-date, over the periods that are shown.

Every period is drawn once for all legs: `periods(t, upto)` says when each begins, and up to when rows count in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from isthmus.data.model.columns import quoted
from isthmus.markings import Grain

from ..model.calendars import nested
from ..model.expression import Within
from .periods import is_whole, period_bounds, until
from .plan import FactScan
from .proof import Levels
from .scope import Scope, before_end, conjunction, interval, reaching
from .writing import Writing, is_of_series, is_shared, stated

_INSTANT: Final = "interval '1 microsecond'"


def levels(to: Writing) -> list[Levels]:
    """Return the series whose last row is taken."""
    found = [(leg.root, leg.series.per, leg.cells[0].time) for leg in to.plan.legs if leg.series]
    return [Levels(entity=root, per=per, time=time) for root, per, time in dict.fromkeys(found)]


def read_level(to: Writing, scope: Scope, leg: FactScan) -> tuple[list[str], list[str]]:
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
    conditions += (
        to.conditions_asked(scope, leg) if leg.looks_back else conjunction(scope, leg.bounds.on_time, "a filter")
    )
    of_series = [one for one in leg.bounds.rest if is_of_series(one, leg.root, per)]
    conditions += conjunction(scope, of_series, "a filter")
    periods = [one for one in leg.cells[0].filters if isinstance(one, Within)]
    conditions += (
        [before_end(scope, one) for one in periods] if leg.looks_back else conjunction(scope, periods, "a metric")
    )
    state = conjunction(scope, [one for one in leg.bounds.rest if one not in of_series], "a filter")
    if is_shared(leg):
        state += conjunction(scope, stated(leg.cells[0]), "a metric") + reaching(scope, leg.cells[0].goal)
    else:
        outputs += to.flags(scope, leg)
    return conditions, [*outputs, f"({' and '.join(state)}) as w"] if state else outputs


def write_last(to: Writing, name: str, leg: FactScan, rows: str) -> str:
    """Keep the last row of each series (in each period, where asked by time)."""
    parts = to.series_columns(leg) + ([f"d{leg.axis}"] if leg.axis is not None else [])
    keys = [f"k{place} desc" for place in range(len(to.model.entity(leg.root).key))]
    order = ", ".join(["t desc", *keys])
    to.ctes.append(
        f"{name}_last as (\n    select * from (select *, row_number() over (partition by {', '.join(parts)} "
        f"order by {order}) as place from {rows}) as ranked where place = 1)"
    )
    return f"{name}_last"


def write_carried(to: Writing, name: str, leg: FactScan, rows: str) -> None:
    """Give every later period the last level of each series, and add the levels up."""
    at = leg.axis
    others = [column for column in to.columns_of(leg) if column != f"d{at}"]
    parts = ", ".join([*to.series_columns(leg), "s.t"])
    to.ctes.append(
        f"{name}_carried as (\n    select * from (select s.t as d{at}, {', '.join(f'p.{one}' for one in others)}, "
        f"row_number() over (partition by {parts} order by p.d{at} desc) as place\n"
        f"    from periods as s join {rows} as p on p.d{at} < s.upto) as ranked where place = 1)"
    )
    to.write_groups(name, leg, f"{name}_carried", {cell: to.aggregate(leg, cell) for cell in leg.cells})


def write_running(to: Writing, name: str, leg: FactScan, rows: str) -> None:
    """Let each period see the rows of the earlier ones in its window."""
    at, window = leg.axis, leg.window
    if window is None:
        return
    if not leg.is_holistic:
        to.write_groups(
            f"{name}_parts", leg, rows, {cell: to.aggregate(leg, cell) for cell in leg.cells}, is_cast=False
        )
        rows = f"{name}_parts"
    shown = write_ends(to, name, leg, rows)
    joined = [f"p.d{at} < s.upto"]
    if window.size:
        joined.append(f"p.d{at} >= s.upto - {interval(window.size, window.unit)}")
    if window.reset:
        joined.append(f"p.d{at} >= {to.calendar.start(f'(s.upto - {_INSTANT})', window.reset)}")
    others = [column for column in to.columns_of(leg, is_grouped=not leg.is_holistic) if column != f"d{at}"]
    dimensions = [one for one in others if one.startswith("d")]
    listed = "".join([f", g.{one}" for one in dimensions] + [f", p.{one}" for one in others if one not in dimensions])
    groups = f" cross join (select distinct {', '.join(dimensions)} from {rows}) as g" if dimensions else ""
    joined += [f"p.{one} is not distinct from g.{one}" for one in dimensions]
    to.ctes.append(
        f"{name}_seen as (\n    select s.t as d{at}{listed}\n"
        f"    from {shown} as s{groups} left join {rows} as p on {' and '.join(joined)})"
    )
    to.write_groups(name, leg, f"{name}_seen", {cell: to.combined(leg, cell) for cell in leg.cells})


def write_ends(to: Writing, name: str, leg: FactScan, rows: str) -> str:
    """Write up to when each period counts, where a total begins anew within it: there, up to the last row's part.

    So the month to date by years is, of the year that is going on, that of its last month with a row.
    """
    spine, reset = to.plan.spine, leg.window.reset if leg.window else None
    if spine is None or reset is None or (part := nested([spine.grain, reset])) == spine.grain:
        return "periods"
    last = f"(cast({to.calendar.start(f'max(d{leg.axis})', part)} as timestamp) + {interval(1, part)})"
    upto = "case when final > t and final < upto then final else upto end"
    to.ctes.append(
        f"{name}_periods as (\n    select t, {upto} as upto\n"
        f"    from periods cross join (select {last} as final from {rows}) as ends)"
    )
    return f"{name}_periods"


def write_periods(to: Writing, read: Sequence[str]) -> None:
    """Write every period that is shown, with or without rows: `t` is its first day, `upto` when it ends."""
    spine = to.plan.spine
    if spine is None:
        return
    sql_type = "timestamp" if spine.grain == "hour" else "date"
    ends = [one and to.shared.add(one, sql_type) for one in period_bounds(spine, to.calendar)]
    if None in ends:
        label = to.calendar.label(f"d{spine.at}", spine.grain)
        every = " union all ".join(
            f"select min({label}) as first, max({label}) as final from {rows}"
            for rows, leg in zip(read, to.plan.legs, strict=True)
            if not leg.shift
        )
        to.ctes.append(f"ends as (\n    select min(first) as first, max(final) as final from ({every}) as every)")
    source = " from ends" if None in ends else ""
    both = f"select {ends[0] or 'first'} as first, {ends[1] or 'final'} as final{source}"
    step = f"cast(t + {interval(1, spine.grain)} as {sql_type})"
    to.is_recursive = True
    to.ctes.append(
        f"spine(t, final) as (\n    select first, final from ({both}) as drawn where first <= final union all\n"
        f"    select {step}, final from spine where t < final)"
    )
    upto = until(spine, lambda moment: to.shared.add(moment, "timestamp"))
    to.ctes.append(
        f"periods as (\n    select t, upto from (select t, {upto} as upto from spine) as drawn where upto > t)"
    )


def write_filled(to: Writing, names: Sequence[str]) -> list[str]:
    """Write each period that is shown for each group that there is, so that none is missing for want of rows."""
    at = to.plan.time_at
    others = [f"d{place}" for place in range(len(to.plan.by)) if place != at]
    groups = " union ".join(f"select {', '.join(others)} from {name}" for name in names)
    crossed = f" cross join ({groups}) as g" if others else ""
    listed = ", ".join(["s.t as " + f"d{at}", *(f"g.{one}" for one in others)])
    to.ctes.append(f"filled as (\n    select {listed} from periods as s{crossed})")
    return ["filled"]


def finest(to: Writing, leg: FactScan, grain: Grain) -> Grain | None:
    """Return the periods that rows are put together by before they are added up over earlier ones; None for none.

    All that is cut, by periods, windows, beginnings and bounds, lies between them.
    """
    window = leg.window
    cut: list[Grain] = [grain, window.unit] if window and window.size else [grain]
    fine = nested([*cut, window.reset] if window and window.reset else cut)
    left = leg.bounds.stretches if leg.bounds else ()
    return next((one for one in (fine, "day", "hour") if is_whole(left, one, to.calendar)), None)
