"""What a metric is made of: cells, each one aggregate over the rows of one entity, and sums and quotients of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from isthmus import markings as m
from isthmus.markings import Filter, Grain

from ..errors import BadMetric, NeedsTime
from .ask import Ask, zone
from .model import Model

CellAggregate = Literal["sum", "count", "min", "max", "distinct", "people"]
COMBINABLE: Final = frozenset(["sum", "count", "min", "max"])  # parts can be put together; distinct values cannot

# Which periods are whole numbers of a grain, so that a row of the earlier period has its place in the later one.
_WHOLE_PERIODS: Final[Mapping[Grain, frozenset[Grain]]] = {
    "hour": frozenset(["hour", "day", "week"]),
    "day": frozenset(["day", "week"]),
    "week": frozenset(["week"]),
    "month": frozenset(["month", "quarter", "year"]),
    "quarter": frozenset(["quarter", "year"]),
    "year": frozenset(["year"]),
}


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of earlier periods count too: the last `size` `unit`s, those since `reset` began, or (size 0) all."""

    size: int
    unit: Grain
    reset: Grain | None


@dataclass(frozen=True, slots=True)
class Series:
    """Only the last row of each series counts; `is_carried` keeps its level over periods without a row."""

    per: tuple[str, ...]
    is_carried: bool


@dataclass(frozen=True, slots=True)
class Goal:
    """Only rows count that a row of `entity` with the same subject follows within some days."""

    entity: str
    time: str
    own: str
    other: str
    days: int
    filters: tuple[Filter | Within, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """A period up to the moment of asking: half open for times, whole days for dates."""

    start: datetime
    end: datetime
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One aggregate over the rows of one entity; `field` is empty for the rows themselves."""

    root: str
    agg: CellAggregate
    field: str = ""
    filters: tuple[Filter | Within, ...] = ()
    time: str = ""
    shift: tuple[int, Grain] | None = None
    window: Window | None = None
    series: Series | None = None
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class Quotient:
    """One expression by another; empty where the divisor is nought."""

    over: Expression
    under: Expression


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of some expressions less others."""

    plus: tuple[Expression, ...]
    minus: tuple[Expression, ...] = ()


Expression = Cell | Quotient | Total


@dataclass(frozen=True, slots=True)
class Resolver:
    """Turns metrics into expressions, carrying filters down to the cells.

    Of metrics that are derived from others, as many as `widened` says are taken for those, from the outermost on.
    """

    model: Model
    now: datetime
    ask: Ask
    grain: Grain | None
    widened: int = 0

    def metric(self, name: str, filters: tuple[Filter | Within, ...]) -> Expression:
        metric = self.model.metric(name)
        if name in self.model.scopes and (own := m.Where("front_end", "=", self.model.scopes[name])) not in filters:
            filters = (*filters, own)
        match metric:
            case m.Atomic():
                return self._atomic(metric, filters)
            case m.Count():
                return self._cell(metric.of, "count", "", metric.time, _with(filters, metric.where))
            case m.Distinct():
                entity, _ = self.model.split(metric.field.rpartition(">")[2])
                return self._cell(entity.name, "distinct", metric.field, metric.time, _with(filters, metric.where))
            case m.Derived() if self.widened:
                return replace(self, widened=self.widened - 1).metric(metric.of, filters)
            case m.Derived():
                period = (self._period(metric.period),) if metric.period else ()
                return self.metric(metric.of, (*_with(filters, metric.where), *period))
            case m.Ratio():
                return Quotient(self.metric(metric.numerator, filters), self.metric(metric.denominator, filters))
            case m.Combined():
                return Total(
                    tuple(self.metric(part, filters) for part in metric.plus),
                    tuple(self.metric(part, filters) for part in metric.minus),
                )
            case m.Cumulative():
                return self._cumulative(metric, self.metric(metric.of, filters))
            case m.PeriodOverPeriod():
                return self._against_before(metric, self.metric(metric.of, filters))
            case m.Conversion():
                return self._conversion(metric, filters)
            case m.Stock():
                entity, _ = self.model.split(metric.measure)
                cell = self._cell(entity.name, "sum", metric.measure, "", _with(filters, metric.where))
                self._check_time(metric.name, cell)
                return replace(cell, series=Series(metric.per, metric.is_carried))

    def _atomic(self, metric: m.Atomic, filters: tuple[Filter | Within, ...]) -> Expression:
        entity, found = self.model.split(metric.measure)
        agg = metric.agg or (found.measure.agg if found.measure else None)
        if agg is None:
            raise BadMetric(
                f"{metric.measure} is not marked as a measure, and metric {metric.name!r} names no aggregate",
                remedy="mark the field Measure(), or give the metric an `agg`",
            )
        where = _with(filters, metric.where)
        if agg == "avg":  # a quotient of sums, so that it can be taken over any group
            return Quotient(
                self._cell(entity.name, "sum", metric.measure, metric.time, where),
                self._cell(entity.name, "count", metric.measure, metric.time, where),
            )
        return self._cell(entity.name, agg, metric.measure, metric.time, where)

    def _cell(self, root: str, agg: CellAggregate, field: str, time: str, filters: tuple[Filter | Within, ...]) -> Cell:
        return Cell(root=root, agg=agg, field=field, filters=filters, time=time or self.model.entity(root).time)

    def _period(self, period: m.Period) -> Within:
        end = self.now.astimezone(zone(self.ask))
        if period.is_to_date:
            start = truncated(end, period.unit)
            return Within(start.astimezone(UTC), end.astimezone(UTC), start.date(), end.date())
        start = earlier(end, period.last, period.unit)
        return Within(start.astimezone(UTC), end.astimezone(UTC), start.date() + timedelta(days=1), end.date())

    def _cumulative(self, metric: m.Cumulative, inner: Expression) -> Expression:
        is_total = metric.window == 0 and metric.reset is None
        if self.grain is None and is_total:
            return inner
        self._need_grain(metric.name)
        if metric.window and metric.unit not in (self.grain, "day"):
            raise NeedsTime(
                f"metric {metric.name!r} runs over {metric.window} {metric.unit}s and was asked by {self.grain}",
                remedy=f"ask for it by time:{metric.unit}",
            )
        window = Window(metric.window, metric.unit, metric.reset)
        return self._changed(metric.name, inner, lambda cell: replace(cell, window=window))

    def _against_before(self, metric: m.PeriodOverPeriod, inner: Expression) -> Expression:
        grain = self._need_grain(metric.name)
        if metric.period not in _WHOLE_PERIODS[grain]:
            raise NeedsTime(
                f"metric {metric.name!r} compares with {metric.offset} {metric.period} before, which is no whole "
                f"number of {grain}s",
                remedy=f"ask for it by time:{metric.period}",
            )
        shift = (metric.offset, metric.period)
        before = self._changed(metric.name, inner, lambda cell: replace(cell, shift=shift))
        difference = Total((inner,), (before,))
        return {"before": before, "difference": difference, "growth": Quotient(difference, before)}[metric.show]

    def _changed(self, name: str, inner: Expression, change: Callable[[Cell], Cell]) -> Expression:
        match inner:
            case Cell():
                if inner.window or inner.shift or inner.series:
                    raise BadMetric(
                        f"metric {name!r} runs over time, and what it is made of does so already",
                        remedy="build it on a metric that does not",
                    )
                self._check_time(name, inner)
                return change(inner)
            case Quotient(over=over, under=under):
                return Quotient(self._changed(name, over, change), self._changed(name, under, change))
            case Total(plus=plus, minus=minus):
                return Total(
                    tuple(self._changed(name, part, change) for part in plus),
                    tuple(self._changed(name, part, change) for part in minus),
                )

    def _conversion(self, metric: m.Conversion, filters: tuple[Filter | Within, ...]) -> Expression:
        own = tuple(one for one in filters if isinstance(one, m.Where) and one.field == "front_end")
        start, goal = self.metric(metric.start, filters), self.metric(metric.goal, own)
        if not (isinstance(start, Cell) and isinstance(goal, Cell) and start.agg == goal.agg == "count"):
            raise BadMetric(
                f"conversion {metric.name!r} needs two counts, and {metric.start} or {metric.goal} is none",
                remedy="name metrics of kind Count",
            )
        self._check_time(metric.name, start)
        self._check_time(metric.name, goal)
        reached = replace(
            start, goal=Goal(goal.root, goal.time, *metric.by, days=metric.within_days, filters=goal.filters)
        )
        return reached if metric.show == "count" else Quotient(reached, start)

    def _need_grain(self, name: str) -> Grain:
        if self.grain is None:
            raise NeedsTime(f"metric {name!r} runs over time", remedy="group it by time with a grain, as in time:month")
        return self.grain

    def _check_time(self, name: str, cell: Cell) -> None:
        if not cell.time:
            raise NeedsTime(
                f"metric {name!r} needs a time, and {cell.root} has none",
                remedy="mark a field Time(), or give the entity or the metric a `time` by references",
            )


def cells(expression: Expression) -> Iterator[Cell]:
    """Yield the cells that an expression is made of."""
    match expression:
        case Cell():
            yield expression
        case Quotient(over=over, under=under):
            yield from cells(over)
            yield from cells(under)
        case Total(plus=plus, minus=minus):
            for part in (*plus, *minus):
                yield from cells(part)


def truncated(moment: datetime, grain: Grain) -> datetime:
    """Return the beginning of the period that a moment lies in; weeks begin on Monday."""
    day = moment.replace(minute=0, second=0, microsecond=0)
    if grain == "hour":
        return day
    day = day.replace(hour=0)
    months = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}
    if grain in months:
        return day.replace(month=months[grain], day=1)
    return day - timedelta(days=day.weekday()) if grain == "week" else day


def earlier(moment: datetime, count: int, unit: Grain) -> datetime:
    """Return the moment so many units before; a day that the month lacks becomes its last."""
    fixed = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
    if unit in fixed:
        return moment - count * fixed[unit]
    months = moment.year * 12 + moment.month - 1 - count * {"month": 1, "quarter": 3, "year": 12}[unit]
    first = moment.replace(year=months // 12, month=months % 12 + 1, day=1)
    days = ((first + timedelta(days=32)).replace(day=1) - first).days
    return first.replace(day=min(moment.day, days))


def _with(filters: tuple[Filter | Within, ...], where: Filter | None) -> tuple[Filter | Within, ...]:
    return (*filters, where) if where is not None else filters
