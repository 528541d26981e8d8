"""Recorded calls that came along with a pack, sent again: which are answered otherwise than they were?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from isthmus.kernel import Pack, Value, decode
from isthmus.store import Database

from .calling import Calls
from .given import made, said_in
from .messages import NOTHING, Emitted, Forwarded, Refused


class Answered(Value):
    """One call and what the pack said: `answer` with its events, or the words of its refusal."""

    capability: str
    call: Forwarded
    answer: msgspec.Raw = NOTHING
    refused: str = ""
    events: tuple[Emitted, ...] = ()


async def differing(pack: Pack, url: str, file: Path, settings: str = "") -> list[str]:
    """Return what is answered otherwise than it was, a sentence each; what calls write is undone.

    settings: the file of the pack's own, where it has one.
    """
    found: list[str] = []
    async with await Database.open(url) as database:
        calls = Calls(pack, database, made(pack, database, said_in(settings)))
        for one in read(file):
            replied = await calls.reply(one.capability, one.call)
            asked = replied.wanted.question if replied.wanted else ""
            said = f"asks {asked}" if asked else words(replied.refused) or _together(replied.answer, replied.events)
            was = one.refused or _together(one.answer, one.events)
            if said != was:
                found.append(f"call {one.call.call_id} of {one.capability} said {was}, and says {said}")
    return found


def read(file: Path) -> list[Answered]:
    """Return the calls of a file."""
    return [decode(line, Answered) for line in file.read_bytes().splitlines()]


def words(refused: Refused | None) -> str:
    """Return a refusal in the words in which a replay keeps it."""
    return f"raised {refused.slug}: {refused.message}" if refused else ""


def _together(answer: msgspec.Raw, events: Sequence[Emitted]) -> str:
    return " and ".join([bytes(answer).decode(), *(f"{one.name} {bytes(one.data).decode()}" for one in events)])
