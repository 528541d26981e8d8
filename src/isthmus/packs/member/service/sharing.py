"""What members let other front ends read, and what those read."""

from __future__ import annotations

from functools import reduce
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.sealing import UNSEALED, Seals

from .. import api, rules
from ..storage import members as storage_members
from ..storage import sharing as storage


@implements(api.share_profile)
async def share_profile(ask: api.ShareProfile, ctx: Context) -> api.ProfileShares:
    found = await storage_members.lock(ctx.session, ctx.front_end, ask.member_id)
    if (locked := found.get(ask.member_id)) is None:
        raise api.NotAMember(what=str(ask.member_id))
    if ask.to != ctx.front_end:  # what is said here is read here
        said = ask.replace(member_id=locked.member_id)
        await storage.put(ctx.session, ctx.front_end, said, ctx.new_id(), ctx.now, ctx.caller.client)
    return api.ProfileShares(items=await storage.shares(ctx.session, ctx.front_end, locked.member_id))


@implements(api.list_profile_shares)
async def list_profile_shares(ask: api.ListProfileShares, ctx: Context) -> api.ProfileShares:
    member = await _member(ask.member_id, ctx)
    return api.ProfileShares(items=await storage.shares(ctx.session, ctx.front_end, member.member_id))


@implements(api.read_profile)
async def read_profile(ask: api.ReadProfile, ctx: Context) -> api.GroupProfile:
    member = await _member(ask.member_id, ctx)
    others = await storage.elsewhere(ctx.session, member.member_id, ctx.resource(Seals, UNSEALED))

    def known(kind: str) -> str | None:
        own = [one.value for one in member.identities if one.kind == kind and one.is_verified]
        return next((value for value in (*sorted(own), *(getattr(one, kind) for one in others)) if value), None)

    return api.GroupProfile(
        member_id=member.member_id,
        profile=reduce(rules.filled, (one.profile for one in others), member.profile),
        email=known("email"),
        phone=known("phone"),
        sources=tuple(one.source for one in others),
    )


async def _member(member_id: UUID, ctx: Context) -> api.Member:
    found = await storage_members.member(ctx.session, ctx.front_end, member_id, ctx.resource(Seals, UNSEALED))
    if found is None:
        raise api.NotAMember(what=str(member_id))
    return found
