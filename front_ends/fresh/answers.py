"""The grocer's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from isthmus.kernel import ALLOW, PASS, Pass, Verdict, answers, veto
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import Address, Buyer, Rounding

REMOTE = ("online", "app")
EVENING_HOUR = 19
MARKDOWN = Fraction(70, 100)
WALK_IN_SHARE = 10  # one in so many units stays for who walks in
PERIOD_MAX = timedelta(days=400)
LAST_ORDER_HOUR = 20
NIGHT = timedelta(hours=12)
COLD = ("SEAFOOD", "SEAFOOD-PCKGD", "MEAT", "MEAT-PCKGD")


@answers(pricing.adjust_unit_price, when={"channel": REMOTE})
def evening_markdown(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice | Pass]:
    """Sell for 30 % less from 19:00 UTC on: tomorrow it is compost."""
    return [
        PASS
        if line.now.hour < EVENING_HOUR
        else pricing.UnitPrice(
            amount=line.amount.times(MARKDOWN), per=line.per, by="evening markdown", reason="after 19:00"
        )
        for line in lines
    ]


@answers(pricing.choose_locations, when={"channel": REMOTE})
def shop_then_region(location: str) -> tuple[str, ...]:
    """Look for a price of the shop, then of its region, then of all shops."""
    region = location.partition("-")[0]
    return tuple(dict.fromkeys(place for place in (location, region, "") if place == "" or location))


@answers(pricing.round_line, when={"channel": REMOTE})
def round_down(currency: str) -> pricing.LineRounding:
    """Round in the buyer's favour: a scale is never that exact."""
    return pricing.LineRounding(rounding=Rounding.DOWN)


@answers(pricing.validate_price)
def no_price_for_years(prices: Sequence[pricing.PriceEntry]) -> Sequence[Verdict]:
    """Refuse a price with an end that is more than 400 days off: fresh goods have seasons."""
    return [
        veto("a price for more than 400 days")
        if one.valid_to is not None and one.valid_to - one.valid_from > PERIOD_MAX
        else ALLOW
        for one in prices
    ]


@answers(inventory.source_lines, when={"channel": REMOTE})
def nearest_shop(lines: Sequence[inventory.SourcingLine], destination: Address | None) -> Sequence[inventory.Sourcing]:
    """Take the goods from the buyer's own region first."""
    region = destination.region if destination else ""

    def distance(offer: inventory.Offer) -> tuple[bool, int, int, str]:
        return (offer.stock.region != region, offer.stock.priority, -offer.available, offer.stock.location)

    return [
        inventory.Sourcing(locations=tuple(one.stock.location for one in sorted(line.offers, key=distance)))
        for line in lines
    ]


@answers(inventory.sellable_quantity, when={"channel": REMOTE})
def some_for_walk_ins(stocks: Sequence[inventory.StockAt]) -> Sequence[int]:
    """Keep a tenth for who walks into the shop."""
    return [stock.on_hand - stock.reserved - max(stock.safety, stock.on_hand // WALK_IN_SHARE) for stock in stocks]


@answers(inventory.back_order_limit)
def nothing_that_is_not_there(stocks: Sequence[inventory.StockAt]) -> Sequence[int]:
    """Promise only what lies there: nobody waits for lettuce."""
    return [0] * len(stocks)


@answers(inventory.restock_as)
def never_sold_again(lines: Sequence[inventory.RestockLine]) -> Sequence[inventory.RestockFate]:
    """Write off all that comes back: the cold chain is broken."""
    return ["written-off" for _ in lines]


@answers(promotion.judge_eligibility)
def nothing_off_on_credit(
    promotions: Sequence[promotion.Promotion], lines: Sequence[promotion.PromotionLine], buyer: Buyer
) -> Sequence[Verdict]:
    """Keep promotions for members from those who are no members, also where the promotion forgot to say so."""
    return [
        veto("for members") if one.code.startswith("member") and buyer.member_id is None else ALLOW
        for one in promotions
    ]


@answers(fulfilment.refuse_delivery)
def cold_goods_need_a_slot(ask: fulfilment.QuoteDelivery, option: fulfilment.DeliveryOption) -> Verdict:
    """Refuse to send fish and meat by a way that nobody waits for at the door."""
    is_cold = any(line.attributes.get("department") in COLD for line in ask.lines)
    if is_cold and option.kind is fulfilment.MethodKind.DELIVERY and not option.needs_slot:
        return veto("fish and meat travel in a booked slot only")
    return ALLOW


@answers(fulfilment.delivery_promise)
def not_at_night(
    ask: fulfilment.QuoteDelivery, option: fulfilment.DeliveryOption, now: datetime
) -> fulfilment.Promise | Pass:
    """Promise the next morning for what is ordered after 20:00 UTC."""
    if now.hour < LAST_ORDER_HOUR or option.promise_to is None:
        return PASS
    earliest = option.promise_from + NIGHT if option.promise_from else None
    return fulfilment.Promise(earliest=earliest, latest=option.promise_to + NIGHT)


@answers(fulfilment.delivery_options)
def soonest_first(
    options: tuple[fulfilment.DeliveryOption, ...], ask: fulfilment.QuoteDelivery
) -> tuple[fulfilment.DeliveryOption, ...]:
    """Offer the soonest first: fresh goods do not get better."""
    return tuple(sorted(options, key=lambda one: (one.promise_to is None, one.promise_to, one.fee.minor, one.method)))


@answers(tax.choose_category)
def groceries_are_food(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Tax everything as food, but flowers and what is eaten hot."""
    return [PASS if line.tax_category in ("FLORAL", "RESTAURANT") else "food" for line in lines]
