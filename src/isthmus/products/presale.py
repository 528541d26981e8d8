"""Presale: sell what is not there yet, without touching what is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from isthmus.kernel import ALLOW, Product, Verdict, answers, veto
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.values import Buyer, Money

KIND = "presale"
DEPOSIT = Fraction(20, 100)
PROMISED_MAX = 5_000  # units of one stock: more than one delivery of a maker brings
COMES_AFTER = timedelta(days=21)
COMES_WITHIN = timedelta(days=28)


@answers(inventory.back_order_limit, when={"order_kind": KIND})
def promise_what_will_come(stocks: Sequence[inventory.StockAt]) -> Sequence[int]:
    """Promise up to so many units beyond stock."""
    return [PROMISED_MAX] * len(stocks)


@answers(inventory.sellable_quantity, when={"order_kind": KIND})
def leave_stock_alone(stocks: Sequence[inventory.StockAt]) -> Sequence[int]:
    """Sell nothing that lies there: it is for those who buy today."""
    return [0] * len(stocks)


@answers(payment.deposit, when={"order_kind": KIND})
def a_fifth_now(amount: Money) -> Money:
    """Ask for a fifth at once, and for the rest before the goods are sent."""
    return amount.times(DEPOSIT)


@answers(fulfilment.delivery_promise, when={"order_kind": KIND})
def arrive_in_weeks(
    ask: fulfilment.QuoteDelivery, option: fulfilment.DeliveryOption, now: datetime
) -> fulfilment.Promise:
    """Promise the fourth week from now."""
    return fulfilment.Promise(earliest=now + COMES_AFTER, latest=now + COMES_WITHIN)


@answers(fulfilment.shipment_key, when={"order_kind": KIND})
def ship_apart(lines: Sequence[fulfilment.PlanLine]) -> Sequence[str]:
    """Send presold goods by themselves, so that nothing else waits for them."""
    return [KIND] * len(lines)


@answers(promotion.judge_eligibility, when={"order_kind": KIND})
def only_presale_promotions(
    promotions: Sequence[promotion.Promotion], lines: Sequence[promotion.PromotionLine], buyer: Buyer
) -> Sequence[Verdict]:
    """Let only promotions count that are meant for presales."""
    return [ALLOW if KIND in one.conditions.order_kinds else veto("not for presales") for one in promotions]


PRESALE = Product(
    name="presale",
    doc="Sell what will come, promised for a date; stock at hand stays for standard orders.",
    owner="growth",
    adds={"order_kind": (KIND,)},
    answers=(
        promise_what_will_come,
        leave_stock_alone,
        a_fifth_now,
        arrive_in_weeks,
        ship_apart,
        only_presale_promotions,
    ),
)
