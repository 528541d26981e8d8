"""Answers go to the socket whole: the server writes head and body apart, and each write is a system call."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from .connections import LimitedConnection

GATHERED_MAX: Final = 1 << 16  # bytes that wait: a body in pieces is not kept in memory until it ends


class CoalescingTransport:
    """A transport that writes at once what comes within one turn of the event loop."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._gathered: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._gathered.append(data)
        self._size += len(data)
        if self._size > GATHERED_MAX:
            self._flush()
        elif len(self._gathered) == 1:
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._gathered:
            if not self._transport.is_closing():  # who has hung up reads nothing more
                self._transport.write(b"".join(self._gathered))
            self._gathered.clear()
            self._size = 0


class WholeAnswers(LimitedConnection):
    """HTTP/1.1 as uvicorn speaks it, with each answer in one write."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, CoalescingTransport(transport)))
