"""Curves that growth follows: towards a limit, or without one that can be seen.

A curve gives the level of each period; t counts periods from the first. Logistic: Verhulst 1838. Gompertz: Gompertz
1825, as a growth curve Winsor 1932. Bass: people who take something up of their own accord (p) or after others (q),
Bass 1969. First purchases: people of whom each comes at a rate of their own, gamma over all of them, so that the eager
come first and the tail is long (Fader, Hardie and Zeithammer 2003).
Parameters are searched on a scale on which each is free: capacities and rates as logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FLAT_AT: Final = 0.95  # of the capacity: growth that is left then is no reason to plan on
_EXPONENT_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A kind of growth: its level at each t, where a search begins, and between which bounds it stays.

    starts: guesses of the parameters from a series. flat: the t at which FLAT_AT of the capacity is reached; None for
    a curve without a capacity, whose first parameter is something else than the logarithm of one.
    """

    name: str
    level: Callable[[Numbers, Numbers], Numbers]
    starts: Callable[[Numbers], Sequence[Sequence[float]]]
    flat: Callable[[Numbers], float] | None = None

    @property
    def has_limit(self) -> bool:
        """Return whether growth ends."""
        return self.flat is not None

    def capacity(self, parameters: Numbers) -> float:
        """Return the level at which growth ends."""
        return float(np.exp(parameters[0])) if self.has_limit else float("inf")


def safe_exp(values: Numbers) -> Numbers:
    """Return e to the power of values; of what no number of a business is, the largest or the least that fits."""
    return np.exp(np.clip(values, -_EXPONENT_MAX, _EXPONENT_MAX))


def _rate(parameters: Numbers, at: int = 2) -> float:
    return float(safe_exp(parameters[at : at + 1])[0])


def _logistic(parameters: Numbers, t: Numbers) -> Numbers:
    return safe_exp(parameters[:1])[0] / (1 + safe_exp(-_rate(parameters) * (t - parameters[1])))


def _gompertz(parameters: Numbers, t: Numbers) -> Numbers:
    return safe_exp(parameters[:1])[0] * np.exp(-safe_exp(-_rate(parameters) * (t - parameters[1])))


def _bass(parameters: Numbers, t: Numbers) -> Numbers:
    """Return who took it up until the end of each period; nobody had before the first."""
    p, q = _rate(parameters, 1), _rate(parameters)
    gone = safe_exp(-(p + q) * (t + 1))
    return safe_exp(parameters[:1])[0] * (1 - gone) / (1 + q / p * gone)


def _first_purchases(parameters: Numbers, t: Numbers) -> Numbers:
    """Return who bought for the first time until the end of each period; nobody had before the first."""
    scale, shape = _rate(parameters, 1), _rate(parameters)
    return safe_exp(parameters[:1])[0] * -np.expm1(-shape * np.log1p((t + 1) / scale))


def _constant(parameters: Numbers, t: Numbers) -> Numbers:
    return np.full_like(t, safe_exp(parameters[:1])[0])


def _exponential(parameters: Numbers, t: Numbers) -> Numbers:
    return safe_exp(parameters[0] + parameters[1] * t)


def _linear(parameters: Numbers, t: Numbers) -> Numbers:
    return np.maximum(parameters[0] + parameters[1] * t, 0.0)


def _sigmoid_starts(values: Numbers) -> list[list[float]]:
    top, n = float(values.max()) or 1.0, len(values)
    return [
        [float(np.log(top * share)), middle * n, float(np.log(speed / n))]
        for share in (1.05, 2.0, 6.0)
        for middle in (0.3, 0.7, 1.2)
        for speed in (4.0, 10.0)
    ]


def _bass_starts(values: Numbers) -> list[list[float]]:
    top = float(values.max()) or 1.0
    return [
        [float(np.log(top * share)), float(np.log(p)), float(np.log(q))]
        for share in (1.05, 2.0, 6.0)
        for p in (0.002, 0.02)
        for q in (0.1, 0.4)
    ]


def _first_purchase_starts(values: Numbers) -> list[list[float]]:
    top, n = float(values.max()) or 1.0, len(values)
    return [
        [float(np.log(top * share)), float(np.log(scale * n)), float(np.log(shape))]
        for share in (1.05, 1.5, 3.0)
        for scale in (0.05, 0.3, 2.0)
        for shape in (0.7, 2.0)
    ]


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-9)))


def _straight(values: Numbers) -> tuple[float, float]:
    half = max(len(values) // 2, 1)
    begin, end = float(values[:half].mean()), float(values[-half:].mean())
    return begin, (end - begin) / max(len(values) - half, 1)


def _exponential_starts(values: Numbers) -> list[list[float]]:
    begin, slope = _straight(values)
    return [[_log(begin), slope / max(begin, 1e-9)], [_log(begin), 0.0]]


def _linear_starts(values: Numbers) -> list[list[float]]:
    begin, slope = _straight(values)
    return [[begin, slope]]


LOGISTIC: Final = Curve(
    "logistic", _logistic, _sigmoid_starts, lambda p: float(p[1] - np.log(1 / FLAT_AT - 1) / _rate(p))
)
GOMPERTZ: Final = Curve(
    "Gompertz", _gompertz, _sigmoid_starts, lambda p: float(p[1] - np.log(-np.log(FLAT_AT)) / _rate(p))
)


def _bass_flat(parameters: Numbers) -> float:
    p, q = _rate(parameters, 1), _rate(parameters)
    return float(np.log((1 + FLAT_AT * q / p) / (1 - FLAT_AT)) / (p + q)) - 1


BASS: Final = Curve("Bass", _bass, _bass_starts, _bass_flat)
FIRST_PURCHASES: Final = Curve(
    "first purchases",
    _first_purchases,
    _first_purchase_starts,
    lambda p: float(_rate(p, 1) * np.expm1(min(-np.log(1 - FLAT_AT) / _rate(p), _EXPONENT_MAX))) - 1,
)
CONSTANT: Final = Curve("constant", _constant, lambda values: [[_log(float(np.median(values)))]])
EXPONENTIAL: Final = Curve("exponential", _exponential, _exponential_starts)
LINEAR: Final = Curve("linear", _linear, _linear_starts)
