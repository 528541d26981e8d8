"""Subscription: what is bought again every few weeks costs less, and as much as it was agreed for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from isthmus.kernel import PASS, Pass, Product, answers
from isthmus.packs.pricing import api as pricing
from isthmus.packs.subscription import api as subscription
from isthmus.values import Buyer, Money

KIND = "subscription"
OFF = Fraction(5, 100)
KEPT_DAYS = 31  # for longer nobody knows what goods will cost
TRIED_AFTER = (1, 2, 4)  # days: a card that has no money has some within the week, mostly


@answers(pricing.adjust_unit_price, when={"order_kind": KIND})
def costs_less_again(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice | Pass]:
    """Sell for 5 % less where nothing is on sale."""
    return [
        PASS
        if line.sale_amount is not None
        else pricing.UnitPrice(amount=line.amount.times(1 - OFF), per=line.per, by="subscription", reason="subscribed")
        for line in lines
    ]


@answers(subscription.keep_prices, when={"order_kind": KIND})
def as_agreed_each_month(every_days: int) -> bool:
    """Keep the price of what comes at least once a month."""
    return every_days <= KEPT_DAYS


@answers(subscription.retry_days, when={"order_kind": KIND})
def within_the_week(amount: Money) -> tuple[int, ...]:
    """Try a payment that was refused again within the week."""
    return TRIED_AFTER


SUBSCRIPTION = Product(
    name="subscription",
    doc="Goods that come again every few weeks for 5 % less, at the price they were agreed for.",
    owner="growth",
    adds={"order_kind": (KIND,)},
    answers=(costs_less_again, as_agreed_each_month, within_the_week),
)
