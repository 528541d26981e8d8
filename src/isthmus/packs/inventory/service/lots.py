"""Lots: what comes in with a last day, and what goes from sale when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import Context, implements

from .. import api
from ..storage import lots as storage


async def receive(receipts: Sequence[api.Receipt], reference: str, ctx: Context) -> None:
    """Write the lots of what came in; nothing is asked of the database where there are none."""
    of_lots = [one for one in receipts if one.lot is not None]
    if not of_lots:
        return
    put = await storage.put(ctx.session, ctx.front_end, of_lots)
    for at, one in enumerate(receipts):
        if one.lot is not None and one.lot not in put:
            raise api.LotDiffers(lot=one.lot, path=f"$.lines[{at}].expires_on")
    await storage.came(ctx.session, ctx.front_end, of_lots, reference, ctx.now)


@implements(api.list_lots)
async def list_lots(ask: api.ListLots, ctx: Context) -> api.Lots:
    return api.Lots(items=await storage.list_lots(ctx.session, ctx.front_end, ask))


@implements(api.list_lot_movements)
async def list_lot_movements(ask: api.ListLotMovements, ctx: Context) -> api.LotMovements:
    return api.LotMovements(items=await storage.movements(ctx.session, ctx.front_end, ask))


@implements(api.expire_lots)
async def expire_lots(ask: api.ExpireLots, ctx: Context) -> api.LotsExpired:
    over = await storage.expire(ctx.session, ctx.front_end, ctx.now.date(), ask.limit)
    for one in over:
        ctx.emit(one)
    return api.LotsExpired(lots=len(over))
