"""Payments: what is owed, what there is, and what of it is promised back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import money

from .. import api, rules
from ..storage import payments as storage
from ..storage import withholding


@implements(api.open_payment)
async def open_payment(ask: api.OpenPayment, ctx: Context) -> api.Payment:
    payment_id = ctx.new_id()
    is_new = ctx.is_new(api.purpose_of(ask.reference))
    ids = payment_id, ctx.new_id()
    if not await storage.open_payment(ctx.session, ctx.front_end, ids, ask, ctx.now, is_new=is_new):
        known = await _found(None, ask.reference, ctx)
        if known.amount != ask.amount:
            raise api.ReferenceUsed(reference=ask.reference, known=known.amount, wanted=ask.amount)
        return known
    nothing = money(0, ask.amount.currency)
    received = ask.amount if ask.received_as else nothing
    payment = api.Payment(
        payment_id=payment_id,
        reference=ask.reference,
        state=api.PaymentState.CAPTURED if ask.received_as else api.PaymentState.OPEN,
        amount=ask.amount,
        authorised=received,
        captured=received,
        refunded=nothing,
        method=ask.received_as or "",
        legs=(),
    )
    if ask.received_as:
        moved = api.PaymentMoved(
            payment_id=payment_id,
            reference=ask.reference,
            state=payment.state,
            kind="receipt",
            amount=ask.amount,
            method=ask.received_as,
        )
        ctx.emit(moved)
    return payment


@implements(api.expect_less)
async def expect_less(ask: api.ExpectLess, ctx: Context) -> api.Payment:
    payment = (await _locked((await _found(None, ask.reference, ctx)).payment_id, ctx)).payment
    if ask.amount.currency != payment.amount.currency or ask.amount > payment.amount:
        raise api.WrongAmount(wanted=ask.amount, currency=payment.amount.currency)
    under_way = await storage.under_way(ctx.session, ctx.front_end, payment.payment_id)
    if payment.state is not api.PaymentState.OPEN or under_way or ask.amount == payment.amount:
        return payment
    await storage.expect(ctx.session, ctx.front_end, payment.payment_id, ask.amount.minor)
    return await _found(payment.payment_id, None, ctx)


@implements(api.expect_amount)
async def expect_amount(ask: api.ExpectAmount, ctx: Context) -> api.Payment:
    payment = (await _locked((await _found(None, ask.reference, ctx)).payment_id, ctx)).payment
    if ask.amount.currency != payment.amount.currency:
        raise api.WrongAmount(wanted=ask.amount, currency=payment.amount.currency)
    if under_way := await storage.under_way(ctx.session, ctx.front_end, payment.payment_id):
        raise api.StepUnderWay(kind=next(iter(under_way)), wanted="bring another amount")
    if payment.state is not api.PaymentState.OPEN:
        raise api.IllegalStep(state=payment.state, wanted="expected anew")
    await storage.expect(ctx.session, ctx.front_end, payment.payment_id, ask.amount.minor)
    return payment.replace(amount=ask.amount)


@implements(api.get_payment)
async def get_payment(ask: api.GetPayment, ctx: Context) -> api.Payment:
    if ask.payment_id is None and ask.reference is None:
        raise api.UnknownPayment(what="without payment_id or reference")
    return await _found(ask.payment_id, ask.reference, ctx)


@implements(api.list_payments)
async def list_payments(ask: api.ListPayments, ctx: Context) -> api.Payments:
    found = await storage.by_references(ctx.session, ctx.front_end, ask.references)
    return api.Payments(items=tuple(kept.payment for kept in found))


@implements(api.split_refund)
async def split_refund(ask: api.SplitRefund, ctx: Context) -> api.RefundParts:
    found = await storage.by_references(ctx.session, ctx.front_end, ask.payments, is_locked=True)
    known = await storage.refund_parts(ctx.session, ctx.front_end, [one.payment.payment_id for one in found])
    if done := [part for part in known if part.reference == ask.reference]:
        currency = ask.amount.currency
        return api.RefundParts(
            parts=tuple(api.RefundPart(payment_id=part.payment_id, amount=money(part.minor, currency)) for part in done)
        )
    left: list[tuple[UUID, int]] = []
    for one in found:
        if ask.at_most and one.payment.state is api.PaymentState.AUTHORISED:  # how much is left is not known yet
            raise api.IllegalStep(state=one.payment.state, wanted="asked to refund")
        under_way = await storage.under_way(ctx.session, ctx.front_end, one.payment.payment_id)
        promised = sum(part.minor for part in known if part.payment_id == one.payment.payment_id and not part.is_begun)
        has = rules.left_for(api.Kind.REFUND, one.payment) - under_way.get(api.Kind.REFUND, 0) - promised
        left.append((one.payment.payment_id, has))
    all_left = sum(max(0, minor) for _, minor in left)
    wanted = min(ask.amount.minor, all_left) if ask.at_most else ask.amount.minor
    parts = rules.from_the_last(wanted, left)
    if parts is None:
        raise api.RefundTooLarge(wanted=ask.amount, left=money(all_left, ask.amount.currency))
    if parts:
        await storage.promise_refund(ctx.session, ctx.front_end, ask.reference, parts, ctx.now)
    return api.RefundParts(
        parts=tuple(api.RefundPart(payment_id=one, amount=money(minor, ask.amount.currency)) for one, minor in parts)
    )


@implements(api.withhold)
async def withhold(ask: api.Withhold, ctx: Context) -> api.Withhold:
    if not await withholding.withhold(ctx.session, ctx.front_end, ask.payment_id, ask.amount.minor):
        raise api.UnknownPayment(what=str(ask.payment_id))
    return ask


@implements(api.list_methods)
async def list_methods(ask: api.ListMethods, ctx: Context) -> api.Methods:
    offered = ctx.resource(api.Providers).methods()
    return api.Methods(items=ctx.answer(api.methods)(offered, ask.amount))


@implements(api.list_open_attempts)
async def list_open_attempts(ask: api.ListOpenAttempts, ctx: Context) -> api.Attempts:
    before = ctx.now - timedelta(seconds=ask.older_than_s)
    return api.Attempts(items=tuple(await storage.open_attempts(ctx.session, ctx.front_end, before, ask.limit)))


@implements(api.get_attempt)
async def get_attempt(ask: api.GetAttempt, ctx: Context) -> api.Attempt:
    found = await storage.attempt(ctx.session, ctx.front_end, ask.key)
    if found is None:
        raise api.UnknownPayment(what=f"with an attempt {ask.key!r}", path="$.payload")
    return found


@implements(api.list_held)
async def list_held(ask: api.ListHeld, ctx: Context) -> api.Payments:
    before = ctx.now - timedelta(seconds=ask.older_than_s)
    return api.Payments(items=tuple(await storage.held(ctx.session, ctx.front_end, before, ask.limit)))


async def _found(payment_id: UUID | None, reference: str | None, ctx: Context) -> api.Payment:
    kept = await storage.find(ctx.session, ctx.front_end, payment_id, reference)
    if kept is None:
        raise api.UnknownPayment(what=str(payment_id or reference))
    return kept.payment


async def _locked(payment_id: UUID, ctx: Context) -> storage.Kept:
    kept = await storage.lock(ctx.session, ctx.front_end, payment_id)
    if kept is None:
        raise api.UnknownPayment(what=str(payment_id))
    return kept
