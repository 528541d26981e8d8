"""The Tea Box with something changed on its way: what it answers is passed on, but for one thing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Changed = Callable[[Request, httpx.Response], Response | None]


@asynccontextmanager
async def between(url: str, changed: Changed) -> AsyncIterator[str]:
    """Give the address of what stands before a server, and answers what `changed` says, else what the server does."""

    async def answer(request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        query = f"?{request.url.query}" if request.url.query else ""
        async with httpx.AsyncClient(timeout=30) as client:
            sent = await client.request(
                request.method, f"{url}{request.url.path}{query}", headers=headers, content=await request.body()
            )
        if (found := changed(request, sent)) is not None:
            return found
        kept = {name: value for name, value in sent.headers.items() if name in ("content-type", "venture-signature")}
        return Response(sent.content, sent.status_code, headers=kept)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(cast(Any, app), log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
