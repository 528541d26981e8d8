"""Orders that somebody looks at: held, and let go on."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api
from ..storage import orders
from ..storage import reviews as storage


@implements(api.hold_for_review)
async def hold_for_review(ask: api.HoldForReview, ctx: Context) -> api.HeldGroup:
    await storage.hold(ctx.session, ctx.front_end, ask.group_id, ask.until, ctx.now, ctx.caller.client)
    return api.HeldGroup()


@implements(api.end_review)
async def end_review(ask: api.GetGroup, ctx: Context) -> api.HeldGroup:
    await orders.hold_group(ctx.session, ctx.front_end, ask.group_id)
    await storage.end(ctx.session, ctx.front_end, ask.group_id, ctx.now, ctx.caller.client)
    return api.HeldGroup()


@implements(api.list_in_review)
async def list_in_review(ask: api.ListInReview, ctx: Context) -> api.InReview:
    found = await storage.listed(ctx.session, ctx.front_end, api.IN_REVIEW_MAX)
    return api.InReview(group_ids=tuple(found))
