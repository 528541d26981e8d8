"""The console as a client: it calls capabilities by their names, as any client does, and is refused as any is.

So it knows no pack: a page that needs a capability is there where the capability is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, TypeVar, cast

import msgspec

from isthmus.kernel import Caller, Capability, Platform, errors
from isthmus.kernel.host import Release
from isthmus.manifest import actions
from isthmus.manifest.actions import EVERYWHERE, Action, Doer
from isthmus.manifest.sign_in import Person

T = TypeVar("T")

CLIENT: Final = "console"  # the name in histories of what was done here, where nobody has one of their own
NOBODY: Final = Person(name="")  # who came with the token of a server that knows no persons
ACTING: Final[ContextVar[Person]] = ContextVar("acting", default=NOBODY)  # who asked for the page that is being made


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
        """Return the front ends that may use a capability and at which who asks has something to do, by code."""
        return [code for code in sorted(self.release.lines) if self.may(code, name)]

    def may(self, front_end: str, name: str) -> bool:
        return name in self.release.line(front_end).permitted and self.is_at(front_end)

    def front_ends(self) -> list[str]:
        """Return the front ends at which who asks has something to do, by code."""
        return [code for code in sorted(self.release.lines) if self.is_at(code)]

    def is_at(self, front_end: str) -> bool:
        """Say whether who asks has anything to do at a front end."""
        person = ACTING.get()
        return not person.name or bool(person.roles_at(front_end) or person.relations.get(front_end))

    def caller(self, front_end: str) -> Caller:
        """Return as whom this calls at a front end, or everywhere (`*`)."""
        person = ACTING.get()
        roles = person.roles_at(front_end)
        held = person.relations.get(front_end, ())
        return Caller(
            front_end=front_end, client=CLIENT, via=CLIENT, person=person.name, roles=roles, relations=held
        )  # fmt: skip

    def doer(self, front_end: str = EVERYWHERE) -> Doer:
        """Return who does what is no call, at a front end or everywhere, for the journal."""
        return Doer(caller=self.caller(front_end), journal=self.platform.journal)

    async def check(self, action: Action | Capability[Any, Any], front_end: str = EVERYWHERE) -> str:
        """Return the parts of a front end that who asks is confined to as they do this; nothing: to none.

        Raise NotPermitted where they may not do it there, or everywhere.
        """
        return await actions.check(self.platform, self.caller(front_end), action)

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
        given = {name: value for name, value in ask.items() if value not in (None, "")}
        answer, _ = await self.platform.call_wire(name, msgspec.json.encode(given), self.caller(front_end), key=key)
        return msgspec.json.decode(answer)

    async def find(self, front_end: str, name: str, ask: Mapping[str, Any]) -> Any | None:
        """Call a capability, and return None where it may not be called, or does not know what is asked for."""
        if not self.may(front_end, name):
            return None
        try:
            return await self.call(front_end, name, ask)
        except (errors.NotFound, errors.BadAsk, errors.NotPermitted):
            return None
