"""Money that goes back: by hand, with goods, for what never came. Each story ends at the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.flows.checkout.service import pay
from isthmus.kernel import Context, answers, errors
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import Address, Money, money

from .conftest import UNITS, Shop
from .test_checkout import available
from .test_second_thoughts import by_seller, cancel, over

HOME = Address(country="DE", city="Kiel")


def eur(minor: int) -> Money:
    return money(minor, "EUR")


@answers(member.points_earned)
def a_point_for_each_euro(amount: Money) -> int:
    """Give a point for each euro."""
    return amount.minor // 100


@answers(order.commission)
def a_tenth(lines: Sequence[order.DraftLine]) -> Sequence[Money]:
    """Keep a tenth of each line."""
    return [eur(line.total.minor // 10) for line in lines]


async def bought(shop: Shop, *lines: tuple[str, int], **facts: object) -> checkout.PlacedOrder:
    """Place and pay an order."""
    wanted = tuple(checkout.BuyLine(sku=sku, quantity=quantity) for sku, quantity in lines)
    ask = checkout.PlaceOrder(currency="EUR", lines=wanted, **facts)  # pyright: ignore[reportArgumentType]
    placed = await shop.platform.call(checkout.place_order, ask, shop.north)
    pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="ok")
    await shop.platform.call(checkout.pay_order, pay, shop.north)
    return placed


async def sent(shop: Shop, order_id: UUID, *lines: tuple[int, int]) -> order.Order:
    wanted = tuple(order.ShippedLine(line=line, quantity=quantity) for line, quantity in lines)
    ask = after_sale.ShipOrder(order_id=order_id, lines=wanted)
    return await shop.platform.call(after_sale.ship_order, ask, shop.north)


async def by_hand(shop: Shop, payment_id: UUID, minor: int, reference: str = "goodwill") -> payment.Payment:
    ask = payment.Refund(payment_id=payment_id, amount=eur(minor), reference=reference)
    return await shop.platform.call(payment.refund, ask, shop.north)


async def returned(shop: Shop, order_id: UUID, *lines: tuple[int, int]) -> order.Return:
    """Ask for a return, approve it, take it back and refund it."""
    call, north = shop.platform.call, shop.north
    wanted = tuple(order.ReturnLine(line=line, quantity=quantity) for line, quantity in lines)
    back = await call(order.request_return, order.RequestReturn(order_id=order_id, lines=wanted), north)
    await call(order.decide_return, order.DecideReturn(return_id=back.return_id, is_approved=True), north)
    return await call(after_sale.refund_return, after_sale.RefundReturn(return_id=back.return_id), north)


async def found(shop: Shop, order_id: UUID) -> order.Order:
    return await shop.platform.call(order.get_order, order.GetOrder(order_id=order_id), shop.north)


async def paid(shop: Shop, payment_id: UUID) -> payment.Payment:
    return await shop.platform.call(payment.get_payment, payment.GetPayment(payment_id=payment_id), shop.north)


async def close(shop: Shop, order_id: UUID, *lines: tuple[int, int]) -> order.Return:
    wanted = tuple(order.CloseLine(line=line, quantity=quantity) for line, quantity in lines)
    ask = after_sale.CloseLines(order_id=order_id, reason="out of print", lines=wanted)
    return await shop.platform.call(after_sale.close_lines, ask, shop.north)


async def test_a_refund_by_hand_and_a_return_share_what_was_paid(shop: Shop) -> None:
    placed = await bought(shop, ("tea", 2), ("jam", 1))  # 24.00
    order_id = placed.orders[0].order_id
    await sent(shop, order_id)
    await by_hand(shop, placed.payment_id, 1000)
    assert (await found(shop, order_id)).refunded == eur(1000)  # `after-sale.book-refund` calls `order.book-refund`
    back = await returned(shop, order_id, (0, 2), (1, 1))
    assert (back.state, back.refund) == (order.ReturnState.REFUNDED, eur(1400))
    assert sum(one.refund.minor for one in back.shares) == 1400
    again = await shop.platform.call(
        after_sale.refund_return, after_sale.RefundReturn(return_id=back.return_id), shop.north
    )
    assert again == back
    assert (await found(shop, order_id)).refunded == (await paid(shop, placed.payment_id)).refunded == eur(2400)


async def test_returns_come_first_to_last_until_nothing_is_left(shop: Shop) -> None:
    placed = await bought(shop, ("tea", 2))
    order_id = placed.orders[0].order_id
    await sent(shop, order_id)
    await by_hand(shop, placed.payment_id, 700, "scratched")
    assert [(await returned(shop, order_id, (0, 1))).refund.minor for _ in range(2)] == [1000, 300]
    with pytest.raises((payment.AmountExceeded, payment.IllegalStep)):
        await by_hand(shop, placed.payment_id, 1, "once more")


async def test_a_refund_by_hand_of_the_delivery_fee_leaves_all_that_the_goods_cost(shop: Shop) -> None:
    placed = await bought(shop, ("tea", 2), address=HOME)  # 20.00 and 5.00
    order_id = placed.orders[0].order_id
    await sent(shop, order_id)
    await by_hand(shop, placed.payment_id, 500, "late")
    assert (await returned(shop, order_id, (0, 2))).refund == eur(2000)
    assert (await found(shop, order_id)).refunded == eur(2500)


async def test_an_order_of_which_something_was_given_back_by_hand_is_cancelled_for_the_rest(shop: Shop) -> None:
    placed = await bought(shop, ("tea", 2))
    await by_hand(shop, placed.payment_id, 700)
    assert (await cancel(shop, placed.orders[0].order_id)).refunded == eur(1300)
    assert (await paid(shop, placed.payment_id)).refunded == eur(2000)


async def test_a_refund_by_hand_of_a_group_counts_for_its_orders_in_proportion(shop: Shop) -> None:
    shop = over(shop, shop.provider, by_seller)
    placed = await bought(shop, ("tea", 3), ("jam", 5))  # 30.00 and 20.00
    await by_hand(shop, placed.payment_id, 1000)
    both = [await found(shop, one.order_id) for one in placed.orders]
    assert sorted((one.part, one.refunded.minor) for one in both) == [("jam-maker", 400), ("tea-maker", 600)]
    tea = next(one for one in both if one.part == "tea-maker")
    await sent(shop, tea.order_id)
    assert (await returned(shop, tea.order_id, (0, 3))).refund == eur(2400)


async def test_what_will_never_come_is_closed_and_the_rest_of_the_order_is_completed(shop: Shop) -> None:
    """`after-sale.close-goods` frees stock and shipment in one transaction; then the money goes back."""
    shop = over(shop, shop.provider, a_point_for_each_euro, a_tenth)
    identity = member.Identity(kind="email", value="ada@example.org", is_verified=True)
    joined = await shop.platform.call(member.register, member.Register(identities=(identity,)), shop.north)
    placed = await bought(shop, ("tea", 5), address=HOME, member_id=joined.member_id)
    order_id = placed.orders[0].order_id
    await sent(shop, order_id, (0, 3))
    closed = await close(shop, order_id)
    assert (closed.kind, closed.state, closed.refund) == ("closing", order.ReturnState.REFUNDED, eur(2000))
    after = await found(shop, order_id)
    assert (after.state, after.lines[0].shipped, after.lines[0].closed) == (order.OrderState.SHIPPED, 3, 2)
    assert after.refunded == eur(2000)
    assert await available(shop) == UNITS - 3
    planned = await shop.platform.call(
        fulfilment.list_shipments, fulfilment.ListShipments(reference=str(order_id)), shop.north
    )
    assert [line.cancelled for one in planned.items for line in one.lines] == [2]
    member_now = await shop.platform.call(member.get_member, member.GetMember(member_id=joined.member_id), shop.north)
    assert member_now.points == 35  # 55 for 55.00, less 20
    await shop.platform.call(order.complete_order, order.Complete(order_id=order_id), shop.north)
    assert (await returned(shop, order_id, (0, 3))).refund == eur(3000)
    with pytest.raises(order.NotReturnable):
        await returned(shop, order_id, (0, 1))
    async with shop.database.platform() as session:
        kept = await session.fetch_row('select commission_minor, commission_returned_minor from "order".lines')
    assert tuple(kept) == (500, 500)  # all goods came back, or never came


async def test_a_part_is_closed_before_anything_is_sent_and_the_rest_is_sent_or_cancelled(shop: Shop) -> None:
    first, second = [await bought(shop, ("tea", 4), ("jam", 1)) for _ in range(2)]
    for placed in (first, second):
        await close(shop, placed.orders[0].order_id, (0, 1))
        assert (await found(shop, placed.orders[0].order_id)).state is order.OrderState.PAID
    sending = await sent(shop, first.orders[0].order_id)
    assert (sending.state, [line.shipped for line in sending.lines]) == (order.OrderState.SHIPPED, [3, 1])
    assert (await cancel(shop, second.orders[0].order_id)).refunded == eur(3400)
    assert await available(shop) == UNITS - 3


@pytest.mark.parametrize("lines", [((0, 3),), ((1, 1),), ()])
async def test_more_than_is_left_and_an_order_of_which_nothing_was_sent_are_not_closed(
    shop: Shop, lines: tuple[tuple[int, int], ...]
) -> None:
    placed = await bought(shop, ("tea", 2))
    with pytest.raises(order.IllegalTransition):
        await close(shop, placed.orders[0].order_id, *lines)
    assert (await found(shop, placed.orders[0].order_id)).refunded == eur(0)


@pytest.mark.parametrize("lines", [(("tea", 3), ("jam", 5)), (("jam", 5), ("tea", 3))])
async def test_the_delivery_fee_of_a_group_is_divided_whatever_the_order_of_its_lines(
    shop: Shop, lines: tuple[tuple[str, int], ...]
) -> None:
    shop = over(shop, shop.provider, by_seller)
    placed = await bought(shop, *lines, address=HOME)  # 30.00, 20.00 and 5.00 to bring them
    both = {one.part: one for one in [await found(shop, brief.order_id) for brief in placed.orders]}
    assert {part: one.delivery_fee.minor for part, one in both.items()} == {"tea-maker": 300, "jam-maker": 200}
    assert (await cancel(shop, both["jam-maker"].order_id)).refunded == eur(2200)
    assert (await paid(shop, placed.payment_id)).captured - eur(2200) == both["tea-maker"].total


@answers(order.delivery_weights)
def all_on_tea(parts: tuple[order.GroupPart, ...], fee: Money) -> tuple[int, ...]:
    """Have tea bear the delivery fee."""
    return tuple(int(part.key == "tea-maker") for part in parts)


@answers(order.delivery_weights)
def too_few(parts: tuple[order.GroupPart, ...], fee: Money) -> tuple[int, ...]:
    """Answer with one weight too few."""
    return (1,) * (len(parts) - 1)


async def test_a_front_end_says_how_the_delivery_fee_is_divided(shop: Shop) -> None:
    own = over(shop, shop.provider, by_seller, all_on_tea)
    placed = await bought(own, ("jam", 1), ("tea", 1), address=HOME)
    assert {one.part: one.total.minor for one in placed.orders} == {"tea-maker": 1500, "jam-maker": 400}
    wrong = over(shop, shop.provider, by_seller, too_few)
    with pytest.raises(errors.AnswerFailed):
        await bought(wrong, ("jam", 1), ("tea", 1), address=HOME)


async def test_a_refund_by_hand_between_two_steps_of_a_cancellation_leaves_the_rest_to_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = await bought(shop, ("tea", 2))
    looked = pay._payments

    async def looked_and_superseded(group_id: UUID, ctx: Context) -> tuple[payment.Payment, ...]:
        found = await looked(group_id, ctx)
        monkeypatch.setattr(pay, "_payments", looked)
        await by_hand(shop, placed.payment_id, 700)
        return found

    monkeypatch.setattr(pay, "_payments", looked_and_superseded)
    cancelled = await cancel(shop, placed.orders[0].order_id)
    assert cancelled.refunded == eur(1300)
    assert (await paid(shop, placed.payment_id)).refunded == eur(2000)
