"""Group buy: several buy together, for less, and it travels together."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from isthmus.kernel import Product, answers
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.values import Address, Buyer, Money, money

KIND = "group-buy"
PRICE = Fraction(85, 100)
LEFT = 5  # a fifth of what could be taken of another's stock


@answers(pricing.adjust_unit_price, when={"order_kind": KIND})
def group_price(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice]:
    """Take 15 % off the shelf price."""
    return [
        pricing.UnitPrice(amount=line.amount.times(PRICE), per=line.per, by="group buy", reason="15 % for the group")
        for line in lines
    ]


@answers(pricing.grant_sale_price, when={"order_kind": KIND})
def no_sale_price(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[bool]:
    """Give no sale price on top of the group's."""
    return [False] * len(lines)


@answers(promotion.rank_candidates, when={"order_kind": KIND})
def best_one_only(candidates: Sequence[promotion.Candidate], buyer: Buyer) -> tuple[str, ...]:
    """Take the one promotion that gives most: the group's price is a discount already."""
    ranked = sorted(candidates, key=lambda one: (-one.amount.minor, one.code))
    return tuple(one.code for one in ranked[:1])


@answers(inventory.source_lines, when={"order_kind": KIND})
def from_one_place(
    lines: Sequence[inventory.SourcingLine], destination: Address | None
) -> Sequence[inventory.Sourcing]:
    """Take each line whole from one place, so that the group's goods leave together."""
    return [
        inventory.Sourcing(
            locations=tuple(
                offer.stock.location
                for offer in sorted(line.offers, key=lambda offer: (-offer.available, offer.stock.location))
            ),
            may_split=False,
        )
        for line in lines
    ]


@answers(fulfilment.delivery_fee, when={"order_kind": KIND})
def delivered_free(ask: fulfilment.QuoteDelivery, option: fulfilment.DeliveryOption) -> Money:
    """Deliver to one address for nothing."""
    return money(0, option.fee.currency)


@answers(inventory.leave_to_others, when={"order_kind": KIND})
def a_fifth_for_those_who_buy_alone(stocks: Sequence[inventory.StockAt]) -> Sequence[int]:
    """Leave a fifth of a stock that several sell from, and one unit at least, to those who buy alone."""
    return [-(-(stock.on_hand - stock.reserved) // LEFT) for stock in stocks]


GROUP_BUY = Product(
    name="group-buy",
    doc="Several buy together at one price, delivered free to one address.",
    owner="growth",
    adds={"order_kind": (KIND,)},
    answers=(
        group_price,
        no_sale_price,
        best_one_only,
        from_one_place,
        delivered_free,
        a_fifth_for_those_who_buy_alone,
    ),
)
