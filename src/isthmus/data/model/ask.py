"""A question to the metrics, as it comes over HTTP, from the command line or from Python."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Final, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec
from msgspec.structs import replace

from isthmus.kernel import Meta, Value, errors
from isthmus.markings import AllOf, AnyOf, Cut, Filter, Has, Not, Operator, Scalar, Where

from .calendars import PERIODS, ROUND, WEEKDAYS, Calendar, Own, Weekday, WeekStart

ROWS: Final = "rows"  # the metric of a question without one: how many rows there are of each value
METRICS_MAX: Final = 50
DIMENSIONS_MAX: Final = 12
ROWS_MAX: Final = 100_000  # what one answer holds; more is an export, asked for in parts

GRAINS: Final[tuple[Cut, ...]] = (*PERIODS, *cast("Any", ROUND))
_OPERATORS: Final[tuple[Operator, ...]] = ("is not null", "is null", "not in", "!=", "<=", ">=", "in", "=", "<", ">")


class Ask(Value):
    """Ask for metrics, grouped and filtered.

    `by` names fields (`order.order.status`), with a grain where they are times (`time:month`: each metric's own
    time). A name without an entity (`front_end`) is the field of that name on each metric's own entity. `order`
    names metrics or dimensions, `-` in front for downwards. With a `currency`, amounts are converted to it, by
    the rate of each row's day. `accept` takes a flagged answer where keys are not unique; `is_whole` refuses where
    references lead nowhere, `is_fresh` where the newest row is older than it may be (else the answer is flagged).
    `having` keeps the groups whose metrics pass; a hidden number passes nothing. Without metrics the values of the
    first field of `by` are listed, with how many rows have each.
    `is_filled` shows periods without rows too. Weeks and years begin where `week_starts` and `year_starts` (a month)
    say, else (`usual`, 0) where the platform's settings do.
    """

    metrics: Annotated[tuple[str, ...], Meta(min_length=1, max_length=METRICS_MAX)] = (ROWS,)
    by: Annotated[tuple[str, ...], Meta(max_length=DIMENSIONS_MAX)] = ()
    where: tuple[Filter, ...] = ()
    having: tuple[Where, ...] = ()
    order: tuple[str, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = ROWS_MAX
    as_of: Annotated[datetime, Meta(tz=True)] | None = None
    timezone: str = "UTC"
    currency: Annotated[str, Meta(pattern=r"^([A-Z]{3})?\Z")] = ""
    accept: tuple[Literal["duplicates"], ...] = ()
    is_whole: bool = False
    is_fresh: bool = False
    is_filled: bool = False
    week_starts: WeekStart = "usual"
    year_starts: Annotated[int, Meta(ge=0, le=12)] = 0


def zone(ask: Ask) -> ZoneInfo:
    """Return the time zone that the asker's days begin in. Raises BadAsk."""
    try:
        return ZoneInfo(ask.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = errors.near(ask.timezone, available_timezones())
        raise errors.BadAsk(
            f"{ask.timezone!r} is no time zone{hint}", remedy="use a name such as Europe/Berlin", path="$.timezone"
        ) from None


def calendar(ask: Ask, own: Own | None = None) -> Calendar:
    """Return when the asker's weeks and years begin, beside the calendars of a company's own."""
    day = "monday" if ask.week_starts == "usual" else ask.week_starts
    return Calendar(WEEKDAYS.index(day), (ask.year_starts or 1) - 1, own or {})


def in_calendar(ask: Ask, usual: Calendar) -> Ask:
    """Return a question that says when weeks and years begin: as it does, or as is usual."""
    return replace(
        cast(Any, ask),
        week_starts=WEEKDAYS[usual.week_days] if ask.week_starts == "usual" else ask.week_starts,
        year_starts=ask.year_starts or usual.year_months + 1,
    )


def week_day(text: str) -> Weekday:
    """Return the day of the week that a text names. Raises BadAsk."""
    for day in WEEKDAYS:
        if day == text.lower():
            return day
    raise errors.BadAsk(
        f"{text!r} is no day of the week{errors.near(text, WEEKDAYS)}", remedy=f"use one of {', '.join(WEEKDAYS)}"
    )


def grained(name: str, own: Collection[str] = ()) -> tuple[str, Cut | None]:
    """Split `time:month` into the field and the grain: a usual one, or one of a company's `own` calendars.

    Raises BadAsk for a grain that is none.
    """
    field, colon, grain = name.partition(":")
    if colon and grain not in (known := (*GRAINS, *own)):
        hint = errors.near(grain, known)
        raise errors.BadAsk(f"{grain!r} is no grain of time{hint}", remedy=f"use one of {', '.join(known)}")
    return field, cast("Cut | None", grain or None)


_CONDITION: Final = re.compile(rf"\s*(\S+)\s+({'|'.join(map(re.escape, _OPERATORS))})(?:\s+(.*?))?\s*", re.DOTALL)


_HAS: Final = re.compile(r"\s*has\s+(\S+)\s+(\S+)\s+(!=|<=|>=|=|<|>)\s+(-?[0-9]+(?:\.[0-9]+)?)\s*")


def read_has(text: str) -> Has | None:
    """Read a condition on a metric: `has member.membership order.orders >= 10`; None where it is none."""
    found = _HAS.fullmatch(text)
    if found is None:
        return None
    number = float(found[4]) if "." in found[4] else int(found[4])
    return Has(found[1], found[2], cast(Any, found[3]), number)


def read_filter(text: str, path: str = "$.where") -> Where:
    """Read a condition as people type it: `order.order.status = done`, `customers.region is null`, `x in a,b`.

    Raises BadAsk with the operators that there are.
    """
    found = _CONDITION.fullmatch(text)
    if found is None or (found[3] is None) != found[2].startswith("is"):
        raise errors.BadAsk(
            f"{text!r} is no condition",
            remedy=f"write field, operator, value; operators: {', '.join(_OPERATORS)}",
            path=path,
        )
    field, op, value = found[1], cast(Operator, found[2]), found[3]
    if op in ("in", "not in"):
        return Where(field, op, tuple(_scalar(part.strip()) for part in value.split(",")))
    return Where(field, op, None if value is None else _scalar(value.strip()))


def read_condition(written: str) -> Filter:
    """Read a condition as text (`read_filter`), or as the JSON object that it is over HTTP. Raises BadAsk."""
    if not written.lstrip().startswith("{"):
        return read_has(written) or read_filter(written)
    try:
        return msgspec.json.decode(written, type=Filter)
    except (msgspec.ValidationError, msgspec.DecodeError) as wrong:
        raise errors.BadAsk(
            f"{written!r} is no condition: {wrong}",
            remedy='write {"type": "where", "field": …, "op": …, "value": …}, or text such as `front_end = north`',
            path="$.where",
        ) from None


def leaves(where: Filter) -> list[Where]:
    """Return all conditions on single fields inside a filter."""
    match where:
        case Where():
            return [where]
        case Has():
            return []
        case Not(of=inner):
            return leaves(inner)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return [leaf for part in parts for leaf in leaves(part)]


def metrics_in(where: Filter) -> list[Has]:
    """Return all conditions on metrics inside a filter."""
    match where:
        case Has():
            return [where]
        case Where():
            return []
        case Not(of=inner):
            return metrics_in(inner)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return [one for part in parts for one in metrics_in(part)]


def _scalar(text: str) -> Scalar:
    """Read text as it is; which kind of value it must be is the field's matter."""
    return text.strip("'\"")
