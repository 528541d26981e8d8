"""The front end whose orders are of several kinds: as a value here, and as the source of the server's.

No module of figures: `paid_kinds` stands on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import FrontEnd, answers
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.products.presale import PRESALE
from isthmus.values import Money

OWN = "maker"  # the seller whose goods need no order of their own
PACKS = ("catalog", "inventory", "pricing", "promotion", "tax", "member", "order", "payment", "fulfilment", "checkout")


@answers(member.points_earned)
def a_point_a_euro(amount: Money) -> int:
    """Give a point for each euro."""
    return amount.minor // 100


@answers(order.split_key)
def by_seller(lines: Sequence[order.DraftLine]) -> Sequence[str]:
    """Make an order for each seller."""
    return ["" if line.seller == OWN else line.seller for line in lines]


FRONT_END = FrontEnd(
    code="north",
    name="North",
    owner="north team",
    uses=tuple(f"{pack}.*" for pack in PACKS),
    products=(PRESALE,),
    answers=(a_point_a_euro, by_seller),
)
