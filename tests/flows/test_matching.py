"""What a provider's file says of payments is matched with what was paid, and what resolves a difference is booked."""

from __future__ import annotations

from datetime import UTC, date, datetime

from isthmus.flows.matching import api as matching
from isthmus.kernel import decode
from isthmus.packs.ledger import api as ledger
from isthmus.packs.payment import api as payment
from isthmus.packs.reconciliation import api as reconciliation

from .conftest import Shop
from .test_bookkeeping import Books, books_of
from .test_payouts import payee, paying, settled

MOVED = """select data from isthmus.outbox where type = 'payment.payment-moved'
    union all select data from isthmus.event where type = 'payment.payment-moved'"""
FILE = """select key, kind, amount_minor, to_char(ended_at, 'YYYY-MM-DD') as day from payment.attempt
    where state = 'done' and kind in ('capture', 'refund')"""
HEAD = "reference,kind,date,currency,amount,fee\n"


async def hear_again(books: Books) -> None:
    """Do what the job does after a payment of a server that did not note it: expect what the provider is to say."""
    async with books.shop.database.platform() as session:
        rows = await session.fetch(MOVED)
    for row in rows:
        await books.call(matching.expect_payment, decode(row["data"], payment.PaymentMoved))


async def written(books: Books, fee: str) -> str:
    """Return the file of the provider: all that it did, as it knows it."""
    async with books.shop.database.platform() as session:
        rows = await session.fetch(FILE)
    signed = [(row, -1 if row["kind"] == "refund" else 1) for row in rows]
    return HEAD + "".join(
        f"{row['key']},{row['kind']},{row['day']},EUR,{sign * row['amount_minor'] / 100:.2f},{fee}\n"
        for row, sign in signed
    )


async def take_in(books: Books, content: str, provider: str = "test", form: str = "csv") -> reconciliation.ImportedFile:
    ask = reconciliation.ImportFile(provider=provider, name="file", form=form, content=content)  # type: ignore[arg-type]
    return await books.call(reconciliation.import_file, ask)


async def differ(books: Books) -> list[reconciliation.Difference]:
    found = await books.call(reconciliation.list_differences, reconciliation.ListDifferences())
    return list(found.items)


async def test_orders_payments_and_the_providers_file_are_one(shop: Shop) -> None:
    books = books_of(shop)
    placed = await books.bought(("tea", 2))
    await books.bought(("jam", 1))
    await books.by_hand(placed.payment_id, 120, "goodwill")
    await hear_again(books)  # noted where it moved, and counted once
    took = await take_in(books, await written(books, "0"))
    assert (took.lines, took.matched) == (3, 3)
    assert await differ(books) == []
    assert await books.stands("assets:clearing") == [2000 + 400 - 120]
    await books.check()


async def test_a_fee_that_nobody_knew_of_is_booked_when_it_is_resolved(shop: Shop) -> None:
    books = books_of(shop)
    await books.bought(("tea", 1))
    content = (await written(books, "0")).replace("10.00", "9.70")
    await take_in(books, content)
    (one,) = await differ(books)
    assert (one.kind, one.amount.minor) == ("amount", -30)
    ask = reconciliation.Resolve(difference_id=one.difference_id, note="kept", account="expenses:payment-fees")
    await books.call(reconciliation.resolve, ask)
    assert await books.stands("assets:clearing", "expenses:payment-fees") == [970, 30]
    entries = await books.call(ledger.list_entries, ledger.ListEntries(kind="difference-resolved"))
    assert [(entry.reference, entry.memo) for entry in entries.items] == [(f"difference/{one.difference_id}", "kept")]


async def test_a_difference_is_booked_on_its_own_day_or_on_the_first_open_one(shop: Shop) -> None:
    books = books_of(shop)
    await take_in(books, f"{HEAD}terminal-1,fee,2026-01-31,EUR,-2.00,0\nterminal-2,fee,2026-02-28,EUR,-2.00,0\n")
    close = ledger.ClosePeriod(closed_through=date(2026, 1, 31), reason="the month is over")
    await books.call(ledger.close_period, close)
    for one in await differ(books):
        ask = reconciliation.Resolve(difference_id=one.difference_id, note="kept", account="expenses:payment-fees")
        assert (await books.call(reconciliation.resolve, ask)).day == one.day
    entries = await books.call(ledger.list_entries, ledger.ListEntries(kind="difference-resolved"))
    booked = {entry.subject: entry.value_date for entry in entries.items}
    assert booked == {"terminal-1": date(2026, 2, 1), "terminal-2": date(2026, 2, 28)}
    await books.check()


async def test_the_bank_says_that_a_seller_was_paid(shop: Shop) -> None:
    books = paying(shop)
    await payee(books)
    await books.bought(("tea", 1), is_paid=False, paid_at_till="cash")
    one = await settled(books)
    day = datetime.now(UTC).date()
    statement = HEAD + f"{one.settlement_id.hex},transfer,{day},EUR,-9.00,0\nrent,debit,{day},EUR,-1.00,0\n"
    took = await take_in(books, statement, "bank")
    assert took.matched == 1
    (other,) = await differ(books)
    ask = reconciliation.Resolve(difference_id=other.difference_id, note="the rent", account="expenses:rent")
    await books.call(reconciliation.resolve, ask)
    assert await books.stands("assets:bank", "expenses:rent") == [-1000, 100]
    await books.check()


def test_the_flows_of_matching_react() -> None:
    assert matching.note_payment.is_internal
    assert matching.expect_payout.is_internal
    assert matching.book_resolved.is_internal
