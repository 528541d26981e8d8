"""Payments at work: what is written down."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import Money, money

from .. import api, rules, storage

Kind = api.Kind


@implements(api.open_payment)
async def open_payment(ask: api.OpenPayment, ctx: Context) -> api.Payment:
    payment_id = ctx.new_id()
    if not await storage.open_payment(ctx.session, ctx.front_end, payment_id, ctx.new_id(), ask, ctx.now):
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
        _tell(payment, payment.state, "receipt", ask.amount, ctx)
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
        has = rules.left_for(Kind.REFUND, one.payment) - under_way.get(Kind.REFUND, 0) - promised
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


@implements(api.list_methods)
async def list_methods(ask: api.ListMethods, ctx: Context) -> api.Methods:
    offered = ctx.resource(api.Providers).methods()
    return api.Methods(items=ctx.answer(api.methods)(offered, ask.amount))


@implements(api.list_open_attempts)
async def list_open_attempts(ask: api.ListOpenAttempts, ctx: Context) -> api.Attempts:
    before = ctx.now - timedelta(seconds=ask.older_than_s)
    return api.Attempts(items=tuple(await storage.open_attempts(ctx.session, ctx.front_end, before, ask.limit)))


@implements(api.begin_attempt)
async def begin_attempt(ask: api.Begin, ctx: Context) -> api.Attempt:
    kept = await _locked(ask.payment_id, ctx)
    payment = kept.payment
    keys = rules.tries(ask.key) if ask.kind in (Kind.VOID, Kind.REFUND) else (ask.key,)
    known = await storage.attempts(ctx.session, ctx.front_end, keys)
    if known and (known[-1].state != "refused" or len(known) == len(keys)):
        if ask.amount is not None and known[-1].amount != ask.amount:
            raise api.ReferenceUsed(reference=ask.key, known=known[-1].amount, wanted=ask.amount)
        return known[-1]
    if not rules.leads_on(ask.kind, payment):
        raise api.IllegalStep(state=payment.state, wanted=f"asked to {ask.kind}")
    under_way = await storage.under_way(ctx.session, ctx.front_end, ask.payment_id)
    if first := rules.in_the_way(ask.kind, under_way):
        raise api.StepUnderWay(kind=first, wanted=ask.kind)
    promised = await _promised(ask, ctx) if ask.kind is Kind.REFUND else 0
    left = money(
        max(0, rules.left_for(ask.kind, payment) - under_way.get(ask.kind, 0) - promised),
        payment.amount.currency,
    )
    wanted = left if ask.amount is None else ask.amount
    if wanted.currency != left.currency or (ask.amount is not None and wanted.minor <= 0):
        raise api.WrongAmount(wanted=wanted, currency=left.currency)
    if wanted > left:
        raise api.AmountExceeded(wanted=wanted, left=left)
    begin = storage.Beginning(attempt_id=ctx.new_id(), key=keys[len(known)], minor=wanted.minor, at=ctx.now)
    return await storage.begin(ctx.session, ctx.front_end, kept, ask, begin)


async def _promised(ask: api.Begin, ctx: Context) -> int:
    """Return what others were promised of a payment and have not been given yet: nobody else has that."""
    known = await storage.refund_parts(ctx.session, ctx.front_end, [ask.payment_id])
    keys = {one.reference: f"{ask.payment_id}/refund/{one.reference}" for one in known}
    return sum(one.minor for one in known if not one.is_begun and keys[one.reference] != ask.key)


@implements(api.end_attempt)
async def end_attempt(ask: api.End, ctx: Context) -> api.Attempt:
    begun = await storage.attempts(ctx.session, ctx.front_end, [ask.key])
    if not begun:
        raise api.UnknownPayment(what=f"with an attempt {ask.key!r}", path="$.payload")
    payment = (await _locked(begun[0].payment_id, ctx)).payment
    outcome = ask.outcome
    ended = await storage.end(ctx.session, ctx.front_end, ask, ctx.now)
    attempt = (await storage.attempts(ctx.session, ctx.front_end, [ask.key]))[0]
    if ended and outcome.state == "done":
        state = rules.state_after(attempt.kind, payment, attempt.amount.minor)
        await storage.apply(ctx.session, ctx.front_end, attempt, state, outcome.provider_reference)
        await _move_money(attempt, payment.method or attempt.method, ctx)
        _tell(payment, state, attempt.kind, attempt.amount, ctx, rules.cause_of(attempt))
    elif not ended and outcome.state not in ("unknown", attempt.state):
        ctx.emit(
            api.OutcomeContradicted(
                payment_id=attempt.payment_id,
                kind=attempt.kind,
                amount=attempt.amount,
                was=attempt.state,
                said=outcome.state,
            )
        )
    return attempt


async def _move_money(attempt: api.Attempt, method: str, ctx: Context) -> None:
    if attempt.kind in (Kind.CAPTURE, Kind.REFUND):
        amount = attempt.amount if attempt.kind is Kind.CAPTURE else -attempt.amount
        moved = (attempt.kind.value, amount, method)
        await storage.leg(ctx.session, ctx.front_end, ctx.new_id(), attempt.payment_id, moved, ctx.now)


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


def _tell(
    payment: api.Payment, state: api.PaymentState, kind: str, amount: Money, ctx: Context, cause: str = ""
) -> None:
    ctx.emit(
        api.PaymentMoved(
            payment_id=payment.payment_id,
            reference=payment.reference,
            state=state,
            kind=kind,
            amount=amount,
            cause=cause,
        )
    )
