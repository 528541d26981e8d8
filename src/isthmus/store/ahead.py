"""What is sent ahead of a statement, and not waited for: PostgreSQL answers it on the way to the statement's answer.

asyncpg sends a message and waits for its answer before it sends the next, so what begins a transaction and locks its
rows took a round trip of its own before the first reading. PostgreSQL needs no such wait: it reads one message after
the other. So the text is written to the socket, the statement behind it, and what PostgreSQL says of the text is taken
off here before asyncpg reads the rest. Where the text fails, the transaction is broken, and the statement behind it is
refused without having been run: whoever sent both asks `Sent.error` what was wrong.

    → begin; execute hold_saga (…); execute w4 (…)     → bind, execute, sync
    ← C C T D C T D C Z   taken off here               ← 2 D C Z   asyncpg's
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

import asyncpg

from .tenant import Tenant

T = TypeVar("T")

_HEAD: Final = 5  # bytes before a message's content: its kind, and its length without the kind
_FOR_ASYNCPG: Final = b"NSA"  # a notice, a setting that has changed, a word to who listens: they may come at any time
_ERROR: Final = ord("E")
_READY: Final = ord("Z")


class Sent:
    """A text that was sent ahead: whether PostgreSQL has answered it, and with which error."""

    __slots__ = ("error", "is_answered")

    def __init__(self) -> None:
        self.is_answered = False
        self.error: asyncpg.PostgresError | None = None


class Ahead(asyncio.Protocol):
    """Stands between a connection's socket and asyncpg, and lets through what is not the answer to what went ahead."""

    def __init__(self, inner: Any, transport: Any) -> None:
        self._inner = inner
        self._transport = transport
        self._open: deque[Sent] = deque()  # in the order in which PostgreSQL answers
        self._left = b""  # of a message that has not come to its end
        transport.set_protocol(self)

    def send(self, text: str) -> Sent:
        """Send a text of statements without arguments. Only who sends a statement next, on the same connection, may."""
        content = text.encode() + b"\0"
        self._transport.write(b"Q" + (len(content) + 4).to_bytes(4, "big") + content)
        sent = Sent()
        self._open.append(sent)
        return sent

    def data_received(self, data: bytes) -> None:
        if self._open:
            data = self._taken_off(data)
        if data:
            self._inner.data_received(data)

    def _taken_off(self, data: bytes) -> bytes:
        """Return what asyncpg is to read of what came."""
        data, at, passed = self._left + data, 0, b""
        size = len(data)
        while self._open and at + _HEAD <= size:
            end = at + 1 + int.from_bytes(data[at + 1 : at + _HEAD], "big")
            if end > size:
                break
            kind = data[at]
            if kind in _FOR_ASYNCPG:
                passed += data[at:end]
            elif kind == _ERROR:
                self._open[0].error = _error_of(data[at + _HEAD : end])
            elif kind == _READY:
                self._open.popleft().is_answered = True
            at = end
        self._left = data[at:] if self._open else b""
        return passed if self._open else passed + data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


async def behind(ahead: str, connection: Any, tenant: Tenant, statement: Callable[[Any], Awaitable[T]]) -> T:
    """Send a statement behind what goes ahead of it, in one round trip; raise what is wrong with either."""
    sent: Sent = connection.ahead.send(ahead)
    try:
        return await statement(connection)
    except asyncpg.PostgresError:
        if sent.error is not None:  # the statement was refused for it
            raise sent.error from None
        raise
    finally:
        if not sent.is_answered:
            tenant.is_given_up = True


def _error_of(content: bytes) -> asyncpg.PostgresError:
    """Return what PostgreSQL said went wrong, as asyncpg has it: each field is a letter and a text that ends with 0."""
    fields = {chr(field[0]): field[1:].decode() for field in content.split(b"\0") if field}
    return cast(Any, asyncpg.PostgresError).new(fields)
