"""The grocer's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from isthmus.kernel import ALLOW, PASS, Pass, Verdict, answers, veto
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.order.api import Order, OrderLine, ReturnLine
from isthmus.packs.payment import api as payment
from isthmus.packs.payment.api import Payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.subscription import api as subscription
from isthmus.packs.sync import api as sync
from isthmus.packs.tax import api as tax
from isthmus.products.subscription import KIND as SUBSCRIBED
from isthmus.values import Address, Buyer, Money, Rounding, decimals, read_attributes

from .attributes import Doorstep

REMOTE = ("online", "app")
SMALLEST = 1_000  # minor units
COMPLAINED_WITHIN = timedelta(days=1)
REGULAR_POINTS = 500
GRAMS = 1_000
REFUND_MAX = 50_000
EVENING_HOUR = 19
MARKDOWN = Fraction(70, 100)
WALK_IN_SHARE = 10  # one in so many units stays for who walks in
PERIOD_MAX = timedelta(days=400)
LAST_ORDER_HOUR = 20
NIGHT = timedelta(hours=12)
DEARER_MAX = Fraction(120, 100)
CONCESSION = Fraction(12, 100)
CONCESSIONS = ("FLORAL", "RESTAURANT")
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


@answers(catalog.choose_substitute)
def nearest_in_price(short: catalog.Alternative, alternatives: tuple[catalog.Alternative, ...]) -> str:
    """Bring what costs nearly the same, and at most a fifth more: dinner is tonight."""
    near = [one for one in alternatives if one.amount.minor <= short.amount.times(DEARER_MAX).minor]
    near.sort(key=lambda one: (abs(one.amount.minor - short.amount.minor), one.sku))
    return near[0].sku if near else ""


@answers(subscription.accept_substitutes, when={"order_kind": SUBSCRIBED})
def bring_something_like_it(every_days: int) -> bool:
    """Bring the nearest in price to who subscribes, rather than nothing: dinner is on the table every week."""
    return True


@answers(subscription.retry_days, when={"order_kind": SUBSCRIBED})
def once_more_tomorrow(amount: Money) -> tuple[int, ...]:
    """Try a refused payment once more on the next day: what is picked does not keep for longer."""
    return (1,)


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


@answers(order.validate_order, when={"channel": REMOTE})
def worth_the_way(draft: order.Draft) -> Verdict:
    """Refuse to drive for less than 10.00."""
    goods = draft.total - draft.delivery_fee
    return ALLOW if goods.minor >= SMALLEST or draft.address is None else veto(f"delivered from 10.00 on, not {goods}")


@answers(order.validate_order, when={"channel": REMOTE})
def not_left_in_the_sun(draft: order.Draft) -> Verdict:
    """Refuse to leave fish and meat at a door."""
    is_left = read_attributes(Doorstep, draft.attributes).leave_at == "door"
    cold = [line.title for line in draft.lines if line.tax_category in COLD] if is_left else []
    return veto(f"{cold[0]!r} is not left at a door", path="$.attributes.leave_at") if cold else ALLOW


@answers(order.commission)
def a_share_of_the_concessions(lines: Sequence[order.DraftLine]) -> Sequence[Money | Pass]:
    """Keep 12 % of what the florist and the kitchen sell in the shop: the counters are theirs."""
    return [line.total.times(CONCESSION) if line.tax_category in CONCESSIONS else PASS for line in lines]


@answers(order.guard_cancellation)
def not_once_picked(order: Order) -> Verdict:
    """Refuse to cancel once the pickers have begun."""
    return veto("it is being picked") if any(entry.note == "picked" for entry in order.history) else ALLOW


@answers(order.guard_return)
def on_the_same_day(order: Order, lines: tuple[ReturnLine, ...], now: datetime) -> Verdict:
    """Take complaints for a day."""
    return ALLOW if now <= order.placed_at + COMPLAINED_WITHIN else veto("fresh goods are complained of within a day")


@answers(order.refund_share)
def half_for_a_change_of_mind(order: Order, line: OrderLine, reason: str) -> int | Pass:
    """Return half for what is merely unwanted: it cannot be sold again."""
    return 50 if reason == "unwanted" else PASS


@answers(member.tier_for)
def regulars(points: int) -> str:
    """Call who has 500 points a regular."""
    return "regular" if points >= REGULAR_POINTS else ""


@answers(member.points_earned, when={"channel": REMOTE})
def a_point_for_each_two(amount: Money) -> int:
    """Give a point for each 2.00 that was ordered from home."""
    return amount.minor // (2 * 10 ** decimals(amount.currency))


@answers(member.validate_registration)
def no_unverified_phone(registration: member.Registration) -> Verdict:
    """Refuse a phone number that nobody has checked: the rider calls it."""
    wrong = any(one.kind == "phone" and not one.is_verified for one in registration.identities)
    return veto("the phone number is not verified") if wrong else ALLOW


@answers(catalog.validate_listing)
def in_small_steps(listings: Sequence[catalog.Listing], products: Sequence[catalog.Sellable]) -> Sequence[Verdict]:
    """Refuse weighed goods in steps of more than a kilogram."""
    return [
        veto("weighed goods are sold in steps of up to a kilogram")
        if good.unit == "gram" and one.step > GRAMS
        else ALLOW
        for one, good in zip(listings, products, strict=True)
    ]


@answers(payment.choose_provider)
def the_last_by_name(method: str, amount: Money, providers: tuple[str, ...]) -> str:
    """Use the newest provider, whose name comes last, until its fees are known."""
    return max(providers)


@answers(payment.guard_refund)
def at_most_a_basket(payment: Payment, amount: Money) -> Verdict:
    """Refuse to give back more than 500.00 without a person."""
    return ALLOW if amount.minor <= REFUND_MAX else veto(f"{amount} is more than a basket")


@answers(sync.collections)
def kept_on_the_phone() -> Sequence[sync.Collection]:
    """Keep the basket and shopping lists on the phone, also in the cellar; prices are asked for when it is back."""
    return (
        sync.Collection(name="basket", fields=(sync.Field(name="line"), sync.Field(name="wanted"))),
        sync.Collection(
            name="shopping-list",
            fields=(
                sync.Field(name="items", merge=sync.Merge.SET),
                sync.Field(name="title"),
                sync.Field(name="words", merge=sync.Merge.TEXT),
            ),
        ),
    )


@answers(catalog.relevance)
def by_what_it_is(text: str) -> catalog.Relevance:
    """Put what is called so and lies on that shelf first; numbers of goods nobody knows here."""
    return catalog.Relevance(article_number=100, description=0)
