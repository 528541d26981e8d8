"""Which periods an answer shows, and up to when each counts: what the asker's conditions on time cut out.

A metric that looks back (a running total, a carried level) reads rows before the asker's first period. For it a
condition on its time says which periods are shown, and that nothing after the last moment asked for counts:

    every period's end, or the asker's last moment in it → the rows before that, as far back as the metric looks
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from isthmus.kernel import errors
from isthmus.markings import AllOf, AnyOf, Filter, Grain, Has, Not, Where

from ..errors import NeedsTime
from ..model.ask import Ask, leaves, metrics_in, zone
from ..model.calendars import Calendar
from ..model.paths import JoinPath, Names
from .moments import ALWAYS, INSTANT, Stretch, Stretches, complement, intersection, stretches, union
from .scope import interval
from .values import read_values

PERIODS_MAX: Final = 100_000  # in one answer, as many as it may have rows


@dataclass(frozen=True, slots=True)
class Bounds:
    """An asker's filters, parted: those on a metric's own time (and the stretches that they leave), and the rest."""

    on_time: tuple[Filter, ...]
    stretches: Stretches
    rest: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Spine:
    """Every period that is shown, with rows or without: by which dimension, how long, and within which stretches."""

    at: int
    grain: Grain
    stretches: Stretches


def bounds(names: Names, ask: Ask, root: str, time: JoinPath) -> Bounds:
    """Part the asker's filters as seen by a metric with this time. Raises NeedsTime where one condition mixes both."""
    asker = zone(ask)
    on_time: list[Filter] = []
    rest: list[Filter] = []
    left = ALWAYS
    for one in _flat(ask.where):
        found = [_is_time(names, root, time, leaf) for leaf in leaves(one)]
        if found and all(found) and not metrics_in(one):
            on_time.append(one)
            left = intersection(left, _stretches(one, time, asker))
        elif any(found):
            raise NeedsTime(
                "a condition mixes time with something else, and a metric that runs over time reads earlier rows too",
                remedy="write what is asked of time as a filter of its own",
            )
        else:
            rest.append(one)
    return Bounds(tuple(on_time), left, tuple(rest))


def check_length(spine: Spine, calendar: Calendar, now: datetime) -> None:
    """Raise BadAsk where more periods would be drawn than an answer may have rows: until now, where no end is said."""
    first, end = _outer(spine.stretches)
    if first is None:
        return
    last = now.replace(tzinfo=None) if end is None else end
    hours = {"hour": 1, "day": 24, "week": 168, "month": 720, "quarter": 2160, "year": 8640}[spine.grain]
    count = (last - calendar.truncated(first, spine.grain)).total_seconds() / 3600 / hours
    if count > PERIODS_MAX:
        raise errors.BadAsk(
            f"{count:,.0f} {spine.grain}s are asked for, and an answer shows at most {PERIODS_MAX:,}",
            remedy="narrow the filters on time, or ask by longer periods",
            path="$.where",
        )


def is_whole(left: Stretches, grain: Grain, calendar: Calendar) -> bool:
    """Return whether all bounds lie between periods, so that none is cut."""
    return all(end is None or calendar.truncated(end, grain) == end for one in left for end in one)


def period_bounds(spine: Spine, calendar: Calendar) -> tuple[date | None, date | None]:
    """Return the first day (or hour) of the first and of the last period asked for; None where the data says it."""
    first, last = _outer(spine.stretches)
    return _beginning(first, spine.grain, calendar), _beginning(last and last - INSTANT, spine.grain, calendar)


def _beginning(moment: datetime | None, grain: Grain, calendar: Calendar) -> date | None:
    if moment is None:
        return None
    start = calendar.truncated(moment, grain)
    return start if grain == "hour" else start.date()


def until(spine: Spine, add: Callable[[datetime], str]) -> str:
    """Return SQL of the moment up to which a period `t` counts, itself not in it; not after `t` where it is not shown.

    `add` writes a moment into the statement.
    """
    whole = f"(cast(t as timestamp) + {interval(1, spine.grain)})"
    if spine.stretches == ALWAYS:
        return whole
    cases: list[str] = []
    for start, end in reversed(spine.stretches):
        value = whole if end is None else f"least({whole}, {add(end)})"
        if start is None:
            return f"case {' '.join(cases)} else {value} end" if cases else value
        cases.append(f"when {whole} > {add(start)} then {value}")
    return f"case {' '.join(cases)} else cast(t as timestamp) end" if cases else "cast(t as timestamp)"


def _outer(left: Stretches) -> Stretch:
    return (left[0][0], left[-1][1]) if left else (None, None)


def _stretches(one: Filter, time: JoinPath, asker: ZoneInfo) -> Stretches:
    match one:
        case Where():
            return stretches(one.op, read_values(time.field, one, asker), asker)
        case Has():  # no condition on time
            return ALWAYS
        case Not(of=inner):
            return complement(_stretches(inner, time, asker))
        case AnyOf(parts=parts):
            return union([stretch for part in parts for stretch in _stretches(part, time, asker)])
        case AllOf(parts=parts):
            left = ALWAYS
            for part in parts:
                left = intersection(left, _stretches(part, time, asker))
            return left


def _is_time(names: Names, root: str, time: JoinPath, leaf: Where) -> bool:
    return leaf.field == "time" or names.of(root, leaf.field, "a filter").place == time.place


def _flat(filters: Iterable[Filter]) -> Iterable[Filter]:
    for one in filters:
        if isinstance(one, AllOf):
            yield from _flat(one.parts)
        else:
            yield one
