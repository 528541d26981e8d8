"""Times as people write them: a date names a whole day, a time a moment; and stretches of time cut out by conditions.

A day means the same in every comparison: `<= 2026-01-31` takes the 31st in, `>` leaves all of it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from isthmus.kernel.host import check
from isthmus.markings import Operator

INSTANT: Final = timedelta(microseconds=1)  # the least step of a clock here
Stretch = tuple[datetime | None, datetime | None]  # from, to (not in it); None where there is no bound
Stretches = tuple[Stretch, ...]  # apart from one another, the earliest first
ALWAYS: Final[Stretches] = ((None, None),)


@dataclass(frozen=True, slots=True)
class Day:
    """A day that a filter names."""

    date: date

    def moments(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return its first moment in a time zone, and that of the next day."""
        start, end = self.locally()
        return start.replace(tzinfo=zone), end.replace(tzinfo=zone)

    def locally(self) -> tuple[datetime, datetime]:
        start = datetime.combine(self.date, time())
        return start, start + timedelta(days=1)


def read_moment(text: str, zone: ZoneInfo, *, is_date: bool) -> Day | datetime:
    """Return a day, or a moment, which is of the asker's zone where it says no other. Raises ValueError.

    A field of days has no moments: only midnight stands for its day. Raises BadAsk for one out of all bounds.
    """
    text = text.strip()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        check(moment, "$.where")
        local = moment.astimezone(zone)
        if not is_date:
            return moment
        if local.time() != time():
            raise
        day = local.date()
    check(day, "$.where")
    return Day(day)


def stretches(op: Operator, values: Sequence[Day | datetime], zone: ZoneInfo) -> Stretches:
    """Return the times, on the asker's clock, that a comparison with days and moments holds for."""
    ends = [_ends(value, zone) for value in values]
    match op:
        case "is null":
            return ()
        case "is not null":
            return ALWAYS
        case "in" | "=":
            return union([(start, end) for start, end in ends])
        case "not in" | "!=":
            return complement(union([(start, end) for start, end in ends]))
        case "<":
            return ((None, ends[0][0]),)
        case "<=":
            return ((None, ends[0][1]),)
        case ">":
            return ((ends[0][1], None),)
        case ">=":
            return ((ends[0][0], None),)


def union(parts: Sequence[Stretch]) -> Stretches:
    """Return all times that are in at least one part."""
    found: list[Stretch] = []
    for start, end in sorted(parts, key=lambda one: one[0] or datetime.min):
        if found and (found[-1][1] is None or start is None or start <= found[-1][1]):
            before = found[-1][1]
            found[-1] = (found[-1][0], None if before is None or end is None else max(before, end))
        else:
            found.append((start, end))
    return tuple(found)


def complement(parts: Stretches) -> Stretches:
    """Return all other times."""
    found: list[Stretch] = []
    last: datetime | None = None
    for start, end in parts:
        if start is not None:
            found.append((last, start))
        if end is None:
            return tuple(found)
        last = end
    return (*found, (last, None))


def intersection(one: Stretches, other: Stretches) -> Stretches:
    """Return the times that are in both."""
    return complement(union([*complement(one), *complement(other)]))


def _ends(value: Day | datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    if isinstance(value, Day):
        return value.locally()
    local = value.astimezone(zone).replace(tzinfo=None)
    return local, local + INSTANT
