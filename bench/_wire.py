"""The wire between a server and PostgreSQL, tapped: a socket that passes all on, and counts round trips.

A round trip is something sent, and the wait for its answer: whoever sends two messages and then waits for both makes
one. So what is counted is how often the server speaks after PostgreSQL has, and nothing is asked of either side.
PostgreSQL says `ready for query` (Z) after each message. `heard` is told of that before it is passed on: what ends a
process there leaves the statement done and unheard, which is where a kill between two statements falls.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

CHUNK = 1 << 16
_NAME = ".s.PGSQL.5432"


class Tap:
    """Counts what passes; `url` leads through it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.round_trips = 0
        self.answers = 0  # one for each message
        self.heard: Callable[[int], None] = lambda _: None

    def count(self, kinds: bytes) -> None:
        """Take note of what PostgreSQL sent: the kinds of its messages."""
        for _ in range(kinds.count(b"Z")):
            self.answers += 1
            self.heard(self.answers)


class _Messages:
    """Finds the kinds of messages in a stream that comes in pieces."""

    def __init__(self) -> None:
        self._left = b""
        self._skip = 0

    def kinds(self, data: bytes) -> bytes:
        found = bytearray()
        data = self._left + data
        at = self._skip
        while at + 5 <= len(data):
            found.append(data[at])
            at += 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        self._left, self._skip = (data[at:], 0) if at < len(data) else (b"", at - len(data))
        return bytes(found)


@asynccontextmanager
async def tapped(url: str) -> AsyncGenerator[Tap]:
    """Give a tap before the PostgreSQL of a URL whose host is a folder with a socket."""
    split = urlsplit(url)
    folder = parse_qs(split.query)["host"][0]
    with tempfile.TemporaryDirectory(prefix="tap-") as own:
        tap = Tap(url.replace(quote(folder, safe=""), quote(own, safe="")).replace(folder, own))

        async def passing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_unix_connection(str(Path(folder) / _NAME))
            messages, is_answered = _Messages(), True

            def asked(_: bytes) -> None:
                nonlocal is_answered
                tap.round_trips += is_answered
                is_answered = False

            def answered(data: bytes) -> None:
                nonlocal is_answered
                is_answered = True
                tap.count(messages.kinds(data))

            back = asyncio.create_task(_passed(far_reader, writer, answered))
            await _passed(reader, far_writer, asked)
            await back

        server = await asyncio.start_unix_server(passing, str(Path(own) / _NAME))
        try:
            yield tap
        finally:
            server.close()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: Callable[[bytes], None]) -> None:
    try:
        while data := await reader.read(CHUNK):
            said(data)
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side is gone, and the other is told by the end of the stream
    finally:
        writer.close()
