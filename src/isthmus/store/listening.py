"""The word that there are new events, as PostgreSQL passes it on to every process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import asyncpg

from .connecting import connect
from .database import EVENTS_CHANNEL

POLL_S: Final = 1.0  # how late an event may be when the word of it is lost


async def listen(url: str, ring: Callable[..., None], *, channel: str = EVENTS_CHANNEL) -> None:
    """Ring when somebody announces events, or what another channel is for; connect again where the connection is lost.

    Runs until cancelled. It rings once when it has connected, since something may have been missed before.
    """
    while True:
        try:
            connection = await connect(url, application_name="isthmus relay")
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(POLL_S)
            continue
        is_lost = asyncio.Event()
        try:
            connection.add_termination_listener(partial(_note, is_lost))
            await connection.add_listener(channel, ring)
            ring()
            await is_lost.wait()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(POLL_S)
        finally:
            connection.terminate()


def _note(fact: asyncio.Event, _: object) -> None:
    fact.set()
