"""The flags that a process has in memory: all of a front end in one version, and the next one a moment after a change.

put_flag ──commit, notify──▶ every process reads all flags of the front end in one statement, and swaps one reference
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec

from isthmus.kernel import Caller, Value, decode, errors, ports
from isthmus.manifest import Events, Persons, Place, brought
from isthmus.store import Consumer, Database, Event, listen

from .. import api, storage
from ..rules.evaluation import BrokenFlag, Found, Snapshot
from ..rules.targeting import SEGMENTS, TARGETING_KEY, TIMESTAMP

CONSUMER: Final = "flags"
LOOK_EVERY_S: Final = 5.0  # for a word of a change that was lost with a connection
KEPT_EVERY_S: Final = 0.5
EXPOSURES_MAX: Final = 50_000  # kept in memory while the database is away; more are dropped, and it is logged
OFF: Final = "off"
SWITCH: Final = "flag."  # what conditions of answers call a flag by

Exposure = tuple[str, str, str, str, str]  # front end, flag, experiment, subject, variant

log = logging.getLogger("isthmus.packs.flags")


class FlagStore:
    """All flags that this process has been asked for, and who was exposed to which variant."""

    def __init__(self, database: Database, persons: Persons | None = None) -> None:
        self._database = database
        self._persons = persons
        self._snapshots: dict[str, Snapshot] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._is_following = False
        self._rung: set[str] = set()
        self._bell = asyncio.Event()
        self._exposures: dict[Exposure, datetime] = {}
        self._noted: set[Exposure] = set()

    async def run(self, events: Events) -> None:
        """Follow changes and events until cancelled, as each server does."""
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(listen(self._database.url, self._ring, channel=storage.CHANNEL))
                work.create_task(self._follow())
                work.create_task(self._keep())
                work.create_task(
                    events.follow(Consumer(name=CONSUMER, deliver=self._note_outcomes, is_from_start=False))
                )
        finally:
            self._is_following = False
            with suppress(errors.IsthmusError):
                await self.keep_exposures()

    async def snapshot(self, front_end: str, *, at_least: int = 0) -> Snapshot:
        """Return a front end's flags. at_least: the version that somebody has heard of from another server."""
        found = self._snapshots.get(front_end)
        is_known = found is not None and found.version >= at_least
        if found is not None and is_known and (self._is_following or not await self._is_behind(found)):
            return found
        return await self._read(front_end)

    async def front_end_of(self, channel: str) -> str | None:
        """Return whose changes a channel tells of."""
        async with self._database.platform() as session:
            return await storage.front_end_of(session, channel)

    async def wait_past(self, front_end: str, version: int, seconds: float) -> int:
        """Return the version of a front end's flags once it is past one, or after so long."""
        found = await self.snapshot(front_end)
        if found.version <= version:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.setdefault(front_end, asyncio.Event()).wait()
        return self._snapshots[front_end].version

    async def context(
        self, snapshot: Snapshot, key: str, attributes: Mapping[str, Any], now: datetime
    ) -> dict[str, Any]:
        """Return what rules look at: what whoever asks says of themselves, and what the platform knows."""
        found = {**attributes, TARGETING_KEY: key or None, TIMESTAMP: int(now.timestamp()), SEGMENTS: ()}
        if snapshot.has_segments:
            found[SEGMENTS] = await self.segments_of(snapshot.front_end, key)
        return found

    async def segments_of(self, front_end: str, key: str) -> frozenset[str]:
        """Return the segments that a member is in; nothing for who is none."""
        with suppress(ValueError):
            member = UUID(key)
            if self._persons is not None and self._persons.segments:
                async with self._database.platform() as session:
                    found = await session.fetch_value(self._persons.segments, front_end, member)
                return frozenset(found or ())
        return frozenset()

    async def known_segments(self, front_end: str) -> list[str]:
        """Return the segments that any member of a front end is in."""
        if self._persons is None or not self._persons.known_segments:
            return []
        async with self._database.platform() as session:
            rows = await session.fetch(self._persons.known_segments, front_end)
        return sorted(str(row[0]) for row in rows)

    async def values(
        self, known: Mapping[str, Sequence[str]], ask: Any, caller: Caller, now: datetime
    ) -> dict[str, str]:
        """Return the variant that each flag has for a call, of those that answers go by; `off` where it has none."""
        snapshot = await self.snapshot(caller.front_end)
        key = _whose(ask, caller)
        context = await self.context(snapshot, key, _attributes(ask), now)
        chosen: dict[str, str] = {}
        for name, values in known.items():
            found = snapshot.find(name.removeprefix(SWITCH), context)
            self.note(snapshot, found, key, now)
            chosen[name] = found.value.variant if found.value.variant in values else OFF
        return chosen

    def note(self, snapshot: Snapshot, found: Found, key: str, now: datetime) -> None:
        """Have somebody counted as exposed, where they are part of an experiment; written a moment later."""
        if not found.is_split or not key:
            return
        one = exposure(snapshot, found, key)
        if one not in self._noted and len(self._exposures) < EXPOSURES_MAX:
            self._exposures.setdefault(one, now)

    async def keep_exposures(self) -> None:
        """Write down who was exposed since the last time."""
        if not self._exposures:
            return
        rows = dict(self._exposures)
        async with self._database.platform() as session:
            await storage.expose(session, [(*one, at) for one, at in rows.items()])
        for one in rows:
            self._exposures.pop(one, None)
        self._noted = (self._noted if len(self._noted) < EXPOSURES_MAX else set()) | set(rows)

    async def _is_behind(self, known: Snapshot) -> bool:
        """Return whether there is a later version; where the database is away, what is known has to do."""
        try:
            async with self._database.platform() as session:
                now = await storage.versions(session, [known.front_end])
        except errors.Unavailable:
            return False
        return now.get(known.front_end, 0) > known.version

    def _ring(self, *said: object) -> None:
        """Hear of a change: of the front end that is named last, or of any."""
        self._rung.add(str(said[-1]) if said else "*")
        self._bell.set()

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._bell.wait()
            self._bell.clear()
            rung, self._rung = self._rung, set()
            try:
                await self._catch_up(rung or {"*"})
                self._is_following = True
            except errors.IsthmusError as error:
                log.warning("flags cannot be read, the last ones stay: %s", error)
                self._rung.add("*")
                await asyncio.sleep(1.0)

    async def _catch_up(self, rung: set[str]) -> None:
        asked = self._snapshots if "*" in rung else self._snapshots.keys() & rung
        async with self._database.platform() as session:
            now = await storage.versions(session, list(asked))
        for front_end in asked:
            if now.get(front_end, 0) > self._snapshots[front_end].version:
                await self._read(front_end)

    async def _read(self, front_end: str) -> Snapshot:
        async with self._database.platform() as session:
            row = await storage.snapshot(session, front_end)
        made = snapshot_of(front_end, row)
        known = self._snapshots.get(front_end)
        if known is not None and known.version >= made.version:
            return known  # of two that read at once, the later version stays
        self._snapshots[front_end] = made
        if (waiting := self._changed.pop(front_end, None)) is not None:
            waiting.set()
        return made

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEPT_EVERY_S)
            try:
                await self.keep_exposures()
            except errors.IsthmusError as error:
                log.warning("%d exposures are not written down yet: %s", len(self._exposures), error)

    async def _note_outcomes(self, batch: Sequence[Event]) -> None:
        """Note what came of experiments whose goal an event is, for who met them before."""
        rows: list[tuple[Any, ...]] = []
        for event in batch:
            snapshot = await self.snapshot(event.front_end)
            for flag in snapshot.flags.values():
                own = flag.flag.experiment
                if own is not None and own.goal == event.type and (row := _outcome(event, flag.flag.key, own)):
                    rows.append(row)
        if rows:
            await self.keep_exposures()  # who met it in this process a moment ago is known first
            async with self._database.platform() as session:
                await storage.add_outcomes(session, rows)


def snapshot_of(front_end: str, row: ports.Row) -> Snapshot:
    """Return all flags of a front end as a row of the database has them; what cannot be read is a broken flag."""
    flags: list[api.Flag] = []
    broken: list[BrokenFlag] = []
    for one in msgspec.json.decode(row["flags"], type=list[_Stored]):
        try:
            flags.append(decode(bytes(one.body), api.Flag))
        except errors.BadAsk as wrong:
            broken.append(BrokenFlag(one.key, str(wrong)[:300]))
    return Snapshot(front_end, row["version"], row["channel"], flags, broken)


class _Stored(Value):
    key: str
    body: msgspec.Raw


def exposure(snapshot: Snapshot, found: Found, key: str) -> Exposure:
    """Return who met what, as it is kept."""
    own = snapshot.flags[found.value.key].flag.experiment
    name = "" if own is None else own.name
    return snapshot.front_end, found.value.key, name, subject_of(snapshot.front_end, key), found.value.variant


def subject_of(front_end: str, key: str) -> str:
    """Return what stands for somebody in experiments: it can be compared, and names nobody."""
    return hashlib.sha256(f"{front_end}/{key}".encode()).hexdigest()


def store_at(place: Place) -> FlagStore:
    """Make the flags of a process."""
    return FlagStore(place.database, next(iter(brought(place.packs, Persons)), None))


def _outcome(event: Event, flag: str, own: api.Experiment) -> tuple[Any, ...] | None:
    data = msgspec.json.decode(event.data)
    subject = _field(data, own.subject)
    value = 1.0 if own.value is None else _field(data, own.value)
    if not isinstance(subject, str) or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    whose = subject_of(event.front_end, subject)
    return event.front_end, flag, own.name, event.id, whose, float(value), event.time


def _field(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = cast("dict[str, Any]", data).get(name) if isinstance(data, dict) else None
    return data


def _whose(ask: Any, caller: Caller) -> str:
    """Return whose call it is: the member that the ask names, itself or as its buyer; else who is signed in."""
    member = getattr(ask, "member_id", None) or getattr(getattr(ask, "buyer", None), "member_id", None)
    return str(member) if member else caller.person or caller.client


def _attributes(ask: Any) -> dict[str, Any]:
    """Return the plain fields of an ask, by name, as rules may look at them."""
    fields = getattr(ask, "__struct_fields__", ())
    found = {name: getattr(ask, name) for name in fields}
    return {name: value for name, value in found.items() if isinstance(value, str | int | float | bool)}
