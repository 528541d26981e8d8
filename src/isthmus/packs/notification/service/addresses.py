"""Addresses: which get nothing, and which are forgotten."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api, rules, storage


@implements(api.opt_out)
async def opt_out(ask: api.OptOut, ctx: Context) -> api.Preference:
    hashed = rules.address_hash(ctx.front_end, ask.medium, ask.address)
    await storage.suppress(ctx.session, ctx.front_end, [hashed], ask.topic, "opted out", ctx.now)
    return await _preference(hashed, ctx)


@implements(api.opt_in)
async def opt_in(ask: api.OptIn, ctx: Context) -> api.Preference:
    hashed = rules.address_hash(ctx.front_end, ask.medium, ask.address)
    await storage.allow(ctx.session, ctx.front_end, hashed, ask.topic)
    return await _preference(hashed, ctx)


@implements(api.erase_address)
async def erase_address(ask: api.EraseAddress, ctx: Context) -> api.AddressForgotten:
    hashes = await storage.hashes_of(ctx.session, ctx.front_end, ask.member_id) if ask.member_id else []
    if ask.address is not None:
        hashes.append(rules.address_hash(ctx.front_end, ask.medium, ask.address))
    await storage.suppress(ctx.session, ctx.front_end, hashes, "", "erased", ctx.now)
    erased = await storage.erase(ctx.session, ctx.front_end, hashes, ask.member_id, ctx.now)
    return api.AddressForgotten(messages=erased)


async def _preference(hashed: bytes, ctx: Context) -> api.Preference:
    topics = await storage.suppressed_topics(ctx.session, ctx.front_end, hashed)
    return api.Preference(topics=tuple(one for one in topics if one), everything="" in topics)
