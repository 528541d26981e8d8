"""The console as a client: it calls capabilities by their names, as any client does, and is refused as any is.

So it knows no pack: a page that needs a capability is there where the capability is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from isthmus.kernel import Caller, Platform, errors
from isthmus.kernel.host import Release

CLIENT: Final = "console"  # the name in histories of what an operator did


class Client:
    """Calls a platform in the name of an operator."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @property
    def release(self) -> Release:
        return self.platform.release

    def users(self, name: str) -> list[str]:
        """Return the front ends that may use a capability, by code."""
        return [code for code, line in sorted(self.release.lines.items()) if name in line.permitted]

    def may(self, front_end: str, name: str) -> bool:
        return name in self.release.line(front_end).permitted

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        return self.platform.new_call_id()

    async def call(self, front_end: str, name: str, ask: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Call a capability with what JSON can say, and return what JSON says of the answer.

        Raises what the capability raises, NotPermitted and BadAsk.
        """
        caller = Caller(front_end=front_end, client=CLIENT, via=CLIENT)
        given = {name: value for name, value in ask.items() if value not in (None, "")}
        answer, _ = await self.platform.call_wire(name, msgspec.json.encode(given), caller, key=key)
        return msgspec.json.decode(answer)

    async def find(self, front_end: str, name: str, ask: Mapping[str, Any]) -> Any | None:
        """Call a capability, and return None where it may not be called, or does not know what is asked for."""
        if not self.may(front_end, name):
            return None
        try:
            return await self.call(front_end, name, ask)
        except (errors.NotFound, errors.BadAsk):
            return None
