"""Clubprice: say here in one sentence what a front end gets that switches it on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from isthmus.kernel import PASS, Pass, Product, answers
from isthmus.packs.pricing import api as pricing
from isthmus.values import Buyer

MEMBERS_PAY = Fraction(95, 100)


@answers(pricing.adjust_unit_price)
def members_pay_less(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice | Pass]:
    """Sell to members for 5 % less where nothing is on sale."""
    if not buyer.tier:
        return [PASS] * len(lines)
    return [
        PASS
        if line.sale_amount is not None
        else pricing.UnitPrice(
            amount=line.amount.times(MEMBERS_PAY), per=line.per, by="clubprice", reason=f"{buyer.tier} member"
        )
        for line in lines
    ]


CLUBPRICE = Product(
    name="clubprice",
    doc="Members pay 5 % less where nothing is on sale.",
    owner="growth",
    answers=(members_pay_less,),
)
