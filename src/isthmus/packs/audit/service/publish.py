"""Heads where the platform cannot take them back: lines at the end of a file, or posts to a receiver.

A line has what was sealed since the line before: `leaves`, so that whoever has the lines can name the entry that was
changed, and not only say that one was.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from isthmus.kernel import Value, decode, encode, errors, ports
from isthmus.values import Moment

from .. import api, storage
from ..rules import merkle

LEAVES_MAX: Final = 50_000  # of one line: 3 MB
POST_LIMIT_S: Final = 10


class Line(Value):
    """A head as it is published, with the leaves since the one before, in hex."""

    size: int
    at: Moment
    root: str
    key: str
    signature: str
    leaves: tuple[str, ...]


class NotTaken(errors.Unavailable):
    """A receiver of heads did not take one."""

    slug = "audit.not-taken"


class Receiver(Protocol):
    """A receiver of heads, in order."""

    async def covered(self, session: ports.Session) -> int:
        """Return how many entries the last head covered that it took."""
        ...

    async def send(self, line: Line, session: ports.Session) -> int:
        """Send a head, and return how many entries it has got by then."""
        ...


@dataclass(frozen=True, slots=True)
class Grown:
    """A head, and the leaves since the head before: what was just sealed."""

    head: api.Head
    leaves: Sequence[bytes]


async def publish(receiver: Receiver, session: ports.Session, grown: Grown | None = None) -> int:
    """Tell a receiver of the newest head, with what it does not have of the tree; return the size.

    grown: what was just sealed; where that is all that the receiver does not have, nothing is read.
    Raises NotTaken where it does not take it, or has more than the log: then the log has been cut or exchanged.
    """
    # First: what another process seals and publishes meanwhile is in the head.
    covered = await receiver.covered(session)
    if grown is not None and covered == grown.head.size - len(grown.leaves):
        covered = await receiver.send(_line(grown.head, grown.leaves), session)
        if covered >= grown.head.size:
            return covered
    row = await storage.head(session)
    if row is None:
        return 0
    head = storage.head_of(row)
    if covered > head.size:
        raise NotTaken(
            f"{covered} entries were published, and the log has {head.size}",
            remedy="find out who took entries away: `isthmus security verify` names the first",
        )
    while covered < head.size:
        upto = min(covered + LEAVES_MAX, head.size)
        found = await storage.links(session, covered, upto)
        sent = head if upto == head.size else api.Head(size=upto, at=head.at, root="", key="", signature="")
        line = _line(sent, [merkle.leaf(link) for link in found])
        covered = await receiver.send(line, session)
    return head.size


def _line(head: api.Head, leaves: Sequence[bytes]) -> Line:
    said = tuple(leaf.hex() for leaf in leaves)
    return Line(size=head.size, at=head.at, root=head.root, key=head.key, signature=head.signature, leaves=said)


class HeadsFile:
    """A file that lines are added to; several processes of a machine may add to one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def covered(self, session: ports.Session) -> int:
        return await asyncio.to_thread(self._last)

    async def send(self, line: Line, session: ports.Session) -> int:
        """Add a line, and wait until the disk has it; a process that was quicker has added it already, or more."""
        return await asyncio.to_thread(self._add, line)

    def _add(self, line: Line) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if (last := self._last()) != line.size - len(line.leaves):
                return last
            file.write(encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return line.size

    def _last(self) -> int:
        """Return the size of the last whole line."""
        try:
            with self.path.open("rb") as file:
                return _last_size(file)
        except FileNotFoundError:
            return 0


class HeadsPost:
    """An HTTP receiver: each line is posted to it, and sent again until it says 2xx."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def covered(self, session: ports.Session) -> int:
        return await storage.covered(session, self.url)

    async def send(self, line: Line, session: ports.Session) -> int:
        import httpx  # here, as what is next: few publish to an address

        from isthmus.manifest.outbound import BoundedTransport

        try:
            async with httpx.AsyncClient(timeout=POST_LIMIT_S, transport=BoundedTransport()) as client:
                answer = await client.post(self.url, content=encode(line), headers={"content-type": "application/json"})
        except httpx.HTTPError as wrong:
            raise NotTaken(f"{self.url} does not answer: {wrong!r}", remedy="see that it runs") from wrong
        if not answer.is_success:
            raise NotTaken(f"{self.url} said {answer.status_code}", remedy="see its log for why it takes no head")
        await storage.note_covered(session, self.url, line.size)
        return line.size


def receiver_of(address: str, default: Path) -> Receiver:
    """Return the receiver, from an address of the settings: a file, or http(s)."""
    if address.startswith(("http://", "https://")):
        return HeadsPost(address)
    return HeadsFile(Path(address) if address else default)


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file of heads. Raises BadAsk for one that is none, but for a last one that is not whole."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.endswith(b"\n"):
                return
            try:
                yield decode(text, Line)
            except errors.BadAsk as wrong:
                raise errors.BadAsk(
                    f"line {number} of {path} is no head: {wrong.message}", remedy="take the file as it was written"
                ) from None


def _last_size(file: Any) -> int:
    """Return the size in the last whole line of an open file."""
    end = file.seek(0, os.SEEK_END)
    block = 1 << 16
    while True:
        start = max(0, end - block)
        file.seek(start)
        whole: Sequence[bytes] = file.read(end - start).split(b"\n")[:-1]
        if len(whole) > 1 or (whole and start == 0):
            return msgspec.json.decode(whole[-1])["size"]
        if start == 0:
            return 0
        block *= 4
