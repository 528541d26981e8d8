"""The two platforms together: what the business does lands in the lake, and what is learnt there goes back.

    rows and events → landing → metrics → segments → `member.set-segments` → rules that read a buyer's segments
    `member.member-erased` → the lake forgets the person too

Every process may run this: what one has landed the other finds landed, and a list of segments is whole each time.
A server lands in a process of its own, which takes its memory along when it ends and yields to those who buy.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from isthmus.data.answers.segments import PREFIX, Refreshed, Segment, Segments
from isthmus.data.checks import quality
from isthmus.data.lake.erasure import erase
from isthmus.data.lake.landing import Lander, Landing
from isthmus.data.persons.one_id import OneId
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.kernel import Caller, Platform, decode, errors
from isthmus.kernel.declare.capability import event_kind
from isthmus.packs.member import api as member
from isthmus.store import Database, Outbox
from isthmus.store.outbox import Event
from isthmus.store.relay import Consumer

log = logging.getLogger("isthmus.data")

FREQUENT_ORDERS: Final = 10
LAND_TRIES: Final = 5
LAND_WAIT_S: Final = 0.5
LAND_ANYWAY: Final = timedelta(minutes=10)  # tables may change without an event
LAND_NICENESS: Final = 10  # who buys goes first
SEGMENTS: Final = (
    Segment(
        code="frequent-buyer",
        version=1,
        metric="order.orders",
        member="order.order.member_id",
        least=FREQUENT_ORDERS,
    ),
)
ERASED: Final = event_kind(member.MemberErased).name


class Dual:
    """Keeps lake and business in step. `segments` are what members are sorted into by metrics."""

    def __init__(
        self,
        platform: Platform,
        database: Database,
        data: DataPlatform,
        *,
        segments: Sequence[Segment] = SEGMENTS,
        one_id: OneId | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        land: Callable[[], Awaitable[Landing]] | None = None,
    ) -> None:
        self._platform = platform
        self._data = data
        self._outbox = Outbox(database)
        self._land = land or partial(landed, data, database, clock)
        self._segments = Segments(data.lake.folder / "segments", segments)
        self._one_id = one_id
        self._clock = clock
        self._stale: frozenset[str] = frozenset()
        self._landed_at: datetime | None = None

    def consumers(self) -> list[Consumer]:
        """Return who must be told of events for the lake to forget whom the business forgot."""
        return [Consumer(name="lake-erasure", deliver=self._forget, types=(ERASED,))]

    async def land(self) -> Landing:
        """Bring what is new into the lake."""
        landing = await self._alerted(await self._land())
        self._landed_at = self._clock()
        return landing

    async def keep_up(self) -> Landing | None:
        """Land where something has happened since the last landing, and every ten minutes in any case."""
        is_due = self._landed_at is None or self._landed_at + LAND_ANYWAY <= self._clock()
        has_news = is_due or await self._outbox.newest() > self._data.lake.head().position
        return await self.land() if has_news else None

    async def _alerted(self, landing: Landing) -> Landing:
        """Log what an operator must see of a landing: sides that differ, bad rows, and once what became too old."""
        for alert in landing.alerts:
            log.error("the lake is not what the business is: %s", alert)
        for source, count in landing.quarantined.items():
            log.warning("%d row(s) of %s are in quarantine", count, source)
        for sentence in landing.stale:
            if sentence not in self._stale:
                log.warning("the lake is too old: %s", sentence)
        self._stale = frozenset(landing.stale)
        return landing

    async def learn(self) -> Refreshed:
        """Sort members into segments by what has landed, and tell the business of every change."""
        return await self._segments.refresh(self._data.metrics, owner("segments"), self._clock(), self._deliver)

    async def _deliver(self, front_end: str, member_id: str, segments: tuple[str, ...]) -> None:
        """Set what the lake says of one member. Who has left, or is of no front end here, needs no telling."""
        ask = member.SetSegments(member_id=UUID(member_id), segments=segments, prefix=PREFIX)
        with suppress(errors.Refusal):
            await self._platform.call(member.set_segments, ask, Caller(front_end=front_end, client="data platform"))

    async def _forget(self, events: Sequence[Event]) -> None:
        await self.land()  # what the business still held when it forgot them is there first, and goes now
        for event in events:
            gone = decode(event.data, member.MemberErased)
            key = {"front_end": event.front_end, "member_id": str(gone.member_id)}
            await asyncio.to_thread(erase, self._data.lake, "member.membership", key, self._clock())
            if self._one_id is not None:
                record = f"{event.front_end}/{gone.member_id}"
                await asyncio.to_thread(self._one_id.forget, record, self._clock())


async def landed(
    data: DataPlatform, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Landing:
    """Land, again where another process was first, and look what is too old. Raises Conflict after some tries."""
    landing = await _landed(data.lander(database))
    stale = await asyncio.to_thread(lambda: quality.stale(data.model, data.lake.newest(), clock()))
    return replace(landing, stale=tuple(stale))  # pyright: ignore[reportArgumentType]


async def _landed(lander: Lander) -> Landing:
    for _ in range(LAND_TRIES - 1):
        with suppress(errors.Conflict):
            return await lander.land()
        await asyncio.sleep(LAND_WAIT_S)
    return await lander.land()


async def landed_apart(database_url: str) -> Landing:
    """Land in a process of its own, with this one's folder and settings. Raises Unavailable with what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "isthmus.cli", "data", "land", "--json"),
        env={**os.environ, "ISTHMUS_DATABASE_URL": database_url},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, LAND_NICENESS)
        told, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not told:
        said = complaint.decode(errors="replace").strip()[-500:]
        raise errors.Unavailable(f"landing ended with {process.returncode}: {said}", remedy="it is tried again in time")
    return decode(told, Landing)
