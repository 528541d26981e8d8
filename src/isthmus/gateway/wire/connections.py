"""What a connection may cost before anybody is known: bytes and time of a request's head, connections of an address.

    connected ──▶ head ──▶ body ──▶ answer ──▶ (kept for the next head)
       │ per address,  │ HEAD_LIMIT_S  │ BODY_LIMIT_S  │ UNREAD_LIMIT_S
       │ and in all    │ HEAD_BYTES_MAX│ (its size: see body.py)

All counts are of one server process. Behind a proxy every connection comes from the proxy's address.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from isthmus.kernel import errors

from .problem import CONTENT_TYPE, BodyTooSlow, Busy, HeadTooLarge, problem

HEAD_BYTES_MAX: Final = 32 << 10  # request line and headers: the largest of honest clients have a quarter of it
HEADERS_MAX: Final = 100
PIPELINED_MAX: Final = 64  # requests that wait for the answer of one before them: each takes as much as a call
HEAD_LIMIT_S: Final = 10.0  # for a head, from its first byte or from the connection on
BODY_LIMIT_S: Final = 90.0  # for the body: longer than the longest limit of those who read one, a deploy's 60 s
UNREAD_LIMIT_S: Final = 60.0  # so long a client may leave an answer unread
PER_ADDRESS_MAX: Final = 1_024  # a proxy needs as many as calls may be in flight
CONNECTIONS_MAX: Final = 4_096
LOOK_EVERY_S: Final = 1.0  # one look over all connections costs less than a timer for each request


class Doors:
    """Counts who is inside, and looks once a second for those who have stood there for too long."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._inside: set[LimitedConnection] = set()
        self._by_address: Counter[str] = Counter()
        self._is_looking = False

    def enter(self, one: LimitedConnection) -> bool:
        """Let a connection in, or return False where there are too many."""
        if len(self._inside) >= one.connections_max or self._by_address[one.address] >= one.per_address_max:
            return False
        self._inside.add(one)
        self._by_address[one.address] += 1
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_later(LOOK_EVERY_S, self._look)
        return True

    def leave(self, one: LimitedConnection) -> None:
        if one in self._inside:
            self._inside.discard(one)
            self._by_address[one.address] -= 1
            if not self._by_address[one.address]:
                del self._by_address[one.address]

    def _look(self) -> None:
        now = self._loop.time()
        for one in [*self._inside]:
            one.check(now)
        self._is_looking = bool(self._inside)
        if self._is_looking:
            self._loop.call_later(LOOK_EVERY_S, self._look)


_doors: WeakKeyDictionary[asyncio.AbstractEventLoop, Doors] = WeakKeyDictionary()
_closing: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event] = WeakKeyDictionary()


def closing() -> asyncio.Event:
    """Return what is set when the server stops: an answer without an end has to end then."""
    return _closing.setdefault(asyncio.get_running_loop(), asyncio.Event())


class LimitedConnection(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, within the limits above."""

    head_limit_s: ClassVar[float] = HEAD_LIMIT_S
    per_address_max: ClassVar[int] = PER_ADDRESS_MAX
    connections_max: ClassVar[int] = CONNECTIONS_MAX

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._is_in_head = True
        self._heads = 0  # that were whole
        self._head_bytes = self._coming = 0  # of this one so far, and with what is being read
        self._framing_bytes = 0  # of a body in chunks: what came since its last byte, such as trailers
        self._waits_since = self.loop.time()  # for the rest of a head or body; 0: for nothing
        self._unread_since = 0.0
        self._refusal: errors.IsthmusError | None = None
        if self.loop not in _doors:
            _doors[self.loop] = Doors(self.loop)
        if not _doors[self.loop].enter(self):
            self._refuse(Busy("too many connections are open", remedy="close some, then try again", retry_after_s=10))

    def connection_lost(self, exc: Exception | None) -> None:
        _doors[self.loop].leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        was_in_head, heads, self._coming = self._is_in_head, self._heads, self._head_bytes + len(data)
        self._framing_bytes += 0 if was_in_head else len(data)
        if was_in_head and not self._waits_since:
            self._waits_since = self.loop.time()
        super().data_received(data)
        if was_in_head and self._is_in_head and heads == self._heads:  # the end of a body is no head
            self._head_bytes = self._coming
            if self._coming > HEAD_BYTES_MAX and self._refusal is None:
                self._refuse(_too_large())
        elif not self._is_in_head and self._framing_bytes > HEAD_BYTES_MAX and self._refusal is None:
            self._refuse(_too_large())

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:  # nobody reads trailers
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= PIPELINED_MAX:
            self._refusal = Busy("too many requests wait on this connection", remedy="wait for answers")
            raise self._refusal
        if self._coming > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX:
                self._refusal = _too_large()
                raise self._refusal  # ends the parser, which has `send_400_response` called
        self._is_in_head = False
        self._heads += 1
        self._head_bytes = self._framing_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_head, self._waits_since = True, 0.0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._refusal is None:
            super().send_400_response(msg)
        else:
            self._refuse(self._refusal)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._refusal is not None and not self._is_answering():
            self.transport.close()

    def shutdown(self) -> None:
        closing().set()
        super().shutdown()

    def pause_writing(self) -> None:
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = 0.0
        super().resume_writing()

    def check(self, now: float) -> None:
        """Close the connection where it has been waited for too long."""
        if self._unread_since and now - self._unread_since > UNREAD_LIMIT_S:
            self.transport.abort()
        elif self._waits_since and now - self._waits_since > (self.head_limit_s if self._is_in_head else BODY_LIMIT_S):
            if not self._is_in_head:
                self.transport.abort()
            elif not self._is_answering():  # while it is answered, the next head may wait
                self._end_slow()

    def _end_slow(self) -> None:
        if self._head_bytes:
            limit = f"{self.head_limit_s:g} s"
            self._refuse(BodyTooSlow(f"the head did not arrive within {limit}", remedy="send it faster", path="$"))
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete  # no cycle before the first head

    def _refuse(self, error: errors.IsthmusError) -> None:
        """Refuse what is read with an answer; where others are due before, those are given, and then it is closed."""
        self._refusal = error
        if self.pipeline or (self._is_in_head and self._is_answering()):
            return
        if not self._is_in_head and self.cycle.response_started:
            self.transport.abort()
            return
        found = problem(error, "none")
        headers: list[tuple[bytes, bytes]] = [(b"content-type", CONTENT_TYPE), (b"connection", b"close")]
        headers += [(b"content-length", b"%d" % len(found.body)), *(one for one in found.headers if one not in headers)]
        head = b"".join(b"%b: %b\r\n" % one for one in headers)
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[found.status], head, found.body))
        self.transport.close()


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(
        f"request line and headers are over {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} headers",
        remedy="send what is long in the body",
        path="$",
    )
