"""Calls to providers, with no transaction open while they last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from uuid import UUID

from isthmus.kernel import Context, errors, implements

from .. import api

PROVIDER_LIMIT_S = 10  # of one call; a flow's deadline leaves room for writing the outcome down
BY_HAND = api.Outcome(state="done")  # what was paid on the spot is given back on the spot: nobody is asked
log = logging.getLogger("isthmus.packs.payment")


@implements(api.authorise)
async def authorise(ask: api.Authorise, ctx: Context) -> api.Payment:
    return await _carried_out(await ctx.call(api.begin_authorisation, ask), ctx, ask.token)


@implements(api.ask_provider)
async def ask_provider(ask: api.AskProvider, ctx: Context) -> api.Outcome:
    attempt = ask.attempt
    if ctx.is_again:
        attempt = await ctx.call(api.get_attempt, api.GetAttempt(key=attempt.key))
    if attempt.state in ("done", "refused"):
        return api.Outcome(state=attempt.state, provider_reference=attempt.provider_reference, reason=attempt.reason)
    if not attempt.provider:
        return BY_HAND
    provider = _provider(attempt.provider, ctx)
    if ctx.is_taken_over and attempt.kind is api.Kind.AUTHORISE:
        return await _asked(provider.look_up(key=attempt.key))
    return await _asked(_call(provider, attempt, ask.token))


def _call(provider: api.Provider, attempt: api.Attempt, token: str) -> Awaitable[api.Outcome]:
    key, amount, held = attempt.key, attempt.amount, attempt.provider_reference
    match attempt.kind:
        case api.Kind.AUTHORISE:
            return provider.authorise(key=key, amount=amount, token=token)
        case api.Kind.CAPTURE:
            return provider.capture(key=key, authorisation=held, amount=amount)
        case api.Kind.VOID:
            return provider.void(key=key, authorisation=held)
        case api.Kind.REFUND:
            return provider.refund(key=key, authorisation=held, amount=amount)


@implements(api.capture)
async def capture(ask: api.Capture, ctx: Context) -> api.Payment:
    begin = api.Begin(payment_id=ask.payment_id, kind=api.Kind.CAPTURE, key=f"{ctx.call_id}/capture", amount=ask.amount)
    return await _attempted(begin, ctx)


@implements(api.void)
async def void(ask: api.Void, ctx: Context) -> api.Payment:
    begin = api.Begin(payment_id=ask.payment_id, kind=api.Kind.VOID, key=f"{ask.payment_id}/void")
    return await _attempted(begin, ctx)


@implements(api.refund)
async def refund(ask: api.Refund, ctx: Context) -> api.Payment:
    payment = await ctx.call(api.get_payment, api.GetPayment(payment_id=ask.payment_id))
    verdict = ctx.answer(api.guard_refund)(payment, ask.amount)
    if not verdict.is_allowed:
        raise api.RefundRefused(reasons=[f"{no.reason} ({no.by})" for no in verdict.vetoes])
    begin = api.Begin(
        payment_id=ask.payment_id,
        kind=api.Kind.REFUND,
        key=f"{ask.payment_id}/refund/{ask.reference}",
        amount=ask.amount,
    )
    return await _attempted(begin, ctx)


@implements(api.refund_from)
async def refund_from(ask: api.RefundFrom, ctx: Context) -> api.RefundParts:
    wanted = api.SplitRefund(payments=ask.payments, amount=ask.amount, reference=ask.reference, at_most=ask.at_most)
    split = await ctx.call(api.split_refund, wanted)
    for part in split.parts:
        given = api.Refund(payment_id=part.payment_id, amount=part.amount, reference=ask.reference, reason=ask.reason)
        await ctx.call(api.refund, given)
    return split


@implements(api.notify)
async def notify(ask: api.Notify, ctx: Context) -> api.Payment:
    ended = await ctx.call(api.end_attempt, _read(ask, ctx))
    return await ctx.call(api.get_payment, api.GetPayment(payment_id=ended.payment_id))


@implements(api.read_notification)
async def read_notification(ask: api.Notify, ctx: Context) -> api.End:
    return _read(ask, ctx)


def _read(ask: api.Notify, ctx: Context) -> api.End:
    try:
        key, outcome = _provider(ask.provider, ctx).read(ask.payload)
    except errors.BadAsk:
        raise api.BadNotification(provider=ask.provider) from None
    return api.End(key=key, outcome=outcome)


@implements(api.look_up)
async def look_up(ask: api.AskProvider, ctx: Context) -> api.Outcome:
    attempt = ask.attempt
    if not attempt.provider:
        return BY_HAND
    if provider := ctx.resource(api.Providers).by_name.get(attempt.provider):
        return await _asked(provider.look_up(key=attempt.key))
    log.warning("%r is not connected, so its payments cannot be looked up", attempt.provider)
    return api.Outcome(state="unknown", reason="not connected")


@implements(api.reconcile)
async def reconcile(ask: api.Reconcile, ctx: Context) -> api.Reconciled:
    found = await ctx.call(api.list_open_attempts, api.ListOpenAttempts(limit=ask.limit))
    settled: list[UUID] = []
    for attempt in found.items:
        outcome = await ctx.call(api.look_up, api.AskProvider(attempt=attempt))
        await ctx.call(api.end_attempt, api.End(key=attempt.key, outcome=outcome))
        if outcome.state != "unknown":
            settled.append(attempt.payment_id)
    return api.Reconciled(settled=len(settled), unknown=len(found.items) - len(settled), payment_ids=tuple(settled))


async def _attempted(begin: api.Begin, ctx: Context) -> api.Payment:
    return await _carried_out(await ctx.call(api.begin_attempt, begin), ctx)


async def _carried_out(attempt: api.Attempt, ctx: Context, token: str = "") -> api.Payment:
    """Have what was written down done, and write down how it ended; nobody is asked where it has ended already."""
    if attempt.state in ("pending", "unknown"):
        outcome = await ctx.call(api.ask_provider, api.AskProvider(attempt=attempt, token=token))
        attempt = await ctx.call(api.end_attempt, api.End(key=attempt.key, outcome=outcome))
    if attempt.state == "refused":
        raise api.Declined(reason=attempt.reason, path="$.token" if attempt.kind is api.Kind.AUTHORISE else None)
    if attempt.state != "done":
        raise api.OutcomeUnknown
    return await ctx.call(api.get_payment, api.GetPayment(payment_id=attempt.payment_id))


async def _asked(calling: Awaitable[api.Outcome]) -> api.Outcome:
    """Return what a provider says; whatever goes wrong on the way, the outcome is unknown and not lost."""
    try:
        async with asyncio.timeout(PROVIDER_LIMIT_S):
            return await calling
    except Exception as error:
        log.warning("a payment provider gave no answer: %r", error)
        return api.Outcome(state="unknown", reason=type(error).__name__)


def _provider(name: str, ctx: Context) -> api.Provider:
    providers = ctx.resource(api.Providers).by_name
    if name not in providers:
        raise api.UnknownProvider(name=name, known=sorted(providers))
    return providers[name]
