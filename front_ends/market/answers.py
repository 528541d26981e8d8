"""The marketplace's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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
from isthmus.packs.order.api import Order, OrderLine
from isthmus.packs.payment import api as payment
from isthmus.packs.payment.api import Payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.promotion.api import Promotion
from isthmus.packs.sync import api as sync
from isthmus.packs.tax import api as tax
from isthmus.products.group_buy import from_one_place
from isthmus.values import Address, Buyer, Money, Rounding

REMOTE = ("online", "app")
SELLERS_MAX = 20
PACKING_SHARE = Fraction(2, 100)
WALLET_MAX = 100_000  # minor units
REFUND_MAX = 500_000
KEPT_FOR_THE_SHOP = 1  # a unit of each stock stays for who stands before the shelf
SELLERS_FOR_BONUS = 3
BONUS = Fraction(1, 100)
MAIL_GRAMS_MAX = 30_000  # what one carrier's parcel may weigh
NON_PROFIT = "non-profit"
FREQUENT = "data:frequent-buyer"  # a segment that the data platform keeps
FREQUENT_BONUS = Fraction(2, 100)
COMMISSION = Fraction(8, 100)
GROCERY_COMMISSION = Fraction(5, 100)
GROCERY = "GROCERY"


@answers(inventory.source_lines, when={"channel": REMOTE})
def each_line_from_one_seller(
    lines: Sequence[inventory.SourcingLine], destination: Address | None
) -> Sequence[inventory.Sourcing]:
    """Take a line whole from one place: two sellers never share one."""
    return from_one_place(lines, destination)


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


@answers(promotion.extra_benefits, when={"channel": REMOTE})
def frequent_buyers_bonus(
    lines: Sequence[promotion.PromotionLine], buyer: Buyer, now: datetime
) -> tuple[promotion.ExtraBenefit, ...] | Pass:
    """Take 2 % off for who has bought ten times, as the data platform counts it."""
    if FREQUENT not in buyer.segments:
        return PASS
    shares = tuple(
        promotion.ExtraShare(line=at, amount=line.amount.times(FREQUENT_BONUS)) for at, line in enumerate(lines)
    )
    return (promotion.ExtraBenefit(code="frequent", title="Frequent buyer", reason="ten orders", shares=shares),)


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


@answers(order.split_key)
def each_seller_its_own_order(lines: Sequence[order.DraftLine]) -> Sequence[str]:
    """Give each seller an order of its own: it sends it, and is paid for it."""
    return [line.seller for line in lines]


@answers(order.commission)
def a_share_of_what_sellers_sell(lines: Sequence[order.DraftLine]) -> Sequence[Money | Pass]:
    """Keep 8 % of each seller's line, 5 % of groceries: their margins are thin."""
    return [line.total.times(GROCERY_COMMISSION if line.tax_category == GROCERY else COMMISSION) for line in lines]


@answers(order.validate_order, when={"channel": REMOTE})
def not_too_many_sellers(draft: order.Draft) -> Verdict:
    """Refuse a basket from more sellers than can be sent in one go."""
    sellers = len({line.seller for line in draft.lines})
    return ALLOW if sellers <= SELLERS_MAX else veto(f"{sellers} sellers in one order, and {SELLERS_MAX} can be")


@answers(order.cancellation_fee)
def sellers_are_paid_for_packing(order: Order) -> Money | Pass:
    """Keep 2 % of a paid order that is cancelled, for the seller who has begun to pack."""
    return order.total.times(PACKING_SHARE)


@answers(order.refund_share)
def opened_goods_come_back_at_a_discount(order: Order, line: OrderLine, reason: str) -> int | Pass:
    """Return 80 % for what was opened: its seller sells it as used."""
    return 80 if reason == "opened" else PASS


@answers(member.validate_registration)
def terms_are_accepted(registration: member.Registration) -> Verdict:
    """Refuse who joins online without the terms; a card from a till has them on its back."""
    has_card = any(one.kind == "card" for one in registration.identities)
    return ALLOW if has_card or "terms" in registration.consents else veto("the terms are not accepted")


@answers(catalog.validate_listing)
def sold_by_somebody(listings: Sequence[catalog.Listing], products: Sequence[catalog.Sellable]) -> Sequence[Verdict]:
    """Refuse goods without a seller: nobody would send them."""
    return [ALLOW if one.seller else veto("it has no seller") for one in products]


@answers(catalog.product_view)
def name_the_seller(view: catalog.ProductView) -> catalog.ProductView:
    """Show who sells it as an attribute."""
    return view.replace(
        attributes={**view.attributes, "sold by": view.seller},
    )


@answers(catalog.is_sellable, when={"order_kind": "wholesale"})
def not_by_the_case(products: Sequence[catalog.Sellable]) -> Sequence[bool | Pass]:
    """Sell no services by the case."""
    return [False if one.unit == "service" else PASS for one in products]


@answers(payment.methods)
def no_wallet_for_large_amounts(offered: tuple[str, ...], amount: Money) -> tuple[str, ...]:
    """Take no wallet above 1,000.00: sellers wait too long for it."""
    return offered if amount.minor <= WALLET_MAX else tuple(one for one in offered if one != "wallet")


@answers(payment.guard_refund)
def large_refunds_need_a_person(payment: Payment, amount: Money) -> Verdict:
    """Refuse to give back more than 5,000.00 without a person."""
    return ALLOW if amount.minor <= REFUND_MAX else veto(f"{amount} is above what is given back without a person")


@answers(notification.compose)
def a_word_about_each_parcel(draft: notification.Draft) -> notification.Content | Pass:
    """Say that there may be several parcels, since each seller sends its own; nothing is said of payments."""
    if draft.kind == "order.paid":
        return notification.Content()
    if draft.kind != "parcel.shipped":
        return PASS
    text = f"{draft.text}\n\nEach seller sends its own parcel, so others may come apart."
    return notification.Content(subject=draft.subject, text=text)


@answers(bookkeeping.postings)
def sellers_send_their_own(happening: bookkeeping.Happening) -> tuple[ledger.EntryLeg, ...]:
    """Owe the fee for delivery to the seller of the order, who has it sent."""
    seller = next((line.seller for line in happening.lines if line.seller), "")
    return tuple(
        ledger.EntryLeg(account="liabilities:sellers", owner=f"seller/{seller}", amount=leg.amount)
        if seller and leg.account == "income:delivery"
        else leg
        for leg in bookkeeping.default_postings(happening)
    )


@answers(bookkeeping.chargeback_bearers)
def sellers_bear_their_part(lost: bookkeeping.Happening) -> tuple[bookkeeping.Owed, ...]:
    """Have each seller bear what of a lost chargeback their goods are: they sent them."""
    parts = lost.amount.allocate([line.total.minor for line in lost.lines]) if lost.lines else ()
    return tuple(
        bookkeeping.Owed(owner=f"seller/{line.seller}", amount=part)
        for line, part in zip(lost.lines, parts, strict=True)
        if line.is_for_another and part.minor
    )


@answers(sync.collections)
def wishes_are_kept() -> Sequence[sync.Collection]:
    """Keep wishes on the phone: a list for each occasion."""
    return (
        sync.Collection(
            name="wishes", fields=(sync.Field(name="skus", merge=sync.Merge.SET), sync.Field(name="occasion"))
        ),
    )


@answers(catalog.relevance)
def makers_first(text: str) -> catalog.Relevance:
    """Put goods of the maker who is asked for before those of others that are called so: here many sell the same."""
    return catalog.Relevance(title=60, brand=100)
