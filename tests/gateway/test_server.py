"""The application around the calls: start and stop, readiness, mounts, worker processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from isthmus.gateway import auth
from isthmus.gateway.http import Gateway, Limits, asgi
from isthmus.store import Database

Connect = Callable[..., httpx.AsyncClient]

FACTORY = """
import asyncio, os
from contextlib import asynccontextmanager
from isthmus.gateway.http import asgi

async def answer(scope, receive, send):
    await asyncio.sleep(float(scope["path"].strip("/") or 0))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

@asynccontextmanager
async def start():
    yield answer

def make():
    return asgi(start)
"""


async def test_health_needs_no_key_and_no_database(gateway: Gateway, shop: Database, connect: Connect) -> None:
    anyone = connect(gateway)
    await shop.close()
    assert (await anyone.get("/health")).json() == {"status": "up"}
    head = await anyone.head("/health")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "15")


async def test_ready_means_that_every_migration_is_applied(gateway: Gateway, shop: Database, connect: Connect) -> None:
    anyone = connect(gateway)
    assert (await anyone.get("/ready")).json() == {"status": "ready"}
    async with shop.platform() as session:
        await session.execute("delete from isthmus.migration where pack = 'shop'")
    response = await anyone.get("/ready")
    assert (response.status_code, response.json()["slug"]) == (503, "gateway.not-ready")
    assert response.json()["detail"] == "1 migration(s) are not applied, first shop/0001_shop.sql"
    assert response.headers["retry-after"] == "1"


async def test_what_is_mounted_gets_its_paths_and_the_gateway_keeps_its_own(
    shop: Database, make_gateway: Callable[..., Gateway], connect: Connect
) -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.method} {request.scope['root_path']} {request.path_params['rest']}")

    console = Starlette(routes=[Route("/{rest:path}", page, methods=["GET", "POST"])])
    anyone = connect(make_gateway(shop, mounts={"/console": console}))
    assert (await anyone.get("/console/orders")).text == "GET /console orders"
    assert (await anyone.post("/console/orders")).text == "POST /console orders"
    assert (await anyone.get("/consoles")).status_code == 404
    assert (await anyone.get("/health")).json() == {"status": "up"}


async def test_calls_beyond_what_a_process_bears_are_refused_at_once(
    shop: Database, make_gateway: Callable[..., Gateway], connect: Connect
) -> None:
    client = connect(make_gateway(shop, limits=Limits(calls_max=2)), await auth.create_client(shop, "south", "till"))
    answers = await asyncio.gather(*(client.post("/v1/shop.wait", json={"seconds": 0.3}) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert (busy.json()["slug"], busy.headers["retry-after"]) == ("gateway.busy", "1")
    assert (await client.post("/v1/shop.wait", json={})).status_code == 200


async def test_a_start_that_fails_stops_the_server_with_its_reason() -> None:
    @asynccontextmanager
    async def start() -> AsyncIterator[Any]:
        raise RuntimeError("no database")
        yield

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    await asgi(start)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "no database"}]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_running_calls_end_when_the_server_is_stopped(tmp_path: Path, port: int, workers: int) -> None:
    (tmp_path / "factory.py").write_text(FACTORY)
    options = f"host='127.0.0.1', port={port}, workers={workers}"
    code = f"from isthmus.gateway import server; server.run('factory:make', {options})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        seen = _answered(address, workers)
        assert len(seen) == workers
        with httpx.Client() as client, client.stream("GET", f"{address}/0") as warm:
            assert warm.status_code == 200
        slow = subprocess.Popen(
            [sys.executable, "-c", f"import httpx; print(httpx.get('{address}/1.5', timeout=20).status_code)"],
            stdout=subprocess.PIPE,
        )
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert slow.communicate(timeout=20)[0].strip() == b"200"
        process.wait(20)
    finally:
        process.kill()


def _answered(address: str, workers: int) -> set[str]:
    """Ask until every worker has answered, and return their process ids."""
    seen: set[str] = set()
    until = time.monotonic() + 30
    while len(seen) < workers and time.monotonic() < until:
        with suppress(httpx.TransportError):
            seen.add(httpx.get(f"{address}/0").text)
        time.sleep(0.02)
    return seen
