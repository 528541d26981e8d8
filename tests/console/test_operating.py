"""What an operator does: finds an order, reads why it cost what it did, acts on it, tries a capability."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta

from playwright.async_api import Page, expect

from isthmus.gateway import auth
from isthmus.packs.member import api as member

from .conftest import Served


async def test_an_operator_finds_an_order_and_reads_why_it_cost_what_it_did(page: Page, served: Served) -> None:
    sold = await served.sell("tea", "jam")
    await page.goto(served.address + "/")
    await page.get_by_role("searchbox").fill(f"#{sold['number']}")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text(f"Order #{sold['number']}")
    tea = page.locator("tbody.line").filter(has_text="Tea")
    await expect(tea).to_contain_text("€10.00")
    await expect(tea).to_contain_text("a euro off for all by north")
    await expect(tea).to_contain_text("−€1.00")
    await expect(tea).to_contain_text("€9.00")
    await expect(page.locator("tr.sum")).to_contain_text("€12.00")
    await expect(page.locator(".history")).to_contain_text("completed")


async def test_one_search_finds_a_person_and_goods_at_all_front_ends(page: Page, served: Served) -> None:
    address = f"both-{uuid.uuid4().hex[:6]}@example.org"
    ask = member.Register(identities=(member.Identity(kind="email", value=address),))
    for caller in (served.shop.north, served.shop.south):
        await served.shop.platform.call(member.register, ask, caller)
    search = page.get_by_role("searchbox")
    for text, path, found in ((address, "members", 2), ("jam", "stock", 2)):
        await page.goto(f"{served.address}/")
        await search.fill(text)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/find?q=*")
        for code in ("north", "south"):
            rows = page.locator("tbody tr").filter(has=page.locator(f"a[href*='/{path}'][href*='{code}']"))
            await expect(rows).to_have_count(found // 2)


async def test_a_guests_order_is_found_by_the_address(page: Page, served: Served) -> None:
    address = f"guest-{uuid.uuid4().hex[:6]}@example.org"
    sold = await served.sell("jam", contact_email=address)
    await page.goto(f"{served.address}/orders")
    await page.get_by_label("Number, e-mail address or id").fill(address.upper())
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text(f"#{sold['number']}")


async def test_an_unpaid_order_is_cancelled_once_and_its_history_says_by_whom(page: Page, served: Served) -> None:
    sold = await served.sell("tea", paid_at_till=None, channel="online", contact_email="late@example.org")
    await page.goto(f"{served.address}/orders/north/{sold['order_id']}")
    cancel = page.locator("section.act").filter(has_text="Cancel")
    await cancel.get_by_label("Reason").fill("asked by phone")
    await cancel.get_by_role("button").dblclick()
    await expect(page.get_by_role("status")).to_contain_text("cancelled")
    await expect(page.locator("h1 .state")).to_have_text("cancelled")
    entry = page.locator(".history li").filter(has_text="asked by phone")
    await expect(entry).to_have_count(1)
    await expect(entry).to_contain_text("by console")
    await expect(page.locator("section.act").filter(has_text="Cancel")).to_have_count(0)


async def test_goods_come_back_and_the_money_goes_back(page: Page, served: Served) -> None:
    sold = await served.sell("tea")
    await page.goto(f"{served.address}/orders/north/{sold['order_id']}")
    await page.get_by_text("Take goods back").click()
    await page.get_by_label("Tea, of 1").fill("1")
    await page.get_by_role("button", name="Ask for the return").click()
    await page.get_by_role("button", name="Approve").click()
    await page.get_by_role("button", name="Take back and refund €9.00").click()
    await expect(page.get_by_role("heading", name="Return")).to_contain_text("refunded")
    await expect(page.locator(".tile").filter(has_text="Given back")).to_contain_text("€9.00")


async def test_an_order_is_changed_as_it_was_shown(page: Page, served: Served) -> None:
    sold = await served.sell("tea", paid_at_till=None, channel="online", contact_email="more@example.org")
    await page.goto(f"{served.address}/orders/north/{sold['order_id']}")
    await page.get_by_text("Change the order").click()
    change = page.locator("section.act").filter(has_text="Change the order")
    await change.get_by_label("Tea").fill("2")
    await change.get_by_label("Reason").fill("two, they said")
    await change.get_by_role("button").click()
    await expect(change).to_contain_text("More to pay:")
    await change.get_by_role("button", name="Change it so").click()
    await expect(page.get_by_role("status")).to_contain_text("The order is changed")
    await expect(page.locator("tbody.line").filter(has_text="Tea")).to_have_count(2)  # more is a line of its own
    await expect(page.locator(".history")).to_contain_text("two, they said")


async def test_goods_that_another_sold_are_taken_at_the_desk(page: Page, served: Served) -> None:
    sold = await served.sell("jam")
    await served.call("order.put-desk", {"code": "desk", "name": "Returns"})
    await served.call("grants.give", {"kind": "order.desk", "name": "desk", "to": "south", "bounds": {"worth": 5000}})
    south = await auth.create_client(served.shop.database, "south", f"desk-{uuid.uuid4().hex[:6]}", None)
    ask = {"owner": "north", "number": sold["number"], "lines": [{"sku": "jam", "quantity": 1}]}
    await served.call("order.ask-hand-in", ask, key=south)
    await served.call("after-sale.answer-hand-ins", {})
    await page.goto(f"{served.address}/hand-ins")
    row = page.locator("tbody tr").filter(has_text=f"#{sold['number']}")
    await expect(row).to_contain_text("agreed")
    await row.get_by_role("button", name="Take the goods").click()
    await expect(page.get_by_role("status")).to_contain_text("The goods are taken")
    await expect(row.get_by_role("button")).to_have_count(0)


async def test_a_refused_act_says_why_and_what_to_do(page: Page, served: Served) -> None:
    sold = await served.sell("tea")
    await page.goto(f"{served.address}/orders/north/{sold['order_id']}")
    await page.get_by_text("Take goods back").click()
    await page.get_by_role("button", name="Ask for the return").click()
    await expect(page.get_by_role("alert")).to_contain_text("Refused")
    await expect(page.get_by_role("alert")).to_contain_text("What to do")


async def test_stock_is_corrected_and_the_movement_says_why(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/stock?q=jam&front_end=south")
    await page.get_by_role("link", name="jam", exact=True).click()
    on_hand = page.locator(".tile").filter(has_text="On hand")
    before = int(re.findall(r"\d+", await on_hand.inner_text())[0])  # other tests sell and take back
    await page.get_by_text("Correct by a difference").click()
    act = page.locator("section.act").filter(has_text="Correct by a difference")
    await act.get_by_label("Units").fill("-3")
    await act.get_by_role("button", name="Correct").click()
    await expect(page.get_by_role("status")).to_contain_text("corrected")
    await expect(on_hand).to_contain_text(re.compile(rf"hand\s*{before - 3}\s*units"))
    movement = page.get_by_role("row").filter(has_text="damaged")
    await expect(movement).to_contain_text("-3")
    await expect(movement).to_contain_text("console")


async def test_a_capability_is_tried_by_its_contract_and_its_story_has_an_address(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/capabilities/checkout.preview-order")
    await page.get_by_label("currency").fill("EUR")
    lines = page.get_by_role("group", name="lines")
    await lines.get_by_label("sku").fill("tea")
    await lines.get_by_label("quantity").fill("2")
    await page.get_by_role("button", name="Call checkout.preview-order").click()
    answer = page.locator("#answer")
    await expect(answer).to_contain_text("a euro off for all")
    await expect(answer).to_contain_text("pricing.adjust-unit-price")
    await answer.get_by_role("link", name="has an address of its own").click()
    await expect(page.locator("#why")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="a euro off for all")).to_contain_text("−€2.00")
    await expect(page.locator(".story")).to_contain_text("north.one_euro_off")
    address = page.url
    await page.goto(f"{served.address}/calls?capability=checkout.preview-order")
    assert address.removeprefix(served.address) in await page.content()


async def test_a_capability_of_a_front_ends_own_has_a_page_as_shared_ones_have(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/capabilities/south.home")
    await expect(page.locator("h1")).to_have_text("south.home")
    await expect(page.get_by_role("main").get_by_role("link", name="south", exact=True).first).to_be_visible()
    await page.get_by_role("button", name="Call south.home").click()
    await expect(page.locator("#answer")).to_contain_text("goods")


async def test_calls_are_picked_by_outcome_error_and_time(page: Page, served: Served) -> None:
    asked = {"order_id": str(uuid.uuid4())}
    refused = await served.client.post("/v1/order.get-order", json=asked, headers={"Isthmus-Explain": "true"})
    sold = await served.sell("tea")
    asked = {"order_id": sold["order_id"]}
    answered = await served.client.post("/v1/order.get-order", json=asked, headers={"Isthmus-Explain": "true"})
    good, bad = (page.locator(f"a[href$='/calls/{one.headers['isthmus-call']}']") for one in (answered, refused))

    await page.goto(f"{served.address}/calls?capability=order.get-order")
    await expect(good.or_(bad)).to_have_count(2)
    await page.get_by_label("Outcome").select_option("refused or failed")
    await page.get_by_role("button", name="Find").click()
    await expect(bad).to_have_count(1)
    await expect(good).to_have_count(0)
    await page.get_by_label("Outcome").select_option("answered")
    await page.get_by_role("button", name="Find").click()
    await expect(good).to_have_count(1)
    await expect(bad).to_have_count(0)
    await page.goto(f"{served.address}/calls?capability=order.get-order")
    await page.get_by_role("link", name="order.unknown-order").first.click()
    await expect(page.get_by_label("Outcome")).to_have_value("order.unknown-order")
    await expect(bad).to_have_count(1)
    await expect(good).to_have_count(0)

    await page.get_by_label("From, UTC").fill("2001-01-01T00:00")
    await page.get_by_label("Up to").fill("2001-01-02T00:00")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("No trace is kept that fits.")).to_be_visible()
    await page.goto(f"{served.address}/calls?from=yesterday")
    await expect(page.locator("main")).to_contain_text("From = 'yesterday' is no time")


async def test_a_story_names_the_events_that_were_written(page: Page, served: Served) -> None:
    asked = {"lines": [{"sku": "jam", "quantity": 1}], "currency": "EUR", "paid_at_till": "cash", "channel": "store"}
    headers = {"Isthmus-Explain": "true", "Idempotency-Key": uuid.uuid4().hex}
    placed = await served.client.post("/v1/checkout.place-order", json=asked, headers=headers)
    assert placed.status_code == 200, placed.text
    await page.goto(f"{served.address}/calls/{placed.headers['isthmus-call']}")
    await expect(page.locator(".story .wrote").filter(has_text="order.order-placed")).to_have_count(1)


async def test_orders_are_picked_by_when_they_were_placed(page: Page, served: Served) -> None:
    sold = await served.sell("tea")
    order = await served.call("order.get-order", {"order_id": sold["order_id"]})
    placed = datetime.fromisoformat(order["placed_at"])
    row = page.get_by_role("row").filter(has_text=f"#{sold['number']}")
    await page.goto(f"{served.address}/orders")
    await page.get_by_label("Placed from").fill(f"{placed - timedelta(minutes=1):%Y-%m-%dT%H:%M}")
    await page.get_by_role("button", name="Find").click()
    await expect(row).to_have_count(1)
    await page.get_by_label("Up to").fill(f"{placed - timedelta(minutes=1):%Y-%m-%dT%H:%M}")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("No order fits.")).to_be_visible()


async def test_what_does_not_fit_the_contract_is_refused_with_its_path(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/capabilities/inventory.get-availability")
    await page.get_by_label("skus").fill("[7]")
    await page.get_by_role("button", name="Call inventory.get-availability").click()
    await expect(page.get_by_role("alert")).to_contain_text("$.skus[0]")
    await expect(page.get_by_label("skus")).to_have_value("[7]")


async def test_a_member_is_found_and_put_into_a_segment(page: Page, served: Served) -> None:
    address = f"ada-{uuid.uuid4().hex[:6]}@example.org"
    ask = {"identities": [{"kind": "email", "value": address, "is_verified": True}], "profile": {"given_name": "Ada"}}
    await served.call("member.register", ask)
    await page.goto(f"{served.address}/")
    await page.keyboard.press("/")
    await page.keyboard.type(address)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("Ada")
    await page.get_by_label("Segments").fill("reseller")
    await page.get_by_role("button", name="Set").click()
    await expect(page.get_by_role("status")).to_contain_text("segments are set")
    await expect(page.get_by_label("Segments")).to_have_value("reseller")


async def test_orders_of_all_front_ends_are_paged_through_and_none_is_missing_or_twice(
    page: Page, served: Served
) -> None:
    south = await auth.create_client(served.shop.database, "south", "shop")
    made: list[str] = []
    for code, key in (("north", None), ("south", south)):
        receipt = {"reference": f"paging-{code}", "lines": [{"sku": "jam", "quantity": 40, "location": "main"}]}
        await served.call("inventory.receive", receipt, key=key)
    for at in range(30):  # two of three in the north, so that neither fills the pages alone
        made.append((await served.sell("jam", key=south if at % 3 == 2 else None))["order_id"])
    await page.goto(f"{served.address}/orders")
    seen: list[str] = []
    while True:
        rows = page.get_by_role("region", name="Orders").locator("tbody tr td:first-child a")
        seen += [address.rpartition("/")[2] for address in await rows.evaluate_all("all => all.map(one => one.href)")]
        if not await page.get_by_role("link", name="Next page").count():
            break
        address = page.url
        await page.get_by_role("link", name="Next page").click()
        await page.wait_for_url(lambda url, was=address: str(url) != was)
    assert len(seen) == len(set(seen))
    assert seen[: len(made)] == made[::-1]


async def test_an_ask_with_lines_is_typed_in_row_by_row(page: Page, served: Served) -> None:
    await page.goto(f"{served.address}/capabilities/checkout.preview-order")
    await page.get_by_label("currency").fill("EUR")
    lines = page.get_by_role("group", name="lines")
    await lines.get_by_label("sku").fill("tea")
    await lines.get_by_label("quantity").fill("2")
    await lines.get_by_role("button", name="Add a row to lines").click()
    await page.keyboard.type("jam")  # the new row's first field has the focus
    await lines.get_by_label("quantity").last.fill("many")
    await page.get_by_role("button", name="Call checkout.preview-order").click()
    await expect(page.get_by_role("alert")).to_contain_text("$.lines[1].quantity")
    await lines.get_by_label("quantity").nth(1).fill("1")  # what was typed in is still there
    await page.get_by_role("button", name="Call checkout.preview-order").click()
    answer = page.locator("#answer pre").first
    await expect(answer).to_contain_text('"sku": "jam"')
    await expect(answer).to_contain_text('"sku": "tea"')
