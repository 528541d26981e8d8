"""Proves that the log is what it was, or names the first entry that is not: whoever holds the database cannot hide it.

What was published decides where it is given; without it, the links in the database and the signatures of its heads do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from isthmus.kernel import ports

from .. import api, storage
from ..rules import chain, merkle
from .keys import is_signed, key_id
from .publish import Line, read_lines

HEADS_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The first entry that is not as it was, and how that shows."""

    what: str  # altered, removed, inserted, or unsigned: a head whose signature is none
    position: int
    because: str
    front_end: str = ""
    number: int = 0
    call: str = ""
    capability: str = ""

    def __str__(self) -> str:
        where = f"entry {self.number} of {self.front_end} (position {self.position})" if self.front_end else ""
        who = f", {self.capability} of call {self.call}," if self.call else ""
        return f"{where or f'the entry at position {self.position}'}{who} was {self.what}: {self.because}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was looked at, and what is wrong."""

    entries: int
    heads: int
    published: int
    pending: int
    cut: Mapping[str, int]  # by front end, up to which number content went under its retention
    finding: Finding | None


@dataclass(slots=True)
class _Chain:
    """The chain of one front end, as far as it is read."""

    number: int
    link: bytes
    before: bytes  # the link before that
    lacking: Finding | None = None  # the first entry without content
    last_lacking: int = 0
    cut: int = 0


@dataclass(slots=True)
class _Published:
    """The leaves of all lines, and the roots that they lead to by size."""

    leaves: list[bytes] = field(default_factory=list[bytes])
    heads: dict[int, tuple[bytes, bool]] = field(default_factory=dict[int, tuple[bytes, bool]])


async def verify(session: ports.Session, *, lines: Path | None, key: Ed25519PublicKey) -> Report:
    """Read the whole log, and everything that was published of it. Raises BadAsk where that cannot be read."""
    published = _read(lines, key)
    heads = published.heads or await _heads(session, key)
    reading = _Reading(published.leaves, heads)
    async for row in storage.read_all(session):
        if reading.finding is None:
            await reading.take(row, session)
    reading.finish()
    return Report(
        entries=reading.size,
        heads=len(heads),
        published=len(published.leaves),
        pending=await storage.count_pending(session),
        cut={code: one.cut for code, one in reading.chains.items() if one.cut},
        finding=reading.finding,
    )


class _Reading:
    """The log as it is read, entry by entry, until the first that is not as it was."""

    def __init__(self, published: Sequence[bytes], heads: Mapping[int, tuple[bytes, bool]]) -> None:
        self.published, self.heads = published, heads
        self.chains: dict[str, _Chain] = {}
        self.size = 0
        self.frontier: tuple[bytes, ...] = ()
        self.finding: Finding | None = None

    async def take(self, row: ports.Row, session: ports.Session) -> None:
        """Look at the next entry."""
        leaf = merkle.leaf(row["link"])
        if row["position"] != self.size:
            self.finding = Finding(what="removed", position=self.size, because="the position is empty")
        elif self.size < len(self.published) and self.published[self.size] != leaf:
            self.finding = await self._classified(row, session)
        else:
            self.finding = self._out_of_line(row)
        self.frontier = merkle.grown(self.size, self.frontier, [leaf])
        self.size += 1
        if self.finding is None and (head := self.heads.get(self.size)) is not None:
            self.finding = self._wrong_head(head, row)

    def finish(self) -> None:
        """Look at what is not there any more, or must not be."""
        if self.finding is None and self.size < max(len(self.published), *self.heads, 0):
            because = f"{max(len(self.published), *self.heads)} were signed, and {self.size} are left"
            self.finding = Finding(what="removed", position=self.size, because=because)
        lacking = [one.lacking for one in self.chains.values() if one.lacking and one.last_lacking > one.cut]
        if self.finding is None and lacking:
            self.finding = min(lacking, key=lambda one: one.position)

    async def _classified(self, row: ports.Row, session: ports.Session) -> Finding:
        upto = self.size + chain.SEARCHED_MAX + 1
        ours = [merkle.leaf(link) for link in await storage.links(session, self.size, upto)]
        what = chain.classify(ours, self.published[self.size : upto])
        if what == "removed":
            because = "what was published at this position is gone, and what follows it stands there"
            return Finding(what=what, position=self.size, because=because)
        return _found(row, what, "another entry was published at this position")

    def _out_of_line(self, row: ports.Row) -> Finding | None:
        """Say what is wrong with an entry's place in the chain of its front end, and with its columns."""
        code, content = row["front_end"], row["content"]
        first = chain.first_link(code)
        own = self.chains.setdefault(code, _Chain(0, first, first))
        if row["number"] != own.number + 1:
            what = "removed" if row["number"] > own.number + 1 else "inserted"
            place = own.number + 1 if what == "removed" else row["number"]
            because = f"after entry {own.number} comes entry {row['number']}"
            return Finding(what=what, position=self.size, because=because, front_end=code, number=place)
        if content is None:
            own.lacking = own.lacking or _found(row, "removed", "its content is gone, and no retention took it")
            own.last_lacking = row["number"]
        elif chain.link(own.link, content) != row["link"]:
            if own.number and chain.link(own.before, content) == row["link"]:
                because = "the one after it follows the one before it"
                return Finding(
                    what="inserted", position=self.size - 1, because=because, front_end=code, number=own.number
                )
            return _found(row, "altered", "what it says does not give its link")
        else:
            wrong = [name for name, said in chain.searched(content).items() if row[name] != said]
            if wrong:
                return _found(row, "altered", f"its column {wrong[0]} is not what it says")
            if row["capability"] == api.CUT:
                own.cut = max(own.cut, chain.cut_through(content))
        own.before, own.link, own.number = own.link, row["link"], row["number"]
        return None

    def _wrong_head(self, head: tuple[bytes, bool], row: ports.Row) -> Finding | None:
        root, is_valid = head
        if not is_valid:
            return _found(row, "unsigned", "the head over it and all before it has no valid signature of this key")
        if root != merkle.frontier_root(self.frontier):
            return _found(row, "altered", "it, or one since the signed head before, is not what was signed")
        return None


def _found(row: ports.Row, what: str, because: str) -> Finding:
    return Finding(
        what=what, position=row["position"], because=because, front_end=row["front_end"], number=row["number"],
        call=row["call"], capability=row["capability"],
    )  # fmt: skip


def _read(lines: Path | None, key: Ed25519PublicKey) -> _Published:
    found = _Published()
    for line in _lines(lines):
        found.leaves += [bytes.fromhex(leaf) for leaf in line.leaves]
        if line.root:
            root = bytes.fromhex(line.root)
            said = chain.signed(line.size, line.at, root)
            is_valid = line.key == key_id(key) and is_signed(key, bytes.fromhex(line.signature), said)
            found.heads[line.size] = root, is_valid
    return found


def _lines(path: Path | None) -> Iterator[Line]:
    return iter(()) if path is None or not path.exists() else read_lines(path)


async def _heads(session: ports.Session, key: Ed25519PublicKey) -> dict[int, tuple[bytes, bool]]:
    """Return the heads of the database, each with whether this key has signed it."""
    found: dict[int, tuple[bytes, bool]] = {}
    after = 0
    while rows := await storage.heads(session, after, HEADS_PAGE):
        for row in rows:
            said = chain.signed(row["size"], row["at"], row["root"])
            found[row["size"]] = row["root"], row["key"] == key_id(key) and is_signed(key, row["signature"], said)
        after = rows[-1]["size"]
    return found
