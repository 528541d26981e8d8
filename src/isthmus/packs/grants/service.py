"""Grants: the store keeps them, since row-level security reads them."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.store import sharing

from . import api


@implements(api.give)
async def give(ask: sharing.Draft, ctx: Context) -> sharing.Grant:
    return await sharing.give(ctx.session, ctx.front_end, ctx.new_id(), ask, ctx.now, ctx.caller.client)


@implements(api.withdraw)
async def withdraw(ask: api.WithdrawGrant, ctx: Context) -> sharing.Grant:
    by = ctx.caller.client
    return await sharing.withdraw(ctx.session, ctx.front_end, ask.grant_id, ctx.now, by, ask.because)


@implements(api.list_grants)
async def list_grants(ask: sharing.Choice, ctx: Context) -> api.Grants:
    return api.Grants(items=tuple(await sharing.listed(ctx.session, ctx.front_end, ask, ctx.now)))
