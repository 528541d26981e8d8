"""What is written down of a command: with its transaction where it was accepted, by itself where it was refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from isthmus.kernel import Caller, Capability, Effect, encode, errors, ports
from isthmus.kernel.host import Call, event_kind, new_call_id
from isthmus.manifest import Place
from isthmus.manifest.actions import EVERYWHERE
from isthmus.store import Database

from .. import api, storage
from ..rules import chain
from ..rules.masks import masked
from .entries import page_of
from .rows import Rows

# In bytes. What is longer is kept as its SHA-256: orders of many lines would make the log longer than all their rows.
ASK_MAX: Final = 8_192
DATA_MAX: Final = 1_024  # of one event, or of the answer where there is none: prices, stock, members, states fit
CHANGES_MAX: Final = 8_192
WAITING_MAX: Final = 10_000  # refusals that wait to be written down: more than calls may be in flight in one server

_NOTHING: Final = msgspec.Raw(b"{}")

Done = tuple[Call, Any, Sequence[ports.EventRow]]  # a command, its answer, and its events
Written = tuple[str, str, str]  # the front end, the entry's content, and what its rows were noted under, if any were


class _Change(msgspec.Struct, omit_defaults=True):
    """`api.Change`, as it is written."""

    event: str
    subject: str
    data: msgspec.Raw
    left_out: str = ""


class _Content(msgspec.Struct, omit_defaults=True):
    """`api.Record`, as it is written: without what is empty, and with what is JSON already."""

    call: str
    at: datetime
    front_end: str
    capability: str
    outcome: str
    version: str = ""
    box: str = ""
    client: str = ""
    person: str = ""
    roles: tuple[str, ...] = ()
    via: str = ""
    trace: str = ""
    reason: str = ""
    path: str = ""
    ask: msgspec.Raw = _NOTHING
    changes: list[_Change] = []
    answer: msgspec.Raw | None = None
    left_out: str = ""


class Journal:
    """Writes an entry for each command: the kernel's port."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock
        self._rows: Rows | None = None
        self._waiting: list[tuple[Written, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    def watching(self, call: Call) -> tuple[str, str, str] | tuple[()]:
        """Return the statement by which the rows that a command changes are noted; none for what is not watched."""
        rows = self._rows_of(call)
        return (storage.WATCH, _noted_for(call), rows.masks(call.plan.line.front_end)) if rows.is_watched(call) else ()

    def _rows_of(self, call: Call) -> Rows:
        if self._rows is None or self._rows.release is not call.platform.release:
            self._rows = Rows(call.platform.release)
        return self._rows

    def entries(self, done: Sequence[Done]) -> tuple[str, str, str]:
        """Return the statement that writes the entries of accepted commands of one front end."""
        front_end = done[0][0].plan.front_end
        if len(done) == 1:
            call, content = done[0][0], self._accepted(*done[0]).decode()
            is_watched = self._rows_of(call).is_watched(call)
            return (
                (storage.ADD_WITH_ROWS, content, _noted_for(call)) if is_watched else (storage.ADD, front_end, content)
            )
        return storage.ADD_LINES, front_end, chain.lines(self._accepted(*one) for one in done)

    def _accepted(self, call: Call, answer: Any, events: Sequence[ports.EventRow]) -> bytes:
        capability, caller, own = call.offered.capability, call.caller, call.plan.line.front_end.attributes.get
        ask, left_out = _short(masked(encode(call.ask), capability.ask, own), ASK_MAX)
        answered = None
        if not events:
            answered, more = _short(masked(encode(answer), capability.answer, own), DATA_MAX)
            left_out = left_out or more
        return encode(_Content(
            call.id, call.now, caller.front_end, capability.name, api.DONE, capability.version, call.plan.box,
            caller.client, caller.person, caller.roles, caller.via, caller.trace,
            ask=ask, changes=_changes(call, events), answer=answered, left_out=left_out,
        ))  # fmt: skip

    async def refused(
        self, capability: Capability[Any, Any], ask: Any, caller: Caller, call_id: str, error: Exception
    ) -> None:
        """Write that a command was refused, together with others that are. Raises NotWrittenDown."""
        slug = error.slug if isinstance(error, errors.IsthmusError) else type(error).__name__
        reason = error.message if isinstance(error, errors.NotPermitted) else ""  # others may quote what is personal
        kept, left_out = _asked(ask, capability)
        content = encode(_Content(
            call_id, self._clock(), caller.front_end, capability.name, slug, capability.version, "",
            caller.client, caller.person, caller.roles, caller.via, caller.trace,
            reason, getattr(error, "path", None) or "", ask=kept, left_out=left_out,
        ))  # fmt: skip
        try:
            noted = _of_call(call_id) if capability.effect is Effect.SAGA else ""
            await self._write((caller.front_end, content.decode(), noted))
        except errors.IsthmusError as failed:
            raise api.NotWrittenDown(refused=slug, because=failed.message) from error

    def act(self, name: str, caller: Caller, said: Mapping[str, Any], outcome: str = api.DONE) -> tuple[str, str, str]:
        """Return the statement that writes what was done, or refused, that is no capability's call."""
        ask, left_out = _short(encode(dict(said)), ASK_MAX)
        now = self._clock()
        made = _Content(
            call=new_call_id(now), at=now, front_end=caller.front_end, capability=name, outcome=outcome,
            client=caller.client, person=caller.person, roles=caller.roles, via=caller.via, ask=ask, left_out=left_out,
        )  # fmt: skip
        return storage.ADD, caller.front_end, encode(made).decode()

    async def note(self, record: api.Record) -> None:
        """Write an entry of the platform's own."""
        await self._write((record.front_end, encode(record).decode(), ""))

    async def everywhere(self, ask: api.ListEntries) -> api.EntryPage:
        """Return what was done that is of no single front end. Whoever calls this has asked who may see it."""
        async with self._database.platform() as session:
            return await page_of(session, EVERYWHERE, ask)

    async def _write(self, one: Written) -> None:
        if len(self._waiting) >= WAITING_MAX:
            raise errors.Unavailable(f"{WAITING_MAX} refusals wait to be written down", remedy="send it again later")
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((one, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting())
        await done

    async def _write_waiting(self) -> None:
        """Write what waits, all of it in one statement, until nothing does."""
        try:
            while self._waiting:
                found, self._waiting = self._waiting, []
                failed = await self._outcome([one for one, _ in found])
                for done in (done for _, done in found if not done.done()):
                    done.set_result(None) if failed is None else done.set_exception(failed)
        finally:
            self._writing = None

    async def _outcome(self, found: Sequence[Written]) -> Exception | None:
        try:
            async with self._database.platform() as session:
                await storage.add_many(session, found)
        except Exception as error:
            return error
        return None


def _noted_for(call: Call) -> str:
    return _of_call(call.id)


def _of_call(call_id: str) -> str:
    """Return what rows of a call are noted under: a flow that begins again has another id behind its own."""
    return call_id.partition("/")[0]


def journal_at(place: Place) -> Journal:
    return Journal(place.database)


def _asked(ask: Any, capability: Capability[Any, Any]) -> tuple[msgspec.Raw, str]:
    """Return what is kept of a refused ask: of one that could not be read nothing but its digest."""
    if not isinstance(ask, bytes):
        return _short(masked(encode(ask), capability.ask, _undeclared), ASK_MAX)
    try:
        read = msgspec.json.decode(ask, type=capability.ask)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _NOTHING, hashlib.sha256(ask).hexdigest()
    return _short(masked(encode(read), capability.ask, _undeclared), ASK_MAX)


def _undeclared(_: str) -> None:
    """Nothing is known of a front end's attributes where a call did not come to its plan."""


def _changes(call: Call, events: Sequence[ports.EventRow]) -> list[_Change]:
    """Return what a command caused."""
    front_end = call.plan.line.front_end
    found: list[_Change] = []
    known, room = call.platform.release.events, CHANGES_MAX
    for event in events:
        data, left_out = event.data, ""
        if len(data) <= min(DATA_MAX, room):
            contract = known.get(event.type) or {event_kind(one).name: one for one in front_end.events}[event.type]
            data, left_out = _short(masked(data, contract, front_end.attributes.get), DATA_MAX)
            room -= len(event.data)
        else:
            data, left_out = _NOTHING, hashlib.sha256(data).hexdigest()
        found.append(_Change(event=event.type, subject=event.subject, data=data, left_out=left_out))
    return found


def _short(data: bytes, most: int) -> tuple[msgspec.Raw, str]:
    """Return JSON that is short enough to be kept, or nothing and its digest."""
    return (msgspec.Raw(data), "") if len(data) <= most else (_NOTHING, hashlib.sha256(data).hexdigest())
