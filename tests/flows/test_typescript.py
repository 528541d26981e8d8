"""The front end in TypeScript: started as its README says, it answers, sells, and is told of each order once."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from isthmus.gateway import auth
from isthmus.store import Database
from tests.house.tree import ROOT
from tests.waiting import PATIENCE_S, until

from .serving import Server

pytestmark = pytest.mark.slow
EXAMPLE = ROOT / "examples" / "typescript"
SECOND = 6


class Kiosk:
    """The front end's own process; killed without a word, it can be started again."""

    def __init__(self, folder: Path, port: int, platform: str, key: str) -> None:
        self._folder = folder
        (folder / "key").write_text(key)
        self._environment = {
            **os.environ, "PORT": str(port), "ISTHMUS_URL": platform, "ISTHMUS_KEY_FILE": str(folder / "key"),
            "KIOSK_DATA": str(folder / "data"),
        }  # fmt: skip
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S)

    async def start(self) -> None:
        self._process = subprocess.Popen(["node", "dist/main.js"], cwd=self._folder, env=self._environment)  # noqa: ASYNC220
        await until(self._is_open, "that the kiosk is open")

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    async def sell(self, sku: str, once: str) -> str:
        """Sell one; sent again under the same key until it is answered, whoever is away meanwhile."""
        while True:
            try:
                answer = await self.client.post("/sell", params={"sku": sku}, headers={"Idempotency-Key": once})
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            assert answer.status_code == 201, answer.text
            return answer.json()["orders"][0]["order_id"]

    async def heard(self) -> list[str]:
        """Return the orders that it was told of, in its order."""
        events = (await self.client.get("/events")).json()
        return [one["subject"] for one in events if one["type"] == "order.order-placed"]

    async def _is_open(self) -> bool:
        assert self._process.poll() is None, "the kiosk has ended"
        try:
            return (await self.client.get("/")).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
async def sides(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Server, Kiosk, Database]]:
    """Give both sides, running: the platform with the example's settings, and the kiosk, built by its own script."""
    folder = tmp_path / "kiosk"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", ".isthmus"))
    for command in (["npm", "install", "--silent", "--no-fund", "--no-audit"], ["npm", "run", "--silent", "build"]):
        subprocess.run(command, cwd=folder, check=True, timeout=600)  # noqa: ASYNC221
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = (folder / "isthmus.toml").read_text()
    (folder / "isthmus.toml").write_text(settings.replace(":3000", f":{port}").replace("= 1000", "= 4000"))
    server = Server(folder, database_url)
    async with await Database.open(database_url) as database:
        key = await auth.create_client(database, "kiosk", "kiosk")
        await server.start()
        kiosk = Kiosk(folder, port, f"http://127.0.0.1:{server.port}", key)
        await kiosk.start()
        yield server, kiosk, database
        kiosk.kill()
        server.stop()
        await kiosk.client.aclose()


async def all_due(database: Database) -> None:
    """Let the time pass until what was not taken is sent again."""
    async with database.platform() as session:
        await session.execute("update webhooks.delivery set due_at = now() where state = 'waiting'")
        await session.execute("update webhooks.endpoint set retry_at = now()")


async def test_it_answers_sells_and_is_told_of_each_order_once_whoever_restarts(
    sides: tuple[Server, Kiosk, Database],
) -> None:
    server, kiosk, database = sides
    orders = [await kiosk.sell("jam", "first")]
    assert await kiosk.sell("jam", "first") == orders[0]

    async def are_all_heard() -> bool:
        await all_due(database)
        return sorted(await kiosk.heard()) == sorted(orders)

    await until(are_all_heard, "that it is told")
    async with database.platform() as session:
        sql = 'select amount_minor from "order".lines'
        assert [row["amount_minor"] for row in await session.fetch(sql)] == [300]  # 400, and the kiosk takes a euro off

    for number in range(SECOND):  # the kiosk is killed while it is told
        orders.append(await kiosk.sell("tea", f"a{number}"))
    kiosk.kill()
    await kiosk.start()
    await until(are_all_heard, "that it is told after its restart")

    selling = [asyncio.create_task(kiosk.sell("tea", f"b{number}")) for number in range(SECOND)]
    await asyncio.sleep(0.05)
    server.kill()  # the platform is killed while it sells
    await server.start()
    orders += await asyncio.gather(*selling)
    await until(are_all_heard, "that it is told after the platform's restart")
    heard = await kiosk.heard()
    assert len(heard) == len(set(heard)) == 1 + 2 * SECOND
