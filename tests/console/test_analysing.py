"""What an analyst does: asks a metric, reads chart, table and receipt, and passes the address on."""

from __future__ import annotations

from playwright.async_api import Page, expect

from isthmus.console.pages.receipts import PAGE_SIZE
from isthmus.kernel import encode
from isthmus.markings import Question

from .conftest import Served, ended, land


async def test_an_analyst_asks_a_metric_and_passes_the_address_on(page: Page, served: Served) -> None:
    for _ in range(2):
        await served.sell("tea", "jam")
    await land(page, served)
    await page.goto(f"{served.address}/metrics")
    await page.get_by_label("order.sales", exact=True).check()
    await page.locator("input[name=metrics][value='order.orders']").check()
    await page.get_by_label("Over time").select_option("day")
    await page.get_by_role("button", name="Ask the question", exact=True).click()
    row = page.get_by_role("region", name="Rows").locator("tbody tr")
    await expect(row).to_have_count(1)
    orders, sales = (await row.locator("td.number").all_text_contents())[:2]
    assert float(sales) >= 24
    assert int(orders) >= 2
    await expect(page.locator(".chart canvas")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="order.sales (EUR)")).to_be_visible()
    assert "where=" not in page.url
    passed_on = await page.context.new_page()
    await passed_on.goto(page.url)
    await expect(passed_on.get_by_role("region", name="Rows").locator("tbody tr")).to_contain_text(sales)
    await passed_on.get_by_role("link", name="Where it comes from").click()
    await expect(passed_on.locator("svg.lineage")).to_contain_text("order_id")
    await page.locator("a[href*='/receipts/']").click()
    await expect(page.locator("h1")).to_contain_text("the same number today")
    await expect(page.locator("pre")).to_contain_text("select")


async def test_receipts_are_found_by_metric_and_asker_and_a_page_ends_where_the_next_begins(
    page: Page, served: Served
) -> None:
    await served.sell("tea")
    await land(page, served)
    asked = f"{served.address}/metrics?metrics=order.buyers&policy=south"
    for _ in range(PAGE_SIZE + 2):
        assert (await page.request.get(asked)).ok
    await page.goto(f"{served.address}/metrics?metrics=order.sales&where=order.order.channel+in+online,store")
    newest = await page.locator("a[href*='/receipts/']").text_content() or ""
    await page.locator("nav.side").get_by_role("link", name="Receipts").click()
    rows = page.get_by_role("region", name="Receipts").locator("tbody tr")
    await expect(rows.first).to_contain_text(newest)
    await expect(rows.first).to_contain_text("order.order.channel in online, store")
    await page.get_by_label("Metric").select_option("order.buyers")
    await page.get_by_label("As seen by").select_option("south")
    await page.get_by_role("button", name="Find", exact=True).click()
    await expect(rows).to_have_count(PAGE_SIZE)
    first = await rows.locator("a").all_text_contents()
    await page.request.get(asked)  # one more meanwhile moves no page
    await page.get_by_role("link", name="Next page").click()
    await expect(page.get_by_role("link", name="First page")).to_be_visible()
    second = await rows.locator("a").all_text_contents()
    assert (len(second), set(first) & set(second)) == (2, set())
    await rows.first.get_by_role("link").click()
    await expect(page.locator("h1")).to_contain_text("the same number today")
    await expect(page.locator("nav.side a[aria-current=page]")).to_have_text(["Receipts"])


async def test_a_question_that_has_no_answer_says_why(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/metrics?metrics=order.sales&by=order.order.contact_email")
    await expect(page.get_by_role("alert")).to_contain_text("What to do")


async def test_a_front_end_splits_by_its_own_attributes_and_another_is_not_offered_them(
    page: Page, served: Served
) -> None:
    await served.sell("tea", attributes={"wrap": "box"})
    await land(page, served)
    asked = f"{served.address}/metrics?metrics=order.orders&policy"
    await page.goto(f"{asked}=north")
    await page.get_by_label("Split by").select_option("order.order.attributes.wrap")
    await page.get_by_role("button", name="Ask the question", exact=True).click()
    await expect(page.get_by_role("region", name="Rows").locator("tbody tr").first).to_contain_text("box")
    await page.goto(f"{asked}=south")
    await expect(page.get_by_label("Split by").locator("option", has_text="attributes")).to_have_count(0)
    await page.goto(f"{asked}=south&by=order.order.attributes.wrap")
    await expect(page.get_by_role("alert")).to_contain_text("data.no-attribute")


async def test_a_metric_of_a_front_ends_own_is_asked_traced_and_in_whole_units(page: Page, served: Served) -> None:
    await served.sell("tea")
    await land(page, served)
    await page.goto(f"{served.address}/metrics?metrics=north.week&metrics=order.sales&grain=day&policy=north")
    await expect(page.get_by_role("columnheader", name="north.week (EUR)")).to_be_visible()
    week, sales = (await page.get_by_role("region", name="Rows").locator("td.number").all_text_contents())[:2]
    assert week == sales  # all of it was sold today
    await page.goto(f"{served.address}/metrics?metrics=north.week&grain=day&policy=north")
    await page.get_by_role("link", name="Where it comes from").click()
    await expect(page.locator("svg.lineage")).to_contain_text("north.week")
    await expect(page.locator("svg.lineage")).to_contain_text("front_end")
    await page.goto(f"{served.address}/metrics?policy=south")
    await expect(page.get_by_label("north.week")).to_have_count(0)


async def test_quality_is_checked_on_what_has_landed(page: Page, served: Served) -> None:
    await land(page, served)
    await page.get_by_role("button", name="Check now").click()
    await ended(page, "Every rule was checked on this snapshot.")
    rules = page.get_by_role("region", name="All rules")
    await expect(rules).to_contain_text("the key of order.order holds")
    await expect(rules.locator(".state.good").first).to_be_visible()
    await page.goto(f"{served.address}/quarantine")
    await expect(page.locator(".empty")).to_contain_text("Nothing is in quarantine")


async def test_a_kept_question_is_asked_from_its_page_and_stands_in_the_catalogue(page: Page, served: Served) -> None:
    await served.sell("tea")
    await land(page, served)
    exports = served.data / "exports"
    (exports / "questions").mkdir(parents=True)
    kept = Question(name="tea-sales", metrics=("order.orders",), doc="How many orders there are.", owner="tea team")
    (exports / "questions" / "tea-sales.json").write_bytes(encode(kept))
    await page.goto(f"{served.address}/questions")
    row = page.locator("tbody tr", has_text="tea-sales")
    await row.get_by_role("button", name="Ask now").click()
    await expect(row).to_contain_text("tea-sales.csv")
    name, count = (exports / "tea-sales.csv").read_text().split()
    assert (name, int(count) >= 1) == ("order.orders", True)
    await row.get_by_role("link", name="Receipt").click()
    await expect(page.locator("h1")).to_contain_text("the same number today")
    await page.goto(f"{served.address}/catalogue")
    await page.get_by_label("Words").fill("tea-sales")
    await page.get_by_role("button", name="Find", exact=True).last.click()
    found = page.locator("main tbody tr")
    await expect(found).to_have_count(1)
    await expect(found).to_contain_text("How many orders there are.")
