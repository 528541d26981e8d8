"""A served platform with the three front ends, and each one's shop as a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from isthmus.gateway import auth
from isthmus.kernel import Caller, Capability, Platform
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.runtime.deploy.loading import front_end_folders
from isthmus.runtime.isolation.isolate import load_isolated, points_of
from isthmus.runtime.isolation.limits import Isolation
from isthmus.store import Database, migrate_own
from tests import browser as browsers
from tests import shipped
from tests.flows.serving import Server
from tests.flows.test_business_lines import CODES, FOLDERS, Lines, stocked
from tests.waiting import PATIENCE_S, until

FreshDatabase = Callable[[], AbstractAsyncContextManager[str]]
ROOT = Path(__file__).parents[2]
KIT = ROOT / "kits" / "storefront" / "src"
CONFIG = """
[platform]
front_ends = "{root}/front_ends"
group = "group"

[settings.messaging]
networks = ["127.0.0.0/8"]  # where the test's push service is
quiet = ""
per_day = 0
"""
PATIENCE_MS = 30_000  # a busy machine answers late; a test that fails waits this long


@dataclass(frozen=True, slots=True)
class Mall:
    """The three running shops: their addresses, the console's, and the platform behind them."""

    shops: dict[str, str]
    console: str
    platform: Platform
    api: str
    url: str  # of the database
    keys: dict[str, str]

    async def call(self, code: str, capability: Capability[Any, Any], ask: Any) -> Any:
        """Do what somebody else than the shop does meanwhile: a price is changed, goods are sent."""
        return await self.platform.call(capability, ask, Caller(front_end=code, client="back-office"))


@pytest.fixture(scope="session")
async def mall(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mall]:
    """Give the shops, each with the same few goods."""
    found = [load_isolated(one, Isolation(), points_of(shipped.PACKS)) for one in front_end_folders(FOLDERS)]
    release = shipped.build([one for one in found if one.code in CODES])
    data = tmp_path_factory.mktemp("mall")
    async with fresh_database() as url, await Database.open(url) as database:
        for one in front_end_folders(FOLDERS):
            if (one / "migrations").is_dir():
                await migrate_own(url, one.name, one / "migrations")
        resources = {
            payment.Providers: payment.Providers([payment.TestProvider()]),
            order.Numbers: order.Numbers(database),
        }
        platform = Platform(release, database, resources=resources)
        await stocked(Lines(platform, database))
        await platform.call(fulfilment.open_slots, fulfilment.OpenSlots(items=_slots()), Caller(front_end="fresh"))
        config = data / "isthmus.toml"
        config.write_text(CONFIG.format(root=ROOT))
        server = Server(ROOT, url, ISTHMUS_DATA=str(data), ISTHMUS_CONFIG=str(config))
        await server.start()
        base = f"http://127.0.0.1:{server.port}"
        keys = {code: await auth.create_client(database, code, "shop", None) for code in CODES}
        try:
            with shops(base, keys) as addresses:
                await asyncio.gather(*map(answers, addresses.values()))
                yield Mall(addresses, f"{base}/console", platform, base, url, keys)
        finally:
            server.kill()


def _slots() -> tuple[fulfilment.NewSlot, ...]:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (fulfilment.NewSlot(method="van", starts_at=noon, ends_at=noon + timedelta(hours=2), capacity=3),)


@contextmanager
def shops(api: str, keys: dict[str, str], root: Path = ROOT, port: int = 0) -> Iterator[dict[str, str]]:
    """Serve the shops below a folder, and give their addresses by front end. port: of the one; else any free."""
    running: list[subprocess.Popen[bytes]] = []
    addresses: dict[str, str] = {}
    try:
        for code, key in keys.items():
            with socket.socket() as free:
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that has just stopped lingers
                free.bind(("127.0.0.1", port))
                at = free.getsockname()[1]
            facts = {"SHOP_API": api, "SHOP_KEY": key, "SHOP_SECRET": f"secret of {code}"}
            facts["PYTHONPATH"] = os.pathsep.join((str(root), str(root / "kits" / "storefront" / "src"), str(KIT)))
            made = ["--factory", f"front_ends.{code}.shop.app:shop", "--port", str(at), "--log-level", "warning"]
            command = [sys.executable, "-m", "uvicorn", *made]
            running.append(subprocess.Popen(command, cwd=root, env={**os.environ, **facts}))
            addresses[code] = f"http://127.0.0.1:{at}"
        yield addresses
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(PATIENCE_S)


async def answers(address: str) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:

        async def is_there() -> bool:
            try:
                return (await client.get(f"{address}/shop.css")).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_there, f"that the shop at {address} starts")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give a headless Chromium, or skip with the reason."""
    async with browsers.opened() as opened:
        yield opened


@pytest.fixture
async def shopper(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Give a shopper's browser, with nothing in it."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest.fixture
async def page(shopper: BrowserContext) -> Page:
    return await shopper.new_page()
