"""Checkout at work: paying, confirming, cancelling, running out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
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
from .order import credit

BALANCE_WITHIN = timedelta(days=30)  # presold goods come within four weeks, and are paid for before they are sent
_GONE = (order.OrderState.CANCELLED, order.OrderState.EXPIRED)
_HELD = (payment.PaymentState.AUTHORISED, payment.PaymentState.CAPTURED)


@implements(api.pay_order)
async def pay_order(ask: api.PayOrder, ctx: Context) -> api.Paid:
    await ctx.call(payment.authorise, payment.Authorise(payment_id=ask.payment_id, method=ask.method, token=ask.token))
    ctx.compensate_with(payment.void, payment.Void(payment_id=ask.payment_id))
    return await _confirmed_and_captured(ask.payment_id, ctx)


@implements(api.receive_notification)
async def receive_notification(ask: payment.Notify, ctx: Context) -> api.Paid:
    found = await ctx.call(payment.notify, ask)
    if found.state is payment.PaymentState.AUTHORISED:
        return await _confirmed_and_captured(found.payment_id, ctx)
    return await ctx.call(api.confirm_payment, api.ConfirmPayment(payment_id=found.payment_id))


async def _confirmed_and_captured(payment_id: UUID, ctx: Context) -> api.Paid:
    """Take the money for the orders that stand; let it go where they ran out or were cancelled meanwhile."""
    confirmed = await ctx.call(api.confirm_payment, api.ConfirmPayment(payment_id=payment_id))
    standing = [one.total.minor for one in confirmed.orders if one.state not in _GONE]
    payments = await _payments(confirmed.group_id, ctx)
    due = rules.dues(payments, sum(standing))[payment_id]
    if not standing or (due == 0 and sum(standing) > 0):
        voided = await ctx.call(payment.void, payment.Void(payment_id=payment_id))
        return _paid(confirmed, voided.state)
    amount = money(due, confirmed.orders[0].total.currency)
    capture = payment.Capture(payment_id=payment_id, amount=amount if due else None)  # free goods: all of it
    try:
        return _paid(confirmed, (await ctx.call(payment.capture, capture)).state)
    except payment.OutcomeUnknown:  # it may have been taken, so nothing is undone: `settle_payments` looks it up
        return _paid(confirmed, confirmed.state)
    except payment.Declined as declined:  # held and confirmed, and not to be had after all
        return await _unpaid(confirmed, declined, ctx)


async def _unpaid(confirmed: api.Paid, declined: payment.Declined, ctx: Context) -> api.Paid:
    """Cancel the orders of a group whose money was refused at last, let go what is held and give back what was paid."""
    for one in confirmed.orders:
        if one.state not in _GONE:
            await ctx.call(api.give_back, api.CancelOrder(order_id=one.order_id, reason=str(declined)))
    voided = await ctx.call(payment.void, payment.Void(payment_id=confirmed.payment_id))
    payments = await _payments(confirmed.group_id, ctx)
    if has := sum(one.captured.minor - one.refunded.minor for one in payments):  # a deposit
        refund = payment.RefundFrom(
            payments=tuple(one.reference for one in payments),
            amount=money(has, voided.amount.currency),
            reference=str(confirmed.group_id),
            reason="cancelled",
        )
        await ctx.call(payment.refund_from, refund)
    group = await ctx.call(order.get_group, order.GetGroup(group_id=confirmed.group_id))
    return api.Paid(
        group_id=confirmed.group_id, payment_id=confirmed.payment_id, state=voided.state, orders=group.orders
    )


def _paid(confirmed: api.Paid, state: str) -> api.Paid:
    return api.Paid(group_id=confirmed.group_id, payment_id=confirmed.payment_id, state=state, orders=confirmed.orders)


async def _payments(group_id: UUID, ctx: Context) -> tuple[payment.Payment, ...]:
    """Return the payments of a group, the first due first."""
    asked = payment.ListPayments(references=payment.references_of(str(group_id)))
    return (await ctx.call(payment.list_payments, asked)).items


@implements(api.settle_payments)
async def settle_payments(ask: payment.Reconcile, ctx: Context) -> payment.Reconciled:
    reconciled = await ctx.call(payment.reconcile, ask)
    for payment_id in reconciled.payment_ids:
        found = await ctx.call(payment.get_payment, payment.GetPayment(payment_id=payment_id))
        if found.state is payment.PaymentState.AUTHORISED:
            await _confirmed_and_captured(payment_id, ctx)
        else:
            await ctx.call(api.confirm_payment, api.ConfirmPayment(payment_id=payment_id))
    return reconciled


@implements(api.confirm_payment)
async def confirm_payment(ask: api.ConfirmPayment, ctx: Context) -> api.Paid:
    found = await ctx.call(payment.get_payment, payment.GetPayment(payment_id=ask.payment_id))
    group_id = UUID(payment.purpose_of(found.reference))
    before = await ctx.call(order.get_group, order.GetGroup(group_id=group_id))
    is_news = any(one.state is order.OrderState.PLACED for one in before.orders)
    stands = api.Paid(group_id=group_id, payment_id=ask.payment_id, state=found.state, orders=before.orders)
    if found.state not in _HELD or not is_news:
        return stands
    if any(one.state not in _HELD and one.amount.minor for one in await _payments(group_id, ctx)):
        deposit = order.RecordDeposit(group_id=group_id, pay_before=ctx.now + BALANCE_WITHIN)
        await ctx.call(order.record_deposit, deposit)
        return stands
    group = await ctx.call(order.mark_paid, order.MarkPaid(group_id=group_id))
    held = await ctx.call(inventory.confirm, inventory.Confirm(reference=str(group_id)))
    asked = [order.GetOrder(order_id=one.order_id) for one in group.orders if one.state is order.OrderState.PAID]
    paid = [await ctx.call(order.get_order, one) for one in asked]
    for sold, lines in zip(paid, rules.sent_from(paid, held.allocations), strict=True):
        await _follow_up(sold, lines, ctx)
    return api.Paid(group_id=group_id, payment_id=ask.payment_id, state=found.state, orders=group.orders)


async def _follow_up(sold: order.Order, lines: tuple[fulfilment.PlanLine, ...], ctx: Context) -> None:
    """Plan what is to be sent of a paid order, and credit its points; as it was sold."""
    own = ctx.acting_for(sold.box)
    if sold.delivery_method:
        plan = fulfilment.Plan(
            reference=str(sold.order_id),
            lines=lines,
            method=sold.delivery_method,
            address=sold.address,
            order_kind=sold.order_kind,
            channel=sold.channel,
        )
        await own.call(fulfilment.plan, plan)
    await credit(sold.member_id, rules.brief(sold), own)


@implements(api.give_back)
async def give_back(ask: api.CancelOrder, ctx: Context) -> order.CancelledOrder:
    cancelled = await ctx.call(order.cancel_order, order.Cancel(order_id=ask.order_id, reason=ask.reason))
    if not cancelled.is_news:
        return cancelled
    sold = cancelled.order
    reference = str(sold.group_id)
    if not cancelled.was_paid and not cancelled.is_last_of_group:
        await _expect_less(sold, ctx)
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


async def _expect_less(sold: order.Order, ctx: Context) -> None:
    """Let the buyer of a group pay for what is left of it."""
    payments = await _payments(sold.group_id, ctx)
    dues = rules.dues(payments, await _standing(sold.group_id, ctx))
    for one in payments:
        due = money(dues[one.payment_id], sold.currency)
        await ctx.call(payment.expect_less, payment.ExpectLess(reference=one.reference, amount=due))


async def _standing(group_id: UUID, ctx: Context) -> int:
    """Return what the orders of a group come to that are not gone, in minor units."""
    group = await ctx.call(order.get_group, order.GetGroup(group_id=group_id))
    return sum(one.total.minor for one in group.orders if one.state not in _GONE)


async def _returned(group_id: UUID, ctx: Context) -> int:
    """Return what was given back for goods of the orders that stand, in minor units."""
    group = await ctx.call(order.get_group, order.GetGroup(group_id=group_id))
    standing = [order.GetOrder(order_id=one.order_id) for one in group.orders if one.state not in _GONE]
    return sum([(await ctx.call(order.get_order, one)).refunded.minor for one in standing])


@implements(api.cancel_order)
async def cancel_order(ask: api.CancelOrder, ctx: Context) -> api.Cancelled:
    cancelled = await ctx.call(api.give_back, ask)
    sold = cancelled.order
    payments = await _payments(sold.group_id, ctx)
    back = await _money_back(payments, cancelled, ctx)
    return api.Cancelled(order=rules.brief(sold), refunded=back, fee=cancelled.fee)


async def _money_back(payments: Sequence[payment.Payment], cancelled: order.CancelledOrder, ctx: Context) -> Money:
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
        needed = await _standing(sold.group_id, ctx) - await _returned(sold.group_id, ctx)
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
