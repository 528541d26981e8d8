"""Orders: placed once, moved forward only, each step with who did it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from isthmus.kernel import ALLOW, PASS, Pass, Verdict, answers, errors, veto
from isthmus.packs.order import api
from isthmus.values import Address, Money

from .conftest import SOUTH, Shop, broken_conditions, draft, eur, line

State = api.OrderState
MakeShop = Callable[..., Awaitable[Shop]]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@answers(api.split_key)
def by_seller(lines: Sequence[api.DraftLine]) -> Sequence[str]:
    return [one.seller for one in lines]


def shared(promotion: str, amount: int, *shares: tuple[int, int]) -> api.DraftDiscount:
    parts = tuple(api.DiscountShare(line=at, amount=eur(minor)) for at, minor in shares)
    return api.DraftDiscount(promotion=promotion, amount=eur(amount), shares=parts)


async def unpaid(shop: Shop, *lines: api.DraftLine, pay_before: datetime | None = None) -> api.PlacedGroup:
    return await shop.place(*lines, pay_before=pay_before or datetime.now(UTC) + timedelta(hours=1))


async def states(shop: Shop, group_id: uuid.UUID) -> list[State]:
    return [one.state for one in (await shop.call(api.get_group, api.GetGroup(group_id=group_id))).orders]


async def test_an_order_is_kept_as_it_was_sold(shop: Shop):
    facts = {
        "member_id": uuid.uuid4(),
        "contact_email": "ann@example.org",
        "address": Address(country="AT", city="Graz"),
        "delivery_method": "courier",
        "coupons": ("TEN",),
        "plan": "abc",
        "channel": "app",
    }
    sold = (line("mug", 2, 1900, discount=100, tax=300), line("pen", 1, 150))
    placed = await shop.place(*sold, fee=490, **facts)
    order = await shop.order(placed.orders[0].order_id)
    for name, value in facts.items():
        assert getattr(order, name) == value
    assert (order.total, order.delivery_fee, order.box.partition("?")[0]) == (eur(2540), eur(490), "north")
    for kept, was in zip(order.lines, sold, strict=True):
        assert {name: getattr(kept, name) for name in was.__struct_fields__} == {
            name: getattr(was, name) for name in was.__struct_fields__
        }
    assert [(entry.what, entry.by) for entry in order.history] == [("paid", "north-site")]


async def test_a_group_is_split_and_its_total_is_the_sum_of_its_orders(make_shop, database_url: str):
    shop = await make_shop(by_seller)
    sold = (
        line("a", 1, 900, discount=60, seller="x"),
        line("b", 1, 500, seller="y"),
        line("c", 1, 300, discount=40, seller="x"),
    )
    placed = await shop.place(*sold, fee=250, discounts=(shared("ten", 100, (0, 60), (2, 40)),))
    assert [(one.part, one.lines, one.total) for one in placed.orders] == [("x", 2, eur(1376)), ("y", 1, eur(574))]
    assert placed.total == eur(1950)
    assert await shop.call(api.get_group, api.GetGroup(group_id=placed.group_id)) == placed
    checked = await shop.call(api.check_draft, api.CheckDraft(**_of_draft(draft(*sold, fee=250))))
    assert checked.parts == ("x", "y")
    assert await broken_conditions(database_url) == {}


def _of_draft(ask: api.PlaceOrder) -> dict[str, object]:
    return {name: getattr(ask, name) for name in api.CheckDraft.__struct_fields__}


async def test_a_group_is_placed_once(shop: Shop):
    ask = draft(line("mug"))
    first = await shop.call(api.place_order, ask)
    assert await shop.call(api.place_order, ask) == first
    page = await shop.call(api.list_orders, api.ListOrders())
    assert len(page.items) == 1


async def test_amounts_that_do_not_add_up_are_refused(shop: Shop):
    with pytest.raises(api.OrderRefused, match="add up to 1000, not 999") as wrong:
        await shop.place(line("mug"), total=eur(999))
    assert wrong.value.path == "$.total"
    with pytest.raises(api.OrderRefused, match="its shares add up to 90"):
        await shop.place(line("mug", discount=100), discounts=(shared("ten", 100, (0, 90)),))


async def test_a_front_end_refuses_an_order_and_every_reason_is_told(make_shop):
    @answers(api.validate_order)
    def not_so_little(draft: api.Draft) -> Verdict:
        return ALLOW if draft.total.minor >= 500 else veto("below 5.00", path="$.total")

    @answers(api.validate_order)
    def no_pens(draft: api.Draft) -> Verdict:
        return veto("no pens today") if any(one.sku == "pen" for one in draft.lines) else ALLOW

    shop = await make_shop(not_so_little, no_pens)
    with pytest.raises(api.OrderRefused) as refused:
        await shop.place(line("pen", 1, 100))
    assert "below 5.00 (north.not_so_little)" in str(refused.value)
    assert "no pens today (north.no_pens)" in str(refused.value)
    checked = await shop.call(api.check_draft, api.CheckDraft(**_of_draft(draft(line("pen", 1, 100)))))
    assert len(checked.refusals) == 2
    assert (await Shop(shop.platform, SOUTH).place(line("pen", 1, 100))).total == eur(100)


async def test_paying_moves_a_whole_group_and_is_safe_to_repeat(make_shop):
    shop = await make_shop(by_seller)
    placed = await unpaid(shop, line("a", seller="x"), line("b", seller="y"))
    for _ in range(2):
        paid = await shop.call(api.mark_paid, api.MarkPaid(group_id=placed.group_id))
        assert [one.state for one in paid.orders] == [State.PAID, State.PAID]
    order = await shop.order(placed.orders[0].order_id)
    assert [entry.what for entry in order.history] == ["placed", "paid"]


async def test_paying_again_after_one_order_was_cancelled_is_no_error(make_shop):
    shop = await make_shop(by_seller)
    placed = await unpaid(shop, line("a", seller="x"), line("b", seller="y"))
    await shop.call(api.mark_paid, api.MarkPaid(group_id=placed.group_id))
    await shop.cancel(placed.orders[0].order_id)
    again = await shop.call(api.mark_paid, api.MarkPaid(group_id=placed.group_id))
    assert [one.state for one in again.orders] == [State.CANCELLED, State.PAID]


async def test_what_ran_out_or_was_cancelled_cannot_be_paid(shop: Shop):
    placed = await unpaid(shop, line("a"))
    await shop.cancel(placed.orders[0].order_id)
    with pytest.raises(api.IllegalTransition, match="is cancelled and cannot become paid") as refused:
        await shop.call(api.mark_paid, api.MarkPaid(group_id=placed.group_id))
    assert refused.value.path == "$.group_id"
    with pytest.raises(api.UnknownOrder, match="of group"):
        await shop.call(api.mark_paid, api.MarkPaid(group_id=uuid.uuid4()))


async def test_a_cancelled_order_says_what_is_kept_and_whether_it_was_the_last(make_shop):
    @answers(api.cancellation_fee)
    def a_tenth(order: api.Order) -> Money:
        return order.total.times(1).allocate([1, 9])[0]

    shop = await make_shop(by_seller, a_tenth)
    placed = await shop.place(line("a", 1, 1000, seller="x"), line("b", 1, 500, seller="y"))
    first = await shop.cancel(placed.orders[0].order_id)
    assert (first.fee, first.was_paid, first.is_last_of_group) == (eur(100), True, False)
    assert first.order.history[-1].note == "changed my mind"
    second = await shop.cancel(placed.orders[1].order_id)
    assert second.is_last_of_group
    again = await shop.cancel(placed.orders[1].order_id)  # its money may still be on its way
    assert (again.is_news, again.fee, again.was_paid, again.order) == (False, second.fee, True, second.order)
    free = await unpaid(shop, line("c"))
    assert (await shop.cancel(free.orders[0].order_id)).fee == eur(0)  # nothing was paid, so nothing is kept


async def test_of_two_cancelled_at_once_one_is_the_last_of_its_group(make_shop):
    shop = await make_shop(by_seller)
    for _ in range(8):
        placed = await shop.place(line("a", seller="x"), line("b", seller="y"))
        done = await asyncio.gather(*(shop.cancel(one.order_id) for one in placed.orders))
        assert sorted(one.is_last_of_group for one in done) == [False, True]


async def test_a_front_end_keeps_an_order_from_being_cancelled(make_shop):
    @answers(api.guard_cancellation)
    def engraved(order: api.Order) -> Verdict:
        return veto("it is engraved") if order.lines[0].sku == "ring" else ALLOW

    shop = await make_shop(engraved)
    placed = await shop.place(line("ring"))
    with pytest.raises(api.CancelRefused, match=r"it is engraved \(north.engraved\)"):
        await shop.cancel(placed.orders[0].order_id)
    assert (await shop.order(placed.orders[0].order_id)).state is State.PAID


async def test_goods_leave_parcel_by_parcel_each_counted_once(shop: Shop):
    placed = await shop.place(line("cup", 3), line("plate", 2))
    order_id = placed.orders[0].order_id

    def parcel(name: str, *lines: tuple[int, int]) -> api.MarkShipped:
        sent = tuple(api.ShippedLine(line=at, quantity=quantity) for at, quantity in lines)
        return api.MarkShipped(order_id=order_id, parcel=name, lines=sent)

    for _ in range(2):
        after = await shop.call(api.mark_shipped, parcel("1", (0, 1), (1, 1)))
        assert (after.state, [one.shipped for one in after.lines]) == (State.PART_SHIPPED, [1, 1])
    with pytest.raises(api.IllegalTransition, match="line 0 .* with 2 left to send"):
        await shop.call(api.mark_shipped, parcel("2", (0, 3)))
    with pytest.raises(api.IllegalTransition, match="line 0 .* with 2 left to send"):
        await shop.call(api.mark_shipped, parcel("2", (0, 2), (0, 1)))  # named twice: the sum counts
    with pytest.raises(api.IllegalTransition, match="cannot become cancelled"):
        await shop.cancel(order_id)
    rest = await shop.call(api.mark_shipped, parcel("2"))
    assert (rest.state, [one.shipped for one in rest.lines]) == (State.SHIPPED, [3, 2])
    for _ in range(2):
        assert (await shop.call(api.complete_order, api.Complete(order_id=order_id))).state is State.COMPLETED
    notes = [(entry.what, entry.note) for entry in (await shop.order(order_id)).history]
    assert notes == [
        ("paid", ""),
        ("part-shipped", "parcel 1"),
        ("shipped", "parcel 2"),
        ("completed", ""),
    ]


async def test_steps_out_of_order_are_refused(shop: Shop):
    placed = await unpaid(shop, line("cup"))
    order_id = placed.orders[0].order_id
    with pytest.raises(api.IllegalTransition, match="is placed and cannot become part-shipped"):
        await shop.call(api.mark_shipped, api.MarkShipped(order_id=order_id))
    with pytest.raises(api.IllegalTransition, match="is placed and cannot become completed"):
        await shop.call(api.complete_order, api.Complete(order_id=order_id))
    with pytest.raises(api.UnknownOrder):
        await shop.call(api.complete_order, api.Complete(order_id=uuid.uuid4()))


async def test_unpaid_groups_run_out_whole_and_paid_ones_do_not(make_shop, database_url: str):
    shop = await make_shop(by_seller)
    soon, late = NOON + timedelta(minutes=30), NOON + timedelta(hours=2)
    over = await unpaid(shop, line("a", seller="x"), line("b", seller="y"), pay_before=soon)
    open_still = await unpaid(shop, line("c"), pay_before=late)
    paid = await unpaid(shop, line("d"), pay_before=soon)
    await shop.call(api.mark_paid, api.MarkPaid(group_id=paid.group_id))
    expired = await shop.call(api.expire_due, api.ExpireDue(), NOON + timedelta(hours=1))
    assert expired.group_ids == (over.group_id,)
    assert await states(shop, over.group_id) == [State.EXPIRED, State.EXPIRED]
    assert await states(shop, open_still.group_id) == [State.PLACED]
    assert await states(shop, paid.group_id) == [State.PAID]
    assert (await shop.call(api.expire_due, api.ExpireDue(), NOON + timedelta(hours=1))).group_ids == ()
    with pytest.raises(api.IllegalTransition, match="is expired and cannot become paid"):
        await shop.call(api.mark_paid, api.MarkPaid(group_id=over.group_id))
    assert await broken_conditions(database_url) == {}


async def test_paying_and_running_out_at_once_give_one_outcome_for_each_group(make_shop, database_url: str):
    """Both lock a group from its first order on, so they never wait for each other in a circle."""
    shop = await make_shop(by_seller)
    sold = [line("a", seller="x"), line("b", seller="y"), line("c", seller="z")]
    groups = [(await unpaid(shop, *sold, pay_before=NOON)).group_id for _ in range(12)]
    later = NOON + timedelta(hours=1)
    paying = [shop.call(api.mark_paid, api.MarkPaid(group_id=one), later) for one in groups]
    expiring = [shop.call(api.expire_due, api.ExpireDue(limit=4), later) for _ in range(6)]
    done = await asyncio.gather(*paying, *expiring, return_exceptions=True)
    wrong = [one for one in done if isinstance(one, BaseException) and not isinstance(one, api.IllegalTransition)]
    assert wrong == []
    expired = [one for answer in done if isinstance(answer, api.ExpiredGroups) for one in answer.group_ids]
    assert len(expired) == len(set(expired))
    for group_id, answer in zip(groups, done, strict=False):
        expected = State.EXPIRED if isinstance(answer, api.IllegalTransition) else State.PAID
        assert set(await states(shop, group_id)) == {expected}
        assert (group_id in expired) == (expected is State.EXPIRED)
    assert await broken_conditions(database_url) == {}


async def test_a_front_end_holds_an_order_where_it_is(make_shop):
    held: set[State] = set()

    @answers(api.guard_transition)
    def looked_into(order: api.Order, wanted: State) -> Verdict:
        return veto("it is looked into") if wanted in held else ALLOW

    shop = await make_shop(looked_into)
    placed = await unpaid(shop, line("a"), pay_before=NOON)
    order_id = placed.orders[0].order_id
    steps = (
        (State.PAID, api.mark_paid, api.MarkPaid(group_id=placed.group_id), "$.group_id"),
        (State.SHIPPED, api.mark_shipped, api.MarkShipped(order_id=order_id), "$.order_id"),
        (State.COMPLETED, api.complete_order, api.Complete(order_id=order_id), "$.order_id"),
    )
    held.add(State.EXPIRED)
    later = NOON + timedelta(hours=1)
    assert (await shop.call(api.expire_due, api.ExpireDue(), later)).group_ids == ()
    assert (await shop.order(order_id)).pay_before == later + timedelta(minutes=15)
    for state, capability, ask, path in steps:
        held.add(state)
        with pytest.raises(api.TransitionRefused, match=r"it is looked into \(north.looked_into\)") as refused:
            await shop.call(capability, ask)
        assert refused.value.path == path
        held.discard(state)
        await shop.call(capability, ask)
        assert (await shop.order(order_id)).state is state


async def test_orders_are_listed_latest_first_page_by_page(shop: Shop):
    member = uuid.uuid4()
    for hour in range(5):
        ask = draft(line("a"), member_id=member if hour % 2 else None)
        await shop.call(api.place_order, ask, NOON + timedelta(hours=hour))
    seen: list[str] = []
    cursor = None
    while True:
        page = await shop.call(api.list_orders, api.ListOrders(limit=2, cursor=cursor))
        seen += [order.number for order in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ["5", "4", "3", "2", "1"]
    mine = await shop.call(api.list_orders, api.ListOrders(member_id=member, state=State.PAID))
    assert [order.number for order in mine.items] == ["4", "2"]
    span = {"placed_from": NOON + timedelta(hours=1), "placed_until": NOON + timedelta(hours=4)}
    first = await shop.call(api.list_orders, api.ListOrders(limit=2, **span))
    rest = await shop.call(api.list_orders, api.ListOrders(limit=2, cursor=first.next_cursor, **span))
    assert [order.number for order in (*first.items, *rest.items)] == ["4", "3", "2"]
    assert rest.next_cursor is None
    named = await shop.call(api.list_orders, api.ListOrders(number="3"))
    assert [order.number for order in named.items] == ["3"]
    assert (await shop.call(api.list_orders, api.ListOrders(number="no"))).items == ()
    await shop.call(api.place_order, draft(line("a"), contact_email="Ada@example.org"))
    of_ada = await shop.call(api.list_orders, api.ListOrders(contact_email="ada@EXAMPLE.org"))
    assert [order.number for order in of_ada.items] == ["6"]
    assert (await shop.call(api.list_orders, api.ListOrders(contact_email="ada@example"))).items == ()
    with pytest.raises(api.BadCursor) as bad:
        await shop.call(api.list_orders, api.ListOrders(cursor="zz"))
    assert bad.value.path == "$.cursor"


async def test_each_front_end_sees_its_own_orders_only(shop: Shop):
    south = Shop(shop.platform, SOUTH)
    placed = await shop.place(line("a"))
    order_id = placed.orders[0].order_id
    assert (await south.call(api.list_orders, api.ListOrders())).items == ()
    for capability, ask in (
        (api.get_order, api.GetOrder(order_id=order_id)),
        (api.get_group, api.GetGroup(group_id=placed.group_id)),
        (api.cancel_order, api.Cancel(order_id=order_id, reason="theirs")),
        (api.mark_shipped, api.MarkShipped(order_id=order_id)),
        (api.mark_paid, api.MarkPaid(group_id=placed.group_id)),
    ):
        with pytest.raises(api.UnknownOrder):
            await south.call(capability, ask)
    assert (await shop.order(order_id)).state is State.PAID


@pytest.mark.parametrize("lines", [1, 20, 1000])
async def test_placing_takes_the_same_statements_for_any_number_of_lines(shop: Shop, monkeypatch, lines: int):
    await shop.place(line("first"))  # a block of numbers is leased once for many orders
    sent: list[str] = []
    write = shop.platform.store.write

    async def counted(*args: object) -> object:
        session = await write(*args)  # pyright: ignore[reportArgumentType]
        for name in ("fetch", "fetch_row", "fetch_value", "execute"):
            inner = getattr(session, name)

            async def run(sql: str, *rest: object, inner: object = inner) -> object:
                sent.append(sql)
                return await inner(sql, *rest)  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues]

            monkeypatch.setattr(session, name, run, raising=False)
        return session

    monkeypatch.setattr(shop.platform.store, "write", counted)
    sold = [line(f"s{at}", 1, 100, discount=10) for at in range(lines)]
    shares = tuple((at, 10) for at in range(lines))
    await shop.place(*sold, discounts=(shared("each", 10 * lines, *shares),))
    assert len(sent) == 1  # the group whole, if it is new


async def test_a_group_that_is_placed_again_is_the_one_that_was_placed(shop: Shop):
    group_id = uuid.uuid4()
    placed = await shop.place(line("a"), group_id=group_id)
    assert await shop.place(line("b"), line("c"), group_id=group_id) == placed
    order = await shop.order(placed.orders[0].order_id)
    assert [one.sku for one in order.lines] == ["a"]
    assert len(order.history) == 1


async def test_a_placed_order_cannot_be_put_into_a_state_that_is_none(shop: Shop):
    await shop.place(line("a"))
    writing = await shop.platform.store.write("north", None)
    try:
        with pytest.raises(errors.IsthmusError, match="orders_state_check"):
            await writing.execute("update \"order\".orders set state = 'lost' where front_end = 'north'")
    finally:
        await writing.close()


async def test_a_default_answer_is_no_opinion_about_splitting(make_shop):
    @answers(api.split_key)
    def cold_goods_apart(lines: Sequence[api.DraftLine]) -> Sequence[object]:
        return ["cold" if one.sku == "ice" else PASS for one in lines]

    shop = await make_shop(cold_goods_apart)
    placed = await shop.place(line("ice"), line("tea"), line("milk"))
    assert [(one.part, one.lines) for one in placed.orders] == [("cold", 1), ("", 2)]


async def test_what_the_front_end_keeps_of_each_line_is_written_down_with_it(
    make_shop: Callable[..., Awaitable[Shop]],
) -> None:
    @answers(api.commission)
    def a_tenth_of_the_sellers(lines: Sequence[api.DraftLine]) -> Sequence[Money | Pass]:
        return [line.total.times(Fraction(1, 10)) if line.seller else PASS for line in lines]

    shop = await make_shop(a_tenth_of_the_sellers)
    sold = await shop.sold(line("cup", paid=1234, seller="ada"), line("own", paid=500))
    assert [one.commission for one in sold.lines] == [eur(123), eur(0)]
    (found,) = (await shop.call(api.list_orders, api.ListOrders())).items
    assert found.lines == sold.lines


async def test_a_commission_above_what_the_line_comes_to_places_nothing(
    make_shop: Callable[..., Awaitable[Shop]],
) -> None:
    @answers(api.commission)
    def too_much(lines: Sequence[api.DraftLine]) -> Sequence[Money | Pass]:
        return [line.total + line.total for line in lines]

    shop = await make_shop(too_much)
    with pytest.raises(api.OrderRefused, match="commission of 20.00 EUR on a line of 10.00 EUR") as refused:
        await shop.place(line("cup"))
    assert refused.value.path == "$.lines[0]"
    assert (await shop.call(api.list_orders, api.ListOrders())).items == ()


async def test_orders_of_a_merged_member_are_listed_with_those_of_who_stayed(shop: Shop) -> None:
    stays, gone = uuid.uuid4(), uuid.uuid4()
    for member_id in (stays, gone, uuid.uuid4()):
        await shop.place(line("cup"), member_id=member_id)
    found = await shop.call(api.list_orders, api.ListOrders(member_id=stays, merged_ids=(gone,)))
    assert {one.member_id for one in found.items} == {stays, gone}


async def test_a_deposit_gives_time_for_the_balance_once_and_the_order_waits(shop: Shop) -> None:
    bought = await unpaid(shop, line("cup"))
    for days in (30, 60):
        ask = api.RecordDeposit(group_id=bought.group_id, pay_before=NOON + timedelta(days=days))
        await shop.call(api.record_deposit, ask, now=NOON)
    waiting = await shop.order(bought.orders[0].order_id)
    assert (waiting.state, waiting.pay_before) == (State.PLACED, NOON + timedelta(days=30))
    assert [entry.what for entry in waiting.history] == ["placed", "deposit-paid"]
