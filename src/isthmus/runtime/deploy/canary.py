"""Two versions of one front end at once: a sticky share of members gets the new one."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from isthmus.kernel import Caller, decode, encode, errors
from isthmus.kernel.host import BoundCapability, CompiledFrontEnd


def beside(stable: CompiledFrontEnd, staged: CompiledFrontEnd, hash_: str, percent: int) -> CompiledFrontEnd:
    """Return a line that gives `percent` of 100 members the staged version, and everybody else the stable one.

    Who is among them follows from the version and the member alone: it is the same in every process, a larger
    share keeps those of a smaller one, and another version takes others.
    """

    def choose(offered: BoundCapability, ask: Any, caller: Caller) -> tuple[CompiledFrontEnd, BoundCapability, Any]:
        line = staged if place(hash_, who(ask, caller)) < percent else stable
        mine = line.find(offered.capability.name)
        is_event_triggered = caller.is_event_triggered and mine.capability in line.front_end.subscribers()
        if offered.capability.name not in line.permitted and not is_event_triggered:
            raise errors.NotPermitted(
                f"{offered.capability.name!r} is in another version than this caller has",
                remedy="call it when that version is promoted",
            )
        is_moved = mine.capability.ask is not offered.capability.ask  # its own flow: each version reads its own ask
        return line, mine, decode(encode(ask), mine.capability.ask) if is_moved else ask

    return dataclasses.replace(
        stable,
        permitted=stable.permitted | staged.permitted,
        offered={**staged.offered, **stable.offered},
        choose=choose,
    )


def who(ask: Any, caller: Caller) -> str:
    """Return whose call it is: the member that the ask names, itself or as its buyer; else the client."""
    member = getattr(ask, "member_id", None) or getattr(getattr(ask, "buyer", None), "member_id", None)
    return f"member {member}" if member else f"client {caller.client}"


def place(hash_: str, one: str) -> int:
    """Return a number from 0 to 99, the same for the same version and member wherever it is asked."""
    return int.from_bytes(hashlib.blake2b(f"{hash_}/{one}".encode(), digest_size=8).digest(), "big") % 100
