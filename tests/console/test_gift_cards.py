"""Gift cards in the console: one is sold, found by the last letters of its code, and its history is read."""

from __future__ import annotations

from playwright.async_api import Page, expect

from .conftest import Served


async def test_a_card_is_sold_found_by_its_last_letters_and_its_history_read(page: Page, served: Served) -> None:
    programme = {"code": "gift", "name": "Gift cards", "currency": "EUR", "valid_days": 365}
    await served.call("payment.put-credit-programme", programme)
    await page.goto(f"{served.address}/gift-cards?front_end=north")
    sell = page.locator("form", has=page.get_by_role("button", name="Sell", exact=True))
    await sell.get_by_label("Amount").fill("twelve")
    await sell.get_by_role("button", name="Sell", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("'twelve' is no amount of EUR")
    await sell.get_by_label("Amount").fill("25,50")
    await sell.get_by_role("button", name="Sell", exact=True).click()
    said = page.get_by_role("status")
    await expect(said).to_contain_text("25.50")
    code = await said.locator("b").inner_text()
    card = await served.call("payment.get-credit", {"code": code})
    assert card["balance"] == {"currency": "EUR", "minor": 2550}
    listed = await served.call("payment.list-credit", {"last_letters": code[-4:].lower()})
    assert [(one["last_letters"], one["issuer"]) for one in listed["items"]] == [(code[-4:], "north")]
    usable = await served.call("payment.list-credit-programmes", {})
    assert [(one["owner"], one["code"]) for one in usable["items"]] == [("north", "gift")]
    await page.goto(f"{served.address}/gift-cards?front_end=north&letters={code[-4:]}")
    row = page.get_by_role("region", name="Gift cards").locator("tbody tr")
    await expect(row).to_have_count(1)
    await row.get_by_role("link", name=code[-4:]).click()
    await expect(page.get_by_role("region", name="What moved on it").locator("tbody tr")).to_contain_text("sold")
