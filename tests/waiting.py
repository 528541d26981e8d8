"""How a test waits: for what happens, for as long as a busy machine takes; never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

Found = TypeVar("Found")

PATIENCE_S: Final = 300  # what has not happened by then never will


async def until(look: Callable[[], Awaitable[Found]], what: str = "it") -> Found:
    """Return what a look finds as soon as it finds something. Raises AssertionError where it never does."""
    found = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await look()):  # noqa: ASYNC110 - it is elsewhere: a process, a database
                await asyncio.sleep(0.02)
        return found
    except TimeoutError:
        raise AssertionError(f"{what} never happened: {found!r}") from None
