"""Forecasts of growth from the first part of series, beside those that assume less, on what came after.

Published series that reached a limit: yeast by the hour (Carlson 1913), the height of a sunflower by the week (Reed and
Holland 1919), and what US households took up by the year (as in Bass 1969 and Mahajan, Mason and Srinivasan 1986):
room air conditioners and clothes dryers from 1949, colour television from 1963, each added up. And made ones, logistic
and Gompertz with counting noise, of which the truth is known: how often a limit is named, and how often it is in the
range that was given.

Each is forecast from its first half, and from its first three quarters; the error is the mean absolute one of the rest,
over its mean. Beside it: the last value for ever (of what adds up: the last step), a straight line through what is
seen, and Prophet as it comes where it is installed (`pip install prophet`).
"""

from __future__ import annotations

import importlib
import logging
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from typing import Any

import numpy as np

from isthmus.governance.growth.curves import Numbers
from isthmus.governance.growth.reading import Growth, read

Row = dict[str, Any]

SERIES: Mapping[str, tuple[Sequence[float], bool]] = {
    "yeast": (
        [9.6, 18.3, 29.0, 47.2, 71.1, 119.1, 174.6, 257.3, 350.7, 441.0, 513.3, 559.7, 594.8, 629.4, 640.8, 651.1,
         655.9, 659.6, 661.8],
        False,
    ),
    "sunflower": ([17.93, 36.36, 67.76, 98.1, 131.0, 169.5, 205.5, 228.3, 247.1, 250.5, 253.8, 254.5], False),
    "air conditioners": ([96, 195, 238, 380, 1045, 1230, 1267, 1828, 1586, 1673, 1800, 1580, 1500], True),
    "clothes dryers": ([106, 319, 492, 635, 737, 890, 1397, 1523, 1294, 1240, 1425, 1260, 1236], True),
    "colour television": ([747, 1480, 2646, 5118, 5777, 5982, 5962, 4631], True),
}  # fmt: skip
SHARES = (0.5, 0.75)
MADE, WEEKS = 40, 104

Forecast = Callable[[Sequence[float], int, bool], Numbers]


def ours(seen: Sequence[float], periods: int, is_total: bool) -> Numbers:
    """Return the forecast of growth: towards a limit where one can be named, else a trend that fades."""
    found = read(seen, date(2020, 1, 1), days=365, is_total=is_total, ahead=periods)
    return np.asarray(found.ahead, dtype=np.float64)


def naive(seen: Sequence[float], periods: int, is_total: bool) -> Numbers:
    """Return the last value; of what adds up, what the last period added again and again."""
    step = seen[-1] - seen[-2] if is_total else 0.0
    return seen[-1] + step * np.arange(1, periods + 1, dtype=np.float64)


def straight(seen: Sequence[float], periods: int, _is_total: bool) -> Numbers:
    """Return a straight line."""
    slope, begin = np.polyfit(np.arange(len(seen)), seen, 1)
    return begin + slope * (len(seen) + np.arange(periods, dtype=np.float64))


def prophet(seen: Sequence[float], periods: int, _is_total: bool) -> Numbers:
    """Return what Prophet says as it comes."""
    made: Any = importlib.import_module("prophet")
    pandas: Any = importlib.import_module("pandas")
    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    model = made.Prophet(yearly_seasonality=False, weekly_seasonality=False, daily_seasonality=False)
    days = pandas.date_range("2020-01-06", periods=len(seen) + periods, freq="W-MON")
    model.fit(pandas.DataFrame({"ds": days[: len(seen)], "y": list(seen)}))
    return np.asarray(model.predict(pandas.DataFrame({"ds": days[len(seen) :]}))["yhat"], dtype=np.float64)


PEERS: Mapping[str, Forecast] = {"the last value": naive, "a straight line": straight, "Prophet": prophet}


def rows(rounds: int) -> list[Row]:
    """Return the error of forecasts beside each peer's, and how often the ranges of made series hold."""
    del rounds  # nothing here is a time
    return [*_published(), *_made()]


def _published() -> list[Row]:
    peers = {name: peer for name, peer in PEERS.items() if name != "Prophet" or find_spec("prophet")}
    rows = list[Row]()
    for share in SHARES:
        errors = {name: [_error(peer, *one) for one in _cases(share)] for name, peer in {"ours": ours, **peers}.items()}
        own = errors["ours"]
        mine, count = statistics.median(own), len(own)
        for name in peers:
            theirs = statistics.median(errors[name])
            against = f"{name}: {theirs:.1%}, worse {_worse(own, errors[name])} of {count} times"
            what = f"median error of {count} published series, forecast from the first {share:.0%}"
            rows.append(_row(what, mine, against, mine / theirs, "<= 1 x", met=mine <= theirs))
    return rows


def _cases(share: float) -> list[tuple[Numbers, int, bool]]:
    return [
        (np.cumsum(values) if is_total else np.asarray(values, dtype=np.float64), round(share * len(values)), is_total)
        for values, is_total in SERIES.values()
    ]


def _error(peer: Forecast, values: Numbers, seen: int, is_total: bool) -> float:
    rest = values[seen:]
    forecast = peer([float(one) for one in values[:seen]], len(rest), is_total)
    return float(np.abs(forecast - rest).mean() / rest.mean())


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


def _row(name: str, value: float, against: str, ratio: float | None, aim: str, *, met: bool | None) -> Row:
    return {"name": name, "value": value, "unit": "", "against": against, "ratio": ratio, "aim": aim, "met": met}
