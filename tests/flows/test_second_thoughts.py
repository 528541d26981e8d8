"""Buyers who change their mind while a payment is still on its way: each story is followed by the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import FrontEnd, Platform, answers
from isthmus.kernel.host import Answer
from isthmus.packs.catalog import api as catalog
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.values import Money, money
from tests import shipped

from .conftest import ALL, LONG_AGO, SOUTH, UNITS, Shop
from .test_checkout import available, placed


class SilentAtLast(payment.TestProvider):
    """The test provider, which takes or gives back the money but does not say so, so often in a row."""

    silent = 1

    async def capture(self, *, key: str, authorisation: str, amount: Money) -> payment.Outcome:
        return self._unsaid(await super().capture(key=key, authorisation=authorisation, amount=amount))

    def _unsaid(self, outcome: payment.Outcome) -> payment.Outcome:
        if self.silent:
            self.silent -= 1
            raise TimeoutError
        return outcome


class NeverArrives(payment.TestProvider):
    """The test provider, which the first request for the money never reaches."""

    is_lost = True

    async def capture(self, *, key: str, authorisation: str, amount: Money) -> payment.Outcome:
        if self.is_lost:
            self.is_lost = False
            raise ConnectionError
        return await super().capture(key=key, authorisation=authorisation, amount=amount)


class RefusesAtLast(payment.TestProvider):
    """The test provider, which holds the money and then refuses to take it; the first time it says so late, or not."""

    is_silent = False

    async def capture(self, *, key: str, authorisation: str, amount: Money) -> payment.Outcome:
        if self.is_silent:
            self.is_silent = False
            raise TimeoutError
        return payment.Outcome(state="refused", reason="closed account")


@answers(order.split_key)
def by_seller(lines: Sequence[order.DraftLine]) -> Sequence[str]:
    """Give each seller an order of its own."""
    return [line.seller for line in lines]


def over(shop: Shop, provider: payment.TestProvider, *own: Answer) -> Shop:
    """Return the same shop with another provider, whose northern front end answers more."""
    north = FrontEnd(code="north", name="North", owner="north team", uses=ALL, answers=own)
    resources = {payment.Providers: payment.Providers([provider]), order.Numbers: order.Numbers(shop.database)}
    return replace(shop, platform=Platform(shipped.build([north, SOUTH]), shop.database, resources=resources))


async def pay(shop: Shop, payment_id: UUID) -> checkout.Paid:
    ask = checkout.PayOrder(payment_id=payment_id, method="card", token="ok")
    return await shop.platform.call(checkout.pay_order, ask, shop.north)


async def cancel(shop: Shop, order_id: UUID) -> checkout.Cancelled:
    ask = checkout.CancelOrder(order_id=order_id, reason="changed my mind")
    return await shop.platform.call(checkout.cancel_order, ask, shop.north)


async def settle(shop: Shop) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    await shop.platform.call(checkout.settle_payments, payment.Reconcile(), shop.north, now=later)


async def kept(shop: Shop, payment_id: UUID) -> int:
    """Return what the shop has of a payment, in minor units."""
    found = await shop.platform.call(payment.get_payment, payment.GetPayment(payment_id=payment_id), shop.north)
    return found.captured.minor - found.refunded.minor


async def test_who_cancels_while_the_capture_is_unknown_has_the_money_back_when_they_ask_again(shop: Shop) -> None:
    shop = over(shop, SilentAtLast())
    bought = await placed(shop, 3)
    assert (await pay(shop, bought.payment_id)).state == "authorised"
    with pytest.raises(payment.StepUnderWay):
        await cancel(shop, bought.orders[0].order_id)
    await settle(shop)
    for _ in range(2):
        cancelled = await cancel(shop, bought.orders[0].order_id)
        assert cancelled.order.state is order.OrderState.CANCELLED
    assert (await kept(shop, bought.payment_id), await available(shop)) == (0, UNITS)


@pytest.mark.parametrize("is_silent", [False, True])
@pytest.mark.parametrize("own", [(), (by_seller,)])
async def test_orders_whose_money_is_refused_at_last_do_not_stand(
    shop: Shop, own: tuple[Answer, ...], is_silent: bool
) -> None:
    provider = RefusesAtLast()
    provider.is_silent = is_silent
    shop = over(shop, provider, *own)
    bought = await placed(shop, 3)
    paid = await pay(shop, bought.payment_id)
    if is_silent:
        assert paid.state == "authorised"
        await settle(shop)
    else:
        assert (paid.state, {one.state for one in paid.orders}) == ("voided", {order.OrderState.CANCELLED})
    found = await shop.platform.call(order.get_group, order.GetGroup(group_id=bought.group_id), shop.north)
    assert {one.state for one in found.orders} == {order.OrderState.CANCELLED}
    assert (await kept(shop, bought.payment_id), await available(shop)) == (0, UNITS)


@pytest.mark.parametrize("provider", [SilentAtLast, NeverArrives])
async def test_one_of_two_orders_is_cancelled_while_the_capture_is_unknown_and_the_other_is_paid_for(
    shop: Shop, provider: type[payment.TestProvider]
) -> None:
    shop = over(shop, provider(), by_seller)
    lines = tuple(checkout.BuyLine(sku=sku, quantity=2) for sku in ("tea", "jam"))
    ask = checkout.PlaceOrder(currency="EUR", lines=lines)
    bought = await shop.platform.call(checkout.place_order, ask, shop.north)
    jam, other = sorted(bought.orders, key=lambda one: one.total.minor)
    assert (await pay(shop, bought.payment_id)).state == "authorised"
    with pytest.raises(payment.RefundTooLarge):
        await cancel(shop, jam.order_id)
    await settle(shop)
    for _ in range(2):
        await cancel(shop, jam.order_id)
        assert await kept(shop, bought.payment_id) == other.total.minor
    assert (await available(shop, "jam"), await available(shop)) == (UNITS, UNITS - 2)
    assert (await cancel(shop, other.order_id)).refunded == other.total
    assert await kept(shop, bought.payment_id) == 0


async def test_a_basket_that_costs_something_else_than_was_shown_is_not_charged_unseen(shop: Shop) -> None:
    basket = await shop.platform.call(order.open_basket, order.OpenBasket(currency="EUR"), shop.north)
    line = order.SetLine(sku="tea", quantity=1, shown=money(900, "EUR"))
    put = order.SetLines(basket_id=basket.basket_id, lines=(line,))
    await shop.platform.call(order.set_lines, put, shop.north)
    unseen = checkout.PlaceOrder(currency="EUR", basket_id=basket.basket_id)
    with pytest.raises(checkout.PriceChanged, match=r"10\.00.*9\.00") as refused:
        await shop.platform.call(checkout.place_order, unseen, shop.north)
    assert (refused.value.path, await available(shop)) == ("$.lines[0]", UNITS)
    seen = checkout.PlaceOrder(currency="EUR", basket_id=basket.basket_id, expected_total=money(1000, "EUR"))
    assert (await shop.platform.call(checkout.place_order, seen, shop.north)).bill.total == money(1000, "EUR")


async def opened(shop: Shop, *lines: order.SetLine, coupons: tuple[str, ...] = ()) -> UUID:
    basket = await shop.platform.call(order.open_basket, order.OpenBasket(currency="EUR"), shop.north)
    put = order.SetLines(basket_id=basket.basket_id, lines=lines)
    await shop.platform.call(order.set_lines, put, shop.north)
    if coupons:
        named = order.SetCoupons(basket_id=basket.basket_id, coupons=coupons)
        await shop.platform.call(order.set_coupons, named, shop.north)
    return basket.basket_id


def shown_tea(quantity: int, minor: int) -> order.SetLine:
    return order.SetLine(sku="tea", quantity=quantity, shown=money(minor, "EUR"))


async def test_baskets_that_came_together_are_refused_only_where_a_price_really_changed(shop: Shop) -> None:
    for minor, is_refused in ((1000, False), (900, True)):
        guests, members = await opened(shop, shown_tea(2, 2 * minor)), await opened(shop, shown_tea(1, 1000))
        merge = order.MergeBasket(basket_id=members, from_basket_id=guests)
        await shop.platform.call(order.merge_basket, merge, shop.north)
        ask = checkout.PlaceOrder(currency="EUR", basket_id=members)
        if is_refused:
            with pytest.raises(checkout.PriceChanged, match=r"30\.00 EUR, and 28\.00 EUR was shown"):
                await shop.platform.call(checkout.place_order, ask, shop.north)
        else:
            bought = await shop.platform.call(checkout.place_order, ask, shop.north)
            assert bought.bill.total == money(3000, "EUR")


async def test_a_promotion_on_a_category_holds_for_all_below_it_and_a_coupon_in_whichever_case(shop: Shop) -> None:
    drafts = (
        catalog.CategoryDraft(code="print", name="Print"),
        catalog.CategoryDraft(code="food", name="Print novels", parent="print"),
    )
    await shop.platform.call(catalog.put_categories, catalog.PutCategories(categories=drafts), shop.north)
    off, goods = promotion.PercentOff(basis_points=2500), promotion.Selector(categories=("print",))
    quarter = promotion.Promotion(code="q", title="Q", benefit=off, valid_from=LONG_AGO, goods=goods, needs_coupon=True)
    await shop.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=quarter), shop.north)
    issue = promotion.IssueCoupons(promotion="q", coupons=(promotion.CouponDraft(code="NOVEL"),))
    await shop.platform.call(promotion.issue_coupons, issue, shop.north)
    lines = (checkout.BuyLine(sku="tea", quantity=2),)
    ask = checkout.PlaceOrder(currency="EUR", lines=lines, coupons=("novel ",))
    bought = await shop.platform.call(checkout.place_order, ask, shop.north)
    assert bought.bill.total == money(1500, "EUR")
    assert [one.coupon for one in bought.bill.discounts] == ["NOVEL"]


async def test_the_coupons_of_a_basket_and_of_the_ask_are_no_more_than_a_purchase_may_have(shop: Shop) -> None:
    basket_id = await opened(shop, shown_tea(1, 1000), coupons=tuple(f"C{at}" for at in range(8)))
    ask = checkout.PreviewOrder(currency="EUR", basket_id=basket_id, coupons=("C0", "D1", "D2", "D3"))
    with pytest.raises(order.TooManyCoupons, match="11 coupons") as refused:
        await shop.platform.call(checkout.preview_order, ask, shop.north)
    assert refused.value.path == "$.coupons"


async def test_a_basket_becomes_one_order_however_often_it_is_ordered_at_once(shop: Shop) -> None:
    opened = await shop.platform.call(order.open_basket, order.OpenBasket(currency="EUR"), shop.north, key="open")
    lines = (order.SetLine(sku="tea", quantity=1),)
    basket_id = opened.basket_id
    await shop.platform.call(order.set_lines, order.SetLines(basket_id=basket_id, lines=lines), shop.north, key="set")
    ask = checkout.PlaceOrder(basket_id=basket_id, currency="EUR")
    tabs = [shop.platform.call(checkout.place_order, ask, shop.north, key=f"tab-{tab}") for tab in range(6)]
    came = await asyncio.gather(*tabs, return_exceptions=True)
    bought = [one for one in came if isinstance(one, checkout.PlacedOrder)]
    assert len(bought) == 1
    assert {type(one) for one in came} <= {checkout.PlacedOrder, checkout.BasketChanged, checkout.NothingToBuy}
    assert await available(shop) == UNITS - 1
    again = came.index(bought[0])
    assert await shop.platform.call(checkout.place_order, ask, shop.north, key=f"tab-{again}") == bought[0]
    left = await shop.platform.call(order.get_basket, order.GetBasket(basket_id=basket_id), shop.north)
    assert left.lines == ()


async def test_a_basket_is_ordered_in_its_own_currency_and_by_its_own_member(shop: Shop) -> None:
    basket = await shop.platform.call(order.open_basket, order.OpenBasket(currency="USD"), shop.north)
    put = order.SetLines(basket_id=basket.basket_id, lines=(order.SetLine(sku="tea", quantity=1),))
    await shop.platform.call(order.set_lines, put, shop.north)
    ask = checkout.PlaceOrder(currency="EUR", basket_id=basket.basket_id)
    with pytest.raises(order.BasketsDiffer):
        await shop.platform.call(checkout.place_order, ask, shop.north)


async def test_a_coupon_that_one_order_of_a_group_was_carried_out_with_stays_used_when_the_other_is_cancelled(
    shop: Shop,
) -> None:
    shop = over(shop, payment.TestProvider(), by_seller)
    off = promotion.AmountOff(amount=money(300, "EUR"))
    hello = promotion.Promotion(code="hello", title="Hello", benefit=off, valid_from=LONG_AGO, needs_coupon=True)
    await shop.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=hello), shop.north)
    issue = promotion.IssueCoupons(promotion="hello", coupons=(promotion.CouponDraft(code="HELLO", uses_max=1),))
    await shop.platform.call(promotion.issue_coupons, issue, shop.north)
    lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in ("tea", "jam"))
    ask = checkout.PlaceOrder(currency="EUR", lines=lines, coupons=("HELLO",))
    bought = await shop.platform.call(checkout.place_order, ask, shop.north)
    await pay(shop, bought.payment_id)
    done, gone = (one.order_id for one in bought.orders)
    await shop.platform.call(after_sale.ship_order, after_sale.ShipOrder(order_id=done), shop.north)
    await shop.platform.call(order.complete_order, order.Complete(order_id=done), shop.north)
    await cancel(shop, gone)
    used = await shop.platform.call(promotion.get_coupon, promotion.GetCoupon(code="HELLO"), shop.north)
    assert used.uses == 1
    assert await kept(shop, bought.payment_id) == bought.orders[0].total.minor
