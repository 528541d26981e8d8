"""What a metric is made of: cells, each one aggregate over the rows of one entity, and sums and quotients of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from isthmus import markings as m
from isthmus.markings import Cut, Filter, Grain

from ..errors import BadMetric, NeedsTime
from .ask import Ask, calendar, leaves, zone
from .calendars import PERIODS, earlier
from .model import Model
from .paths import Names

CellAggregate = Literal["sum", "count", "min", "max", "distinct", "people", "percentile", "least-code", "greatest-code"]
COMBINABLE: Final = frozenset(
    ["sum", "count", "min", "max", "least-code", "greatest-code"]
)  # parts can be put together; distinct values cannot

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
    filters: tuple[Filter | Rowwise, ...]
    apart: str = ""


@dataclass(frozen=True, slots=True)
class Within:
    """A period up to the moment of asking: half open for times, whole days for dates."""

    start: datetime
    end: datetime
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class Consented:
    """Only rows count whose person had consented to a purpose at their time, as `entity` says."""

    purpose: str
    entity: str
    whose: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """Rows for which a condition holds, or those for which it does not: the two parts that it divides rows into."""

    of: Filter | Within | Consented | Goal
    holds: bool


Rowwise = Within | Consented | Flag  # what is told of each row, and names no field that numbers are grouped by


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One aggregate over the rows of one entity; `field` is empty for the rows themselves.

    `share` is how much lies below a percentile; `amount` is the field whose currency codes are looked at.
    """

    root: str
    agg: CellAggregate
    field: str = ""
    filters: tuple[Filter | Rowwise, ...] = ()
    time: str = ""
    shift: tuple[int, Grain] | None = None
    window: Window | None = None
    series: Series | None = None
    goal: Goal | None = None
    share: float = 0
    amount: str = ""
    scan: tuple[object, ...] = dataclasses.field(init=False, compare=False, repr=False)  # what cells of one have alike
    _hash: int = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        is_holistic = self.window is not None and self.agg not in COMBINABLE
        period = tuple(one for one in self.filters if isinstance(one, Within)) if self.series else ()
        scan = (self.root, self.time, self.shift, self.window, self.series, period, is_holistic)
        object.__setattr__(self, "scan", scan)
        own = (self.agg, self.field, self.filters, self.goal, self.share, self.amount)
        object.__setattr__(self, "_hash", hash((*scan, *own)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Quotient:
    """One expression by another; empty where the divisor is zero."""

    over: Expression
    under: Expression


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of some expressions less others."""

    plus: tuple[Expression, ...]
    minus: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaled:
    """An expression times a constant, and another added: exact where both are whole."""

    of: Expression
    times: float
    plus: float


Expression = Measured | Quotient | Total | Scaled


@dataclass(frozen=True, slots=True)
class By:
    """What answers are grouped by: a name as asked, with its grain where it is a time.

    `is_axis`: by its own name it is the time that metrics of the question run over.
    """

    asked: str
    field: str
    grain: Cut | None
    is_axis: bool = False
    is_own_time: bool = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_own_time", self.field == "time" or self.is_axis)


@dataclass(slots=True)
class Resolver:
    """Turns metrics into expressions, carrying filters down to the cells.

    has_looked: whether any metric was another one for another question, since it looked at this one.
    """

    names: Names
    _asked: tuple[datetime, Ask, tuple[By, ...]]
    has_looked: bool = False

    def asked(self) -> tuple[datetime, Ask, tuple[By, ...]]:
        self.has_looked = True
        return self._asked

    @property
    def model(self) -> Model:
        return self.names.model

    def metric(self, name: str, filters: tuple[Filter | Within | Consented, ...]) -> Expression:
        metric = self.model.metric(name)
        if name in self.model.scopes and (own := m.Where("front_end", "=", self.model.scopes[name])) not in filters:
            filters = (*filters, own)
        if metric.purpose:
            filters = (*filters, self._consented(metric))
        match metric:
            case m.Atomic():
                return self._atomic(metric, filters)
            case m.Count():
                return self._cell(metric.of, "count", "", metric.time, _with(filters, metric.where))
            case m.Distinct():
                entity, _ = self.model.split(metric.field.rpartition(">")[2])
                return self._cell(entity.name, "distinct", metric.field, metric.time, _with(filters, metric.where))
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
            case m.Percentile():
                entity, _ = self.model.split(metric.measure)
                where = _with(filters, metric.where)
                return replace(
                    self._cell(entity.name, "percentile", metric.measure, metric.time, where), share=metric.share
                )
            case m.Scaled():
                return Scaled(self.metric(metric.of, filters), metric.times, metric.add)
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

    def _consented(self, metric: m.Metric) -> Consented:
        known = next((one for one in self.model.entities.values() if one.consents), None)
        if known is None:
            raise BadMetric(
                f"metric {metric.name!r} counts who has consented to {metric.purpose!r}, and nothing says who has",
                remedy="plug in the pack that keeps consents, or leave `purpose` out",
            )
        return Consented(metric.purpose, known.name, metric.whose)

    def _atomic(self, metric: m.Atomic, filters: tuple[Filter | Within | Consented, ...]) -> Expression:
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
        if agg == "median":
            return replace(self._cell(entity.name, "percentile", metric.measure, metric.time, where), share=0.5)
        return self._cell(entity.name, agg, metric.measure, metric.time, where)

    def _cell(
        self, root: str, agg: CellAggregate, field: str, time: str, filters: tuple[Filter | Within | Consented, ...]
    ) -> Measured:
        return Measured(root=root, agg=agg, field=field, filters=filters, time=time or self.model.entity(root).time)

    def _period(self, period: m.Period) -> Within:
        now, ask, _ = self.asked()
        end = now.astimezone(zone(ask))
        if period.is_to_date:
            start = calendar(ask).truncated(end, period.unit)
            return Within(start.astimezone(UTC), end.astimezone(UTC), start.date(), end.date())
        start = earlier(end, period.last, period.unit)
        return Within(start.astimezone(UTC), end.astimezone(UTC), start.date() + timedelta(days=1), end.date())

    def _cumulative(self, metric: m.Cumulative, inner: Expression) -> Expression:
        unit = metric.window_unit or (metric.unit if metric.unit in PERIODS else "day")
        if metric.window or metric.reset:
            self._need_grain(metric.name, inner)
        elif not any(self._looks_back(cell) for cell in cells(inner)):
            return inner
        window = Window(metric.window, unit, metric.reset)
        return self._changed(metric.name, inner, lambda cell: replace(cell, window=window))

    def _against_before(self, metric: m.PeriodOverPeriod, inner: Expression) -> Expression:
        grain = self._need_grain(metric.name, inner)
        if grain not in PERIODS or metric.period not in _WHOLE_PERIODS[grain]:
            raise NeedsTime(
                f"metric {metric.name!r} compares with {metric.offset} {metric.period} before, which is no whole "
                f"number of {grain}s",
                remedy=f"ask for it by time:{metric.period}",
            )
        shift = (metric.offset, metric.period)
        before = self._changed(metric.name, inner, lambda cell: replace(cell, shift=shift))
        difference = Total((inner,), (before,))
        return {"before": before, "difference": difference, "growth": Quotient(difference, before)}[metric.show]

    def _changed(self, name: str, inner: Expression, change: Callable[[Measured], Measured]) -> Expression:
        match inner:
            case Measured():
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
            case Scaled(of=of):
                return replace(inner, of=self._changed(name, of, change))

    def _conversion(self, metric: m.Conversion, filters: tuple[Filter | Within | Consented, ...]) -> Expression:
        own = tuple(one for one in filters if isinstance(one, m.Where) and one.field == "front_end")
        start, goal = self.metric(metric.start, filters), self.metric(metric.goal, own)
        if not (isinstance(start, Measured) and isinstance(goal, Measured) and _leads(start, goal)):
            raise BadMetric(
                f"conversion {metric.name!r} needs two counts, and {metric.start} or {metric.goal} is none",
                remedy="name metrics of kind Count; the start may be a Distinct, which counts whoever went on",
            )
        self._check_time(metric.name, start)
        self._check_time(metric.name, goal)
        reached = replace(
            start,
            goal=Goal(
                goal.root, goal.time, *metric.by, days=metric.within_days, filters=goal.filters, apart=metric.apart
            ),
        )
        return reached if metric.show == "count" else Quotient(reached, start)

    def _looks_back(self, cell: Measured) -> bool:
        """Return whether a total up to the end of what is asked for differs from one over it."""
        _, ask, by = self.asked()
        if axis_of(self.names, cell.root, cell.time, by) is not None or not cell.time:
            return True
        time = self.names.of(cell.root, cell.time, "a metric")
        if any(one.grain and self.names.of(cell.root, one.field, "a metric").path == time.path for one in by):
            return True  # by another time of the same row, which is refused
        asked = (leaf.field for one in ask.where for leaf in leaves(one))
        return any(name == "time" or self.names.of(cell.root, name, "a filter").place == time.place for name in asked)

    def _need_grain(self, name: str, inner: Expression) -> Cut:
        _, _, by = self.asked()
        for cell in cells(inner):
            at = axis_of(self.names, cell.root, cell.time, by)
            if at is not None and (grain := by[at].grain) is not None:
                return grain
        raise NeedsTime(f"metric {name!r} runs over time", remedy="group it by time with a grain, as in time:month")

    def _check_time(self, name: str, cell: Measured) -> None:
        if not cell.time:
            raise NeedsTime(
                f"metric {name!r} needs a time, and {cell.root} has none",
                remedy="mark a field Time(), or give the entity or the metric a `time` by references",
            )


def cells(expression: Expression) -> list[Measured]:
    """Return the cells that an expression is made of."""
    match expression:
        case Measured():
            return [expression]
        case Quotient(over=over, under=under):
            return [*cells(over), *cells(under)]
        case Total(plus=plus, minus=minus):
            return [cell for part in (*plus, *minus) for cell in cells(part)]
        case Scaled(of=of):
            return cells(of)


def axis_of(names: Names, root: str, time: str, by: Sequence[By]) -> int | None:
    """Return which dimension is a cell's own time by periods: `time`, or its field by name."""
    for at, one in enumerate(by):
        if one.field == "time":
            return at
    by_time = [(at, one.field) for at, one in enumerate(by) if one.grain] if time else []
    place = names.of(root, time, "a metric").place if by_time else None
    return next((at for at, field in by_time if names.of(root, field, "a metric").place == place), None)


def _leads(start: Measured, goal: Measured) -> bool:
    return start.agg in ("count", "distinct") and goal.agg == "count"


def _with(
    filters: tuple[Filter | Within | Consented, ...], where: Filter | None
) -> tuple[Filter | Within | Consented, ...]:
    return (*filters, where) if where is not None else filters
