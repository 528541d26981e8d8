"""A shopper at each of the three: finds goods, reads why they cost what they do, pays, and sends some back."""

from __future__ import annotations

import re
import uuid

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.flows.renewals import api as renewals
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.values import money
from tests.console import signing
from tests.flows.test_business_lines import LONG_AGO

from .conftest import PATIENCE_MS, Mall

expect.set_options(timeout=PATIENCE_MS)
HOME = {"Name": "Ada Lovelace", "Street": "1 Elm Street", "City": "Oxford", "State": "OH", "ZIP": "45056"}


async def put(page: Page, shop: str, sku: str, quantity: int = 1, **fields: str) -> None:
    """Put goods into the basket from their own page."""
    await page.goto(f"{shop}/product/{sku}")
    await page.get_by_label(re.compile("How many|Grams")).fill(str(quantity))
    for label, text in fields.items():
        await page.get_by_label(re.compile(label)).fill(text)
    await page.get_by_role("button", name="Put in basket").click()
    await expect(page.get_by_role("heading", name="Basket")).to_be_visible()


async def sign_in(page: Page, shop: str) -> None:
    await page.goto(f"{shop}/sign-in")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("E-mail").fill(f"{uuid.uuid4().hex[:8]}@example.org")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_text("Ada").first).to_be_visible()


async def see_total(page: Page, **other: str) -> None:
    """Say where to, and look at the total."""
    for label, text in (HOME | other).items():
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_role("button", name=re.compile("See the total")).click()


async def order_and_pay(page: Page) -> None:
    await page.get_by_role("button", name=re.compile("^Order for")).click()
    await page.get_by_role("button", name=re.compile("^Pay")).click()
    await expect(page.get_by_role("heading", name="My orders")).to_be_visible()


async def test_a_basket_of_two_sellers_is_paid_once_and_comes_as_two_orders(page: Page, mall: Mall) -> None:
    shop = mall.shops["market"]
    await page.goto(shop)
    await page.get_by_label("Search").fill("cup")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("link", name=re.compile("Cup")).click()
    await expect(page.get_by_text("Sold by ada")).to_be_visible()
    await page.get_by_role("button", name="Put in basket").click()
    await put(page, shop, "mug", 2)
    await sign_in(page, shop)
    await expect(page.get_by_role("heading", name=re.compile("Sold by ada"))).to_be_visible()
    await expect(page.get_by_role("heading", name=re.compile("Sold by ben"))).to_be_visible()
    await see_total(page)
    await expect(page.get_by_role("row", name=re.compile("^Total"))).to_contain_text("$32.99")
    await expect(page.get_by_text("Comes as 2 orders")).to_be_visible()
    await order_and_pay(page)
    await expect(page.get_by_text("paid")).to_have_count(2)


async def test_a_declined_card_is_tried_again_and_two_presses_pay_once(page: Page, mall: Mall) -> None:
    shop = mall.shops["market"]
    await put(page, shop, "jar")
    await sign_in(page, shop)
    await see_total(page)
    await page.get_by_role("button", name=re.compile("^Order for")).click()
    await page.get_by_label("one that is declined").check()
    await page.get_by_role("button", name=re.compile("^Pay")).click()
    await expect(page.get_by_role("alert")).to_contain_text("insufficient funds")
    await page.get_by_label("one that pays").check()
    await page.get_by_role("button", name=re.compile("^Pay")).dblclick()
    await expect(page.get_by_role("heading", name="My orders")).to_be_visible()
    await expect(page.get_by_text("paid")).to_have_count(1)


async def test_a_gift_card_shows_what_is_on_it_and_pays_a_part(page: Page, mall: Mall) -> None:
    shop = mall.shops["market"]
    programme = payment.PutCreditProgramme(code="gift", currency="USD")
    await mall.call("market", payment.put_credit_programme, programme)
    ask = payment.SellCredit(programme="gift", amount=money(250, "USD"), received_as="cash")
    card = await mall.call("market", payment.sell_credit, ask)
    await put(page, shop, "jar")
    await sign_in(page, shop)
    await see_total(page)
    await page.get_by_role("button", name=re.compile("^Order for")).click()
    heading = page.get_by_role("heading", level=1)
    due = float((await heading.inner_text()).partition("$")[2])
    await page.get_by_label("Code").fill("AAAA-BBBB-CCCC-DDDD")
    await page.get_by_role("button", name="See what is on it").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_label("Code").fill(card.code.lower())
    await page.get_by_role("button", name="See what is on it").click()
    await expect(page.get_by_role("status")).to_contain_text(f"ends in {card.code[-4:]}: $2.50")
    await page.get_by_label("Code").fill(card.code)
    await page.get_by_role("button", name="Use the card").click()
    await expect(heading).to_have_text(f"Pay ${due - 2.5:.2f}")
    await page.get_by_role("button", name="Leave gift cards out").click()
    await expect(heading).to_have_text(f"Pay ${due:.2f}")
    await page.get_by_label("Code").fill(card.code)
    await page.get_by_role("button", name="Use the card").click()
    await expect(page.get_by_role("status")).to_contain_text("Your gift card pays $2.50. This is the rest.")
    await page.get_by_role("button", name=re.compile("^Pay")).click()
    await expect(page.get_by_role("heading", name="My orders")).to_be_visible()
    await expect(page.get_by_text("paid")).to_have_count(1)


async def test_another_price_is_shown_before_it_is_charged(page: Page, mall: Mall) -> None:
    shop = mall.shops["market"]
    await put(page, shop, "soup")
    await sign_in(page, shop)
    await see_total(page)
    dearer = pricing.PriceEntry(sku="soup", currency="USD", amount=650, valid_from=LONG_AGO.replace(year=2021))
    await mall.call("market", pricing.put_prices, pricing.PutPrices(prices=(dearer,)))
    await page.get_by_role("button", name=re.compile("^Order for")).click()
    await expect(page.get_by_text("The price changed: $5.00 before, $6.50 now")).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("The total is 11.49 USD, and 9.99 USD was shown")
    await expect(page.get_by_role("button", name="Order for $11.49")).to_be_visible()


async def test_what_is_short_is_said_beside_the_line(page: Page, mall: Mall) -> None:
    await put(page, mall.shops["brand"], "mug", 49)
    await put(page, mall.shops["brand"], "jar", 51)
    await expect(page.get_by_text(re.compile(r"Only \d+ left of 51 wanted"))).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("^Order for"))).to_have_count(0)


async def test_the_brand_engraves_wraps_and_takes_a_deposit_for_what_is_reserved(page: Page, mall: Mall) -> None:
    shop = mall.shops["brand"]
    await put(page, shop, "cup", 2, Engrave="A. L.")
    await expect(page.get_by_text("Engraved “A. L.”")).to_be_visible()
    await sign_in(page, shop)
    await page.get_by_label(re.compile("Reserve it")).check()
    await page.get_by_label("In a box with a ribbon").check()
    await page.get_by_label("A note to go with it").fill("for Ada")
    await see_total(page)
    await expect(page.get_by_role("row", name=re.compile("Deposit, due now"))).to_contain_text("$5.00")
    await page.get_by_role("button", name=re.compile("^Order for")).click()
    await page.get_by_role("button", name="Pay $5.00").click()
    await page.get_by_role("main").get_by_role("link", name=re.compile(r"\d+")).click()
    await expect(page.get_by_text("Deposit paid")).to_be_visible()
    sold = (await mall.call("brand", order.list_orders, order.ListOrders(limit=1))).items[0]
    assert (sold.attributes, sold.lines[0].attributes) == (
        {"wrap": "box", "note": "for Ada"},
        {"engraving": "A. L."},
    )


async def test_the_grocer_weighs_replaces_what_is_short_and_comes_when_it_was_said(page: Page, mall: Mall) -> None:
    shop = mall.shops["fresh"]
    await page.goto(f"{shop}/?text=brie")
    await expect(page.get_by_text("a kilogram")).to_be_visible()
    await put(page, shop, "brie", 250)
    await put(page, shop, "cheddar", 9_050)
    await expect(page.get_by_text(re.compile(r"Only \d+ left of 9050 wanted"))).to_be_visible()
    await put(page, shop, "cheddar", 500)
    await put(page, shop, "cod")
    await sign_in(page, shop)
    await see_total(page)
    await expect(page.get_by_text(re.compile("slot|window", re.I)).first).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("^Order for"))).to_have_count(0)
    await page.get_by_label(re.compile("12:00–14:00")).check()
    await page.get_by_label("Leave it at the door").check()
    await see_total(page)
    await expect(page.get_by_text("'Cod' is not left at a door")).to_be_visible()
    await page.get_by_label("Hand it to me").check()
    await see_total(page)
    await order_and_pay(page)
    await expect(page.get_by_text("paid")).to_be_visible()


async def test_a_basket_comes_again_is_skipped_and_paused_and_a_past_order_is_ordered_again(
    page: Page, mall: Mall
) -> None:
    shop = mall.shops["fresh"]
    await put(page, shop, "brie", 1_500)
    await sign_in(page, shop)
    await page.goto(f"{shop}/basket")
    await see_total(page)
    await page.get_by_label("Every").select_option("14")
    await page.get_by_role("button", name="Subscribe").click()
    await expect(page.get_by_role("heading", name="Every 14 days")).to_be_visible()
    await expect(page.get_by_text("each time")).to_be_visible()
    for work in (renewals.place_due, renewals.pay_due):
        await mall.call("fresh", work, renewals.Renew())
    await page.reload()
    await expect(page.get_by_text("ordered and paid")).to_be_visible()
    await page.get_by_role("button", name="Skip").click()
    await expect(page.get_by_text("The member skipped it")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Go on")).to_be_visible()
    await page.goto(f"{shop}/orders")
    await page.get_by_role("link", name=re.compile("^Order ")).first.click()
    await expect(page.get_by_text("Agreed price")).to_be_visible()
    await page.get_by_role("button", name="Order again").click()
    await expect(page.get_by_role("heading", name="Basket")).to_be_visible()
    await expect(page.get_by_text("Brie").first).to_be_visible()


async def test_goods_are_sent_back_and_the_operator_reads_why_the_order_cost_what_it_did(
    page: Page, mall: Mall
) -> None:
    shop = mall.shops["market"]
    for sku in ("cup", "jar", "cheddar"):  # of three sellers: the market takes something off
        await put(page, shop, sku, 100 if sku == "cheddar" else 1)
    await sign_in(page, shop)
    await see_total(page)
    why = page.get_by_text("From 3 sellers or more").first
    await expect(why).to_be_visible()
    await order_and_pay(page)
    await page.get_by_role("main").get_by_role("link", name=re.compile(r"\d+")).first.click()
    number = re.findall(r"\d+", await page.get_by_role("heading", level=1).inner_text())[0]
    sold = (await mall.call("market", order.list_orders, order.ListOrders(number=number))).items[0]
    await mall.call("market", after_sale.ship_order, after_sale.ShipOrder(order_id=sold.order_id))
    await page.reload()
    await page.get_by_label("Send back").fill("1")
    await page.get_by_role("button", name="Ask to return these").click()
    await expect(page.get_by_text("requested", exact=True)).to_be_visible()
    await signing.enter(page.context, mall.console, await signing.sign_in_link(mall.url))
    await page.goto(mall.console)
    await page.get_by_role("searchbox").fill(f"#{number}")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text(f"Order #{number}")
    await expect(page.get_by_text(re.compile("from 3 sellers or more")).first).to_be_visible()


async def test_a_long_list_of_orders_goes_on(page: Page, mall: Mall) -> None:
    shop, email = mall.shops["market"], f"{uuid.uuid4().hex[:8]}@example.org"
    ask = member.Register(identities=(member.Identity(kind="email", value=email),), consents=("terms",))
    ada = (await mall.call("market", member.register, ask)).member_id
    for _ in range(25):
        lines = (checkout.BuyLine(sku="mug", quantity=1),)
        bought = checkout.PlaceOrder(currency="USD", lines=lines, member_id=ada)
        await mall.call("market", checkout.place_order, bought)
    await page.goto(f"{shop}/sign-in")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_role("link", name="My orders").click()
    links = page.get_by_role("link", name=re.compile("^Order "))
    await expect(links).to_have_count(24)
    await page.get_by_role("link", name="Earlier orders").click()
    await expect(links).to_have_count(1)


async def test_nobody_sees_anothers_orders_and_a_forged_cookie_is_nobodys(
    browser: Browser, page: Page, mall: Mall
) -> None:
    shop = mall.shops["brand"]
    await put(page, shop, "jar")
    await sign_in(page, shop)
    await see_total(page)
    await order_and_pay(page)
    mine = await page.get_by_role("main").get_by_role("link", name=re.compile(r"\d+")).get_attribute("href")
    other = await browser.new_context()
    stranger = await other.new_page()
    await sign_in(stranger, shop)
    await stranger.goto(f"{shop}{mine}")
    await expect(stranger.get_by_role("alert")).to_contain_text("not one of yours")
    (kept,) = [one for one in await page.context.cookies() if one["name"] == "brand_shop"]
    forged = kept["value"].rpartition(".")[0] + "." + "0" * 64
    await other.clear_cookies()
    await other.add_cookies([{"name": "brand_shop", "value": forged, "url": shop}])
    await stranger.goto(f"{shop}/orders")
    await expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
    await other.close()


@pytest.mark.parametrize("code", ["market", "brand", "fresh"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_its_pages_are_for_everybody(browser: Browser, mall: Mall, code: str, width: int, scheme: str) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    page, shop = await context.new_page(), mall.shops[code]
    page.set_default_timeout(PATIENCE_MS)
    await put(page, shop, "mug", 2)
    await sign_in(page, shop)
    await see_total(page)
    broken = {"basket": await unreadable(page)}
    await page.get_by_role("button", name=re.compile("^Order for")).click()
    await expect(page.get_by_role("button", name=re.compile("^Pay"))).to_be_visible()
    broken["pay"] = await unreadable(page)
    await page.get_by_role("button", name=re.compile("^Pay")).click()
    await expect(page.get_by_role("heading", name="My orders")).to_be_visible()
    broken["orders"] = await unreadable(page)
    await page.get_by_role("main").get_by_role("link", name=re.compile(r"\d+")).first.click()
    await expect(page.get_by_text("What you bought")).to_be_visible()  # a click does not wait for the page it leads to
    broken["order"] = await unreadable(page)
    for path in ("/", "/?text=nothing-like-it", "/product/cup", "/basket", "/sign-in", "/product/none"):
        await page.goto(shop + path)
        broken[path] = await unreadable(page)
    await context.close()
    assert {path: found for path, found in broken.items() if found} == {}


@pytest.mark.parametrize("code", ["market", "brand", "fresh"])
async def test_who_signs_out_leaves_nothing_behind_for_the_next_at_the_screen(
    page: Page, mall: Mall, code: str
) -> None:
    shop = mall.shops[code]
    await sign_in(page, shop)
    await put(page, shop, "mug")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    await expect(page.locator(".who")).to_have_count(0)
    await page.goto(f"{shop}/basket")
    await expect(page.get_by_text("mug", exact=False)).to_have_count(0)
    await page.goto(f"{shop}/orders")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def unreadable(page: Page) -> list[str]:
    """Return what keeps somebody from reading a page: serious findings of axe, and what is wider than the screen."""
    await page.wait_for_load_state()
    found = (await Axe().run(page)).response["violations"]
    serious = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]
    wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*serious, *([f"{wider} pixels wider than the screen"] if wider > 0 else [])]
