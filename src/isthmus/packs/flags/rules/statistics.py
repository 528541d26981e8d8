"""Statistics of experiments: a fixed horizon, two-sided, 95 %.

Shares are compared by two proportions (z-test, pooled; the interval unpooled), amounts by Welch's t-test, and the split
itself by chi-square (sample ratio mismatch). Several variants against one control are judged at 5 % by Holm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, cast

from isthmus.kernel import errors

LEVEL: Final = 0.05
SPLIT_WRONG_BELOW: Final = 0.001  # as is usual: one right experiment in a thousand is doubted
_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one variant: how many met it, how many came to the goal, and sums of what each came to."""

    exposed: int
    reached: int
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.exposed if self.exposed else 0.0

    @property
    def variance(self) -> float:
        if self.exposed < 2:
            return 0.0
        return max(0.0, (self.squares - self.exposed * self.mean**2) / (self.exposed - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A difference from the control, with its interval and p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def proportions(control: Seen, other: Seen) -> Compared:
    """Compare shares of subjects that came to the goal."""
    n, m = control.exposed, other.exposed
    a, b = control.reached / n, other.reached / m
    both = (control.reached + other.reached) / (n + m)
    spread = math.sqrt(both * (1 - both) * (1 / n + 1 / m))
    own = math.sqrt(a * (1 - a) / n + b * (1 - b) / m)
    p = 2 * (1 - _NORMAL.cdf(abs(b - a) / spread)) if spread else 1.0
    reach = _NORMAL.inv_cdf(1 - LEVEL / 2) * own
    return Compared(difference=b - a, low=b - a - reach, high=b - a + reach, p_value=p)


def means(control: Seen, other: Seen) -> Compared:
    """Compare what each came to, by Welch's t-test. Raises Unavailable without scipy."""
    stats = _stats()
    a, b = control.variance / control.exposed, other.variance / other.exposed
    difference = other.mean - control.mean
    if not a + b:
        return Compared(difference=difference, low=difference, high=difference, p_value=1.0 if not difference else 0.0)
    freedom = (a + b) ** 2 / (a**2 / (control.exposed - 1) + b**2 / (other.exposed - 1))
    spread = math.sqrt(a + b)
    p = float(2 * stats.t.sf(abs(difference) / spread, freedom))
    reach = float(stats.t.isf(LEVEL / 2, freedom)) * spread
    return Compared(difference=difference, low=difference - reach, high=difference + reach, p_value=p)


def split_p_value(seen: Mapping[str, int], shares: Mapping[str, int]) -> float | None:
    """Return how likely numbers as far from the shares as these are. Raises Unavailable without scipy."""
    total, weights = sum(seen.values()), sum(shares.values())
    pairs = [(seen.get(name, 0), total * share / weights) for name, share in shares.items() if share]
    if not total or len(pairs) < 2:
        return None
    found = sum((count - expected) ** 2 / expected for count, expected in pairs)
    return float(_stats().chi2.sf(found, len(pairs) - 1))


def significant(p_values: Sequence[float]) -> list[bool]:
    """Return which of several comparisons hold at 5 % together (Holm)."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    found = [False] * len(p_values)
    for rank, at in enumerate(order):
        if p_values[at] > LEVEL / (len(p_values) - rank):
            break
        found[at] = True
    return found


def _stats() -> Any:
    try:
        from scipy import stats
    except ImportError:
        remedy = 'install what computes it: pip install "isthmus[data]"'
        raise errors.Unavailable("results of experiments need scipy, which is not installed", remedy=remedy) from None
    return cast("Any", stats)
