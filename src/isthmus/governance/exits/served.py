"""A pack that stands alone, over HTTP: `python -m PACKAGE load | serve`.

SERVICE_DATABASE_URL is its PostgreSQL, SERVICE_TOKEN what callers send as `Authorization: Bearer …`. Where it has any,
SERVICE_SETTINGS is the file of its settings, and SERVICE_DATA the folder of what it keeps in files.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isthmus.kernel import Pack, decode, encode, errors
from isthmus.store import Database, MigrationSource, migrate

from . import tables
from .calling import Calls
from .given import FILE, NOTHING_SAID, Said, made, said_in
from .messages import Forwarded

BODY_BYTES_MAX: Final = 8 << 20  # as much as a platform reads of an answer


def application(pack: Pack, url: str, token: str, said: Said = NOTHING_SAID) -> Starlette:
    """Return the service of a pack on a database that has its tables."""
    calls: list[Calls] = []

    @asynccontextmanager
    async def opened(_: Starlette) -> AsyncGenerator[None]:
        async with await Database.open(url) as database:
            calls.append(Calls(pack, database, made(pack, database, said)))
            yield

    async def call(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            return _json(401, {"detail": "send the service's token as Authorization: Bearer"})
        if int(request.headers.get("content-length", BODY_BYTES_MAX + 1)) > BODY_BYTES_MAX:
            return _json(413, {"detail": f"send a Content-Length of {BODY_BYTES_MAX} bytes at most"})
        try:
            forwarded = decode(await request.body(), Forwarded)
        except errors.BadAsk as wrong:
            return _json(400, {"detail": str(wrong), "path": wrong.path})
        return _json(200, await calls[0].reply(request.path_params["name"], forwarded))

    async def ready(_: Request) -> Response:
        return _json(200, {"pack": pack.name})

    routes = [Route("/v1/{name}", call, methods=["POST"]), Route("/ready", ready)]
    return Starlette(routes=routes, lifespan=opened)


def main(pack: Pack, folder: Path, arguments: Sequence[str] = ()) -> None:
    """Run the service, or make its tables and load its data into an empty database."""
    parser = argparse.ArgumentParser(prog=folder.name, description=pack.doc)
    commands = parser.add_subparsers(dest="command", required=True)
    load = commands.add_parser("load", help="make the tables in an empty database, and load the data that came along")
    load.add_argument("data", type=Path, help="the folder `data` of the package")
    serve = commands.add_parser("serve", help="answer calls")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=9100)
    asked = parser.parse_args(arguments or None)
    url, token = os.environ.get("SERVICE_DATABASE_URL", ""), os.environ.get("SERVICE_TOKEN", "")
    if not url or (asked.command == "serve" and not token):
        sys.exit("set SERVICE_DATABASE_URL, and for `serve` SERVICE_TOKEN, which callers have to send")
    if asked.command == "load":
        asyncio.run(_load(pack, url, asked.data))
        return
    said = said_in(os.environ.get(FILE, ""))
    uvicorn.run(application(pack, url, token, said), host=asked.host, port=asked.port, log_level="warning")


async def _load(pack: Pack, url: str, data: Path) -> None:
    sources = [MigrationSource.of_pack(pack.name, pack.migrations)] if pack.migrations else []
    await migrate(url, sources, only_empty=True)
    await tables.load(url, data)


def _json(status: int, value: object) -> Response:
    return Response(encode(value), status_code=status, media_type="application/json")
