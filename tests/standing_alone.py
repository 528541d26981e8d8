"""A pack as a service that stands alone, for as long as a test lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from isthmus.governance.exits.given import NOTHING_SAID, Said
from isthmus.governance.exits.served import application
from isthmus.kernel import Pack

from .waiting import until

TOKEN = "EXIT_TEST_TOKEN"  # the environment variable that has it
SECRET = "secret"


ENDS_WITHIN_S: Final = 20.0  # a test that failed leaves calls behind which nobody waits for


@asynccontextmanager
async def served(pack: Pack, url: str, said: Said = NOTHING_SAID) -> AsyncIterator[str]:
    """Give the address of a pack as a service."""
    async with listening(application(pack, url, SECRET, said)) as address:
        yield address


@asynccontextmanager
async def listening(app: ASGIApp, ends_within_s: float = ENDS_WITHIN_S) -> AsyncIterator[str]:
    """Give the address of an application; what does not end in time when it is asked to is broken off."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started or running.done()

    try:
        await until(started, "the start")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait({running}, timeout=ends_within_s)
        server.force_exit = True
        await asyncio.wait({running}, timeout=ends_within_s)
        running.cancel()
