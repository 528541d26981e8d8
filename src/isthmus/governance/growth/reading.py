"""Read a line's growth: its stage, its limit, and when it flattens; or why that cannot be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from isthmus.kernel import Value
from isthmus.language import mark

from .curves import BASS, CONSTANT, EXPONENTIAL, FIRST_PURCHASES, GOMPERTZ, LINEAR, LOGISTIC, Curve, Numbers
from .fit import CONFIDENCE, FADING, Fitted, Series, damped, draws, fit, slope, weights_of

PERIODS_MIN: Final = 12  # with fewer, a curve of three parameters goes through anything
DRAWS: Final = 100
INTERVAL: Final = (2.0, 50.0, 98.0)  # percentiles of the draws between which nine in ten limits of made series lie
CLEARLY: Final = 4.0  # by so much a criterion of Akaike is less where a limit is seen: odds of 7 to 1
GROWS: Final = 8.0  # by so much it is less than that of a constant: one line in 500 seems to grow by noise alone
SPREAD_MAX: Final = 3.0  # of the capacity, from the 5th to the 95th percentile
AGREED: Final = 0.8  # of the draws must be past the steepest growth
# Share of the capacity at the steepest growth, at least; first purchases are steepest when they begin.
STEEPEST: Final = {"logistic": 0.5, "Gompertz": np.exp(-1.0), "Bass": 0.5, "first purchases": 0.0}
LATEST_MIN, LATEST_MAX = 4, 13  # periods that must lie around the curve: an eighth of all, within these
OFF_CURVE: Final = 1.2  # standard deviations of noise; the median of four normal residuals exceeds it once in 40 times
SATURATED: Final = 0.95
JUMP_CLEARLY: Final = 12.0  # of the criterion, and
JUMP_MIN: Final = 0.2  # of the level: what a break is at least
SIDE_MIN: Final = 4  # periods on each side of a break
SILENT: Final = 8  # periods without anything, after which a line has ended
FAR: Final = 2_000  # periods that are looked at for a day
NEVER: Final = 1e9  # periods: no calendar has their day
FLAT_CHANGE: Final = 0.02  # of the level, in all that is seen


class Stage(StrEnum):
    """Where on its curve a line is."""

    EMPTY = "empty"
    YOUNG = "young"
    BROKEN = "broken"
    GROWING = "growing"
    SATURATING = "saturating"
    SATURATED = "saturated"
    FLAT = "flat"
    SHRINKING = "shrinking"
    ENDED = "ended"


class Range(Value):
    """A number that is not known exactly: nine in ten lie between low and high."""

    low: float
    middle: float
    high: float


class Dates(Value):
    """A day that is not known exactly: nine in ten lie between low and high; None is later than can be said."""

    low: date | None
    middle: date | None
    high: date | None


class Growth(Value):
    """How a line grows.

    level: of the last period, without noise and rhythm. change: of it in the last quarter of a year, as a share.
    capacity, used (share of it), flattens: only where a limit is seen. broke: the day from which on the line is
    another, if it is; what is said is of the time since. trend and ahead: levels of the periods seen, and of a year
    to come, for a picture.
    """

    stage: Stage
    reason: str
    periods: int
    curve: str = ""
    level: float = 0.0
    change: float | None = None
    capacity: Range | None = None
    used: float | None = None
    flattens: Dates | None = None
    broke: date | None = None
    trend: tuple[float, ...] = ()
    ahead: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Period:
    """Where the periods of a series lie in time."""

    first: date
    days: int
    ahead: int

    def day(self, t: float) -> date | None:
        """Return the day that a number of periods ends on."""
        try:
            return self.first + timedelta(days=round((t + 1) * self.days))
        except (OverflowError, ValueError):
            return None


def read(
    values: Sequence[float],
    first: date,
    *,
    days: int = 7,
    is_total: bool = False,
    seed: int = 1,
    ahead: int | None = None,
) -> Growth:
    """Return how a line grows whose periods have these levels.

    values: one a period, none missing, all at least zero; the first begins on `first`, each has `days` days.
    is_total: they only add up, as the people who ever bought do. seed: of what is drawn, so that it can be done again.
    ahead: periods to come that are forecast; those of a year where nobody says.
    """
    cycle = max(round(365.25 / days), 1)
    coming = cycle if ahead is None else ahead
    found = np.asarray(values, dtype=np.float64)
    begun = int(np.argmax(found > 0)) if (found > 0).any() else len(found)
    found, period = found[begun:], _Period(first + timedelta(days=begun * days), days, coming)
    if not len(found):
        return Growth(stage=Stage.EMPTY, reason=mark("nothing was seen yet"), periods=0)
    if len(found) < PERIODS_MIN:
        reason = mark(f"{len(found)} periods are seen; {PERIODS_MIN} are needed to tell growth from noise")
        fading = _plain(damped(Series(found, is_total, cycle), coming))
        return Growth(stage=Stage.YOUNG, reason=reason, periods=len(found), level=float(found[-1]), ahead=fading)
    last = int(np.flatnonzero(found)[-1])
    if not is_total and len(found) - 1 - last >= SILENT:
        return Growth(stage=Stage.ENDED, reason=mark(f"nothing since {period.day(last)}"), periods=len(found))
    series = Series(found, is_total, cycle)
    jump = None if is_total else _jump(series)
    if jump is None:
        return _of(series, period, seed)
    after, broke = found[jump:], period.day(jump - 1)
    if len(after) < PERIODS_MIN:
        reason = mark(f"it is another line since {broke}; {len(after)} periods since then are too few to say more")
        return Growth(stage=Stage.BROKEN, reason=reason, periods=len(after), level=float(after[-1]), broke=broke)
    since = _Period(period.first + timedelta(days=jump * days), days, coming)
    said = _of(Series(after, is_total, cycle), since, seed)
    return said.replace(broke=broke)


def curves_of(series: Series) -> tuple[Curve, ...]:
    """Return the curves that a series may follow: those with a limit, then those without."""
    limited = (LOGISTIC, GOMPERTZ, BASS, FIRST_PURCHASES) if series.is_total else (LOGISTIC, GOMPERTZ)
    return (*limited, EXPONENTIAL, LINEAR, CONSTANT)


def _jump(series: Series) -> int | None:
    """Return the period from which on the level is another, by a price change or a merger, say; None without one."""
    n = len(series.values)
    if n < 2 * SIDE_MIN:
        return None
    root = np.sqrt(series.values)
    places = range(SIDE_MIN, n - SIDE_MIN + 1)
    sizes = [abs(np.median(root[at : at + SIDE_MIN]) - np.median(root[at - SIDE_MIN : at])) for at in places]
    at = places[int(np.argmax(sizes))]
    plain = min((fit(curve, series) for curve in curves_of(series)), key=lambda one: one.score)
    stepped = Series(series.values, cycle=series.cycle, step=at)
    best = min((fit(curve, stepped) for curve in curves_of(series)), key=lambda one: one.score)
    size = abs(float(np.exp(best.weights[-1])) - 1)
    return at if best.score + JUMP_CLEARLY < plain.score and size > JUMP_MIN else None


def _of(series: Series, period: _Period, seed: int) -> Growth:
    fits = [fit(curve, series) for curve in curves_of(series)]
    limited = [one for one in fits if one.curve.has_limit]
    growing = min((one for one in fits if one.curve in (EXPONENTIAL, LINEAR)), key=lambda one: one.score)
    constant = next(one for one in fits if one.curve is CONSTANT)
    best = min(fits, key=lambda one: one.score)
    if best.score + GROWS > constant.score:
        best = constant
    now = _now(best, series, period).replace(ahead=_plain(damped(series, period.ahead)))
    if shrinking := _shrinks(best, series):
        return now.replace(stage=Stage.SHRINKING, reason=shrinking)
    if best.curve is CONSTANT or _change(best, len(series.t) - 1) < FLAT_CHANGE:
        level = _plain(best.level(_coming(series, period)))
        return now.replace(stage=Stage.FLAT, reason=mark("it does not grow by more than noise"), ahead=level)
    if min(one.score for one in limited) + CLEARLY > growing.score:
        name = growing.curve.name
        reason = mark(f"growth without a limit ({name}) explains what is seen as well: it is before the bend")
        return now.replace(stage=Stage.GROWING, reason=reason)
    if reason := _left(min(limited, key=lambda one: one.score)):
        return now.replace(stage=Stage.GROWING, reason=reason)
    samples = draws(limited, DRAWS, seed)
    if reason := _unseen(samples, float(series.t[-1])):
        return now.replace(stage=Stage.GROWING, reason=reason)
    return _limited(limited, samples, series, period)


def _now(best: Fitted, series: Series, period: _Period) -> Growth:
    quarter = max(round(91 / period.days), 1)
    return Growth(
        stage=Stage.GROWING,
        reason="",
        periods=len(series.t),
        curve=best.curve.name,
        level=float(series.values[-1] if series.is_total else best.trend(series.t[-1:])[0]),
        change=_change(best, quarter),
        trend=_plain(best.level(series.t)),
    )


def _coming(series: Series, period: _Period) -> Numbers:
    """Return the numbers of the periods to come."""
    return len(series.t) + np.arange(period.ahead, dtype=np.float64)


def _plain(levels: Numbers) -> tuple[float, ...]:
    return tuple(map(float, levels))


def _change(one: Fitted, periods: int) -> float:
    """Return by which share the level rose over the last periods."""
    end = one.series.t[-1]
    levels = one.trend(np.array([max(float(end) - periods, 0.0), float(end)]))
    before, now = float(levels[0]), float(levels[1])
    return now / before - 1 if before > 0 else float("inf")


def _shrinks(best: Fitted, series: Series) -> str:
    """Say that the last half of what is seen falls, by more than noise."""
    if series.is_total:
        return ""
    rhythm = np.exp(series.rhythm(series.t) @ best.weights)
    late = (series.values / rhythm)[-max(len(series.t) // 2, PERIODS_MIN) :]
    _, _, highest = slope(late, np.arange(len(late), dtype=np.float64), CONFIDENCE)
    fall = highest * len(late) / max(float(np.median(late)), 1e-9)
    return mark(f"it fell by {-fall:.0%} at least over the last {len(late)} periods") if fall < -FLAT_CHANGE else ""


def _unseen(samples: Sequence[Fitted], end: float) -> str:
    """Say why no limit can be told, where what is drawn does not agree on one."""
    capacities = np.percentile([one.capacity for one in samples], INTERVAL)
    if capacities[2] > SPREAD_MAX * capacities[0]:
        low, high = f"{capacities[0]:,.0f}", f"{capacities[2]:,.0f}"
        return mark(f"its limit lies anywhere between {low} and {high}: it is too early to say")
    past = [_used(one, end) >= STEEPEST[one.curve.name] for one in samples]
    if np.mean(past) < AGREED:
        return mark("its growth may still get steeper: it is before the bend")
    return ""


def _left(best: Fitted) -> str:
    """Say that the latest periods lie on one side of the curve: whatever it says of a limit, they do not follow it."""
    count = min(max(len(best.series.t) // 8, LATEST_MIN), LATEST_MAX)
    off = float(np.median(best.residuals[-count:])) / best.series.noise
    if abs(off) <= OFF_CURVE:
        return ""
    if off > 0:
        return mark(f"the last {count} periods lie above the curve that explains the others: no limit can be told")
    return mark(f"the last {count} periods lie below the curve that explains the others: no limit can be told")


def _used(one: Fitted, t: float) -> float:
    return float(one.trend(np.array([t]))[0] / one.capacity)


def _limited(limited: Sequence[Fitted], samples: Sequence[Fitted], series: Series, period: _Period) -> Growth:
    best = limited[int(np.argmax(weights_of(limited)))]
    endings = [_Ending.of(one, series) for one in samples]
    low, middle, high = map(float, np.percentile([one.capacity for one in endings], INTERVAL))
    soon, usual, late = (period.day(at) for at in np.percentile([one.flat for one in endings], INTERVAL))
    used = float(np.median([one.used for one in endings]))
    coming = _coming(series, period)
    ahead: Numbers = np.median([one.level(coming) for one in endings], axis=0) + _fading(best, coming)
    is_over = used >= SATURATED
    return _now(best, series, period).replace(
        stage=Stage.SATURATED if is_over else Stage.SATURATING,
        reason=mark(f"{used:.0%} of its limit is reached"),
        capacity=Range(low=low, middle=middle, high=high),
        used=used,
        flattens=Dates(low=soon, middle=usual, high=late),
        ahead=_plain(np.maximum(ahead, 0.0)),
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a series ends by one curve. beside: what is seen at the end less what the curve says, where levels add up.

    People who came are counted, whatever a curve says of them: its part is who is still to come.
    """

    one: Fitted
    end: float
    beside: float

    @classmethod
    def of(cls, one: Fitted, series: Series) -> _Ending:
        end = series.t[-1:]
        beside = float(series.values[-1] - one.trend(end)[0]) if series.is_total else 0.0
        return cls(one, float(end[0]), beside)

    @property
    def capacity(self) -> float:
        return self.one.capacity + self.beside

    @property
    def used(self) -> float:
        return (float(self.one.trend(np.array([self.end]))[0]) + self.beside) / self.capacity

    @property
    def flat(self) -> float:
        """Return the t from which on next to nothing is left; NEVER where that is farther than can be said."""
        if not self.beside:
            return min(self.one.flat, NEVER)
        coming = np.arange(FAR, dtype=np.float64)
        reached = self.one.trend(coming) + self.beside >= SATURATED * self.capacity
        return float(np.argmax(reached)) if reached.any() else NEVER

    def level(self, t: Numbers) -> Numbers:
        return self.one.level(t) + self.beside


def _fading(best: Fitted, coming: Numbers) -> Numbers:
    """Return what the latest periods are beside the curve, which fades: what they know and the curve does not."""
    series = best.series
    if series.is_total:
        return np.zeros_like(coming)
    late = float(np.median((series.values - best.level(series.t))[-LATEST_MIN:]))
    return late * FADING ** (coming - series.t[-1])
