"""Events for readers outside: the feed of what a front end may see, at once or as they come, and groups of readers.

    GET    /v1/events?after=&types=&limit=&wait=    events after a cursor, and the next cursor; `wait` for some seconds
    GET    /v1/events, Accept: text/event-stream    the same as they happen (server-sent events; Last-Event-ID)
    GET    /v1/events?group=&reader=                what a group has not committed; one reader has it at a time
    PUT    /v1/events/groups/NAME                   {"cursor": "…", "reader": "…"}: so far the group is
    GET    /v1/events/groups                        how far each group is
    DELETE /v1/events/groups/NAME                   a group that nobody reads with any more

A key reads where its scopes have `events.read`, or where it has none. A front end sees its own events and those that it
was granted (`isthmus.event_stream`). Personal data is masked by its contract: always in what others granted, and in the
front end's own where the scopes lack `events.personal`.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import msgspec

from isthmus.kernel import Meta, Platform, Value, decode, encode, errors
from isthmus.manifest.actions import READ_EVENTS, check
from isthmus.runtime.events.contracts import EventContracts
from isthmus.store import Database, Event, Feed, Reading, listen
from isthmus.values import whole_number

from .auth import Principal
from .wire.body import ClientGone, check_is_json, gone, read_body
from .wire.connections import closing
from .wire.problem import CONTENT_TYPE, Busy, MethodNotAllowed, NoSuchPath, problem

PATH: Final = "/v1/events"
GROUPS: Final = f"{PATH}/groups"
READ: Final = "events.read"
PERSONAL: Final = "events.personal"
COUNT: Final = 100
COUNT_MAX: Final = 1_000
TYPES_MAX: Final = 50
WAIT_MAX_S: Final = 30
PASSED_MAX: Final = 4  # readings without an event in one answer
CURSOR_MAX: Final = 10**18
HEARTBEAT_S: Final = 15.0  # proxies end what is silent for longer, mostly after 30 s
STREAMS_MAX: Final = 500  # open at once in one server process
STREAMS_PER_FRONT_END: Final = 50
RETRY_MS: Final = 2_000
BODY_BYTES_MAX: Final = 4_096
BODY_LIMIT_S: Final = 10.0

_TYPE: Final = re.compile(r"[a-z][a-z0-9-]{0,60}\.(\*|[a-z][a-z0-9-]{0,60})")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KNOWN: Final = ("after", "types", "limit", "wait", "group", "reader")

Admit = Callable[[bytes | None], Awaitable[Principal]]
Send = Callable[[Any], Awaitable[None]]
Headers = Mapping[bytes, bytes]


class WrongParameter(errors.BadAsk):
    """A parameter of the address cannot be read."""

    slug = "events.wrong-parameter"


class Commit(Value):
    """How far a group is: the cursor of what was read last. reader: who read it, as it was named then."""

    cursor: Annotated[str, Meta(pattern=r"^[0-9]{1,18}\Z")]
    reader: Annotated[str, Meta(max_length=64)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for by an address. No `after`: from the oldest that is kept, or from where the group is."""

    after: int | None
    is_from_now: bool
    types: tuple[str, ...]
    count: int
    wait_s: int
    group: str
    reader: str


class NewEvents:
    """Wakes who waits for events, in one process; `run` looks once for all of them."""

    def __init__(self, database: Database) -> None:
        self._url = database.url
        self._feed = Feed(database)
        self._rung = asyncio.Event()
        self._come = asyncio.Event()
        self._newest = 0

    async def run(self) -> None:
        """Listen until cancelled. Outlives a database that is away for a while."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(listen(self._url, lambda *_: self._rung.set()))
            loops.create_task(self._look())

    async def wait(self, seconds: float) -> None:
        """Return when there are new events, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._come.wait()

    async def _look(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            with suppress(errors.IsthmusError):
                newest = await self._feed.newest()
                if newest > self._newest:
                    self._newest = newest
                    come, self._come = self._come, asyncio.Event()
                    come.set()


class EventService:
    """The ASGI application below `/v1/events`. `admit` returns who a credential names, or refuses."""

    def __init__(self, platform: Platform, database: Database, admit: Admit, new: NewEvents) -> None:
        self._platform = platform
        self._feed = Feed(database)
        self._contracts = EventContracts(lambda: platform.release)
        self._admit = admit
        self._new = new
        self._streams: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        call_id = self._platform.new_call_id()
        head = [(b"isthmus-call", call_id.encode()), (b"cache-control", b"no-store")]
        try:
            headers: Headers = dict(scope["headers"])
            client = await self._admit(headers.get(b"authorization"))
            if not client.may(READ):
                raise errors.NotPermitted(
                    f"client {client.name!r} may not read events", remedy=f"use a key whose scopes have {READ!r}"
                )
            caller = client.caller("http", {})
            await check(self._platform, caller, READ_EVENTS)
            if scope["path"] == PATH and scope["method"] == "GET" and _wants_stream(headers):
                await self._stream(client, scope, headers, receive, send, head)
                return
            status, kind, body = await self._answered(client, scope, headers, receive)
        except ClientGone:
            return
        except Exception as error:
            found = problem(error, call_id)
            status, kind, body = found.status, CONTENT_TYPE, found.body
            head += found.headers
        head += [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answered(
        self, client: Principal, scope: Any, headers: Headers, receive: Any
    ) -> tuple[int, bytes, bytes]:
        path, method = scope["path"], scope["method"]
        if path == PATH:
            _check_method(scope, "GET", "HEAD")
            return 200, b"application/json", await self._page(client, _asked(scope))
        if path == GROUPS:
            _check_method(scope, "GET", "HEAD")
            return 200, b"application/json", encode({"groups": await self._feed.groups(client.front_end)})
        name = path.removeprefix(f"{GROUPS}/")
        if not path.startswith(f"{GROUPS}/") or not _NAME.fullmatch(name):
            raise NoSuchPath(f"there is nothing at {path}", remedy=f"read {PATH}", path=path)
        _check_method(scope, "PUT", "DELETE")
        if method == "DELETE":
            await self._feed.forget(client.front_end, name)
        else:
            check_is_json(headers)
            body = await read_body(receive, headers, bytes_max=BODY_BYTES_MAX, limit_s=BODY_LIMIT_S)
            said = decode(body, Commit)
            await self._feed.commit(client.front_end, name, _holder(client, said.reader), int(said.cursor))
        return 204, b"application/json", b""

    async def _page(self, client: Principal, asked: Asked) -> bytes:
        reading = await self._read(client, asked, await self._start(client, asked))
        if asked.wait_s and not reading.events:
            for _ in range(2):  # what is new may be somebody else's
                await self._new.wait(asked.wait_s / 2)
                reading = await self._read(client, asked, reading.through)
                if reading.events:
                    break
        events = [msgspec.Raw(self._shown(client, event)) for event in reading.events]
        return encode({"events": events, "cursor": str(reading.through), "has_more": reading.has_more})

    async def _start(self, client: Principal, asked: Asked) -> int:
        if asked.group:
            return await self._feed.hold(client.front_end, asked.group, _holder(client, asked.reader))
        if asked.is_from_now:
            return await self._feed.newest()
        return await self._feed.oldest() if asked.after is None else asked.after

    async def _read(self, client: Principal, asked: Asked, after: int) -> Reading:
        """Return the next events; pass what is of others without an answer in between, for a bounded while."""
        reading = await self._feed.read(client.front_end, after, asked.types, asked.count)
        for _ in range(PASSED_MAX):
            if reading.events or not reading.has_more:
                break
            reading = await self._feed.read(client.front_end, reading.through, asked.types, asked.count)
        return reading

    def _shown(self, client: Principal, event: Event) -> bytes:
        is_personal = event.front_end == client.front_end and client.may(PERSONAL) and not client.roles
        return self._contracts.cloud_event(event, is_personal=is_personal)

    async def _stream(
        self, client: Principal, scope: Any, headers: Headers, receive: Any, send: Send, head: list[tuple[bytes, bytes]]
    ) -> None:
        """Send events as they happen, until the reader goes or the server stops; what fails before is a problem."""
        asked = _asked(scope, headers.get(b"last-event-id"))
        with self._room(client.front_end):
            first = await self._read(client, asked, await self._start(client, asked))
            head += [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            sending = asyncio.create_task(self._send_all(client, asked, first, headers[b"authorization"], send))
            ends: list[asyncio.Task[Any]] = [
                sending,
                asyncio.create_task(gone(receive)),
                asyncio.create_task(closing().wait()),
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in ends:
                    task.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
                if asked.group:
                    await self._feed.leave(client.front_end, asked.group, _holder(client, asked.reader))
            with suppress(Exception):  # who has gone reads no end
                await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, client: Principal, asked: Asked, reading: Reading, key: bytes, send: Send) -> None:
        await _part(send, b"retry: %d\n\n" % RETRY_MS)
        clock = asyncio.get_running_loop().time
        checked_at = clock()
        while True:
            shown = [
                b"id: %d\nevent: %b\ndata: %b\n\n" % (event.position, event.type.encode(), self._shown(client, event))
                for event in reading.events
            ]
            # An id alone moves the reader's cursor past what is of others, and is no event to it.
            await _part(send, b"".join(shown) + b"id: %d\n\n" % reading.through)
            if not reading.has_more:
                await self._new.wait(HEARTBEAT_S)
            if asked.group:  # it is held as long as it is read
                await self._feed.hold(client.front_end, asked.group, _holder(client, asked.reader))
            if clock() >= checked_at + HEARTBEAT_S:
                client, checked_at = await self._admit(key), clock()  # a key that was revoked reads no further
            reading = await self._read(client, asked, reading.through)

    @contextmanager
    def _room(self, front_end: str) -> Generator[None]:
        """Count a stream as long as it is open. Raises Busy where there are too many."""
        if self._streams.total() >= STREAMS_MAX or self._streams[front_end] >= STREAMS_PER_FRONT_END:
            raise Busy("too many streams of events are open", remedy="close some, or ask with wait=", retry_after_s=10)
        self._streams[front_end] += 1
        try:
            yield
        finally:
            self._streams[front_end] -= 1


def _asked(scope: Any, last_event_id: bytes | None = None) -> Asked:
    """Return what an address asks for. Raises WrongParameter."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    for name in query.keys() - set(_KNOWN):
        raise _wrong(name, query[name], f"the parameters are {', '.join(_KNOWN)}")
    after = last_event_id.decode("latin-1") if last_event_id else query.get("after", "")
    group, reader = query.get("group", ""), query.get("reader", "")
    for name, value in (("group", group), ("reader", reader)):
        if value and not _NAME.fullmatch(value):
            raise _wrong(name, value, "use up to 64 letters, digits and ._-")
    if group and "after" in query:
        raise _wrong("after", after, "a group knows where it is: leave out one of both")
    types = tuple(one for one in query.get("types", "").split(",") if one)
    for one in types:
        if not _TYPE.fullmatch(one):
            raise _wrong("types", one, "name events as `PACK.EVENT`, or all of a pack as `PACK.*`")
    if len(types) > TYPES_MAX:
        raise _wrong("types", f"{len(types)} types", f"name at most {TYPES_MAX}, or all of a pack as `PACK.*`")
    is_from_now = after == "now"
    return Asked(
        after=_number("after", after, 0, CURSOR_MAX) if after and not is_from_now and not group else None,
        is_from_now=is_from_now and not group,
        types=types,
        count=_number("limit", query.get("limit", str(COUNT)), 1, COUNT_MAX),
        wait_s=_number("wait", query.get("wait", "0"), 0, WAIT_MAX_S),
        group=group,
        reader=reader,
    )


def _number(name: str, text: str, least: int, greatest: int) -> int:
    found = whole_number(text, least, greatest)
    if found is None:
        raise _wrong(name, text, f"give a whole number from {least} to {greatest}, such as the last `cursor`")
    return found


def _wrong(name: str, value: str, remedy: str) -> WrongParameter:
    return WrongParameter(f"{name[:40]} is {value[:100]!r}", remedy=remedy, path=name[:40])


def _holder(client: Principal, reader: str) -> str:
    return f"{client.name}/{reader}"


def _wants_stream(headers: Headers) -> bool:
    return b"text/event-stream" in headers.get(b"accept", b"")


def _check_method(scope: Any, *allowed: str) -> None:
    if scope["method"] not in allowed:
        raise MethodNotAllowed(scope["method"], scope["path"], ", ".join(allowed))


async def _part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
