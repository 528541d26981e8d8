"""A served platform with two front ends, and a browser that is signed in to its console."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page

from isthmus.gateway import auth
from isthmus.store import Database
from tests import browser as browsers
from tests.flows.conftest import NORTH, Shop, shop_of, stocked
from tests.flows.serving import Server

from . import signing

FreshDatabase = Callable[[], AbstractAsyncContextManager[str]]
RELOADS_MAX = 120  # half a second each: a busy machine is slow, and no test says how fast it is

FRONT_ENDS = {
    "north": """
from isthmus.kernel import PASS, FrontEnd, Value, answers
from isthmus.markings import Cumulative
from isthmus.packs.pricing import api as pricing
from isthmus.packs.sync import api as sync
from isthmus.values import money


class Gift(Value):
    wrap: str = "none"


@answers(pricing.adjust_unit_price)
def one_euro_off(lines, buyer):
    off = [money(line.amount.minor - 100, line.amount.currency) for line in lines]
    return [pricing.UnitPrice(amount=price, by="north", reason="a euro off for all") for price in off]


@answers(sync.collections)
def kept_on_devices():
    return [sync.Collection(name="basket", fields=(sync.Field(name="note"),))]


FRONT_END = FrontEnd(
    code="north", name="North", owner="north team", doc="Sells in the north.", uses={uses},
    answers=(one_euro_off, kept_on_devices),
    attributes={"order.order": Gift},
    settings={"invoicing.name": "North GmbH", "invoicing.country": "DE", "invoicing.vat_id": "DE123456789"},
    metrics=(Cumulative(name="north.week", of="order.sales", window=7, doc="Sales of seven days."),),
)
""",
    "south": """
from uuid import UUID

from isthmus.kernel import FrontEnd
from isthmus.packs.catalog import api as catalog
from isthmus.packs.order import api as order
from isthmus.screens import AskScreen, Gone, Part, Screen, screen


class Home(Screen):
    goods: catalog.FoundPage | None = None
    basket: order.Basket | None = None
    news: str | None = None


class AskHome(AskScreen):
    basket_id: UUID | None = None


@screen(
    "south.home",
    version="1.0",
    goods=Part(catalog.search, lambda ask: catalog.Search(limit=3)),
    basket=Part(order.get_basket, lambda ask: order.GetBasket(basket_id=ask.basket_id) if ask.basket_id else None),
    news=Gone("read the letter"),
)
def home(ask: AskHome) -> Home:
    "Show the first page."


FRONT_END = FrontEnd(
    code="south", name="South", owner="south team", doc="Sells in the south.", uses={uses},
    capabilities=(home.capability,), implementations=(home,),
)
""",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: where its console is, its folder, and a client of its API."""

    address: str
    folder: Path
    shop: Shop
    client: httpx.AsyncClient
    url: str  # of its database

    @property
    def data(self) -> Path:
        return self.folder / ".isthmus"

    async def link(self, role: str = "owner", at: str = "*") -> str:
        """Return a sign-in link, below the console's address."""
        return await signing.sign_in_link(self.url, role, at)

    async def enter(self, context: BrowserContext, role: str = "owner", at: str = "*") -> None:
        """Sign a browser in."""
        await signing.enter(context, self.address, await self.link(role, at))

    async def sign_in(self, client: httpx.AsyncClient, role: str = "owner", at: str = "*") -> httpx.Response:
        return await signing.sign_in(client, self.address, await self.link(role, at))

    async def call(self, capability: str, ask: dict[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Call a capability for north, or for whom a key was given, as a client does."""
        headers = {"Idempotency-Key": str(uuid.uuid4()), **({"Authorization": f"Bearer {key}"} if key else {})}
        answer = await self.client.post(f"/v1/{capability}", json=ask, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def sell(self, *skus: str, key: str | None = None, **facts: Any) -> dict[str, Any]:
        """Sell one of each, paid in a shop and handed over unless the facts say otherwise, and return the order."""
        lines = [{"sku": sku, "quantity": 1} for sku in skus]
        ask = {"lines": lines, "currency": "EUR", "paid_at_till": "cash", "channel": "store", **facts}
        placed = await self.call(
            "checkout.place-order", {name: one for name, one in ask.items() if one is not None}, key=key
        )
        return placed["orders"][0]


async def eventually(page: Page, wanted: Locator) -> None:
    """Reload a page until it shows what a background job of the server makes a moment later."""
    for _ in range(RELOADS_MAX):
        if await wanted.count():
            return
        await asyncio.sleep(0.5)
        await page.reload()
    raise AssertionError(f"{page.url} did not come to show {wanted}")


async def land(page: Page, served: Served) -> None:
    """Press *Land now* as an operator does, and wait until the landing has ended, however long it takes."""
    await page.goto(f"{served.address}/quality")
    await page.get_by_role("button", name="Land now").click()
    await ended(page, "What the business has committed is in the lake.")


async def ended(page: Page, said: str) -> None:
    """Wait until work that runs beside its page has ended, and see that the page says this of it."""
    notice = page.locator(".notice.good, .notice.bad").first
    await notice.wait_for(timeout=0)  # the work has a limit of its own
    assert await notice.text_content() == said


@pytest.fixture(scope="module")
async def served(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Give a server process over a stocked database of its own, with the front ends north and south."""
    folder = tmp_path_factory.mktemp("served")
    for code, text in FRONT_ENDS.items():
        (folder / "front_ends" / code).mkdir(parents=True)
        (folder / "front_ends" / code / "front_end.py").write_text(text.replace("{uses}", repr(NORTH.uses)))
    (folder / "isthmus.toml").write_text(
        '[record]\nshare = 1.0\n[cost]\nmonth = "1200 EUR"\n[settings.webhooks]\nnetworks = ["127.0.0.0/8"]\n'
    )
    async with fresh_database() as url, await Database.open(url) as database:
        shop = shop_of(database)
        await stocked(shop)
        server = Server(folder, url, ISTHMUS_DATA=str(folder / ".isthmus"))
        await server.start()
        key = await auth.create_client(database, "north", "shop")
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            yield Served(f"{base}/console", folder, shop, client, url)
        server.kill()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give a headless Chromium, or skip with the reason."""
    async with browsers.opened(is_light=True) as opened:
        yield opened


@pytest.fixture
async def operator(browser: Browser, served: Served) -> AsyncIterator[BrowserContext]:
    """Give a browser that an owner has signed in on; what its pages complain of fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    await served.enter(context)
    yield context
    await context.close()
    assert complaints == []


@pytest.fixture
async def page(operator: BrowserContext) -> Page:
    return await operator.new_page()
