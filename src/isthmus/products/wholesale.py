"""Wholesale: resellers buy from a price list of their own, by the case, without tax where they may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from isthmus.kernel import PASS, Pass, Product, answers
from isthmus.packs.inventory import api as inventory
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import Buyer, Money

KIND = "wholesale"
RESELLER = "reseller"  # the segment of members whose certificate was checked
CASE_UNITS = 100  # from so many units of one line on, the case discount holds
CASE_OFF = Fraction(3, 100)
ON_ACCOUNT = Fraction(1, 3)
LEFT_UNITS = 10  # of another's stock: they go to those who buy one by one
OWED = Fraction(70, 100)  # of the price: what the maker is owed, whatever else comes off


@answers(pricing.choose_price_lists, when={"order_kind": KIND})
def wholesale_list(buyer: Buyer, location: str) -> tuple[str, ...]:
    """Price from the list "wholesale", then from the standard one."""
    return (KIND, pricing.STANDARD)


@answers(tax.exempt_line, when={"order_kind": KIND})
def resold_goods(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Charge resellers no tax: it falls due when they sell."""
    return ["bought for resale" if RESELLER in buyer.segments else PASS] * len(lines)


@answers(payment.deposit, when={"order_kind": KIND})
def a_third_on_account(amount: Money) -> Money:
    """Ask for a third at once, and for the rest before the goods leave."""
    return amount.times(ON_ACCOUNT)


@answers(promotion.floor_amount, when={"order_kind": KIND})
def what_the_maker_is_owed(lines: Sequence[promotion.PromotionLine], buyer: Buyer) -> Sequence[Money]:
    """Never go under 70 % of the wholesale price."""
    return [line.amount.times(OWED) for line in lines]


@answers(promotion.extra_benefits, when={"order_kind": KIND})
def case_discount(
    lines: Sequence[promotion.PromotionLine], buyer: Buyer, now: datetime
) -> tuple[promotion.ExtraBenefit, ...] | Pass:
    """Take 3 % off lines of a hundred units and more."""
    shares = tuple(
        promotion.ExtraShare(line=at, amount=line.amount.times(CASE_OFF))
        for at, line in enumerate(lines)
        if line.quantity >= CASE_UNITS
    )
    if not shares:
        return PASS
    reason = f"{CASE_UNITS} units or more"
    return (promotion.ExtraBenefit(code="case", title="Case discount", reason=reason, shares=shares),)


@answers(inventory.leave_to_others, when={"order_kind": KIND})
def single_buyers_go_first(stocks: Sequence[inventory.StockAt]) -> Sequence[int]:
    """Leave the last ten units of a stock that several sell from to those who buy single ones."""
    return [LEFT_UNITS] * len(stocks)


WHOLESALE = Product(
    name="wholesale",
    doc="Resellers buy by the case, from a list of their own.",
    owner="b2b",
    adds={"order_kind": (KIND,)},
    answers=(
        wholesale_list,
        resold_goods,
        a_third_on_account,
        what_the_maker_is_owed,
        case_discount,
        single_buyers_go_first,
    ),
)
