"""A pack as a service that stands alone, for as long as a test lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from isthmus.governance.exits.given import NOTHING_SAID, Said
from isthmus.governance.exits.served import application
from isthmus.kernel import Pack

from .waiting import until

TOKEN = "EXIT_TEST_TOKEN"  # the environment variable that has it
SECRET = "secret"


@asynccontextmanager
async def served(pack: Pack, url: str, said: Said = NOTHING_SAID) -> AsyncIterator[str]:
    """Give the address of a pack as a service."""
    server = uvicorn.Server(uvicorn.Config(application(pack, url, SECRET, said), port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the start")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
