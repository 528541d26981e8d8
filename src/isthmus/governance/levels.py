"""Service levels: how much of what was promised each front end has had, and how fast the rest is used up.

A level promises a share of calls, such as 99.9 %, that the platform answers. What a client did wrong or a rule refused
is answered. *Burn rate* is the failed share of a window by the share that may fail: at 1 the month ends with nothing
left. Windows and thresholds are those of the Site Reliability Workbook, chapter 5: 14.4 over an hour uses 2 % of a
month, 6 over six hours 5 %, 1 over three days 10 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from .counters import BOUNDS_US, CallCount
from .traffic import Tallies, Traffic

FAILED: Final = frozenset({"fault", "unavailable", "undone", "deadline-exceeded", "gateway.busy"})
DEFAULT: Final = 99.9  # percent
FAST_US: Final = 1_000_000
FAST_PROMISED: Final = 0.99  # of calls, within that
MONTH: Final = timedelta(days=30)
WINDOWS: Final = {"hour": timedelta(hours=1), "six_hours": timedelta(hours=6), "three_days": timedelta(days=3)}
BURNS: Final = {"hour": 14.4, "six_hours": 6.0, "three_days": 1.0}

State = Literal["kept", "burns", "burns-fast", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How a front end stands to what it was promised.

    promised: percent of calls. calls, failed: of thirty days. left: of what may fail, from 1 down; below 0 where more
    failed. burns: by window, None where nothing was called in it. fast: the
    share of calls that ended within a second. why: failures by slug, the most frequent first.
    """

    front_end: str
    promised: float
    calls: int
    failed: int
    left: float
    burns: Mapping[str, float | None]
    state: State
    fast: float
    why: Mapping[str, int]
    where: str  # the capability that failed most, empty where none did


async def levels(traffic: Traffic, promised: Mapping[str, float]) -> list[Level]:
    """Return the level of each front end that called in the last thirty days.

    promised: percent by front end; under `default` for those that are not named. Traffic is kept by hour, so a window
    goes from the full hour in which it begins.
    """
    month = _by_front_end(await traffic.of(over=MONTH))
    # An hour is kept under its beginning: the one in which a window begins belongs to it.
    windows = {name: _by_front_end(await traffic.of(over=over + timedelta(hours=1))) for name, over in WINDOWS.items()}
    usual = promised.get("default", DEFAULT)
    return [
        _level(code, promised.get(code, usual), of, {name: window.get(code) for name, window in windows.items()})
        for code, of in sorted(month.items())
    ]


def _by_front_end(tallies: Tallies) -> dict[str, dict[str, CallCount]]:
    found: dict[str, dict[str, CallCount]] = {}
    for (front_end, capability), tally in tallies.items():
        found.setdefault(front_end, {})[capability] = tally
    return found


def _failed(tally: CallCount) -> int:
    return sum(times for slug, times in tally.errors.items() if slug in FAILED)


def _level(
    code: str, promised: float, of: Mapping[str, CallCount], windows: Mapping[str, Mapping[str, CallCount] | None]
) -> Level:
    whole, allowed = CallCount(), 1 - promised / 100
    for tally in of.values():
        whole.add(tally)
    burns = {name: _burn(window, allowed) for name, window in windows.items()}
    failed = _failed(whole)
    left = 1 - failed / whole.calls / allowed
    worst = max(of, key=lambda name: _failed(of[name]))
    why = {slug: times for slug, times in whole.errors.most_common() if slug in FAILED}
    return Level(
        front_end=code,
        promised=promised,
        calls=whole.calls,
        failed=failed,
        left=left,
        burns=burns,
        state=_state(left, burns),
        fast=sum(whole.by_bound[: BOUNDS_US.index(FAST_US) + 1]) / whole.calls,
        why=why,
        where=worst if failed else "",
    )


def _burn(window: Mapping[str, CallCount] | None, allowed: float) -> float | None:
    calls = sum(tally.calls for tally in (window or {}).values())
    return sum(_failed(tally) for tally in (window or {}).values()) / calls / allowed if calls else None


def _state(left: float, burns: Mapping[str, float | None]) -> State:
    if (burns["hour"] or 0) >= BURNS["hour"]:
        return "burns-fast"
    if left < 0:
        return "broken"
    return "burns" if any((burns[name] or 0) > limit for name, limit in BURNS.items()) else "kept"
