"""Ordering a basket: a priced cart is previewed, or validated and written in one transaction."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.values import Buyer, Money, composed

from .. import api, rules
from . import substitutes
from .cart import price_cart


@implements(api.preview_order)
async def preview_order(ask: api.PreviewOrder, ctx: Context) -> api.OrderPreview:
    cart, bill = await price_cart(ask, ctx)
    short = await substitutes.shortages(ask, cart.lines, ctx)
    offers = await substitutes.offers(ask, cart.lines, short, cart.buyer, ctx)
    locations = [ask.location or ""] * len(cart.lines)
    draft = order.CheckDraft(
        lines=rules.draft_lines(cart, bill, locations),
        currency=ask.currency,
        delivery_fee=bill.delivery_fee,
        total=bill.total,
        member_id=ask.member_id,
        address=ask.address,
        coupons=ask.coupons,
        order_kind=ask.order_kind,
        channel=ask.channel,
        attributes=ask.attributes,
    )
    checked = await ctx.call(order.check_draft, draft)
    refusals = (*checked.refusals, *(str(one) for one in _slot_refusals(bill, ask.slot_id)))
    return api.OrderPreview(
        bill=bill,
        shortages=short,
        substitutes=offers,
        refusals=refusals,
        due_now=rules.due_now(ctx.answer(payment.deposit)(bill.total), bill.total),
        parts=checked.parts,
        drifted=rules.drifted(cart.basket.lines if cart.basket else (), bill),
        can_be_placed=not short and not refusals,
    )


@implements(api.place_order)
async def place_order(ask: api.PlaceOrder, ctx: Context) -> api.PlacedOrder:
    return await _placed(ask, None, ctx)


@implements(api.place_agreed)
async def place_agreed(ask: api.PlaceAgreed, ctx: Context) -> api.PlacedOrder:
    return await _placed(ask.order, ask, ctx)


async def _placed(ask: api.PlaceOrder, terms: api.PlaceAgreed | None, ctx: Context) -> api.PlacedOrder:
    cart, bill = await price_cart(ask, ctx, terms)
    if ask.expected_total is not None and ask.expected_total != bill.total:
        raise api.PriceChanged(shown=ask.expected_total, now=bill.total)
    shown = cart.basket.lines if cart.basket and ask.expected_total is None else ()
    for one in rules.drifted(shown, bill):
        raise api.PriceChanged(shown=one.shown, now=one.now, what=f"{one.sku!r} in the basket", path=one.path)
    for refusal in _slot_refusals(bill, ask.slot_id):
        raise refusal
    group_id = ctx.new_id()
    pay_before = terms.pay_before if terms else None if ask.paid_at_till else ctx.now + api.PAY_WITHIN
    reservation = await ctx.call(
        inventory.reserve,
        inventory.Reserve(
            reference=str(group_id),
            lines=cart.lines,
            location=ask.location,
            destination=ask.address,
            expires_at=None,  # the order expires, and takes its reservation along
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )
    await _redeem(str(group_id), bill, cart.buyer, ctx)
    in_fee, fee_taxed = rules.delivery_tax(cart) if bill.delivery else (None, None)
    if ask.slot_id is not None:
        await ctx.call(fulfilment.book_slot, fulfilment.BookSlot(reference=str(group_id), slot_id=ask.slot_id))
    placed = await ctx.call(
        order.place_order,
        order.PlaceOrder(
            group_id=group_id,
            lines=rules.draft_lines(cart, bill, rules.locations_of(reservation.allocations, len(cart.lines))),
            currency=ask.currency,
            delivery_fee=bill.delivery_fee,
            discounts=rules.draft_discounts(bill.discounts),
            total=bill.total,
            member_id=cart.buyer.member_id,
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
            delivery_tax=in_fee,
            delivery_taxed=fee_taxed,
        ),
    )
    await _empty_basket(cart.basket, ctx)
    due_now, opened = await _open_payments(group_id, bill.total, ask.paid_at_till, ctx)
    if ask.paid_at_till is not None:
        await ctx.call(inventory.ship, inventory.Ship(reference=str(group_id)))
        for brief in placed.orders:
            await credit_points(cart.buyer.member_id, brief, ctx)
    return api.PlacedOrder(
        group_id=group_id,
        orders=placed.orders,
        payment_id=opened[0],
        due_now=due_now,
        balance_payment_id=opened[1] if len(opened) > 1 else None,
        bill=bill,
        pay_before=pay_before,
    )


async def _open_payments(
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


async def _empty_basket(basket: order.Basket | None, ctx: Context) -> None:
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


async def _redeem(reference: str, bill: api.Bill, buyer: Buyer, ctx: Context) -> None:
    if not bill.discounts:
        return
    uses = tuple(
        promotion.DiscountUse(promotion=one.promotion, amount=one.amount, coupon=one.coupon) for one in bill.discounts
    )
    await ctx.call(promotion.redeem, promotion.Redeem(reference=reference, discounts=uses, buyer=buyer))


async def credit_points(member_id: UUID | None, sold: order.OrderBrief, ctx: Context) -> None:
    """Credit an order's points, where the buyer is a member and the front end gives any."""
    points = ctx.answer(member.points_earned)(sold.total) if member_id is not None else 0
    if member_id is not None and isinstance(points, int) and points > 0:
        earned = member.EarnPoints(member_id=member_id, reference=str(sold.order_id), points=points)
        await ctx.call(member.earn_points, earned)
