"""One basket on two devices: both change it offline, both come back, and both have the same."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from .conftest import PATIENCE_MS, Mall
from .test_app import PHONE, opened
from .test_shopping import order_and_pay, put, see_total

expect.set_options(timeout=PATIENCE_MS)
Devices = tuple[BrowserContext, BrowserContext]


@pytest.fixture
async def devices(browser: Browser) -> AsyncIterator[Devices]:
    """Give two phones of one shopper."""
    first, second = await browser.new_context(**PHONE), await browser.new_context(**PHONE)
    for one in (first, second):
        one.set_default_timeout(PATIENCE_MS)
    yield first, second
    await first.close()
    await second.close()


async def signed_in(context: BrowserContext, shop: str, email: str) -> Page:
    page = await opened(context, shop)
    await page.goto(f"{shop}/sign-in")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


async def basket_of(page: Page, shop: str) -> dict[str, str]:
    """Return what the basket's page has: quantities by what goods are called."""
    await page.goto(f"{shop}/basket")
    await expect(page.get_by_role("heading", name="Basket")).to_be_visible()
    lines = page.locator(".lines li")
    titles = await lines.locator(".row b").all_inner_texts()
    quantities = await lines.locator("input[type=number]").evaluate_all("all => all.map(one => one.value)")
    return dict(zip(titles, quantities, strict=True))


async def set_offline(page: Page, shop: str, title: str, quantity: int) -> None:
    """Change a line on the basket's page as it was kept; the change waits."""
    await page.goto(f"{shop}/basket")
    line = page.locator(".lines li").filter(has_text=title)
    await line.locator("input[type=number]").fill(str(quantity))
    waiting = page.locator("[data-waiting]")
    await line.get_by_role("button", name="Change").click()
    await expect(waiting).to_contain_text(f"{quantity} × {title}")


async def back(context: BrowserContext, page: Page) -> None:
    await context.set_offline(False)
    await expect(page.locator("[data-waiting]")).to_be_hidden()
    await expect(page.locator("html[data-kept]")).to_have_count(0)


async def test_two_devices_that_were_offline_have_the_same_basket_and_what_met_is_chosen_by_the_shopper(
    devices: Devices, mall: Mall
) -> None:
    shop, email = mall.shops["fresh"], f"{uuid4().hex[:8]}@example.org"
    phone, tablet = devices
    one, two = await signed_in(phone, shop, email), await signed_in(tablet, shop, email)
    await put(one, shop, "jar", 2)
    await put(one, shop, "mug", 1)
    assert await basket_of(two, shop) == {"Jar": "2", "Mug": "1"}, "what one device wants is wanted on all"
    for page in (one, two):
        await page.goto(shop)
    for context in devices:
        await context.set_offline(True)
    await one.get_by_role("button", name="Put Cup in the basket").click()
    await expect(one.locator("[data-waiting]")).to_contain_text("1 × Cup")
    await set_offline(one, shop, "Jar", 3)
    await set_offline(two, shop, "Jar", 5)
    await set_offline(two, shop, "Jar", 4)
    await back(phone, one)
    await back(tablet, two)
    await expect(two.locator("[data-notes]")).to_contain_text("Jar: 4 now; another of your devices had said 3")
    for page in (one, two):
        assert await basket_of(page, shop) == {"Jar": "4", "Mug": "1", "Cup": "1"}
        await expect(page.get_by_role("region", name="Changed on two devices")).to_contain_text(
            "Jar: it is 4 now, and another of your devices said 3."
        )
    await one.get_by_role("button", name="Make it 3").click()
    await expect(one.get_by_role("region", name="Changed on two devices")).to_have_count(0)
    for page in (one, two):
        assert await basket_of(page, shop) == {"Jar": "3", "Mug": "1", "Cup": "1"}
        await expect(page.get_by_role("region", name="Changed on two devices")).to_have_count(0)


async def test_what_was_ordered_on_one_device_is_wanted_on_none_and_what_the_other_added_meanwhile_stays(
    devices: Devices, mall: Mall
) -> None:
    shop, email = mall.shops["fresh"], f"{uuid4().hex[:8]}@example.org"
    phone, tablet = devices
    one, two = await signed_in(phone, shop, email), await signed_in(tablet, shop, email)
    await put(one, shop, "jar", 2)
    assert await basket_of(two, shop) == {"Jar": "2"}
    await two.goto(shop)
    await tablet.set_offline(True)
    await two.get_by_role("button", name="Put Mug in the basket").click()
    await expect(two.locator("[data-waiting]")).to_contain_text("1 × Mug")
    await one.goto(f"{shop}/basket")
    await see_total(one)
    await order_and_pay(one)
    assert await basket_of(one, shop) == {}
    await back(tablet, two)
    for page in (two, one):
        assert await basket_of(page, shop) == {"Mug": "1"}


async def test_a_guest_who_signs_in_brings_their_basket_to_what_is_wanted_on_their_other_device(
    devices: Devices, mall: Mall
) -> None:
    shop, email = mall.shops["fresh"], f"{uuid4().hex[:8]}@example.org"
    phone, tablet = devices
    one = await signed_in(phone, shop, email)
    await put(one, shop, "mug", 1)
    guest = await opened(tablet, shop)
    await tablet.set_offline(True)
    await guest.get_by_role("button", name="Put Cup in the basket").click()
    await expect(guest.locator("[data-waiting]")).to_contain_text("1 × Cup")
    await back(tablet, guest)
    two = await signed_in(tablet, shop, email)
    assert await basket_of(two, shop) == {"Mug": "1", "Cup": "1"}
    await two.goto(shop)
    await tablet.set_offline(True)  # its name as a device was the guest's: it takes another one
    await two.get_by_role("button", name="Put Jar in the basket").click()
    await expect(two.locator("[data-waiting]")).to_contain_text("1 × Jar")
    await back(tablet, two)
    for page in (one, two):
        assert await basket_of(page, shop) == {"Mug": "1", "Cup": "1", "Jar": "1"}


async def test_a_device_that_was_restored_from_a_backup_brings_what_it_has_under_another_name(
    devices: Devices, mall: Mall
) -> None:
    shop = mall.shops["fresh"]
    phone, _ = devices
    page = await opened(phone, shop)
    for title in ("Cup", "Mug"):
        await page.goto(shop)
        await phone.set_offline(True)
        await page.get_by_role("button", name=f"Put {title} in the basket").click()
        await expect(page.locator("[data-waiting]")).to_contain_text(f"1 × {title}")
        client = await page.evaluate("store.client()")
        await back(phone, page)
        await page.evaluate("store.set('last', 0)")  # the backup is of before
    assert await page.evaluate("store.client()") != client
    assert await basket_of(page, shop) == {"Cup": "1", "Mug": "1"}
    await expect(page.get_by_text(re.compile("cannot be read"))).to_have_count(0)
