"""HTTP: `POST /v1/{pack}.{capability}` by hand, as every call passes here; few other routes beside it.

    request → who calls (key → client) → may it now (rate) → body → Platform.call_wire → answer or problem document

Any path that is not the gateway's own goes to what is mounted there.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

from isthmus.kernel import Platform, errors
from isthmus.kernel.host import BoundCapability, Trace
from isthmus.screens import parts_of
from isthmus.values import whole_number

from .allowances import Allowances
from .auth import Clients, Principal
from .pages import Pages, Reply
from .ready import Readiness
from .screens import calls_of, kept_answer
from .telemetry.logs import call_now
from .telemetry.traces import TraceStore
from .wire.body import ClientGone, Receive, check_is_json, read_body
from .wire.problem import CONTENT_TYPE, Busy, MethodNotAllowed, NoSuchPath, RateExceeded, WrongHeader, problem
from .wire.rate import Bucket, Rate

if TYPE_CHECKING:
    from .telemetry.otel import Tracing

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
OnTrace = Callable[[Trace], None]

log = logging.getLogger("isthmus.gateway")

CALLS: Final = "/v1/"
CALL_METHODS: Final = "POST, OPTIONS"
PAGE_METHODS: Final = "GET, HEAD, OPTIONS"
NOT_KEPT: Final = (b"cache-control", b"no-store")
DEADLINE_MIN_MS: Final = 100  # a call may need this under load: a shorter one would only make failures
DEADLINE_MAX_MS: Final = 600_000  # nobody waits longer than ten minutes for an answer

_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server process bears; each is there to keep one client from hurting the others."""

    body_bytes_max: int = 1 << 20  # a basket of 1,000 lines is a tenth of it
    body_limit_s: float = 10
    calls_max: int = 1_000  # in flight at once; more would only wait for a database connection
    rate: Rate = field(default_factory=lambda: Rate(per_s=2_000, burst=4_000))  # of one client


@dataclass(slots=True)
class Request:
    """One request, and the headers that its answer will have, whatever it is."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    receive: Receive
    call_id: str
    sent: Headers


class Gateway:
    """The ASGI application of one server process.

    mounts: further applications by path prefix, such as `/console`; each authenticates for itself.
    notes_calls: lines of the log say of which call they are. tracing: makes spans of calls.
    """

    def __init__(
        self,
        platform: Platform,
        clients: Clients,
        trace_store: TraceStore,
        readiness: Readiness,
        *,
        mounts: Mapping[str, App] | None = None,
        limits: Limits | None = None,
        notes_calls: bool = False,
        tracing: Tracing | None = None,
        allowances: Allowances | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.platform = platform
        self._clients = clients
        self._trace_store = trace_store
        self._pages = Pages(platform, trace_store, readiness, lambda: [prefix for prefix, _ in self._mounts])
        self._mounts = sorted((mounts or {}).items(), key=lambda mount: -len(mount[0]))
        self._limits = limits or Limits()
        self._notes_calls = notes_calls
        self._tracing = tracing
        self._clock = clock
        self._allowances = allowances
        self._buckets: dict[tuple[str, str, Rate], Bucket] = {}  # as many as there are clients, and rates of keys
        self._running: dict[tuple[str, str], int] = {}  # of clients whose keys say how many at once
        self._in_flight = 0

    def mount(self, prefix: str, app: App) -> None:
        """Hand what is asked below a path to another application."""
        self._mounts = sorted([*self._mounts, (prefix, app)], key=lambda mount: -len(mount[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if scope["type"] == "http":
            if scope["method"] == "POST" and path.startswith(CALLS):
                return await self._serve(scope, receive, send, self._call)
            if not (mounted := self._mounted(path)):
                return await self._serve(scope, receive, send, self._page)
        elif not (mounted := self._mounted(path)):
            return await send({"type": "websocket.close", "code": 1000})
        prefix, app = mounted
        return await app({**scope, "root_path": scope.get("root_path", "") + prefix}, receive, send)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, answer: Callable[[Request], Awaitable[Reply]]
    ) -> None:
        call_id = self.platform.new_call_id()
        sent: Headers = [(b"isthmus-call", call_id.encode()), NOT_KEPT]
        request = Request(scope["method"], scope["path"], dict(scope["headers"]), receive, call_id, sent)
        try:
            reply = await answer(request)
        except ClientGone:
            return
        except Exception as error:
            found = problem(error, call_id)
            reply = Reply(status=found.status, content_type=CONTENT_TYPE, body=found.body, headers=found.headers)
        sent.append((b"content-type", reply.content_type))
        if reply.status != 304:
            sent.append((b"content-length", b"%d" % len(reply.body)))
        sent += reply.headers
        await send({"type": "http.response.start", "status": reply.status, "headers": sent})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else reply.body})

    async def _call(self, request: Request) -> Reply:
        if self._in_flight >= self._limits.calls_max:
            raise Busy(
                f"{self._in_flight} calls are running already", remedy="send it again in a moment", retry_after_s=1
            )
        self._in_flight += 1
        try:
            key, name = request.headers.get(b"authorization"), request.path[len(CALLS) :]
            client = await self._admitted(key, request.sent, name)
            at_once = client.limit.at_once
            return await (self._one_of(at_once, client, request) if at_once else self._call_of(client, request))
        finally:
            self._in_flight -= 1

    async def _one_of(self, at_once: int, client: Principal, request: Request) -> Reply:
        """Answer a client whose key says how many of its calls run at once."""
        who, called = (client.front_end, client.name), request.path[len(CALLS) :]
        calls, running = calls_of(self.platform.release, who[0], called) or 1, self._running.get(who, 0)
        if running and running + calls > at_once:  # a screen of more parts than that is asked alone
            raise RateExceeded(
                f"client {client.name!r} has {running} calls running, and its key allows {at_once}",
                remedy="wait for an answer before you send the next",
                path="Authorization",
                retry_after_s=1,
            )
        self._running[who] = running + calls
        try:
            return await self._call_of(client, request)
        finally:
            self._running[who] -= calls

    async def _call_of(self, client: Principal, request: Request) -> Reply:
        if self._notes_calls:
            call_now.set((request.call_id, client.front_end, client.name))
        if not self._is_call(request.path) and self._pages.find(request.path):
            raise MethodNotAllowed(request.method, request.path, PAGE_METHODS)
        headers = request.headers
        check_is_json(headers)
        limits = self._limits
        body = await read_body(request.receive, headers, bytes_max=limits.body_bytes_max, limit_s=limits.body_limit_s)
        name = request.path[len(CALLS) :]
        line = self.platform.release.lines.get(client.front_end)  # what is deployed meanwhile may not have it
        called = line.offered.get(name) if line else None
        if self._tracing is None:
            answer, is_replay = await self._answered(request, client, name, body, _traced(request), None)
        else:
            parent = headers.get(b"traceparent", b"").decode("latin-1")
            async with self._tracing.call(name, request.call_id, client.front_end, client.name, parent) as span:
                request.sent.append((b"traceparent", span.traceparent.encode()))
                sampled = span.describe if span.is_sampled else None
                answer, is_replay = await self._answered(request, client, name, body, span.traceparent, sampled)
        if is_replay:
            request.sent.append((b"idempotency-replayed", b"true"))
        request.sent += _leaving(called)
        if called is None or not parts_of(called.implementation):
            return Reply(body=answer)
        request.sent.remove(NOT_KEPT)
        return kept_answer(answer, headers)

    async def _answered(
        self, request: Request, client: Principal, name: str, body: bytes, trace: str, sampled: OnTrace | None
    ) -> tuple[bytes, bool]:
        """Return the answer, and whether it had been given before. sampled: is called with it, where it is."""
        caller = client.caller("http", request.headers, trace)
        headers, traces = request.headers, list[Trace]()
        is_traced = _wants_trace(headers)
        kept: list[Trace] = []
        try:
            return await self.platform.call_wire(
                name,
                body,
                caller,
                key=_key(headers),
                deadline_ms=_deadline_ms(headers),
                call_id=request.call_id,
                on_trace=traces.append if is_traced or sampled else None,
            )
        except errors.Fault as fault:
            kept = traces if traces and is_traced else [self._failed(request, client, fault)]
            raise
        finally:
            if sampled and traces:
                sampled(traces[-1])
            for one_trace in kept or (traces if is_traced else ()):
                await self._trace_store.keep(one_trace)

    def _failed(self, request: Request, client: Principal, fault: errors.Fault) -> Trace:
        """Return what is kept of a call that failed: the reason, which its answer does not tell, without its ask."""
        line, name = self.platform.release.line(client.front_end), request.path[len(CALLS) :]
        version = line.find(name).capability.version
        return Trace(
            call_id=request.call_id,
            capability=name,
            version=version,
            front_end=client.front_end,
            box=client.front_end,
            fingerprint=line.fingerprint,
            ask=None,
            now=self.platform.clock().isoformat(),
            error=f"{fault.slug}: {fault}",
        )

    async def admit(self, authorization: bytes | None, name: str = "") -> Principal:
        """Return who an Authorization header names, and take from what they have left what a call of this name takes.

        That is one, and for a screen one for each part: it is never cheaper than what it is made of.
        """
        return await self._admitted(authorization, [], name)

    async def _admitted(self, authorization: bytes | None, sent: Headers, name: str = "") -> Principal:
        client = await self._clients.of(authorization, name)
        calls = calls_of(self.platform.release, client.front_end, name) or 1
        now = self._clock()
        rate = client.limit.rate or self._limits.rate
        who = client.front_end, client.name, rate
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = Bucket(rate, now)
        is_free = bucket.take(now, calls)
        sent.append((b"ratelimit-policy", rate.policy))
        sent.append((b"ratelimit", bucket.field))
        if not is_free:
            raise RateExceeded(
                f"client {client.name!r} has made all calls that it may make for now",
                remedy=f"wait {bucket.wait_s} s, and spread calls over time",
                path="Authorization",
                retry_after_s=bucket.wait_s,
            )
        if self._allowances is not None:
            await self._allowances.take("key", f"{client.front_end}/{client.name}", calls)
        return client

    async def _page(self, request: Request) -> Reply:
        """Answer everything but a call: GET and HEAD of the few pages, OPTIONS, and what does not exist."""
        path = request.path
        page = self._pages.find(path)
        if page is None and not self._is_call(path):
            raise NoSuchPath(f"there is nothing at {path}", remedy="see /docs for what there is", path=path)
        allowed = CALL_METHODS if page is None else PAGE_METHODS
        if request.method == "OPTIONS":
            return Reply(status=204, headers=((b"allow", allowed.encode()),))
        if page is None or request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(request.method, path, allowed)
        client = None
        if not page.is_open:
            client = await self._admitted(request.headers.get(b"authorization"), request.sent)
        return await page.show(client)

    def _is_call(self, path: str) -> bool:
        return path.startswith(CALLS) and path[len(CALLS) :] in self.platform.release.offered

    def _mounted(self, path: str) -> tuple[str, App] | None:
        for prefix, app in self._mounts:
            if path == prefix or path.startswith(f"{prefix}/"):
                return prefix, app
        return None


def _leaving(called: BoundCapability | None) -> Headers:
    """Return the headers for a caller of a deprecated capability (RFC 9745, RFC 8594)."""
    gone = called.capability.deprecated if called else None
    if gone is None:
        return []
    since = datetime.combine(gone.since, datetime.min.time(), UTC)
    sunset = datetime.combine(gone.sunset, datetime.min.time(), UTC)
    return [
        (b"deprecation", b"@%d" % since.timestamp()),
        (b"sunset", format_datetime(sunset, usegmt=True).encode()),
        (b"link", f'<{CALLS}{gone.instead}>; rel="successor-version"'.encode()),
    ]


def asgi(start: Callable[[], AbstractAsyncContextManager[App]]) -> App:
    """Return an application for a server: it opens with the server's lifespan, and closes when that ends."""
    return _Opening(start)


class _Opening:
    """Waits for the lifespan's start, then hands every request to the application that was opened."""

    def __init__(self, start: Callable[[], AbstractAsyncContextManager[App]]) -> None:
        self._start = start
        self._app: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        else:
            raise errors.Fault("the server sends requests before its lifespan", remedy="run it with lifespan=on")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                self._app = await stack.enter_async_context(self._start())
            except Exception as error:
                is_traced = isinstance(error, errors.IsthmusError | errors.BuildProblems)  # in words, with what to do
                if not is_traced:
                    log.error("the platform cannot start", exc_info=error)
                message = f"the platform cannot start: {error}" if is_traced else ""  # the server prints it
                await send({"type": "lifespan.startup.failed", "message": message})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self._app = None
        await send({"type": "lifespan.shutdown.complete"})


def _key(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the idempotency key: as it is, or in the quotes that its draft standard wants."""
    sent = headers.get(b"idempotency-key")
    if sent is None:
        return None
    key = sent.decode("latin-1")
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key


def _deadline_ms(headers: Mapping[bytes, bytes]) -> int | None:
    sent = headers.get(b"isthmus-deadline-ms")
    if sent is None:
        return None
    found = whole_number(sent.decode("latin-1"), DEADLINE_MIN_MS, DEADLINE_MAX_MS)
    if found is None:
        raise WrongHeader(
            f"Isthmus-Deadline-Ms is {sent.decode('latin-1')!r}",
            remedy=f"send a whole number from {DEADLINE_MIN_MS} to {DEADLINE_MAX_MS}, or leave it out",
            path="Isthmus-Deadline-Ms",
        )
    return found


def _wants_trace(headers: Mapping[bytes, bytes]) -> bool:
    sent = headers.get(b"isthmus-explain", b"false").lower()
    if sent not in (b"true", b"false"):
        raise WrongHeader(
            f"Isthmus-Explain is {sent.decode('latin-1')!r}",
            remedy="send true, or leave it out",
            path="Isthmus-Explain",
        )
    return sent == b"true"


def _traced(request: Request) -> str:
    """Return the call's place in a trace (W3C Trace Context): the caller's trace goes on, or one begins here."""
    sent = _TRACEPARENT.match(request.headers.get(b"traceparent", b""))
    own = request.call_id.replace("-", "")
    trace = f"00-{sent[1].decode()}-{own[16:]}-{sent[2].decode()}" if sent else f"00-{own}-{own[16:]}-00"
    request.sent.append((b"traceparent", trace.encode()))
    return trace
