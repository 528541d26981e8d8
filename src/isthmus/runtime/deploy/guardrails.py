"""How the calls of a front end fare after a switch, and when that takes the switch back by itself.

A front end declares its bounds in its settings, where the defaults are not its own:

    settings={"deploy.faults-max-percent": "1", "deploy.p99-max-ms": "250"}

A fault is a defect or a deadline that was missed, not a refusal: that stock is short is no reason to go back, nor is a
database that was away. Every
process counts for itself and adds its counts up in the database; whoever finds them out of bounds first decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from isthmus.kernel import Outcome, Value, errors
from isthmus.store import Database

from ..isolation.breaker import FrontEndAway

FAULTS_MAX_PERCENT: Final = 5.0
P99_MAX_MS: Final = 5_000  # a call's own deadline, mostly: without a word of the team, only that is too slow
CALLS_MIN: Final = 20  # fewer say nothing about a share
SLOW_MIN: Final = 3  # one slow call among twenty may be the first one's warming up
WATCH_S: Final = 600
REMEMBERED_S: Final = 600.0  # what failed so long ago says nothing of today
TROUBLED_S: Final = 10.0  # after a sign that the platform's parts do not respond: calls that waited for them end late
OWN_FAULTS: Final = (errors.AnswerFailed, FrontEndAway)

_ADD: Final = """
    insert into runtime.watched (switch, worker, fingerprint, calls, faults, slow) values ($1, $2, $3, $4, $5, $6)
    on conflict (switch, worker, fingerprint) do update
    set calls = excluded.calls, faults = excluded.faults, slow = excluded.slow"""
_SUM: Final = """
    select fingerprint, sum(calls)::bigint as calls, sum(faults)::bigint as faults, sum(slow)::bigint as slow
    from runtime.watched where switch = $1 group by fingerprint"""


class Bounds(Value):
    """What a version must keep: a share of faults in percent, and the time that 99 of 100 calls keep."""

    faults_max_percent: float = FAULTS_MAX_PERCENT
    p99_max_ms: float = P99_MAX_MS


class WrongBounds(errors.BadAsk):
    """A bound in the settings of a front end is no number above zero."""

    slug = "runtime.wrong-bounds"


class Count(Value):
    """How calls of one version fared. slow: calls that took longer than the bound."""

    calls: int = 0
    faults: int = 0
    slow: int = 0


@dataclass(slots=True)
class Watched:
    """The switch of one front end that is looked at, and what this process has counted since, by fingerprint."""

    switch: int
    fingerprint: str  # of the version that is judged
    bounds: Bounds
    until: float
    known: frozenset[tuple[str, str]] = frozenset()  # what failed before the switch: (capability, slug)
    tallies: dict[str, list[int]] = field(default_factory=dict[str, list[int]])  # calls, faults, slow


class RolloutMonitor:
    """Counts the calls of front ends that were switched lately; pass `see` to the platform's observer.

    A version answers for what it causes. Its own answers and capabilities always count. What a shared capability fails
    with counts unless the same fails for others or failed before; and nothing counts while the platform's own parts,
    such as its database, do not respond.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._watched: dict[str, Watched] = {}
        self._clock = clock
        self._faults: set[str] = set()
        self._own_faults: set[str] = set()
        self._failed: dict[tuple[str, str], dict[str, float]] = {}  # (capability, slug) → front end → when last
        self._troubled_until = 0.0

    def begin(self, code: str, switch: int, fingerprint: str, bounds: Bounds, for_s: float = WATCH_S) -> None:
        """Watch a front end from now on."""
        self._faults = {one.slug for root in (errors.Fault, errors.DeadlineExceeded) for one in _below(root)}
        self._own_faults = {one.slug for root in OWN_FAULTS for one in _below(root)}
        now = self._clock()
        known = {key for key, when in self._failed.items() if max(when.values()) > now - REMEMBERED_S}
        self._watched[code] = Watched(switch, fingerprint, bounds, now + for_s, frozenset(known))

    def end(self, code: str) -> None:
        self._watched.pop(code, None)

    def see(self, outcome: Outcome) -> None:
        """Count one call."""
        if not outcome.error and not self._watched:
            return
        code = outcome.box.partition("?")[0].partition(".")[0]
        if outcome.error:
            self._note(outcome, code)
        watched = self._watched.get(code)
        if watched is None or self._clock() < self._troubled_until:
            return
        tally = watched.tallies.setdefault(outcome.version, [0, 0, 0])
        tally[0] += 1
        tally[1] += self._is_caused(outcome, code, watched)
        tally[2] += outcome.took_ns > watched.bounds.p99_max_ms * 1_000_000

    def _note(self, outcome: Outcome, code: str) -> None:
        """Remember who failed with what, and when the platform itself was in trouble."""
        now = self._clock()
        self._failed.setdefault((outcome.capability, outcome.error), {})[code] = now
        if outcome.error == errors.Unavailable.slug:
            self._troubled_until = now + TROUBLED_S

    def _is_caused(self, outcome: Outcome, code: str, watched: Watched) -> bool:
        if outcome.error in self._own_faults:
            return True
        if outcome.error not in self._faults:
            return False
        if outcome.capability.partition(".")[0] == code:
            return True
        key, now = (outcome.capability, outcome.error), self._clock()
        elsewhere = (when for other, when in self._failed.get(key, {}).items() if other != code)
        return key not in watched.known and all(when < now - REMEMBERED_S for when in elsewhere)

    def in_flight(self) -> dict[str, Watched]:
        """Return what is watched now, by front end; what is over is forgotten."""
        now = self._clock()
        self._watched = {code: one for code, one in self._watched.items() if one.until > now}
        return dict(self._watched)


def bounds_of(settings: Mapping[str, str]) -> Bounds:
    """Read the bounds out of a front end's settings. Raises WrongBounds."""

    def number(name: str, default: float) -> float:
        text = settings.get(name)
        try:
            found = default if text is None else float(text)
        except ValueError:
            found = 0
        if not 0 < found < float("inf"):
            raise WrongBounds(f"setting {name} is {text!r}", remedy="write a number above zero, such as '1'")
        return found

    return Bounds(
        faults_max_percent=number("deploy.faults-max-percent", FAULTS_MAX_PERCENT),
        p99_max_ms=number("deploy.p99-max-ms", P99_MAX_MS),
    )


async def reason_to_go_back(database: Database, worker: UUID, watched: Watched) -> str:
    """Add this process's counts to all others', and return why the version must go, or nothing."""
    async with database.platform() as session:
        for fingerprint, tally in watched.tallies.items():
            await session.execute(_ADD, watched.switch, worker, fingerprint, *tally)
        rows = await session.fetch(_SUM, watched.switch)
    counted = {row["fingerprint"]: Count(calls=row["calls"], faults=row["faults"], slow=row["slow"]) for row in rows}
    new = counted.pop(watched.fingerprint, Count())
    return judged(new, watched.bounds, tuple(counted.values()))


def judged(new: Count, bounds: Bounds, others: Sequence[Count] = ()) -> str:
    """Return why these counts are out of bounds, in words, or nothing.

    others: counts of the version beside it. Where that one is as bad, the version is not what is wrong.
    """
    for name, why in _out_of_bounds(new, bounds):
        if not any(name in dict(_out_of_bounds(one, bounds)) for one in others):
            return why
    return ""


def _out_of_bounds(count: Count, bounds: Bounds) -> Iterator[tuple[str, str]]:
    if count.calls < CALLS_MIN:
        return
    share = 100 * count.faults / count.calls
    if share > bounds.faults_max_percent:
        yield (
            "faults",
            (f"{count.faults} of {count.calls} calls failed ({share:.1f} %), and {bounds.faults_max_percent:g} % may"),
        )
    if count.slow >= SLOW_MIN and count.slow > count.calls / 100:
        yield (
            "slow",
            (f"{count.slow} of {count.calls} calls took longer than {bounds.p99_max_ms:g} ms, and 1 in 100 may"),
        )


def _below(root: type[errors.IsthmusError]) -> Iterator[type[errors.IsthmusError]]:
    yield root
    for child in root.__subclasses__():
        yield from _below(child)
