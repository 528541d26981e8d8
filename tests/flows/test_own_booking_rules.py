"""A front end books by rules of its own, and one that cannot be booked loses no order."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

import pytest

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import FrontEnd, Platform, answers, errors
from isthmus.kernel.host import Answer
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.runtime.deploy.deploy import checked
from isthmus.runtime.replay.answers import replay_answers
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.values import Buyer
from tests import shipped

from .conftest import ALL, LONG_AGO, Shop
from .test_bookkeeping import books_of, eur

HAPPENED: list[bookkeeping.Happening] = []


@answers(bookkeeping.postings)
def tells(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Keep what it was asked, and book as usual."""
    HAPPENED.append(happening)
    return bookkeeping.default_postings(happening)


@answers(pricing.adjust_unit_price)
def a_euro_less(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice]:
    """Take a euro off each: no promotion does."""
    return [pricing.UnitPrice(amount=one.amount - eur(100), by="north", reason="cheap") for one in lines]


async def test_a_part_of_a_line_tells_its_part_of_each_promotion_and_all_parts_the_whole(shop: Shop) -> None:
    HAPPENED.clear()
    books = books_of(shop, tells, a_euro_less)
    for name, minor in (("spring", 100), ("club", 101)):
        benefit = promotion.AmountOff(amount=eur(minor))
        drafted = promotion.Promotion(code=name, title=name, benefit=benefit, valid_from=LONG_AGO)
        await books.call(promotion.put_promotion, promotion.PutPromotion(promotion=drafted))
    placed = await books.bought(("jam", 3))
    assert placed.bill.lines[0].amount == eur(900)
    for parcel in range(3):
        await books.sent(placed.orders[0].order_id, f"{parcel}", (0, 1))
    for _ in range(3):
        await books.returned(placed.orders[0].order_id, (0, 1))
    for kind in ("goods-delivered", "goods-returned"):
        lines = [one.lines[0] for one in HAPPENED if one.kind == kind]
        assert all(sum(one.amount.minor for one in line.promotions) == line.discount.minor for line in lines)
        off = Counter[str]()
        for line in lines:
            off.update({one.promotion: one.amount.minor for one in line.promotions})
        assert off == {"spring": 100, "club": 101}


@answers(bookkeeping.postings)
def own_sales_account(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Book sales on an account of its own."""
    legs = bookkeeping.default_postings(happening)
    return tuple(
        ledger.EntryLeg(account="income:sales:own", amount=leg.amount) if leg.account == "income:sales" else leg
        for leg in legs
    )


@answers(bookkeeping.postings)
def loses_a_cent(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Lose a cent of each entry."""
    first, *others = bookkeeping.default_postings(happening)
    return (ledger.EntryLeg(account=first.account, amount=first.amount - eur(1)), *others)


@answers(bookkeeping.postings)
def breaks(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Break."""
    raise ZeroDivisionError(happening.kind)


async def test_a_front_end_books_by_rules_of_its_own(shop: Shop) -> None:
    books = books_of(shop, own_sales_account)
    placed = await books.bought(("jam", 1))
    await books.sent(placed.orders[0].order_id, "1")
    assert await books.stands("income:sales:own", "liabilities:customers") == [-400, 0]
    await books.check()


async def test_a_replay_of_recorded_sales_shows_which_entries_another_rule_would_book_otherwise(shop: Shop) -> None:
    old, new = (books_of(shop, *own).shop.platform for own in ((), (own_sales_account,)))
    recorder = Recorder(shop.database, old.release.points, Recording(share=1.0))
    resources: dict[type, object] = {
        payment.Providers: payment.Providers([shop.provider]),
        order.Numbers: order.Numbers(shop.database),
    }
    selling = Platform(old.release, shop.database, recorder=recorder, resources=resources)
    lines = (checkout.BuyLine(sku="jam", quantity=2),)
    ask = checkout.PlaceOrder(currency="EUR", lines=lines, paid_at_till="cash")
    await selling.call(checkout.place_order, ask, shop.north)
    await recorder.flush()
    found = await replay_answers(shop.database, old.release, new.release, "north")
    differing = {one.name: one for one in found.front_ends[0].tallies if one.differing}
    assert {name: one.differing for name, one in differing.items()} == {"bookkeeping.postings": 1}
    (example,) = differing["bookkeeping.postings"].examples
    assert [(one.old, one.new) for one in example.differences] == [('"income:sales"', '"income:sales:own"')]
    assert (await replay_answers(shop.database, old.release, old.release, "north")).is_same


@pytest.mark.parametrize("rule", [loses_a_cent, breaks], ids=["does not balance", "breaks"])
async def test_a_rule_that_cannot_be_booked_loses_no_order_and_is_told(
    shop: Shop, caplog: pytest.LogCaptureFixture, rule: Answer
) -> None:
    books = books_of(shop, rule)
    with caplog.at_level(logging.WARNING):
        placed = await books.bought(("jam", 1))
        await books.sent(placed.orders[0].order_id, "1")
    assert await books.stands("income:sales", "liabilities:customers") == [-400, 0]
    refused = await books.shop.broken()
    if rule is loses_a_cent:
        assert refused == ["bookkeeping.rules-balance"]
        assert "add up to -0.01 EUR" in caplog.text
    async with shop.database.platform_transaction() as session:  # what the shop's own doctor would find at the end
        await session.execute("alter table ledger.entry disable trigger user")
        await session.execute("update ledger.entry set metadata = '{}'")
        await session.execute("alter table ledger.entry enable trigger user")


@pytest.mark.parametrize("rule", [loses_a_cent, breaks], ids=["does not balance", "breaks"])
def test_a_rule_that_does_not_balance_is_not_deployed(rule: Answer) -> None:
    release = shipped.build([])
    checked(release, FrontEnd(code="north", name="N", owner="n", uses=ALL, answers=(own_sales_account,)))
    with pytest.raises(errors.BuildProblems) as wrong:
        checked(release, FrontEnd(code="north", name="N", owner="n", uses=ALL, answers=(rule,)))
    (problem,) = wrong.value.problems
    assert f"north.{rule.name} (" in problem
    assert "answers 'bookkeeping.postings' wrongly: " in problem
