"""Two releases serve one database side by side: the one before goes on selling while this one migrates and takes over.

The release before is the code of the commit that wrote `previous.sql.xz`, from the history of this checkout.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.waiting import PATIENCE_S, until

from .snapshot import PREVIOUS

ROOT = Path(__file__).parents[2]
CODE = ("src", "front_ends", "demo", "isthmus.toml")  # what a server of a release needs
SHOP = "market"
CLIENTS = 4
ORDERS_MIN = 20  # of each stage
GOODS = """
    select s.sku, min(s.location) as location
    from pricing.price p join inventory.stock s using (front_end, sku) join catalog.listing l using (front_end, sku)
    where front_end = $1 and p.currency = 'USD' and p.valid_to is null and p.ended_at is null and p.location = ''
      and l.is_current and l.offered_to is null and l.min_quantity = 1
    group by s.sku order by s.sku limit 5"""
STOCK = 100_000


@dataclass(frozen=True)
class Release:
    """Code of a release, in a folder of its own, on a database."""

    folder: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(self.folder / "src"),
            "ISTHMUS_DATABASE_URL": self.url,
            "ISTHMUS_DATA": str(self.folder / "data"),
        }

    def run(self, *command: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "isthmus.cli", *command],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Serving]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = (self.folder / "log").open("wb")
        command = [sys.executable, "-m", "isthmus.cli", "serve", "--port", str(port)]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)  # noqa: ASYNC220
        server = Serving(f"http://127.0.0.1:{port}", process)
        try:
            await until(server.is_ready, f"that {self.folder} serves")
            yield server
        finally:
            process.kill()
            process.wait()
            print((self.folder / "log").read_text())  # shown where the test fails


@dataclass(frozen=True)
class Serving:
    url: str
    process: subprocess.Popen[bytes]

    async def is_ready(self) -> bool:
        assert self.process.poll() is None, "the server has ended"
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.url}/ready")).status_code == 200
            except httpx.TransportError:
                return False


@dataclass
class Shoppers:
    """Clients that place orders all the time, through what a load balancer has: the servers that are there."""

    key: str
    skus: list[str]
    servers: list[str] = field(default_factory=list)
    placed: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for number in range(CLIENTS):
                clients.create_task(self._shop(number))

    async def _shop(self, number: int) -> None:
        known = {"authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(headers=known, timeout=60) as client:
            for turn in itertools.count(number):
                ask = {"currency": "USD", "lines": [{"sku": self.skus[turn % len(self.skus)], "quantity": 1}]}
                await self._place(client, ask, self.servers[turn % len(self.servers)])

    async def _place(self, client: httpx.AsyncClient, ask: object, server: str) -> None:
        headers = {"idempotency-key": uuid4().hex}
        for url in (server, *self.servers):
            try:
                answer = await client.post(f"{url}/v1/checkout.place-order", json=ask, headers=headers)
            except httpx.TransportError:
                continue  # a balancer asks the next one
            if answer.status_code == 200:
                self.placed[url] += 1
            else:
                self.failures.append(answer.text)
            return
        self.failures.append("no server took it")

    async def sell(self, url: str) -> None:
        """Wait until one server has sold a number of times more."""
        wanted = self.placed[url] + ORDERS_MIN

        async def is_sold() -> bool:
            assert self.failures == []
            return self.placed[url] >= wanted

        await until(is_sold, f"that {url} sells")


def release_before(folder: Path) -> Path:
    """Write the code that wrote the snapshot into a folder; skip where the history lacks it."""
    made = ["git", "log", "-1", "--format=%H", "--", str(PREVIOUS)]
    commit = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    archived = subprocess.run(["git", "archive", commit or "none", *CODE], cwd=ROOT, capture_output=True, check=False)
    if archived.returncode:
        pytest.skip("two releases side by side were NOT tried: the history of this checkout lacks the release before")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as code:
        code.extractall(folder, filter="data")
    return folder


def this_release(folder: Path) -> Path:
    folder.mkdir()
    for name in CODE:
        (folder / name).symlink_to(ROOT / name)
    return folder


async def _stocked(url: str, server: str, key: str) -> list[str]:
    """Put more of some goods into stock than are sold here, and return them."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(GOODS, SHOP)
    finally:
        await connection.close()
    lines = [{"sku": row["sku"], "location": row["location"], "quantity": STOCK} for row in rows]
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
        received = await client.post(f"{server}/v1/inventory.receive", json={"reference": "truck", "lines": lines})
        assert received.status_code == 200, received.text
    return [row["sku"] for row in rows]


@pytest.mark.slow
async def test_shoppers_meet_no_failure_while_one_release_takes_over_from_the_one_before(
    previous: str, tmp_path: Path
) -> None:
    before = Release(release_before(tmp_path / "before"), previous)
    now = Release(this_release(tmp_path / "now"), previous)
    before.run("migrate")
    key = next(word for word in before.run("client", "create", SHOP, "--name", "shop").split() if word[:5] == "isth_")
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(before.serving())
        shoppers = Shoppers(key, await _stocked(previous, old.url, key), [old.url])
        shopping = asyncio.create_task(shoppers.run())
        stack.callback(shopping.cancel)
        await shoppers.sell(old.url)
        await asyncio.to_thread(now.run, "migrate")
        await shoppers.sell(old.url)
        new = await stack.enter_async_context(now.serving())
        shoppers.servers = [old.url, new.url]
        await shoppers.sell(new.url)
        await shoppers.sell(old.url)
        old.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(old.process.wait, PATIENCE_S)
        await shoppers.sell(new.url)
    assert shoppers.failures == []
    now.run("doctor")  # every condition holds
