"""A question becomes a plan: which cells to compute, each at its own grain, and how metrics are made of them.

    Ask → expressions over cells → legs: the cells that one scan of one entity can answer → SQL (sql.py)

A *cell* is one aggregate over the rows of one entity. Nothing else is ever aggregated, so a metric is the same
number whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from isthmus import markings as m
from isthmus.markings import Filter, Grain, Has, Where

from ..errors import BadMetric, NeedsTime, NoPath, NotADimension, UnknownName
from ..model.ask import Ask, calendar, grained, in_calendar, metrics_in
from ..model.calendars import PERIODS, ROUND
from ..model.expression import (
    By,
    Expression,
    Measured,
    Quotient,
    Rowwise,
    Scaled,
    Series,
    Window,
    Within,
    axis_of,
)
from ..model.model import Model
from ..model.paths import JoinPath, Names
from .moments import ALWAYS
from .money import Codes, Money, not_by
from .people import people_behind
from .periods import Bounds, Spine, bounds, check_length
from .resolved import Resolved, resolved


@dataclass(slots=True, kw_only=True)
class FactScan:
    """The cells that one scan of one entity answers, and how it reaches each dimension.

    `axis` is the dimension that is its own time by periods. `many` are the dimensions on the many side: they are
    answered by distinct keys, and do not add up. `looks_back` where rows of earlier periods count in later ones.
    """

    root: str
    time: JoinPath | None
    shift: tuple[int, Grain] | None
    window: Window | None
    series: Series | None
    is_holistic: bool
    axis: int | None
    bounds: Bounds | None  # where it looks back, or takes the last row of something
    cells: list[Measured] = field(default_factory=list)
    dimensions: tuple[JoinPath, ...] = ()
    many: tuple[int, ...] = field(init=False)
    looks_back: bool = field(init=False)

    def __post_init__(self) -> None:
        self.many = tuple(at for at, found in enumerate(self.dimensions) if found.is_many)
        self.looks_back = self.window is not None or (self.series is not None and self.series.is_carried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is computed for a question; a pure value, the same for the same model and ask."""

    model: Model
    ask: Ask
    names: Names
    by: tuple[By, ...]
    metrics: Mapping[str, Expression]
    legs: tuple[FactScan, ...]
    currencies: Mapping[str, tuple[Codes, ...]]  # by metric: least and greatest code in each cell
    people: Mapping[str, tuple[Measured, ...]]  # by metric: how many stand behind each of its cells
    non_additive: Mapping[str, tuple[str, ...]]  # by metric: dimensions that it does not add up over
    time_at: int | None
    spine: Spine | None
    having: Mapping[Has, Plan] = field(default_factory=dict["Has", "Plan"])  # what conditions on metrics are told by


def plan(
    model: Model,
    ask: Ask,
    now: datetime,
    *,
    person: str | None = None,
    is_divided: bool = False,
) -> Plan:
    """Return how to answer an ask.

    `person` is the entity whose members are counted behind each cell, for the suppression of small ones; an empty text
    counts rows, None counts nothing. With `is_divided` they are counted without the metrics' own filters, in all parts
    that `flags_of` divides rows into. Raises the errors of `errors.py`, each with what to do next.
    """
    ask = in_calendar(ask, model.calendar) if ask.week_starts == "usual" or not ask.year_starts else ask
    names = Names(model)
    by = _dimensions(model, ask)
    _check_order(ask, by)
    metrics = resolved(names, ask.as_of or now, ask, by, ask.metrics)
    legs = _legs(names, ask, by, metrics)
    currencies = {name: not_by(names, found.codes, by) for name, found in metrics.items()}
    people = {name: tuple(people_behind(names, found.cells, person, is_divided)) for name, found in metrics.items()}
    _add(legs, [cell for found in metrics.values() for cell in found.rows])
    _add(legs, [cell for pairs in currencies.values() for pair in pairs for cell in pair])
    _add(legs, [cell for counted in people.values() for cell in counted])
    time_at = _time_at(by, legs.values())
    by = tuple(replace(one, is_axis=True) if at == time_at else one for at, one in enumerate(by))
    return Plan(
        model=model,
        ask=ask,
        names=names,
        by=by,
        metrics={name: found.expression for name, found in metrics.items()},
        legs=tuple(legs.values()),
        currencies=currencies,
        people=people,
        non_additive={name: _non_additive(found, by, legs) for name, found in metrics.items()},
        time_at=time_at,
        spine=_spine(names, ask, by, tuple(legs.values()), time_at, ask.as_of or now),
        having={one: _plan_of(model, ask, one, now) for one in _conditions(ask, legs.values())},
    )


def _conditions(ask: Ask, legs: Iterable[FactScan]) -> set[Has]:
    """Return the conditions on metrics in what is asked and in the definitions of metrics."""
    filters = [*ask.where]
    for cell in (cell for leg in legs for cell in leg.cells):
        filters += [one for one in _all_filters(cell) if not isinstance(one, Rowwise)]
    return {has for one in filters if not isinstance(one, Where) for has in metrics_in(one)}


def _plan_of(model: Model, ask: Ask, has: Has, now: datetime) -> Plan:
    """Return how a metric is computed for each row of the entity that a condition is about.

    Where that is named by a way (`buyer_id>member.member`), the metric's own rows go the same way if they have it.
    """
    entity = has.of.rpartition(">")[2]
    for of in dict.fromkeys((has.of, entity)):
        keys = tuple(f"{of}.{part}" for part in model.entity(entity).key)
        own = Ask(metrics=(has.metric,), by=keys, timezone=ask.timezone, as_of=ask.as_of)
        try:
            return plan(model, own, now)
        except (UnknownName, NoPath):
            if of == entity:
                raise
    raise AssertionError


def _time_at(by: tuple[By, ...], legs: Iterable[FactScan]) -> int | None:
    """Return the dimension that time runs along. Raises NeedsTime where two metrics run along two."""
    found = {leg.axis for leg in legs if leg.axis is not None and (leg.looks_back or leg.shift)}
    found |= {at for at, one in enumerate(by) if one.field == "time"}
    if len(found) > 1 and not ROUND.keys() >= {by[at].grain for at in found}:
        shown = ", ".join(by[at].asked for at in sorted(found))
        raise NeedsTime(f"the metrics run over different times: {shown}", remedy="ask for them one by one")
    return found.pop() if found else None


def _spine(
    names: Names, ask: Ask, by: tuple[By, ...], legs: tuple[FactScan, ...], time_at: int | None, now: datetime
) -> Spine | None:
    """Return the periods that are shown with rows or without; None where only those with rows are."""
    running = [leg for leg in legs if leg.looks_back and leg.axis is not None]
    if ask.is_filled and time_at is None:
        raise NeedsTime("empty periods were asked for, and no periods", remedy="group by time, as in time:day")
    if not (running or ask.is_filled) or time_at is None:
        return None
    grain = by[time_at].grain
    if grain is None or grain not in PERIODS:
        raise NeedsTime(
            "weekdays and hours of the day recur, and periods of one's own have gaps, so that nothing runs on "
            "from one to the next and none is missing",
            remedy="group by time:day, or ask for a metric that does not run over time",
        )
    found = {_bounds(names, ask, leg).stretches for leg in running or legs if leg.shift is None}
    if len(found) > 1:
        raise NeedsTime(
            "a filter is on the time of some of the metrics only, and they are to show the same periods",
            remedy="filter by `time`, which is each metric's own, or ask for them one by one",
        )
    spine = Spine(time_at, grain, found.pop() if found else ALWAYS)
    check_length(spine, calendar(ask), now)
    return spine


def _bounds(names: Names, ask: Ask, leg: FactScan) -> Bounds:
    if leg.time is None:
        return Bounds((), ALWAYS, ask.where)
    return leg.bounds or bounds(names, ask, leg.root, leg.time)


def amounts(plan: Plan) -> tuple[tuple[Money, ...], ...]:
    """Return the amounts that could meet in several currencies, those of each metric together."""
    return tuple(tuple(_money(one) for one, _ in pairs) for pairs in plan.currencies.values() if pairs)


def settled(plan: Plan, amounts: frozenset[Money]) -> Plan:
    """Return the plan without what watches over amounts that turned out to be all in one currency."""
    gone = {code for pairs in plan.currencies.values() for pair in pairs if _money(pair[0]) in amounts for code in pair}
    if not gone:
        return plan
    kept = {name: tuple(pair for pair in pairs if pair[0] not in gone) for name, pairs in plan.currencies.items()}
    return replace(plan, currencies=kept, legs=tuple(_without(leg, gone) for leg in plan.legs))


def _without(leg: FactScan, gone: set[Measured]) -> FactScan:
    kept = [cell for cell in leg.cells if cell not in gone]
    return leg if len(kept) == len(leg.cells) else replace(leg, cells=kept)


def _money(code: Measured) -> Money:
    return Money(code.root, code.amount, code.field)


def is_timeless(plan: Plan) -> bool:
    """Return whether a plan is the same whenever it is made: no metric in it has a period up to now."""
    asked = (one for leg in plan.legs for cell in leg.cells for one in _all_filters(cell))
    return not any(isinstance(one, Within) for one in asked) and all(map(is_timeless, plan.having.values()))


def _all_filters(cell: Measured) -> tuple[Filter | Rowwise, ...]:
    return cell.filters + (cell.goal.filters if cell.goal else ())


def _dimensions(model: Model, ask: Ask) -> tuple[By, ...]:
    asked = ask.by
    if not asked:
        metrics = [model.metric(name) for name in ask.metrics]
        own = [name for metric in metrics if isinstance(metric, m.Derived) for name in metric.grain]
        asked = tuple(dict.fromkeys(own))
    found = tuple(By(name, *grained(name, model.calendar.own)) for name in dict.fromkeys(asked))
    for one in found:
        if one.is_own_time and one.grain is None:
            raise NeedsTime("`time` was asked for without a grain", remedy="say which, as in time:day")
    times = [one.grain for one in found if one.is_own_time]
    if len(times) > 1 and not ROUND.keys() >= {*times}:  # weekdays by the hour are a table; a week by days is days
        raise NeedsTime("`time` was asked for with two grains", remedy="ask twice, or name the time field of one")
    return found


def _check_order(ask: Ask, by: tuple[By, ...]) -> None:
    known = [*(one.asked for one in by), *ask.metrics]
    for one in ask.having:
        if one.field not in ask.metrics:
            raise UnknownName("metric of this answer", one.field, ask.metrics)
    for name in ask.order:
        if name.lstrip("-") not in known:
            raise UnknownName("column of this answer", name.lstrip("-"), known)


def _legs(
    names: Names, ask: Ask, by: tuple[By, ...], metrics: Mapping[str, Resolved]
) -> dict[tuple[object, ...], FactScan]:
    """Return the legs for all cells; a cell that looks back also gets its present twin, which says where time ends."""
    legs: dict[tuple[object, ...], FactScan] = {}
    for name, found in metrics.items():
        for cell in found.cells:
            for one in (cell, replace(cell, shift=None)) if cell.shift else (cell,):
                if one.scan not in legs:
                    legs[one.scan] = _leg(names, ask, by, one, name)
                if one not in legs[one.scan].cells:
                    legs[one.scan].cells.append(one)
    return legs


def _leg(names: Names, ask: Ask, by: tuple[By, ...], cell: Measured, metric: str) -> FactScan:
    time = names.of(cell.root, cell.time, metric) if cell.time else None
    is_time_needed = any(one.field == "time" for one in by) or cell.series is not None
    if time is None and is_time_needed:
        raise NeedsTime(
            f"metric {metric!r} was asked by time, and {cell.root} has none",
            remedy="mark a field Time(), or give the entity or the metric a `time` by references",
        )
    dimensions = tuple(dimension(names, cell.root, one, time, metric) for one in by)
    if cell.series is not None and any(found.is_many for found in dimensions):
        raise BadMetric(
            f"{metric!r} is a level, and a dimension on the many side would count one level several times",
            remedy="group it by what each of its rows has one of",
        )
    is_running = cell.window is not None or cell.series is not None
    if is_running and time is not None:
        _check_times(by, dimensions, time, metric)
    return FactScan(
        root=cell.root,
        time=time,
        shift=cell.shift,
        window=cell.window,
        series=cell.series,
        is_holistic=bool(cell.scan[-1]),
        axis=axis_of(names, cell.root, cell.time, by),
        bounds=bounds(names, ask, cell.root, time) if is_running and time is not None else None,
        dimensions=dimensions,
    )


def _check_times(by: tuple[By, ...], dimensions: tuple[JoinPath, ...], time: JoinPath, metric: str) -> None:
    """Raise NeedsTime where a metric that runs over time is asked by its time twice, or by another one of its rows."""
    graded = [(one, found) for one, found in zip(by, dimensions, strict=True) if one.grain]
    own = [one.asked for one, found in graded if found.place == time.place]
    other = [one.asked for one, found in graded if found.place != time.place and found.path == time.path]
    if len(own) > 1:
        raise NeedsTime(
            f"metric {metric!r} runs over time, and was asked by {' and '.join(own)}, which cut it twice",
            remedy="leave one of them out",
        )
    if other and not own:
        raise NeedsTime(
            f"metric {metric!r} runs over {time.name}, and was asked by {other[0]}",
            remedy="ask for it by time, as in time:month",
        )


def dimension(names: Names, root: str, by: By, time: JoinPath | None, metric: str) -> JoinPath:
    """Return how rows of an entity reach a dimension: their own time, their own field, or one by references."""
    if by.field == "time" and time is not None:
        return time
    found = names.of(root, by.field, metric)
    if not found.field.is_dimension and found.field.pii is None:
        raise NotADimension(
            f"{found.name} is no dimension",
            remedy="group by an attribute that is a text, a choice, a whole number, true or false, or a date"
            if found.field.front_ends
            else "mark it Dimension() in its pack, or group by another field",
        )
    if by.grain and found.field.kind not in ("date", "timestamp"):
        raise NotADimension(f"{found.name} is no time, so it has no {by.grain}", remedy="leave the grain out")
    return found


def _add(legs: dict[tuple[object, ...], FactScan], more: Iterable[Measured]) -> None:
    """Add cells that stand beside asked ones to the legs that these have."""
    for cell in more:
        leg = legs[cell.scan]
        if cell not in leg.cells:
            leg.cells.append(cell)


def _non_additive(metric: Resolved, by: tuple[By, ...], legs: Mapping[tuple[object, ...], FactScan]) -> tuple[str, ...]:
    """Return the dimensions that a metric must not be added up over."""
    never = isinstance(metric.expression, Quotient | Scaled) or any(
        cell.agg in ("min", "max", "distinct", "percentile") for cell in metric.cells
    )
    if never:
        return tuple(one.asked for one in by)
    found: set[str] = set()
    for cell in metric.cells:
        leg = legs[cell.scan]
        found |= {by[at].asked for at in leg.many}
        if (cell.window or cell.series or cell.shift) and leg.axis is not None:
            found.add(by[leg.axis].asked)
    return tuple(one.asked for one in by if one.asked in found)
