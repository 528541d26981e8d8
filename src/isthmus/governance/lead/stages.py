"""One change of a front end, from its first commit to all members, by stage; and what all of them say. Pure.

    first commit ── coding ── last commit ── review ── merged ── release ── deployed ── roll-out ── everybody has it

Where a change came with one of the platform, who reviews is the platform's team: that stage is waiting for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from isthmus.kernel import Value

Stage = Literal["coding", "review", "platform", "release", "roll-out"]
STAGES: Final[tuple[Stage, ...]] = ("coding", "review", "platform", "release", "roll-out")
DAY: Final = timedelta(days=1)
QUEUE_ALARM: Final = 0.15  # waiting of all lead time: beyond it a team plans around the platform
QUEUE_LEAST_DAYS: Final = 1.0  # waited in all: a large share of some minutes keeps nobody from anything
WAIT_ALARM_DAYS: Final = 3.0  # p85: one change in seven waits longer than half a working week


class Change(Value):
    """One version of a front end that went live. hours: by stage; what git does not know is not there.

    begun: its first commit; None where no commit holds this version. wait_of: commits of the platform that came along.
    """

    front_end: str
    live_at: datetime
    hours: Mapping[Stage, float]
    begun: datetime | None = None
    wait_of: tuple[str, ...] = ()
    is_failed: bool = False  # it was rolled back

    @property
    def total(self) -> float:
        """Return the hours from the first commit until everybody has it."""
        return sum(self.hours.values())


class Spread(Value):
    """Hours of a stage over the changes of a front end: the median, and what 85 and 95 of 100 take at most."""

    p50: float
    p85: float
    p95: float


class Autonomy(Value):
    """How far a front end comes alone. changes: by number; time: by hours; both: the geometric mean. From 0 to 1."""

    changes: float
    time: float

    @property
    def both(self) -> float:
        return math.sqrt(self.changes * self.time)


class Lead(Value):
    """How the changes of one front end fared in the window.

    known: those whose commits were found. wait_days: waited for the platform, in all. failed: rolled back.
    recovery_hours: the median from a deploy to its roll-back. begun, first_write: of a front end that is new, its first
    commit, and the hour in which the first call that changes something was answered.
    """

    front_end: str
    changes: int
    known: int
    total: Spread | None
    stages: Mapping[Stage, Spread]
    autonomy: Autonomy | None
    wait_days: float
    failed: int
    recovery_hours: float | None = None
    begun: datetime | None = None
    first_write: datetime | None = None

    @property
    def failure_rate(self) -> float:
        return self.failed / self.changes if self.changes else 0.0

    @property
    def is_queueing(self) -> bool:
        """Say whether waiting is so long that it is no accident any more."""
        waits = self.stages.get("platform")
        share = 1 - self.autonomy.time if self.autonomy else 0.0
        is_share = share > QUEUE_ALARM and self.wait_days >= QUEUE_LEAST_DAYS
        return is_share or (waits is not None and waits.p85 > WAIT_ALARM_DAYS * 24)


class Queue(Value):
    """What waits for the platform now. expected_days: of one more request, by Little's law; None where none was served.

    waiting: branches that change a front end and the platform, and are not merged. served: merged in the window.
    """

    waiting: tuple[str, ...]
    served: int
    expected_days: float | None


def queue_of(waiting: Iterable[str], served: int, window: timedelta) -> Queue:
    """Return the queue before the platform: the wait is what waits, over what is served a day (Little's law)."""
    found = tuple(sorted(waiting))
    expected = round(len(found) / (served / (window / DAY)), 1) if served else (0.0 if not found else None)
    return Queue(waiting=found, served=served, expected_days=expected)


def hours_of(
    first: datetime, last: datetime, merged: datetime, deployed: datetime, live: datetime, *, is_queued: bool
) -> dict[Stage, float]:
    """Return the hours of each stage; a clock that is behind takes nothing away from another stage."""
    review: Stage = "platform" if is_queued else "review"
    ends: list[tuple[Stage, datetime]] = [
        ("coding", last), (review, merged), ("release", deployed), ("roll-out", live),
    ]  # fmt: skip
    found: dict[Stage, float] = {}
    at = first
    for stage, end in ends:
        found[stage] = max(0.0, (end - at) / timedelta(hours=1))
        at = max(at, end)
    return found


def lead_of(
    code: str,
    changes: Sequence[Change],
    recoveries: Sequence[timedelta] = (),
    begun: datetime | None = None,
    first_write: datetime | None = None,
) -> Lead:
    """Return how a front end's changes fared."""
    known = [one for one in changes if one.begun is not None]
    waits = sum(one.hours.get("platform", 0.0) for one in known)
    whole = sum(one.total for one in known)
    alone = sum(not one.wait_of for one in known)
    return Lead(
        front_end=code,
        changes=len(changes),
        known=len(known),
        total=spread([one.total for one in known]),
        stages={
            stage: found
            for stage in STAGES
            if (found := spread([one.hours.get(stage, 0.0) for one in known])) is not None
        },
        autonomy=Autonomy(changes=alone / len(known), time=1 - waits / whole if whole else 1.0) if known else None,
        wait_days=round(waits / 24, 2),
        failed=sum(one.is_failed for one in changes),
        recovery_hours=round(at(sorted(one / timedelta(hours=1) for one in recoveries), 0.5), 2)
        if recoveries
        else None,
        begun=begun,
        first_write=first_write,
    )


def spread(hours: Sequence[float]) -> Spread | None:
    """Return the spread of some hours; None of none."""
    if not hours:
        return None
    ordered = sorted(hours)
    return Spread(**{f"p{share}": round(at(ordered, share / 100), 2) for share in (50, 85, 95)})


def at(ordered: Sequence[float], share: float) -> float:
    """Return the number that this share of some is at most, by nearest rank: one that was really measured."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
