"""Forecasts of growth from the first part of series, beside those that assume less, on what came after.

Real series that reached a limit (`_growth_series.py` says which, and whose they are). And made ones, logistic and
Gompertz with counting noise, of which the truth is known: how often a limit is named, and how often it is in the range
that was given.

Each is forecast from its first half, and from its first three quarters; the error is the mean absolute one of the rest,
over its mean. Beside it: the last value for ever (of what adds up: the last step), a straight line through what is
seen, the trend of Prophet (Taylor and Letham 2018: straight pieces whose changes of slope are few), and Prophet itself
as it comes where it is installed (`pip install prophet`).
"""

from __future__ import annotations

import importlib
import logging
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize

from bench import _growth_series
from isthmus.governance.growth.curves import Numbers
from isthmus.governance.growth.reading import Growth, read

Row = dict[str, Any]

SHARES = (0.5, 0.75)
MADE, WEEKS = 40, 104
LEEWAY = 1.05  # what came is the last level seen, which is still a little below the limit

PIECES, PIECED, LOOSE = 25, 0.8, 0.05  # as Prophet comes: changes of slope, where they may be, how large they are

Forecast = Callable[[Sequence[float], int, bool], Numbers]


def naive(seen: Sequence[float], periods: int, is_total: bool) -> Numbers:
    """Return the last value; of what adds up, what the last period added again and again."""
    step = seen[-1] - seen[-2] if is_total else 0.0
    return seen[-1] + step * np.arange(1, periods + 1, dtype=np.float64)


def straight(seen: Sequence[float], periods: int, _is_total: bool) -> Numbers:
    """Return a straight line."""
    slope, begin = np.polyfit(np.arange(len(seen)), seen, 1)
    return begin + slope * (len(seen) + np.arange(periods, dtype=np.float64))


def pieces(seen: Sequence[float], periods: int, _is_total: bool) -> Numbers:
    """Return the trend of Prophet: the likeliest straight pieces, their changes of slope drawn from a Laplace prior."""
    scale, n = max(map(abs, seen)) or 1.0, len(seen)
    levels, t = np.asarray(seen) / scale, np.arange(n + periods) / max(n - 1, 1)
    count = min(PIECES, max(round(PIECED * n) - 1, 0))
    places = t[np.linspace(0, round(PIECED * n) - 1, count + 1).round().astype(int)][1:]
    columns = np.column_stack([np.ones_like(t), t, *(np.maximum(t - at, 0.0) for at in places)])
    known = columns[:n]

    def unlikely(found: Numbers) -> tuple[float, Numbers]:
        weights = np.concatenate([found[:2], found[2 : 2 + count] - found[2 + count : 2 + 2 * count]])
        noise, apart = np.exp(found[-1]), levels - known @ weights
        squares = float(apart @ apart) / noise**2
        slopes = -(known.T @ apart) / noise**2
        cost = squares / 2 + n * found[-1] + found[2:-1].sum() / LOOSE + (found[:2] @ found[:2]) / 50 + 2 * noise**2
        down = np.concatenate(
            [slopes[:2] + found[:2] / 25, slopes[2:] + 1 / LOOSE, 1 / LOOSE - slopes[2:], [n - squares + 4 * noise**2]]
        )
        return float(cost), down

    start = np.zeros(2 * count + 3)
    start[0], start[1], start[-1] = levels[0], levels[-1] - levels[0], np.log(0.05)
    bounds = [(None, None)] * 2 + [(0.0, None)] * (2 * count) + [(-10.0, 2.0)]
    best = optimize.minimize(unlikely, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 5_000}).x
    weights = np.concatenate([best[:2], best[2 : 2 + count] - best[2 + count : 2 + 2 * count]])
    return scale * (columns[n:] @ weights)


def prophet(seen: Sequence[float], periods: int, _is_total: bool) -> Numbers:
    """Return what Prophet says as it comes."""
    made: Any = importlib.import_module("prophet")
    pandas: Any = importlib.import_module("pandas")
    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    model = made.Prophet(yearly_seasonality=False, weekly_seasonality=False, daily_seasonality=False)
    days = pandas.date_range("2020-01-06", periods=len(seen) + periods, freq="W-MON")
    model.fit(pandas.DataFrame({"ds": days[: len(seen)], "y": list(seen)}))
    return np.asarray(model.predict(pandas.DataFrame({"ds": days[len(seen) :]}))["yhat"], dtype=np.float64)


PEERS: Mapping[str, Forecast] = {
    "the last value": naive,
    "a straight line": straight,
    "the trend of Prophet": pieces,
    "Prophet": prophet,
}


def rows(rounds: int) -> list[Row]:
    """Return the error of forecasts beside each peer's, and how often the ranges that are given hold."""
    del rounds  # nothing here is a time
    return [*_real(), *_made()]


def _real() -> list[Row]:
    peers = {name: peer for name, peer in PEERS.items() if name != "Prophet" or find_spec("prophet")}
    rows = list[Row]()
    for share in SHARES:
        cases = [_Case.of(one, share) for one in _growth_series.every().values()]
        found = [one.read() for one in cases]
        own = [one.error(np.asarray(said.ahead)) for one, said in zip(cases, found, strict=True)]
        mine, count = statistics.median(own), len(own)
        for name, peer in peers.items():
            errors = [one.error(peer(one.seen, len(one.rest), one.is_total)) for one in cases]
            theirs = statistics.median(errors)
            against = f"{name}: {theirs:.1%}, worse {_worse(own, errors)} of {count} times"
            what = f"median error of {count} real series, forecast from the first {share:.0%}"
            is_judged = share == SHARES[0]
            aim, met = ("<= 1 x", mine <= theirs) if is_judged else ("reported", None)
            rows.append(_row(what, mine, against, mine / theirs, aim, met=met))
        held = [
            said.capacity.low <= LEEWAY * one.rest[-1] and one.rest[-1] <= LEEWAY * said.capacity.high
            for one, said in zip(cases, found, strict=True)
            if said.capacity
        ]
        what = f"limits named from the first {share:.0%} that hold, {LEEWAY - 1:.0%} off at most"
        rows.append(_row(what, sum(held) / max(len(held), 1), f"{len(held)} of {count} are named", None, "reported"))
    return rows


class _Case(NamedTuple):
    seen: list[float]
    rest: Numbers
    is_total: bool
    days: int

    @classmethod
    def of(cls, one: _growth_series.Known, share: float) -> _Case:
        levels = np.cumsum(one.values) if one.is_total else np.asarray(one.values, dtype=np.float64)
        cut = round(share * len(levels))
        return cls([float(level) for level in levels[:cut]], levels[cut:], one.is_total, one.days)

    def read(self) -> Growth:
        return read(self.seen, date(2020, 1, 1), days=self.days, is_total=self.is_total, ahead=len(self.rest))

    def error(self, forecast: Numbers) -> float:
        return float(np.abs(forecast - self.rest).mean() / self.rest.mean())


def _worse(mine: Sequence[float], theirs: Sequence[float]) -> int:
    return sum(its > own for own, its in zip(mine, theirs, strict=True))


def _made() -> list[Row]:
    """Return, past the bend and before it, how often a limit is named, and how often it is in its range."""
    t = np.arange(WEEKS, dtype=np.float64)
    shapes = {
        "past the bend": lambda middle: 500 / (1 + np.exp(-0.08 * (t - middle))),
        "past the bend, Gompertz": lambda middle: 500 * np.exp(-np.exp(-0.05 * (t - middle))),
        "before the bend": lambda middle: 500 / (1 + np.exp(-0.08 * (t - middle - 70))),
    }
    rows = list[Row]()
    for name, shape in shapes.items():
        found = [_read(shape, seed) for seed in range(MADE)]
        named = [one.capacity for one in found if one.capacity]
        held = sum(one.low <= 500 <= one.high for one in named)
        against = f"{MADE} series of {WEEKS} weeks with counting noise"
        is_early = name.startswith("before")
        aim, met = ("0", not named) if is_early else ("reported", None)
        rows.append(_row(f"a limit is named {name}", len(named) / MADE, against, None, aim, met=met))
        if named:
            share = held / len(named)
            rows.append(_row(f"and it is in its range, {name}", share, against, None, ">= 0.8", met=share >= 0.8))
    return rows


def _read(shape: Callable[[float], Numbers], seed: int) -> Growth:
    random = np.random.default_rng(seed)
    levels = random.poisson(shape(random.uniform(50, 80)))
    return read([float(one) for one in levels], date(2024, 1, 1), seed=seed)


def _row(name: str, value: float, against: str, ratio: float | None, aim: str, *, met: bool | None = None) -> Row:
    return {"name": name, "value": value, "unit": "", "against": against, "ratio": ratio, "aim": aim, "met": met}
