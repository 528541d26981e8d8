"""Orders are changed before they are sent: whoever pays, sends and changes at once, everything comes out even."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import ALLOW, Verdict, answers, errors, veto
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.values import Address

from .conftest import LONG_AGO, UNITS, Shop
from .test_bookkeeping import HOME, Books, a_fifth, books_of, eur, stocked_again, taxed_books
from .test_checkout import available

KIEL = Address(country="DE", city="Kiel", street="Holstenstr. 1")


@pytest.fixture
async def books(shop: Shop) -> AsyncIterator[Books]:
    books = await taxed_books(shop)
    yield books
    await books.check()


async def changed(books: Books, order_id: UUID, *lines: tuple[int, int], **facts: Any) -> after_sale.ChangedOrder:
    """Set lines to quantities, and add others."""
    wanted = tuple(after_sale.SetQuantity(line=line, quantity=count) for line, count in lines)
    ask = after_sale.ChangeOrder(order_id=order_id, reason="changed my mind", lines=wanted, **facts)
    preview = await books.call(after_sale.preview_change, ask)
    done = await books.call(after_sale.change_order, ask.replace(expected_difference=preview.difference))
    assert preview.difference == done.difference
    return done


def more(sku: str, quantity: int = 1) -> dict[str, Any]:
    return {"added": (checkout.BuyLine(sku=sku, quantity=quantity),)}


async def total(books: Books, order_id: UUID) -> int:
    return (await books.call(order.get_order, order.GetOrder(order_id=order_id))).total.minor


async def ten_percent_off(books: Books, coupon: str) -> None:
    off = promotion.PercentOff(basis_points=1000)
    ten = promotion.Promotion(code="ten", title="Ten", benefit=off, valid_from=LONG_AGO, needs_coupon=True)
    await books.call(promotion.put_promotion, promotion.PutPromotion(promotion=ten))
    issue = promotion.IssueCoupons(promotion="ten", coupons=(promotion.CouponDraft(code=coupon, uses_max=1),))
    await books.call(promotion.issue_coupons, issue)


async def test_an_order_that_is_not_paid_is_written_anew_and_its_buyer_pays_what_it_comes_to(books: Books) -> None:
    await ten_percent_off(books, "TEN")
    placed = await books.bought(("tea", 3), ("jam", 2), is_paid=False, coupons=("TEN",), address=HOME)
    order_id = placed.orders[0].order_id
    done = await changed(books, order_id, (0, 1), (1, 3))
    assert [(line.sku, line.quantity, line.discount.minor, line.total.minor) for line in done.order.lines] == [
        ("tea", 1, 100, 900),
        ("jam", 2, 80, 720),
        ("jam", 1, 0, 400),  # a coupon is for what it was given for
    ]
    assert done.order.total == eur(900 + 720 + 400 + 500)
    assert (await available(books.shop), await available(books.shop, "jam")) == (UNITS - 1, UNITS - 3)
    assert done.order.history[-1].note == "amended from 39.20 EUR to 25.20 EUR: changed my mind"
    await books.pay(done.payment_id)
    paid = await books.call(payment.get_payment, payment.GetPayment(payment_id=done.payment_id))
    assert (paid.captured, paid.payment_id) == (eur(2520), placed.payment_id)
    await books.sent(order_id, "1")
    assert await books.owed() == {}


async def test_what_is_taken_out_of_a_paid_order_goes_back_and_its_commission_and_points_too(books: Books) -> None:
    identity = member.Identity(kind="card", value="8", is_verified=True)
    joined = await books.call(member.register, member.Register(identities=(identity,)))
    placed = await books.bought(("tea", 4), ("jam", 2), member_id=joined.member_id, address=KIEL)
    order_id = placed.orders[0].order_id
    done = await changed(books, order_id, (0, 1), (1, 0))
    assert (done.difference, done.refunded, done.supplement) == (eur(-3800), eur(3800), None)
    assert done.order.lines[0].closed == 3
    points = await books.call(member.get_account, member.GetAccount(member_id=joined.member_id))
    assert points.points == 1_000 // 100 + 5  # of the tea and of the delivery
    await books.sent(order_id, "1")
    assert await books.stands("income:commission") == [-100]
    assert (await books.owed(), await available(books.shop), await available(books.shop, "jam")) == (
        {},
        UNITS - 1,
        UNITS,
    )


async def test_what_is_added_to_a_paid_order_costs_what_it_did_and_goes_with_it_once_it_is_paid(books: Books) -> None:
    placed = await books.bought(("tea", 1), address=KIEL)
    dearer = tuple(
        pricing.PriceEntry(sku=sku, currency="EUR", amount=5000, valid_from=LONG_AGO.replace(year=2021))
        for sku in ("tea", "jam")
    )
    await books.call(pricing.put_prices, pricing.PutPrices(prices=dearer))
    done = await changed(books, placed.orders[0].order_id, (0, 3), **more("jam"))
    assert done.supplement is not None
    assert done.difference == eur(2 * 1000 + 5000)
    (brief,) = done.supplement.orders
    await books.pay(done.payment_id)
    added = await books.call(order.get_order, order.GetOrder(order_id=brief.order_id))
    assert (added.state, added.supplements, added.delivery_fee) == ("paid", placed.orders[0].order_id, eur(0))
    assert (added.address, added.lines[0].tax) == (KIEL, eur(319))
    for one in (placed.orders[0].order_id, brief.order_id):
        await books.sent(one, "1")
    assert await books.owed() == {}


async def test_what_was_added_and_not_paid_runs_out_alone(books: Books) -> None:
    placed = await books.bought(("tea", 1))
    done = await changed(books, placed.orders[0].order_id, **more("jam", 5))
    assert done.pay_before is not None
    assert done.supplement is not None
    late = done.pay_before + timedelta(minutes=1)
    await books.call(checkout.expire_orders, checkout.ExpireOrders(), now=late)
    states = [
        (await books.call(order.get_order, order.GetOrder(order_id=one.order_id))).state
        for one in (*placed.orders, *done.supplement.orders)
    ]
    assert (states, await available(books.shop, "jam")) == (["paid", "expired"], UNITS)


async def test_an_order_that_is_partly_sent_is_cancelled_in_part(books: Books) -> None:
    placed = await books.bought(("tea", 5))
    order_id = placed.orders[0].order_id
    await books.sent(order_id, "1", (0, 2))
    with pytest.raises(order.IllegalTransition, match="with 3 left to send"):
        await changed(books, order_id, (0, 1))
    done = await changed(books, order_id, (0, 2))
    assert (done.order.state, done.refunded) == ("shipped", eur(3000))
    with pytest.raises(order.IllegalTransition, match="is shipped"):
        await books.call(
            after_sale.change_order, after_sale.ChangeOrder(order_id=order_id, reason="more", **more("jam"))
        )
    assert await books.owed() == {}


@pytest.mark.parametrize("ahead", [-20, -5, 0, 5, 10, 20])
async def test_an_order_is_changed_while_its_parcel_leaves(books: Books, ahead: int) -> None:
    placed = await books.bought(("tea", 3), ("jam", 3), address=KIEL)
    order_id = placed.orders[0].order_id
    asked = fulfilment.ListShipments(reference=str(order_id))
    shipment = (await books.call(fulfilment.list_shipments, asked)).items[0]

    async def leave() -> None:
        await asyncio.sleep(max(0, ahead) / 1000)
        await books.sent(order_id, "1", (0, 3), (1, 1))
        ship = fulfilment.Ship(shipment_id=shipment.shipment_id, carrier="dhl")
        await books.call(fulfilment.ship, ship)

    async def change() -> int:
        await asyncio.sleep(max(0, -ahead) / 1000)
        wanted = tuple(after_sale.SetQuantity(line=line, quantity=count) for line, count in ((0, 1), (1, 0)))
        ask = after_sale.ChangeOrder(order_id=order_id, reason="late", lines=wanted)
        return (await books.call(after_sale.change_order, ask)).refunded.minor

    left, went_back = await asyncio.gather(leave(), change(), return_exceptions=True)
    found = await books.call(order.get_order, order.GetOrder(order_id=order_id))
    if isinstance(went_back, int):  # the change was first
        assert isinstance(left, errors.Refusal)
        assert (went_back, [line.closed for line in found.lines]) == (3200, [2, 3])
    else:
        assert isinstance(went_back, errors.Refusal)
        assert (left, [line.shipped for line in found.lines], found.refunded) == (None, [3, 1], eur(0))
    await books.check()


async def test_a_deposit_is_not_undercut_and_the_balance_is_what_is_left(shop: Shop) -> None:
    books = books_of(shop, a_fifth)
    placed = await books.bought(("tea", 5))  # of 50.00, 10.00 are paid
    order_id = placed.orders[0].order_id
    with pytest.raises(after_sale.AlreadyPaid, match=r"a deposit of 10.00 EUR is paid, .* come to 10.00 EUR"):
        await changed(books, order_id, (0, 1))
    done = await changed(books, order_id, (0, 2), **more("jam"))
    assert (done.payment_id, done.order.total) == (placed.balance_payment_id, eur(2400))
    await books.pay(placed.balance_payment_id)
    await books.sent(order_id, "1")
    assert await books.owed() == {}
    await books.check()


async def test_nothing_is_changed_while_a_provider_owes_an_answer(books: Books) -> None:
    placed = await books.bought(("tea", 2), is_paid=False)
    pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="timeout")
    with pytest.raises(payment.OutcomeUnknown):
        await books.call(checkout.pay_order, pay)
    with pytest.raises(payment.StepUnderWay):
        await changed(books, placed.orders[0].order_id, (0, 1))
    assert await total(books, placed.orders[0].order_id) == 2000


@answers(order.guard_cancellation)
def is_being_cut(order: order.Order) -> Verdict:
    """Cut goods as soon as they are paid."""
    return veto("it is being cut") if order.state == "paid" else ALLOW


@answers(order.validate_order)
def at_least_ten_euros(draft: order.Draft) -> Verdict:
    """Sell no less than for 10.00, and no more than 6 of one."""
    if draft.total.minor < 1000:
        return veto("less than 10.00")
    return veto("more than 6") if sum(line.quantity for line in draft.lines) > 6 else ALLOW


async def test_an_order_is_changed_by_the_rules_that_it_was_sold_under(shop: Shop) -> None:
    books = books_of(shop, is_being_cut, at_least_ten_euros)
    placed = await books.bought(("jam", 4))
    order_id = placed.orders[0].order_id
    with pytest.raises(order.CancelRefused, match="it is being cut"):
        await changed(books, order_id, (0, 3))
    with pytest.raises(order.OrderRefused, match="more than 6"):
        await changed(books, order_id, (0, 7))
    done = await changed(books, order_id, (0, 5))  # 4.00 alone would be too little: it is the order that counts
    assert done.difference == eur(400)
    unpaid = await books.bought(("jam", 4), is_paid=False)
    with pytest.raises(order.OrderRefused, match="less than 10.00"):
        await changed(books, unpaid.orders[0].order_id, (0, 2))


async def test_a_change_says_what_is_wrong_with_it(books: Books) -> None:
    placed = await books.bought(("tea", 2))
    order_id = placed.orders[0].order_id
    with pytest.raises(after_sale.NothingToChange):
        await changed(books, order_id, (0, 2))
    with pytest.raises(order.UnknownOrder, match="with one line 7"):
        await changed(books, order_id, (7, 2))
    with pytest.raises(order.IllegalTransition, match="cancel it instead"):
        await changed(books, order_id, (0, 0))
    with pytest.raises(inventory.StockShort):
        await changed(books, order_id, (0, UNITS + 1))
    ask = after_sale.ChangeOrder(order_id=order_id, reason="less", expected_difference=eur(-1))
    one_less = ask.replace(lines=(after_sale.SetQuantity(line=0, quantity=1),))
    with pytest.raises(after_sale.DifferenceChanged, match=r"comes to -10.00 EUR, and -0.01 EUR was shown"):
        await books.call(after_sale.change_order, one_less)
    assert await available(books.shop) == UNITS - 2


async def test_an_address_is_corrected_until_the_goods_have_left(books: Books) -> None:
    placed = await books.bought(("tea", 2), address=HOME, delivery_method="post")
    order_id = placed.orders[0].order_id
    ask = order.CorrectAddress(order_id=order_id, address=KIEL, reason="a street was missing")
    corrected = await books.call(after_sale.correct_address, ask)
    planned = await books.call(fulfilment.list_shipments, fulfilment.ListShipments(reference=str(order_id)))
    assert (corrected.address, [one.address for one in planned.items]) == (KIEL, [KIEL])
    assert corrected.history[-1].note == "address corrected: a street was missing"
    abroad = ask.replace(address=Address(country="FR", city="Lille"))
    with pytest.raises(order.OtherJurisdiction, match="sold to DE, and FR"):
        await books.call(after_sale.correct_address, abroad)
    ship = fulfilment.Ship(shipment_id=planned.items[0].shipment_id, carrier="dhl")
    await books.call(fulfilment.ship, ship)
    with pytest.raises(fulfilment.LeftAlready):
        await books.call(after_sale.correct_address, ask.replace(address=HOME))
    await books.sent(order_id, "1")
    with pytest.raises(order.IllegalTransition, match="is shipped"):
        await books.call(after_sale.correct_address, ask.replace(address=HOME))


steps = st.one_of(
    st.tuples(st.just("set"), st.tuples(st.integers(0, 4), st.integers(0, 5))),
    st.tuples(st.just("add"), st.tuples(st.sampled_from(["tea", "jam"]), st.integers(1, 3))),
    st.tuples(st.just("send"), st.tuples(st.integers(0, 2), st.integers(1, 3))),
    st.tuples(st.just("pay"), st.none()),
    st.tuples(st.just("return"), st.tuples(st.integers(0, 2), st.integers(1, 2))),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.tuples(st.integers(2, 4), st.integers(2, 4)),
    st.lists(steps, min_size=3, max_size=9),
    st.booleans(),
    st.booleans(),
)
async def test_however_an_order_is_changed_nothing_stays_owed_when_it_is_over(
    books: Books, counts: tuple[int, int], done: list[tuple[str, Any]], is_paid: bool, is_cancelled: bool
) -> None:
    await stocked_again(books)
    before = await available(books.shop), await available(books.shop, "jam")
    with suppress(errors.Refusal):
        await ten_percent_off(books, "TEN")
    placed = await books.bought(("tea", counts[0]), ("jam", counts[1]), is_paid=is_paid, address=HOME)
    known = [(placed.orders[0].order_id, placed.payment_id)]
    for number, (name, detail) in enumerate(done):
        try:
            await _step(books, known, f"{number}", name, detail)
        except (errors.Refusal, errors.Fault):
            assert await books.shop.broken() == []
    if is_cancelled:
        with suppress(errors.Refusal):
            ask = checkout.CancelOrder(order_id=known[0][0], reason="no more")
            await books.call(checkout.cancel_order, ask)
    sent = {"tea": 0, "jam": 0}
    for order_id, payment_id in known:
        with suppress(errors.Refusal):
            await books.pay(payment_id)
        with suppress(errors.Refusal):
            await books.sent(order_id, "rest")
        found = await books.call(order.get_order, order.GetOrder(order_id=order_id))
        assert found.state in ("shipped", "cancelled")
        for line in found.lines:
            sent[line.sku] += line.shipped - line.returned
    assert await books.owed() == {}
    after = await available(books.shop), await available(books.shop, "jam")
    assert after == (before[0] - sent["tea"], before[1] - sent["jam"])


async def _step(books: Books, known: list[tuple[UUID, UUID]], number: str, name: str, detail: Any) -> None:
    order_id, payment_id = known[-1]
    if name in ("set", "add"):
        facts = more(*detail) if name == "add" else {}
        lines = [detail] if name == "set" else []
        done = await changed(books, known[0][0], *lines, **facts)
        if done.supplement is not None:
            known.append((done.supplement.orders[0].order_id, done.payment_id))
    elif name == "send":
        await books.sent(order_id, number, detail)
    elif name == "pay":
        await books.pay(payment_id)
    else:
        await books.returned(order_id, detail)


def test_what_a_change_is_made_of_is_not_asked_for_by_itself() -> None:
    parts = (after_sale.change_goods, order.amend_order, order.correct_address, fulfilment.redirect)
    assert all(one.is_internal for one in parts)
