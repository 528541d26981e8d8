"""What holds of every page of the console: who may see it, that all can read it, that it is light."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Response, expect

from isthmus.store import Database
from tests.flows.serving import Server

from . import signing
from .conftest import Served
from .test_shipping import ship

FOCUS_MAX = 100  # presses of Tab from the top of a page to the first row of its list
SCROLLS_MAX = 60
BYTES_MAX = 300_000
TABS = 6  # opened at once
LOOKS = (  # width, colours, and of which pages contrast and names are looked at: half of it is half a minute
    (1280, "light", slice(0, None, 2)),
    (390, "dark", slice(1, None, 2)),
    *(
        pytest.param(width, scheme, slice(None), marks=pytest.mark.slow)
        for width in (1280, 390)
        for scheme in ("light", "dark")
    ),
)
PAGES = (
    "/",
    "/front-ends",
    "/front-ends/north",
    "/front-ends/north/points/pricing.adjust-unit-price",
    "/capabilities",
    "/capabilities/checkout.place-order",
    "/orders",
    "/members",
    "/stock",
    "/stock/north/tea",
    "/subscriptions",
    "/product-changes?state=",
    "/goods",
    "/parcels",
    "/calls",
    "/dead-letters",
    "/screens",
    "/deploys",
    "/deploys/north",
    "/metrics",
    "/metrics?metrics=order.sales&grain=day&by=front_end",
    "/metrics/receipts",
    "/metrics/receipts?metric=order.margin&policy=south",
    "/lineage?metric=order.net-sales",
    "/quality",
    "/quarantine",
    "/one-id",
    "/cost",
    "/experience",
    "/minute",
    "/silo",
    "/combinations",
    "/combinations?front_end=north&try=products",
    "/levels",
    "/people",
    "/shares",
    "/account",
    "/policies",
    "/audit",
    "/personal-data",
    "/cost?front_end=north",
    "/capabilities?q=order.",
    "/orders?state=cancelled",
    "/members?q=nobody@example.org",
    "/dead-letters?front_end=north",
    "/find?q=price",
    "/find?q=nothing-is-called-so",
    "/no-such-page",
)


async def test_nobody_sees_a_page_who_is_not_signed_in(served: Served) -> None:
    async with httpx.AsyncClient() as stranger:
        for path in PAGES:
            answer = await stranger.get(served.address + path)
            assert (answer.status_code, "Sign in" in answer.text) == (401, True), path
        wrong = await stranger.get(f"{served.address}/?token=guessed", headers={"Cookie": "isthmus_session=guessed"})
    assert wrong.status_code == 401


async def test_a_form_from_elsewhere_carries_no_sign_in(served: Served) -> None:
    async with httpx.AsyncClient() as browser:
        signed = await served.sign_in(browser)
    cookie = signed.headers["set-cookie"].lower()
    assert signed.status_code == 303
    assert "samesite=strict" in cookie
    assert "httponly" in cookie


@pytest.mark.parametrize(("width", "scheme", "looked_at"), LOOKS)
async def test_everybody_can_read_every_page(
    browser: Browser, served: Served, width: int, scheme: str, looked_at: slice
) -> None:
    sold = await served.sell("tea", "jam")
    await ship(served, "--accept")
    answer = await served.client.post("/v1/inventory.list-stock", json={}, headers={"Isthmus-Explain": "true"})
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    await served.enter(context)
    page = await context.new_page()
    broken: dict[str, object] = {}
    await page.goto(f"{served.address}/deploys/north")
    version = page.get_by_role("region", name="Versions").locator("tbody a").first
    things = (
        f"/orders/north/{sold['order_id']}",
        f"/calls/{answer.headers['isthmus-call']}",
        (await version.get_attribute("href") or "").removeprefix("/console"),
    )
    pages = (*PAGES, *things)
    for path in pages:
        answer = await page.goto(served.address + path)
        assert answer is not None
        assert answer.status == (404 if path == "/no-such-page" else 200), path
        found = (await Axe().run(page)).response["violations"] if path in pages[looked_at] else []
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if serious or overflow > 0:
            broken[path] = (serious, overflow)
    await context.close()
    assert broken == {}


async def test_no_page_is_heavy_and_none_loads_anything_from_elsewhere(page: Page, served: Served) -> None:
    heavy: dict[str, int] = {}
    waiting = list(PAGES)

    async def weigh() -> None:
        tab = await page.context.new_page()
        while waiting:
            path = waiting.pop()
            loaded: list[Response] = []

            def note(one: Response, loaded: list[Response] = loaded) -> None:
                loaded.append(one)

            await tab.goto("about:blank")
            tab.on("response", note)
            await tab.goto(served.address + path, wait_until="networkidle")
            tab.remove_listener("response", note)
            assert [one.url for one in loaded if not one.url.startswith(served.address)] == []
            size = sum([len(await one.body()) for one in loaded])
            if size > BYTES_MAX:
                heavy[path] = size

    await asyncio.gather(*(weigh() for _ in range(TABS)))  # each waits for half a second in which nothing is loaded
    assert heavy == {}


async def test_every_page_of_the_menu_is_there_and_says_where_one_is(page: Page, served: Served) -> None:
    await page.goto(served.address + "/")
    links = await page.locator("nav.side a").evaluate_all("all => all.map(one => [one.textContent, one.href])")
    assert len(links) > 8
    for name, address in links:
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        await expect(page.locator("nav.side a[aria-current=page]")).to_have_text(name)
        await expect(page.locator("h1")).to_have_text(name)


async def test_the_keyboard_reaches_search_and_content(page: Page, served: Served) -> None:
    await page.goto(served.address + "/front-ends")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "content"
    await page.keyboard.press("/")
    await page.keyboard.type("grant-sale-price")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("pricing.grant-sale-price")


async def test_every_row_of_a_list_is_reached_by_the_keyboard_and_focus_is_seen(page: Page, served: Served) -> None:
    sold = await served.sell("tea")
    await page.goto(f"{served.address}/orders?q={sold['number']}")
    focused = "document.activeElement"
    for _ in range(FOCUS_MAX):
        await page.keyboard.press("Tab")
        if await page.evaluate(f"{focused}.closest('tbody') !== null"):
            break
    assert sold["order_id"] in await page.evaluate(f"{focused}.href")
    outline = await page.evaluate(f"getComputedStyle({focused})")
    assert outline["outlineStyle"] == "solid"
    assert float(outline["outlineWidth"].removesuffix("px")) >= 2
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text(f"Order #{sold['number']}")


async def test_a_wide_list_is_scrolled_by_the_keyboard(browser: Browser, served: Served) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 800})
    await served.enter(context)
    page = await context.new_page()
    await served.sell("tea")
    await page.goto(f"{served.address}/orders")
    orders = page.get_by_role("region", name="Orders")
    await orders.focus()
    for _ in range(SCROLLS_MAX):  # it glides, a little later than the key
        await page.keyboard.press("ArrowRight")
        if await orders.evaluate("one => one.scrollLeft") > 0:
            break
        await page.wait_for_timeout(100)
    assert await orders.evaluate("one => one.scrollLeft") > 0
    await context.close()


async def test_what_is_not_there_is_said_with_a_way_on(page: Page, served: Served) -> None:
    missing = await page.goto(served.address + "/capabilities/order.list-ordres")
    assert missing is not None
    assert missing.status == 404
    await expect(page.locator(".empty")).to_contain_text("did you mean 'order.list-orders'")


async def test_an_empty_platform_says_on_every_page_what_to_do_first(database: Database, tmp_path: Path) -> None:
    server = Server(tmp_path, database.url, ISTHMUS_DATA=str(tmp_path / "data"))
    await server.start()
    try:
        address = f"http://127.0.0.1:{server.port}/console"
        async with httpx.AsyncClient(follow_redirects=True) as client:
            await signing.sign_in(client, address, await signing.sign_in_link(database.url))
            for path in ("/", "/front-ends", "/deploys", "/orders", "/members", "/stock", "/calls", "/metrics"):
                page = await client.get(address + path)
                assert (page.status_code, 'class="empty"' in page.text) == (200, True), path
            assert (await client.get(f"{address}/front-ends/nobody")).status_code == 404
            assert (await client.get(f"{address}/deploys/nobody")).status_code == 404
    finally:
        server.kill()


async def test_every_box_of_the_map_can_be_read(page: Page, served: Served) -> None:
    """However many packs there are: names fit their boxes, and no box lies on another."""
    await page.goto(served.address)
    boxes = await page.locator("svg.map a").evaluate_all(
        """all => all.map(one => ({
            name: one.querySelector("text").textContent,
            box: one.querySelector("rect").getBBox(),
            texts: [...one.querySelectorAll("text")].map(text => text.getBBox()),
        })).map(({name, box, texts}) => ({
            name, x: box.x, y: box.y, width: box.width, height: box.height,
            fits: texts.every(text => text.x > box.x && text.x + text.width < box.x + box.width),
        }))"""
    )
    assert len(boxes) > 20
    assert [one["name"] for one in boxes if not one["fits"]] == []
    assert [
        (one["name"], other["name"])
        for at, one in enumerate(boxes)
        for other in boxes[:at]
        if abs(one["x"] - other["x"]) < one["width"] and abs(one["y"] - other["y"]) < one["height"]
    ] == []
