"""What this process has seen of its calls: how many, how long, what was refused; by front end and capability."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from isthmus.kernel.call import Outcome

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


class Figures:
    """Counts outcomes; pass `see` as the platform's observer."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}

    def see(self, outcome: Outcome) -> None:
        """Count one call."""
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

    def of(self, *, front_end: str | None = None, capability: str | None = None) -> Iterator[tuple[str, str, Tally]]:
        """Go through (front end, capability, tally) of those named, or all, in order of name."""
        for (seen_by, name), tally in sorted(self._tallies.items()):
            if front_end in (None, seen_by) and capability in (None, name):
                yield seen_by, name, tally
