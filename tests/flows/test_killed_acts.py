"""A process is killed after any statement of each other act that moves the books, writes an invoice or closes days.

Each is one transaction: what it does is all there, or none of it, and whoever does it again does it once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.flows.closing import api as closing
from isthmus.flows.invoices import api as invoices
from isthmus.kernel import Capability, errors
from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.ledger import api as ledger
from isthmus.packs.member import api as member
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement
from isthmus.values import Address, money

from . import buyers as program
from . import test_killed as killing
from .buyers import BUYER
from .conftest import Shop
from .test_killed import DUE, PAYEES, Market, a_return, bought_and_sent, paying
from .test_killed_books import EVERY, TODAY, TOMORROW, killed, prepared, there

market = killing.market
SOME = (2, 5)
FIRM = invoicing.Party(name="Firm SAS", address=Address(country="FR", city="Lyon"), vat_id="FR40303265045")
MAY = (date(2026, 5, 1), date(2026, 5, 31))


@dataclass(frozen=True, slots=True)
class Act:
    """What is done, and how often each part of it is found, which is once or never."""

    capability: Capability[Any, Any]
    ask: Any
    found: str
    about: tuple[object, ...]


Scenario = Callable[[Market, Shop, int], Awaitable[Act]]

OF_PARCEL = """select
    (select count(*) from ledger.entry where kind = 'goods-delivered' and subject = $1) as entries,
    (select count(*) from "order".lines where order_id = $1::uuid and shipped = 1) as sent"""


async def goods_that_leave(market: Market, shop: Shop, number: int) -> Act:
    placed = await market.placed()
    await market.platform.call(checkout.pay_order, paying(placed), BUYER)
    order_id = placed.orders[0].order_id
    return Act(after_sale.ship_order, after_sale.ShipOrder(order_id=order_id), OF_PARCEL, (str(order_id),))


OF_INVOICE = """select
    (select count(*) from invoicing.invoice join invoicing.subject using (front_end, invoice_id)
        where subject = $1) as invoices,
    (select count(*) from invoicing.vat join invoicing.subject using (front_end, invoice_id)
        where subject = $1) as taxes,
    (select count(*) from invoicing.series join invoicing.invoice using (entity, series)
        join invoicing.subject using (front_end, invoice_id) where subject = $1 and last = sequence) as numbers"""


async def an_invoice(market: Market, shop: Shop, number: int) -> Act:
    order_id = (await bought_and_sent(market, 1)).orders[0].order_id
    ask = invoices.IssueForOrder(order_id=order_id, buyer=FIRM)
    return Act(invoices.issue_for_order, ask, OF_INVOICE, (str(order_id),))


async def an_invoice_of_a_period(market: Market, shop: Shop, number: int) -> Act:
    register = member.Register(identities=(member.Identity(kind="email", value=f"ada{number}@example.org"),))
    ada = (await market.platform.call(member.register, register, BUYER)).member_id
    placed = await market.placed(member_id=ada)
    await market.platform.call(checkout.pay_order, paying(placed), BUYER)
    ask = invoices.IssueForPeriod(member_id=ada, since=TODAY - timedelta(days=1), until=TOMORROW, buyer=FIRM)
    return Act(invoices.issue_for_period, ask, OF_INVOICE, (str(placed.orders[0].order_id),))


async def a_credit_note(market: Market, shop: Shop, number: int) -> Act:
    placed, refund, ask = await a_return(market)
    assert isinstance(ask, after_sale.RefundReturn)
    issue = invoices.IssueForOrder(order_id=placed.orders[0].order_id, buyer=FIRM)
    await market.platform.call(invoices.issue_for_order, issue, BUYER)
    await market.platform.call(refund, ask, BUYER)
    credit = invoices.CreditReturn(return_id=ask.return_id)
    return Act(invoices.credit_return, credit, OF_INVOICE, (str(ask.return_id),))


OF_CLOSING = """select
    (select count(*) from ledger.book where front_end = 'north' and closed_through = $1) as closed,
    (select count(*) from ledger.closing where front_end = 'north' and closed_through = $1) as kept"""


async def closed_days(market: Market, shop: Shop, number: int) -> Act:
    await bought_and_sent(market, 1)
    day = date(2020, 1, 1) + timedelta(days=number)
    return Act(closing.close, closing.Close(closed_through=day), OF_CLOSING, (day,))


OF_COST = """select
    (select count(*) from ledger.entry where kind = 'platform-cost' and subject = $1) as entries,
    (select count(*) from ledger.claim join ledger.entry using (front_end, entry_id) where subject = $1) as claims"""


def cost_of(front_end: str, reference: str) -> closing.AllocateCost:
    """Return a bill of which a front end bears all."""
    row = closing.CostRow(sub_account_id=front_end, service_name="order.get-order", effective_cost="1")
    return closing.AllocateCost(reference=reference, billed=money(700, "EUR"), since=MAY[0], until=MAY[1], rows=(row,))


async def a_cost(market: Market, shop: Shop, number: int) -> Act:
    ask = cost_of("south", f"platform/{number}")
    return Act(closing.allocate_cost, ask, OF_COST, (f"cost/{ask.reference}",))


OF_CLAIM = """select
    (select count(*) from ledger.claim join ledger.entry using (front_end, entry_id)
        where subject = $1 and noted_at is not null) as noted,
    (select count(*) from ledger.entry own join ledger.leg using (front_end, entry_id)
        join ledger.account using (account_id) where own.front_end = 'north' and code = 'expenses:platform'
        and leg.amount = $2) as booked"""


async def a_claim_of_another(market: Market, shop: Shop, number: int) -> Act:
    ask = cost_of("north", f"of-south/{number}").replace(billed=money(700 + number, "EUR"))
    await shop.platform.call(closing.allocate_cost, ask, shop.south)
    return Act(ledger.take_claims, ledger.TakeClaims(), OF_CLAIM, (f"cost/{ask.reference}", ask.billed.minor))


OF_DIFFERENCE = """select
    (select count(*) from reconciliation.difference where difference_id = $1::bigint and resolved_at is not null)
        as resolved,
    (select count(*) from ledger.entry where reference = 'difference/' || $1::bigint) as entries"""


async def a_difference(market: Market, shop: Shop, number: int) -> Act:
    content = f"reference,kind,date,currency,amount,fee\nstranger-{number},capture,{TODAY},EUR,7.00,0\n"
    file = reconciliation.ImportFile(provider="test", name=f"file-{number}", form="csv", content=content)
    await market.platform.call(reconciliation.import_file, file, BUYER)
    open_ = await market.platform.call(reconciliation.list_differences, reconciliation.ListDifferences(), BUYER)
    (one,) = open_.items
    ask = reconciliation.Resolve(difference_id=one.difference_id, note="a gift", account="income:gifts")
    return Act(reconciliation.resolve, ask, OF_DIFFERENCE, (one.difference_id,))


OF_RETURN = """select
    (select count(*) from settlement.settlement where settlement_id = $1::uuid and state = 'returned') as settlements,
    (select count(*) from settlement.item where kind = 'payout-returned' and subject = $1::uuid::text) as items,
    (select count(*) from ledger.entry where reference = 'settlement/' || $1::uuid || '/returned') as entries"""


async def a_payout_that_comes_back(market: Market, shop: Shop, number: int) -> Act:
    async with market.database.platform_transaction() as session:
        await session.execute(f"{PAYEES} on conflict do nothing")
        await session.execute(DUE, f"{number}-")
    draw, pay = settlement.DrawUp(cut_off=TOMORROW), settlement.MakePayoutFile(currency="EUR", execute_on=TOMORROW)
    await market.platform.call(settlement.draw_up, draw, BUYER)
    first, *_ = waiting = await prepared(market)
    for one in waiting:
        approve = settlement.Approve(settlement_id=one.settlement_id)
        await market.platform.call(settlement.approve, approve, program.SECOND)
    await market.platform.call(settlement.make_payout_file, pay, BUYER)
    ask = settlement.NoteReturned(settlement_id=first.settlement_id, reason="account closed")
    return Act(settlement.note_returned, ask, OF_RETURN, (first.settlement_id,))


OF_ENTRY = """select (select count(*) from ledger.entry where reference = $1) as entries,
    (select count(distinct layer) from ledger.leg join ledger.entry using (front_end, entry_id)
        where reference = $1) as legs"""


async def an_exchange(market: Market, shop: Shop, number: int) -> Act:
    ask = ledger.Exchange(
        reference=f"exchange-{number}", sold=money(10_005, "USD"), currency="JPY", rate="151.237",
        source="assets:usd", target="assets:jpy",
    )  # fmt: skip
    return Act(ledger.exchange, ask, OF_ENTRY, (ask.reference,))


async def a_reversal(market: Market, shop: Shop, number: int) -> Act:
    legs = (
        ledger.EntryLeg(account="assets:bank", amount=money(5, "EUR")),
        ledger.EntryLeg(account="liabilities:loans", amount=money(-5, "EUR")),
    )
    loan = ledger.EntryDraft(reference=f"loan-{number}", kind="loan", legs=legs)
    await market.platform.call(ledger.post, ledger.Post(entries=(loan,)), BUYER)
    ask = ledger.Reverse(reverses=loan.reference, reference=f"undone-{number}")
    return Act(ledger.reverse, ask, OF_ENTRY, (ask.reference,))


ACTS: tuple[Scenario, ...] = (
    goods_that_leave,
    an_invoice,
    an_invoice_of_a_period,
    a_credit_note,
    closed_days,
    a_cost,
    a_claim_of_another,
    a_difference,
    a_payout_that_comes_back,
    an_exchange,
    a_reversal,
)


@pytest.mark.parametrize("numbers", [SOME, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["some", "every"])
@pytest.mark.parametrize("scenario", ACTS, ids=lambda one: one.__name__)
async def test_what_is_killed_is_done_whole_or_not_at_all_and_once(
    market: Market, shop: Shop, scenario: Scenario, numbers: Iterable[int]
) -> None:
    for statements in numbers:
        act = await scenario(market, shop, statements)
        assert set((await there(market, act.found, *act.about)).values()) == {0}, "it is not done yet"
        has_ended = await killed(market, statements, act.capability, act.ask)
        found = await there(market, act.found, *act.about)
        assert set(found.values()) in ({0}, {1}), f"killed after {statements}: {found}"
        with suppress(errors.Refusal):  # it had been done before the kill
            await market.platform.call(act.capability, act.ask, BUYER)
        assert set((await there(market, act.found, *act.about)).values()) == {1}
        assert await market.left() == {}
        if has_ended:
            break
