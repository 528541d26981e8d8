"""Fit curves of growth to a series: robustly, with the yearly rhythm taken out, compared by what they explain.

Residuals are of square roots, so that a count's noise is the same at every level (Bartlett 1936), with a loss that
grows linearly for outliers such as promotions and holidays (soft L1). Curves are compared by the corrected criterion of
Akaike (Hurvich and Tsai 1989). Uncertainty is by drawing curves by their Akaike weights, and fitting each again to
itself with blocks of its own residuals (Künsch 1989).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import numpy as np

from .curves import Curve, Numbers, safe_exp

HARMONICS: Final = 2  # of a year: its rise and fall, and a second peak
SEARCHED: Final = 3  # of the beginnings, the best
EVALUATIONS_MAX: Final = 300
AGAIN_MAX: Final = 60  # of a search that begins where the last one ended
OUTLIER: Final = 2.0  # standard deviations of noise from which on a residual counts linearly
MAD: Final = 1.4826  # of normal noise, from the median of absolute deviations
CONFIDENCE: Final = 0.99
LATE: Final = 8  # periods that the latest trend is read from
FADING: Final = 0.9  # of a trend, each period
SPREAD_FROM: Final = 24  # periods, to tell whether noise grows with the level
SPREAD_MAX: Final = 10.0
LEVELS_APART: Final = 1.5  # square roots of levels, the high of the low: with less, it is noise
NOISE_FLOOR: Final = 1e-3  # of the series' own size: even a series without noise is not exact


@dataclass(frozen=True)
class Series:
    """The level of each period, the first first; all at least zero.

    is_total: they only add up, as the people who ever bought do: noise is in what each period adds. cycle: periods of a
    year; its rhythm is taken out where two years are seen. step: the period from which on the level may be another.
    """

    values: Numbers
    is_total: bool = False
    cycle: int = 52
    step: int | None = None

    @property
    def is_seasonal(self) -> bool:
        """Return whether enough years are seen to tell their rhythm from growth."""
        return not self.is_total and self.cycle > 1 and len(self.values) >= 2 * self.cycle

    @cached_property
    def t(self) -> Numbers:
        """Return the number of each period."""
        return np.arange(len(self.values), dtype=np.float64)

    @cached_property
    def observed(self) -> Numbers:
        """Return what is compared with a curve."""
        return seen(self.values, is_total=self.is_total)

    @cached_property
    def spread(self) -> Numbers:
        """Return how noisy each period is beside the middle one: noise that grows with the level weighs less.

        It is a power of the level; the exponent is the slope of second differences over levels, both as logarithms
        (Theil and Sen), or zero where noise explains it.
        """
        n, even = len(self.observed), np.ones_like(self.observed)
        if n < SPREAD_FROM:
            return even
        around = np.pad(self.observed, 2, mode="edge")
        local = np.maximum(np.median(np.lib.stride_tricks.sliding_window_view(around, 5), axis=1), 1e-9)
        rough = np.abs(np.diff(self.observed, 2))
        known = rough > 0
        low, high = np.percentile(local, (10, 90))
        if known.sum() < SPREAD_FROM or high < LEVELS_APART * low:
            return even
        middle, least, _ = slope(np.log(rough[known]), np.log(local[1:-1][known]), CONFIDENCE)
        power = min(middle, 1.0) if least > 0 else 0.0  # 1: as large a share of every level
        return np.clip((local / np.median(local)) ** power, 1 / SPREAD_MAX, SPREAD_MAX)

    @cached_property
    def noise(self) -> float:
        """Return the standard deviation of the noise, whatever the curve is: from second differences."""
        if len(self.observed) < 4:
            return 1.0
        rough = np.abs(np.diff(self.observed, 2)) / self.spread[1:-1]
        return max(MAD * float(np.median(rough)) / 6**0.5, NOISE_FLOOR * float(np.abs(self.observed).max()), 1e-9)

    def rhythm(self, t: Numbers) -> Numbers:
        """Return the columns whose weighted sum is the logarithm of a year's rhythm at each t; the step is the last."""
        columns = [np.zeros((len(t), 0))]
        if self.is_seasonal:
            turns = 2 * np.pi * np.outer(t / self.cycle, np.arange(1, HARMONICS + 1))
            columns += [np.sin(turns), np.cos(turns)]
        if self.step is not None:
            columns.append((t >= self.step).astype(np.float64)[:, None])
        return np.hstack(columns)


def seen(levels: Numbers, *, is_total: bool) -> Numbers:
    """Return levels as they are compared: square roots, of what is added where they only add up."""
    return np.sqrt(np.maximum(np.diff(levels, prepend=0.0) if is_total else levels, 0.0))


@dataclass(frozen=True)
class Fitted:
    """A curve through a series: its parameters, the weights of the rhythm, and how well it explains what is seen."""

    curve: Curve
    series: Series
    parameters: Numbers
    weights: Numbers
    score: float

    def trend(self, t: Numbers) -> Numbers:
        """Return the level at each t without the rhythm of a year."""
        return self.curve.level(self.parameters, t)

    def level(self, t: Numbers) -> Numbers:
        """Return the level at each t."""
        return self.trend(t) * safe_exp(self.series.rhythm(t) @ self.weights)

    @property
    def residuals(self) -> Numbers:
        """Return what is seen less what the curve says, on the scale of comparison, each by its period's spread."""
        apart = self.series.observed - seen(self.level(self.series.t), is_total=self.series.is_total)
        return apart / self.series.spread

    @property
    def capacity(self) -> float:
        """Return the level at which growth ends."""
        return self.curve.capacity(self.parameters)

    @property
    def flat(self) -> float:
        """Return the t from which on next to nothing is left to grow; infinite without a limit."""
        return self.curve.flat(self.parameters) if self.curve.flat else float("inf")


def fit(curve: Curve, series: Series, start: Numbers | None = None) -> Fitted:
    """Return the curve through a series that explains it best. start: parameters and weights to search from alone."""
    rhythm, t, observed = series.rhythm(series.t), series.t, series.observed
    width = rhythm.shape[1]

    def apart(all_of: Numbers) -> Numbers:
        split = len(all_of) - width
        levels = curve.level(all_of[:split], t) * safe_exp(rhythm @ all_of[split:])
        return (observed - seen(levels, is_total=series.is_total)) / series.spread

    starts = [start] if start is not None else [np.array([*one, *[0.0] * width]) for one in curve.starts(series.values)]
    starts.sort(key=lambda one: float(np.abs(apart(one)).sum()))
    scale, evaluations = OUTLIER * series.noise, EVALUATIONS_MAX if start is None else AGAIN_MAX
    cost, best = min((_searched(apart, one, scale, evaluations) for one in starts[:SEARCHED]), key=lambda one: one[0])
    split = len(best) - width
    return Fitted(curve, series, best[:split], best[split:], _akaike(cost, len(t), len(best)))


def _searched(
    apart: Callable[[Numbers], Numbers], start: Numbers, scale: float, evaluations: int
) -> tuple[float, Numbers]:
    """Return the least cost from a start on, and where it is."""
    from scipy import optimize  # here: a server that forecasts nothing starts without it, half a second sooner

    found = cast(Any, optimize).least_squares(
        apart, start, loss="soft_l1", f_scale=scale, x_scale="jac", max_nfev=evaluations
    )
    return float(found.cost), np.asarray(found.x, dtype=np.float64)


def slope(values: Numbers, over: Numbers, confidence: float) -> tuple[float, float, float]:
    """Return the median slope between any two values (Theil and Sen), and the range that it is in."""
    from scipy import stats

    found = cast(Any, stats).theilslopes(values, over, alpha=confidence)
    return float(found[0]), float(found[2]), float(found[3])


def _akaike(cost: float, count: int, parameters: int) -> float:
    """Return the corrected criterion of Akaike: the less, the better; infinite with too few values."""
    used = parameters + 1  # the noise is one
    if count - used - 1 <= 0:
        return float("inf")
    return count * float(np.log(max(2 * cost / count, 1e-300))) + 2 * used + 2 * used * (used + 1) / (count - used - 1)


def weights_of(found: Sequence[Fitted]) -> Numbers:
    """Return how likely each of several curves is the best one of them: Akaike weights."""
    scores = np.array([one.score for one in found])
    if not np.isfinite(scores).any():
        return np.full(len(found), 1 / len(found))
    likely = np.exp(-0.5 * (scores - scores.min()))
    return likely / likely.sum()


def expected(found: Sequence[Fitted], t: Numbers) -> Numbers:
    """Return the level at each t, of several curves by how likely each is."""
    return np.sum([weight * one.level(t) for weight, one in zip(weights_of(found), found, strict=True)], axis=0)


def damped(series: Series, periods: int) -> Numbers:
    """Return the levels to come where no limit is known: the latest trend, which fades (Gardner and McKenzie 1985)."""
    flow = np.diff(series.values, prepend=0.0) if series.is_total else series.values
    late = flow[-LATE:]
    rises = slope(late, np.arange(len(late), dtype=np.float64), CONFIDENCE)[0] if len(late) > 2 else 0.0
    fading = np.cumsum(FADING ** np.arange(1, periods + 1, dtype=np.float64))
    levels = np.maximum(float(np.median(flow[-3:])) + rises * fading, 0.0)
    return series.values[-1] + np.cumsum(levels) if series.is_total else levels


def draws(found: Sequence[Fitted], count: int, seed: int) -> list[Fitted]:
    """Return `count` curves that could as well have been found: what differs between them is not known."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(found), size=count, p=weights_of(found))
    return [_again(found[int(at)], random) for at in chosen]


def _again(one: Fitted, random: np.random.Generator) -> Fitted:
    series, n = one.series, len(one.series.t)
    block = max(round(n ** (1 / 3)), 1)
    begins = [int(random.integers(0, n)) for _ in range(-(-n // block))]
    free = max(n - len(one.parameters) - len(one.weights), 1)
    residuals = one.residuals - one.residuals.mean()
    blocks = [np.take(residuals, range(begin, begin + block), mode="wrap") for begin in begins]
    noise = np.concatenate(blocks)[:n] * series.spread * (n / free) ** 0.5
    observed = np.maximum(seen(one.level(series.t), is_total=series.is_total) + noise, 0.0)
    levels = np.cumsum(observed**2) if series.is_total else observed**2
    start = np.concatenate([one.parameters, one.weights])
    return fit(one.curve, Series(levels, series.is_total, series.cycle), start)
