"""Who shares what with whom is read in the console, and a grant is taken back from there with its reason."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from playwright.async_api import Page, expect

from isthmus.store import sharing

from .conftest import Served

OWNED = "insert into inventory.location values ('north', 'hall', 'Hall', 'DE', '', 0, true)"


LENT = """
insert into inventory.stock (front_end, sku, location, on_hand) values ('north', 'pot', 'hall', 8);
insert into inventory.lent values (gen_random_uuid(), 'pot', 'north', 'hall', 'south', null, 12, 5)
"""


async def test_what_was_sold_from_whose_stock_is_shown_to_the_owner(page: Page, served: Served) -> None:
    async with served.shop.database.platform() as session:
        for statement in LENT.split(";"):
            await session.execute(statement)
    await page.goto(f"{served.address}/lent-stock?front_end=north")
    await expect(page.locator("tbody tr")).to_have_text("pothallnorthsouth57")


async def test_a_grant_is_seen_with_its_bounds_and_taken_back(page: Page, served: Served) -> None:
    draft = sharing.Draft(kind="inventory.location", name="hall", to="south", bounds={"most": 12}, reason="for spring")
    async with served.shop.database.platform_transaction() as session:
        await session.execute(OWNED)
        await sharing.give(session, "north", uuid.uuid4(), draft, datetime.now(UTC), "test")
    await page.goto(f"{served.address}/sharing")
    row = page.locator("tbody tr")
    await expect(row).to_contain_text("hall")
    await expect(row).to_contain_text("most 12")
    await expect(row).to_contain_text("for spring")
    await row.get_by_label("Why it is taken back").fill("spring is over")
    await row.get_by_role("button", name="Take back").click()
    await expect(page.get_by_role("status")).to_contain_text("taken back")
    await expect(page.locator(".empty")).to_contain_text("Nothing is shared.")
    await page.goto(f"{served.address}/sharing?past=1")
    await expect(page.locator("tbody tr")).to_contain_text("owner: spring is over")
