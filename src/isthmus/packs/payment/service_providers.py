"""Payments at work: calls to providers, with no transaction open while they last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from isthmus.kernel import Context, errors, implements

from . import api

PROVIDER_LIMIT_S = 10  # of one call; a flow's deadline leaves room for writing the outcome down
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
    chosen = ctx.answer(api.choose_provider)(ask.method, payment.amount, taking)
    begin = api.Begin(
        payment_id=ask.payment_id,
        kind=api.Kind.AUTHORISE,
        key=f"{ctx.call_id}/authorise",
        provider=chosen if isinstance(chosen, str) else taking[0],
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
        raise api.Declined(reason="; ".join(f"{no.reason} ({no.by})" for no in verdict.vetoes))
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
    settled = 0
    for attempt in found.items:
        outcome = await _asked(_provider(attempt.provider, ctx).look_up(key=attempt.key))
        if outcome.state != "unknown":
            await ctx.call(api.end_attempt, api.End(key=attempt.key, outcome=outcome))
            settled += 1
    return api.Reconciled(settled=settled, unknown=len(found.items) - settled)


async def _attempted(begin: api.Begin, call: Call, ctx: Context) -> api.Payment:
    """Write down, call, write down; the call is left out where the attempt has ended already."""
    attempt = await ctx.call(api.begin_attempt, begin)
    if attempt.state in ("pending", "unknown"):
        outcome = (
            api.Outcome(state="done")
            if not attempt.provider  # paid on the spot: the money is given back by hand
            else await _asked(call(_provider(attempt.provider, ctx), attempt))
        )
        attempt = await ctx.call(api.end_attempt, api.End(key=attempt.key, outcome=outcome))
    if attempt.state == "refused":
        raise api.Declined(reason=attempt.reason)
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
