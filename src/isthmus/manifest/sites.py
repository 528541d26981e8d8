"""What a pack brings of pages for the world, outside the console: an application of its own below a path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


class SiteClient(Protocol):
    """Who holds the key that a request came with."""

    @property
    def front_end(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def scopes(self) -> tuple[str, ...] | None: ...
    def may(self, capability: str, /) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a site knows who asks: by the key of an Authorization header, which takes a call from its rate or is refused.

    closing: what is set when the server stops; an answer without an end has to end then.
    """

    admit: Callable[[bytes | None], Awaitable[SiteClient]]
    closing: Callable[[], asyncio.Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An ASGI application below a path of the server.

    at: `module:function`, imported when somebody first asks, from `isthmus.kernel.Platform` to the application.
    has_clients: who asks has a key of a front end; the function is given a `Door` too. Without it the site knows by
    itself who asks.
    """

    path: str
    at: str
    has_clients: bool = False
