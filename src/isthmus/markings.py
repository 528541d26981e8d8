"""What a pack says about its data: entities with keys and references, and metrics. Inert until a model reads it.

@entity("order.order", table="order.orders")
class Order(Value):
    id: Annotated[UUID, Key()]
    front_end: Annotated[str, Key(), Dimension()]
    member_id: Annotated[UUID | None, Ref("member.member")]
    status: Annotated[str, Dimension()]
    placed_at: Annotated[datetime, Time()]
    currency: Annotated[str, Dimension()]
    total_minor: Annotated[int, Measure(unit="minor", currency="currency")]

SALES = Atomic(name="order.sales", measure="order.order.total_minor", where=Where("order.order.status", "=", "paid"))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct

E = TypeVar("E", bound=type)

Aggregate = Literal["sum", "count", "min", "max", "avg", "distinct", "median"]
Grain = Literal["hour", "day", "week", "month", "quarter", "year"]
Cut = Grain | Literal["weekday", "hour-of-day"]  # what times are grouped by; the last two recur: Monday is 1
PersonalKind = Literal["name", "email", "phone", "address", "birth-date", "identifier", "free-text"]
Scalar = bool | int | float | str  # times, dates, decimals and UUIDs are written as ISO text
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "is not null"]


class Key(Struct, frozen=True):
    """The field identifies a row, alone or together with the other key fields."""


class Ref(Struct, frozen=True):
    """The field names a row of another entity: many rows here to one there.

    Where that entity's key has `front_end` too, it is matched with this row's own; `also` lists further fields
    that both sides have under the same name.
    """

    to: str
    also: tuple[str, ...] = ()


class Pii(Struct, frozen=True):
    """The field says who a person is; answers hide it from everybody who may not see this kind.

    why: what it is needed for, in the register of personal data. Packs say so once for each kind (`Personal.purposes`),
    and here where a field has a purpose of its own; a front end says it here.
    """

    kind: PersonalKind
    why: str = ""


class Measure(Struct, frozen=True):
    """The field can be added up (or what `agg` says).

    `currency` is the field that says in which currency it is: of the same entity, or (`order.order.currency`) of one
    that it refers to. Amounts of two currencies are never added up.
    """

    agg: Aggregate = "sum"
    unit: str = ""
    currency: str = ""


class Dimension(Struct, frozen=True):
    """Answers can be grouped and filtered by the field."""


class Time(Struct, frozen=True):
    """The field says when the row's fact happened; of several, the default one is meant by `time`.

    `is_planned`: it may lie ahead, as the beginning of a window that can be booked; other times never do.
    """

    is_default: bool = True
    is_planned: bool = False


class EntityMarking(Struct, frozen=True, kw_only=True):
    """What `@entity` says of a Value class: its name, its table, who answers for it, its time, how old it may be."""

    name: str
    table: str
    owner: str = ""
    time: str = ""
    fresh_hours: float = 0
    consents: tuple[str, ...] = ()


def entity(
    name: str,
    *,
    table: str,
    owner: str = "",
    time: str = "",
    fresh_hours: float = 0,
    consents: tuple[str, str] | tuple[()] = (),
) -> Callable[[E], E]:
    """Declare a Value as an entity that lives in a table: its fields are the columns, by name.

    `owner` is who repairs wrong rows; the pack's owner where it is empty. `time` is the field of another entity,
    reached by references, that dates rows which have no time of their own (a line is dated by its order). Where the
    newest row is older than `fresh_hours`, answers are flagged; without it any age will do. `consents` are the fields
    that say what for and whether it was given, where rows are consents that were given or taken back at their time by
    whom their first reference names.
    """

    def declare(cls: E) -> E:
        marking = EntityMarking(
            name=name, table=table, owner=owner, time=time, fresh_hours=fresh_hours, consents=consents
        )
        cls.__isthmus_entity__ = marking  # pyright: ignore[reportAttributeAccessIssue]
        return cls

    return declare


class Where(Struct, frozen=True, tag="where", forbid_unknown_fields=True):
    """A condition on one field. `!=` and `not in` are true of an empty field, so that a filter and its complement
    cover everything."""

    field: str
    op: Operator
    value: Scalar | tuple[Scalar, ...] | None = None


class Has(Struct, frozen=True, tag="has", forbid_unknown_fields=True):
    """True of rows whose `of` has a metric that passes, as orders of members who have ten:
    `Has("member.membership", "order.orders", ">=", 10)`.

    `of` is an entity that each row refers to, or is. Who has no rows has 0 of a sum or count.
    """

    of: str
    metric: str
    op: Literal["=", "!=", "<", "<=", ">", ">="]
    value: int | float


class Not(Struct, frozen=True, tag="not", forbid_unknown_fields=True):
    """True wherever the filter is not true, empty fields included."""

    of: Where | Has | Not | AllOf | AnyOf


class AllOf(Struct, frozen=True, tag="all", forbid_unknown_fields=True):
    """True where every part is."""

    parts: tuple[Where | Has | Not | AllOf | AnyOf, ...]


class AnyOf(Struct, frozen=True, tag="any", forbid_unknown_fields=True):
    """True where at least one part is."""

    parts: tuple[Where | Has | Not | AllOf | AnyOf, ...]


Filter = Where | Has | Not | AllOf | AnyOf


class Metric(Struct, frozen=True, kw_only=True):
    """A number with one definition. `doc` is what people read, `owner` who answers for it, `unit` what it counts.

    `fresh_hours` is how old the newest row that it counts may be, where the entity's own limit is not meant. `purpose`
    is what somebody must have consented to at the time of a row for it to count; rows of nobody do not. `whose` is the
    reference that leads to them, where several do.
    """

    name: str
    doc: str = ""
    owner: str = ""
    unit: str = ""
    fresh_hours: float = 0
    purpose: str = ""
    whose: str = ""


class Atomic(Metric, frozen=True, kw_only=True, tag="atomic"):
    """A measure of one entity, aggregated at that entity's own grain.

    `agg` replaces the measure's own aggregate. `time` is the field that dates it, where it is not the entity's.
    """

    measure: str
    agg: Aggregate | None = None
    where: Filter | None = None
    time: str = ""


class Count(Metric, frozen=True, kw_only=True, tag="count"):
    """How many rows an entity has, of those that pass `where`; `time` dates them where the entity's own does not."""

    of: str
    where: Filter | None = None
    time: str = ""


class Distinct(Metric, frozen=True, kw_only=True, tag="distinct"):
    """How many different values a field has; not additive over anything."""

    field: str
    where: Filter | None = None
    time: str = ""


class Period(Struct, frozen=True, kw_only=True):
    """A stretch of time that ends when the question is asked: the last 7 days, or the month to date."""

    last: int = 0
    unit: Grain
    is_to_date: bool = False


class Derived(Metric, frozen=True, kw_only=True, tag="derived"):
    """Another metric, narrowed by a filter and a period; `grain` lists what it is grouped by where nobody says."""

    of: str
    where: Filter | None = None
    period: Period | None = None
    grain: tuple[str, ...] = ()


class Ratio(Metric, frozen=True, kw_only=True, tag="ratio"):
    """One metric by another, each taken over all rows of the group: never a mean of ratios. Empty where the
    denominator is zero."""

    numerator: str
    denominator: str


class Combined(Metric, frozen=True, kw_only=True, tag="combined"):
    """The sum of some metrics less others, such as sales less refunds."""

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()


class Cumulative(Metric, frozen=True, kw_only=True, tag="cumulative"):
    """A metric over all time up to the end of each period, or over the last `window` `unit`s, or since `reset` began.

    Asked by a time grain; without a window it goes back to the first row. `window_unit` is what the window is counted
    in, days where it is left out. (A `unit` that is a period, as in window=7, unit="day", is read as the window's.)
    """

    of: str
    window: int = 0
    window_unit: Grain | None = None
    reset: Grain | None = None


class Percentile(Metric, frozen=True, kw_only=True, tag="percentile"):
    """The value that so great a share of the rows does not exceed: 0.5 is the median, 0.9 what nine of ten stay under.

    Between two rows it lies where the share says. It does not add up over anything.
    """

    measure: str
    share: float
    where: Filter | None = None
    time: str = ""


class Scaled(Metric, frozen=True, kw_only=True, tag="scaled"):
    """A metric times a constant, with another one added: minutes as hours, a target that is 1.1 times last year's."""

    of: str
    times: int | float = 1
    add: int | float = 0


class PeriodOverPeriod(Metric, frozen=True, kw_only=True, tag="period-over-period"):
    """A metric against itself `offset` periods before: the earlier value, the difference, or the growth (a ratio)."""

    of: str
    period: Grain
    offset: int = 1
    show: Literal["before", "difference", "growth"] = "growth"


class Conversion(Metric, frozen=True, kw_only=True, tag="conversion"):
    """The share of `start` rows that a `goal` row of the same subject follows within so many days.

    `by` names the subject's field on each side (start first). A row never follows itself, so orders after orders are
    who came back; nor one with the same value of `apart`, where that is said, such as the other parts of what was paid
    at once. A funnel is one conversion for each step.
    """

    start: str
    goal: str
    by: tuple[str, str]
    within_days: int
    show: Literal["rate", "count"] = "rate"
    apart: str = ""


class Stock(Metric, frozen=True, kw_only=True, tag="stock"):
    """A level that adds up over everything but time: the last row of each series (`per`) in each period.

    With `is_carried`, a series that has no row in a period keeps its level from before.
    """

    measure: str
    per: tuple[str, ...]
    is_carried: bool = True
    where: Filter | None = None


AnyMetric = (
    Atomic | Count | Distinct | Derived | Ratio | Combined | Cumulative | PeriodOverPeriod | Conversion | Stock
    | Percentile | Scaled
)  # fmt: skip


class Segment(Struct, frozen=True, kw_only=True, tag="segment"):
    """Those whose metric lies within bounds. `member` and `front_end` are the fields that say who and where.

    A segment that can't be computed keeps its members for `days` after the last run that found them, and is empty
    then: a decision on numbers that nobody can compute any more is worse than none. `purpose` is what members must have
    consented to: who has not, or has taken it back, is in it no longer than until the next run.
    """

    code: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,50}\Z")]
    version: int
    metric: str
    member: str
    front_end: str = "front_end"
    least: float | None = None
    greatest: float | None = None
    where: tuple[Filter, ...] = ()
    days: Annotated[int, Meta(ge=1, le=400)] = 7
    purpose: str = ""
    doc: str = ""


class Rule(Struct, frozen=True, kw_only=True, tag="rule"):
    """What must hold of every row of an entity; looked at after each landing, and by `isthmus data check`.

    `name` says it to people. A front end's own is about its own rows.
    """

    name: str
    entity: str
    holds: Filter
    doc: str = ""
    owner: str = ""


class Term(Struct, frozen=True, kw_only=True, tag="term"):
    """A word of the business and what it means; `also` are other words for it, `see` the metrics that measure it."""

    name: str
    doc: str
    also: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    owner: str = ""


class Question(Struct, frozen=True, kw_only=True, tag="question"):
    """A question that is kept under a name, to be asked again, and written to a file.

    With `daily` ("06:00", in the time zone of the question) a server asks it once a day after that time.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9.-]{0,60}\Z")]
    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[Filter, ...] = ()
    having: tuple[Where, ...] = ()
    order: tuple[str, ...] = ()
    timezone: str = "UTC"
    currency: str = ""
    is_filled: bool = False
    daily: Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z")] = ""
    form: Literal["csv", "parquet"] = "csv"
    doc: str = ""
    owner: str = ""


Brought = Segment | Rule | Term | Question  # what a pack or a front end brings of data, beside metrics
