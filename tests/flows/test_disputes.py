"""A payer's bank takes money back: noted once, booked, withheld from refunds, borne by whom the front end says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import pytest

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.flows.disputes import api as disputes
from isthmus.kernel import answers, decode, encode, errors
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.ledger import api as ledger
from isthmus.packs.payment import api as payment
from isthmus.packs.payment.service.http_provider import HttpProvider, signature_of
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement

from .conftest import Shop
from .test_bookkeeping import Books, a_tenth_of_tea, books_of, eur, money

EVENTS = """select data from isthmus.outbox where type = 'chargeback.chargeback-moved'
    union all select data from isthmus.event where type = 'chargeback.chargeback-moved'"""
DISPUTED = ("assets:clearing", "assets:chargebacks", "expenses:chargebacks", "expenses:chargeback-fees")


@answers(bookkeeping.chargeback_bearers)
def sellers_bear_theirs(lost: bookkeeping.Happening) -> tuple[bookkeeping.Owed, ...]:
    """Have each seller bear what of a lost chargeback their goods are."""
    weights = [line.total.minor for line in lost.lines]
    parts = lost.amount.allocate(weights)
    pairs = zip(lost.lines, parts, strict=True)
    return tuple(
        bookkeeping.Owed(owner=f"seller/{line.seller}", amount=part)
        for line, part in pairs
        if line.is_for_another and part.minor
    )


@answers(bookkeeping.chargeback_bearers)
def too_much(lost: bookkeeping.Happening) -> tuple[bookkeeping.Owed, ...]:
    """Have a seller bear more than was lost."""
    return (bookkeeping.Owed(owner="seller/tea-maker", amount=lost.amount + eur(1)),)


@pytest.fixture
async def books(shop: Shop) -> Books:
    return books_of(shop, a_tenth_of_tea)


async def capture_of(books: Books, payment_id: UUID) -> str:
    async with books.shop.database.platform() as session:
        sql = "select key from payment.attempt where payment_id = $1 and kind = 'capture'"
        return await session.fetch_value(sql, payment_id)


Step = Literal["opened", "won", "lost"]


async def said(
    books: Books, key: str, minor: int, state: Step = "opened", reference: str = "cb-1", fee: int = 0
) -> chargeback.Chargeback:
    """Have the test provider say a step of a chargeback, and hand it on as it came."""
    fees = eur(fee) if fee else None
    state_ = chargeback.ChargebackState(state)
    notice = chargeback.ChargebackNotice(
        reference=reference, key=key, state=state_, amount=eur(minor), fee=fees, reason="fraud"
    )
    return await books.call(disputes.receive_chargeback, sent(books, notice))


def sent(books: Books, notice: chargeback.ChargebackNotice) -> payment.Notify:
    payload = encode(disputes.Disputed(chargeback=notice)).decode()
    books.shop.provider.said.add(payload)
    return payment.Notify(provider="test", payload=payload)


async def listed(books: Books) -> list[tuple[str, str, int, int]]:
    found = await books.call(chargeback.list_chargebacks, chargeback.ListChargebacks())
    return [(one.reference, one.state, one.amount.minor, one.fee.minor) for one in found.items]


async def withheld(books: Books, payment_id: UUID) -> int:
    found = await books.call(payment.get_payment, payment.GetPayment(payment_id=payment_id))
    return found.withheld.minor if found.withheld else 0


async def test_money_that_was_taken_back_is_open_until_it_is_won_and_what_it_cost_stays_an_expense(
    books: Books,
) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    opened = await said(books, key, 2_000, fee=1_500)
    assert (opened.state, opened.paid_for) == ("opened", str(placed.group_id))
    assert await books.stands(*DISPUTED) == [-1_500, 2_000, 0, 1_500]
    assert await withheld(books, placed.payment_id) == 2_000
    await said(books, key, 2_000, "won")
    assert await books.stands(*DISPUTED) == [500, 0, 0, 1_500]
    assert await withheld(books, placed.payment_id) == 0
    assert await listed(books) == [("cb-1", "won", 2_000, 1_500)]
    assert await books.shop.broken() == []


async def test_what_is_lost_is_the_front_ends_expense_where_it_says_nothing_else(books: Books) -> None:
    placed = await books.bought(("tea", 1), ("jam", 5))
    key = await capture_of(books, placed.payment_id)
    await said(books, key, 1_200, fee=1_500)
    await said(books, key, 1_200, "lost", fee=100)
    assert await books.stands(*DISPUTED) == [3_000 - 2_800, 0, 1_200, 1_600]
    assert await books.stands("liabilities:sellers") == [0]
    entries = await books.call(ledger.list_entries, ledger.ListEntries(subject=str(placed.group_id)))
    assert {"chargeback-opened", "chargeback-lost"} <= {one.kind for one in entries.items}
    assert await books.shop.broken() == []


async def test_sellers_bear_their_part_and_settlement_takes_it_off_what_they_are_due(shop: Shop) -> None:
    books = books_of(shop, a_tenth_of_tea, sellers_bear_theirs)
    placed = await books.bought(("tea", 1), ("jam", 5))
    await books.sent(placed.orders[0].order_id, "1")
    assert await books.stands("liabilities:sellers") == [-900]
    key = await capture_of(books, placed.payment_id)
    await said(books, key, 3_000)
    await said(books, key, 3_000, "lost")
    assert await books.stands("liabilities:sellers", "expenses:chargebacks") == [-900 + 1_000, 2_000]
    items = await books.call(settlement.list_items, settlement.ListItems(subject=str(placed.group_id)))
    assert [(one.kind, one.payee, one.amount.minor) for one in items.items] == [
        ("chargeback", "seller/tea-maker", -1_000)
    ]
    assert await books.shop.broken() == []


async def test_an_answer_that_has_others_bear_more_than_was_lost_is_passed_over(shop: Shop) -> None:
    books = books_of(shop, a_tenth_of_tea, too_much)
    placed = await books.bought(("tea", 1))
    key = await capture_of(books, placed.payment_id)
    await said(books, key, 1_000)
    await said(books, key, 1_000, "lost")
    assert await books.stands("liabilities:sellers", "expenses:chargebacks") == [0, 1_000]
    assert await books.shop.broken() == []


async def test_a_chargeback_that_is_told_twice_or_too_late_counts_once(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    for state in ("opened", "opened", "lost", "lost", "opened"):
        await said(books, key, 700, state, fee=300)  # type: ignore[arg-type]
    assert await books.stands(*DISPUTED) == [2_000 - 700 - 600, 0, 700, 600]
    with pytest.raises(chargeback.ChargebackContradicted, match="'cb-1' is lost, and the provider now says won"):
        await said(books, key, 700, "won")
    with pytest.raises(chargeback.ChargebackContradicted, match=r"is 7\.00 EUR of payment .* now says 8\.00 EUR"):
        await said(books, key, 800)
    assert await listed(books) == [("cb-1", "lost", 700, 600)]
    assert await books.shop.broken() == []


async def test_one_that_is_told_when_it_has_ended_is_noted_with_both_its_steps(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    await said(books, await capture_of(books, placed.payment_id), 700, "lost", fee=300)
    assert await books.stands(*DISPUTED) == [2_000 - 1_000, 0, 700, 300]
    assert await listed(books) == [("cb-1", "lost", 700, 300)]
    assert await books.shop.broken() == []


async def test_a_payment_that_was_refunded_can_be_charged_back_too_and_is_not_refunded_again(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    await books.by_hand(placed.payment_id, 1_500, "goodwill")
    await said(books, key, 2_000)
    async with books.shop.database.platform() as session:
        twice = [json.loads(row["data"])["is_given_back"] for row in await session.fetch(EVENTS)]
    assert twice == [True]
    with pytest.raises(payment.AmountExceeded):
        await books.by_hand(placed.payment_id, 1, "more")
    assert await books.stands(*DISPUTED) == [2_000 - 1_500 - 2_000, 2_000, 0, 0]
    assert await books.shop.broken() == []


async def test_what_is_charged_back_cannot_be_given_back_by_a_refund_until_it_is_won(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    await said(books, key, 1_500)
    with pytest.raises(payment.AmountExceeded, match=r"5\.00 EUR"):
        await books.by_hand(placed.payment_id, 600, "goodwill")
    await books.by_hand(placed.payment_id, 500, "goodwill")
    await said(books, key, 1_500, "won")
    await books.by_hand(placed.payment_id, 600, "more")
    assert await books.shop.broken() == []


@pytest.mark.parametrize("minor", [2_001, 10_000])
async def test_more_than_was_captured_is_refused_and_nothing_is_booked(books: Books, minor: int) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    with pytest.raises(chargeback.ChargebackTooLarge, match=r"and 20\.00 EUR is there to be taken"):
        await said(books, key, minor)
    await said(books, key, 1_500)
    with pytest.raises(chargeback.ChargebackTooLarge, match=r"and 5\.00 EUR is there to be taken"):
        await said(books, key, 501, reference="cb-2")
    await said(books, key, 500, reference="cb-2")
    assert await withheld(books, placed.payment_id) == 2_000
    assert await books.shop.broken() == []


async def test_chargebacks_of_one_payment_at_once_take_no_more_than_there_is(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    asks = [said(books, key, 700, reference=f"cb-{number % 4}") for number in range(12)]
    came = await asyncio.gather(*asks, return_exceptions=True)
    assert {type(one) for one in came if isinstance(one, Exception)} == {chargeback.ChargebackTooLarge}
    assert len(await listed(books)) == 2
    assert await withheld(books, placed.payment_id) == 1_400
    assert await books.stands("assets:chargebacks") == [1_400]
    assert await books.shop.broken() == []


async def test_what_no_provider_took_or_said_is_refused(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    with pytest.raises(payment.UnknownPayment, match="nobody-knows"):
        await said(books, "nobody-knows", 100)
    with pytest.raises(payment.UnknownProvider):
        await books.call(disputes.receive_chargeback, payment.Notify(provider="other", payload="{}"))
    for payload in ("{}", "", json.dumps({"key": key})):
        with pytest.raises(payment.BadNotification):
            await books.call(disputes.receive_chargeback, payment.Notify(provider="test", payload=payload))
    opened = chargeback.ChargebackState.OPENED
    for amount in (money(100, "USD"), eur(0), eur(-1)):
        wrong = chargeback.ChargebackNotice(reference="cb-1", key=key, state=opened, amount=amount)
        with pytest.raises(payment.BadNotification):
            await books.call(disputes.receive_chargeback, sent(books, wrong))
    assert await listed(books) == []


async def test_reconciliation_knows_what_the_file_will_say_of_a_chargeback(books: Books) -> None:
    placed = await books.bought(("jam", 5))
    key = await capture_of(books, placed.payment_id)
    await said(books, key, 2_000, fee=1_500)
    await said(books, key, 2_000, "won")
    day = await _today(books)
    lines = (
        f"chargeback/cb-1,chargeback,{day},EUR,-20.00,15.00",
        f"chargeback/cb-1/won,chargeback,{day},EUR,20.00,0",
        f"chargeback/cb-9,chargeback,{day},EUR,-3.00,15.00",
    )
    content = "\n".join(("reference,kind,date,currency,amount,fee", *lines))
    ask = reconciliation.ImportFile(provider="test", name="day.csv", form="csv", content=content)
    assert (await books.call(reconciliation.import_file, ask)).matched == 2
    found = await books.call(reconciliation.list_differences, reconciliation.ListDifferences())
    assert [(one.kind, one.reference) for one in found.items] == [("missing-here", "chargeback/cb-9")]


async def _today(books: Books) -> str:
    async with books.shop.database.platform() as session:
        return str(await session.fetch_value("select (now() at time zone 'UTC')::date"))


def notification(secret: str, **chargeback_: Any) -> str:
    payload = json.dumps({"chargeback": chargeback_})
    return f"{signature_of(payload, secret)}.{payload}"


def test_a_provider_over_http_signs_what_it_says_of_chargebacks() -> None:
    provider = HttpProvider("card", "http://provider.example", "secret", ("card",))
    assert isinstance(provider, payment.Signing)
    amount = {"currency": "EUR", "minor": 700}
    facts: dict[str, Any] = {"reference": "cb-1", "key": "k", "state": "opened", "amount": amount}
    found = decode(provider.signed(notification("secret", **facts)), disputes.Disputed).chargeback
    assert (found.reference, found.key, found.amount) == ("cb-1", "k", eur(700))
    wrong: Sequence[str] = (notification("other", **facts), "", "." + json.dumps({"chargeback": facts}))
    for payload in wrong:
        with pytest.raises(errors.BadAsk):
            provider.signed(payload)


def test_only_flows_withhold_note_and_book() -> None:
    assert payment.withhold.is_internal
    assert chargeback.note.is_internal
    assert bookkeeping.book_chargeback.is_internal
