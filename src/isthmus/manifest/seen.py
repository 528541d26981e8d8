"""How much of an answer somebody sees, whichever way they ask: as it is, or as much of it as what they do needs.

A role, or the role that a key is given, is the purpose: what a support desk compares, what an analyst counts. It is
decided before the call, by policy (`persons.see`), so that nothing is done for who may not see it as they ask for it.
What is revealed for a reason (`persons.reveal`) is written down before it is shown.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from isthmus.kernel import Caller, Capability, Platform, errors, ports
from isthmus.personal import Pseudonyms, personal_marks

from . import masks
from .actions import REVEAL_PERSONAL, SEE_PERSONAL, Doer, check
from .named import LeavesOut
from .parts import roles_held

if TYPE_CHECKING:
    from isthmus.store import Database

WHY_MIN: Final = 3  # a reason that somebody can read
WHY_MAX: Final = 240


@dataclass(frozen=True, slots=True)
class Reveal:
    """What is shown once as it is, and why; page: where it is shown, where that is a page."""

    why: str
    page: str = ""


REVEALING: Final[ContextVar[Reveal | None]] = ContextVar("revealing", default=None)
MASKED: Final[ContextVar[list[bool] | None]] = ContextVar("masked", default=None)  # of each answer: may they reveal it


def reason(text: str, path: str) -> str:
    """Return why somebody wants to see personal data. Raises BadAsk where nobody could read it later."""
    why = " ".join(text.split())
    if not (WHY_MIN <= len(why) <= WHY_MAX and why.isprintable()):
        raise errors.BadAsk(
            "personal data is shown for a reason", remedy=f"say why, in {WHY_MIN} to {WHY_MAX} letters", path=path
        )
    return why


class ViewsByPurpose:
    """Views of answers by roles, marks of the contracts and policies: the kernel's port."""

    async def of(
        self, platform: Platform, capability: Capability[Any, Any], caller: Caller, ask: bytes
    ) -> ports.View | None:
        """Return what an answer goes through; None where who asks sees it as it is.

        Raises BadAsk for what is masked and sent back, and NotPermitted where they may not reveal what they want to.
        """
        masking = await self._masking(platform, capability, caller, ask)
        guard, line = platform.guard, platform.release.lines.get(caller.front_end)
        if line is None or not isinstance(guard, LeavesOut):
            return masking
        shortening = guard.leaving_out(caller, capability, line.front_end.settings)
        if masking is None or shortening is None:
            return masking or shortening

        async def both(answer: bytes) -> bytes:
            return await masking(await shortening(answer))

        return both

    async def _masking(
        self, platform: Platform, capability: Capability[Any, Any], caller: Caller, ask: bytes
    ) -> ports.View | None:
        """Return what masks an answer for who may not see all of it."""
        # Without policies a key that was made for a purpose is held to it all the same.
        if (caller.person or platform.guard is not None) and await _sees(platform, caller, capability):
            return None
        if masks.DOTS.encode() in ask or masks.ESCAPED in ask:
            raise errors.BadAsk(
                "what is masked cannot be sent", remedy="write it in full, or leave the field as it was", path="$"
            )
        if not personal_marks(capability.answer):
            return None
        if (reveal := REVEALING.get()) is not None:
            await check(platform, caller, REVEAL_PERSONAL)

        async def view(answer: bytes) -> bytes:
            line = platform.release.lines.get(caller.front_end)
            own: masks.Own = line.front_end.attributes if line else {}
            found = msgspec.json.decode(answer)
            view, pseudonyms = masks.view_of(roles_held(caller)), _pseudonyms(platform, caller.front_end)
            shown = masks.shown(found, capability.answer, own, view, pseudonyms)
            if shown == found:
                return answer
            if reveal is not None:
                said = {"page": reveal.page, "capability": capability.name, "why": reveal.why}
                async with cast("Database", platform.store).platform() as session:
                    doer = Doer(caller=caller, journal=platform.journal)
                    await doer.note(session, REVEAL_PERSONAL.name, said)
                return answer
            if (masked := MASKED.get()) is not None:
                masked.append(await _may(platform, caller, REVEAL_PERSONAL))
            return msgspec.json.encode(shown)

        return view


def _pseudonyms(platform: Platform, front_end: str) -> masks.Hide | None:
    """Return what makes pseudonyms that are the same for the same at one front end, and of nobody at another."""
    made = cast("Pseudonyms | None", platform.resources.get(Pseudonyms))
    return made and (lambda text, kind: made.of(f"{front_end}\0{text.strip()}", kind))


async def _sees(platform: Platform, caller: Caller, capability: Capability[Any, Any]) -> bool:
    """Say whether somebody may see all that this answers: who may in a part of a front end sees no more than it."""
    try:
        seen = await check(platform, caller, SEE_PERSONAL)
        called = {*(await check(platform, caller, capability)).split()} if seen else set[str]()
        return not seen or (bool(called) and called <= {*seen.split()})
    except errors.NotPermitted:
        return False


async def _may(platform: Platform, caller: Caller, action: Any) -> bool:
    try:
        await check(platform, caller, action)
    except errors.NotPermitted:
        return False
    return True
