"""Take the pictures of the console and the shops again, on the demo's data with some traffic: `make screenshots`.

ARGS="--keep" goes on with the demo's database of an earlier run, and "--only orders" takes one picture.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import uuid
from typing import Any

import httpx
from playwright.async_api import Browser, Page, async_playwright

from demo.shops import CODES
from tests import browser as browsers

from . import signing
from .demo_server import ROOT, Demo, demo

IMAGES = ROOT / "docs" / "images"
DATA = ROOT / "build" / "screenshots"
ORDERS = 3_000
TRAFFIC = {"market": 90, "fresh": 60, "brand": 35}  # calls of each business line, so that the map has something to show

# What each picture is called, and how one gets there.
PICTURES = {
    "map": "/",
    "front-end": "/front-ends/market",
    "explain": "/front-ends/fresh/points/pricing.adjust-unit-price",
    "orders": "/orders",
    "order": "an order of several lines",
    "cost": "/cost",
    "levels": "/levels",
    "metrics": "/metrics?metrics=order.sales&grain=day&by=front_end&to=2018-01-01",
    "lineage": "/lineage?metric=order.net-sales",
    "call": "a traced call",
    "capability": "/capabilities/checkout.preview-order",
    "stock": "/stock?q=strawberries&front_end=fresh",
}
SEVERAL = 5  # goods, of three sellers at least
DARK = ("map", "metrics")
NARROW = ("order", "map")


async def main() -> int:
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="go on with the demo's database of an earlier run")
    parser.add_argument("--only", choices=PICTURES, help="take this picture only")
    chosen = parser.parse_args()
    path = browsers.find() if browsers.install() else None
    if path is None:
        print("no pictures were taken: no Chromium is here; on Debian, apt-get install chromium", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with demo(DATA, ORDERS, is_kept=chosen.keep) as served, async_playwright() as playwright:
        found = await _trade(served)
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        await _take(browser, served, found, chosen.only)
        if not chosen.keep and not chosen.only:  # what was sold before is served without its shops
            await _take_shops(browser, served.address)
        await browser.close()
    return 0


async def _take_shops(browser: Browser, address: str) -> None:
    """Take each shop's first page, and a basket of several sellers with every discount explained."""
    host, _, port = address.rpartition(":")
    for at, code in enumerate(CODES, start=1):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        shop = f"{host}:{int(port) + at}"
        await page.goto(shop)
        await page.screenshot(path=IMAGES / f"shop-{code}.png")
        if code == CODES[0]:
            links = page.get_by_role("main").get_by_role("listitem").get_by_role("link")
            for path in [await one.get_attribute("href") for one in (await links.all())[:SEVERAL]]:
                await page.goto(f"{shop}{path}")
                await page.get_by_role("button", name="Put in basket").click()
            await page.screenshot(path=IMAGES / "shop-basket.png")
        await context.close()


async def _trade(served: Demo) -> dict[str, str]:
    """Have each business line look, preview and order for a while; return the paths of pages worth a picture."""
    randomness = random.Random(1)
    paths = {}
    for code, calls in TRAFFIC.items():
        headers = {"Authorization": f"Bearer {await asyncio.to_thread(served.key, code)}"}
        async with httpx.AsyncClient(base_url=served.address, headers=headers, timeout=30) as client:
            skus = [one["sku"] for one in await _sold(client)]
            for _ in range(calls):
                wanted = randomness.sample(skus, min(3, len(skus)))
                ask = {"currency": "USD", "lines": [{"sku": sku, "quantity": 1} for sku in wanted]}
                headers = {"Isthmus-Explain": "true" if randomness.random() < 0.2 else "false"}
                answer = await client.post("/v1/checkout.preview-order", json=ask, headers=headers)
                await client.post("/v1/catalog.search", json={"text": "milk", "limit": 5})
                if answer.status_code == 200 and randomness.random() < 0.3:
                    placed = {"Idempotency-Key": str(uuid.uuid4())}
                    till = {**ask, "paid_at_till": "card", "channel": "store"}
                    await client.post("/v1/checkout.place-order", json=till, headers=placed)
                if answer.status_code == 200 and headers["Isthmus-Explain"] == "true":
                    paths["call"] = f"/calls/{answer.headers['isthmus-call']}"
            longest = max(await _orders(client), key=lambda one: len(one["lines"]))
            paths["order"] = f"/orders/{code}/{longest['order_id']}"
    return paths


async def _orders(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    return (await client.post("/v1/order.list-orders", json={"limit": 100})).json()["items"]


async def _sold(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return lines of the latest orders: goods that are sold, and in stock."""
    return [line for order in await _orders(client) for line in order["lines"]]


async def _take(browser: Browser, served: Demo, found: dict[str, str], only: str | None) -> None:
    address = f"{served.address}/console"
    for scheme, width, names in (("light", 1280, list(PICTURES)), ("dark", 1280, DARK), ("light", 390, NARROW)):
        context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        await signing.enter(context, address, await asyncio.to_thread(served.sign_in_link))
        page = await context.new_page()
        if (scheme, width) == ("light", 1280):
            await _landed(page, address)
        for name in names:
            if only in (None, name):
                await page.goto(address + found.get(name, PICTURES[name]))
                await page.wait_for_load_state("networkidle")
                if await page.locator(".chart").count():
                    await page.locator(".chart canvas").first.wait_for()  # it draws itself after the page is there
                suffix = "-dark" if scheme == "dark" else "-390" if width == 390 else ""
                await page.screenshot(path=IMAGES / f"console-{name}{suffix}.png")
                print(f"docs/images/console-{name}{suffix}.png")
        await context.close()


async def _landed(page: Page, address: str) -> None:
    await page.goto(f"{address}/quality")
    await page.get_by_role("button", name="Land now").click()
    await page.get_by_text("is in the lake").wait_for(timeout=0)
    await page.get_by_role("button", name="Check now").click()
    await page.get_by_text("was checked").wait_for(timeout=0)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
