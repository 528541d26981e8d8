"""Member price: who belongs to a tier pays less than the shelf price, where nothing is on sale."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from isthmus.kernel import PASS, Pass, Product, answers
from isthmus.packs.pricing import api as pricing
from isthmus.values import Buyer

REMOTE = ("online", "app")  # in a shop the shelf says what is paid
TIER_OFF = {"silver": Fraction(3, 100), "gold": Fraction(8, 100)}
OTHER_TIERS_OFF = Fraction(2, 100)


@answers(pricing.adjust_unit_price, when={"channel": REMOTE})
def member_price(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice | Pass]:
    """Sell to gold members for 8 % less, to silver ones for 3 %, and to members of any other tier for 2 %."""
    if not buyer.tier:
        return [PASS] * len(lines)
    off = TIER_OFF.get(buyer.tier, OTHER_TIERS_OFF)
    return [
        PASS
        if line.sale_amount is not None
        else pricing.UnitPrice(
            amount=line.amount.times(1 - off), per=line.per, by="member price", reason=f"{buyer.tier} member"
        )
        for line in lines
    ]


MEMBER_PRICE = Product(
    name="member-price",
    doc="Members of a tier pay less than the shelf price, where nothing is on sale.",
    owner="growth",
    answers=(member_price,),
)
