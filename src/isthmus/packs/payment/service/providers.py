"""Payments at work: calls to providers, with no transaction open while they last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from isthmus.kernel import Context, errors, implements

from .. import api

PROVIDER_LIMIT_S = 10  # of one call; a flow's deadline leaves room for writing the outcome down
BY_HAND = api.Outcome(state="done")  # what was paid on the spot is given back on the spot: nobody is asked
log = logging.getLogger("isthmus.packs.payment")

Call = Callable[[api.Provider, api.Attempt], Awaitable[api.Outcome]]


@implements(api.authorise)
async def authorise(ask: api.Authorise, ctx: Context) -> api.Payment:
    payment = await ctx.call(api.get_payment, api.GetPayment(payment_id=ask.payment_id))
    providers = ctx.resource(api.Providers)
    allowed = ctx.answer(api.methods)(providers.methods(), payment.amount)
    if ask.method not in allowed:
        raise api.MethodRefused(method=ask.method, allowed=allowed)
    taking = providers.taking(ask.method)
    if not taking:
        raise api.UnknownProvider(name=ask.method, known=sorted(providers.by_name))
    answered = ctx.answer(api.choose_provider)(ask.method, payment.amount, taking)
    chosen = answered if isinstance(answered, str) else taking[0]
    if chosen not in taking:
        raise api.UnknownProvider(name=chosen, known=taking)
    begin = api.Begin(
        payment_id=ask.payment_id,
        kind=api.Kind.AUTHORISE,
        key=f"{ctx.call_id}/authorise",
        provider=chosen,
        method=ask.method,
    )
    return await _attempted(
        begin,
        lambda provider, attempt: provider.authorise(key=attempt.key, amount=attempt.amount, token=ask.token),
        ctx,
    )


@implements(api.capture)
async def capture(ask: api.Capture, ctx: Context) -> api.Payment:
    begin = api.Begin(payment_id=ask.payment_id, kind=api.Kind.CAPTURE, key=f"{ctx.call_id}/capture", amount=ask.amount)
    return await _attempted(
        begin,
        lambda provider, attempt: provider.capture(
            key=attempt.key, authorisation=attempt.provider_reference, amount=attempt.amount
        ),
        ctx,
    )


@implements(api.void)
async def void(ask: api.Void, ctx: Context) -> api.Payment:
    begin = api.Begin(payment_id=ask.payment_id, kind=api.Kind.VOID, key=f"{ask.payment_id}/void")
    return await _attempted(
        begin,
        lambda provider, attempt: provider.void(key=attempt.key, authorisation=attempt.provider_reference),
        ctx,
    )


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
    return await _attempted(
        begin,
        lambda provider, attempt: provider.refund(
            key=attempt.key, authorisation=attempt.provider_reference, amount=attempt.amount
        ),
        ctx,
    )


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
    provider = _provider(ask.provider, ctx)
    try:
        key, outcome = provider.read(ask.payload)
    except errors.BadAsk:
        raise api.BadNotification(provider=ask.provider) from None
    ended = await ctx.call(api.end_attempt, api.End(key=key, outcome=outcome))
    return await ctx.call(api.get_payment, api.GetPayment(payment_id=ended.payment_id))


@implements(api.reconcile)
async def reconcile(ask: api.Reconcile, ctx: Context) -> api.Reconciled:
    found = await ctx.call(api.list_open_attempts, api.ListOpenAttempts(limit=ask.limit))
    providers = ctx.resource(api.Providers).by_name
    settled: list[UUID] = []
    for attempt in found.items:
        if not attempt.provider:
            outcome = BY_HAND
        elif provider := providers.get(attempt.provider):
            outcome = await _asked(provider.look_up(key=attempt.key))
        else:
            log.warning("%r is not connected, so its payments cannot be looked up", attempt.provider)
            outcome = api.Outcome(state="unknown", reason="not connected")
        await ctx.call(api.end_attempt, api.End(key=attempt.key, outcome=outcome))
        if outcome.state != "unknown":
            settled.append(attempt.payment_id)
    return api.Reconciled(settled=len(settled), unknown=len(found.items) - len(settled), payment_ids=tuple(settled))


async def _attempted(begin: api.Begin, call: Call, ctx: Context) -> api.Payment:
    """Write down, call, write down; the call is left out where the attempt has ended already."""
    attempt = await ctx.call(api.begin_attempt, begin)
    if attempt.state in ("pending", "unknown"):
        outcome = await _asked(call(_provider(attempt.provider, ctx), attempt)) if attempt.provider else BY_HAND
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
