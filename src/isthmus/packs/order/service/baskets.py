"""Baskets: filled, changed, read."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import distinct_codes

from .. import api, rules
from ..storage import baskets as storage_baskets


@implements(api.open_basket)
async def open_basket(ask: api.OpenBasket, ctx: Context) -> api.Basket:
    basket = api.Basket(
        basket_id=ctx.new_id(), member_id=ask.member_id, currency=ask.currency, lines=(), coupons=(), version=1
    )
    await storage_baskets.open_basket(ctx.session, ctx.front_end, basket, ctx.now)
    if ask.member_id is not None:
        opened = api.BasketOpened(basket_id=basket.basket_id, member_id=ask.member_id, currency=ask.currency)
        ctx.emit(opened)
    return basket


@implements(api.set_lines)
async def set_lines(ask: api.SetLines, ctx: Context) -> api.Basket:
    basket = await _basket(ask.basket_id, ctx, is_locked=True)
    for at, line in enumerate(ask.lines):
        if line.shown is not None and line.shown.currency != basket.currency:
            path = f"$.lines[{at}].shown.currency"
            raise api.BasketsDiffer(what="currency", one=basket.currency, other=line.shown.currency, path=path)
    wanted = [_checked(line, f"$.lines[{at}].attributes", ctx) for at, line in enumerate(ask.lines)]
    return await _saved(basket, lines=tuple(rules.changed_lines(basket.lines, wanted)), ctx=ctx)


def _checked(line: api.SetLine, path: str, ctx: Context) -> api.SetLine:
    """Return a line with its attributes as they are kept; what is still to be said may be lacking altogether."""
    if not line.attributes:
        return line
    own = ctx.attributes("order.line", line.attributes, path)
    return api.SetLine(sku=line.sku, quantity=line.quantity, shown=line.shown, attributes=own)


@implements(api.set_coupons)
async def set_coupons(ask: api.SetCoupons, ctx: Context) -> api.Basket:
    basket = await _basket(ask.basket_id, ctx, is_locked=True)
    return await _saved(basket, coupons=distinct_codes(ask.coupons), ctx=ctx)


@implements(api.merge_basket)
async def merge_basket(ask: api.MergeBasket, ctx: Context) -> api.Basket:
    both = sorted({ask.basket_id, ask.from_basket_id})  # locked in one order, whichever way two merges go
    found = {one: await _basket(one, ctx, is_locked=True) for one in both}
    into, other = found[ask.basket_id], found[ask.from_basket_id]
    if into.basket_id == other.basket_id or not (other.lines or other.coupons):
        return into
    if other.currency != into.currency:
        raise api.BasketsDiffer(what="currency", one=into.currency, other=other.currency, path="$.from_basket_id")
    if other.member_id not in (None, into.member_id):
        raise api.BasketsDiffer(what="member", one=into.member_id, other=other.member_id, path="$.from_basket_id")
    merged = await _saved(
        into,
        lines=tuple(rules.merged_lines(into.lines, other.lines)),
        coupons=rules.merged_coupons(into.coupons, other.coupons),
        ctx=ctx,
    )
    await _saved(other, lines=(), coupons=(), ctx=ctx)
    return merged


@implements(api.get_basket)
async def get_basket(ask: api.GetBasket, ctx: Context) -> api.Basket:
    return await _basket(ask.basket_id, ctx, is_locked=False)


async def _basket(basket_id: UUID, ctx: Context, *, is_locked: bool) -> api.Basket:
    found = await storage_baskets.basket(ctx.session, ctx.front_end, basket_id, is_locked=is_locked)
    if found is None:
        raise api.UnknownBasket(basket_id=basket_id)
    return found


async def _saved(
    basket: api.Basket,
    *,
    lines: tuple[api.BasketLine, ...] | None = None,
    coupons: tuple[str, ...] | None = None,
    ctx: Context,
) -> api.Basket:
    changed = api.Basket(
        basket_id=basket.basket_id,
        member_id=basket.member_id,
        currency=basket.currency,
        lines=basket.lines if lines is None else lines,
        coupons=basket.coupons if coupons is None else coupons,
        version=basket.version + 1,
    )
    if len(changed.lines) > rules.BASKET_LINES_MAX:
        raise api.BasketFull(lines=len(changed.lines), most=rules.BASKET_LINES_MAX)
    await storage_baskets.save_basket(ctx.session, ctx.front_end, changed, ctx.now)
    return changed
