"""Screens in the console: which there are, how long they take, and what was missing."""

from __future__ import annotations

import uuid

from playwright.async_api import Page, expect

from isthmus.gateway import auth
from isthmus.store import Database

from .conftest import Served, eventually


async def test_screens_say_what_they_are_made_of_how_they_fare_and_what_was_missing(page: Page, served: Served) -> None:
    async with await Database.open(served.url) as database:
        key = await auth.create_client(database, "south", "app")
    shown = await served.call("south.home", {"basket_id": str(uuid.uuid4())}, key=key)
    assert [(one["part"], one["slug"]) for one in shown["missing"]] == [("basket", "order.unknown-basket")]
    assert shown["goods"]["items"]
    await served.call("south.home", {"fields": ["goods"]}, key=key)
    await page.goto(f"{served.address}/screens")
    listed = page.get_by_role("region", name="Screens").get_by_role("row", name="south.home")
    await eventually(page, listed.filter(has_text="basket order.unknown-basket × 1"))
    await expect(listed).to_contain_text("catalog.search up to 1,000 ms")
    await expect(listed).to_contain_text("news no more")
    await expect(listed.get_by_role("cell").nth(2)).to_have_text("2")
    await listed.get_by_role("link", name="catalog.search").click()
    await expect(page.get_by_role("heading", name="catalog.search")).to_be_visible()
