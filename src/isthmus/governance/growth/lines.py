"""The lines of a business on their curves: what packs say grows, asked of the data platform for each front end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np

from isthmus.data.answers.metrics import Answer, Metrics
from isthmus.data.answers.units import units_of
from isthmus.data.model.ask import Ask
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import Policy
from isthmus.kernel import Value
from isthmus.language import mark
from isthmus.manifest import Growing, brought
from isthmus.markings import Filter, Where

from .asked import ASKER, GROUP, QUARTER_WEEKS, WEEK
from .reading import Growth, Stage, read

OTHERS: Final = "*"  # the line of all that are not among the largest
MOST: Final = 12  # lines of a kind that has many: as many as somebody looks through
AHEAD_WEEKS: Final = 104  # two years: what begins in a year has a year to show then
ROUNDING: Final = 1e-9
LEAD_DAYS: Final = 180  # what a new venture takes to its first revenue, where nobody says better
HORIZONS: Final[dict[str, tuple[Stage, ...]]] = {
    "core": (Stage.SATURATING, Stage.SATURATED, Stage.FLAT),
    "emerging": (Stage.GROWING,),
    "new": (Stage.YOUNG, Stage.EMPTY, Stage.BROKEN),
    "declining": (Stage.SHRINKING, Stage.ENDED),
}


class Line(Value):
    """One metric of one line: its weeks, how it grows, and the receipt of the numbers.

    cut: what kind of line it is, as `front_end` or `category`. code: which one; nothing for all together, OTHERS for
    those beyond the largest. label: what people call it, where that is not its code. unit and decimals: of the values,
    which are whole units. share: of the group's total over the last quarter. begin_by: the day by which something new
    must have begun to earn before this one flattens. is_due: that day is over, or the line does not grow any more.
    hidden: weeks whose number is hidden, since few people stand behind it; they are drawn between their neighbours.
    is_venture: it sells beside the platform.
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
    cut: str = "front_end"
    label: str = ""
    begin_by: date | None = None
    is_venture: bool = False

    @property
    def name(self) -> str:
        """Return what people call it."""
        return self.label or self.code

    def late(self, weeks: int = QUARTER_WEEKS, before: int = 0) -> float:
        """Return what its last weeks come to, or as many weeks that end so many before; nothing where it adds up."""
        end = len(self.values) - before
        return sum(self.values[max(end - weeks, 0) : max(end, 0)])


class Kind(Value):
    """What lines are read: of which metric, told apart by which field, known by which label; the largest `most`."""

    metric: str
    is_total: bool = False
    cut: str = "front_end"
    by: str = "front_end"
    label: str = ""
    most: int = 0
    has_group: bool = True
    is_venture: bool = False


def growing(data: DataPlatform) -> list[Kind]:
    """Return what lines packs say growth is read of: front ends first, then what else lines are."""
    said = brought(data.packs, Growing)
    found = [Kind(metric=name, is_venture=one.is_venture) for one in said for name in one.metrics]
    found += [Kind(metric=name, is_total=True) for one in said for name in one.totals]
    found += [
        Kind(metric=part.metric, cut=part.name, by=part.by, label=part.label, most=MOST, has_group=False)
        for one in said
        for part in one.lines
    ]
    return [one for one in found if one.metric in data.model.metrics]


def lines(
    asked_of: Metrics,
    policy: Policy,
    kinds: Sequence[Kind],
    *,
    lead_days: int = LEAD_DAYS,
    today: date | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> list[Line]:
    """Return each metric of each line on its curve, the group's first.

    lead_days: how long a new line takes to its first revenue. today: what is_due is judged on; the end of what has
    landed without. step: is told which line is read.
    Raises the errors of the data platform.
    """
    found = list[Line]()
    for kind in kinds:
        asked = asked_of.ask(Ask(metrics=(kind.metric,), by=("time:week",), is_filled=True), policy, asker=ASKER)
        weeks = _weeks(asked, "time:week")
        if not weeks:
            continue
        when = _When(weeks, today or weeks[-1] + WEEK, lead_days)
        unit, places = units_of(asked_of, asked, policy)[kind.metric]
        whole = _values(asked, kind.metric, weeks, 10**places, lambda row: True)
        parts, labels = _parts(asked_of, policy, kind, weeks)
        if kind.has_group:
            step(kind.metric)
            found.append(_line(kind, GROUP, unit, whole, whole, asked, when))
        values = {
            code: _values(parts, kind.metric, weeks, 10**places, _is(kind.by, code))
            for code in sorted({str(row[kind.by]) for row in parts.rows if row[kind.by] is not None})
        }
        if kind.most:
            values = _largest(values, whole, kind.most)
        for code, mine in values.items():
            step(f"{kind.metric} {code}")
            one = _line(kind, code, unit, mine, whole, parts, when)
            if one.growth.stage is Stage.EMPTY:  # it has rows, or it would not be here
                one = one.replace(growth=one.growth.replace(reason=mark("it began in a week that is not over yet")))
            found.append(one.replace(label=labels.get(code, "")))
    return found


def _parts(asked_of: Metrics, policy: Policy, kind: Kind, weeks: Sequence[date]) -> tuple[Answer, dict[str, str]]:
    """Return the weeks of each line, and what lines are called: of a field of many values, of the largest ones only."""
    name, by = kind.metric, kind.by
    where: tuple[Filter, ...] = ()
    labels = dict[str, str]()
    if kind.most and ":" not in by:
        fields = (by, kind.label) if kind.label else (by,)
        since = Where("time", ">=", (weeks[-1] - (QUARTER_WEEKS - 1) * WEEK).isoformat())
        top = Ask(metrics=(name,), by=fields, where=(since,), order=(f"-{name}",), limit=kind.most)
        rows = asked_of.ask(top, policy, asker=ASKER).rows
        labels = {str(row[by]): str(row[kind.label] or "") for row in rows} if kind.label else {}
        where = (Where(by, "in", tuple(str(row[by]) for row in rows if row[by] is not None)),)
    return asked_of.ask(Ask(metrics=(name,), by=(by, "time:week"), where=where), policy, asker=ASKER), labels


def _largest(
    values: dict[str, list[float | None]], whole: Sequence[float | None], most: int
) -> dict[str, list[float | None]]:
    """Return the largest lines by what they came to in the last quarter, and what all others came to."""
    sizes = {code: sum(one or 0.0 for one in mine[-QUARTER_WEEKS:]) for code, mine in values.items()}
    kept = {code: values[code] for code in sorted(sizes, key=lambda code: -sizes[code])[:most]}
    rest = [max((total or 0.0) - sum(mine[at] or 0.0 for mine in kept.values()), 0.0) for at, total in enumerate(whole)]
    largest = max(whole[at] or 0.0 for at in range(len(whole)))
    return {**kept, OTHERS: [*rest]} if max(rest) > ROUNDING * largest else kept


def _is(by: str, code: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: str(row[by]) == code


def _weeks(answer: Answer, column: str) -> list[date]:
    """Return the whole weeks that are seen: the first and the last may be cut."""
    seen = sorted({day_of(row[column]) for row in answer.rows if row[column] is not None})[1:-1]
    return [seen[0] + at * WEEK for at in range((seen[-1] - seen[0]) // WEEK + 1)] if seen else []


def day_of(moment: date | datetime | str) -> date:
    """Return the day of a moment, as answers write it."""
    if isinstance(moment, str):
        return date.fromisoformat(moment[:10])
    return moment.date() if isinstance(moment, datetime) else moment


def _values(
    answer: Answer, name: str, weeks: Sequence[date], scale: int, mine: Callable[[dict[str, Any]], bool]
) -> list[float | None]:
    rows = {day_of(row["time:week"]): row[name] for row in answer.rows if row["time:week"] is not None and mine(row)}
    return [None if (number := rows.get(week, 0)) is None else float(number) / scale for week in weeks]


@dataclass(frozen=True, slots=True)
class _When:
    """Which weeks are seen, what day it is, and how long something new takes."""

    weeks: Sequence[date]
    today: date
    lead_days: int


def _line(
    kind: Kind,
    code: str,
    unit: str,
    mine: Sequence[float | None],
    whole: Sequence[float | None],
    answer: Answer,
    when: _When,
) -> Line:
    values = _between(mine)
    levels = list(np.cumsum(values)) if kind.is_total else values
    seed = int.from_bytes(hashlib.sha256(f"{code} {kind.metric}".encode()).digest()[:4])
    growth = read(levels, when.weeks[0], is_total=kind.is_total, seed=seed, ahead=AHEAD_WEEKS)
    late, all_late = sum(values[-QUARTER_WEEKS:]), sum(_between(whole)[-QUARTER_WEEKS:])
    flat = growth.flattens.low if growth.flattens else None
    begin_by = flat - timedelta(days=when.lead_days) if flat else None
    is_over = growth.stage in (Stage.SATURATED, Stage.FLAT, Stage.SHRINKING, Stage.ENDED)
    return Line(
        code=code, metric=kind.metric, unit=unit, first=when.weeks[0], values=tuple(map(float, levels)), growth=growth,
        horizon=next(horizon for horizon, stages in HORIZONS.items() if growth.stage in stages),
        receipt=answer.receipt.id, share=late / all_late if all_late > 0 and code else None,
        is_due=is_over or (begin_by is not None and begin_by <= when.today),
        hidden=sum(one is None for one in mine), cut=kind.cut, begin_by=begin_by, is_venture=kind.is_venture,
    )  # fmt: skip


def _between(values: Sequence[float | None]) -> list[float]:
    """Return the values, each that is hidden between its neighbours."""
    known = [at for at, one in enumerate(values) if one is not None]
    if not known:
        return [0.0 for _ in values]
    return list(map(float, np.interp(range(len(values)), known, [values[at] or 0.0 for at in known])))
