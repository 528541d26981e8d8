"""Dead letters are read in the console, and sent again from there; jobs are listed with what came of them."""

from __future__ import annotations

from playwright.async_api import Page, expect

from .conftest import Served, eventually

DEAD = """
insert into runtime.delivery (front_end, capability, event_id, event_type, subject, ask, state, attempts, last_error)
values ('north', 'north.tell-warehouse', 'e1', 'order.order-placed', 'o1', '{"order": 7}', 'dead', 5,
        'the warehouse does not answer')
"""


async def test_a_dead_letter_is_read_and_sent_again(page: Page, served: Served) -> None:
    async with served.shop.database.platform() as session:
        await session.execute(DEAD)
    await page.goto(f"{served.address}/dead-letters")
    row = page.locator("tbody tr")
    await expect(row).to_contain_text("the warehouse does not answer")
    await expect(row).to_contain_text("north.tell-warehouse")
    await row.get_by_role("button", name="Send again").click()
    await expect(page.get_by_role("status")).to_contain_text("1 sent again")
    await expect(page.locator(".empty")).to_contain_text("No event is left behind")


async def test_jobs_are_listed_with_their_last_run_its_outcome_and_the_next(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/jobs")
    row = page.locator("tbody tr", has_text="checkout.expire-orders").filter(has_text="north")
    await eventually(page, row.filter(has_text="done"))
    await expect(row).to_contain_text("every 15 s")
    await expect(row.locator("time")).to_have_count(2)
