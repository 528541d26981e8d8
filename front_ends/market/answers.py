"""The marketplace's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from isthmus.kernel import ALLOW, PASS, Pass, Verdict, answers, veto
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.promotion.api import Promotion
from isthmus.packs.tax import api as tax
from isthmus.values import Address, Buyer, Rounding

REMOTE = ("online", "app")
KEPT_FOR_THE_SHOP = 1  # a unit of each stock stays for who stands before the shelf
SELLERS_FOR_BONUS = 3
BONUS = Fraction(1, 100)
MAIL_GRAMS_MAX = 30_000  # what one carrier's parcel may weigh
NON_PROFIT = "non-profit"


@answers(inventory.source_lines, when={"channel": REMOTE})
def each_line_from_one_seller(
    lines: Sequence[inventory.SourcingLine], destination: Address | None
) -> Sequence[inventory.Sourcing]:
    """Take a line whole from one place: two sellers never share one."""
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


@answers(inventory.sellable_quantity, when={"channel": REMOTE})
def keep_one_on_the_shelf(stocks: Sequence[inventory.StockAt]) -> Sequence[int]:
    """Sell all but one of each stock to those who are not there."""
    return [stock.on_hand - stock.reserved - max(stock.safety, KEPT_FOR_THE_SHOP) for stock in stocks]


@answers(pricing.choose_locations, when={"channel": REMOTE})
def one_price_online(location: str) -> tuple[str, ...]:
    """Sell at one price to everyone who is not in a shop."""
    return ("",)


@answers(pricing.round_line, when={"channel": REMOTE})
def round_to_even(currency: str) -> pricing.LineRounding:
    """Round halves to even, so that sellers neither gain nor lose by it over a year."""
    return pricing.LineRounding(rounding=Rounding.HALF_EVEN)


@answers(promotion.extra_benefits, when={"channel": REMOTE})
def many_sellers_bonus(
    lines: Sequence[promotion.PromotionLine], buyer: Buyer, now: datetime
) -> tuple[promotion.ExtraBenefit, ...] | Pass:
    """Take 1 % off a basket from three sellers or more: it is why people come to a marketplace."""
    if len({line.seller for line in lines}) < SELLERS_FOR_BONUS:
        return PASS
    shares = tuple(promotion.ExtraShare(line=at, amount=line.amount.times(BONUS)) for at, line in enumerate(lines))
    reason = f"from {SELLERS_FOR_BONUS} sellers or more"
    return (promotion.ExtraBenefit(code="sellers", title="Many sellers", reason=reason, shares=shares),)


@answers(promotion.rank_candidates, when={"channel": REMOTE})
def most_for_the_buyer(candidates: Sequence[promotion.Candidate], buyer: Buyer) -> tuple[str, ...]:
    """Take what gives the buyer most first, whichever seller pays for it."""
    return tuple(one.code for one in sorted(candidates, key=lambda one: (-one.amount.minor, one.code)))


@answers(promotion.validate_promotion)
def budget_is_named(promotion: Promotion) -> Verdict:
    """Refuse a promotion without a budget: it is a seller's money."""
    return (
        ALLOW
        if promotion.budget is not None
        else veto("a seller's promotion needs a budget", path="$.promotion.budget")
    )


@answers(fulfilment.refuse_delivery)
def no_heavy_parcels(ask: fulfilment.QuoteDelivery, option: fulfilment.DeliveryOption) -> Verdict:
    """Refuse to mail what one person cannot lift."""
    heaviest = max(line.weight_grams for line in ask.lines)
    if option.kind is fulfilment.MethodKind.PICKUP or heaviest <= MAIL_GRAMS_MAX:
        return ALLOW
    return veto(f"one piece weighs {heaviest / 1000:g} kg, and parcels go up to {MAIL_GRAMS_MAX // 1000} kg")


@answers(fulfilment.shipment_key)
def one_shipment_a_seller(lines: Sequence[fulfilment.PlanLine]) -> Sequence[str]:
    """Let each seller's goods travel by themselves."""
    return [line.attributes.get("seller", "") for line in lines]


@answers(fulfilment.delivery_options)
def cheapest_first(
    options: tuple[fulfilment.DeliveryOption, ...], ask: fulfilment.QuoteDelivery
) -> tuple[fulfilment.DeliveryOption, ...]:
    """Offer the cheapest first, and of equals the quickest."""
    return tuple(sorted(options, key=lambda one: (one.fee.minor, one.promise_to is None, one.promise_to, one.method)))


@answers(tax.choose_jurisdiction, when={"channel": REMOTE})
def territories_are_taxed_at_home(jurisdiction: str, buyer: Buyer) -> str | Pass:
    """Charge goods that go to a territory of the United States as the country does."""
    return "US" if jurisdiction in ("PR", "GU", "VI") else PASS


@answers(tax.exempt_line)
def charities_pay_no_tax(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Charge no tax to members whose certificate was checked."""
    return ["non-profit organisation" if NON_PROFIT in buyer.segments else PASS] * len(lines)
