"""From a basket to a paid order, and back: stories on a real database, each followed by the doctor."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import FrameType
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import errors
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.values import Address, SerialNumber, money

from .conftest import UNITS, Shop

HOME = Address(country="DE", city="Kiel")


def tea(quantity: int = 1, **facts: object) -> checkout.PlaceOrder:
    return checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=quantity),), **facts)  # type: ignore[arg-type]


async def available(shop: Shop, sku: str = "tea") -> int:
    asked = inventory.GetAvailability(skus=(sku,))
    return (await shop.platform.call(inventory.get_availability, asked, shop.north)).items[0].available


async def placed(shop: Shop, quantity: int = 1, **facts: object) -> checkout.PlacedOrder:
    return await shop.platform.call(checkout.place_order, tea(quantity, **facts), shop.north)


async def test_a_preview_says_what_placing_would_cost_and_writes_nothing(shop: Shop) -> None:
    ask = checkout.PreviewOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=2),), address=HOME)
    preview = await shop.platform.call(checkout.preview_order, ask, shop.north)
    assert (preview.bill.total, preview.can_be_placed) == (money(2500, "EUR"), True)
    assert await available(shop) == UNITS
    order_placed = await shop.platform.call(checkout.place_order, tea(2, address=HOME), shop.north)
    assert order_placed.bill == preview.bill


async def test_an_order_is_answered_by_each_capability_that_it_needs_once(shop: Shop) -> None:
    offered = shop.platform.release.offered
    names = {one.implementation.function.__code__: name for name, one in offered.items()}
    entered: dict[FrameType, str] = {}  # a coroutine that goes on is the same frame

    def seen(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in names:
            entered[frame] = names[frame.f_code]

    sys.setprofile(seen)
    try:
        await placed(shop)
    finally:
        sys.setprofile(None)
    often = Counter(entered.values())
    assert {"checkout.place-order", "inventory.reserve", "payment.open-payment"} <= often.keys()
    assert set(often.values()) == {1}


async def test_a_preview_names_the_line_that_is_short(shop: Shop) -> None:
    ask = checkout.PreviewOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=UNITS + 1),))
    preview = await shop.platform.call(checkout.preview_order, ask, shop.north)
    assert not preview.can_be_placed
    assert [(one.path, one.available) for one in preview.shortages] == [("$.lines[0].sku", UNITS)]


async def test_a_buyer_pays_and_the_goods_are_sent_and_the_order_completes(shop: Shop) -> None:
    bought = await placed(shop, 3, address=HOME)
    paid = await shop.platform.call(
        checkout.pay_order, checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok"), shop.north
    )
    assert paid.state == "captured"
    order_id = bought.orders[0].order_id
    sent = await shop.platform.call(after_sale.ship_order, after_sale.ShipOrder(order_id=order_id), shop.north)
    assert sent.state is order.OrderState.SHIPPED
    done = await shop.platform.call(order.complete_order, order.Complete(order_id=order_id), shop.north)
    assert [entry.what for entry in done.history] == ["placed", "paid", "shipped", "completed"]


async def test_a_line_that_is_held_in_two_places_leaves_both(shop: Shop) -> None:
    more = inventory.Receive(reference="more", lines=(inventory.Receipt(sku="tea", quantity=5, location="shed"),))
    await shop.platform.call(inventory.receive, more, shop.north)
    bought = await placed(shop, UNITS + 3, address=HOME)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")
    await shop.platform.call(checkout.pay_order, pay, shop.north)
    order_id = bought.orders[0].order_id
    asked = fulfilment.ListShipments(reference=str(order_id))
    planned = (await shop.platform.call(fulfilment.list_shipments, asked, shop.north)).items
    leaving = {one.location: sum(line.quantity for line in one.lines) for one in planned}
    assert leaving == {"main": UNITS, "shed": 3}
    sent = await shop.platform.call(after_sale.ship_order, after_sale.ShipOrder(order_id=order_id), shop.north)
    assert sent.state is order.OrderState.SHIPPED


async def test_an_order_is_sent_with_the_units_that_it_names(shop: Shop) -> None:
    line = inventory.Receipt(sku="tea", quantity=2, location="main", serials=("T1", "T2"))
    await shop.platform.call(inventory.receive, inventory.Receive(reference="tins", lines=(line,)), shop.north)
    bought = await placed(shop, 1, address=HOME)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")
    await shop.platform.call(checkout.pay_order, pay, shop.north)
    ask = after_sale.ShipOrder(order_id=bought.orders[0].order_id, serials=(SerialNumber(sku="tea", serial="T2"),))
    await shop.platform.call(after_sale.ship_order, ask, shop.north)
    went = inventory.ListSerialSteps(reference=str(bought.group_id))
    steps = await shop.platform.call(inventory.list_serial_steps, went, shop.north)
    assert [(one.serial, one.kind) for one in steps.items] == [("T2", "ship")]


async def test_free_goods_are_paid_for_with_nothing(shop: Shop) -> None:
    free = pricing.PriceEntry(sku="tea", currency="EUR", amount=0, valid_from=datetime(2021, 1, 1, tzinfo=UTC))
    await shop.platform.call(pricing.put_prices, pricing.PutPrices(prices=(free,)), shop.north)
    bought = await placed(shop)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")
    paid = await shop.platform.call(checkout.pay_order, pay, shop.north)
    assert (paid.state, [one.state for one in paid.orders]) == ("captured", [order.OrderState.PAID])


async def test_a_declined_card_leaves_the_order_open_for_another(shop: Shop) -> None:
    bought = await placed(shop)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="decline:no funds")
    with pytest.raises(payment.Declined, match="no funds"):
        await shop.platform.call(checkout.pay_order, pay, shop.north)
    again = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")
    assert (await shop.platform.call(checkout.pay_order, again, shop.north)).state == "captured"


async def test_a_provider_that_does_not_answer_is_looked_up_and_the_money_is_held_once(shop: Shop) -> None:
    bought = await placed(shop)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="timeout")
    with pytest.raises(payment.OutcomeUnknown):
        await shop.platform.call(checkout.pay_order, pay, shop.north)
    later = datetime.now(UTC) + timedelta(minutes=5)
    found = await shop.platform.call(payment.reconcile, payment.Reconcile(), shop.north, now=later)
    assert (found.settled, shop.provider.effects) == (1, 1)
    confirm = checkout.ConfirmPayment(payment_id=bought.payment_id)
    confirmed = await shop.platform.call(checkout.confirm_payment, confirm, shop.north)
    assert [one.state for one in confirmed.orders] == [order.OrderState.PAID]


async def test_who_paid_while_the_provider_was_silent_has_their_order_without_paying_twice(shop: Shop) -> None:
    bought = await placed(shop)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="timeout")
    with pytest.raises(payment.OutcomeUnknown):
        await shop.platform.call(checkout.pay_order, pay, shop.north)
    later = datetime.now(UTC) + timedelta(minutes=5)
    for settled in (1, 0):
        found = await shop.platform.call(checkout.settle_payments, payment.Reconcile(), shop.north, now=later)
        assert found.settled == settled
    sold = await shop.platform.call(order.get_order, order.GetOrder(order_id=bought.orders[0].order_id), shop.north)
    money_in = await shop.platform.call(
        payment.get_payment, payment.GetPayment(payment_id=bought.payment_id), shop.north
    )
    assert (sold.state, money_in.captured) == (order.OrderState.PAID, money(1000, "EUR"))


async def test_a_notification_that_races_the_answer_counts_once(shop: Shop) -> None:
    bought = await placed(shop)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="timeout")
    with pytest.raises(payment.OutcomeUnknown):
        await shop.platform.call(checkout.pay_order, pay, shop.north)
    (said,) = shop.provider.notifications
    notify = payment.Notify(provider="test", payload=said)
    for _ in range(3):
        paid = await shop.platform.call(checkout.receive_notification, notify, shop.north)
    assert paid.state == "captured"
    found = await shop.platform.call(payment.get_payment, payment.GetPayment(payment_id=bought.payment_id), shop.north)
    assert [leg.amount for leg in found.legs] == [money(1000, "EUR")]


async def test_another_total_than_was_shown_is_refused_and_nothing_is_held(shop: Shop) -> None:
    with pytest.raises(checkout.PriceChanged, match=r"10\.00 EUR.*9\.00 EUR"):
        await placed(shop, expected_total=money(900, "EUR"))
    assert await available(shop) == UNITS


async def test_all_lines_or_none_are_held(shop: Shop) -> None:
    lines = (checkout.BuyLine(sku="jam", quantity=1), checkout.BuyLine(sku="tea", quantity=UNITS + 1))
    with pytest.raises(inventory.StockShort) as refused:
        await shop.platform.call(checkout.place_order, checkout.PlaceOrder(currency="EUR", lines=lines), shop.north)
    assert refused.value.path == "$.lines[1].sku"
    assert await available(shop, "jam") == UNITS


async def test_an_unknown_sku_is_refused_with_its_line(shop: Shop) -> None:
    lines = (checkout.BuyLine(sku="tea", quantity=1), checkout.BuyLine(sku="ghost", quantity=1))
    with pytest.raises(catalog.UnknownSku, match="'ghost'") as refused:
        await shop.platform.call(checkout.place_order, checkout.PlaceOrder(currency="EUR", lines=lines), shop.north)
    assert refused.value.path == "$.lines[1].sku"


async def test_64_buyers_of_20_units_get_20(shop: Shop) -> None:
    async def buy() -> bool:
        try:
            await placed(shop)
        except inventory.StockShort:
            return False
        return True

    assert sum(await asyncio.gather(*(buy() for _ in range(64)))) == UNITS
    assert await available(shop) == 0


async def test_one_key_sent_50_times_at_once_places_one_order(shop: Shop) -> None:
    answers = await asyncio.gather(
        *(shop.platform.call(checkout.place_order, tea(), shop.north, key="once") for _ in range(50))
    )
    assert len({one.group_id for one in answers}) == 1
    assert await available(shop) == UNITS - 1


async def test_an_unpaid_order_runs_out_and_gives_its_stock_back(shop: Shop) -> None:
    await placed(shop, 5)
    assert await available(shop) == UNITS - 5
    later = datetime.now(UTC) + timedelta(hours=1)
    expired = await shop.platform.call(checkout.expire_orders, checkout.ExpireOrders(), shop.north, now=later)
    assert (expired.orders, await available(shop)) == (1, UNITS)


async def test_paying_for_an_order_that_ran_out_lets_the_money_go(shop: Shop) -> None:
    bought = await placed(shop)
    later = datetime.now(UTC) + timedelta(hours=1)
    await shop.platform.call(checkout.expire_orders, checkout.ExpireOrders(), shop.north, now=later)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")
    paid = await shop.platform.call(checkout.pay_order, pay, shop.north)
    assert paid.state == "voided"


async def test_a_cancelled_order_gives_back_goods_and_money(shop: Shop) -> None:
    bought = await placed(shop, 4, address=HOME)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")
    await shop.platform.call(checkout.pay_order, pay, shop.north)
    cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="changed my mind")
    cancelled = await shop.platform.call(checkout.cancel_order, cancel, shop.north)
    assert (cancelled.refunded, await available(shop)) == (bought.bill.total, UNITS)
    found = await shop.platform.call(payment.get_payment, payment.GetPayment(payment_id=bought.payment_id), shop.north)
    assert found.state == "refunded"


async def test_a_part_of_an_order_comes_back_and_its_share_is_refunded(shop: Shop) -> None:
    bought = await placed(shop, 3, address=HOME)
    pay = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")
    await shop.platform.call(checkout.pay_order, pay, shop.north)
    order_id = bought.orders[0].order_id
    await shop.platform.call(after_sale.ship_order, after_sale.ShipOrder(order_id=order_id), shop.north)
    request = order.RequestReturn(order_id=order_id, lines=(order.ReturnLine(line=0, quantity=1),))
    asked = await shop.platform.call(order.request_return, request, shop.north)
    decide = order.DecideReturn(return_id=asked.return_id, is_approved=True)
    await shop.platform.call(order.decide_return, decide, shop.north)
    refund = after_sale.RefundReturn(return_id=asked.return_id)
    settled = await shop.platform.call(after_sale.refund_return, refund, shop.north)
    again = await shop.platform.call(after_sale.refund_return, refund, shop.north)
    assert settled.state is again.state is order.ReturnState.REFUNDED
    assert (settled.refund, await available(shop)) == (money(1000, "EUR"), UNITS - 2)
    sold = await shop.platform.call(order.get_order, order.GetOrder(order_id=order_id), shop.north)
    assert (sold.refunded, sold.lines[0].returned) == (money(1000, "EUR"), 1)


async def test_more_than_was_sent_cannot_come_back(shop: Shop) -> None:
    bought = await placed(shop, 2, paid_at_till="cash")
    request = order.RequestReturn(order_id=bought.orders[0].order_id, lines=(order.ReturnLine(line=0, quantity=3),))
    with pytest.raises(order.NotReturnable, match="2 of 'tea' can come back"):
        await shop.platform.call(order.request_return, request, shop.north)


async def test_a_coupon_that_may_be_used_once_is_used_once_by_ten_at_once(shop: Shop) -> None:
    put = promotion.Promotion(
        code="welcome",
        title="Welcome",
        benefit=promotion.AmountOff(amount=money(300, "EUR")),
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        needs_coupon=True,
    )
    await shop.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=put), shop.north)
    issue = promotion.IssueCoupons(promotion="welcome", coupons=(promotion.CouponDraft(code="HELLO", uses_max=1),))
    await shop.platform.call(promotion.issue_coupons, issue, shop.north)

    async def buy() -> int:
        try:
            bought = await placed(shop, coupons=("HELLO",))
        except errors.Refusal:
            return 0
        return 1000 - bought.bill.total.minor

    assert sorted(await asyncio.gather(*(buy() for _ in range(10))))[-1] == 300
    found = await shop.platform.call(promotion.get_coupon, promotion.GetCoupon(code="HELLO"), shop.north)
    assert found.uses == 1


async def test_who_was_two_members_has_used_what_both_had_used(shop: Shop) -> None:
    assert "checkout.join-uses" in shop.platform.release.offered
    put = promotion.Promotion(
        code="first",
        title="First",
        benefit=promotion.AmountOff(amount=money(300, "EUR")),
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        uses_per_member_max=1,
    )
    await shop.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=put), shop.north)
    stays, goes = [
        (await shop.platform.call(member.register, member.Register(identities=(one,)), shop.north)).member_id
        for one in (member.Identity(kind="email", value=f"{name}@example.org") for name in ("ada", "lovelace"))
    ]
    assert (await placed(shop, member_id=goes)).bill.total == money(700, "EUR")
    ask = member.Merge(member_id=stays, other_id=goes, evidence="the same card")
    await shop.platform.call(member.merge, ask, shop.north)
    for known_as in (stays, goes):
        assert (await placed(shop, member_id=known_as)).bill.total == money(1000, "EUR")


async def test_what_one_front_end_sells_the_other_never_sees(shop: Shop) -> None:
    bought = await placed(shop)
    with pytest.raises(order.UnknownOrder):
        await shop.platform.call(order.get_order, order.GetOrder(order_id=bought.orders[0].order_id), shop.south)
    page = await shop.platform.call(order.list_orders, order.ListOrders(), shop.south)
    assert page.items == ()


async def test_no_client_can_mark_an_order_as_paid(shop: Shop) -> None:
    bought = await placed(shop)
    with pytest.raises(errors.NotPermitted):
        await shop.platform.call(order.mark_paid, order.MarkPaid(group_id=bought.group_id), shop.north)


async def test_a_guests_basket_goes_into_a_members_once(shop: Shop) -> None:
    async def opened(quantity: int) -> UUID:
        basket = await shop.platform.call(order.open_basket, order.OpenBasket(currency="EUR"), shop.north)
        lines = (order.SetLine(sku="tea", quantity=quantity, shown=money(900, "EUR")),)
        await shop.platform.call(order.set_lines, order.SetLines(basket_id=basket.basket_id, lines=lines), shop.north)
        return basket.basket_id

    guests, members = await opened(2), await opened(1)
    merge = order.MergeBasket(basket_id=members, from_basket_id=guests)
    for _ in range(2):
        merged = await shop.platform.call(order.merge_basket, merge, shop.north)
    assert [line.quantity for line in merged.lines] == [3]
    preview = checkout.PreviewOrder(currency="EUR", basket_id=members)
    shown = await shop.platform.call(checkout.preview_order, preview, shop.north)
    assert [one.now for one in shown.drifted] == [money(3000, "EUR")]


async def test_one_person_joins_two_front_ends_and_their_points_stay_apart(shop: Shop) -> None:
    card = member.Register(identities=(member.Identity(kind="card", value="4711", is_verified=True),))
    north = await shop.platform.call(member.register, card, shop.north)
    south = await shop.platform.call(member.register, card, shop.south)
    assert north.person_id == south.person_id
    earn = member.EarnPoints(member_id=north.member_id, reference="order-1", points=30)
    for _ in range(2):
        moved = await shop.platform.call(member.earn_points, earn, shop.north)
    assert moved.balance == 30
    with pytest.raises(member.NotAMember):
        await shop.platform.call(member.get_member, member.GetMember(member_id=north.member_id), shop.south)
    with pytest.raises(member.IdentityTaken):
        await shop.platform.call(member.register, card, shop.north)
