"""Members that become one: what they used counts together. Guests who become members: their orders come along."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.promotion import api as promotion

from .. import api


@implements(api.join_uses)
async def join_uses(ask: member.MembersMerged, ctx: Context) -> promotion.MembersJoined:
    joined = promotion.JoinMembers(
        member_id=ask.member_id,
        other_id=ask.other_id,
        account_id=ask.account_id,
        other_account_id=ask.other_account_id,
    )
    uses = (await ctx.call(promotion.join_members, joined)).uses
    for one in ask.more_accounts:
        more = joined.replace(account_id=one.account_id, other_account_id=one.other_id)
        uses += (await ctx.call(promotion.join_members, more)).uses
    return promotion.MembersJoined(uses=uses)


@implements(api.claim_orders)
async def claim_orders(ask: member.GetMember, ctx: Context) -> order.Claimed:
    found = await ctx.call(member.get_member, ask)
    proved = tuple(one.value for one in found.identities if one.kind == "email" and one.is_verified)
    if not proved:
        return order.Claimed(orders=0)
    return await ctx.call(order.claim_orders, order.ClaimOrders(member_id=ask.member_id, emails=proved))
