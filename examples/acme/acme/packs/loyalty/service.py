"""What loyalty's capabilities do."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from . import api, rules, storage


@implements(api.stamp)
async def stamp(ask: api.Stamp, ctx: Context) -> api.Balance:
    owner, card = await storage.opened(ctx.session, ctx.front_end, ask.card, ctx.now)
    stamps = max(0, min(ctx.answer(api.stamps_for)(ask), api.STAMPS_MAX))
    if not await storage.stamp(ctx.session, ctx.front_end, ask, stamps, ctx.now, owner):
        return card
    after = rules.stamped(card, stamps)
    await storage.save(ctx.session, owner, after, ctx.now)
    if after.filled > card.filled:
        ctx.emit(api.CardFilled(card=after.card, filled=after.filled))
    return after


@implements(api.get_balance)
async def get_balance(ask: api.GetBalance, ctx: Context) -> api.Balance:
    found = await storage.find(ctx.session, ctx.front_end, ask.card)
    if found is None:
        raise api.UnknownCard(card=ask.card)
    return found


@implements(api.forget_old)
async def forget_old(_ask: api.ForgetOld, ctx: Context) -> api.Forgotten:
    return api.Forgotten(cards=await storage.forget(ctx.session, ctx.front_end, ctx.now - api.FORGOTTEN_AFTER))
