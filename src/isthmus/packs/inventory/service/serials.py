"""Units with numbers: what comes in, leaves, is moved or held by number; without any the database is not asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from isthmus.kernel import Context, implements
from isthmus.values import SerialNumber, cursor_at, place_at

from .. import api, rules
from ..storage import serials as storage

Unit = tuple[str, str, str, str, str, str]  # owner, SKU, location, number, state, and where it is asked for


async def receive(receipts: Sequence[api.Receipt], reference: str, ctx: Context) -> None:
    units = [
        (ctx.front_end, one.sku, one.location, serial, "stocked", f"$.lines[{at}].serials[{place}]")
        for at, one in enumerate(receipts)
        for place, serial in enumerate(one.serials)
    ]
    await _take_in(units, "receive", reference, ctx)


async def restock(
    lines: Sequence[api.RestockLine],
    fates: Sequence[api.RestockFate],
    lent: Mapping[rules.Place, api.Lent],
    reference: str,
    ctx: Context,
) -> None:
    """Take units in that came back, to their owner; what is written off is gone."""
    units = [
        (
            lent[line.sku, line.location].owner if (line.sku, line.location) in lent else ctx.front_end,
            line.sku,
            line.location,
            serial,
            "stocked" if fate == "sellable" else "gone",
            f"$.lines[{at}].serials[{place}]",
        )
        for at, (line, fate) in enumerate(zip(lines, fates, strict=True))
        for place, serial in enumerate(line.serials)
    ]
    await _take_in(units, "restock", reference, ctx)


async def _take_in(units: Sequence[Unit], kind: str, reference: str, ctx: Context) -> None:
    if not units:
        return
    named = [SerialNumber(sku=unit[1], serial=unit[3]) for unit in units]
    twice = api.repeated(named)
    if twice is not None:
        raise api.TooManySerials(sku=named[twice].sku, path=units[twice][5])
    put = await storage.take_in(ctx.session, [unit[:5] for unit in units], kind, reference, ctx.now)
    for at, unit in enumerate(units):
        if at not in put:
            raise api.SerialTaken(sku=unit[1], serial=unit[3], path=unit[5])


async def leave(
    serials: Sequence[SerialNumber],
    lines: Sequence[api.Adjustment],
    kind: str,
    reference: str,
    ctx: Context,
    goes_to: str | None = None,
) -> None:
    """Take named units from where lines take them: away, or to another place."""
    if not serials:
        return
    places = {line.sku: line.location for line in lines if line.quantity < 0}
    _refuse_more(serials, [(line.sku, -line.quantity) for line in lines if line.quantity < 0])
    units = [(one.sku, places[one.sku], one.serial, goes_to) for one in serials]
    _refuse_missing(serials, await storage.leave(ctx.session, ctx.front_end, units, kind, reference, ctx.now))


async def sell(ask: api.SellStock, sale: api.StockSale, ctx: Context) -> None:
    """Let named units change their owner with the goods that they are part of."""
    if not ask.serials:
        return
    _refuse_more(ask.serials, [(line.sku, line.quantity) for line in ask.lines])
    _refuse_missing(ask.serials, await storage.sell(ctx.session, sale.from_owner, sale.to_owner, ask, ctx.now))


def _refuse_more(serials: Sequence[SerialNumber], taken: Sequence[tuple[str, int]]) -> None:
    """Refuse units that are named twice, or are more than lines take of their goods."""
    left: dict[str, int] = {}
    for sku, quantity in taken:
        left[sku] = left.get(sku, 0) + quantity
    twice = api.repeated(serials)
    for at, one in enumerate(serials):
        left[one.sku] = left.get(one.sku, 0) - 1
        if left[one.sku] < 0 or at == twice:
            raise api.TooManySerials(sku=one.sku, path=f"$.serials[{at}]")


def _refuse_missing(serials: Sequence[SerialNumber], found: set[int]) -> None:
    for at, one in enumerate(serials):
        if at not in found:
            raise api.SerialNotThere(sku=one.sku, serial=one.serial, path=f"$.serials[{at}]")


async def refuse_beyond(owners: Sequence[str], changes: Sequence[rules.Change], ctx: Context) -> None:
    """Refuse what would leave fewer units than have numbers, where something leaves."""
    places = [change.place for change in changes if change.on_hand < 0]
    if places and (found := await storage.beyond(ctx.session, owners, places)):
        raise api.SerialsNeeded(sku=found[0], location=found[1])


@implements(api.hold_serials)
async def hold_serials(ask: api.HoldSerials, ctx: Context) -> api.SerialsHeld:
    await hold(ask.reference, ask.serials, ctx)
    return api.SerialsHeld(serials=await storage.held(ctx.session, ctx.front_end, ask.reference))


async def hold(reference: str, serials: Sequence[SerialNumber], ctx: Context) -> None:
    if not serials:
        return
    twice = api.repeated(serials)
    if twice is not None:
        raise api.TooManySerials(sku=serials[twice].sku, path=f"$.serials[{twice}]")
    found = await storage.hold(ctx.session, reference, serials)
    for at, one in enumerate(serials):
        if at not in found:
            raise api.SerialNotThere(sku=one.sku, serial=one.serial, path=f"$.serials[{at}]")
        if found[at]:
            raise api.TooManySerials(sku=one.sku, path=f"$.serials[{at}]")


@implements(api.list_serials)
async def list_serials(ask: api.ListSerials, ctx: Context) -> api.SerialPage:
    after = place_at(ask.cursor, tuple[str, str], partial(api.BadCursor, cursor=ask.cursor)) if ask.cursor else ("", "")
    found = await storage.listed(ctx.session, ctx.front_end, ask, after, ask.limit + 1)
    items = tuple(found[: ask.limit])
    more = cursor_at((items[-1].sku, items[-1].serial)) if len(found) > ask.limit else None
    return api.SerialPage(items=items, next_cursor=more)


@implements(api.list_serial_steps)
async def list_serial_steps(ask: api.ListSerialSteps, ctx: Context) -> api.SerialSteps:
    return api.SerialSteps(items=await storage.steps(ctx.session, ctx.front_end, ask))
