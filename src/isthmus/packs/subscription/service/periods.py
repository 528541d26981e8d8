"""Periods: begun once, written down with their orders, paid or given up; and members that are joined or forgotten."""

from __future__ import annotations

from datetime import timedelta

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten

from .. import api, rules, storage
from .subscriptions import seals_of, skipped

TRIED_FOR = timedelta(minutes=10)  # longer than a payment takes: nobody else tries it meanwhile, and then anybody may
REASON_MAX = 240


@implements(api.list_due)
async def list_due(ask: api.ListDue, ctx: Context) -> api.Due:
    return await storage.due(ctx.session, ctx.front_end, ctx.now, ask.limit)


@implements(api.list_unpaid)
async def list_unpaid(ask: api.ListDue, ctx: Context) -> api.Due:
    return await storage.unpaid(ctx.session, ctx.front_end, ctx.now, ask.limit)


@implements(api.begin_period)
async def begin_period(ask: api.Begin, ctx: Context) -> api.Begun:
    return await _held(ask, ctx)


async def _held(ask: api.Begin, ctx: Context) -> api.Begun:
    """Hold a subscription until the transaction ends, where the period is still its next and it does not rest."""
    row = await storage.find(ctx.session, ctx.front_end, ask.subscription_id, seals_of(ctx), is_locked=True)
    if row is None or row["state"] != api.SubscriptionState.ACTIVE or row["next_at"] != ask.due_at:
        return api.Begun()
    return api.Begun(subscription=storage.one_of(row), contact_email=row["contact_email"])


@implements(api.note_placed)
async def note_placed(ask: api.NotePlaced, ctx: Context) -> api.Begun:
    placed = api.Period(
        due_at=ask.due_at, state=api.PeriodState.PLACED, reason="", group_id=ask.group_id,
        payment_id=ask.payment_id, refusals=0,
    )  # fmt: skip
    return await _begun(placed, api.Begin(subscription_id=ask.subscription_id, due_at=ask.due_at), ctx)


@implements(api.note_skipped)
async def note_skipped(ask: api.Begin, ctx: Context) -> api.Begun:
    return await _begun(skipped(ask.due_at, ask.reason[:REASON_MAX]), ask, ctx)


async def _begun(period: api.Period, ask: api.Begin, ctx: Context) -> api.Begun:
    """Write a period down and move on, where it is still the next."""
    begun = await _held(ask, ctx)
    if begun.subscription is not None:
        next_at = rules.next_after(ask.due_at, begun.subscription.every_days, ctx.now)
        await storage.add_period(ctx.session, ctx.front_end, ask.subscription_id, period, next_at, ctx.now)
    return begun


@implements(api.begin_try)
async def begin_try(ask: api.Begin, ctx: Context) -> api.Try:
    row = await storage.find(ctx.session, ctx.front_end, ask.subscription_id, seals_of(ctx), is_locked=True)
    taken = await storage.take(ctx.session, ctx.front_end, ask, ctx.now, ctx.now + TRIED_FOR)
    if row is None or taken is None:
        return api.Try()
    return api.Try(
        payment_id=taken["payment_id"],
        group_id=taken["group_id"],
        state=row["state"],
        refusals=taken["refusals"],
        method=row["method"],
        token=row["token"],
    )


@implements(api.end_try)
async def end_try(ask: api.EndTry, ctx: Context) -> api.TryEnded:
    row = await storage.find(ctx.session, ctx.front_end, ask.subscription_id, seals_of(ctx), is_locked=True)
    state = rules.end_of(ask.outcome, is_tried_again=ask.try_after_days is not None)
    next_try_at = None if ask.try_after_days is None else ctx.now + timedelta(days=ask.try_after_days)
    ask = ask.replace(reason=ask.reason[:REASON_MAX])
    await storage.end(ctx.session, ctx.front_end, ask, state, next_try_at, ctx.now)
    is_active = row is not None and row["state"] == api.SubscriptionState.ACTIVE
    if row is None or not is_active or state is not api.PeriodState.REFUSED:
        return api.TryEnded()
    kept = storage.one_of(row).replace(state=api.SubscriptionState.PAUSED, reason=ask.reason)
    await storage.save(ctx.session, ctx.front_end, kept, seals_of(ctx))
    ctx.emit(
        api.SubscriptionMoved(
            subscription_id=kept.subscription_id,
            member_id=kept.member_id,
            state=kept.state,
            refused_period=ask.due_at,
        )
    )
    return api.TryEnded(is_paused=True)


@implements(api.join_members)
async def join_members(ask: api.Join, ctx: Context) -> api.Joined:
    joined = await storage.join(ctx.session, ctx.front_end, ask.member_id, ask.other_id)
    return api.Joined(subscriptions=joined)


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    gone = await storage.forget(ctx.session, ctx.front_end, ask.member_ids)
    return Forgotten(references=tuple(gone))  # by which the keys of what was sealed go
