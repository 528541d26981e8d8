"""Flags over OFREP, the OpenFeature Remote Evaluation Protocol: any OpenFeature SDK connects as it is.

    POST /ofrep/v1/evaluate/flags/KEY    one flag: counts as an exposure where it is in an experiment
    POST /ofrep/v1/evaluate/flags        all flags, with an ETag; `If-None-Match` is answered with 304
    GET  /ofrep/v1/events?channel=…      server-sent events: `refetchEvaluation` when something has changed
    GET  /ofrep/v1/configuration         what this server can do

A key of a front end says whose flags they are; its scopes need `flags.evaluate-flag` or `flags.evaluate-all`. The
stream's address comes with all flags: browsers send no key to a stream, and it says a version and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec

from isthmus.kernel import Caller, Meta, Platform, Value, decode, errors
from isthmus.manifest.actions import check
from isthmus.manifest.sites import Door, SiteClient

from .. import api
from ..rules.targeting import TARGETING_KEY
from ..service.store import FlagStore

PATH: Final = "/ofrep/v1"
ONE: Final = f"{PATH}/evaluate/flags/"
ALL: Final = f"{PATH}/evaluate/flags"
EVENTS: Final = f"{PATH}/events"
CONFIGURATION: Final = f"{PATH}/configuration"
BODY_BYTES_MAX: Final = 65_536  # a context is about one person
BODY_LIMIT_S: Final = 10.0
DEPTH_MAX: Final = 30
HEARTBEAT_S: Final = 15.0  # proxies end what is silent for longer, mostly after 30 s
STREAMS_MAX: Final = 2_000
STREAMS_PER_FRONT_END: Final = 500
RETRY_MS: Final = 2_000
INACTIVE_AFTER_S: Final = 120  # an app in the background closes its stream after so long
POLL_MIN_MS: Final = 1_000
ETAG_DIGITS: Final = 24

log = logging.getLogger("isthmus.packs.flags")

Send = Callable[[Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
_STATUS: Final[Mapping[type, int]] = {
    errors.BadAsk: 400, errors.NotAuthenticated: 401, errors.NotPermitted: 403, errors.NotFound: 404,
    errors.TooMany: 429, errors.Trouble: 503,
}  # fmt: skip


class Asked(msgspec.Struct):
    """The body of a request; what else it holds is of later versions of the protocol."""

    context: dict[str, Any] | None = None


class EventQuery(Value):
    """The address of a stream."""

    channel: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


def site(platform: Platform, door: Door) -> Ofrep:
    """Return the application."""
    store = platform.resources[FlagStore]
    assert isinstance(store, FlagStore)
    return Ofrep(platform, store, door)


class Ofrep:
    """The ASGI application below `/ofrep`."""

    def __init__(self, platform: Platform, store: FlagStore, door: Door) -> None:
        self._platform = platform
        self._store = store
        self._door = door
        self._streams: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        path, method = scope["path"], scope["method"]
        try:
            if path == EVENTS and method == "GET":
                await self._stream(scope, receive, send)
                return
            status, body, more = await self._answered(path, method, scope, receive)
        except Exception as error:
            status, body, more = _failed(error, path)
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *more]
        if status == 304:
            head = more
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def _answered(self, path: str, method: str, scope: Any, receive: Any) -> tuple[int, bytes, Headers]:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if path == CONFIGURATION and method == "GET":
            await self._permitted(headers, api.evaluate_all)
            return 200, _CONFIGURATION, _NOT_KEPT
        if method != "POST" or not path.startswith(ALL):
            raise errors.NotFound(f"there is nothing for {method} at {path}", remedy=f"POST to {ALL}")
        if path.startswith(ONE):
            client = await self._permitted(headers, api.evaluate_flag)
            return await self._one(client, unquote(path.removeprefix(ONE)), await _context(receive))
        if path != ALL:
            raise errors.NotFound(f"there is nothing at {path}", remedy=f"POST to {ALL}")
        client = await self._permitted(headers, api.evaluate_all)
        return await self._all(client, await _context(receive), headers, scope)

    async def _permitted(self, headers: Mapping[bytes, bytes], capability: Any) -> SiteClient:
        """Return who asks, where they may. An X-API-Key is taken as a bearer's token is."""
        key = headers.get(b"authorization") or (b"Bearer " + headers[b"x-api-key"] if b"x-api-key" in headers else None)
        client = await self._door.admit(key)
        line = self._platform.release.line(client.front_end)
        if capability.name not in line.permitted or not client.may(capability.name):
            raise errors.NotPermitted(
                f"client {client.name!r} of {client.front_end!r} may not call {capability.name!r}",
                remedy="add it to uses=[...] of the front end, and to the scopes of the key",
            )
        caller = Caller(front_end=client.front_end, client=client.name, scopes=client.scopes, via="ofrep")
        await check(self._platform, caller, capability)
        return client

    async def _one(self, client: SiteClient, key: str, given: Mapping[str, Any]) -> tuple[int, bytes, Headers]:
        snapshot = await self._store.snapshot(client.front_end)
        who = _key_of(given)
        now = self._platform.clock()
        context = await self._store.context(snapshot, who, given, now)
        found = snapshot.find(key, context)
        self._store.note(snapshot, found, who, now)
        status = 200 if not found.value.error_code else 404 if found.value.error_code == "FLAG_NOT_FOUND" else 400
        return status, found.wire, _NOT_KEPT

    async def _all(
        self, client: SiteClient, given: Mapping[str, Any], headers: Mapping[bytes, bytes], scope: Any
    ) -> tuple[int, bytes, Headers]:
        heard = _heard(scope["query_string"])  # from another server's stream: this one may not have it yet
        snapshot = await self._store.snapshot(client.front_end, at_least=heard)
        context = await self._store.context(snapshot, _key_of(given), given, self._platform.clock())
        flags = b",".join([one.wire for one in snapshot.find_all(context)])
        etag = b'"%d-%s"' % (snapshot.version, hashlib.blake2b(flags).hexdigest()[:ETAG_DIGITS].encode())
        more = [(b"etag", etag), *_PRIVATE]
        if etag in (one.strip() for one in headers.get(b"if-none-match", b"").split(b",")):
            return 304, b"", more
        stream = _stream_of(scope, headers, snapshot.channel)
        body = b'{"flags":[%b],"eventStreams":[%b],"metadata":{"version":%d}}' % (flags, stream, snapshot.version)
        return 200, body, more

    async def _stream(self, scope: Any, receive: Any, send: Send) -> None:
        """Say when there is another version, until the reader goes."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        channel = decode(json.dumps({"channel": query.get("channel", "")}).encode(), EventQuery).channel
        front_end = await self._store.front_end_of(channel)
        if front_end is None:
            raise errors.NotFound("there is no such stream", remedy="take its address from the answer to all flags")
        if self._streams.total() >= STREAMS_MAX or self._streams[front_end] >= STREAMS_PER_FRONT_END:
            raise errors.TooMany("too many streams are open", remedy="ask again with If-None-Match, or later")
        self._streams[front_end] += 1
        head = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            last = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
            ends: list[asyncio.Task[Any]] = [
                asyncio.create_task(self._say(front_end, int(last) if last.isdigit() else None, send)),
                asyncio.create_task(_gone(receive)),
                asyncio.create_task(self._door.closing().wait()),
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in ends:
                    task.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
            with suppress(Exception):  # who has gone reads no end
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._streams[front_end] -= 1

    async def _say(self, front_end: str, last: int | None, send: Send) -> None:
        await _part(send, b"retry: %d\n\n" % RETRY_MS)
        version = (await self._store.snapshot(front_end)).version if last is None else last
        while True:
            now = await self._store.wait_past(front_end, version, HEARTBEAT_S)
            if now <= version:
                await _part(send, b": still here\n\n")
                continue
            version = now
            said = json.dumps({"type": "refetchEvaluation", "etag": str(version)})
            await _part(send, b"id: %d\ndata: %b\n\n" % (version, said.encode()))


_NOT_KEPT: Final[Headers] = [(b"cache-control", b"no-store")]
_PRIVATE: Final[Headers] = [(b"cache-control", b"private, no-cache"), (b"vary", b"Authorization")]
_CONFIGURATION: Final = json.dumps(
    {
        "name": "isthmus",
        "capabilities": {
            "cacheInvalidation": {"polling": {"enabled": True, "minPollingIntervalMs": POLL_MIN_MS}},
            "flagEvaluation": {"supportedTypes": ["int", "float", "string", "boolean", "object"]},
            "caching": {"enabled": False},
        },
    }
).encode()


async def _context(receive: Any) -> Mapping[str, Any]:
    """Return the context of a request. Raises BadAsk."""
    body = b""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            while True:
                part = await receive()
                body += part.get("body", b"")
                if len(body) > BODY_BYTES_MAX:
                    raise errors.BadAsk(f"the context is larger than {BODY_BYTES_MAX} bytes", remedy="send less of it")
                if not part.get("more_body") or part["type"] == "http.disconnect":
                    break
    except TimeoutError:
        raise errors.BadAsk(f"the body did not come within {BODY_LIMIT_S:g} s", remedy="send it faster") from None
    if body.count(b"{") + body.count(b"[") > DEPTH_MAX * 10:
        raise errors.BadAsk("the context has too many parts", remedy="send what rules look at")
    if not body.strip():
        return {}
    try:
        return _READ.decode(body).context or {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        raise errors.BadAsk(f"the body is no context: {wrong}", remedy='send {"context": {…}}') from None


_READ: Final = msgspec.json.Decoder(Asked)


def _key_of(given: Mapping[str, Any]) -> str:
    key = given.get(TARGETING_KEY, "")
    return key if isinstance(key, str) else str(key)


def _heard(query: bytes) -> int:
    if b"flagConfigEtag" not in query:
        return 0
    said = dict(parse_qsl(query.decode("latin-1"))).get("flagConfigEtag", "").strip('"').partition("-")[0]
    return int(said) if said.isdigit() and len(said) < 18 else 0


def _stream_of(scope: Any, headers: Mapping[bytes, bytes], channel: str) -> bytes:
    """Return where changes are said, at the address that the client came by."""
    host = headers.get(b"host", b"").decode("latin-1")
    url = f"{scope.get('scheme', 'http')}://{host}{EVENTS}?channel={channel}"
    return json.dumps({"type": "sse", "url": url, "inactivityDelaySec": INACTIVE_AFTER_S}).encode()


def _failed(error: Exception, path: str) -> tuple[int, bytes, Headers]:
    """Return an error as the protocol has it; what is a fault of ours says nothing of itself."""
    if not isinstance(error, errors.IsthmusError):
        log.error("flags could not be answered over OFREP", exc_info=error)
        error = errors.Fault("flags could not be answered", remedy="look at the server's log")
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    code = {400: "INVALID_CONTEXT", 404: "FLAG_NOT_FOUND"}.get(status, "GENERAL")
    details = str(error) if status < 500 or isinstance(error, errors.Trouble) else "this server has a defect"
    said = {"errorCode": code, "errorDetails": details}
    if path.startswith(ONE):
        said["key"] = unquote(path.removeprefix(ONE))[:100]
    wait_s = error.facts.get("retry_after_s")
    more = [(b"retry-after", b"%d" % (wait_s if isinstance(wait_s, int) else 1))] if status in (429, 503) else []
    return status, json.dumps(said).encode(), [*more, *_NOT_KEPT]


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
