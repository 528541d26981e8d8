"""What new combinations of what exists earned, beside what is truly new: which kind of innovation a company does.

A combination is how a front end sells: kind of order, channel, way of delivery, as packs name these fields. It is new
where a front end that had sold before began with it later. A front end that began later is a new line; what sells
beside the platform is a venture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, Literal, get_args

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.units import units_of
from isthmus.data.model.ask import Ask
from isthmus.data.privacy.policy import Policy
from isthmus.kernel import Value

from .asked import ASKER, QUARTER_WEEKS, WEEK
from .lines import Line, day_of

Novelty = Literal["as before", "combination", "new line", "venture"]
YEAR_WEEKS: Final = 52


class Earned(Value):
    """What one way of selling earned in the last quarter and the last year, and since when; in whole units."""

    novelty: Novelty
    code: str
    parts: tuple[str, ...]
    since: date
    quarter: float
    year: float
    receipt: str


class Innovation(Value):
    """What each kind of innovation earned: each way of selling, the largest first, and their sums."""

    metric: str
    fields: tuple[str, ...]
    earned: tuple[Earned, ...]
    year: dict[Novelty, float]


def innovation(
    asked_of: Metrics, policy: Policy, metric: str, fields: Sequence[str], lines: Sequence[Line]
) -> Innovation | None:
    """Return what new combinations, new lines and ventures earned. None where nothing was sold in a whole week."""
    group = next((one for one in lines if one.metric == metric and not one.code), None)
    if group is None:
        return None
    answer = asked_of.ask(Ask(metrics=(metric,), by=("front_end", *fields, "time:week")), policy, asker=ASKER)
    scale = 10 ** units_of(asked_of, answer, policy)[metric][1]
    end = group.first + len(group.values) * WEEK
    weeks: dict[tuple[str, ...], dict[date, float]] = {}
    for row in answer.rows:
        key = tuple("" if row[name] is None else str(row[name]) for name in ("front_end", *fields))
        if row["time:week"] is not None and row[metric]:
            weeks.setdefault(key, {})[day_of(row["time:week"])] = float(row[metric]) / scale
    begun = _begun(weeks)
    known = min(begun.values(), default=end) + QUARTER_WEEKS * WEEK
    found = [
        Earned(
            novelty=_novelty(min(sold), begun[code], known),
            code=code,
            parts=tuple(parts),
            since=min(sold),
            quarter=_since(sold, end - QUARTER_WEEKS * WEEK, end),
            year=_since(sold, end - YEAR_WEEKS * WEEK, end),
            receipt=answer.receipt.id,
        )
        for (code, *parts), sold in weeks.items()
    ]
    found += [
        Earned(
            novelty="venture", code=one.code, parts=(one.metric,), since=one.first, receipt=one.receipt,
            quarter=one.late(), year=one.late(YEAR_WEEKS),
        )
        for one in lines
        if one.is_venture and one.code
    ]  # fmt: skip
    found.sort(key=lambda one: -one.year)
    year = {kind: sum(one.year for one in found if one.novelty == kind) for kind in get_args(Novelty)}
    return Innovation(metric=metric, fields=tuple(fields), earned=tuple(found), year=year)


def _begun(weeks: Mapping[tuple[str, ...], Mapping[date, float]]) -> dict[str, date]:
    """Return the first week of each front end."""
    begun = dict[str, date]()
    for (code, *_), sold in weeks.items():
        begun[code] = min(begun.get(code, date.max), *sold)
    return begun


def _novelty(since: date, begun: date, known: date) -> Novelty:
    """Say what is new: what began within the first quarter that is seen was there before, as far as can be told."""
    if begun >= known:
        return "new line" if since < begun + QUARTER_WEEKS * WEEK else "combination"
    return "combination" if since >= known else "as before"


def _since(sold: Mapping[date, float], begin: date, end: date) -> float:
    return sum(value for week, value in sold.items() if begin <= week < end)
