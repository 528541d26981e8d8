"""Whatever happens is booked in its own transaction: nothing stays owed that is settled, and money is where it says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.app.lake_sync import LakeSync
from isthmus.data.model.ask import Ask
from isthmus.data.platform import open_platform
from isthmus.data.privacy import policy
from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.after_sale.service import goods
from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.flows.bookkeeping import rules
from isthmus.flows.bookkeeping.pack import SHOWN
from isthmus.flows.checkout import api as checkout
from isthmus.flows.checkout.service import pay
from isthmus.flows.payouts import pack as payouts
from isthmus.flows.payouts import rules as payouts_rules
from isthmus.kernel import Context, FrontEnd, Platform, answers, errors
from isthmus.kernel.host import Answer
from isthmus.markings import Where
from isthmus.packs.inventory import api as inventory
from isthmus.packs.ledger import api as ledger
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.settlement import api as settlement
from isthmus.packs.tax import api as tax
from isthmus.values import Address, Money, money
from tests import shipped

from .conftest import ALL, LONG_AGO, SOUTH, Shop

IN_NORTH = (Where("front_end", "=", "north"),)
HOME = Address(country="DE", city="Kiel")
# Of our own, without the pack's statements: what legs say.
STANDING = """select coalesce(sum(amount), 0)::bigint from ledger.leg join ledger.account using (account_id)
    where layer = '=' and account.front_end = $1 and (code = $2 or code like $2 || ':%')"""
OWED = """select entry.front_end, coalesce(group_id::text, subject) as bought, sum(amount) as minor
    from ledger.leg join ledger.account using (account_id)
    join ledger.entry on entry.front_end = leg.front_end and entry.entry_id = leg.entry_id
    left join "order".orders on orders.front_end = entry.front_end and orders.order_id::text = subject
    where code = 'liabilities:customers' group by 1, 2 having sum(amount) <> 0"""
MONEY = "select coalesce(sum(amount_minor), 0)::bigint from payment.leg where front_end = $1"
TOTAL = """select currency, sum(amount) from ledger.leg where layer = '=' group by front_end, currency
    having sum(amount) <> 0"""


def eur(minor: int) -> Money:
    return money(minor, "EUR")


@answers(order.commission)
def a_tenth_of_tea(lines: Sequence[order.DraftLine]) -> Sequence[Money]:
    """Sell tea for its maker, and keep a tenth; jam is our own."""
    return [eur(line.total.minor // 10 if line.sku == "tea" else 0) for line in lines]


@answers(order.cancellation_fee)
def half_a_euro(order: order.Order) -> Money:
    """Keep fifty cents."""
    return eur(50)


@answers(bookkeeping.payment_fee)
def three_percent(method: str, provider: str, amount: Money) -> Money:
    """Pay a provider three percent."""
    return eur(amount.minor * 3 // 100) if provider else eur(0)


@answers(bookkeeping.points_worth)
def a_cent_a_point(points: int) -> Money:
    """Hold a cent for each point."""
    return eur(points)


@answers(member.points_earned)
def a_point_a_euro(amount: Money) -> int:
    """Give a point for each euro."""
    return amount.minor // 100


@answers(payment.deposit)
def a_fifth(total: Money) -> Money:
    """Ask for a fifth at once."""
    return eur(total.minor // 5)


@dataclass(frozen=True, slots=True)
class Books:
    """A shop whose happenings are booked, and what its books say by SQL of our own."""

    shop: Shop

    async def call(self, capability: Any, ask: object, **how: Any) -> Any:
        return await self.shop.platform.call(capability, ask, self.shop.north, **how)

    async def bought(self, *lines: tuple[str, int], is_paid: bool = True, **facts: Any) -> checkout.PlacedOrder:
        wanted = tuple(checkout.BuyLine(sku=sku, quantity=quantity) for sku, quantity in lines)
        placed = await self.call(checkout.place_order, checkout.PlaceOrder(currency="EUR", lines=wanted, **facts))
        if is_paid:
            await self.pay(placed.payment_id)
        return placed

    async def pay(self, payment_id: UUID) -> None:
        await self.call(checkout.pay_order, checkout.PayOrder(payment_id=payment_id, method="card", token="ok"))

    async def sent(self, order_id: UUID, parcel: str, *lines: tuple[int, int]) -> None:
        wanted = tuple(order.ShippedLine(line=line, quantity=count) for line, count in lines)
        await self.call(after_sale.ship_order, after_sale.ShipOrder(order_id=order_id, parcel=parcel, lines=wanted))

    async def returned(self, order_id: UUID, *lines: tuple[int, int]) -> order.Return:
        wanted = tuple(order.ReturnLine(line=line, quantity=count) for line, count in lines)
        back = await self.call(order.request_return, order.RequestReturn(order_id=order_id, lines=wanted))
        await self.call(order.decide_return, order.DecideReturn(return_id=back.return_id, is_approved=True))
        return await self.call(after_sale.refund_return, after_sale.RefundReturn(return_id=back.return_id))

    async def by_hand(self, payment_id: UUID, minor: int, reference: str) -> None:
        ask = payment.Refund(payment_id=payment_id, amount=eur(minor), reference=reference)
        await self.call(payment.refund, ask)

    async def stands(self, *codes: str) -> list[int]:
        async with self.shop.database.platform() as session:
            return [await session.fetch_value(STANDING, "north", code) for code in codes]

    async def owed(self) -> dict[str, int]:
        """Return what customers are owed, by what they bought, where it is not zero."""
        async with self.shop.database.platform() as session:
            return {row["bought"]: int(row["minor"]) for row in await session.fetch(OWED)}

    async def check(self) -> None:
        """See that the books add up to zero, and that the money that moved is where they say."""
        async with self.shop.database.platform() as session:
            assert list(await session.fetch(TOTAL)) == []
            moved = await session.fetch_value(MONEY, "north")
        clearing, fees = await self.stands("assets:clearing", "expenses:payment-fees")
        assert clearing + fees == moved
        assert await self.shop.broken() == []


def books_of(shop: Shop, *own: Answer, **settings: str) -> Books:
    """Return the same shop whose northern front end answers more, and sells in Germany."""
    said = {"jurisdiction": "DE", **settings}
    north = FrontEnd(code="north", name="North", owner="n", uses=ALL, answers=own, settings=said)
    resources = {payment.Providers: payment.Providers([shop.provider]), order.Numbers: order.Numbers(shop.database)}
    platform = Platform(shipped.build([north, SOUTH]), shop.database, resources=resources)
    return Books(Shop(platform, shop.database, shop.provider, shop.north, shop.south))


async def taxed_books(shop: Shop) -> Books:
    """Return the books of a shop that sells for others, pays fees, taxes at 19 percent and gives points."""
    books = books_of(shop, a_tenth_of_tea, half_a_euro, three_percent, a_cent_a_point, a_point_a_euro)
    place = tax.Jurisdiction(code="DE", prices_include_tax=True)
    await books.call(tax.put_jurisdictions, tax.PutJurisdictions(jurisdictions=(place,)))
    rate = tax.RateEntry(jurisdiction="DE", name="vat", rate_ppm=190_000, valid_from=LONG_AGO)
    await books.call(tax.put_rates, tax.PutRates(rates=(rate,)))
    return books


@pytest.fixture
async def books(shop: Shop) -> AsyncIterator[Books]:
    books = await taxed_books(shop)
    yield books
    await books.check()


async def test_money_is_owed_to_the_buyer_until_goods_leave_and_then_it_is_income(books: Books) -> None:
    placed = await books.bought(("tea", 2), ("jam", 5))
    total = placed.bill.total.minor
    assert await books.stands("assets:clearing", "expenses:payment-fees") == [
        total - total * 3 // 100,
        total * 3 // 100,
    ]
    assert await books.stands("liabilities:customers", "income", "liabilities:tax") == [-total, 0, 0]
    await books.sent(placed.orders[0].order_id, "1")
    taxed = [line.tax.minor for line in placed.bill.lines]
    assert await books.stands("liabilities:customers") == [0]
    assert await books.stands("liabilities:tax:de") == [-sum(taxed)]
    assert await books.stands("income:commission", "liabilities:sellers") == [-200, 200 - 2000 + taxed[0]]
    assert await books.stands("income:sales") == [taxed[1] - 2000]
    entries = await books.call(ledger.list_entries, ledger.ListEntries(subject=str(placed.orders[0].order_id)))
    assert [one.kind for one in entries.items] == ["goods-delivered"]
    assert {leg.owner for leg in entries.items[0].legs} == {"", "seller/tea-maker"}


async def test_a_sale_at_a_till_is_paid_and_delivered_at_once(books: Books) -> None:
    placed = await books.bought(("jam", 3), is_paid=False, paid_at_till="cash")
    total = placed.bill.total.minor
    assert await books.stands("assets:clearing", "liabilities:customers") == [total, 0]
    tax_minor = sum(line.tax.minor for line in placed.bill.lines)
    assert await books.stands("income:sales", "liabilities:tax") == [tax_minor - total, -tax_minor]


async def test_a_cancelled_order_leaves_the_fee_and_what_was_given_by_hand_is_no_income(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    await books.by_hand(placed.payment_id, 120, "goodwill")
    ask = checkout.CancelOrder(order_id=placed.orders[0].order_id, reason="changed my mind")
    await books.call(checkout.cancel_order, ask)
    assert await books.owed() == {}
    assert await books.stands("income:cancellation-fees") == [-50]


async def test_what_comes_back_lessens_income_tax_and_commission_as_it_was_sold(books: Books) -> None:
    placed = await books.bought(("tea", 3), ("jam", 2))
    order_id = placed.orders[0].order_id
    await books.sent(order_id, "1")
    assert await books.stands("income:commission") == [-300]
    await books.returned(order_id, (0, 2), (1, 2))
    assert await books.stands("income:commission") == [-100]
    one_tea = placed.bill.lines[0].tax.minor - round(placed.bill.lines[0].tax.minor * 2 / 3)
    assert await books.stands("liabilities:tax") == [-one_tea]
    assert sum(await books.stands("income:sales", "income:returns")) == 0
    assert await books.owed() == {}


@answers(order.commission)
def a_cent_of_tea(lines: Sequence[order.DraftLine]) -> Sequence[Money]:
    """Keep one cent of each line of tea."""
    return [eur(1 if line.sku == "tea" else 0) for line in lines]


async def test_goods_sold_for_another_are_never_income_of_ones_own_however_small_their_part_of_the_commission(
    shop: Shop,
) -> None:
    books = books_of(shop, a_cent_of_tea)
    placed = await books.bought(("tea", 3))
    for parcel in range(3):
        await books.sent(placed.orders[0].order_id, f"{parcel}", (0, 1))
    assert await books.stands("income:sales", "income:commission", "liabilities:sellers") == [0, -1, -2999]
    for _ in range(3):
        await books.returned(placed.orders[0].order_id, (0, 1))
    assert await books.stands("income", "liabilities:sellers") == [0, 0]
    await books.check()


async def test_what_never_comes_is_never_income_and_settles_to_the_cent(books: Books) -> None:
    placed = await books.bought(("jam", 7), ("tea", 1))
    order_id = placed.orders[0].order_id
    await books.sent(order_id, "1", (0, 3))
    await books.call(
        after_sale.close_lines,
        after_sale.CloseLines(order_id=order_id, reason="lost", lines=(order.CloseLine(line=0, quantity=4),)),
    )
    await books.sent(order_id, "2")
    assert await books.owed() == {}


async def test_sales_by_the_lake_by_orders_and_by_the_books_are_one_number(books: Books, tmp_path: Path) -> None:
    for lines in ((("tea", 3), ("jam", 2)), (("jam", 7),)):
        placed = await books.bought(*lines)
        for parcel, one in enumerate(placed.orders):
            await books.sent(one.order_id, str(parcel))
    await books.bought(("jam", 1), is_paid=False, paid_at_till="cash")
    data = open_platform(shipped.PACKS, tmp_path / "lake")
    await LakeSync(books.shop.platform, books.shop.database, data, segments=()).land()
    accounts = ("ledger.account.code", "ledger.entry.kind")
    found = data.metrics.ask(Ask(metrics=("ledger.moved",), by=accounts, where=IN_NORTH), policy.owner()).rows
    in_books = {(row["ledger.account.code"], row["ledger.entry.kind"]): int(row["ledger.moved"]) for row in found}
    (sales,) = data.metrics.ask(Ask(metrics=("order.sales",), where=IN_NORTH), policy.owner()).rows
    orders = await books.call(order.list_orders, order.ListOrders())
    by_orders = sum(one.total.minor for one in orders.items)
    assert in_books["liabilities:customers", "goods-delivered"] == int(sales["order.sales"]) == by_orders > 0
    trial = await books.call(ledger.trial_balance, ledger.GetTrialBalance())
    (due,) = (line for line in trial.lines if line.code == "liabilities:customers")
    assert due.debit.minor == by_orders
    assert {one.minor for one in trial.difference} == {0}


async def test_a_deposit_is_owed_with_the_balance_and_stays_with_the_shop_when_the_order_runs_out(shop: Shop) -> None:
    books = books_of(shop, a_fifth)
    placed = await books.bought(("tea", 1))
    assert await books.stands("liabilities:customers") == [-200]
    await books.pay(placed.balance_payment_id)
    assert await books.stands("liabilities:customers") == [-1000]
    await books.sent(placed.orders[0].order_id, "1")
    assert await books.owed() == {}
    late = await books.bought(("tea", 2))
    assert late.balance_payment_id
    await books.call(checkout.expire_orders, checkout.ExpireOrders(), now=datetime.now(UTC) + timedelta(days=40))
    assert await books.stands("income:forfeited-deposits", "liabilities:customers") == [-400, 0]
    await books.check()


async def test_points_are_a_liability_from_the_moment_they_are_earned(books: Books) -> None:
    identity = member.Identity(kind="card", value="7", is_verified=True)
    joined = await books.call(member.register, member.Register(identities=(identity,)))
    placed = await books.bought(("jam", 5), member_id=joined.member_id)
    assert await books.stands("liabilities:points", "expenses:points") == [-20, 20]
    ask = member.SpendPoints(member_id=joined.member_id, reference="gift", points=5)
    await books.call(member.spend_points, ask)
    assert await books.stands("liabilities:points") == [-15]
    cancel = checkout.CancelOrder(order_id=placed.orders[0].order_id, reason="changed my mind")
    await books.call(checkout.cancel_order, cancel)
    assert await books.stands("liabilities:points", "expenses:points") == [0, 0]


steps = st.one_of(
    st.tuples(st.just("send"), st.tuples(st.integers(0, 1), st.integers(1, 3))),
    st.tuples(st.just("close"), st.tuples(st.integers(0, 1), st.integers(1, 2))),
    st.tuples(st.just("return"), st.tuples(st.integers(0, 1), st.integers(1, 3))),
    st.tuples(st.just("by hand"), st.integers(1, 300)),
    st.tuples(st.just("cancel"), st.none()),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.tuples(st.integers(1, 4), st.integers(1, 4)), st.lists(steps, min_size=2, max_size=8), st.booleans())
async def test_whatever_becomes_of_an_order_nothing_stays_owed_when_it_is_over(
    books: Books, counts: tuple[int, int], done: list[tuple[str, Any]], is_brought: bool
) -> None:
    await stocked_again(books)
    where = {"address": HOME, "delivery_method": "post"} if is_brought else {}
    placed = await books.bought(("tea", counts[0]), ("jam", counts[1]), **where)
    order_id = placed.orders[0].order_id
    for number, (name, detail) in enumerate(done):
        try:
            await _step(books, placed, order_id, f"{number}", name, detail)
        except errors.Refusal:
            continue
    with suppress(errors.Refusal):  # nothing is left to send, or it was cancelled
        await books.sent(order_id, "last")
    assert str(placed.group_id) not in await books.owed()
    await books.check()


async def stocked_again(books: Books) -> None:
    count = await books.call(inventory.get_availability, inventory.GetAvailability(skus=("tea", "jam")))
    lines = tuple(inventory.Receipt(sku=one.sku, quantity=10, location="main") for one in count.items)
    await books.call(inventory.receive, inventory.Receive(reference=f"more-{uuid4()}", lines=lines))


async def _step(
    books: Books, placed: checkout.PlacedOrder, order_id: UUID, reference: str, name: str, detail: Any
) -> None:
    match name:
        case "send":
            await books.sent(order_id, reference, detail)
        case "close":
            line = order.CloseLine(line=detail[0], quantity=detail[1])
            await books.call(
                after_sale.close_lines, after_sale.CloseLines(order_id=order_id, reason="lost", lines=(line,))
            )
        case "return":
            await books.returned(order_id, detail)
        case "by hand":
            await books.by_hand(placed.payment_id, detail, f"goodwill-{reference}")
        case _:
            cancel = checkout.CancelOrder(order_id=order_id, reason="changed my mind")
            await books.call(checkout.cancel_order, cancel)


def test_names_in_other_scripts_have_accounts_of_their_own() -> None:
    assert [rules.code(name) for name in ("Food", "US-OH", "", "--")] == ["food", "us-oh", "none", "none"]
    found = {rules.code(name) for name in ("标准", "减免", "é", "rosé", "rose\u0301")}
    assert len(found) == 4
    assert all(re.fullmatch("[a-z0-9][a-z0-9-]*", one) for one in found)


def test_every_kind_of_entry_has_words_on_pages() -> None:
    assert {kind.replace("-", " ") for kind in get_args(bookkeeping.Kind)} == {*SHOWN}
    moved = settlement.SettlementMoved(
        settlement_id=uuid4(), payee="seller/1", state=settlement.SettlementState.SENT,
        payout=eur(100), fee=eur(1), debit=eur(0),
    )  # fmt: skip
    booked = [state for state in settlement.SettlementState if payouts_rules.legs(moved.replace(state=state))]
    assert {f"settlement {state}" for state in booked} == {*payouts.SHOWN}


def test_the_flows_that_book_are_internal_and_react() -> None:
    flows = (
        bookkeeping.book_payment,
        bookkeeping.book_sale,
        bookkeeping.book_order,
        bookkeeping.book_closing,
        bookkeeping.book_return,
        bookkeeping.book_points,
        bookkeeping.book_honoured,
        bookkeeping.book_lapsed,
        bookkeeping.book_spent_elsewhere,
        bookkeeping.book_stock,
        bookkeeping.book_credit,
        bookkeeping.book_hand_in,
        bookkeeping.book_borne,
        bookkeeping.book_unborne,
    )
    assert all(one.is_internal for one in flows)


async def cancelled_with_a_refund_by_hand_meanwhile(
    books: Books, monkeypatch: pytest.MonkeyPatch, placed: checkout.PlacedOrder, minor: int
) -> Money:
    """Cancel an order, and give money back by hand once it is cancelled and its own refund has not begun."""
    looked = pay._payments

    async def looked_and_superseded(group_id: UUID, ctx: Context) -> tuple[payment.Payment, ...]:
        found = await looked(group_id, ctx)
        monkeypatch.setattr(pay, "_payments", looked)
        await books.by_hand(placed.payment_id, minor, "meanwhile")
        return found

    monkeypatch.setattr(pay, "_payments", looked_and_superseded)
    ask = checkout.CancelOrder(order_id=placed.orders[0].order_id, reason="changed my mind")
    return (await books.call(checkout.cancel_order, ask)).refunded


@pytest.mark.parametrize(("before", "meanwhile", "by_itself"), [(0, 120, 1880), (0, 30, 1950), (120, 300, 1580)])
async def test_what_a_cancelled_order_is_owed_is_no_allowance_where_it_is_given_back_by_hand(
    books: Books, monkeypatch: pytest.MonkeyPatch, before: int, meanwhile: int, by_itself: int
) -> None:
    placed = await books.bought(("jam", 5))  # 20.00, of which 0.50 is kept
    if before:
        await books.by_hand(placed.payment_id, before, "goodwill")
    refunded = await cancelled_with_a_refund_by_hand_meanwhile(books, monkeypatch, placed, meanwhile)
    assert refunded.minor == by_itself
    assert await books.owed() == {}
    assert await books.stands("income:cancellation-fees") == [-50]
    kept = 2000 - before - meanwhile - by_itself
    assert await books.stands("income:allowances") == [50 - kept]  # what of the fee was given back after all


@pytest.mark.parametrize("count", [2, 4])
async def test_an_order_that_is_cancelled_between_a_closing_and_its_refund_owes_nothing_to_anybody(
    books: Books, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    placed = await books.bought(("jam", 5))  # 20.00, of which 0.50 is kept where it is cancelled
    order_id = placed.orders[0].order_id
    paid_back = goods.money_back

    async def cancelled_first(back: order.Return, reason: str, ctx: Context) -> order.Return:
        monkeypatch.setattr(goods, "money_back", paid_back)
        with suppress(errors.Refusal):  # where nothing is left of it, there is nothing to cancel
            await books.call(checkout.cancel_order, checkout.CancelOrder(order_id=order_id, reason="too late"))
        return await paid_back(back, reason, ctx)

    monkeypatch.setattr(goods, "money_back", cancelled_first)
    closing = order.CloseLine(line=0, quantity=count)
    await books.call(after_sale.close_lines, after_sale.CloseLines(order_id=order_id, reason="gone", lines=(closing,)))
    sold = await books.call(order.get_order, order.GetOrder(order_id=order_id))
    captured = (await books.call(payment.get_payment, payment.GetPayment(payment_id=placed.payment_id))).captured
    refunded = (await books.call(payment.get_payment, payment.GetPayment(payment_id=placed.payment_id))).refunded
    assert sold.state is order.OrderState.CANCELLED
    assert await books.owed() == {}
    assert sum(await books.stands("income:cancellation-fees", "income:allowances")) == (refunded - captured).minor
    assert await books.stands("income:sales") == [0]
