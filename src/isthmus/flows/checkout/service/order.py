"""Checkout at work: facts of the basket → price → deliver → promote → tax → validate → one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import GUEST, Buyer, LineAsk, Money, composed, distinct_codes

from .. import api, rules
from . import substitutes as service_substitutes

PAY_WITHIN = timedelta(minutes=30)  # stock is held so long for an unpaid order
JURISDICTION = "jurisdiction"  # the setting that says where a front end sells when goods are not sent anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedCart:
    """A bill with the facts that it was drawn up from."""

    bill: api.Bill
    lines: tuple[LineAsk, ...]
    attributes: tuple[dict[str, Any], ...]  # of each line
    basket: order.Basket | None
    buyer: Buyer
    sellable: tuple[catalog.Sellable, ...]


@implements(api.preview_order)
async def preview_order(ask: api.PreviewOrder, ctx: Context) -> api.OrderPreview:
    drawn = await _price_cart(ask, ctx)
    short = await service_substitutes.shortages(ask, drawn.lines, ctx)
    offered = await service_substitutes.substitutes(ask, drawn.lines, short, drawn.buyer, ctx)
    locations = [ask.location or ""] * len(drawn.lines)
    draft = order.CheckDraft(
        lines=rules.draft_lines(drawn.bill, drawn.sellable, locations, drawn.attributes),
        currency=ask.currency,
        delivery_fee=drawn.bill.delivery_fee,
        total=drawn.bill.total,
        member_id=ask.member_id,
        address=ask.address,
        coupons=ask.coupons,
        order_kind=ask.order_kind,
        channel=ask.channel,
        attributes=ask.attributes,
    )
    checked = await ctx.call(order.check_draft, draft)
    refusals = (*checked.refusals, *(str(one) for one in _slot_refusals(drawn.bill, ask.slot_id)))
    return api.OrderPreview(
        bill=drawn.bill,
        shortages=short,
        substitutes=offered,
        refusals=refusals,
        due_now=rules.due_now(ctx.answer(payment.deposit)(drawn.bill.total), drawn.bill.total),
        parts=checked.parts,
        drifted=rules.drifted(drawn.basket.lines if drawn.basket else (), drawn.bill),
        can_be_placed=not short and not refusals,
    )


@implements(api.place_order)
async def place_order(ask: api.PlaceOrder, ctx: Context) -> api.PlacedOrder:
    drawn = await _price_cart(ask, ctx)
    bill = drawn.bill
    if ask.expected_total is not None and ask.expected_total != bill.total:
        raise api.PriceChanged(shown=ask.expected_total, now=bill.total)
    shown = drawn.basket.lines if drawn.basket and ask.expected_total is None else ()
    for one in rules.drifted(shown, bill):
        raise api.PriceChanged(shown=one.shown, now=one.now, what=f"{one.sku!r} in the basket", path=one.path)
    for refusal in _slot_refusals(bill, ask.slot_id):
        raise refusal
    group_id = ctx.new_id()
    pay_before = None if ask.paid_at_till else ctx.now + PAY_WITHIN
    reservation = await ctx.call(
        inventory.reserve,
        inventory.Reserve(
            reference=str(group_id),
            lines=drawn.lines,
            location=ask.location,
            destination=ask.address,
            expires_at=None,  # the order expires, and takes its reservation along
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )
    await _redeem(str(group_id), drawn, ctx)
    if ask.slot_id is not None:
        await ctx.call(fulfilment.book_slot, fulfilment.BookSlot(reference=str(group_id), slot_id=ask.slot_id))
    placed = await ctx.call(
        order.place_order,
        order.PlaceOrder(
            group_id=group_id,
            lines=rules.draft_lines(
                bill,
                drawn.sellable,
                rules.locations_of(reservation.allocations, len(drawn.lines)),
                drawn.attributes,
            ),
            currency=ask.currency,
            delivery_fee=bill.delivery_fee,
            discounts=rules.draft_discounts(bill.discounts),
            total=bill.total,
            member_id=drawn.buyer.member_id,
            contact_email=composed(ask.contact_email),
            address=ask.address,
            delivery_method=bill.delivery.method if bill.delivery else "",
            slot_id=ask.slot_id,
            coupons=tuple(one.coupon for one in bill.discounts if one.coupon),
            order_kind=ask.order_kind,
            channel=ask.channel,
            pay_before=pay_before,
            is_handed_over=ask.paid_at_till is not None,
            plan=ctx.plan.fingerprint,
            attributes=ask.attributes,
        ),
    )
    await _emptied(drawn.basket, ctx)
    due_now, opened = await _opened(group_id, bill.total, ask.paid_at_till, ctx)
    if ask.paid_at_till is not None:
        await ctx.call(inventory.ship, inventory.Ship(reference=str(group_id)))
        for brief in placed.orders:
            await credit(drawn.buyer.member_id, brief, ctx)
    return api.PlacedOrder(
        group_id=group_id,
        orders=placed.orders,
        payment_id=opened[0],
        due_now=due_now,
        balance_payment_id=opened[1] if len(opened) > 1 else None,
        bill=bill,
        pay_before=pay_before,
    )


async def _opened(
    group_id: UUID, total: Money, received_as: str | None, ctx: Context
) -> tuple[Money, tuple[UUID, ...]]:
    """Open the payments of a group: of all of it, or of a deposit and the balance."""
    due = total if received_as else rules.due_now(ctx.answer(payment.deposit)(total), total)
    amounts = (due,) if due == total else (due, total - due)
    opened = [
        await ctx.call(
            payment.open_payment,
            payment.OpenPayment(reference=reference, amount=amount, received_as=received_as),
        )
        for reference, amount in zip(payment.references_of(str(group_id)), amounts, strict=False)
    ]
    return due, tuple(one.payment_id for one in opened)


@implements(api.check_basket)
async def check_basket(ask: order.BasketOpened, ctx: Context) -> order.BasketOpened:
    try:
        await ctx.call(member.get_buyer, member.GetMember(member_id=ask.member_id))
    except member.NotAMember:
        raise order.UnknownMember(member_id=ask.member_id) from None
    return ask


async def _emptied(basket: order.Basket | None, ctx: Context) -> None:
    """Empty the basket that was ordered: it becomes one order, and what came into it meanwhile is not lost."""
    if basket is None:
        return
    nothing = tuple(order.SetLine(sku=line.sku, quantity=0) for line in basket.lines)
    emptied = await ctx.call(order.set_lines, order.SetLines(basket_id=basket.basket_id, lines=nothing))
    if emptied.version != basket.version + 1:
        raise api.BasketChanged(basket_id=basket.basket_id)
    if emptied.coupons:
        await ctx.call(order.set_coupons, order.SetCoupons(basket_id=basket.basket_id, coupons=()))


def _slot_refusals(bill: api.Bill, slot_id: UUID | None) -> list[api.SlotNeeded]:
    is_missing = bill.delivery is not None and bill.delivery.needs_slot and slot_id is None
    return [api.SlotNeeded(method=bill.delivery.method)] if bill.delivery and is_missing else []


async def _price_cart(ask: api.PreviewOrder | api.PlaceOrder, ctx: Context) -> PricedCart:
    """Draw up the bill: everything before the transaction's first lock, and nothing that depends on chance."""
    basket, coupons = await _wanted(ask, ctx)
    wanted = basket.lines if basket else ask.lines or ()
    lines = tuple(LineAsk(sku=line.sku, quantity=line.quantity) for line in wanted)
    buyer = (
        GUEST if ask.member_id is None else await ctx.call(member.get_buyer, member.GetMember(member_id=ask.member_id))
    )
    instead_of: dict[int, str] = {}
    if ask.accepts_substitutes:
        lines, instead_of = await service_substitutes.replaced(ask, lines, buyer, ctx)
    kind, channel = ask.order_kind, ask.channel
    sellable = (
        await ctx.call(catalog.check_lines, catalog.CheckLines(lines=lines, order_kind=kind, channel=channel))
    ).items
    quote = await ctx.call(
        pricing.quote,
        pricing.QuoteLines(
            lines=lines,
            currency=ask.currency,
            location=ask.location,
            buyer=buyer,
            order_kind=kind,
            channel=channel,
        ),
    )
    delivery = await _delivery(ask, sellable, quote, ctx)
    evaluation = await ctx.call(
        promotion.evaluate,
        promotion.Evaluate(
            lines=tuple(_promoted(good, priced) for good, priced in zip(sellable, quote.lines, strict=True)),
            buyer=buyer,
            coupons=coupons,
            delivery_fee=delivery.fee if delivery else None,
            order_kind=kind,
            channel=channel,
        ),
    )
    taxed = await _taxed(ask, sellable, quote, evaluation, delivery, buyer, ctx)
    bill = rules.bill(instead_of, sellable, quote, evaluation, delivery, taxed)
    attributes = tuple(line.attributes for line in wanted)
    return PricedCart(bill=bill, lines=lines, attributes=attributes, basket=basket, buyer=buyer, sellable=sellable)


async def _wanted(ask: api.PreviewOrder | api.PlaceOrder, ctx: Context) -> tuple[order.Basket | None, tuple[str, ...]]:
    """Return the basket, where one is ordered, and the coupons."""
    if ask.basket_id is None:
        if not ask.lines:
            raise api.NothingToBuy
        return None, ask.coupons
    basket = await ctx.call(order.get_basket, order.GetBasket(basket_id=ask.basket_id))
    if not basket.lines:
        raise api.NothingToBuy
    if basket.currency != ask.currency:
        raise order.BasketsDiffer(what="currency", one=basket.currency, other=ask.currency, path="$.currency")
    if basket.member_id is not None and ask.member_id not in (None, basket.member_id):
        raise order.BasketsDiffer(what="member", one=basket.member_id, other=ask.member_id, path="$.member_id")
    coupons = distinct_codes([*basket.coupons, *ask.coupons])
    if len(coupons) > api.COUPONS_MAX:
        raise order.TooManyCoupons(coupons=len(coupons), most=api.COUPONS_MAX, path="$.coupons")
    return basket, coupons


async def _delivery(
    ask: api.PreviewOrder | api.PlaceOrder,
    sellable: Sequence[catalog.Sellable],
    quote: pricing.Quote,
    ctx: Context,
) -> fulfilment.DeliveryQuote | None:
    """Quote the delivery; there is none where goods are taken along in a shop."""
    is_taken_along = ask.address is None and ask.delivery_method is None and ask.slot_id is None
    if is_taken_along:
        return None
    quoted = fulfilment.request_quote if isinstance(ask, api.PreviewOrder) else fulfilment.quote_delivery
    return await ctx.call(
        quoted,
        fulfilment.QuoteDelivery(
            lines=tuple(
                fulfilment.DeliveryLine(
                    sku=good.sku,
                    quantity=priced.quantity,
                    weight_grams=good.weight_grams,
                    attributes=good.attributes,
                )
                for good, priced in zip(sellable, quote.lines, strict=True)
            ),
            amount=_sum([line.amount for line in quote.lines]),
            address=ask.address,
            method=ask.delivery_method,
            slot_id=ask.slot_id,
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )


def _promoted(good: catalog.Sellable, priced: pricing.PricedLine) -> promotion.PromotionLine:
    return promotion.PromotionLine(
        sku=good.sku,
        quantity=priced.quantity,
        amount=priced.amount,
        category=good.category,
        brand=good.brand,
        seller=good.seller,
        attributes=good.attributes,
        categories=good.categories,
    )


async def _taxed(
    ask: api.PreviewOrder | api.PlaceOrder,
    sellable: Sequence[catalog.Sellable],
    quote: pricing.Quote,
    evaluation: promotion.Evaluation,
    delivery: fulfilment.DeliveryQuote | None,
    buyer: Buyer,
    ctx: Context,
) -> tax.TaxQuote | None:
    """Calculate the tax where goods go, or where the front end says that it sells; none where it says neither."""
    where = rules.jurisdiction_of(ask.address.country, ask.address.region) if ask.address else ""
    where = where or ctx.plan.settings.get(JURISDICTION, "")
    if not where:
        return None
    off = rules.taken_off(evaluation.discounts, len(quote.lines), quote.currency)
    fee = delivery.fee - rules.off_delivery(evaluation.discounts, quote.currency) if delivery else None
    calculate = tax.assess if isinstance(ask, api.PreviewOrder) else tax.calculate  # placing holds a transaction
    return await ctx.call(
        calculate,
        tax.Calculate(
            lines=tuple(
                tax.TaxLine(
                    sku=good.sku,
                    quantity=priced.quantity,
                    tax_category=good.tax_category,
                    amount=priced.amount - off[at],
                )
                for at, (good, priced) in enumerate(zip(sellable, quote.lines, strict=True))
            ),
            jurisdiction=where,
            is_address=ask.address is not None,
            destination=ask.address,
            delivery_fee=fee,
            buyer=buyer,
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )


async def _redeem(reference: str, drawn: PricedCart, ctx: Context) -> None:
    if not drawn.bill.discounts:
        return
    uses = tuple(
        promotion.DiscountUse(promotion=one.promotion, amount=one.amount, coupon=one.coupon)
        for one in drawn.bill.discounts
    )
    await ctx.call(promotion.redeem, promotion.Redeem(reference=reference, discounts=uses, buyer=drawn.buyer))


async def credit(member_id: UUID | None, sold: order.OrderBrief, ctx: Context) -> None:
    """Credit an order's points, where the buyer is a member and the front end gives any."""
    points = ctx.answer(member.points_earned)(sold.total) if member_id is not None else 0
    if member_id is not None and isinstance(points, int) and points > 0:
        earned = member.EarnPoints(member_id=member_id, reference=str(sold.order_id), points=points)
        await ctx.call(member.earn_points, earned)


def _sum(amounts: Sequence[Money]) -> Money:
    return sum(amounts[1:], start=amounts[0])
