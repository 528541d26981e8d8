"""Stock between owners: sold from one to another, and looked at."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import cursor_at, place_at

from .. import api, rules
from ..storage import reservations as storage
from ..storage import stock as storage_stock
from . import serials

_FIRST = ("", UUID(int=0))


@implements(api.sell_stock)
async def sell_stock(ask: api.SellStock, ctx: Context) -> api.StockSale:
    total = rules.total_price(ask.lines)
    before = await storage_stock.claim(ctx.session, ctx.front_end, "sell", ask.reference, storage.digest(ask), ctx.now)
    if before is not None and before != storage.digest(ask):
        raise api.ReferenceUsed(reference=ask.reference, what="sale of stock")
    places = [(line.sku, place) for line in ask.lines for place in (ask.from_location, ask.to_location)]
    stocks = await storage_stock.lock_or_make(ctx.session, ctx.front_end, places)
    if missing := next((place for place in places if place not in stocks), None):
        raise api.NotLent(
            location=missing[1], path="$.from_location" if missing[1] == ask.from_location else "$.to_location"
        )
    first = ask.lines[0].sku
    owners = [stocks[first, place].lent for place in (ask.from_location, ask.to_location)]
    if (owners[0] is None) == (owners[1] is None):
        raise api.NotBetweenOwners(from_location=ask.from_location, to_location=ask.to_location)
    seller, buyer = (ctx.front_end if one is None else one.owner for one in owners)
    sale = api.StockSale(reference=ask.reference, from_owner=seller, to_owner=buyer, total=total)
    if before is None:
        await _book(ask, sale, stocks, ctx)
    return sale


async def _book(ask: api.SellStock, sale: api.StockSale, stocks: dict[rules.Place, api.StockAt], ctx: Context) -> None:
    """Move the goods, each owner's movements in its own books, and tell of it."""
    lent = {place: stock.lent for place, stock in stocks.items() if stock.lent is not None}
    moves = [
        (api.MovementKind.TRANSFER.value, api.Adjustment(sku=line.sku, quantity=units, location=place))
        for line in ask.lines
        for place, units in ((ask.from_location, -line.quantity), (ask.to_location, line.quantity))
    ]
    changes = rules.merged(
        rules.Change(sku=move.sku, location=move.location, on_hand=move.quantity) for _, move in moves
    )
    skus = [line.sku for line in ask.lines]
    free = await storage.stocks(ctx.session, ctx.front_end, sorted(set(skus)), ask.from_location, ctx.now, locks=True)
    if short := rules.not_free(changes, {(one.sku, one.location): one for one in free}, ask.from_location, skus):
        raise api.NotOnHand(lines=short)
    for one in changes:
        if one.place not in lent and stocks[one.place].on_hand + one.on_hand > api.UNITS_MAX:
            at = skus.index(one.sku)
            raise api.TooManyUnits(sku=one.sku, location=one.location, path=f"$.lines[{at}].quantity")
    by = ctx.caller.client
    await storage_stock.post(ctx.session, ctx.front_end, changes, moves, ask.reference, "sold", ctx.now, by, lent)
    await serials.sell(ask, sale, ctx)
    await serials.refuse_beyond([sale.from_owner], changes, ctx)
    ctx.emit(
        api.StockSold(
            reference=ask.reference,
            from_owner=sale.from_owner,
            to_owner=sale.to_owner,
            lines=ask.lines,
            total=sale.total,
        )
    )


@implements(api.list_lent)
async def list_lent(ask: api.ListLent, ctx: Context) -> api.LentPage:
    after = place_at(ask.cursor, tuple[str, UUID], partial(api.BadCursor, cursor=ask.cursor)) if ask.cursor else _FIRST
    found = await storage_stock.list_lent(ctx.session, ctx.front_end, ask, after)
    items = tuple(found[: ask.limit])
    cursor = cursor_at((items[-1].sku, items[-1].grant_id)) if len(found) > ask.limit else None
    return api.LentPage(items=items, next_cursor=cursor)
