"""The brand shop's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import ALLOW, PASS, Pass, Verdict, answers, veto
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.ledger import api as ledger
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.order.api import Order, OrderLine, ReturnLine
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.promotion.api import PercentOff, Promotion
from isthmus.packs.subscription import api as subscription
from isthmus.packs.tax import api as tax
from isthmus.products.subscription import KIND as SUBSCRIBED
from isthmus.values import Buyer, Money, decimals, money, read_attributes

from .attributes import Engraving

REMOTE = ("online", "app")
PIECES_MAX = 50
RETURNED_WITHIN = timedelta(days=30)
PRESALE_FEE = Fraction(1, 10)
SILVER_POINTS = 200
GOLD_POINTS = 1_000
FREE_DELIVERY_FROM = 5_000  # minor units
PERCENT_OFF_MAX = 6_000  # basis points: below it the brand looks cheap
SALE_SHARE_MIN = Fraction(1, 5)
FLOOR = Fraction(1, 2)  # of the price: what the brand never goes under, whatever comes off
MAY_BE_SOLD_AGAIN = ("new", "opened")  # opened goods go to the outlet shelf
WORKSHOP = timedelta(days=1)  # engraving and gift wrap


@answers(pricing.choose_price_lists, when={"channel": REMOTE})
def gold_has_its_own_list(buyer: Buyer, location: str) -> tuple[str, ...] | Pass:
    """Show gold members the list "gold" first."""
    return ("gold", pricing.STANDARD) if buyer.tier == "gold" else PASS


@answers(pricing.grant_sale_price)
def members_only(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[bool]:
    """Sell at the sale price to members only: it is the price with a card."""
    return [buyer.member_id is not None] * len(lines)


@answers(pricing.validate_price)
def no_dumping(prices: Sequence[pricing.PriceEntry]) -> Sequence[Verdict]:
    """Refuse a sale price under a fifth of the shelf's, once something is asked for at all."""
    return [
        veto(f"a sale price of {one.sale_amount} is under a fifth of {one.amount}")
        if one.sale_amount and one.sale_amount < one.amount * SALE_SHARE_MIN
        else ALLOW
        for one in prices
    ]


@answers(promotion.validate_promotion)
def no_clearance(promotion: Promotion) -> Verdict:
    """Refuse more than 60 % off."""
    benefit = promotion.benefit
    if isinstance(benefit, PercentOff) and benefit.basis_points > PERCENT_OFF_MAX:
        return veto(f"{benefit.basis_points / 100:g} % off is more than 60 %", path="$.promotion.benefit.basis_points")
    return ALLOW


@answers(promotion.floor_amount)
def half_at_least(lines: Sequence[promotion.PromotionLine], buyer: Buyer) -> Sequence[Money]:
    """Never go under half the price."""
    return [line.amount.times(FLOOR) for line in lines]


@answers(fulfilment.delivery_fee)
def free_from_fifty(ask: fulfilment.QuoteDelivery, option: fulfilment.DeliveryOption) -> Money | Pass:
    """Deliver goods for 50.00 and more for nothing."""
    return money(0, option.fee.currency) if ask.amount.minor >= FREE_DELIVERY_FROM else PASS


@answers(fulfilment.delivery_promise)
def workshop_day(
    ask: fulfilment.QuoteDelivery, option: fulfilment.DeliveryOption, now: datetime
) -> fulfilment.Promise | Pass:
    """Promise a day later what is engraved first."""
    if not any("engraving" in line.attributes for line in ask.lines) or option.promise_to is None:
        return PASS
    earliest = option.promise_from + WORKSHOP if option.promise_from else None
    return fulfilment.Promise(earliest=earliest, latest=option.promise_to + WORKSHOP)


@answers(inventory.restock_as)
def opened_goes_to_the_outlet(lines: Sequence[inventory.RestockLine]) -> Sequence[inventory.RestockFate]:
    """Sell again what was opened but not used."""
    return ["sellable" if line.condition in MAY_BE_SOLD_AGAIN else "written-off" for line in lines]


@answers(tax.choose_category)
def gift_cards_are_money(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Tax no gift card: what it buys is taxed."""
    return ["gift-card" if line.sku.startswith("GIFT-") else PASS for line in lines]


@answers(catalog.choose_substitute)
def another_of_ours(short: catalog.Alternative, alternatives: tuple[catalog.Alternative, ...]) -> str:
    """Offer goods of the same brand only, the cheapest that costs no more."""
    ours = [one for one in alternatives if one.brand == short.brand and one.amount.minor <= short.amount.minor]
    return min(ours, key=lambda one: (one.amount.minor, one.sku)).sku if ours else ""


@answers(subscription.accept_substitutes, when={"order_kind": SUBSCRIBED})
def nothing_but_what_was_chosen(every_days: int) -> bool:
    """Send who subscribes what they chose, or nothing: it is for the brand that they come."""
    return False


@answers(subscription.keep_prices, when={"order_kind": SUBSCRIBED})
def prices_stay(every_days: int) -> bool:
    """Keep the price for as long as somebody subscribes: ours changes once a year."""
    return True


@answers(order.validate_order, when={"channel": REMOTE})
def not_the_whole_shelf(draft: order.Draft) -> Verdict:
    """Refuse more than 50 of one SKU: the shop sells to people."""
    many = [at for at, line in enumerate(draft.lines) if line.quantity > PIECES_MAX]
    return veto(f"at most {PIECES_MAX} of one article", path=f"$.lines[{many[0]}].quantity") if many else ALLOW


@answers(order.split_key, when={"order_kind": "presale"})
def what_comes_later_apart(lines: Sequence[order.DraftLine]) -> Sequence[str]:
    """Keep what comes later in an order of its own."""
    return ["later" for _ in lines]


@answers(order.guard_cancellation)
def not_while_engraved(order: Order) -> Verdict:
    """Refuse to cancel what is paid for and being engraved."""
    is_engraved = order.state == "paid" and any(map(_is_engraved, order.lines))
    return veto("it is being engraved") if is_engraved else ALLOW


def _is_engraved(line: OrderLine) -> bool:
    return read_attributes(Engraving, line.attributes).engraving != ""


@answers(order.guard_return)
def within_thirty_days(order: Order, lines: tuple[ReturnLine, ...], now: datetime) -> Verdict:
    """Take goods back for thirty days, unless a name is cut into them."""
    if now > order.placed_at + RETURNED_WITHIN:
        return veto(f"more than {RETURNED_WITHIN.days} days ago")
    asked = {one.line for one in lines}
    engraved = [line.title for line in order.lines if line.line in asked and _is_engraved(line)]
    return veto(f"{engraved[0]!r} is engraved") if engraved else ALLOW


@answers(order.cancellation_fee)
def presales_cost_a_tenth(order: Order) -> Money | Pass:
    """Keep a tenth of a cancelled presale: its piece is on its way."""
    return order.total.times(PRESALE_FEE) if order.order_kind == "presale" else PASS


@answers(member.tier_for)
def silver_and_gold(points: int) -> str:
    """Make who has 200 points silver, and who has 1,000 gold."""
    return "gold" if points >= GOLD_POINTS else "silver" if points >= SILVER_POINTS else ""


@answers(member.points_earned)
def a_point_for_each_unit(amount: Money) -> int:
    """Give a point for each 1.00."""
    return amount.minor // 10 ** decimals(amount.currency)


@answers(catalog.product_view)
def by_our_name(view: catalog.ProductView) -> catalog.ProductView:
    """Show the shop's own name as the brand."""
    return view.replace(
        brand="Our own",
    )


@answers(catalog.is_sellable)
def no_display_pieces(products: Sequence[catalog.Sellable]) -> Sequence[bool | Pass]:
    """Sell no display pieces."""
    return [False if one.attributes.get("display") == "only" else PASS for one in products]


@answers(payment.methods)
def cards_first(offered: tuple[str, ...], amount: Money) -> tuple[str, ...]:
    """Offer cards before everything else."""
    return tuple(sorted(offered, key=lambda one: (one != "card", one)))


@answers(payment.choose_provider)
def always_the_first(method: str, amount: Money, providers: tuple[str, ...]) -> str:
    """Use the provider whose name comes first, so that settlements come in one file."""
    return min(providers)


@answers(tax.choose_jurisdiction, when={"channel": "store"})
def taxed_at_the_counter(jurisdiction: str, buyer: Buyer) -> str | Pass:
    """Tax what is carried out of a shop where the shop is, which is what was asked for."""
    return PASS if jurisdiction else "US"


@answers(notification.compose)
def thanks_in_our_voice(draft: notification.Draft) -> notification.Content | Pass:
    """Thank in the brand's own words, with every piece that was chosen; German readers in German."""
    if draft.kind != "order.placed":
        return PASS
    pieces = "\n".join(f"  {one.quantity} × {one.title}" for one in draft.items)
    number, total = draft.facts["number"], draft.facts["total"]
    if draft.language.startswith("de"):
        text = f"Eine gute Wahl:\n\n{pieces}\n\nZusammen {total}. Wir melden uns, sobald alles unterwegs ist."
        return notification.Content(subject=f"Danke für Bestellung {number}", text=text)
    text = f"A fine choice:\n\n{pieces}\n\n{total} in all. We write again when it is on its way."
    return notification.Content(subject=f"Thank you for order {number}", text=text)


@answers(bookkeeping.postings, when={"order_kind": "presale"})
def presales_are_sold_apart(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Keep what is sold before it is made on an account of its own."""
    return tuple(
        ledger.EntryLeg(account="income:sales:presale", amount=leg.amount) if leg.account == "income:sales" else leg
        for leg in bookkeeping.default_postings(happening)
    )
