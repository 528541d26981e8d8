"""Calls of the demo on a machine that is slow, or busy with other things: tried again until they have an answer.

A call that is past its deadline has changed nothing, and one that is sent again with its key is done once. So nothing
of the demo fails because something else runs beside it; it takes longer, and the bar says how long.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

from isthmus.kernel import Caller, Capability, Effect, Platform, errors

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")

WAITS_S: Final = (0.2, 1.0, 5.0, 15.0, 30.0)  # before the next try; the last one again and again
GIVES_UP_AFTER_S: Final = 900.0  # whatever is in the way for a quarter of an hour does not go by itself


async def again(work: Callable[[], Awaitable[T]], wrong: type[Exception] | tuple[type[Exception], ...]) -> T:
    """Return what the work does, tried again while it fails so; raise its error after a quarter of an hour of it."""
    began, tries = time.monotonic(), 0
    while True:
        try:
            return await work()
        except wrong:
            if time.monotonic() - began > GIVES_UP_AFTER_S:
                raise
        await asyncio.sleep(WAITS_S[min(tries, len(WAITS_S) - 1)])
        tries += 1


async def call(
    platform: Platform,
    capability: Capability[A, R],
    ask: A,
    caller: Caller,
    *,
    key: str | None = None,
    now: datetime | None = None,
) -> R:
    """Call a capability until it answers or refuses; what writes is done once, however often it is tried."""
    own = key or (None if capability.effect is Effect.READ else uuid.uuid4().hex)
    return await again(lambda: platform.call(capability, ask, caller, key=own, now=now), errors.Trouble)


async def in_parts(load: Callable[[tuple[T, ...]], Awaitable[object]], part: tuple[T, ...]) -> None:
    """Load a part; in halves, and theirs, where the whole takes longer than a call may: each has a deadline of its own.

    `load` makes one call of a part.
    """
    try:
        await load(part)
    except errors.DeadlineExceeded:
        if len(part) == 1:
            await again(lambda: load(part), errors.Trouble)
            return
        middle = len(part) // 2
        await in_parts(load, part[:middle])
        await in_parts(load, part[middle:])
    except errors.Unavailable:
        await again(lambda: load(part), errors.Unavailable)
