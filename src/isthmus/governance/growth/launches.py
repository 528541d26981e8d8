"""How long something new takes to earn: from the day that a line was begun to its first sale, measured where it was."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from isthmus.data.answers.metrics import Metrics
from isthmus.data.model.ask import Ask
from isthmus.data.privacy.policy import Policy
from isthmus.kernel import Value
from isthmus.markings import Where

from .asked import ASKER, WEEK
from .lines import LEAD_DAYS, Line, day_of

COUNTS_FROM: Final = 0.01  # of the group's week: from then on a line counts


class Budget(Value):
    """What may be spent, and what is, in whole units of a currency."""

    currency: str
    granted: float
    spent: float


class Begun(Value):
    """When a line was begun: the day of its first deploy; and how many people have deployed it within a year.

    budget: what it may spend, where that was decided, as a venture's charter does.
    """

    on: date
    people: int = 0
    budget: Budget | None = None


class Launch(Value):
    """How long one line took: days to its first sale, and to a week that is a hundredth of the group's."""

    code: str
    begun: date
    first: date
    days: int
    days_to_count: int | None
    receipt: str


class Lead(Value):
    """How long something new takes to its first revenue: the median of what was measured, or what is assumed."""

    days: int
    launches: tuple[Launch, ...] = ()

    @property
    def is_measured(self) -> bool:
        """Return whether any line was seen to begin."""
        return bool(self.launches)


def lead(
    asked_of: Metrics, policy: Policy, names: Sequence[str], begun: Mapping[str, date], assumed: int = LEAD_DAYS
) -> Lead:
    """Return how long something new takes to its first revenue.

    names: metrics that a line is seen to earn by. begun: when each line was begun. A line that had sold before it was
    begun here came from elsewhere, and says nothing of it. Without any the number is the one that is assumed.
    """
    tried = [(name, code, day) for code, day in sorted(begun.items()) for name in names]
    found = [one for name, code, day in tried if (one := _launch(asked_of, policy, name, code, day))]
    return Lead(days=round(statistics.median(one.days for one in found)) if found else assumed, launches=tuple(found))


def _launch(asked_of: Metrics, policy: Policy, metric: str, code: str, begun: date) -> Launch | None:
    own = (Where("front_end", "=", code),)
    first = Ask(metrics=(metric,), by=("time:day",), where=own, order=("time:day",), limit=1)
    answer = asked_of.ask(first, policy, asker=ASKER)
    days = [day_of(row["time:day"]) for row in answer.rows if row["time:day"] is not None]
    if not days or days[0] < begun:
        return None
    return Launch(
        code=code, begun=begun, first=days[0], days=(days[0] - begun).days, days_to_count=None,
        receipt=answer.receipt.id,
    )  # fmt: skip


def counted(found: Lead, lines: Sequence[Line], metric: str) -> Lead:
    """Return the lead with the days that each line took to count, read from its weeks."""
    group = next((one for one in lines if one.metric == metric and not one.code and not one.is_venture), None)
    if group is None:
        return found
    by_code = {one.code: one for one in lines if one.metric == metric or one.is_venture}

    def with_days(one: Launch) -> Launch:
        values = by_code[one.code].values if one.code in by_code else ()
        since = [
            end
            for at, value in enumerate(values)
            if (end := by_code[one.code].first + (at + 1) * WEEK) > one.first
            and value >= COUNTS_FROM * _at(group, by_code[one.code], at)
        ]
        return one.replace(days_to_count=(since[0] - one.begun).days) if since else one

    return found.replace(launches=tuple(with_days(one) for one in found.launches))


def _at(group: Line, line: Line, at: int) -> float:
    """Return the group's number in the week that a line's is of; more than any where it has none."""
    place = at + (line.first - group.first) // WEEK
    return max(group.values[place], 1e-9) if 0 <= place < len(group.values) else float("inf")
