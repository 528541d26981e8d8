"""Whole lists are sorted by a column, in the address; what pages by a cursor does not pretend to be."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from .conftest import Served, eventually, land


async def test_capabilities_are_sorted_by_their_calls_over_all_pages_and_a_search_keeps_the_order(
    page: Page, served: Served
) -> None:
    await served.sell("tea")
    await page.goto(f"{served.address}/capabilities")
    name = page.get_by_role("columnheader", name="Capability")
    await expect(name).to_have_attribute("aria-sort", "ascending")
    await page.get_by_role("link", name="Calls in 24 h").click()
    called = page.get_by_role("region", name="Capabilities").locator("td.number").filter(has_text=re.compile("[1-9]"))
    await eventually(page, called)  # traffic is written down a moment later
    calls = page.get_by_role("columnheader", name="Calls in 24 h")
    await expect(calls).to_have_attribute("aria-sort", "descending")
    assert await name.get_attribute("aria-sort") is None
    shown = await page.get_by_role("region", name="Capabilities").locator("td.number").all_text_contents()
    counts = [int(one.replace(",", "")) for one in shown]
    assert (counts[0] > 0, counts) == (True, sorted(counts, reverse=True))
    await page.get_by_role("link", name="Calls in 24 h").click()
    await expect(calls).to_have_attribute("aria-sort", "ascending")
    await page.get_by_label("Name or words").fill("order.")
    await page.get_by_role("button", name="Find", exact=True).click()
    await expect(calls).to_have_attribute("aria-sort", "ascending")


async def test_an_answer_is_sorted_and_its_question_stays(page: Page, served: Served) -> None:
    await served.sell("tea")
    await land(page, served)
    asked = "metrics=order.orders&metrics=order.sales&by=order.order.order_id&by=front_end"
    await page.goto(f"{served.address}/metrics?{asked}")
    await page.get_by_role("link", name="order.order.order_id").click()
    await page.get_by_role("link", name="order.order.order_id").click()
    head = page.get_by_role("columnheader", name="order.order.order_id")
    await expect(head).to_have_attribute("aria-sort", "descending")
    ids = await page.get_by_role("region", name="Rows").locator("tbody td:first-child").all_text_contents()
    assert ids == sorted(ids, reverse=True)
    assert asked in page.url


async def test_front_ends_and_stock_of_one_page_are_sorted_and_orders_of_many_are_not(
    page: Page, served: Served
) -> None:
    await page.goto(f"{served.address}/front-ends?sort=-name")
    names = page.get_by_role("region", name="Front ends").locator("tbody b")
    await expect(names).to_have_text(["South", "North"])
    await page.goto(f"{served.address}/stock?front_end=north&sort=-on_hand")
    await expect(page.get_by_role("columnheader", name="On hand")).to_have_attribute("aria-sort", "descending")
    held = await page.get_by_role("region", name="Stock").locator("td:nth-child(4)").all_text_contents()
    units = [int(one.replace(",", "")) for one in held]
    assert units == sorted(units, reverse=True)
    await served.sell("tea")
    await page.goto(f"{served.address}/orders?sort=total")
    await expect(page.get_by_role("region", name="Orders").locator("th a")).to_have_count(0)


async def test_a_column_that_is_none_leaves_the_list_as_it_is(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/front-ends?sort=-colour")
    await expect(page.get_by_role("region", name="Front ends").locator("tbody b")).to_have_text(["North", "South"])
