"""Payments at work: what is written down."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import Money, money

from . import api, rules, storage

Kind = api.Kind


@implements(api.open_payment)
async def open_payment(ask: api.OpenPayment, ctx: Context) -> api.Payment:
    payment_id = ctx.new_id()
    if not await storage.open_payment(ctx.session, ctx.front_end, payment_id, ctx.new_id(), ask, ctx.now):
        return await _found(None, ask.reference, ctx)
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


@implements(api.get_payment)
async def get_payment(ask: api.GetPayment, ctx: Context) -> api.Payment:
    if ask.payment_id is None and ask.reference is None:
        raise api.UnknownPayment(what="without payment_id or reference")
    return await _found(ask.payment_id, ask.reference, ctx)


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
    if begun := await storage.attempt(ctx.session, ctx.front_end, ask.key):
        return begun
    payment = kept.payment
    if payment.state not in rules.MAY[ask.kind]:
        raise api.IllegalStep(state=payment.state, wanted=f"asked to {ask.kind}")
    left = rules.left_for(ask.kind, payment)
    left -= await storage.under_way(ctx.session, ctx.front_end, ask.payment_id, ask.kind)
    wanted = ask.amount or money(max(left, 0), payment.amount.currency)
    is_wrong = wanted.currency != payment.amount.currency or wanted.minor > left or wanted.minor < 0
    if is_wrong or (ask.kind is Kind.REFUND and wanted.minor == 0):
        raise api.AmountExceeded(wanted=wanted, left=money(left, payment.amount.currency))
    await storage.begin(ctx.session, kept, ctx.front_end, ctx.new_id(), ask, wanted.minor, ctx.now)
    begun = await storage.attempt(ctx.session, ctx.front_end, ask.key)
    assert begun is not None  # written above, in this transaction
    return begun


@implements(api.end_attempt)
async def end_attempt(ask: api.End, ctx: Context) -> api.Attempt:
    attempt = await storage.attempt(ctx.session, ctx.front_end, ask.key)
    if attempt is None:
        raise api.UnknownPayment(what=f"with an attempt {ask.key!r}")
    payment = (await _locked(attempt.payment_id, ctx)).payment
    if await storage.end(ctx.session, ctx.front_end, ask, ctx.now) and ask.outcome.state == "done":
        state = rules.state_after(attempt.kind, payment, attempt.amount.minor)
        await storage.apply(ctx.session, ctx.front_end, attempt, state, ask.outcome.provider_reference)
        await _move_money(attempt, payment.method or attempt.method, ctx)
        _tell(payment, state, attempt.kind, attempt.amount, ctx)
    ended = await storage.attempt(ctx.session, ctx.front_end, ask.key)
    assert ended is not None  # it was found above
    return ended


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


def _tell(payment: api.Payment, state: api.PaymentState, kind: str, amount: Money, ctx: Context) -> None:
    ctx.emit(
        api.PaymentMoved(
            payment_id=payment.payment_id, reference=payment.reference, state=state, kind=kind, amount=amount
        )
    )
