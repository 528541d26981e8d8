"""Carrying payments through: what is said by providers, what follows, and what nobody goes on with."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from isthmus.kernel import Context, errors, implements
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import money

from .. import api, rules
from .order import credit_points

BALANCE_WITHIN = timedelta(days=30)  # presold goods come within four weeks, and are paid for before they are sent
_HELD = (payment.PaymentState.AUTHORISED, payment.PaymentState.CAPTURED)
log = logging.getLogger("isthmus.flows.checkout")


@implements(api.pay_order)
async def pay_order(ask: api.PayOrder, ctx: Context) -> api.Paid:
    authorise = payment.Authorise(payment_id=ask.payment_id, method=ask.method, token=ask.token)
    attempt = await ctx.call(payment.begin_authorisation, authorise)
    outcome = await ctx.call(payment.ask_provider, payment.AskProvider(attempt=attempt, token=ask.token))
    return await _settle(attempt, outcome, ctx)


@implements(api.use_credit)
async def use_credit(ask: api.UseCredit, ctx: Context) -> api.Paid:
    group_id = await _open_group(ask.payment_id, ctx)
    with_card = payment.PayWithCredit(reference=str(group_id), code=ask.code, at_most=ask.at_most)
    held = await ctx.call(payment.pay_with_credit, with_card)
    carried = await ctx.call(api.carry_on, api.CarryOn(group_id=group_id, payment_id=held.payment_id))
    return await _with_first(carried.paid.orders, group_id, ctx)


@implements(api.leave_credit)
async def leave_credit(ask: api.LeaveCredit, ctx: Context) -> api.Paid:
    group_id = await _open_group(ask.payment_id, ctx)
    await ctx.call(payment.let_go_of_credit, payment.LetGoOfCredit(reference=str(group_id)))
    group = await ctx.call(order.get_group, order.GetGroup(group_id=group_id))
    return await _with_first(group.orders, group_id, ctx)


async def _open_group(payment_id: UUID, ctx: Context) -> UUID:
    """Hold the group of orders that a payment is for, which must still wait for it."""
    found = await ctx.call(payment.get_payment, payment.GetPayment(payment_id=payment_id))
    if (group_id := _group_of(found.reference)) is None:
        raise order.UnknownOrder(what=f"of {found.reference!r}", path="$.payment_id")
    await ctx.call(order.hold_group, order.GetGroup(group_id=group_id))
    orders = (await ctx.call(order.get_group_orders, order.GetGroup(group_id=group_id))).orders
    if not any(one.state is order.OrderState.PLACED for one in orders):
        first = orders[0]
        raise order.IllegalTransition(what=f"order {first.number}", state=first.state, wanted="paid in another way")
    return group_id


async def _with_first(orders: tuple[order.OrderBrief, ...], group_id: UUID, ctx: Context) -> api.Paid:
    """Return how the payment of what is due at once stands, with what is left to pay, beside its orders."""
    first = (await ctx.call(payment.list_payments, _all_of(group_id))).items[0]
    return api.Paid(group_id=group_id, payment_id=first.payment_id, state=first.state, orders=orders, due=first.amount)


@implements(api.receive_notification)
async def receive_notification(ask: payment.Notify, ctx: Context) -> api.Paid:
    said = await ctx.call(payment.read_notification, ask)
    attempt = await ctx.call(payment.get_attempt, payment.GetAttempt(key=said.key))
    return await _settle(attempt, said.outcome, ctx)


async def _settle(attempt: payment.Attempt, outcome: payment.Outcome, ctx: Context) -> api.Paid:
    """Write down what a provider said, and see what follows from it through."""
    ended = payment.End(key=attempt.key, outcome=outcome)
    if (group_id := _group_of(attempt.reference)) is None:
        await ctx.call(payment.end_attempt, ended)
        raise order.UnknownOrder(what=f"of {attempt.reference!r}", path="$.payment_id")
    carried = await _carry_on(api.CarryOn(group_id=group_id, ended=ended), attempt.payment_id, ctx)
    if attempt.kind is payment.Kind.AUTHORISE:
        _check_held(carried.attempt or attempt)
    return await _follow_through(carried, ctx)


async def _carry_on(ask: api.CarryOn, payment_id: UUID, ctx: Context) -> api.CarriedOn:
    """Carry on. Where that is refused nothing of it was written, so at least the money is not kept."""
    try:
        return await ctx.call(api.carry_on, ask)
    except (errors.Refusal, errors.Fault):
        attempt = await ctx.call(payment.end_attempt, ask.ended) if ask.ended else None
        if attempt is None or (attempt.kind, attempt.state) == (payment.Kind.AUTHORISE, "done"):
            await ctx.call(payment.void, payment.Void(payment_id=payment_id))
        raise


def _check_held(attempt: payment.Attempt) -> None:
    if attempt.state == "refused":
        raise payment.Declined(reason=attempt.reason, path="$.token")
    if attempt.state != "done":
        raise payment.OutcomeUnknown


async def _follow_through(carried: api.CarriedOn, ctx: Context) -> api.Paid:
    """Take the money, or let it go, as was begun: with the answer in the transaction that writes it down."""
    attempt, paid = carried.follows, carried.paid
    if attempt is None:
        ended = carried.attempt
        is_lost = ended is not None and (ended.kind, ended.state) == (payment.Kind.CAPTURE, "refused")
        return await _cancel_unpaid_orders(paid, ended.reason, ctx) if ended is not None and is_lost else paid
    outcome = await ctx.call(payment.ask_provider, payment.AskProvider(attempt=attempt))
    ended = payment.End(key=attempt.key, outcome=outcome)
    settle = payment.Settle(reference=attempt.reference, ended=ended)
    settled = await ctx.call(payment.settle_attempt, settle, ends=lambda one: _answer(paid, one))
    return _answer(paid, settled) or await _cancel_unpaid_orders(paid, outcome.reason, ctx)


def _answer(paid: api.Paid, settled: payment.Settled) -> api.Paid | None:
    """Return what a payment came to; None where it is refused at last what was held.

    What may have been taken is as it was: nothing is undone, and `settle_payments` looks it up.
    """
    if settled.attempt is not None and settled.attempt.state == "refused":
        return None
    state = next(one.state for one in settled.payments if one.payment_id == paid.payment_id)
    return paid.replace(state=state)


async def _cancel_unpaid_orders(confirmed: api.Paid, reason: str, ctx: Context) -> api.Paid:
    """Cancel the orders of a group whose money was refused at last, let go what is held and give back what was paid."""
    declined = payment.Declined(reason=reason, path=None)
    for one in confirmed.orders:
        if one.state not in rules.INACTIVE:
            await ctx.call(api.give_back, api.CancelOrder(order_id=one.order_id, reason=str(declined)))
    voided = await ctx.call(payment.void, payment.Void(payment_id=confirmed.payment_id))
    payments = (await ctx.call(payment.list_payments, _all_of(confirmed.group_id))).items
    if has := sum(one.captured.minor - one.refunded.minor for one in payments):  # a deposit
        refund = payment.RefundFrom(
            payments=tuple(one.reference for one in payments),
            amount=money(has, voided.amount.currency),
            reference=str(confirmed.group_id),
            reason="cancelled",
        )
        await ctx.call(payment.refund_from, refund)
    group = await ctx.call(order.get_group, order.GetGroup(group_id=confirmed.group_id))
    return confirmed.replace(state=voided.state, orders=group.orders)


@implements(api.settle_payments)
async def settle_payments(ask: payment.Reconcile, ctx: Context) -> payment.Reconciled:
    found = await ctx.call(payment.list_open_attempts, payment.ListOpenAttempts(limit=ask.limit))
    settled: list[UUID] = []
    for attempt in found.items:
        outcome = await ctx.call(payment.look_up, payment.AskProvider(attempt=attempt))
        ended, group_id = payment.End(key=attempt.key, outcome=outcome), _group_of(attempt.reference)
        if outcome.state != "unknown":
            settled.append(attempt.payment_id)
        if outcome.state == "unknown" or group_id is None:
            await ctx.call(payment.end_attempt, ended)
        else:
            await _see_through(api.CarryOn(group_id=group_id, ended=ended), attempt.payment_id, ctx)
    waiting = (await ctx.call(order.list_in_review, order.ListInReview())).group_ids
    forgotten = payment.ListHeld(limit=ask.limit, besides=tuple(str(one) for one in waiting))
    for one in (await ctx.call(payment.list_held, forgotten)).items:
        if group_id := _group_of(one.reference):
            await _see_through(api.CarryOn(group_id=group_id, payment_id=one.payment_id), one.payment_id, ctx)
    return payment.Reconciled(settled=len(settled), unknown=len(found.items) - len(settled), payment_ids=tuple(settled))


@implements(api.go_on)
async def go_on(ask: order.GetGroup, ctx: Context) -> payment.Payments:
    for one in (await ctx.call(payment.list_payments, _all_of(ask.group_id))).items:
        if one.state is payment.PaymentState.AUTHORISED:
            await _see_through(api.CarryOn(group_id=ask.group_id, payment_id=one.payment_id), one.payment_id, ctx)
    return await ctx.call(payment.list_payments, _all_of(ask.group_id))


async def _see_through(ask: api.CarryOn, payment_id: UUID, ctx: Context) -> None:
    """See a payment through for which nobody waits; what is wrong with one keeps none of the others."""
    try:
        carried = await _carry_on(ask, payment_id, ctx)
        ended = carried.attempt
        if ended is not None and (ended.kind, ended.state) == (payment.Kind.CAPTURE, "refused"):
            again = api.CarryOn(group_id=ask.group_id, payment_id=payment_id)  # it never arrived: begun anew
            carried = await _carry_on(again, payment_id, ctx)
        await _follow_through(carried, ctx)
    except (errors.Refusal, errors.Fault) as wrong:
        log.warning("payment %s is not settled yet: %s", payment_id, wrong)


@implements(api.carry_on)
async def carry_on(ask: api.CarryOn, ctx: Context) -> api.CarriedOn:
    reference, group = str(ask.group_id), order.GetGroup(group_id=ask.group_id)
    await ctx.call(order.hold_group, group)
    await ctx.call(payment.hold_payments, payment.HoldPayments(reference=reference))
    orders = (await ctx.call(order.get_group_orders, group)).orders
    standing = [one for one in orders if one.state not in rules.INACTIVE]
    active = [one.total.minor for one in standing]
    settle = payment.Settle(
        reference=reference,
        wanted=money(sum(active), orders[0].currency) if active else None,
        ended=ask.ended,
        payment_id=ask.payment_id,
        is_held=True,
        waits=any(one.review_until for one in standing),
    )
    settled = await ctx.call(payment.settle_attempt, settle)
    payment_id = settled.attempt.payment_id if settled.attempt else ask.payment_id
    found = next(one for one in settled.payments if one.payment_id == payment_id)
    briefs = await _confirm(ask.group_id, orders, found, settled.payments, ctx)
    paid = api.Paid(group_id=ask.group_id, payment_id=found.payment_id, state=found.state, orders=briefs)
    return api.CarriedOn(attempt=settled.attempt, paid=paid, follows=settled.follows)


@implements(api.confirm_payment)
async def confirm_payment(ask: api.ConfirmPayment, ctx: Context) -> api.Paid:
    found = await ctx.call(payment.get_payment, payment.GetPayment(payment_id=ask.payment_id))
    group_id = UUID(payment.purpose_of(found.reference))
    await ctx.call(order.hold_group, order.GetGroup(group_id=group_id))
    orders = (await ctx.call(order.get_group_orders, order.GetGroup(group_id=group_id))).orders
    payments = (await ctx.call(payment.list_payments, _all_of(group_id))).items
    briefs = await _confirm(group_id, orders, found, payments, ctx)
    return api.Paid(group_id=group_id, payment_id=ask.payment_id, state=found.state, orders=briefs)


async def _confirm(
    group_id: UUID,
    orders: Sequence[order.Order],
    found: payment.Payment,
    payments: Sequence[payment.Payment],
    ctx: Context,
) -> tuple[order.OrderBrief, ...]:
    """Mark the orders of a group as paid, and do what follows, if this payment is what they waited for."""
    stand = tuple(rules.brief(one) for one in orders)
    placed = [one for one in orders if one.state is order.OrderState.PLACED]
    if found.state not in _HELD or not placed or any(one.review_until for one in placed):
        return stand
    if any(one.state not in _HELD and one.amount.minor for one in payments):
        if found.method == payment.CREDIT:
            return stand  # what a card holds is no deposit: it goes back where the rest does not come
        deposit = order.RecordDeposit(group_id=group_id, pay_before=ctx.now + BALANCE_WITHIN)
        await ctx.call(order.record_deposit, deposit)
        return stand
    group = await ctx.call(order.mark_paid, order.MarkPaid(group_id=group_id, held=tuple(orders)))
    now = {one.order_id: one.state for one in group.orders}
    paid = [one.replace(state=now[one.order_id]) for one in orders if now[one.order_id] is order.OrderState.PAID]
    for sold, lines in zip(paid, await _keep_goods(group_id, paid, ctx), strict=True):
        await _follow_up(sold, lines, ctx)
    return group.orders


async def _keep_goods(
    group_id: UUID, paid: Sequence[order.Order], ctx: Context
) -> list[tuple[fulfilment.PlanLine, ...]]:
    """Keep the goods of paid orders for good; return what is to be sent of each, and from where."""
    confirm = inventory.Confirm(reference=str(group_id))
    if any(sold.delivery_method for sold in paid):
        return rules.sent_from(paid, (await ctx.call(inventory.confirm, confirm)).allocations)
    await ctx.call(inventory.keep, confirm)
    return [()] * len(paid)


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
    await credit_points(sold.member_id, rules.brief(sold), own)


def _all_of(group_id: UUID) -> payment.ListPayments:
    return payment.ListPayments(references=payment.references_of(str(group_id)))


def _group_of(reference: str) -> UUID | None:
    """Return the group of orders that a payment is for; None where it is for something else."""
    try:
        return UUID(payment.purpose_of(reference))
    except ValueError:
        return None
