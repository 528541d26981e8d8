"""What this process has seen of its calls since it last reported: how many, how long, what was refused."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from isthmus.kernel import Outcome

RECENT_MAX = 200  # refused calls that are remembered: enough to look at, too few to be an archive

# Upper bounds in microseconds, each about twice the one before: a percentile read off them is right to a factor of two.
BOUNDS_US = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)


@dataclass(slots=True)
class CallCount:
    """The calls of one front end to one capability."""

    calls: int = 0
    took_us: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])
    by_bound: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_US) + 1))

    def add(self, other: CallCount) -> None:
        self.calls += other.calls
        self.took_us += other.took_us
        self.errors.update(other.errors)
        self.by_bound = [one + more for one, more in zip(self.by_bound, other.by_bound, strict=True)]

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


class Counters:
    """Counts outcomes; pass `see` as the platform's observer. Calls of `unseen` clients are not traffic."""

    def __init__(
        self, *, unseen: Collection[str] = (), clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._tallies: dict[tuple[str, str], CallCount] = {}
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
            tally = self._tallies[front_end, outcome.capability] = CallCount()
        took_us = outcome.took_ns // 1_000
        tally.calls += 1
        tally.took_us += took_us
        tally.by_bound[bisect_left(BOUNDS_US, took_us)] += 1
        if outcome.error:
            tally.errors[outcome.error] += 1
            self._refused.append(Refused(self._clock(), front_end, outcome))

    def take(self) -> tuple[dict[tuple[str, str], CallCount], list[Refused]]:
        """Return what was counted by (front end, capability), and the latest refusals, and begin anew."""
        counted, refused = self._tallies, list(self._refused)
        self._tallies = {}
        self._refused.clear()
        return counted, refused

    def put_back(self, counted: Mapping[tuple[str, str], CallCount], refused: Iterable[Refused]) -> None:
        """Count again what was taken and could not be kept."""
        for key, tally in counted.items():
            self._tallies.setdefault(key, CallCount()).add(tally)
        self._refused.extendleft(refused)
