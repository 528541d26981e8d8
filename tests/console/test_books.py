"""The books in the console: what stands where, what was booked for an order, and that all of it comes to zero."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from playwright.async_api import Page, expect

from isthmus.flows.closing import pages as closing_pages

from .conftest import Served


def eur(minor: int) -> dict[str, Any]:
    return {"currency": "EUR", "minor": minor}


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


CLAIMED = {
    "reference": "rent",
    "kind": "rent",
    "legs": [
        {"account": "assets:front-ends", "owner": "front-end/south", "amount": {"currency": "EUR", "minor": 700}},
        {"account": "income:rent", "amount": {"currency": "EUR", "minor": -700}},
    ],
}


async def test_the_books_of_the_group_show_what_is_left_between_front_ends(page: Page, served: Served) -> None:
    await served.call("ledger.post", {"entries": [CLAIMED]})
    await page.goto(f"{served.address}/group-books")
    await expect(page.get_by_role("status")).to_have_text("All accounts together come to zero.")
    pair = page.get_by_role("row", name="north south")
    await expect(pair).to_contain_text("€7.00")
    await expect(page.get_by_role("row", name="assets:front-ends")).to_have_count(0)
    await pair.get_by_role("link", name="north").click()
    await expect(page.get_by_role("row", name="assets:front-ends")).to_contain_text("€7.00")
    await page.goto(f"{served.address}/group-books?of-north=on")
    await expect(page.get_by_role("row", name="assets:front-ends")).to_contain_text("€7.00")
    await expect(page.get_by_text("They owe each other nothing.")).to_be_visible()


DUE = """insert into settlement.item (front_end, reference, payee, kind, subject, currency, gross_minor,
    commission_minor, amount_minor, happened_at)
    values ('north', 'x', 'front-end/south', 'between-front-ends', 'stock', 'EUR', 500, 0, 500, now())"""


async def test_what_is_due_is_prepared_by_one_and_approved_by_another(page: Page, served: Served) -> None:
    async with served.shop.database.platform_transaction() as session:
        await session.execute(DUE)
    await page.goto(f"{served.address}/settlements?front_end=north")
    await expect(page.get_by_role("row", name="front-end/south")).to_contain_text("€5.00")
    await page.get_by_label("Due through").fill("2099-01-01")
    await page.get_by_role("button", name="Prepare").click()
    await expect(page.get_by_role("status")).to_contain_text("somebody else must approve it")
    await page.get_by_role("link", name="front-end/south").click()
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_role("alert")).to_contain_text("drew this settlement up")
    await page.get_by_label("Reason").fill("the wrong day")
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.get_by_role("status")).to_contain_text("The settlement is cancelled.")
    prepared = await served.call("settlement.draw-up", {"cut_off": "2099-01-01"})
    await page.goto(f"{served.address}/settlements/north/{prepared['items'][0]['settlement_id']}")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_text("Approved by ")).to_be_visible()


async def test_a_difference_is_given_to_somebody_and_resolved(page: Page, served: Served) -> None:
    content = "reference,kind,date,currency,amount,fee\nstranger,capture,2026-05-06,EUR,7.00,0\n"
    ask = {"provider": "cards", "name": "may.csv", "form": "csv", "content": content}
    await served.call("reconciliation.import-file", ask)
    await page.goto(f"{served.address}/differences?front_end=north")
    row = page.get_by_role("row", name="stranger")
    await expect(row).to_contain_text("missing here")
    await row.get_by_label("Owner").fill("bob")
    await row.get_by_role("button", name="Assign").click()
    await expect(page.get_by_role("status")).to_have_text("It has an owner now.")
    await row.get_by_text("We know nothing of it").click()
    await row.get_by_label("Why it is resolved").fill("a gift")
    await row.get_by_label("Booked on, if it is").fill("income:gifts")
    await row.get_by_role("button", name="Resolve").click()
    await expect(page.locator(".empty")).to_contain_text("Nothing differs.")
    await page.goto(f"{served.address}/entries?front_end=north&account=income:gifts")
    await expect(page.get_by_role("region", name="Entries")).to_contain_text("difference resolved")


async def test_an_invoice_leads_to_its_order_and_is_saved_as_a_document(page: Page, served: Served) -> None:
    party = {"name": "Ada", "address": {"country": "FR"}}
    vat = {"category": "S", "rate_ppm": 190_000}
    line = {"title": "Tea", "quantity": 2, "net": {"currency": "EUR", "minor": 1000}, "vat": vat}
    order = await served.sell("tea")
    ask = {"reference": "r", "buyer": party, "lines": [line], "subjects": [order["order_id"]]}
    issued = await served.call("invoicing.issue", ask)
    await page.goto(f"{served.address}/invoices?front_end=north")
    await page.get_by_role("link", name=issued["number"]).click()
    await expect(page.locator(".tile").first).to_contain_text("€11.90")
    await page.get_by_role("link", name="UBL").click()
    async with page.expect_download() as saving:
        await page.get_by_role("link", name=f"Save {issued['number']}.xml").click()
    saved = await (await saving.value).path()
    assert b"<cbc:PayableAmount" in saved.read_bytes()
    await page.get_by_role("link", name=order["order_id"][-12:]).click()
    await expect(page).to_have_url(f"{served.address}/orders/north/{order['order_id']}")


async def test_days_are_closed_once_what_is_open_is_done_or_somebody_says_why(page: Page, served: Served) -> None:
    content = "reference,kind,date,currency,amount,fee\nanother,capture,2026-05-07,EUR,8.00,0\n"
    ask = {"provider": "cards", "name": "may.csv", "form": "csv", "content": content}
    await served.call("reconciliation.import-file", ask)
    await page.goto(f"{served.address}/closing?front_end=north&closed_through=2020-01-31")
    await expect(page.get_by_role("row", name="Every difference")).to_contain_text("open")
    await page.get_by_role("button", name="Close all days through 31 Jan 2020").click()
    await expect(page.get_by_role("alert")).to_contain_text("differences (1)")
    await page.get_by_label("Why, though not everything is done").fill("the year is over")
    await page.get_by_role("button", name="Close all days through 31 Jan 2020").click()
    await expect(page.get_by_role("status")).to_have_text("The days are closed.")
    await expect(page.get_by_text("Days through 31 Jan 2020 are closed.")).to_be_visible()
    await expect(page.get_by_label("Through")).to_have_value("2020-02-29")
    await page.goto(f"{served.address}/closing?front_end=north&closed_through=2020-01-31")
    await expect(page.get_by_text("Days through 31 Jan 2020 are closed.")).to_be_visible()
    await expect(page.get_by_role("button", name="Close all days")).to_have_count(0)


async def test_a_tax_return_leads_to_its_entries_and_is_saved_as_a_file(page: Page, served: Served) -> None:
    order = await served.sell("tea")
    today = datetime.now(UTC).date().isoformat()
    await page.goto(f"{served.address}/tax-return?front_end=north&since={today}&until={today}")
    figures = page.get_by_role("row", name="HOME none")
    before = await figures.get_by_role("link").first.inner_text()
    assert before.startswith("€")
    async with page.expect_download() as saving:
        await page.get_by_role("link", name=f"Save tax-return-north-{today}.csv").click()
    saved = (await (await saving.value).path()).read_text()
    assert saved.splitlines()[0] == "jurisdiction,category,taxed_at,currency,base,tax"
    assert saved.splitlines()[1].split(",")[4] == before.removeprefix("€")
    await figures.get_by_role("link").first.click()
    await expect(page.get_by_role("link", name=order["order_id"][-12:]).first).to_be_visible()
    await page.goto(f"{served.address}/tax-return?front_end=north&since=yesterday")
    await expect(page.get_by_role("alert")).to_contain_text("Refused:")


def test_the_month_after_what_is_closed_is_proposed_once_it_is_over() -> None:
    today = date(2026, 3, 1)
    proposed = {
        closed: closing_pages.month_to_close(closed, today)
        for closed in (None, "2025-11-30", "2025-12-10", "2025-12-31", "2026-01-31", "2026-02-28", "2026-12-31")
    }
    assert proposed == {
        None: "2026-02-28",
        "2025-11-30": "2025-12-31",
        "2025-12-10": "2025-12-31",
        "2025-12-31": "2026-01-31",
        "2026-01-31": "2026-02-28",
        "2026-02-28": "2026-02-28",
        "2026-12-31": "2026-02-28",
    }


async def test_a_figure_of_a_statement_leads_to_its_entries_of_those_days(page: Page, served: Served) -> None:
    day = "2020-05-06"
    for reference, at in (("rent/05", day), ("rent/06", "2020-06-06")):
        legs = [{"account": "expenses:rent", "amount": eur(700)}, {"account": "assets:bank", "amount": eur(-700)}]
        entry = {"reference": reference, "kind": "rent", "value_date": at, "legs": legs, "when_closed": "next-open-day"}
        await served.call("ledger.post", {"entries": [entry]})
    await page.goto(f"{served.address}/trial-balance?front_end=north&since={day}&until={day}")
    statement = page.locator("section").filter(has_text="Income statement")
    await statement.get_by_role("link", name="expenses:rent").click()
    await page.get_by_role("row", name="expenses:rent").get_by_role("link").click()
    await expect(page.get_by_text("rent/05")).to_be_visible()
    await expect(page.get_by_text("rent/06")).to_have_count(0)


async def test_what_is_shown_as_prepared_is_approved_at_once_by_somebody_else(page: Page, served: Served) -> None:
    async with served.shop.database.platform_transaction() as session:
        for payee in ("front-end/east", "front-end/west"):
            await session.execute(DUE.replace("'x'", "$1::text").replace("'front-end/south'", "$1::text"), payee)
    await served.call("settlement.draw-up", {"cut_off": "2099-01-01"})
    await page.goto(f"{served.address}/settlements?front_end=north&state=prepared")
    waiting = page.get_by_role("region", name="Settlements").get_by_role("row", name="front-end/")
    shown = await waiting.count()
    await page.get_by_role("button", name=f"Approve {shown} of them").click()
    await expect(page.get_by_role("status")).to_contain_text("What was shown is approved")
    await expect(page.locator(".empty")).to_contain_text("No settlement is like this.")
    await page.goto(f"{served.address}/settlements?front_end=north&state=approved")
    await page.get_by_role("link", name="front-end/east").click()
    await expect(page.get_by_text("Write the payout file under Settlements")).to_be_visible()


TAKEN_BACK = """insert into chargeback.chargeback (front_end, provider, reference, payment_id, paid_for, state,
    currency, amount_minor, fee_minor, reason, opened_at)
    values ('north', 'test', 'cb-1', gen_random_uuid(), $1, 'opened', 'EUR', 500, 1500, 'fraud', now())"""


async def test_a_chargeback_says_what_to_do_and_leads_to_what_was_paid_for(page: Page, served: Served) -> None:
    sold = await served.sell("tea")
    order = await served.call("order.get-order", {"order_id": sold["order_id"]})
    await page.goto(f"{served.address}/chargebacks?front_end=north")
    await expect(page.locator(".empty")).to_contain_text("Nothing was charged back.")
    async with served.shop.database.platform_transaction() as session:
        await session.execute(TAKEN_BACK, order["group_id"])
    await page.goto(f"{served.address}/chargebacks?front_end=north&state=opened")
    row = page.get_by_role("region", name="Chargebacks").locator("tbody tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("Send the provider proof of delivery")
    await expect(row).to_contain_text("€15.00")
    await row.get_by_role("link").click()
    await expect(page).to_have_url(f"{served.address}/orders/north/{order['order_id']}")
    await page.goto(f"{served.address}/chargebacks?front_end=north&state=won")
    await expect(page.locator(".empty")).to_contain_text("Nothing was charged back.")
