"""The lines of a business on their curves: what packs say grows, asked of the data platform for each front end."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np

from isthmus.data.answers.metrics import Answer, Metrics
from isthmus.data.answers.units import units_of
from isthmus.data.model.ask import Ask
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import Policy
from isthmus.kernel import Value
from isthmus.manifest import Growing, brought
from isthmus.markings import Where

from .reading import Growth, Stage, read

GROUP: Final = ""  # the line of all front ends together
WEEK: Final = timedelta(days=7)
QUARTER_WEEKS: Final = 13
LEAD_DAYS: Final = 180  # what a new venture takes to its first revenue, where nobody says better
HORIZONS: Final[dict[str, tuple[Stage, ...]]] = {
    "core": (Stage.SATURATING, Stage.SATURATED, Stage.FLAT),
    "emerging": (Stage.GROWING,),
    "new": (Stage.YOUNG, Stage.EMPTY, Stage.BROKEN),
    "declining": (Stage.SHRINKING, Stage.ENDED),
}


class Line(Value):
    """One metric of one line: its weeks, how it grows, and the receipt of the numbers.

    code: of the front end; nothing for all together. unit and decimals: of the values, which are whole units. share: of
    the group's total over the last quarter. is_due: it flattens before something begun today could take over. hidden:
    weeks whose number is hidden, since few people stand behind it; they are drawn between their neighbours.
    """

    code: str
    metric: str
    unit: str
    first: date
    values: tuple[float, ...]
    growth: Growth
    horizon: str
    receipt: str
    share: float | None = None
    is_due: bool = False
    hidden: int = 0


class Step(Value):
    """What one factor adds to the change of a metric, in its unit and as a share of the whole change."""

    name: str
    adds: float
    share: float


class Drivers(Value):
    """Why the last quarter is not the one before: a product of factors, the change divided between them exactly."""

    metric: str
    before: float
    after: float
    steps: tuple[Step, ...]


def growing(data: DataPlatform) -> list[tuple[str, bool]]:
    """Return the metrics that packs say growth is read from, and whether each adds up to a total, as members do."""
    known = data.model.metrics
    said = brought(data.packs, Growing)
    flows = [(name, False) for one in said for name in one.metrics]
    return [(name, total) for name, total in flows + [(n, True) for one in said for n in one.totals] if name in known]


def lines(
    asked_of: Metrics,
    policy: Policy,
    metrics: Sequence[tuple[str, bool]],
    *,
    by: str = "front_end",
    lead_days: int = LEAD_DAYS,
    today: date | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> list[Line]:
    """Return each metric of each line on its curve, the group's first.

    metrics: names, each with whether it adds up. by: what a line is, as `front_end` or a field. lead_days: how long a
    new line takes to its first revenue. today: what is_due is judged on; the end of what has landed without. step: is
    told which line is read.
    Raises the errors of the data platform.
    """
    found = list[Line]()
    for name, is_total in metrics:
        asked = asked_of.ask(Ask(metrics=(name,), by=("time:week",), is_filled=True), policy, asker="growth")
        weeks = _weeks(asked, "time:week")
        if not weeks:
            continue
        parts = asked_of.ask(Ask(metrics=(name,), by=(by, "time:week")), policy, asker="growth")
        codes = sorted({str(row[by]) for row in parts.rows if row[by] is not None})
        unit, places = units_of(asked_of, asked, policy)[name]
        scale = 10**places
        whole = _values(asked, name, weeks, scale, lambda row: True)
        for code in (GROUP, *codes):
            step(f"{name} {code}")
            answer, mine = (
                (asked, whole) if code == GROUP else (parts, _values(parts, name, weeks, scale, _is(by, code)))
            )
            found.append(_line(code, name, unit, weeks, mine, whole, answer, is_total, lead_days, today))
    return found


def _is(by: str, code: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: str(row[by]) == code


def _weeks(answer: Answer, column: str) -> list[date]:
    """Return the whole weeks that are seen: the first and the last may be cut."""
    seen = sorted({_day(row[column]) for row in answer.rows if row[column] is not None})[1:-1]
    return [seen[0] + at * WEEK for at in range((seen[-1] - seen[0]) // WEEK + 1)] if seen else []


def _day(moment: date | datetime | str) -> date:
    if isinstance(moment, str):
        return date.fromisoformat(moment[:10])
    return moment.date() if isinstance(moment, datetime) else moment


def _values(
    answer: Answer, name: str, weeks: Sequence[date], scale: int, mine: Callable[[dict[str, Any]], bool]
) -> list[float | None]:
    rows = {_day(row["time:week"]): row[name] for row in answer.rows if row["time:week"] is not None and mine(row)}
    return [None if (number := rows.get(week, 0)) is None else float(number) / scale for week in weeks]


def _line(
    code: str,
    name: str,
    unit: str,
    weeks: Sequence[date],
    mine: Sequence[float | None],
    whole: Sequence[float | None],
    answer: Answer,
    is_total: bool,
    lead_days: int,
    today: date | None,
) -> Line:
    values = _between(mine)
    levels = list(np.cumsum(values)) if is_total else values
    seed = int.from_bytes(hashlib.sha256(f"{code} {name}".encode()).digest()[:4])
    growth = read(levels, weeks[0], is_total=is_total, seed=seed)
    late, all_late = sum(values[-QUARTER_WEEKS:]), sum(_between(whole)[-QUARTER_WEEKS:])
    now = today or weeks[-1] + WEEK
    flat = growth.flattens.low if growth.flattens else None
    is_over = growth.stage in (Stage.SATURATED, Stage.FLAT, Stage.SHRINKING, Stage.ENDED)
    return Line(
        code=code, metric=name, unit=unit, first=weeks[0], values=tuple(map(float, levels)), growth=growth,
        horizon=next(horizon for horizon, stages in HORIZONS.items() if growth.stage in stages),
        receipt=answer.receipt.id, share=late / all_late if all_late > 0 and code else None,
        is_due=is_over or (flat is not None and flat <= now + timedelta(days=lead_days)),
        hidden=sum(one is None for one in mine),
    )  # fmt: skip


def _between(values: Sequence[float | None]) -> list[float]:
    """Return the values, each that is hidden between its neighbours."""
    known = [at for at, one in enumerate(values) if one is not None]
    if not known:
        return [0.0 for _ in values]
    return list(map(float, np.interp(range(len(values)), known, [values[at] or 0.0 for at in known])))


def drivers(asked_of: Metrics, policy: Policy, chain: Sequence[str], until: date, code: str = GROUP) -> Drivers | None:
    """Return what the last metric of a chain changed by between two quarters, divided between the factors.

    chain: people, what they did, what it came to: sales are buyers × orders a buyer × sales an order. until: the day
    after the later quarter. The change is divided by logarithmic means (Ang 2004, LMDI-I): the parts add up to it
    exactly and do not depend on the order of the factors. None where one of the numbers is zero or hidden.
    """
    span = QUARTER_WEEKS * WEEK
    later, sooner = (_numbers(asked_of, policy, chain, day - span, day, code) for day in (until, until - span))
    if not all((*later, *sooner)):
        return None
    mean = _log_mean(later[-1], sooner[-1])
    change = later[-1] - sooner[-1]
    steps = [
        Step(name=name, adds=(adds := mean * math.log(now / then)), share=adds / change if change else 0.0)
        for name, now, then in zip(_factors(chain), _ratios(later), _ratios(sooner), strict=True)
    ]
    return Drivers(metric=chain[-1], before=sooner[-1], after=later[-1], steps=tuple(steps))


def _numbers(
    asked_of: Metrics, policy: Policy, chain: Sequence[str], begin: date, end: date, code: str
) -> tuple[float, ...]:
    where = [Where("time", ">=", begin.isoformat()), Where("time", "<", end.isoformat())]
    if code:
        where.append(Where("front_end", "=", code))
    answer = asked_of.ask(Ask(metrics=tuple(chain), where=tuple(where)), policy, asker="growth")
    units = units_of(asked_of, answer, policy)
    row = answer.rows[0] if answer.rows else {}
    return tuple(float(row.get(name) or 0) / 10 ** units[name][1] for name in chain)


def _factors(chain: Sequence[str]) -> Iterator[str]:
    yield chain[0]
    yield from (f"{later} / {sooner}" for sooner, later in itertools.pairwise(chain))


def _ratios(numbers: Sequence[float]) -> Iterator[float]:
    yield numbers[0]
    yield from (later / sooner for sooner, later in itertools.pairwise(numbers))


def _log_mean(one: float, other: float) -> float:
    return one if one == other else (one - other) / math.log(one / other)
