"""Cancelling orders, and cancelling unpaid ones when their time is over."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.values import LineAsk, Money, money

from .. import api, rules

REFUNDED_MEANWHILE_MAX = 3  # times that somebody gives money back by hand between a look and a refund


async def _payments(group_id: UUID, ctx: Context) -> tuple[payment.Payment, ...]:
    """Return the payments of a group, the first due first."""
    asked = payment.ListPayments(references=payment.references_of(str(group_id)))
    return (await ctx.call(payment.list_payments, asked)).items


@implements(api.give_back)
async def give_back(ask: api.CancelOrder, ctx: Context) -> order.CancelledOrder:
    cancelled = await ctx.call(order.cancel_order, order.Cancel(order_id=ask.order_id, reason=ask.reason))
    if not cancelled.is_news:
        return cancelled
    sold = cancelled.order
    reference = str(sold.group_id)
    if not cancelled.was_paid and not cancelled.is_last_of_group:
        await _reduce_amounts_due(sold, ctx)
    held = [(line.sku, line.quantity - line.closed) for line in sold.lines]
    lines = tuple(LineAsk(sku=sku, quantity=count) for sku, count in held if count)
    await ctx.call(
        inventory.release,
        inventory.Release(reference=reference, lines=None if cancelled.is_last_of_group else lines),
    )
    if cancelled.is_last_of_group:
        await ctx.call(promotion.return_uses, promotion.ReturnUses(reference=reference))
        await ctx.call(fulfilment.release_slot, fulfilment.ReleaseSlot(reference=reference))
    if cancelled.was_paid and sold.delivery_method:
        await ctx.call(fulfilment.cancel, fulfilment.Cancel(reference=str(sold.order_id)))
    if cancelled.was_paid and sold.member_id is not None:
        reverse = member.ReversePoints(member_id=sold.member_id, reference=str(sold.order_id))
        await ctx.call(member.reverse_points, reverse)
    return cancelled


async def _reduce_amounts_due(sold: order.Order, ctx: Context) -> None:
    """Let the buyer of a group pay for what is left of it."""
    payments = await _payments(sold.group_id, ctx)
    dues = payment.dues(payments, await _active_total(sold.group_id, ctx))
    for one in payments:
        due = money(dues[one.payment_id], sold.currency)
        await ctx.call(payment.expect_less, payment.ExpectLess(reference=one.reference, amount=due))


async def _active_total(group_id: UUID, ctx: Context) -> int:
    """Return what the orders of a group come to that are not gone, in minor units."""
    group = await ctx.call(order.get_group, order.GetGroup(group_id=group_id))
    return sum(one.total.minor for one in group.orders if one.state not in rules.INACTIVE)


async def _refunded_total(group_id: UUID, ctx: Context) -> int:
    """Return what was given back for goods of the orders that stand, in minor units."""
    group = await ctx.call(order.get_group, order.GetGroup(group_id=group_id))
    active = [order.GetOrder(order_id=one.order_id) for one in group.orders if one.state not in rules.INACTIVE]
    return sum([(await ctx.call(order.get_order, one)).refunded.minor for one in active])


@implements(api.cancel_order)
async def cancel_order(ask: api.CancelOrder, ctx: Context) -> api.Cancelled:
    cancelled = await ctx.call(api.give_back, ask)
    sold = cancelled.order
    for _ in range(REFUNDED_MEANWHILE_MAX):
        try:
            back = await _refund_buyer(await _payments(sold.group_id, ctx), cancelled, ctx)
            break
        except payment.RefundTooLarge:
            continue  # by hand, since it was looked at
    else:
        back = await _refund_buyer(await _payments(sold.group_id, ctx), cancelled, ctx)
    return api.Cancelled(order=rules.brief(sold), refunded=back, fee=cancelled.fee)


async def _refund_buyer(payments: Sequence[payment.Payment], cancelled: order.CancelledOrder, ctx: Context) -> Money:
    """Give back what was paid for an order, and never what others of its group are paid with. Safe to repeat."""
    sold = cancelled.order
    first = payments[0]
    back = sold.total - cancelled.fee
    is_untaken = first.state in (payment.PaymentState.AUTHORISED, payment.PaymentState.VOIDED)
    if cancelled.was_paid and is_untaken and back == first.amount:
        await ctx.call(payment.void, payment.Void(payment_id=first.payment_id))
        return back
    is_held_only = cancelled.was_paid and first.state is payment.PaymentState.AUTHORISED
    if not is_held_only:  # of what is only held, nothing can be given back until it is known whether it was taken
        has = sum(one.captured.minor - one.refunded.minor for one in payments)
        needed = await _active_total(sold.group_id, ctx) - await _refunded_total(sold.group_id, ctx)
        back = money(max(0, min(back.minor, has - needed)), sold.currency)
    if back.minor:
        refund = payment.RefundFrom(
            payments=tuple(one.reference for one in payments),
            amount=back,
            reference=str(sold.order_id),
            reason="cancelled",
        )
        await ctx.call(payment.refund_from, refund)
    return back


@implements(api.expire_orders)
async def expire_orders(ask: api.ExpireOrders, ctx: Context) -> api.Expired:
    expired = await ctx.call(order.expire_due, order.ExpireDue(limit=ask.limit))
    for group_id in expired.group_ids:
        reference = str(group_id)
        await ctx.call(inventory.release, inventory.Release(reference=reference))
        await ctx.call(promotion.return_uses, promotion.ReturnUses(reference=reference))
        await ctx.call(fulfilment.release_slot, fulfilment.ReleaseSlot(reference=reference))
    return api.Expired(orders=len(expired.group_ids))
