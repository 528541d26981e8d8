"""Drawing up a bill: pure arithmetic over what the domains answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from isthmus import places
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import Applied, Buyer, LineAsk, Money, money

from . import api

T = TypeVar("T")

INACTIVE = (order.OrderState.CANCELLED, order.OrderState.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """What a buyer wants, and the facts of it, line by line: all that its bill and its order are made of."""

    ask: api.PreviewOrder | api.PlaceOrder
    lines: tuple[LineAsk, ...]  # with what stands in for what is short
    attributes: tuple[dict[str, Any], ...]  # of each line
    basket: order.Basket | None  # that the lines come from
    coupons: tuple[str, ...]
    buyer: Buyer
    sellable: tuple[catalog.Sellable, ...]  # of each line
    instead_of: Mapping[int, str]  # by line: what was wanted there
    agreed: Mapping[int, Money] = field(default_factory=dict[int, Money])  # by line: what it costs by an agreement
    tax: tax.TaxQuote | None = None  # once it was calculated


def taken_off(discounts: Sequence[promotion.Discount], lines: int, currency: str) -> tuple[Money, ...]:
    """Return how much all discounts together take off each line."""
    off = [0] * lines
    for discount in discounts:
        for share in discount.shares:
            off[share.line] += share.amount.minor
    return tuple([Money(currency=currency, minor=minor) for minor in off])


def off_delivery(discounts: Sequence[promotion.Discount], currency: str) -> Money:
    """Return how much the discounts that aim at delivery take off its fee."""
    return money(sum(one.amount.minor for one in discounts if one.target == "delivery"), currency)


def reasons_of(discounts: Sequence[promotion.Discount]) -> Mapping[int, Sequence[Applied]]:
    """Return which discounts took what off each line."""
    found: dict[int, list[Applied]] = {}
    for discount in discounts:
        for share in discount.shares:
            if share.amount.minor:
                reason = share.reason or discount.reason
                applied = Applied(by=discount.promotion, reason=reason, amount=-share.amount)
                found.setdefault(share.line, []).append(applied)
    return found


def agreed_by_line(agreed: Sequence[Money | None], instead_of: Mapping[int, str]) -> dict[int, Money]:
    """Return what lines cost by an agreement; what stands in for others was never agreed."""
    return {at: amount for at, amount in enumerate(agreed) if amount is not None and at not in instead_of}


def lines_there(lines: Sequence[LineAsk], short: Sequence[api.Shortage]) -> list[int]:
    """Return the places of lines of which there is enough."""
    missing = {one.path for one in short}
    return [at for at in range(len(lines)) if f"$.lines[{at}].sku" not in missing]


def renumbered(by_line: Mapping[int, T], left: Sequence[int]) -> dict[int, T]:
    """Return what is known of lines by the places that those which are left have now."""
    return {now: by_line[was] for now, was in enumerate(left) if was in by_line}


def quote_lines(cart: Cart) -> tuple[pricing.QuoteLine, ...]:
    """Return the lines of a cart as they are priced: with what the front end says of each."""
    return tuple(
        [
            pricing.QuoteLine(sku=line.sku, quantity=line.quantity, attributes=own, agreed=cart.agreed.get(at))
            for at, (line, own) in enumerate(zip(cart.lines, cart.attributes, strict=True))
        ]
    )


def delivery_lines(cart: Cart, quote: pricing.Quote) -> tuple[fulfilment.DeliveryLine, ...]:
    """Return the lines of a cart as deliveries are quoted for them."""
    return tuple(
        fulfilment.DeliveryLine(
            sku=good.sku,
            quantity=priced.quantity,
            weight_grams=good.weight_grams,
            attributes=good.attributes,
        )
        for good, priced in zip(cart.sellable, quote.lines, strict=True)
    )


def promotion_lines(cart: Cart, quote: pricing.Quote) -> tuple[promotion.PromotionLine, ...]:
    """Return the lines of a cart as promotions look at them."""
    return tuple(
        [
            promotion.PromotionLine(
                sku=good.sku,
                quantity=priced.quantity,
                amount=priced.amount,
                category=good.category,
                brand=good.brand,
                seller=good.seller,
                attributes=good.attributes,
                categories=good.categories,
                line_attributes=own,
                order_attributes=cart.ask.attributes,
            )
            for good, priced, own in zip(cart.sellable, quote.lines, cart.attributes, strict=True)
        ]
    )


def tax_lines(cart: Cart, quote: pricing.Quote, evaluation: promotion.Evaluation) -> tuple[tax.TaxLine, ...]:
    """Return the lines of a cart as they are taxed: after what promotions take off."""
    off = taken_off(evaluation.discounts, len(quote.lines), quote.currency)
    return tuple(
        tax.TaxLine(
            sku=good.sku,
            quantity=priced.quantity,
            tax_category=good.tax_category,
            amount=priced.amount - off[at],
        )
        for at, (good, priced) in enumerate(zip(cart.sellable, quote.lines, strict=True))
    )


def amount_of(quote: pricing.Quote) -> Money:
    """Return what all lines of a quote cost together."""
    return sum((line.amount for line in quote.lines), start=money(0, quote.currency))


def bill(
    cart: Cart,
    quote: pricing.Quote,
    evaluation: promotion.Evaluation,
    delivery: fulfilment.DeliveryQuote | None,
    taxed: tax.TaxQuote | None,
) -> api.Bill:
    """Put a bill together. What is paid for a line is its gross amount: tax is in it, or was added to it."""
    currency = quote.currency
    discounts = evaluation.discounts
    off, reasons = taken_off(discounts, len(quote.lines), currency), reasons_of(discounts)
    nothing = money(0, currency)
    lines: list[api.BillLine] = []
    for at, (good, priced) in enumerate(zip(cart.sellable, quote.lines, strict=True)):
        net = priced.amount - off[at]
        due = taxed.lines[at] if taxed else None
        lines.append(
            api.BillLine(
                sku=priced.sku,
                title=good.title,
                quantity=priced.quantity,
                unit=good.unit,
                seller=good.seller,
                list_amount=priced.list_amount,
                amount=priced.amount,
                discount=off[at],
                tax=due.tax if due else nothing,
                total=due.gross if due else net,
                applied=(*priced.applied, *reasons.get(at, ())),
                instead_of=cart.instead_of.get(at),
            )
        )
    fee = nothing
    if delivery is not None:
        fee = taxed.delivery.gross if taxed and taxed.delivery else delivery.fee - off_delivery(discounts, currency)
    goods = sum([line.total for line in lines], start=nothing)
    return api.Bill(
        currency=currency,
        lines=tuple(lines),
        goods=goods,
        discounts=discounts,
        missed=evaluation.missed,
        delivery=delivery,
        delivery_fee=fee,
        tax=taxed.tax if taxed else nothing,
        tax_summary=taxed.summary if taxed else (),
        total=goods + fee,
    )


def draft_lines(cart: Cart, bill: api.Bill, locations: Sequence[str]) -> tuple[order.DraftLine, ...]:
    """Return the lines of an order as they are written down."""
    return tuple(
        [
            order.DraftLine(
                sku=line.sku,
                title=line.title,
                quantity=line.quantity,
                unit=line.unit,
                seller=line.seller,
                location=location,
                tax_category=good.tax_category,
                list_amount=line.list_amount,
                amount=line.amount,
                discount=line.discount,
                tax=line.tax,
                total=line.total,
                is_returnable=good.is_returnable,
                applied=line.applied,
                attributes=own,
                taxed=taxed_as(cart.tax, cart.tax.lines[at]) if cart.tax else None,
            )
            for at, (line, good, location, own) in enumerate(
                zip(bill.lines, cart.sellable, locations, cart.attributes, strict=True)
            )
        ]
    )


def taxed_as(quote: tax.TaxQuote, line: tax.TaxedLine) -> order.Taxed:
    """Return how a line was taxed, as an order keeps it."""
    return order.Taxed(
        jurisdiction=quote.jurisdiction,
        category=line.tax_category,
        rate_ppm=sum(one.rate_ppm for one in line.rates) if quote.is_configured else None,
        exempt_because=line.exempt_because,
    )


def delivery_tax(cart: Cart) -> tuple[Money | None, order.Taxed | None]:
    """Return what of the fee for delivery is tax, and how it was taxed."""
    found = cart.tax.delivery if cart.tax else None
    return (found.tax, taxed_as(cart.tax, found)) if cart.tax and found else (None, None)


def draft_discounts(discounts: Sequence[promotion.Discount]) -> tuple[order.DraftDiscount, ...]:
    """Return the discounts of an order as they are written down, each with its shares."""
    return tuple(
        order.DraftDiscount(
            promotion=one.promotion,
            amount=one.amount,
            coupon=one.coupon,
            reason=one.reason,
            target=one.target,
            shares=tuple(order.DiscountShare(line=share.line, amount=share.amount) for share in one.shares),
        )
        for one in discounts
        if one.amount.minor
    )


def due_now(answered: object, total: Money) -> Money:
    """Return what is due at once of a total: a deposit where there is one, and otherwise all of it."""
    return answered if isinstance(answered, Money) and 0 < answered.minor < total.minor else total


def brief(sold: order.Order) -> order.OrderBrief:
    return order.OrderBrief(
        order_id=sold.order_id,
        number=sold.number,
        state=sold.state,
        part=sold.part,
        lines=len(sold.lines),
        total=sold.total,
    )


def locations_of(allocations: Sequence[inventory.Allocation], lines: int) -> list[str]:
    """Return where each line comes from; the first place where it comes from several."""
    found = [""] * lines
    for allocation in allocations:
        found[allocation.line] = found[allocation.line] or allocation.location
    return found


def sent_from(
    orders: Sequence[order.Order], allocations: Sequence[inventory.Allocation]
) -> list[tuple[fulfilment.PlanLine, ...]]:
    """Return what leaves which place for each order of a group: a line that is held in two places leaves both.

    A line takes what is held of its SKU where the order says that it comes from, then where else it is held. What is
    held nowhere any more is planned where the order says.
    """
    left: dict[tuple[str, str], int] = {}
    for held in allocations:
        here = (held.sku, held.location)
        left[here] = left.get(here, 0) + held.quantity - held.shipped - held.released
    return [tuple(part for line in one.lines for part in _parts(line, left)) for one in orders]


def _parts(line: order.OrderLine, left: dict[tuple[str, str], int]) -> list[fulfilment.PlanLine]:
    ordered_from = line.location or "main"
    others = sorted(place for sku, place in left if sku == line.sku and place != ordered_from)
    taken: dict[str, int] = {}
    wanted = line.quantity
    for place in (ordered_from, *others):
        units = min(wanted, left.get((line.sku, place), 0))
        if units:
            left[line.sku, place] -= units
            taken[place] = units
            wanted -= units
    if wanted:
        taken[ordered_from] = taken.get(ordered_from, 0) + wanted
    attributes = {"seller": line.seller} if line.seller else {}
    return [
        fulfilment.PlanLine(sku=line.sku, quantity=units, location=place, attributes=attributes)
        for place, units in taken.items()
    ]


def shortages(lines: Sequence[LineAsk], available: inventory.Availability) -> tuple[api.Shortage, ...]:
    """Return the lines for which there is too little, counting every line of the same SKU."""
    left = {one.sku: one.available + one.back_order for one in available.items}
    short: list[api.Shortage] = []
    for at, line in enumerate(lines):
        have = left.get(line.sku, 0)
        if line.quantity > have:
            short.append(
                api.Shortage(path=f"$.lines[{at}].sku", sku=line.sku, wanted=line.quantity, available=max(have, 0))
            )
        left[line.sku] = have - line.quantity
    return tuple(short)


def is_bought_alike(
    item: catalog.Sellable, offer: catalog.Offer, wanted: catalog.Sellable, quantity: int, left: Mapping[str, int]
) -> bool:
    """Say whether goods can be bought now in the quantity and unit of others."""
    fits = offer.min_quantity <= quantity <= offer.max_quantity and (quantity - offer.min_quantity) % offer.step == 0
    return offer.is_open and fits and item.unit == wanted.unit and left.get(item.sku, 0) >= quantity


def drifted(basket: Sequence[order.BasketLine], bill: api.Bill) -> tuple[api.Drift, ...]:
    """Return the lines of a basket that cost something else than they were shown to."""
    return tuple(
        api.Drift(path=f"$.lines[{at}]", sku=line.sku, shown=was.shown, now=line.amount)
        for at, (was, line) in enumerate(zip(basket, bill.lines, strict=False))  # no basket: nothing was shown
        if was.shown is not None and was.sku == line.sku and is_drift(was, was.shown, line.amount)
    )


def is_drift(was: order.BasketLine, shown: Money, now: Money) -> bool:
    """Say whether a line costs something else than it was shown to.

    Lines that were put together were each rounded by itself, and may cost less together, as many pieces do: only what
    is dearer by more than that rounding is another price.
    """
    if was.shown_lines == 1:
        return now != shown
    return now.minor - shown.minor >= was.shown_lines


def jurisdiction_of(country: str, region: str) -> str:
    """Write where goods go as tax knows places: `US-OH`; the country alone where it has no regions."""
    return f"{country}-{region}" if region and places.regions(country) else country
