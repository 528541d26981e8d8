"""Applications that are made when they are first asked for: a server starts without what they import.

Another thread imports it, so that calls go on meanwhile.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .wire.body import Receive

if TYPE_CHECKING:
    from .http import App, Scope, Send

TOKENS: Final = "/oauth"
WELL_KNOWN: Final = "/.well-known"
FIGURES: Final = "/metrics"


class Later:
    """An application that is made when it is first asked for; where that fails, the next one who asks has it tried.

    module: the name of the one that it is made with; `make` is given it. A module of a pack's is Any here.
    """

    def __init__(self, module: str, make: Callable[[Any], App]) -> None:
        self._module = module
        self._make = make
        self._made: App | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._made or await self._once()
        await app(scope, receive, send)

    async def _once(self) -> App:
        async with self._making:
            if self._made is None:
                self._made = self._make(await asyncio.to_thread(importlib.import_module, self._module))
            return self._made
