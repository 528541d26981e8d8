"""Members that become one count together."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api

_JOIN = "select promotion.join_counts($1, $2)"


@implements(api.join_members)
async def join_members(ask: api.JoinMembers, ctx: Context) -> api.MembersJoined:
    uses: int = await ctx.session.fetch_value(_JOIN, ask.member_id, ask.other_id)
    if ask.account_id is not None and ask.other_account_id is not None:
        uses += await ctx.session.fetch_value(_JOIN, ask.account_id, ask.other_account_id)
    return api.MembersJoined(uses=uses)
