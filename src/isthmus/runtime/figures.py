"""What this process has seen of its calls: how many, how long, what was refused; by front end and capability."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from isthmus.kernel.call import Outcome

RECENT_MAX = 200  # refused calls that are remembered: enough to look at, too few to be an archive

# Upper bounds in microseconds, each about twice the one before: a percentile read off them is right to a factor of two.
BOUNDS_US = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)


@dataclass(slots=True)
class Tally:
    """The calls of one front end to one capability."""

    calls: int = 0
    took_us: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])
    by_bound: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_US) + 1))

    def percentile_us(self, share: float) -> int:
        """Return the bound below which this share of the calls ended."""
        wanted, seen = share * self.calls, 0
        for bound, count in zip((*BOUNDS_US, BOUNDS_US[-1]), self.by_bound, strict=True):
            seen += count
            if seen >= wanted:
                return bound
        return BOUNDS_US[-1]


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that was refused or failed, and when that was seen."""

    at: datetime
    front_end: str
    outcome: Outcome


class Figures:
    """Counts outcomes; pass `see` as the platform's observer. Calls of `unseen` clients are not traffic."""

    def __init__(
        self, *, unseen: Collection[str] = (), clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._refused: deque[Refused] = deque(maxlen=RECENT_MAX)
        self._unseen = frozenset(unseen)
        self._clock = clock

    def see(self, outcome: Outcome) -> None:
        """Count one call."""
        if outcome.client in self._unseen:
            return
        front_end = outcome.box.partition("?")[0].partition(".")[0]
        tally = self._tallies.get((front_end, outcome.capability))
        if tally is None:
            tally = self._tallies[front_end, outcome.capability] = Tally()
        took_us = outcome.took_ns // 1_000
        tally.calls += 1
        tally.took_us += took_us
        tally.by_bound[bisect_left(BOUNDS_US, took_us)] += 1
        if outcome.error:
            tally.errors[outcome.error] += 1
            self._refused.append(Refused(self._clock(), front_end, outcome))

    def of(self, *, front_end: str | None = None, capability: str | None = None) -> Iterator[tuple[str, str, Tally]]:
        """Go through (front end, capability, tally) of those named, or all, in order of name."""
        for (seen_by, name), tally in sorted(self._tallies.items()):
            if front_end in (None, seen_by) and capability in (None, name):
                yield seen_by, name, tally

    def refused(self, *, front_end: str | None = None, capability: str | None = None) -> Iterator[Refused]:
        """Go through the refused calls of those named, or all, the latest first."""
        for one in reversed(self._refused):
            if front_end in (None, one.front_end) and capability in (None, one.outcome.capability):
                yield one
