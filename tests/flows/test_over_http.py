"""The whole platform as a server process: buyers over HTTP, and the server killed between them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from isthmus.gateway import auth
from isthmus.packs.inventory import api as inventory

from .conftest import UNITS, Shop

FRONT_END = """
from isthmus.kernel import FrontEnd

FRONT_END = FrontEnd(code="north", name="North", owner="north team", uses=("checkout.*", "order.*", "inventory.*"))
"""
BUYERS = 64
STARTS_WITHIN_S = 30
ASK = {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 1}]}


class Server:
    """An `isthmus serve` of its own, on the database of a shop; killed without a word, it can be started again."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, "ISTHMUS_DATABASE_URL": database_url}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "isthmus.cli", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(command, cwd=self._folder, env=self._environment)  # noqa: ASYNC220 - at once
        async with httpx.AsyncClient() as client:
            for _ in range(STARTS_WITHIN_S * 10):
                await asyncio.sleep(0.1)
                try:
                    if (await client.get(f"http://127.0.0.1:{self.port}/ready")).status_code == 200:
                        return
                except httpx.TransportError:
                    continue
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
async def server(shop: Shop, tmp_path: Path) -> AsyncIterator[Server]:
    """Give a server of the shop's database, with one front end, north."""
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "front_end.py").write_text(FRONT_END)
    server = Server(tmp_path, shop.database.url)
    await server.start()
    yield server
    server.kill()


async def buy(client: httpx.AsyncClient, key: str) -> httpx.Response | None:
    """Order one tea; None where the server went away meanwhile."""
    try:
        return await client.post("/v1/checkout.place-order", json=ASK, headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return None


def connected(server: Server, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}",
        headers={"Authorization": f"Bearer {key}"},
        limits=httpx.Limits(max_connections=BUYERS),
        timeout=30,
    )


async def on_hand_and_reserved(shop: Shop) -> tuple[int, int]:
    page = await shop.platform.call(inventory.list_stock, inventory.ListStock(sku="tea"), shop.north)
    return page.items[0].on_hand, page.items[0].reserved


async def test_64_clients_buying_20_units_get_20_and_the_rest_hear_why(shop: Shop, server: Server) -> None:
    api_key = await auth.create_client(shop.database, "north", "shop")
    async with connected(server, api_key) as client:
        answers = await asyncio.gather(*(buy(client, str(uuid.uuid4())) for _ in range(BUYERS)))
    said = Counter(one.json().get("slug", "sold") for one in answers if one is not None)
    assert said == {"sold": UNITS, "inventory.stock-short": BUYERS - UNITS}
    assert await on_hand_and_reserved(shop) == (UNITS, UNITS)


async def test_a_killed_server_loses_no_order_and_sells_nothing_twice(shop: Shop, server: Server) -> None:
    api_key = await auth.create_client(shop.database, "north", "shop")
    keys = [str(uuid.uuid4()) for _ in range(BUYERS)]
    first: dict[str, bytes] = {}
    async with connected(server, api_key) as client:
        buying = [asyncio.create_task(buy(client, key)) for key in keys]
        await asyncio.wait(buying, return_when=asyncio.FIRST_COMPLETED)  # so that some are through, and most are not
        server.kill()
        for key, answer in zip(keys, await asyncio.gather(*buying), strict=True):
            if answer is not None and answer.status_code == 200:
                first[key] = answer.content
    await server.start()
    async with connected(server, api_key) as client:
        again = dict(zip(keys, await asyncio.gather(*(buy(client, key) for key in keys)), strict=True))
    sold = [key for key, answer in again.items() if answer is not None and answer.status_code == 200]
    assert len(sold) == UNITS
    assert all(again[key] is not None and again[key].content == content for key, content in first.items())  # type: ignore[union-attr]
    assert await on_hand_and_reserved(shop) == (UNITS, UNITS)
