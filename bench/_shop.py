"""A shop to measure: PostgreSQL as it ships, goods in stock, `isthmus serve` as a process, and buyers over HTTP.

No module of figures: what several of them stand on.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import asyncpg
import psutil
import uvloop

import isthmus
from isthmus.app import platform as app_platform
from isthmus.app.config import Config, load_config
from isthmus.app.packs import plugged
from isthmus.app.server import settle_memory
from isthmus.gateway import auth
from isthmus.kernel import Caller, FrontEnd
from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing
from isthmus.store import embedded

T = TypeVar("T")

FOLDER = Path(__file__).resolve().parents[1] / "build" / "bench"
FRONT_END = "north"
CALLER = Caller(front_end=FRONT_END, client="bench")


def _parts() -> dict[str, tuple[str, ...]]:
    """Return the settings of the packs and flows to measure with: those that the environment names, or all."""
    named, source = os.environ.get("ISTHMUS_BENCH_PARTS", "").split(), Path(isthmus.__file__).parent
    found = {
        kind: tuple(f"isthmus.{kind}.{one}" for one in named if (source / kind / one).is_dir())
        for kind in ("packs", "flows")
    }
    return found if named else {}


PARTS = _parts()
PACKS = plugged(replace(load_config(), **PARTS))
NAMED = frozenset(pack.name for pack in PACKS)
WITHOUT = {"messages"}  # whoever uses it has each order written about, which is work beside the orders, and not theirs
USES = tuple(f"{pack.name}.*" for pack in PACKS if pack.name not in WITHOUT)
CURRENCY = "EUR"
SELLER = "maker"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BATCH = 1_000  # what one ask takes
STARTS_WITHIN_S = 30
_SOURCE = f"""
from isthmus.kernel import FrontEnd

FRONT_END = FrontEnd(code="{FRONT_END}", name="North", owner="north team", uses={{uses!r}})
"""
NORTH = FrontEnd(code=FRONT_END, name="North", owner="north team", uses=USES)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a benchmark in the same event loop as the server has."""
    return uvloop.run(work)


@asynccontextmanager
async def database(name: str) -> AsyncGenerator[str]:
    """Give a new, empty database on an embedded PostgreSQL with the settings that ship, and nothing of one before."""
    url = embedded.database_url(FOLDER, f"bench_{name}")
    shutil.rmtree(place(url), ignore_errors=True)
    server = await asyncio.to_thread(embedded.start, FOLDER)
    admin = await asyncpg.connect(embedded.database_url(FOLDER, "postgres"))
    try:
        await admin.execute(f"drop database if exists bench_{name} with (force)")
        await admin.execute(f"create database bench_{name}")
        await admin.execute("checkpoint")
        yield url
    finally:
        await admin.execute(f"drop database if exists bench_{name} with (force)")
        await admin.close()
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def another_database(name: str) -> AsyncGenerator[tuple[Path, str]]:
    """Give an empty database on the PostgreSQL of `database`, which runs, as the folder of its socket and a name."""
    admin = await asyncpg.connect(embedded.database_url(FOLDER, "postgres"))
    try:
        await admin.execute(f"drop database if exists bench_{name} with (force)")
        await admin.execute(f"create database bench_{name}")
        folder: str = await admin.fetchval("select split_part(current_setting('unix_socket_directories'), ',', 1)")
        yield Path(folder), f"bench_{name}"
    finally:
        await admin.execute(f"drop database if exists bench_{name} with (force)")
        await admin.close()


def place(url: str) -> Path:
    """Return the folder of what serves a database.

    Each has its own: heads that were published of another database would have each of this one's refused, twice a
    second, and who opens a second database must not take the first one's key away.
    """
    return FOLDER / "served" / urlsplit(url).path.removeprefix("/")


def config(url: str) -> Config:
    root = place(url)
    return replace(Config(root=root, data=root / "data", front_ends=root / "front_ends", database_url=url), **PARTS)


@asynccontextmanager
async def running(url: str, front_end: FrontEnd = NORTH) -> AsyncGenerator[app_platform.Running]:
    """Give the whole platform in this process, with one front end that uses everything, and memory as servers do."""
    async with app_platform.running(config(url), [front_end], allowed="migrate") as platform:
        settle_memory()
        yield platform


async def stocked(url: str, skus: Sequence[str], units: int, seller: str = SELLER, front_end: FrontEnd = NORTH) -> str:
    """Migrate, put goods on sale with prices and stock, and return an API key."""
    async with running(url, front_end) as shop:
        call = shop.platform.call
        categories = (catalog.CategoryDraft(code="food", name="Food"),)
        await call(catalog.put_categories, catalog.PutCategories(categories=categories), CALLER)
        for at in range(0, len(skus), BATCH):
            part = skus[at : at + BATCH]
            drafts = tuple(
                catalog.ProductDraft(
                    code=sku, title=f"Good {sku}", category="food", seller=seller, variants=(catalog.Variant(sku=sku),)
                )
                for sku in part
            )
            await call(catalog.import_products, catalog.ImportProducts(products=drafts), CALLER)
            listings = tuple(catalog.Listing(sku=sku, offered_from=LONG_AGO) for sku in part)
            await call(catalog.publish, catalog.Publish(listings=listings), CALLER)
            prices = tuple(
                pricing.PriceEntry(sku=sku, currency=CURRENCY, amount=1000, valid_from=LONG_AGO) for sku in part
            )
            await call(pricing.put_prices, pricing.PutPrices(prices=prices), CALLER)
            receipts = tuple(inventory.Receipt(sku=sku, quantity=units, location="main") for sku in part)
            await call(inventory.receive, inventory.Receive(reference=f"first-{skus[at]}", lines=receipts), CALLER)
        return await auth.create_client(shop.database, FRONT_END, "bench")


async def analyse(url: str) -> None:
    """Gather statistics, as autovacuum does of a database in use: call it when every table has rows.

    PostgreSQL would check foreign keys with plans for empty tables otherwise, and get slower with each row.
    """
    connection = await asyncpg.connect(url)
    await connection.execute("analyze")
    await connection.close()


@dataclass(frozen=True, slots=True)
class Server:
    """An `isthmus serve` of its own: one process."""

    port: int
    process: psutil.Process
    started_s: float  # from the command to the first answer


@asynccontextmanager
async def serving(
    url: str, source: str = "", leave_out: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Server]:
    """Give a server process on a database, with a front end of that source, without some packs; gone at the end."""
    root = place(url)
    folder = root / "front_ends" / FRONT_END
    folder.mkdir(parents=True, exist_ok=True)
    uses = tuple(one for one in USES if one.removesuffix(".*") not in leave_out)
    (folder / "front_end.py").write_text(source or _SOURCE.format(uses=uses))
    settings = {"leave_out": leave_out, **PARTS}
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (root / "isthmus.toml").write_text(f"[platform]\n{lines}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    known = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "ISTHMUS_DATABASE_URL": url, **(environment or {})}
    command = [sys.executable, "-m", "isthmus.cli", "serve", "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=root, env=known, stderr=subprocess.DEVNULL)  # noqa: ASYNC220 - at once
    try:
        while not await answers(port):
            if process.poll() is not None or time.perf_counter() - began > STARTS_WITHIN_S:
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.005)
        yield Server(port, psutil.Process(process.pid), time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


async def answers(port: int) -> bool:
    """Say whether a server is ready."""
    try:
        buyer = await Buyer.connect(port, "")
    except OSError:
        return False
    try:
        return (await buyer.get("/ready"))[0] == 200
    finally:
        buyer.close()


class Buyer(asyncio.Protocol):
    """One connection that is kept alive; costs as little as it can, so that the server is what is measured."""

    def __init__(self, key: str) -> None:
        self._head = f"host: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n".encode()
        self._received = b""
        self._answered: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, port: int, key: str) -> Buyer:
        _, buyer = await asyncio.get_running_loop().create_connection(lambda: cls(key), "127.0.0.1", port)
        return buyer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and self._answered is not None:
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(body) == length:
                self._received = b""
                self._answered.set_result(head[9:12] + body)

    @property
    def is_closed(self) -> bool:
        """Say whether the server has hung up, as it does with who is silent for some seconds."""
        return cast(asyncio.Transport, self._transport).is_closing()

    async def get(self, path: str) -> tuple[int, bytes]:
        return await self._sent(f"GET {path} HTTP/1.1\r\n".encode() + self._head + b"\r\n")

    async def call(self, capability: str, ask: bytes, idempotency_key: str = "") -> tuple[int, bytes]:
        """Return status and body of one call."""
        key = f"idempotency-key: {idempotency_key}\r\n" if idempotency_key else ""
        head = f"POST /v1/{capability} HTTP/1.1\r\n{key}content-length: {len(ask)}\r\n".encode()
        return await self._sent(head + self._head + b"\r\n" + ask)

    def close(self) -> None:
        cast(asyncio.Transport, self._transport).close()

    async def _sent(self, request: bytes) -> tuple[int, bytes]:
        self._answered = asyncio.get_running_loop().create_future()
        cast(asyncio.Transport, self._transport).write(request)
        answer = await self._answered
        return int(answer[:3]), answer[3:]
