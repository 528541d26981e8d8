"""From sales to the bank by the provider's own file: matched, booked, paid out; and what is wrong with it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.flows.matching import api as matching
from isthmus.kernel import answers
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.values import Money

from .conftest import Shop
from .test_bookkeeping import Books, books_of, eur, three_percent
from .test_disputes import capture_of, said
from .test_matching import differ, take_in

HEAD = "reference,kind,date,currency,amount,fee"
TODAY = datetime.now(UTC).date()


async def year_of(books: Books) -> list[str]:
    """Sell, refund and be charged back; return the lines that the provider's file has, in its own words."""
    for number in range(6):
        placed = await books.bought(("tea", 1), ("jam", 1 + number % 3))
        if number % 3 == 0:
            await books.by_hand(placed.payment_id, 150 + number, "goodwill")
        if number == 4:
            await said(books, await capture_of(books, placed.payment_id), 700, fee=1_500)
    lines = books.shop.provider.file(fee_ppm=29_000).splitlines()[1:]
    return [*lines, f"chargeback/cb-1,chargeback,{TODAY},EUR,-7.00,15.00"]


def payout(lines: Sequence[str], reference: str = "po-1") -> str:
    """Return the line that pays out all that lines come to, less what was kept of them."""
    cells = [line.split(",") for line in lines]
    net = sum(round(100 * float(amount)) - round(100 * float(fee)) for *_, amount, fee in cells)
    return f"{reference},payout,{TODAY},EUR,{-net / 100:.2f},0"


def file_of(lines: Sequence[str]) -> str:
    return "\n".join((HEAD, *lines, ""))


async def test_a_providers_file_leads_from_sales_to_the_bank_and_leaves_nothing(shop: Shop) -> None:
    books = books_of(shop)
    lines = await year_of(books)
    paid_out = payout(lines)
    took = await take_in(books, file_of([*lines, paid_out]))
    assert took.matched == took.lines == len(lines) + 1
    assert await differ(books) == []
    reached = -round(100 * float(paid_out.split(",")[4]))
    fees = sum(round(100 * float(line.split(",")[5])) for line in lines) - 1_500
    assert await books.stands("assets:clearing", "assets:bank", "expenses:payment-fees") == [0, reached, fees]
    assert fees > 0
    statement = f"po-1,transfer,{TODAY},EUR,{reached / 100:.2f},0"
    assert (await take_in(books, file_of([statement]), "bank")).matched == 1
    assert await differ(books) == []
    assert await books.shop.broken() == []


async def test_a_second_file_with_the_same_payout_books_nothing_twice(shop: Shop) -> None:
    books = books_of(shop)
    lines = await year_of(books)
    paid_out = payout(lines)
    await take_in(books, file_of([*lines, paid_out]))
    stood = await books.stands("assets:clearing", "assets:bank", "expenses:payment-fees")
    await take_in(books, file_of([paid_out, lines[0]]))
    assert Counter(one.kind for one in await differ(books)) == {"duplicate": 2}
    assert await books.stands("assets:clearing", "assets:bank", "expenses:payment-fees") == stood


def twice(lines: list[str]) -> list[str]:
    return [*lines, lines[0]]


def other_currency(lines: list[str]) -> list[str]:
    return [lines[0].replace("EUR", "USD"), *lines[1:]]


def other_amount(lines: list[str]) -> list[str]:
    cells = lines[0].split(",")
    return [",".join([*cells[:4], f"{float(cells[4]) + 1:.2f}", cells[5]]), *lines[1:]]


def unknown(lines: list[str]) -> list[str]:
    return [*lines, f"nobody/knows,capture,{TODAY},EUR,987.65,0.30"]


def late(lines: list[str]) -> list[str]:
    return [lines[0].replace(str(TODAY), str(TODAY + timedelta(days=9))), *lines[1:]]


def a_missing_day(lines: list[str]) -> list[str]:
    """Leave a day out: a line of much later says that its file should have come."""
    return [*lines[1:], f"later,fee,{TODAY + timedelta(days=9)},EUR,-1.00,0"]


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (twice, {"duplicate": 1}),
        (other_currency, {"currency": 1}),
        (other_amount, {"amount": 1}),
        (unknown, {"missing-here": 1}),
        (late, {"late": 1}),
        (a_missing_day, {"missing-there": 1, "missing-here": 1}),
    ],
)
async def test_what_is_wrong_with_a_file_is_a_difference_of_its_kind(
    shop: Shop, plant: Callable[[list[str]], list[str]], kinds: dict[str, int]
) -> None:
    books = books_of(shop)
    lines = await year_of(books)
    await take_in(books, file_of(plant(lines)))
    assert Counter(one.kind for one in await differ(books)) == kinds
    assert await books.shop.broken() == []


@pytest.mark.parametrize("head", [HEAD.replace("amount", "gross"), HEAD.replace(",fee", ""), "reference;kind;date"])
async def test_a_file_with_a_changed_column_is_refused_whole(shop: Shop, head: str) -> None:
    books = books_of(shop)
    lines = await year_of(books)
    with pytest.raises(reconciliation.UnreadableFile, match="the file has no column"):
        await take_in(books, "\n".join((head, *lines)))
    files = await books.call(reconciliation.list_files, reconciliation.ListFiles())
    assert files.items == ()


@answers(bookkeeping.payment_fee)
def a_cent(method: str, provider: str, amount: Money) -> Money:
    """Expect a cent of each payment."""
    return eur(1)


async def test_a_fee_that_was_expected_is_not_booked_again_and_another_one_is_a_difference(shop: Shop) -> None:
    books = books_of(shop, three_percent)
    await books.bought(("tea", 1))
    await take_in(books, shop.provider.file(fee_ppm=30_000))
    assert await differ(books) == []
    assert await books.stands("expenses:payment-fees", "assets:clearing") == [30, 970]
    other = books_of(shop, a_cent)
    await other.bought(("tea", 1))
    moved = shop.provider.file(fee_ppm=30_000).splitlines()
    await take_in(other, "\n".join((moved[0], moved[-1])))
    (one,) = await differ(other)
    assert (one.kind, one.amount.minor) == ("fee", 29)


def test_the_flows_that_book_what_a_file_says_react() -> None:
    assert matching.book_payout.is_internal
    assert matching.book_fees.is_internal
    assert matching.expect_chargeback.is_internal
