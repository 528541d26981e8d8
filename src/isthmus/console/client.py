"""The console as a client: it calls capabilities by their names, as any client does, and is refused as any is.

So it knows no pack: a page that needs a capability is there where the capability is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import msgspec

from isthmus.kernel import Caller, Capability, Platform, errors
from isthmus.kernel.host import Release
from isthmus.manifest import actions
from isthmus.manifest.actions import EVERYWHERE, Action, Doer
from isthmus.manifest.sign_in import Person
from isthmus.personal import Pseudonyms
from isthmus.store import Database

from . import masks

T = TypeVar("T")

CLIENT: Final = "console"  # the name in histories of what was done here, where nobody has one of their own
NOBODY: Final = Person(name="")  # who came with the token of a server that knows no persons
ACTING: Final[ContextVar[Person]] = ContextVar("acting", default=NOBODY)  # who asked for the page that is being made


@dataclass(frozen=True, slots=True)
class Reveal:
    """A page that is shown once as it is, and why."""

    page: str
    why: str


REVEALING: Final[ContextVar[Reveal | None]] = ContextVar("revealing", default=None)
MASKED: Final[ContextVar[list[bool] | None]] = ContextVar("masked", default=None)  # of each answer: may they reveal it


def acting() -> str:
    """Return the name in histories of who does what is done now."""
    return ACTING.get().name or CLIENT


class Client:
    """Calls a platform in the name of who is signed in."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @property
    def release(self) -> Release:
        return self.platform.release

    def users(self, name: str) -> list[str]:
        """Return the front ends that may use a capability and at which who asks has a role, by code."""
        return [code for code in sorted(self.release.lines) if self.may(code, name)]

    def may(self, front_end: str, name: str) -> bool:
        return name in self.release.line(front_end).permitted and self.is_at(front_end)

    def front_ends(self) -> list[str]:
        """Return the front ends at which who asks has something to do, by code."""
        return [code for code in sorted(self.release.lines) if self.is_at(code)]

    def is_at(self, front_end: str) -> bool:
        """Say whether who asks has anything to do at a front end."""
        person = ACTING.get()
        return not person.name or bool(person.roles_at(front_end))

    def caller(self, front_end: str) -> Caller:
        """Return as whom this calls at a front end, or everywhere (`*`)."""
        person = ACTING.get()
        roles = person.roles_at(front_end)
        return Caller(front_end=front_end, client=CLIENT, via=CLIENT, person=person.name, roles=roles)

    def doer(self, front_end: str = EVERYWHERE) -> Doer:
        """Return who does what is no call, at a front end or everywhere, for the journal."""
        return Doer(caller=self.caller(front_end), journal=self.platform.journal)

    async def check(self, action: Action | Capability[Any, Any], front_end: str = EVERYWHERE) -> None:
        """Raise NotPermitted where who asks may not do this at a front end, or everywhere."""
        await actions.check(self.platform, self.caller(front_end), action)

    async def is_allowed(self, action: Action | Capability[Any, Any], front_end: str = EVERYWHERE) -> bool:
        """Say whether who asks may do this at a front end, or everywhere."""
        try:
            await self.check(action, front_end)
        except errors.NotPermitted:
            return False
        return True

    async def is_permitted(self, name: str) -> bool:
        """Say whether who asks may call a capability at some front end."""
        capability = self.release.find(name).capability
        for code in self.users(name):
            if await self.is_allowed(capability, code):
                return True
        return False

    def resource(self, kind: type[T]) -> T:
        """Return what a pack makes of this kind. Raises Fault where none does."""
        if (found := self.platform.resources.get(kind)) is None:
            raise errors.Fault(f"no pack makes a {kind.__name__}", remedy="plug in the one that does: [platform] packs")
        return cast(T, found)

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        return self.platform.new_call_id()

    async def call(self, front_end: str, name: str, ask: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Call a capability with what JSON can say, and return what JSON says of the answer.

        Raises what the capability raises, NotPermitted and BadAsk.
        """
        caller = self.caller(front_end)
        given = {name: value for name, value in ask.items() if value not in (None, "")}
        is_clear = not caller.person or await self.is_allowed(actions.SEE_PERSONAL, front_end)
        sent = msgspec.json.encode(given)
        if not is_clear and masks.DOTS.encode() in sent:
            raise errors.BadAsk(
                "what is masked cannot be sent", remedy="write it in full, or leave the field as it was", path="$"
            )
        answer, _ = await self.platform.call_wire(name, sent, caller, key=key)
        found = msgspec.json.decode(answer)
        return found if is_clear else await self._masked(front_end, name, found)

    async def _masked(self, front_end: str, name: str, found: Any) -> Any:
        """Return an answer as who asks may see it: masked, or as it is where they reveal it, which is written down."""
        line, roles = self.release.lines.get(front_end), ACTING.get().roles_at(front_end)
        contract = (line.find(name) if line else self.release.find(name)).capability.answer
        own: masks.Own = line.front_end.attributes if line else {}
        pseudonyms = cast("Pseudonyms | None", self.platform.resources.get(Pseudonyms))
        shown = masks.shown(found, contract, own, masks.view_of(roles), pseudonyms)
        if shown == found:
            return found
        if (reveal := REVEALING.get()) is not None:
            await self.check(actions.REVEAL_PERSONAL, front_end)
            said = {"page": reveal.page, "capability": name, "why": reveal.why}
            async with cast(Database, self.platform.store).platform() as session:
                await self.doer(front_end).note(session, actions.REVEAL_PERSONAL.name, said)
            return found
        if (masked := MASKED.get()) is not None:
            masked.append(await self.is_allowed(actions.REVEAL_PERSONAL, front_end))
        return shown

    async def find(self, front_end: str, name: str, ask: Mapping[str, Any]) -> Any | None:
        """Call a capability, and return None where it may not be called, or does not know what is asked for."""
        if not self.may(front_end, name):
            return None
        try:
            return await self.call(front_end, name, ask)
        except (errors.NotFound, errors.BadAsk, errors.NotPermitted):
            return None
