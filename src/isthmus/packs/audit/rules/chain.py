"""Links and heads: what of an entry is hashed, what of a head is signed, and what tells one list from another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from . import merkle

_EMPTY: Final = msgspec.Raw(b'""')

What = Literal["altered", "removed", "inserted"]

SEARCHED_MAX = 64  # entries: how far a list is searched for where it goes on as the other does


def first_link(front_end: str) -> bytes:
    """Return what the first entry of a front end is linked to."""
    return hashlib.sha256(f"isthmus audit {front_end}".encode()).digest()


def lines(contents: Iterable[bytes]) -> str:
    """Return entries as lines. JSON breaks lines between values only, where a space says the same."""
    return b"\n".join([content.replace(b"\n", b" ") for content in contents]).decode()


def link(before: bytes, content: str) -> bytes:
    """Return the link of an entry: of the one before, and of every byte that it says."""
    return hashlib.sha256(before + content.encode()).digest()


def signed(size: int, at: datetime, root: merkle.Hash) -> bytes:
    """Return what the signature of a head is over."""
    return f"isthmus audit head\n{size}\n{at.astimezone(UTC).isoformat()}\n{root.hex()}\n".encode()


class Searched(msgspec.Struct, frozen=True):
    """What entries are searched by, as their content says it."""

    at: datetime
    call: str
    capability: str
    outcome: str
    client: str = ""
    person: str = ""
    via: str = ""


class Place(msgspec.Struct):
    """An entry's place, and the columns that repeat its content, as JSON that nobody reads on the way."""

    at: msgspec.Raw
    call: msgspec.Raw
    capability: msgspec.Raw
    outcome: msgspec.Raw
    client: msgspec.Raw = _EMPTY
    person: msgspec.Raw = _EMPTY
    via: msgspec.Raw = _EMPTY
    id: int = 0  # what it had while it was pending
    position: int = 0
    front_end: str = ""
    number: int = 0
    link: str = ""


class Cut(msgspec.Struct, frozen=True):
    """Up to which number an entry of retention says that content went."""

    through: int


def searched(content: str) -> dict[str, Any]:
    """Return what the columns beside an entry's content repeat of it."""
    return msgspec.structs.asdict(_searched.decode(content))


def place(content: str, id_: int, position: int, front_end: str, number: int, link: bytes) -> Place:
    """Return an entry at its place."""
    made = _place.decode(content)
    made.id, made.position, made.front_end, made.number, made.link = id_, position, front_end, number, link.hex()
    return made


def cut_through(content: str) -> int:
    """Return up to which number content went, as an entry of retention says it."""
    return _cut.decode(content).through


_cut = msgspec.json.Decoder(Cut)
_place = msgspec.json.Decoder(Place)
_searched = msgspec.json.Decoder(Searched)


def classify(ours: Sequence[bytes], published: Sequence[bytes]) -> What:
    """Say what happened where two lists begin to differ: theirs was published, ours is what there is now."""
    after, before = ours[1 : 1 + SEARCHED_MAX], published[1 : 1 + SEARCHED_MAX]
    if ours and (not published or published[0] in after):
        return "inserted"
    if published and (not ours or ours[0] in before):
        return "removed"
    return "altered"
