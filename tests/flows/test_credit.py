"""Gift cards and store credit: sold at one front end, taken at another, held with an order, given back by a return."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Caller, errors
from isthmus.packs.grants import api as grants
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.store.sharing import Draft
from isthmus.values import Money, money

from .conftest import Shop
from .test_between_front_ends import stands

OWNED = payment.PutCreditProgramme(code="gift", name="Gift cards", currency="EUR", valid_days=365)


def eur(minor: int) -> Money:
    return money(minor, "EUR")


@pytest.fixture
async def cards(shop: Shop) -> Shop:
    """Give a shop whose north has a programme of gift cards that the south may use."""
    await shop.platform.call(payment.put_credit_programme, OWNED, shop.north)
    await shop.platform.call(
        grants.give, Draft(kind="payment.credit_programme", name="gift", to=shop.south.front_end), shop.north
    )
    return shop


async def sold(shop: Shop, minor: int, at: Caller) -> payment.IssuedCredit:
    """Sell a card of the north's programme at a till."""
    owner = None if at is shop.north else "north"
    ask = payment.SellCredit(programme="gift", amount=eur(minor), owner=owner, received_as="cash")
    return await shop.platform.call(payment.sell_credit, ask, at)


async def placed(shop: Shop, at: Caller, tea: int = 1) -> checkout.PlacedOrder:
    ask = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=tea),))
    return await shop.platform.call(checkout.place_order, ask, at)


async def use(shop: Shop, at: Caller, payment_id: UUID, code: str, at_most: Money | None = None) -> checkout.Paid:
    ask = checkout.UseCredit(payment_id=payment_id, code=code, at_most=at_most)
    return await shop.platform.call(checkout.use_credit, ask, at)


async def pay(shop: Shop, at: Caller, payment_id: UUID, token: str = "ok") -> checkout.Paid:
    ask = checkout.PayOrder(payment_id=payment_id, method="card", token=token)
    return await shop.platform.call(checkout.pay_order, ask, at)


async def left(shop: Shop, code: str, at: Caller) -> int:
    return (await shop.platform.call(payment.get_credit, payment.GetCredit(code=code), at)).balance.minor


async def payments(shop: Shop, at: Caller, group_id: UUID) -> dict[str, payment.Payment]:
    """Return the payments of a group by the end of their references."""
    ask = payment.ListPayments(references=payment.references_of(str(group_id)))
    found = (await shop.platform.call(payment.list_payments, ask, at)).items
    return {one.reference.removeprefix(str(group_id)): one for one in found}


async def state(shop: Shop, at: Caller, order_id: UUID) -> str:
    return (await shop.platform.call(order.get_order, order.GetOrder(order_id=order_id), at)).state


async def test_a_card_that_one_sold_pays_all_of_an_order_at_another(cards: Shop) -> None:
    card = await sold(cards, 3_000, cards.north)
    bought = await placed(cards, cards.south, tea=2)
    paid = await use(cards, cards.south, bought.payment_id, card.code.lower().replace("-", " "))
    assert (paid.due, paid.orders[0].state) == (eur(0), order.OrderState.PAID)
    assert await left(cards, card.code, cards.north) == 1_000
    await cards.platform.call(payment.settle_credit, payment.SettleCredit(), cards.north)
    assert await stands(cards, "north") == {
        "assets:clearing provider/cash": 3_000,
        "liabilities:credit": -1_000,
        "liabilities:front-ends front-end/south": -2_000,
    }
    assert await stands(cards, "south") == {
        "assets:front-ends front-end/north": 2_000,
        "liabilities:customers": -2_000,
    }


async def test_a_card_pays_a_part_and_is_taken_with_the_rest(cards: Shop) -> None:
    card = await sold(cards, 300, cards.north)
    bought = await placed(cards, cards.north)
    paid = await use(cards, cards.north, bought.payment_id, card.code)
    assert (paid.due, paid.orders[0].state) == (eur(700), order.OrderState.PLACED)
    assert await left(cards, card.code, cards.north) == 0
    held = (await payments(cards, cards.north, bought.group_id))["/credit-1"]
    assert (held.state, held.captured) == (payment.PaymentState.AUTHORISED, eur(0))
    with pytest.raises(payment.Declined):
        await pay(cards, cards.north, bought.payment_id, "decline:no")
    paid = await pay(cards, cards.north, bought.payment_id)
    assert paid.orders[0].state is order.OrderState.PAID
    found = await payments(cards, cards.north, bought.group_id)
    assert {end: one.captured.minor for end, one in found.items()} == {"": 700, "/credit-1": 300}


async def test_a_card_that_is_taken_off_has_what_it_had(cards: Shop) -> None:
    card = await sold(cards, 300, cards.north)
    bought = await placed(cards, cards.north)
    await use(cards, cards.north, bought.payment_id, card.code)
    ask = checkout.LeaveCredit(payment_id=bought.payment_id)
    left_off = await cards.platform.call(checkout.leave_credit, ask, cards.north)
    assert left_off.due == eur(1_000)
    assert await left(cards, card.code, cards.north) == 300
    await use(cards, cards.north, bought.payment_id, card.code, at_most=eur(100))
    assert await left(cards, card.code, cards.north) == 200
    assert (await pay(cards, cards.north, bought.payment_id)).orders[0].state is order.OrderState.PAID


async def test_a_card_has_back_what_an_order_held_that_was_never_paid(cards: Shop) -> None:
    card = await sold(cards, 300, cards.north)
    bought = await placed(cards, cards.north)
    await use(cards, cards.north, bought.payment_id, card.code)
    cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="changed my mind")
    await cards.platform.call(checkout.cancel_order, cancel, cards.north)
    async with cards.database.platform_transaction() as session:
        await session.execute("update payment.attempt set ended_at = ended_at - interval '5 minutes'")
    await cards.platform.call(checkout.settle_payments, payment.Reconcile(), cards.north)
    assert await left(cards, card.code, cards.north) == 300


async def test_a_return_gives_a_card_back_what_it_paid_before_money(cards: Shop) -> None:
    card = await sold(cards, 1_500, cards.south)
    bought = await placed(cards, cards.south, tea=2)
    await use(cards, cards.south, bought.payment_id, card.code)
    await pay(cards, cards.south, bought.payment_id)
    order_id = bought.orders[0].order_id
    call, at = cards.platform.call, cards.south
    await call(after_sale.ship_order, after_sale.ShipOrder(order_id=order_id), at)
    lines = (order.ReturnLine(line=0, quantity=2),)
    back = await call(order.request_return, order.RequestReturn(order_id=order_id, lines=lines), at)
    await call(order.decide_return, order.DecideReturn(return_id=back.return_id, is_approved=True), at)
    await call(after_sale.refund_return, after_sale.RefundReturn(return_id=back.return_id), at)
    assert await left(cards, card.code, cards.north) == 1_500
    found = await payments(cards, at, bought.group_id)
    assert {end: one.refunded.minor for end, one in found.items()} == {"": 500, "/credit-1": 1_500}
    await call(payment.settle_credit, payment.SettleCredit(), cards.north)
    assert (await stands(cards, "north"))["liabilities:credit"] == -1_500


async def test_a_card_is_filled_once_it_is_paid_and_emptied_by_its_refund(cards: Shop) -> None:
    ask = payment.SellCredit(programme="gift", amount=eur(2_000), owner="north")
    card = await cards.platform.call(payment.sell_credit, ask, cards.south)
    assert await left(cards, card.code, cards.south) == 0
    assert card.payment_id is not None
    authorise = payment.Authorise(payment_id=card.payment_id, method="card", token="ok")
    await cards.platform.call(payment.authorise, authorise, cards.south)
    await cards.platform.call(payment.capture, payment.Capture(payment_id=card.payment_id), cards.south)
    assert await left(cards, card.code, cards.south) == 2_000
    bought = await placed(cards, cards.south)
    await use(cards, cards.south, bought.payment_id, card.code)
    refund = payment.Refund(payment_id=card.payment_id, amount=eur(1_500), reference="regret")
    with pytest.raises(payment.CardIsUsed, match=r"15\.00.*10\.00"):
        await cards.platform.call(payment.refund, refund, cards.south)
    await cards.platform.call(payment.refund, refund.replace(amount=eur(1_000)), cards.south)
    assert await left(cards, card.code, cards.south) == 0


async def test_what_expired_pays_nothing_and_is_owed_no_more(cards: Shop) -> None:
    card = await sold(cards, 500, cards.north)
    bought = await placed(cards, cards.north)
    async with cards.database.platform_transaction() as session:
        await session.execute("update payment.credit set expires_at = now() - interval '1 second'")
    with pytest.raises(payment.NothingOnCard, match="it has expired"):
        await use(cards, cards.north, bought.payment_id, card.code)
    settled = await cards.platform.call(payment.settle_credit, payment.SettleCredit(), cards.north)
    assert settled.expired == 1
    assert await left(cards, card.code, cards.north) == 0
    assert (await stands(cards, "north"))["income:expired-credit"] == -500


async def test_what_comes_back_to_a_card_is_good_for_a_while(cards: Shop) -> None:
    card = await sold(cards, 1_000, cards.north)
    bought = await placed(cards, cards.north)
    await use(cards, cards.north, bought.payment_id, card.code)
    async with cards.database.platform_transaction() as session:
        await session.execute("update payment.credit set expires_at = now() - interval '1 second'")
    cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="out of stock")
    await cards.platform.call(checkout.cancel_order, cancel, cards.north)
    found = await cards.platform.call(payment.get_credit, payment.GetCredit(code=card.code), cards.north)
    assert found.balance == eur(1_000)
    async with cards.database.platform() as session:
        now = await session.fetch_value("select now()")
    assert found.expires_at is not None
    assert found.expires_at > now + timedelta(days=payment.RETURNED_DAYS - 1)


async def test_without_a_grant_a_card_is_none(cards: Shop) -> None:
    card = await sold(cards, 1_000, cards.south)
    bought = await placed(cards, cards.south)
    await use(cards, cards.south, bought.payment_id, card.code)
    given = (await cards.platform.call(grants.list_grants, grants.Choice(), cards.north)).items[0]
    await cards.platform.call(grants.withdraw, grants.WithdrawGrant(grant_id=given.grant_id), cards.north)
    with pytest.raises(payment.UnknownCredit) as known:
        await left(cards, card.code, cards.south)
    with pytest.raises(payment.UnknownCredit) as unknown:
        await left(cards, "AAAA-BBBB-CCCC-DDDD", cards.south)
    assert str(known.value) == str(unknown.value)
    with pytest.raises(payment.UnknownCreditProgramme):
        await sold(cards, 1_000, cards.south)
    cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="the grant has gone")
    await cards.platform.call(checkout.cancel_order, cancel, cards.south)
    assert await left(cards, card.code, cards.north) == 1_000


async def test_the_owner_sees_where_a_card_was_used_and_not_for_which_order(cards: Shop) -> None:
    card = await sold(cards, 1_000, cards.north)
    bought = await placed(cards, cards.south)
    await use(cards, cards.south, bought.payment_id, card.code)
    ask = payment.ListCreditMoves(credit_id=card.credit_id)
    seen = (await cards.platform.call(payment.list_credit_moves, ask, cards.north)).items
    assert {(one.kind, one.front_end) for one in seen} >= {("sold", "north"), ("redeemed", "south")}
    assert str(bought.group_id) not in str(seen)
    own = (await cards.platform.call(payment.list_credit_moves, ask, cards.south)).items
    assert {one.front_end for one in own} == {"south"}


async def test_store_credit_is_an_expense_and_pays_like_a_card(cards: Shop) -> None:
    ask = payment.GiveCredit(programme="gift", amount=eur(400), reference="complaint-7")
    card = await cards.platform.call(payment.give_credit, ask, cards.north)
    assert await stands(cards, "north") == {"expenses:credit-given": 400, "liabilities:credit": -400}
    bought = await placed(cards, cards.south)
    assert (await use(cards, cards.south, bought.payment_id, card.code)).due == eur(600)


def test_only_flows_hold_what_is_on_a_card_and_let_go_of_it() -> None:
    for internal in (payment.pay_with_credit, payment.let_go_of_credit):
        assert internal.is_internal


async def test_a_programme_stays_in_its_currency(cards: Shop) -> None:
    with pytest.raises(payment.OtherCurrency):
        await cards.platform.call(payment.put_credit_programme, OWNED.replace(currency="USD"), cards.north)


async def test_only_so_many_cards_pay_for_one_order(cards: Shop) -> None:
    bought = await placed(cards, cards.north)
    for _ in range(payment.CREDITS_MAX):
        await use(cards, cards.north, bought.payment_id, (await sold(cards, 10, cards.north)).code)
    with pytest.raises(payment.TooManyCards):
        await use(cards, cards.north, bought.payment_id, (await sold(cards, 10, cards.north)).code)
    assert (await pay(cards, cards.north, bought.payment_id)).orders[0].state is order.OrderState.PAID


async def test_what_is_paid_takes_no_card_any_more(cards: Shop) -> None:
    card = await sold(cards, 100, cards.north)
    bought = await placed(cards, cards.north)
    await pay(cards, cards.north, bought.payment_id)
    with pytest.raises(order.IllegalTransition):
        await use(cards, cards.north, bought.payment_id, card.code)
    held = await placed(cards, cards.north)
    await use(cards, cards.north, held.payment_id, card.code)
    credit = (await payments(cards, cards.north, held.group_id))["/credit-1"]
    with pytest.raises(payment.IllegalStep):
        await cards.platform.call(payment.void, payment.Void(payment_id=credit.payment_id), cards.north)


async def test_a_card_is_never_spent_twice_however_many_use_it_at_once_at_both(cards: Shop) -> None:
    card = await sold(cards, 2_500, cards.north)
    orders = [(at, await placed(cards, at)) for at in (cards.north, cards.south) for _ in range(6)]

    async def buy(at: Caller, bought: checkout.PlacedOrder) -> int:
        try:
            due = (await use(cards, at, bought.payment_id, card.code)).due
        except errors.Refusal as refused:
            assert refused.slug == "payment.nothing-on-card"
            return 0
        assert due is not None
        return 1_000 - due.minor

    spent = await asyncio.gather(*(buy(at, bought) for at, bought in orders))
    assert sorted(spent, reverse=True)[:4] == [1_000, 1_000, 500, 0]
    assert await left(cards, card.code, cards.north) == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["use", "pay", "leave", "cancel", "return"]), st.integers(0, 2), st.integers(1, 1_500)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_what_a_card_paid_and_has_left_is_what_it_was_sold_for(cards: Shop, steps: Sequence[tuple]) -> None:
    """Whatever is done in whatever order: what is on the card and what was taken of it come to its price."""
    card = await sold(cards, 2_000, cards.north)
    for at in (cards.north, cards.south):
        more = inventory.Receipt(sku="tea", quantity=5, location="main")
        await cards.platform.call(inventory.receive, inventory.Receive(reference=str(uuid4()), lines=(more,)), at)
    ats = (cards.north, cards.south, cards.north)
    bought = [await placed(cards, at) for at in ats]
    for step, which, minor in steps:
        at, one = ats[which], bought[which]
        try:
            if step == "use":
                await use(cards, at, one.payment_id, card.code, eur(minor))
            elif step == "pay":
                await pay(cards, at, one.payment_id)
            elif step == "leave":
                await cards.platform.call(checkout.leave_credit, checkout.LeaveCredit(payment_id=one.payment_id), at)
            elif step == "cancel":
                cancel = checkout.CancelOrder(order_id=one.orders[0].order_id, reason=str(uuid4()))
                await cards.platform.call(checkout.cancel_order, cancel, at)
            else:
                refund = payment.Refund(payment_id=one.payment_id, amount=eur(minor), reference=str(uuid4()))
                await cards.platform.call(payment.refund, refund, at)
        except errors.Refusal:
            pass
        async with cards.database.platform() as session:
            taken = await session.fetch_value(
                """select coalesce(sum(case when state = 'voided' then 0 when captured_minor > 0
                       then captured_minor - refunded_minor else authorised_minor end), 0)::bigint
                   from payment.payment where authorisation = $1""",
                f"north/{card.credit_id}",
            )
        assert taken + await left(cards, card.code, cards.north) == 2_000
