"""The books in the console: what stands where, what was booked for an order, and that all of it comes to zero."""

from __future__ import annotations

from playwright.async_api import Page, expect

from .conftest import Served


async def test_a_balance_leads_to_its_entries_and_they_to_their_order(page: Page, served: Served) -> None:
    order = await served.sell("tea", "jam")
    await page.goto(f"{served.address}/accounts?front_end=north&below=income")
    await expect(page.locator("tbody tr").filter(has_text="income:sales")).to_contain_text("−€")
    await page.get_by_role("link", name="income:sales").click()
    entry = page.locator("tbody").filter(has_text=order["order_id"][-12:])
    await expect(entry).to_contain_text("goods delivered")
    await expect(page.locator(".tile").first).to_contain_text("−€")
    await page.get_by_role("link", name=order["order_id"][-12:]).first.click()
    await expect(page).to_have_url(f"{served.address}/orders/north/{order['order_id']}")


async def test_the_trial_balance_says_that_it_is_zero_and_shows_what_was_earned(page: Page, served: Served) -> None:
    await served.sell("jam")
    await page.goto(f"{served.address}/trial-balance?front_end=north")
    await expect(page.get_by_role("status")).to_have_text("All accounts together come to zero.")
    await expect(page.get_by_role("heading", name="Income statement")).to_be_visible()
    await expect(page.get_by_role("row", name="income:sales").first).to_be_visible()
    await page.goto(f"{served.address}/trial-balance?front_end=north&until=2001-01-01")
    await expect(page.locator(".empty")).to_contain_text("Nothing was booked in this time.")
