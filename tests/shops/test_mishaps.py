"""What goes wrong for a shopper, and what the shop makes of it: in words, without losing anything, charged once."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import uuid
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from starlette.responses import Response

from isthmus.flows.after_sale import api as after_sale
from isthmus.kernel import errors
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus_storefront import session

from .conftest import CODES, ROOT, Mall, answers, shops
from .test_shopping import order_and_pay, put, see_total, sign_in

NUMBER = re.compile(r"\d+")


async def first_order(page: Page) -> None:
    await page.get_by_role("main").get_by_role("link", name=NUMBER).first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Order")


async def the_order(page: Page, mall: Mall, code: str) -> order.Order:
    """Return the order whose page is open."""
    found = NUMBER.findall(await page.get_by_role("heading", level=1).inner_text())[0]
    return (await mall.call(code, order.list_orders, order.ListOrders(number=found))).items[0]


async def test_who_left_before_paying_pays_from_the_order_and_has_one(page: Page, mall: Mall) -> None:
    shop = mall.shops["market"]
    await put(page, shop, "jar")
    await sign_in(page, shop)
    await see_total(page)
    await page.get_by_role("button", name=re.compile("^Order for")).dblclick()
    await expect(page.get_by_role("heading", name=re.compile("^Pay"))).to_be_visible()
    await page.goto(f"{shop}/orders")
    await expect(page.get_by_role("main").get_by_role("link", name=NUMBER)).to_have_count(1)
    await first_order(page)
    await expect(page.get_by_text("Still to be paid")).to_contain_text("$15.99")
    await page.get_by_role("button", name="Pay now").click()
    await page.get_by_role("button", name="Pay $15.99").click()
    await first_order(page)
    await expect(page.get_by_text("Still to be paid")).to_have_count(0)
    assert (await the_order(page, mall, "market")).state is order.OrderState.PAID


async def test_the_balance_of_what_was_reserved_is_paid_from_the_order(page: Page, mall: Mall) -> None:
    shop = mall.shops["brand"]
    await put(page, shop, "cup", 2)
    await sign_in(page, shop)
    await page.get_by_label(re.compile("Reserve it")).check()
    await see_total(page)
    await order_and_pay(page)
    await first_order(page)
    await page.get_by_role("button", name="Pay now").click()
    await page.get_by_role("button", name="Pay $19.99").click()  # four fifths of 24.99
    await first_order(page)
    assert (await the_order(page, mall, "brand")).state is order.OrderState.PAID


async def test_what_is_gone_says_so_and_cannot_be_put_into_the_basket(page: Page, mall: Mall) -> None:
    lines = (inventory.Counted(sku="gouda", quantity=0, location="main"),)
    await mall.call("brand", inventory.count, inventory.Count(reference="gone", lines=lines))
    await page.goto(f"{mall.shops['brand']}/product/gouda")
    await expect(page.get_by_text("Out of stock")).to_be_visible()
    await expect(page.get_by_role("button", name="Put in basket")).to_have_count(0)


async def test_the_grocer_brings_something_like_it_where_the_shopper_agrees(page: Page, mall: Mall) -> None:
    shop = mall.shops["fresh"]
    lines = (inventory.Counted(sku="gouda", quantity=0, location="main"),)
    await mall.call("fresh", inventory.count, inventory.Count(reference="eaten", lines=lines))
    await sign_in(page, shop)
    await page.request.post(
        f"{shop}/basket", form={"sku": "gouda", "quantity": "2000"}
    )  # also after the evening markdown worth the way
    await page.goto(f"{shop}/basket")
    await expect(page.get_by_text("Only 0 left of 2000 wanted")).to_be_visible()
    await expect(page.get_by_text("We could bring Cheddar instead")).to_be_visible()
    await page.get_by_label(re.compile("Bring something like it")).check()
    await see_total(page)
    await order_and_pay(page)
    await first_order(page)
    await expect(page.get_by_text("2 kg of Cheddar")).to_be_visible()
    assert [line.sku for line in (await the_order(page, mall, "fresh")).lines] == ["cheddar"]


async def test_gold_members_see_their_price_on_the_shelf_and_why(page: Page, mall: Mall) -> None:
    shop, address = mall.shops["brand"], f"{uuid.uuid4().hex[:8]}@example.org"
    joined = member.Register(identities=(member.Identity(kind="email", value=address),), consents=("terms",))
    ada = await mall.call("brand", member.register, joined)
    await mall.call(
        "brand", member.earn_points, member.EarnPoints(member_id=ada.member_id, reference="before", points=1_000)
    )
    await page.goto(f"{shop}/?text=mug")
    await expect(page.get_by_role("link", name=re.compile("Mug"))).to_contain_text("$9.00")
    await page.goto(f"{shop}/sign-in")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("E-mail").fill(address)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("navigation", name="You")).to_contain_text("gold")
    await page.goto(f"{shop}/?text=mug")
    mug = page.get_by_role("link", name=re.compile("Mug"))
    await expect(mug).to_contain_text("$8.28")
    await expect(mug).to_contain_text("Gold member")


async def test_a_return_of_what_is_engraved_is_refused_in_words(page: Page, mall: Mall) -> None:
    shop = mall.shops["brand"]
    await put(page, shop, "cup", 1, Engrave="A. L.")
    await sign_in(page, shop)
    await see_total(page)
    await order_and_pay(page)
    await first_order(page)
    await expect(page.get_by_role("button", name="Ask to return these")).to_have_count(0)
    sold = await the_order(page, mall, "brand")
    await mall.call("brand", after_sale.ship_order, after_sale.ShipOrder(order_id=sold.order_id))
    await page.reload()
    await page.get_by_role("button", name="Ask to return these").click()
    await expect(page.get_by_role("alert")).to_contain_text("Say how many of which goods come back")
    await page.get_by_label("Send back").fill("1")
    await page.get_by_role("button", name="Ask to return these").click()
    await expect(page.get_by_role("alert")).to_contain_text("'Cup' is engraved")
    found = await mall.call("brand", order.list_returns, order.ListReturns(order_id=sold.order_id))
    assert found.items == ()


async def test_what_is_wrong_with_a_field_is_said_beside_it(page: Page, mall: Mall) -> None:
    shop = mall.shops["market"]
    await put(page, shop, "jar")
    await sign_in(page, shop)
    await page.get_by_label("ZIP", exact=True).evaluate("field => field.removeAttribute('maxlength')")
    await see_total(page, ZIP="4" * 40)
    field = page.get_by_label("ZIP", exact=True)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_value("4" * 40)
    await expect(page.locator(f"#{await field.get_attribute('aria-describedby')}")).to_contain_text("16")
    await expect(page.get_by_label("City")).to_have_value("Oxford")


async def test_a_basket_that_is_kept_no_longer_is_an_empty_one(shopper: BrowserContext, mall: Mall) -> None:
    shop, gone, page = mall.shops["market"], Response(), await shopper.new_page()
    session.write(gone, "market_shop", {"basket_id": str(uuid.uuid4()), "count": 3}, b"secret of market")
    kept = re.findall(r"market_shop=([^;]+)", gone.headers["set-cookie"])[0]
    for path, seen in (("/basket", "empty"), ("/product/jar", "Put in basket")):
        await shopper.add_cookies([{"name": "market_shop", "value": kept, "url": shop}])
        await page.goto(shop + path)
        await expect(page.get_by_role("main")).to_contain_text(re.compile(seen, re.I))
    await page.get_by_role("button", name="Put in basket").click()
    await expect(page.get_by_role("heading", name="Basket")).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("Jar")


async def test_words_are_words_wherever_they_are_shown(browser: Browser, page: Page, mall: Mall) -> None:
    bad = "<img src=x onerror=document.title='taken'>"
    for shop in mall.shops.values():
        await page.goto(f"{shop}/")
        await page.get_by_label("Search").fill(bad)
        await page.get_by_label("Search").press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_contain_text(bad)
        await page.goto(f"{shop}/sign-in")
        await page.get_by_label("Name").fill(bad)
        await page.get_by_label("E-mail").fill(f"{uuid.uuid4().hex[:8]}@example.org")
        await page.get_by_role("button", name="Go on").click()
        await expect(page.get_by_role("navigation", name="You")).to_contain_text(bad)
        assert await page.locator("img").count() == 0


async def test_a_shop_whose_platform_is_silent_says_so(page: Page) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with shops(nobody, dict.fromkeys(CODES, "no key")) as addresses:
        await asyncio.gather(*map(answers, addresses.values()))
        for address in addresses.values():
            shown = await page.goto(f"{address}/")
            assert shown is not None
            assert shown.status == httpx.codes.SERVICE_UNAVAILABLE
            await expect(page.get_by_role("alert")).to_contain_text("cannot answer just now")


async def test_a_shop_moves_elsewhere_with_its_folder_alone(page: Page, mall: Mall, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "front_ends" / "market" / "shop", tmp_path / "front_ends" / "market" / "shop")
    moved = tmp_path / "front_ends" / "market" / "shop" / "app.py"
    moved.write_text(moved.read_text().replace("Many sellers, one basket", "Moved, and open"))
    with shops(mall.api, {"market": mall.keys["market"]}, tmp_path) as addresses:
        await answers(addresses["market"])
        await page.goto(addresses["market"])
        await expect(page.get_by_role("heading", name="Moved, and open")).to_be_visible()
        await put(page, addresses["market"], "jar")
        await expect(page.get_by_role("main")).to_contain_text("$11.00")


async def test_another_shops_key_sees_nothing_of_this_shops_orders(page: Page, mall: Mall) -> None:
    shop = mall.shops["market"]
    await put(page, shop, "jar")
    await sign_in(page, shop)
    await see_total(page)
    await order_and_pay(page)
    await first_order(page)
    sold = await the_order(page, mall, "market")
    with pytest.raises(errors.NotFound):
        await mall.call("brand", order.get_order, order.GetOrder(order_id=sold.order_id))
