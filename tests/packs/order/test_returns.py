"""Returns: what comes back, and what it is worth, to the cent."""

from __future__ import annotations

import asyncio
import random

import pytest

from isthmus.kernel import ALLOW, answers, errors, veto
from isthmus.packs.order import api

from .conftest import SOUTH, Shop, broken_conditions, eur, line

State = api.ReturnState


async def test_goods_go_back_step_by_step_and_the_history_says_so(shop: Shop):
    order = await shop.sold(line("mug", 2, 1000))
    asked = await shop.ask_back(order.order_id, (0, 1), reason="broken")
    assert (asked.state, asked.refund, asked.lines[0].reason) == (State.REQUESTED, eur(500), "broken")
    assert (await shop.decide(asked.return_id)).state is State.APPROVED
    received = await shop.call(api.receive_return, api.ReceiveReturn(return_id=asked.return_id))
    assert received.state is State.RECEIVED
    assert (await shop.order(order.order_id)).lines[0].returned == 1
    settled = await shop.call(api.settle_return, api.SettleReturn(return_id=asked.return_id))
    assert settled.state is State.REFUNDED
    after = await shop.order(order.order_id)
    assert (after.refunded, after.lines[0].refunded) == (eur(500), eur(500))
    notes = [entry.note for entry in after.history if entry.note]
    assert notes == [f"return {state} of 5.00 EUR" for state in ("requested", "approved", "received", "refunded")]
    assert all(entry.by == "north-site" for entry in after.history)


async def test_open_returns_of_one_line_are_never_worth_more_than_was_paid(shop: Shop, database_url: str):
    """Two thirds of a cent each, rounded up three times, would be a cent too much."""
    order = await shop.sold(line("pen", 3, 200))
    asked = [await shop.ask_back(order.order_id, (0, 1)) for _ in range(3)]
    assert [one.refund.minor for one in asked] == [67, 66, 67]
    for one in asked:
        await shop.give_back(one.return_id)
    assert (await shop.order(order.order_id)).refunded == eur(200)
    assert await broken_conditions(database_url) == {}


async def test_tax_and_discount_come_back_with_their_goods(shop: Shop):
    order = await shop.sold(line("lamp", 3, 1001, discount=100, tax=160))
    parts = [await shop.ask_back(order.order_id, (0, 1)) for _ in range(3)]
    assert sum(one.refund.minor for one in parts) == 1001
    assert sum(one.tax.minor for one in parts) == 160
    assert sum(one.shares[0].discount.minor for one in parts) == 100
    assert await shop.call(api.get_return, api.GetReturn(return_id=parts[1].return_id)) == parts[1]


async def test_a_rejected_return_leaves_its_goods_returnable(shop: Shop):
    order = await shop.sold(line("pen", 3, 200))
    first, second = [await shop.ask_back(order.order_id, (0, 1)) for _ in range(2)]
    assert (await shop.decide(first.return_id, is_approved=False)).state is State.REJECTED
    rest = await shop.ask_back(order.order_id, (0, 2))
    listed = await shop.call(api.list_returns, api.ListReturns(order_id=order.order_id))
    assert [one.return_id for one in listed.items] == [first.return_id, second.return_id, rest.return_id]
    assert listed.items[2] == rest
    assert second.refund + rest.refund == eur(200)


async def test_no_more_comes_back_than_was_sent(shop: Shop):
    placed = await shop.place(line("cup", 3, 300), line("plate", 1, 100))
    order_id = placed.orders[0].order_id
    with pytest.raises(api.NotReturnable, match="0 of 'cup'") as none:
        await shop.ask_back(order_id, (0, 1))
    assert none.value.path == "$.lines[0].quantity"
    shipped = api.MarkShipped(order_id=order_id, lines=(api.ShippedLine(line=0, quantity=2),))
    await shop.call(api.mark_shipped, shipped)
    await shop.ask_back(order_id, (0, 1))
    with pytest.raises(api.NotReturnable, match="1 of 'cup' can come back"):
        await shop.ask_back(order_id, (0, 2))
    with pytest.raises(api.NotReturnable, match="named once") as twice:
        await shop.ask_back(order_id, (0, 1), (0, 1))
    assert twice.value.path == "$.lines[1].quantity"
    with pytest.raises(api.NotReturnable, match="line 7 cannot be returned") as unknown:
        await shop.ask_back(order_id, (7, 1))
    assert unknown.value.path == "$.lines[0].line"


async def test_what_is_sold_for_good_stays(shop: Shop):
    order = await shop.sold(line("underwear", 1, 900, is_returnable=False))
    with pytest.raises(api.NotReturnable, match="line 0 cannot be returned"):
        await shop.ask_back(order.order_id, (0, 1))


async def test_steps_are_safe_to_repeat_and_none_is_left_out(shop: Shop):
    order = await shop.sold(line("mug", 1, 1000))
    asked = await shop.ask_back(order.order_id, (0, 1))
    with pytest.raises(api.IllegalTransition, match="is requested and cannot become received") as early:
        await shop.call(api.receive_return, api.ReceiveReturn(return_id=asked.return_id))
    assert early.value.path == "$.return_id"
    for _ in range(2):
        await shop.decide(asked.return_id)
    for _ in range(2):
        await shop.call(api.receive_return, api.ReceiveReturn(return_id=asked.return_id))
    for _ in range(2):
        await shop.call(api.settle_return, api.SettleReturn(return_id=asked.return_id))
    after = await shop.order(order.order_id)
    assert (after.lines[0].returned, after.refunded) == (1, eur(1000))
    with pytest.raises(api.IllegalTransition, match="is refunded and cannot become rejected"):
        await shop.decide(asked.return_id, is_approved=False)


async def test_a_front_end_says_what_opened_goods_are_worth_and_what_may_come_back(make_shop):
    @answers(api.refund_share)
    def opened_is_worth_less(order: api.Order, line: api.OrderLine, reason: str) -> int:
        return 80 if reason == "opened" else 100

    @answers(api.guard_return)
    def not_after_noon(order: api.Order, lines: tuple[api.ReturnLine, ...], now: object):
        return veto("too late") if order.lines[0].sku == "late" else veto("closed") if len(lines) > 1 else ALLOW

    shop = await make_shop(opened_is_worth_less, not_after_noon)
    order = await shop.sold(line("mug", 3, 1000, tax=100))
    opened = await shop.ask_back(order.order_id, (0, 1), reason="opened")
    rest = await shop.ask_back(order.order_id, (0, 2))
    assert (opened.shares[0].worth, opened.refund, opened.tax) == (eur(333), eur(266), eur(26))
    assert (rest.refund, rest.tax) == (eur(667), eur(67))
    late = await shop.sold(line("late"))
    with pytest.raises(api.NotReturnable, match=r"too late \(north.not_after_noon\)"):
        await shop.ask_back(late.order_id, (0, 1))


async def test_half_of_each_piece_is_half_of_all_of_them(make_shop):
    @answers(api.refund_share)
    def half(order: api.Order, line: api.OrderLine, reason: str) -> int:
        return 50

    shop = await make_shop(half)
    order = await shop.sold(line("bead", 7, 7))
    refunds = [(await shop.ask_back(order.order_id, (0, 1))).refund.minor for _ in range(7)]
    assert sum(refunds) == 4  # 3.5 cents, rounded once


async def test_returns_asked_for_at_once_share_one_line(shop: Shop, database_url: str):
    order = await shop.sold(line("pen", 5, 333))
    tries = [shop.ask_back(order.order_id, (0, 2)) for _ in range(6)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    granted = [one for one in done if isinstance(one, api.Return)]
    assert len(granted) == 2
    assert all(isinstance(one, api.NotReturnable) for one in done if one not in granted)
    await asyncio.gather(*(shop.give_back(one.return_id) for one in granted))
    last = await shop.ask_back(order.order_id, (0, 1))
    await shop.give_back(last.return_id)
    assert (await shop.order(order.order_id)).refunded == eur(333)
    assert await broken_conditions(database_url) == {}


async def test_an_order_that_completes_meanwhile_stays_complete(shop: Shop, database_url: str):
    """A return writes the order's history; it must not write an older state back."""
    for _ in range(8):
        placed = await shop.place(line("mug", 1, 500))
        order_id = placed.orders[0].order_id
        await shop.call(api.mark_shipped, api.MarkShipped(order_id=order_id))
        asked = await shop.ask_back(order_id, (0, 1))
        await asyncio.gather(
            shop.call(api.complete_order, api.Complete(order_id=order_id)), shop.decide(asked.return_id)
        )
        assert (await shop.order(order_id)).state is api.OrderState.COMPLETED
    assert await broken_conditions(database_url) == {}


async def test_any_mix_of_returns_gives_back_what_was_paid_and_no_more(shop: Shop, database_url: str):
    randomness = random.Random(7)
    for _ in range(12):
        quantity, paid = randomness.randint(1, 9), randomness.randint(0, 500)
        tax = randomness.randint(0, paid)
        order = await shop.sold(line("mixed", quantity, paid, tax=tax, discount=randomness.randint(0, 50)))
        left, standing = quantity, 0
        while left:
            some = randomness.randint(1, left)
            asked = await shop.ask_back(order.order_id, (0, some))
            if randomness.random() < 0.3:
                await shop.decide(asked.return_id, is_approved=False)
                continue
            await shop.give_back(asked.return_id)
            left, standing = left - some, standing + asked.refund.minor
        assert standing == paid
        assert (await shop.order(order.order_id)).refunded == eur(paid)
    assert await broken_conditions(database_url) == {}


async def test_the_database_refuses_to_refund_more_than_was_paid(shop: Shop):
    order = await shop.sold(line("mug", 1, 1000))
    writing = await shop.platform.store.write("north", None)
    try:
        with pytest.raises(errors.IsthmusError, match="lines_check3"):
            await writing.execute(
                'update "order".lines set refunded_minor = 1001 where front_end = $1 and order_id = $2',
                "north",
                order.order_id,
            )
    finally:
        await writing.close()


async def test_a_return_is_known_to_its_own_front_end_only(shop: Shop):
    order = await shop.sold(line("mug"))
    asked = await shop.ask_back(order.order_id, (0, 1))
    south = Shop(shop.platform, SOUTH)
    for capability, ask in (
        (api.get_return, api.GetReturn(return_id=asked.return_id)),
        (api.receive_return, api.ReceiveReturn(return_id=asked.return_id)),
        (api.decide_return, api.DecideReturn(return_id=asked.return_id, is_approved=True)),
    ):
        with pytest.raises(api.UnknownReturn, match="there is no return"):
            await south.call(capability, ask)
    with pytest.raises(api.UnknownOrder):
        await south.ask_back(order.order_id, (0, 1))


async def test_what_went_back_is_listed_by_what_it_was_for_and_hidden_from_others(shop: Shop):
    order = await shop.sold(line("mug", 2, 1000))
    by_hand = api.BookRefund(group_id=order.group_id, cause="a scratch", amount=eur(150))
    await shop.call(api.book_refund, by_hand)
    asked = await shop.ask_back(order.order_id, (0, 1))
    await shop.give_back(asked.return_id)
    went = await shop.call(api.list_refunds, api.ListRefunds(order_id=order.order_id))
    settled = (await shop.order(order.order_id)).refunded
    assert [one.cause for one in went.items] == ["a scratch", str(asked.return_id)]
    assert went.items[0].amount == eur(150)
    assert sum(one.amount.minor for one in went.items) == settled.minor
    with pytest.raises(api.UnknownOrder):
        await Shop(shop.platform, SOUTH).call(api.list_refunds, api.ListRefunds(order_id=order.order_id))
