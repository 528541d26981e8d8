"""The two platforms together: what the business does lands in the lake, and what is learnt there goes back.

    rows and events → landing → metrics → segments → the pack that has persons → rules that read a buyer's segments
    that pack's event of an erased person → the lake forgets the person too

Which pack has persons its manifest says (`Persons`); where none does, rows land and nothing goes back.

Every process may run this: what one has landed the other finds landed, and a list of segments is whole each time.
A server lands in a process of its own, which takes its memory along when it ends and yields to those who buy.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

import asyncpg
from msgspec import structs

from isthmus.data.answers.segments import PREFIX, Refreshed, Segments
from isthmus.data.checks import quality
from isthmus.data.checks.own_rules import own_findings
from isthmus.data.lake.landing import Lander, Landing
from isthmus.data.persons.one_id import OneId
from isthmus.data.persons.published import Published
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.kernel import Caller, Pack, Platform, decode, errors, ports
from isthmus.kernel.host import event_kind
from isthmus.manifest import OpenRecords, Personal, Persons, brought
from isthmus.markings import Rule, Segment, Where
from isthmus.runtime.children import run_child
from isthmus.sealing import UNSEALED, Seals
from isthmus.store import Database, Outbox
from isthmus.store.outbox import Event
from isthmus.store.relay import Consumer

from .forgetting import PersonForgotten

if TYPE_CHECKING:
    from .platform import Running

log = logging.getLogger("isthmus.data")

LAND_TRIES: Final = 5
LAND_WAIT_S: Final = 0.5
LAND_ANYWAY: Final = timedelta(minutes=10)  # tables may change without an event
LAND_NICENESS: Final = 10  # who buys goes first
LAND_LIMIT_S: Final = 3_600  # a year of orders at once takes minutes
LAND_TURN_S: Final = 120.0  # so long a landing waits for another one to end
_LANDING: Final = 0x6C616E64696E67
_TAKE_LANDING: Final = f"select pg_try_advisory_lock({_LANDING})"
_IS_FREE: Final = f"select pg_try_advisory_xact_lock({_LANDING})"  # for as long as the statement takes
FORGETTING: Final = "lake-erasure"


def persons_of(packs: Iterable[Pack]) -> Persons | None:
    """Return what the pack that has persons says of them, or None where no pack has any."""
    return next(iter(brought(packs, Persons)), None)


def segments_of(data: DataPlatform) -> list[Segment]:
    """Return the segments of packs, and those of front ends, which have members of their own only.

    Those of packs whose metric is not here go with it.
    """
    found = data.brought(Segment)
    return [
        structs.replace(one.value, where=(*one.value.where, Where(one.value.front_end, "=", one.front_end)))
        if one.front_end
        else one.value
        for one in found
        if one.front_end or one.value.metric in data.model.metrics
    ]


def one_id(running: Running, data: DataPlatform) -> OneId | None:
    """Return the persons of a company: read where the pack that has them says, landed in its lake."""
    persons = persons_of(running.packs)
    if persons is None:
        return None
    published = Published(data, persons.resolved, data.policy)
    seals = cast("Seals", running.platform.resources.get(Seals, UNSEALED))
    opened = persons.opened and partial(_opened, persons.opened, seals)
    return OneId(running.config.data / "one-id", running.database, persons.records, published, opened)


async def _opened(
    open_: OpenRecords, seals: Seals, rows: Sequence[ports.Row], session: ports.Session
) -> Sequence[Mapping[str, Any]]:
    return await open_(rows, session, seals)


class LakeSync:
    """Keeps lake and business in step. segments: what members are sorted into by metrics; without, what packs bring."""

    def __init__(
        self,
        platform: Platform,
        database: Database,
        data: DataPlatform,
        *,
        segments: Sequence[Segment] | None = None,
        one_id: OneId | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        land: Callable[[], Awaitable[Landing]] | None = None,
    ) -> None:
        self._platform = platform
        self._data = data
        self._database = database
        self._outbox = Outbox(database)
        self._land = land or partial(landed, data, database, clock)
        self._persons = persons_of(platform.release.packs.values())
        self._guests = [one.entity for one in brought(platform.release.packs.values(), Personal) if one.entity]
        self._chosen = segments
        self._segments = Segments(data.lake.folder / "segments", (segments or ()) if self._persons else ())
        self.one_id = one_id
        self._clock = clock
        self._stale: frozenset[str] = frozenset()
        self._broken: frozenset[str] = frozenset()
        self._landed_at: datetime | None = None

    def consumers(self) -> list[Consumer]:
        """Return the subscribers that must get events for the lake to forget whom the business forgot.

        Each lake has a consumer of its own: where servers do not share one, each forgets.
        """
        if self._persons is None:
            return []
        types = tuple(event_kind(one).name for one in (self._persons.erased, PersonForgotten))
        name = f"{FORGETTING}-{self._data.lake.id}"
        return [Consumer(name=name, deliver=partial(self._forget, self._persons), types=types)]

    async def land(self) -> Landing:
        """Bring what is new into the lake."""
        await self._outbox.forget(FORGETTING)  # of before each lake had its own: events would be kept for it for ever
        landing = await self._alerted(await self._land())
        self._landed_at = self._clock()
        return landing

    async def keep_up(self) -> Landing | None:
        """Land where something has happened since the last landing, and every ten minutes in any case."""
        is_due = self._landed_at is None or self._landed_at + LAND_ANYWAY <= self._clock()
        has_news = is_due or await self._outbox.newest() > self._data.lake.head().position
        return await self.land() if has_news and await self._is_free() else None

    async def _is_free(self) -> bool:
        """Say whether nobody lands: a process is started for a landing, and not for waiting until it is its turn."""
        async with self._database.platform() as session:
            return await session.fetch_value(_IS_FREE)

    async def _alerted(self, landing: Landing) -> Landing:
        """Log what an operator must see of a landing: sides that differ, bad rows, and once what became too old or
        breaks a rule of a team's own."""
        for alert in landing.alerts:
            log.error("the lake is not what the business is: %s", alert)
        for source, count in landing.quarantined.items():
            log.warning("%d row(s) of %s are in quarantine", count, source)
        for sentence in landing.stale:
            if sentence not in self._stale:
                log.warning("the lake is too old: %s", sentence)
        self._stale = frozenset(landing.stale)
        for sentence in landing.broken:
            if sentence not in self._broken:
                log.warning("rows of the lake break a rule: %s", sentence)
        self._broken = frozenset(landing.broken)
        return landing

    async def refresh_segments(self) -> Refreshed:
        """Sort members into segments by what has landed, and tell the business of every change.

        Those of front ends are read anew each time: a version that was deployed may declare others.
        """
        chosen = self._segments
        if self._chosen is None and self._persons is not None:
            chosen = Segments(self._data.lake.folder / "segments", segments_of(self._data))
        return await chosen.refresh(
            self._data.metrics, owner("segments"), self._clock(), self._deliver, self._consenting
        )

    async def ask_due(self) -> None:
        """Ask the questions whose time of the day has come, and write their answers to their files."""
        if self._data.lake.head().number:
            for refused in await asyncio.to_thread(self._data.questions.run_due, self._clock()):
                log.warning("a question that is asked once a day was refused: %s", refused)

    async def _consenting(self, front_end: str, members: Sequence[str], purpose: str) -> set[str]:
        """Return which members have consented to a purpose now, by the business and not by what has landed."""
        persons = self._persons
        if persons is None or not persons.consenting:
            return set()
        async with self._database.platform() as session:
            rows = await session.fetch(persons.consenting, front_end, [UUID(one) for one in members], purpose)
        return {str(row[0]) for row in rows}

    async def _deliver(self, front_end: str, member_id: str, segments: tuple[str, ...]) -> None:
        """Set what the lake says of one member. Who has left, or is of no front end here, needs no telling."""
        persons = self._persons
        if persons is None:
            return
        ask = persons.ask(UUID(member_id), segments, PREFIX)
        with suppress(errors.Refusal):
            await self._platform.call(
                persons.set_segments, ask, Caller(front_end=front_end, client="data platform", via="job")
            )

    async def _forget(self, persons: Persons, events: Sequence[Event]) -> None:
        await self.land()  # what the business still held when it forgot them is there first, and goes now
        guests = event_kind(PersonForgotten).name
        for event in events:
            if event.type == guests:
                await self._forget_guests(event)
                continue
            gone: Any = decode(event.data, persons.erased)
            for member_id in (gone.member_id, *getattr(gone, "merged_ids", ())):
                key: dict[str, object] = {"front_end": event.front_end, "member_id": str(member_id)}
                await self._erased(persons.entity, key)
                if self.one_id is not None:
                    record = f"{event.front_end}/{member_id}"
                    await asyncio.to_thread(self.one_id.forget, record, self._clock())

    async def _forget_guests(self, event: Event) -> None:
        """Erase rows of who is no member: what packs named when they forgot them."""
        gone = decode(event.data, PersonForgotten)
        named = () if gone.member_ids else gone.references  # of members the lake finds all by itself
        for entity in (self._data.model.entity(one) for one in self._guests if one in self._data.model.entities):
            (own,) = (part for part in entity.key if part != "front_end")
            for reference in named:
                await self._erased(entity.name, {"front_end": event.front_end, own: reference}, is_person=False)

    async def _erased(self, entity: str, key: dict[str, object], *, is_person: bool = True) -> None:
        """Erase a person, or what is theirs, from the lake, again where another process landed meanwhile."""
        erase = partial(self._data.erase, entity, key, self._clock(), is_person=is_person)
        for _ in range(LAND_TRIES - 1):
            with suppress(errors.Conflict):
                await asyncio.to_thread(erase)
                return
        await asyncio.to_thread(erase)


async def landed(
    data: DataPlatform, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Landing:
    """Land when no other process of the platform does, and look what is too old. Raises Conflict after some tries."""
    async with _alone(database):
        landing = await _landed(data.lander(database))
    stale = await asyncio.to_thread(lambda: quality.stale(data.model, data.lake.newest(), clock()))
    found = await asyncio.to_thread(lambda: own_findings(data.metrics, data.brought(Rule), clock()))
    broken = tuple(str(one) for one in found if not one.holds)
    return landing.replace(stale=tuple(stale), broken=broken)


@asynccontextmanager
async def _alone(database: Database) -> AsyncGenerator[None]:
    """Hold the one landing of the platform; the database lets go of it with whoever held it and was killed.

    The lock lasts as long as its connection, so it has one of its own: those of the pool are given to others.
    """
    ends = asyncio.get_running_loop().time() + LAND_TURN_S
    connection = await cast(Any, asyncpg).connect(  # it says nothing of its types
        database.url, server_settings={"application_name": "isthmus landing"}
    )
    try:
        while not await connection.fetchval(_TAKE_LANDING):
            if asyncio.get_running_loop().time() > ends:
                raise errors.Conflict("another landing of this platform is running", remedy="look again when it ends")
            await asyncio.sleep(LAND_WAIT_S)
        yield
    finally:
        await connection.close()


async def _landed(lander: Lander) -> Landing:
    for _ in range(LAND_TRIES - 1):
        with suppress(errors.Conflict):
            return await lander.land()
        await asyncio.sleep(LAND_WAIT_S)
    return await lander.land()


async def landed_apart(command: Sequence[str], database_url: str) -> Landing:
    """Land in a process of its own, with this one's folder and settings. Raises Unavailable with what it said."""
    ended = await run_child(
        command,
        env={**os.environ, "ISTHMUS_DATABASE_URL": database_url},
        limit_s=LAND_LIMIT_S,
        niceness=LAND_NICENESS,
    )
    if ended.is_late:
        raise errors.Unavailable(f"landing did not end within {LAND_LIMIT_S} s", remedy="it is tried again in time")
    if not ended.out:
        said = ended.complaint.decode(errors="replace").strip()[-500:]
        raise errors.Unavailable(f"landing ended with {ended.code}: {said}", remedy="it is tried again in time")
    return decode(ended.out, Landing)
