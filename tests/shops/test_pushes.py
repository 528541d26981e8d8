"""The grocer's app is pushed when the van comes: subscribed in the app, encrypted for it, shown by Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page, expect

from isthmus.flows.after_sale import api as after_sale
from isthmus.packs.order import api as order
from tests.packs.messaging.services import Browser, vapid_is_of
from tests.packs.webhooks.receiver import Receiver
from tests.waiting import until

from .conftest import PATIENCE_MS, Mall
from .test_app import PHONE, opened
from .test_malformed import SHOPPER
from .test_malformed import opened as alone
from .test_shopping import order_and_pay, put, see_total, sign_in

expect.set_options(timeout=PATIENCE_MS)
# A headless Chromium reaches no push service: the browser of the test subscribes at the one of the test, with its keys.
SUBSCRIBE = """
    const said = %s;
    PushManager.prototype.subscribe = async function (options) {
        if (!options.userVisibleOnly) throw new TypeError("pushes are to be seen");
        window.subscribedWith = new Uint8Array(options.applicationServerKey).length;
        return { toJSON: () => said };
    };
"""


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    async with Receiver(lambda request: (201, {})) as service:
        yield service


@pytest.fixture
def subscribed(service: Receiver) -> Browser:
    return Browser(service, "phone-of-ada")


@pytest.fixture
async def phone(browser: Chromium, mall: Mall, subscribed: Browser) -> AsyncIterator[BrowserContext]:
    """Give a phone that may show what the shop pushes."""
    found = subscribed.subscription()
    said = {"endpoint": found["address"], "keys": {name: found[name] for name in ("p256dh", "auth")}}
    context = await browser.new_context(**PHONE)
    context.set_default_timeout(PATIENCE_MS)
    await context.grant_permissions(["notifications"], origin=mall.shops["fresh"])
    await context.add_init_script(SUBSCRIBE % json.dumps(said))
    yield context
    await context.close()


async def ordered(page: Page, shop: str) -> None:
    """Order cups for a slot of the van, and pay."""
    await put(page, shop, "cup", 2)  # one is too little to be brought, once it is evening and costs less
    await page.get_by_label(re.compile("12:00–14:00")).check()
    await see_total(page)
    await order_and_pay(page)


async def switched(page: Page) -> None:
    """Press the switch for deliveries, and wait until the shop has it."""
    await page.get_by_label("When my delivery comes").click()
    await expect(page.locator("[data-push][data-saved=delivery]")).to_be_visible()


async def handed_over(page: Page, shop: str, subscribed: Browser) -> None:
    """Do what a push service does: hand what it was sent to the browser's worker, decrypted with the browser's key."""
    chromium = await page.context.new_cdp_session(page)
    registrations: list[str] = []
    chromium.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(one["registrationId"] for one in event["registrations"]),
    )
    await chromium.send("ServiceWorker.enable")

    async def registration() -> str:
        return registrations[-1] if registrations else ""

    id = await until(registration)
    ask = {"origin": shop, "registrationId": id, "data": json.dumps(subscribed.read()[-1])}
    await chromium.send("ServiceWorker.deliverPushMessage", ask)


async def shown(page: Page) -> list[dict[str, Any]]:
    return await page.evaluate(
        "navigator.serviceWorker.ready.then(one => one.getNotifications()).then(all => all.map("
        "one => ({title: one.title, body: one.body, link: one.data.link})))"
    )


async def test_a_shopper_who_asks_for_it_is_pushed_when_the_van_comes_and_no_more_after_she_has_switched_it_off(
    phone: BrowserContext, mall: Mall, subscribed: Browser
) -> None:
    shop = mall.shops["fresh"]
    page = await opened(phone, shop)
    await sign_in(page, shop)
    await page.goto(f"{shop}/orders")
    await switched(page)
    assert await page.evaluate("window.subscribedWith") == 65, "the platform's key, as a point of P-256"
    await ordered(page, shop)
    sold = (await mall.call("fresh", order.list_orders, order.ListOrders(limit=1))).items[0]

    async def pushed() -> bool:
        return bool(subscribed.requests())

    await until(pushed, "that the push service is sent something")
    (request,) = subscribed.requests()
    vapid_is_of(request, f"http://127.0.0.1:{subscribed.service.port}")
    assert b"delivery" not in request.body, "only the browser can read it"
    (said,) = subscribed.read()
    assert said["title"] == "Your delivery is booked"
    assert re.fullmatch(rf"Order {sold.number}: \w+ \d+ \w+, 12:00 to 14:00 UTC", said["body"])
    await handed_over(page, shop, subscribed)
    link = f"/orders/{sold.order_id}"
    assert await until(lambda: shown(page)) == [{"title": said["title"], "body": said["body"], "link": link}]

    database: Any = mall.platform.store

    async def receipt() -> str:
        async with database.platform() as session:
            sql = "select receipt from messaging.delivery where message_id = $1::uuid"
            return str(await session.fetch_value(sql, said["id"]) or "")

    assert await until(receipt) == "shown"
    await page.goto(f"{shop}/messages")
    await expect(page.get_by_role("link", name="Your delivery is booked")).to_have_attribute("href", link)
    await page.goto(f"{shop}/orders")
    await switched(page)
    await mall.call("fresh", after_sale.ship_order, after_sale.ShipOrder(order_id=sold.order_id))

    async def states() -> list[str]:
        async with database.platform() as session:
            rows = await session.fetch(
                "select d.state from messaging.delivery d join messaging.message m using (front_end, message_id)"
                " where m.member_id = $1 and d.state <> 'waiting' order by m.message_id",
                sold.member_id,
            )
            return [row[0] for row in rows] if len(rows) > 1 else []

    assert await until(states) == ["sent", "opted-out"]
    assert len(subscribed.requests()) == 1
    await page.goto(f"{shop}/messages")
    await expect(page.get_by_role("link", name="Your delivery is on its way")).to_be_visible()


async def test_who_may_show_nothing_is_told_so_and_consents_to_nothing(browser: Chromium, mall: Mall) -> None:
    shop = mall.shops["fresh"]
    context = await browser.new_context(**PHONE)  # it has asked nobody, and a headless browser says no
    page = await opened(context, shop)
    await sign_in(page, shop)
    await page.goto(f"{shop}/orders")
    box = page.get_by_label("When my delivery comes")
    await box.click()
    await expect(page.locator("[data-push] [role=alert]")).to_contain_text("may not show notifications")
    await expect(box).not_to_be_checked()
    assert (await page.evaluate("fetch('/app/push').then(one => one.json())"))["wanted"] == []
    await context.close()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"purpose": "advertising", "subscription": null}', 400),
        (b'{"purpose": "delivery", "subscription": {"endpoint": "https://push.example"}}', 422),
    ],
)
async def test_a_subscription_that_cannot_be_read_is_refused(said: bytes, status: int) -> None:
    async with alone("fresh", SHOPPER) as client:
        answer = await client.post("/app/push", content=said, headers={"content-type": "application/json"})
        assert answer.status_code == status, answer.text


async def test_nobody_is_subscribed_before_they_have_signed_in(mall: Mall) -> None:
    async with httpx.AsyncClient(base_url=mall.shops["fresh"]) as client:
        ask = {"purpose": "delivery", "subscription": {"endpoint": "https://push.example", "keys": {}}}
        assert (await client.post("/app/push", json=ask)).status_code == 401
        assert (await client.get("/app/push")).json() == {"key": "", "wanted": []}
