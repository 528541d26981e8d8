"""Orders of guests become a member's."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.sealing import UNSEALED, Seals

from .. import api
from ..storage import claiming as storage
from ..storage import contacts


@implements(api.claim_orders)
async def claim_orders(ask: api.ClaimOrders, ctx: Context) -> api.Claimed:
    hashes = await contacts.hashes(ask.emails, ctx.resource(Seals, UNSEALED))
    who = (ask.member_id, ask.emails, ctx.now, ctx.caller.client, hashes)
    claimed = await storage.claim(ctx.session, ctx.front_end, *who, limit=api.CLAIMED_MAX)
    if claimed:
        ctx.emit(api.OrdersClaimed(member_id=ask.member_id, order_ids=tuple(claimed)))
    return api.Claimed(orders=len(claimed))
