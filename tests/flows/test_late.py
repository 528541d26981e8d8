"""What comes late: money back after the books are closed, and goods back after the rules have changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.kernel import answers, errors, ports
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import Money

from .conftest import RulesOf, Shop
from .test_bookkeeping import a_tenth_of_tea, books_of, eur


@answers(order.commission)
def half_of_tea(lines: Sequence[order.DraftLine]) -> Sequence[Money]:
    """Keep half of tea, which is another rule than it was sold under."""
    return [eur(line.total.minor // 2 if line.sku == "tea" else 0) for line in lines]


async def test_goods_come_back_with_the_commission_that_they_were_sold_under(shop: Shop) -> None:
    before = books_of(shop, a_tenth_of_tea)
    order_id = (await before.bought(("tea", 3))).orders[0].order_id
    await before.sent(order_id, "1")
    after = books_of(shop, half_of_tea)
    after.shop.platform.resources[ports.KeptRules] = RulesOf(before.shop.platform)
    await after.returned(order_id, (0, 2))
    assert await after.stands("income:commission", "liabilities:sellers") == [-100, -900]
    newer = (await after.bought(("tea", 1))).orders[0].order_id
    await after.sent(newer, "2")
    assert await after.stands("income:commission", "liabilities:sellers") == [-600, -1_400]
    await after.check()


async def test_money_that_goes_back_once_the_days_are_closed_is_booked_on_the_first_open_one(shop: Shop) -> None:
    books = books_of(shop)
    placed = await books.bought(("jam", 5))
    await books.sent(placed.orders[0].order_id, "1")
    closed = datetime.now(UTC).date() + timedelta(days=3)
    await books.call(ledger.close_period, ledger.ClosePeriod(closed_through=closed, reason="the month is over"))
    await books.returned(placed.orders[0].order_id, (0, 2))
    await books.by_hand(placed.payment_id, 120, "goodwill")
    for kind in ("payment-refunded", "goods-returned"):
        entries = await books.call(ledger.list_entries, ledger.ListEntries(kind=kind))
        assert {one.value_date for one in entries.items} == {closed + timedelta(days=1)}
        assert entries.items
    trial = await books.call(ledger.trial_balance, ledger.GetTrialBalance(until=closed))
    assert all(line.code != "income:returns" for line in trial.lines), "what was closed stays as it was"
    await books.check()


async def test_money_that_is_taken_again_or_given_back_before_it_was_taken_is_booked_by_no_half(shop: Shop) -> None:
    books = books_of(shop)
    placed = await books.bought(("tea", 1), is_paid=False)
    refund = payment.Refund(payment_id=placed.payment_id, amount=eur(100), reference="early")
    with pytest.raises(errors.Refusal):
        await books.call(payment.refund, refund)
    hold = payment.Authorise(payment_id=placed.payment_id, method="card", token="ok")
    await books.call(payment.authorise, hold)
    with pytest.raises(errors.Refusal):
        await books.call(payment.refund, refund)  # it is held, and not taken
    assert await books.stands("assets:clearing", "liabilities:customers") == [0, 0]
    take = payment.Capture(payment_id=placed.payment_id)
    await books.call(payment.capture, take)
    with suppress(errors.Refusal):
        await books.call(payment.capture, take)
    total = placed.due_now.minor
    assert await books.stands("assets:clearing", "liabilities:customers") == [total, -total]
    await books.call(payment.refund, refund)
    assert await books.call(payment.refund, refund)
    assert await books.stands("assets:clearing", "liabilities:customers") == [total - 100, -total]
