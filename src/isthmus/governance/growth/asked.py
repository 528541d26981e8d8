"""Numbers of a stretch of time, by line, as the data platform answers them: whole units, each with its receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.units import units_of
from isthmus.data.model.ask import Ask
from isthmus.data.privacy.policy import Policy
from isthmus.markings import Filter, Where

GROUP: Final = ""  # the line of all front ends together
WEEK: Final = timedelta(days=7)
QUARTER_WEEKS: Final = 13
QUARTER: Final = QUARTER_WEEKS * WEEK
ASKER: Final = "growth"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Metrics of each line in a stretch of time, in the order that they were asked in; receipt is of the answer."""

    by_line: dict[str, tuple[float, ...]]
    receipt: str
    width: int

    def of(self, code: str) -> tuple[float, ...]:
        """Return a line's numbers; zeros where it has no rows."""
        return self.by_line.get(code, (0.0,) * self.width)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks: the metrics, in the name of whom, by which field lines are told apart (none: all together)."""

    metrics: Metrics
    policy: Policy
    by: str = "front_end"

    def numbers(
        self, names: Sequence[str], begin: date, end: date, *filters: Filter, as_of: date | None = None
    ) -> Numbers:
        """Return metrics of each line from a day on, up to another that is not in it.

        as_of: where periods of the filters end; that other day where nobody says.
        """
        between = (Where("time", ">=", begin.isoformat()), Where("time", "<", end.isoformat()))
        wanted = tuple(dict.fromkeys(names))
        ask = Ask(
            metrics=wanted,
            by=(self.by,) if self.by else (),
            where=(*between, *filters),
            as_of=datetime.combine(as_of or end, time(), UTC),
        )
        answer = self.metrics.ask(ask, self.policy, asker=ASKER)
        units = units_of(self.metrics, answer, self.policy)
        scales = [10 ** units[name][1] for name in names]
        found = {
            str(row[self.by]) if self.by else GROUP: tuple(
                float(row[name] or 0) / scale for name, scale in zip(names, scales, strict=True)
            )
            for row in answer.rows
        }
        return Numbers(found, answer.receipt.id, len(names))
