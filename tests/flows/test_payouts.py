"""What sellers are due is noted with the entry that says so, settled, paid, and booked, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.flows.bookkeeping import rules as booking_rules
from isthmus.flows.payouts import api as payouts
from isthmus.flows.payouts import rules
from isthmus.kernel import Caller, answers
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.packs.settlement import api as settlement
from isthmus.values import money

from .conftest import Shop
from .test_bookkeeping import HOME, Books, a_tenth_of_tea, books_of, eur

IBAN = "FR1420041010050500013M02606"
LATER = (datetime.now(UTC) + timedelta(days=90)).date()


@answers(bookkeeping.postings)
def delivery_is_the_sellers(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Owe the fee for delivery to whom the tea is from."""
    return tuple(
        ledger.EntryLeg(account="liabilities:sellers", owner="seller/tea-maker", amount=leg.amount)
        if leg.account == "income:delivery"
        else leg
        for leg in bookkeeping.default_postings(happening)
    )


def paying(shop: Shop, *own: object) -> Books:
    """Return books of a shop that sells tea for its maker, and has a bank account."""
    return books_of(shop, a_tenth_of_tea, *own, **{"settlement.iban": "DE89370400440532013000"})  # type: ignore[arg-type]


async def settled(books: Books, *, is_paid: bool = True) -> settlement.Settlement:
    (one,) = (await books.call(settlement.draw_up, settlement.DrawUp(cut_off=LATER))).items
    second = Caller(front_end="north", client="second")
    ask = settlement.Approve(settlement_id=one.settlement_id)
    await books.shop.platform.call(settlement.approve, ask, second)
    if is_paid:
        pay = settlement.MakePayoutFile(currency="EUR", execute_on=LATER)
        await books.call(settlement.make_payout_file, pay)
    return one


async def payee(books: Books, **terms: int) -> None:
    ask = settlement.PutPayee(payee="seller/tea-maker", currency="EUR", iban=IBAN, **terms)
    await books.call(settlement.put_payee, ask)


async def due(books: Books, order_id: UUID) -> list[tuple[str, int | None, int]]:
    found = await books.call(settlement.list_items, settlement.ListItems(subject=str(order_id)))
    return [(one.kind, one.line, one.amount.minor) for one in found.items]


async def test_a_seller_is_paid_what_the_books_say_less_what_came_back_and_its_fee(shop: Shop) -> None:
    books = paying(shop)
    await payee(books, fee_minor=30)
    placed = await books.bought(("jam", 1), ("tea", 3))
    order_id = placed.orders[0].order_id
    await books.sent(order_id, "1")
    assert await due(books, order_id) == [("sale", 1, 2700)]
    await books.returned(order_id, (1, 1))
    assert await due(books, order_id) == [("sale", 1, 2700), ("return", 1, -900)]
    assert await books.stands("liabilities:sellers") == [-1800]
    one = await settled(books)
    assert (one.credit.minor, one.debit.minor, one.fee.minor, one.payout.minor) == (2700, -900, 30, 1770)
    assert await books.stands("liabilities:sellers", "liabilities:payouts", "assets:bank") == [0, 0, -1770]
    assert await books.stands("income:settlement-fees") == [-30]
    entries = await books.call(ledger.list_entries, ledger.ListEntries(subject=str(one.settlement_id)))
    assert [entry.kind for entry in entries.items] == ["settlement-sent", "settlement-approved"]
    await books.check()


async def test_goods_that_come_back_after_they_were_settled_are_carried_as_a_debt(shop: Shop) -> None:
    books = paying(shop)
    await payee(books)
    order_id = (await books.bought(("tea", 2))).orders[0].order_id
    await books.sent(order_id, "1")
    await settled(books)
    await books.returned(order_id, (0, 1))
    (owes,) = (await books.call(settlement.draw_up, settlement.DrawUp(cut_off=LATER))).items
    assert (owes.payout.minor, owes.carried_out.minor) == (0, -900)
    assert await books.stands("liabilities:sellers") == [900]
    await books.check()


async def test_a_returned_payout_is_owed_again(shop: Shop) -> None:
    books = paying(shop)
    await payee(books)
    await books.bought(("tea", 1), is_paid=False, paid_at_till="cash")
    one = await settled(books)
    back = settlement.NoteReturned(settlement_id=one.settlement_id, reason="account closed")
    await books.call(settlement.note_returned, back)
    assert await books.stands("liabilities:sellers", "assets:bank") == [-900, 0]
    assert (await settled(books)).payout.minor == 900
    assert await books.stands("liabilities:sellers", "assets:bank") == [0, -900]
    await books.check()


async def test_what_a_front_ends_own_rule_owes_a_seller_is_settled_too(shop: Shop) -> None:
    books = paying(shop, delivery_is_the_sellers)
    placed = await books.bought(("tea", 1), delivery_method="post", address=HOME)
    order_id = placed.orders[0].order_id
    await books.sent(order_id, "1")
    assert await due(books, order_id) == [("sale", 0, 900), ("sale", None, 500)]
    await books.check()


async def test_lines_that_will_never_be_sent_are_not_due(shop: Shop) -> None:
    books = paying(shop)
    order_id = (await books.bought(("tea", 3))).orders[0].order_id
    await books.sent(order_id, "1", (0, 1))
    closing = (order.CloseLine(line=0, quantity=2),)
    await books.call(after_sale.close_lines, after_sale.CloseLines(order_id=order_id, reason="lost", lines=closing))
    assert sum(minor for _, _, minor in await due(books, order_id)) == 900
    await books.check()


def test_what_another_front_end_owes_is_set_off_before_it_is_paid() -> None:
    moved = settlement.SettlementMoved(
        settlement_id=UUID(int=1), payee="front-end/south", state=settlement.SettlementState.APPROVED,
        payout=eur(70), fee=eur(0), debit=eur(-30),
    )  # fmt: skip
    legs = [(leg.account, leg.amount.minor) for leg in rules.legs(moved)]
    assert sum(minor for _, minor in legs) == 0
    assert ("assets:front-ends", -30) in legs
    owed = bookkeeping.Owed(owner="front-end/south", amount=eur(30))
    sold = bookkeeping.Happening(kind="stock-sold", amount=eur(30), reference="s", owed=(owed,))
    (line,) = booking_rules.due(sold, bookkeeping.default_postings(sold), "r")
    assert (line.owner, line.gross, line.commission) == ("front-end/south", eur(-30), money(0, "EUR"))


def test_the_flows_react() -> None:
    assert payouts.note_due.is_internal
    assert payouts.book_settlement.is_internal
