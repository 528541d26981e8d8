"""Promotions of others, switched on and off."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api
from ..storage import sharing as storage


@implements(api.switch_on)
async def switch_on(ask: api.SwitchOn, ctx: Context) -> api.Switched:
    owner = await storage.switch_on(ctx.session, ctx.front_end, ask, ctx.now, ctx.caller.client)
    if owner != ask.owner:
        raise api.CodeInUse(code=ask.code, path="$.code")
    return api.Switched(code=ask.code, is_on=True)


@implements(api.switch_off)
async def switch_off(ask: api.SwitchOff, ctx: Context) -> api.Switched:
    await storage.switch_off(ctx.session, ctx.front_end, ask.code)
    return api.Switched(code=ask.code, is_on=False)


@implements(api.list_shared)
async def list_shared(ask: api.ListShared, ctx: Context) -> api.SharedPromotions:
    return api.SharedPromotions(items=await storage.list_shared(ctx.session, ctx.front_end, ask.limit))
