"""What a pack brings of pages for the world, outside the console: an application of its own below a path."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An ASGI application below a path of the server; it knows by itself who asks.

    at: `module:function`, imported when a server starts, from `isthmus.kernel.Platform` to the application.
    """

    path: str
    at: str
