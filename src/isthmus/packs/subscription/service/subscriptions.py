"""Subscriptions: read, changed, skipped, paused, cancelled."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.sealing import UNSEALED, Seals
from isthmus.values import Moment, checked_attributes, cursor_at, place_at

from .. import api, rules, storage

_OVER = (api.SubscriptionState.CANCELLED, api.SubscriptionState.ENDED)


@implements(api.open_subscription)
async def open_subscription(ask: api.Open, ctx: Context) -> api.Subscription:
    wanted = ask.wanted
    checked = checked_attributes(wanted.lines, "attributes", "order.line", ctx)
    attributes = ctx.attributes("order.order", wanted.attributes, "$.attributes") if wanted.attributes else {}
    subscription_id = ctx.new_id()
    lines = rules.kept_lines(checked, ask.agreed)
    await storage.open_one(
        ctx.session, ctx.front_end, subscription_id, ask, lines, attributes, ctx.now, ctx.box, seals_of(ctx)
    )
    return _moved(await _shown(await _row(subscription_id, ctx), ctx), ctx)


@implements(api.rewrite)
async def rewrite(ask: api.Rewrite, ctx: Context) -> api.Subscription:
    kept = storage.one_of(await _active(ask.subscription_id, ctx))
    lines = checked_attributes(ask.lines, "attributes", "order.line", ctx)
    return await _saved(kept.replace(lines=lines), ctx)


@implements(api.get_subscription)
async def get_subscription(ask: api.GetSubscription, ctx: Context) -> api.Subscription:
    return await _shown(await _row(ask.subscription_id, ctx), ctx)


@implements(api.list_subscriptions)
async def list_subscriptions(ask: api.ListSubscriptions, ctx: Context) -> api.Subscriptions:
    before = place_at(ask.cursor, tuple[Moment, UUID], api.BadCursor) if ask.cursor else None
    found = await storage.listed(ctx.session, ctx.front_end, ask, before, seals_of(ctx))
    rows = found[: ask.limit]
    cursor = cursor_at((rows[-1]["made_at"], rows[-1]["subscription_id"])) if len(found) > ask.limit else None
    return api.Subscriptions(items=await storage.subscriptions(ctx.session, ctx.front_end, rows), next_cursor=cursor)


@implements(api.skip_next)
async def skip_next(ask: api.SkipNext, ctx: Context) -> api.Subscription:
    row = await _active(ask.subscription_id, ctx)
    shown = await _shown(row, ctx)
    if any(one.due_at == ask.due_at and one.state is api.PeriodState.SKIPPED for one in shown.periods):
        return shown
    if ask.due_at != row["next_at"]:
        raise api.NotTheNextPeriod(due_at=ask.due_at, next_at=row["next_at"])
    period = skipped(ask.due_at, "the member skipped it")
    next_at = rules.next_after(ask.due_at, row["every_days"], ctx.now)
    await storage.add_period(ctx.session, ctx.front_end, ask.subscription_id, period, next_at, ctx.now)
    return await _shown(await _row(ask.subscription_id, ctx), ctx)


@implements(api.pause)
async def pause(ask: api.OneSubscription, ctx: Context) -> api.Subscription:
    kept = storage.one_of(await _active(ask.subscription_id, ctx))
    return await _saved(kept.replace(state=api.SubscriptionState.PAUSED, reason=ask.reason), ctx)


@implements(api.resume)
async def resume(ask: api.OneSubscription, ctx: Context) -> api.Subscription:
    kept = storage.one_of(await _active(ask.subscription_id, ctx))
    next_at = rules.resumed_at(kept.next_at, kept.every_days, ctx.now)
    return await _saved(kept.replace(state=api.SubscriptionState.ACTIVE, reason="", next_at=next_at), ctx)


@implements(api.cancel)
async def cancel(ask: api.OneSubscription, ctx: Context) -> api.Subscription:
    row = await _row(ask.subscription_id, ctx, is_locked=True)
    kept = storage.one_of(row)
    if kept.state in _OVER:
        return await _shown(row, ctx)
    return await _saved(kept.replace(state=api.SubscriptionState.CANCELLED, reason=ask.reason), ctx, token="")


@implements(api.change)
async def change(ask: api.Change, ctx: Context) -> api.Subscription:
    kept = await _shown(await _active(ask.subscription_id, ctx), ctx)
    if ask.next_at is not None and any(ask.next_at <= one.due_at for one in kept.periods):
        raise api.NotTheNextPeriod(due_at=ask.next_at, next_at=kept.next_at, path="$.next_at")
    asked = ("every_days", "next_at", "address", "delivery_method", "method")
    given = {name: value for name in asked if (value := getattr(ask, name)) is not None}
    return await _saved(kept.replace(**given), ctx, token=ask.token)


def seals_of(ctx: Context) -> Seals:
    """Return what seals whom subscriptions are for."""
    return ctx.resource(Seals, UNSEALED)


def skipped(due_at: datetime, reason: str) -> api.Period:
    """Return a period for which nothing is ordered."""
    return api.Period(
        due_at=due_at, state=api.PeriodState.SKIPPED, reason=reason, group_id=None, payment_id=None, refusals=0
    )


async def _saved(kept: api.Subscription, ctx: Context, token: str | None = None) -> api.Subscription:
    await storage.save(ctx.session, ctx.front_end, kept, seals_of(ctx), token)
    return _moved(await _shown(await _row(kept.subscription_id, ctx), ctx), ctx)


def _moved(kept: api.Subscription, ctx: Context) -> api.Subscription:
    ctx.emit(api.SubscriptionMoved(subscription_id=kept.subscription_id, member_id=kept.member_id, state=kept.state))
    return kept


async def _shown(row: storage.Row, ctx: Context) -> api.Subscription:
    return (await storage.subscriptions(ctx.session, ctx.front_end, [row]))[0]


async def _active(subscription_id: UUID, ctx: Context) -> storage.Row:
    """Return a subscription that is not over, locked until the transaction ends."""
    row = await _row(subscription_id, ctx, is_locked=True)
    if row["state"] in _OVER:
        raise api.SubscriptionOver(subscription_id=subscription_id, state=row["state"])
    return row


async def _row(subscription_id: UUID, ctx: Context, *, is_locked: bool = False) -> storage.Row:
    row = await storage.find(ctx.session, ctx.front_end, subscription_id, seals_of(ctx), is_locked=is_locked)
    if row is None:
        raise api.UnknownSubscription(subscription_id=subscription_id)
    return row
