"""A server of somebody else's protocol, on an address of this machine, for as long as a test needs it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette


@asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """Serve an application, and give its address."""
    address = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(running.serve(sockets=[address]))
    yield f"http://127.0.0.1:{address.getsockname()[1]}"
    running.should_exit = True
    await task
    address.close()
