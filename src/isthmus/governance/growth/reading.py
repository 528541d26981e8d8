"""Read a line's growth: its stage, its limit, and when it flattens; or why that cannot be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from isthmus.kernel import Value

from .curves import BASS, CONSTANT, EXPONENTIAL, GOMPERTZ, LINEAR, LOGISTIC, Curve, Numbers
from .fit import CONFIDENCE, Fitted, Series, damped, draws, fit, slope, weights_of

PERIODS_MIN: Final = 12  # with fewer, a curve of three parameters goes through anything
DRAWS: Final = 100
INTERVAL: Final = (5.0, 50.0, 95.0)  # percentiles of the draws; `python -m bench growth` says how often they hold
CLEARLY: Final = 4.0  # by so much a criterion of Akaike is less where a limit is seen: odds of 7 to 1
GROWS: Final = 8.0  # by so much it is less than that of a constant: one line in 500 seems to grow by noise alone
SPREAD_MAX: Final = 3.0  # of the capacity, from the 5th to the 95th percentile
AGREED: Final = 0.8  # of the draws must be past the steepest growth
STEEPEST: Final = {"logistic": 0.5, "Gompertz": np.exp(-1.0), "Bass": 0.5}  # share of the capacity there, at least
SATURATED: Final = 0.95
JUMP_CLEARLY: Final = 12.0  # of the criterion, and
JUMP_MIN: Final = 0.2  # of the level: what a break is at least
SIDE_MIN: Final = 4  # periods on each side of a break
SILENT: Final = 8  # periods without anything, after which a line has ended
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
    """A number that is not known exactly: the 5th, the 50th and the 95th percentile."""

    low: float
    middle: float
    high: float


class Dates(Value):
    """A day that is not known exactly: the 5th, the 50th and the 95th percentile; None is later than can be said."""

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
    is_total: they only add up, as the people who ever bought do. seed: of what is drawn, so that it can be told again.
    ahead: periods to come that are forecast; those of a year where nobody says.
    """
    cycle = max(round(365.25 / days), 1)
    coming = cycle if ahead is None else ahead
    found = np.asarray(values, dtype=np.float64)
    begun = int(np.argmax(found > 0)) if (found > 0).any() else len(found)
    found, period = found[begun:], _Period(first + timedelta(days=begun * days), days, coming)
    if not len(found):
        return Growth(stage=Stage.EMPTY, reason="nothing was seen yet", periods=0)
    if len(found) < PERIODS_MIN:
        reason = f"{len(found)} periods are seen; {PERIODS_MIN} are needed to tell growth from noise"
        fading = _plain(damped(Series(found, is_total, cycle), coming))
        return Growth(stage=Stage.YOUNG, reason=reason, periods=len(found), level=float(found[-1]), ahead=fading)
    last = int(np.flatnonzero(found)[-1])
    if not is_total and len(found) - 1 - last >= SILENT:
        return Growth(stage=Stage.ENDED, reason=f"nothing since {period.day(last)}", periods=len(found))
    series = Series(found, is_total, cycle)
    jump = None if is_total else _jump(series)
    if jump is None:
        return _of(series, period, seed)
    after, broke = found[jump:], period.day(jump - 1)
    if len(after) < PERIODS_MIN:
        reason = f"it is another line since {broke}; {len(after)} periods since then are too few to say more"
        return Growth(stage=Stage.BROKEN, reason=reason, periods=len(after), level=float(after[-1]), broke=broke)
    since = _Period(period.first + timedelta(days=jump * days), days, coming)
    said = _of(Series(after, is_total, cycle), since, seed)
    return said.replace(broke=broke)


def curves_of(series: Series) -> tuple[Curve, ...]:
    """Return the curves that a series may follow: those with a limit, then those without."""
    limited = (LOGISTIC, GOMPERTZ, BASS) if series.is_total else (LOGISTIC, GOMPERTZ)
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
        return now.replace(stage=Stage.FLAT, reason="it does not grow by more than noise", ahead=level)
    if min(one.score for one in limited) + CLEARLY > growing.score:
        reason = f"growth without a limit ({growing.curve.name}) explains what is seen as well: it is before the bend"
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
        level=float(best.trend(series.t[-1:])[0]),
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
    return f"it fell by {-fall:.0%} at least over the last {len(late)} periods" if fall < -FLAT_CHANGE else ""


def _unseen(samples: Sequence[Fitted], end: float) -> str:
    """Say why no limit can be told, where what is drawn does not agree on one."""
    capacities = np.percentile([one.capacity for one in samples], INTERVAL)
    if capacities[2] > SPREAD_MAX * capacities[0]:
        return f"its limit lies anywhere between {capacities[0]:,.0f} and {capacities[2]:,.0f}: it is too early to say"
    past = [_used(one, end) >= STEEPEST[one.curve.name] for one in samples]
    if np.mean(past) < AGREED:
        return "its growth may still get steeper: it is before the bend"
    return ""


def _used(one: Fitted, t: float) -> float:
    return float(one.trend(np.array([t]))[0] / one.capacity)


def _limited(limited: Sequence[Fitted], samples: Sequence[Fitted], series: Series, period: _Period) -> Growth:
    best = limited[int(np.argmax(weights_of(limited)))]
    end = float(series.t[-1])
    low, middle, high = map(float, np.percentile([one.capacity for one in samples], INTERVAL))
    soon, usual, late = (period.day(at) for at in np.percentile([one.flat for one in samples], INTERVAL))
    used = float(np.median([_used(one, end) for one in samples]))
    coming = _coming(series, period)
    ahead: Numbers = np.median([one.level(coming) for one in samples], axis=0)
    is_over = used >= SATURATED
    return _now(best, series, period).replace(
        stage=Stage.SATURATED if is_over else Stage.SATURATING,
        reason=f"{used:.0%} of its limit is reached",
        capacity=Range(low=low, middle=middle, high=high),
        used=used,
        flattens=Dates(low=soon, middle=usual, high=late),
        ahead=_plain(ahead),
    )
