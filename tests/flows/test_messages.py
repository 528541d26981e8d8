"""Buyers hear of their orders: from the event to the letter, once for each, and nothing once they are forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.messages import api as messages
from isthmus.flows.messages import rules
from isthmus.kernel import Caller, Platform
from isthmus.language import LANGUAGES
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.runtime.events import timers
from isthmus.values import Address, money
from tests import shipped
from tests.packs.notification.conftest import Post
from tests.runtime.own_line import delivering
from tests.waiting import until

from .conftest import NORTH, Shop
from .test_money_back import bought

PLATFORM = Caller(front_end="north", client="subscription", is_event_triggered=True)


class Writing:
    """A shop whose buyers are written to."""

    def __init__(self, shop: Shop, post: Post) -> None:
        self.shop = shop
        self.post = post

    async def letters(self, count: int) -> list[notification.Letter]:
        """Return the letters that were sent, once there are so many."""

        async def look() -> bool:
            await timers.tick(self.shop.database, timers.timed(self.shop.platform.release), datetime.now(UTC))
            await self.deliver()
            return len(self.post.letters) >= count

        await until(look, f"{count} letters")
        return self.post.letters

    async def deliver(self) -> notification.Delivered:
        ask = notification.DeliverMessages()
        return await self.shop.platform.call(notification.deliver_messages, ask, self.shop.north)

    async def joined(self, email: str) -> UUID:
        identities = (member.Identity(kind="email", value=email, is_verified=True),)
        ask = member.Register(identities=identities, profile=member.Profile(language="de"))
        return (await self.shop.platform.call(member.register, ask, self.shop.north)).member_id

    async def placed(self, **facts: object) -> order.Order:
        """Return an order of a guest or a member that was placed and paid."""
        placed = await bought(self.shop, ("tea", 2), **facts)
        ask = order.GetOrder(order_id=placed.orders[0].order_id)
        return await self.shop.platform.call(order.get_order, ask, self.shop.north)


@pytest.fixture
async def writing(shop: Shop) -> Writing:
    post = Post()
    resources = {**shop.platform.resources, notification.Senders: notification.Senders([post])}
    return Writing(replace(shop, platform=Platform(shop.platform.release, shop.database, resources=resources)), post)


async def test_a_buyer_hears_of_an_order_once_for_each_thing_that_happens_to_it(writing: Writing) -> None:
    shop = writing.shop
    async with delivering(shop.platform, shop.database):
        sold = await writing.placed(
            contact_email="ada@example.org", address=Address(country="DE", city="Kiel"), delivery_method="post"
        )
        placed, paid = sorted(await writing.letters(2), key=lambda one: len(one.text), reverse=True)
        assert {one.address for one in (placed, paid)} == {"ada@example.org"}
        assert placed.subject == f"Your order {sold.number}"
        assert f"2 × Tea: {sold.lines[0].total}" in placed.text
        assert paid.subject == f"Order {sold.number} is paid"
        (shipment,) = (await shop.platform.call(fulfilment.list_shipments, _of(sold), shop.north)).items
        packed = fulfilment.ParcelLine(line=0, sku="tea", quantity=2)
        one = {"shipment_id": shipment.shipment_id, "parcel": "1"}
        await shop.platform.call(fulfilment.pack, fulfilment.Pack(lines=(packed,), **one), shop.north)
        await shop.platform.call(fulfilment.ship, fulfilment.Ship(carrier="DHL", tracking="T1", **one), shop.north)
        shipped = (await writing.letters(3))[-1]
        assert shipped.subject == f"Order {sold.number} is on its way"
        assert "DHL T1" in shipped.text
    assert len(writing.post.letters) == 3, "a parcel that is merely packed is no news"


async def test_a_return_is_written_about_to_the_members_own_address(writing: Writing) -> None:
    shop = writing.shop
    member_id = await writing.joined("bob@example.org")
    async with delivering(shop.platform, shop.database):
        sold = await writing.placed(member_id=member_id)
        await writing.letters(2)
        await shop.platform.call(after_sale.ship_order, after_sale.ShipOrder(order_id=sold.order_id), shop.north)
        lines = (order.ReturnLine(line=0, quantity=1),)
        asked = order.RequestReturn(order_id=sold.order_id, lines=lines)
        back = await shop.platform.call(order.request_return, asked, shop.north)
        decide = order.DecideReturn(return_id=back.return_id, is_approved=True)
        await shop.platform.call(order.decide_return, decide, shop.north)
        await shop.platform.call(
            after_sale.refund_return, after_sale.RefundReturn(return_id=back.return_id), shop.north
        )
        letters = await writing.letters(4)
    assert {one.address for one in letters} == {"bob@example.org"}
    assert {one.subject for one in letters[2:]} == {
        f"Your return for order {sold.number}",
        f"Refund for order {sold.number}",
    }
    assert any(str(money(1000, "EUR")) in one.text for one in letters[2:])


async def test_who_is_erased_hears_nothing_more_of_what_waits_or_of_what_comes(writing: Writing) -> None:
    shop, call = writing.shop, writing.shop.platform.call
    member_id, other = await writing.joined("ada@example.org"), await writing.joined("old@example.org")
    sold = await writing.placed(member_id=other)
    moved = order.OrderMoved(order_id=sold.order_id, group_id=sold.group_id, state=order.OrderState.PAID, note="")
    before = await call(messages.notify_order_moved, moved, PLATFORM)
    assert [one.state for one in before.messages] == ["waiting"]
    await call(member.merge, member.Merge(member_id=member_id, other_id=other, evidence="the same card"), shop.north)
    await call(member.erase, member.Erase(member_id=member_id), shop.north)
    assert await writing.deliver() == notification.Delivered(tried=0, ended=0)
    (message,) = (await call(notification.list_messages, notification.ListMessages(), shop.north)).items
    assert (message.state, message.address, message.member_id) == ("erased", "", None)
    gone = order.OrderMoved(order_id=sold.order_id, group_id=sold.group_id, state=order.OrderState.CANCELLED, note="")
    assert await call(messages.notify_order_moved, gone, PLATFORM) == messages.Notified()
    assert writing.post.letters == []


async def test_an_event_that_comes_twice_is_written_about_once(writing: Writing) -> None:
    sold = await writing.placed(contact_email="ada@example.org")
    moved = order.OrderMoved(order_id=sold.order_id, group_id=sold.group_id, state=order.OrderState.PAID, note="")
    notifying = [writing.shop.platform.call(messages.notify_order_moved, moved, PLATFORM) for _ in range(4)]
    found = {one.messages[0].message_id for one in await asyncio.gather(*notifying)}
    assert len(found) == 1


async def test_nobody_but_the_platform_says_that_something_happened(writing: Writing) -> None:
    sold = await writing.placed(contact_email="ada@example.org")
    claimed = order.OrderMoved(
        order_id=sold.order_id, group_id=sold.group_id, state=order.OrderState.CANCELLED, note=""
    )
    with pytest.raises(messages.NotAnEvent):
        await writing.shop.platform.call(messages.notify_order_moved, claimed, writing.shop.north)
    notifying = {messages.notify_order_placed, messages.notify_order_moved}
    notifying |= {messages.notify_parcel_moved, messages.notify_return_moved}
    assert all(messages.NotAnEvent in one.raises for one in notifying)
    assert messages.forget_member.is_internal


async def test_what_is_no_order_or_has_no_address_is_nobodys_news(writing: Writing) -> None:
    call = writing.shop.platform.call
    sold = await writing.placed()
    moved = order.OrderMoved(order_id=sold.order_id, group_id=sold.group_id, state=order.OrderState.PAID, note="")
    assert await call(messages.notify_order_moved, moved, PLATFORM) == messages.Notified()
    for reference in ("transfer-7", str(sold.group_id)):
        parcel = fulfilment.ParcelMoved(
            reference=reference,
            shipment_id=sold.group_id,
            parcel="1",
            state=fulfilment.ParcelState.SHIPPED,
            shipment_state=fulfilment.ShipmentState.SHIPPED,
            lines=(),
        )
        assert await call(messages.notify_parcel_moved, parcel, PLATFORM) == messages.Notified()


def _of(sold: order.Order) -> fulfilment.ListShipments:
    return fulfilment.ListShipments(reference=str(sold.order_id))


@pytest.mark.parametrize(
    ("profile", "setting", "subject", "text"),
    [
        ("zh-CN", "", "订单 {number} 已付款", "我们已收到您为订单 {number} 支付的款项。"),
        ("", "zh", "订单 {number} 已付款", "我们已收到您为订单 {number} 支付的款项。"),
        ("en", "zh", "Order {number} is paid", "We have received your payment for order {number}."),
        ("fr", "", "Order {number} is paid", "We have received your payment for order {number}."),
    ],
)
async def test_a_buyer_reads_in_their_own_language_else_in_the_front_ends(
    writing: Writing, profile: str, setting: str, subject: str, text: str
) -> None:
    shop = writing.shop
    shop.platform.release = shipped.build([replace(NORTH, settings={messages.LANGUAGE: setting})])
    identities = (member.Identity(kind="email", value="li@example.org", is_verified=True),)
    joins = member.Register(identities=identities, profile=member.Profile(language=profile))
    joined = await shop.platform.call(member.register, joins, shop.north)
    sold = await writing.placed(member_id=joined.member_id)
    moved = order.OrderMoved(order_id=sold.order_id, group_id=sold.group_id, state=order.OrderState.PAID, note="")
    (notifying,) = (await shop.platform.call(messages.notify_order_moved, moved, PLATFORM)).messages
    assert notifying.subject == subject.format(number=sold.number)
    await writing.deliver()
    assert writing.post.letters[0].text == text.format(number=sold.number)


def test_every_text_of_a_message_is_in_every_language() -> None:
    texts = {text for both in rules.SENTENCES.values() for text in both}
    assert len(texts) > 10
    for language in LANGUAGES[1:]:
        assert [text for text in texts if rules.written(text, language.tag) in ("", text)] == []
