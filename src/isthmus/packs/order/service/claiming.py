"""Orders of guests become a member's."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api
from ..storage import claiming as storage


@implements(api.claim_orders)
async def claim_orders(ask: api.ClaimOrders, ctx: Context) -> api.Claimed:
    who = (ask.member_id, ask.emails, ctx.now, ctx.caller.client)
    claimed = await storage.claim(ctx.session, ctx.front_end, *who, limit=api.CLAIMED_MAX)
    if claimed:
        ctx.emit(api.OrdersClaimed(member_id=ask.member_id, order_ids=tuple(claimed)))
    return api.Claimed(orders=len(claimed))
