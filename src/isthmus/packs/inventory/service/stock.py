"""Keeping stock: what comes in, goes out, moves and is counted, each booked once under its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, cast

from isthmus.kernel import Context, Meta, implements
from isthmus.values import cursor_at, place_at

from .. import api, rules
from ..storage import lots as storage_lots
from ..storage import reservations as storage
from ..storage import stock as storage_stock
from . import lots, serials

_ID_MAX = 2**63 - 1

Id = tuple[Annotated[int, Meta(ge=0, le=_ID_MAX)]]
Moves = list[tuple[str, api.Adjustment]]


@implements(api.receive)
async def receive(ask: api.Receive, ctx: Context) -> api.Booked:
    lines = [_move(line.sku, line.quantity, line.location) for line in ask.lines]
    if repeated := await _booked_before("receive", ask.reference, storage.digest(ask.lines), lines, ctx):
        return repeated
    booked = await _book(api.MovementKind.RECEIVE, ask.reference, "", lines, ctx)
    await lots.receive(ask.lines, ask.reference, ctx)
    await serials.receive(ask.lines, ask.reference, ctx)
    return booked


@implements(api.adjust)
async def adjust(ask: api.Adjust, ctx: Context) -> api.Booked:
    lines = list(ask.lines)
    if repeated := await _booked_before("adjust", ask.reference, storage.digest(lines, ask.reason), lines, ctx):
        return repeated
    booked = await _book(api.MovementKind.ADJUST, ask.reference, ask.reason, lines, ctx)
    await serials.leave(ask.serials, lines, "adjust", ask.reference, ctx)
    await serials.refuse_beyond([ctx.front_end], [_change(line) for line in lines], ctx)
    return booked


@implements(api.transfer)
async def transfer(ask: api.Transfer, ctx: Context) -> api.Booked:
    lines = [
        *(_move(line.sku, -line.quantity, ask.from_location) for line in ask.lines),
        *(_move(line.sku, line.quantity, ask.to_location) for line in ask.lines),
    ]
    if repeated := await _booked_before("transfer", ask.reference, storage.digest(lines), lines, ctx):
        return repeated
    booked = await _book(api.MovementKind.TRANSFER, ask.reference, "", lines, ctx)
    await serials.leave(ask.serials, lines, "transfer", ask.reference, ctx, ask.to_location)
    await serials.refuse_beyond([ctx.front_end], [_change(line) for line in lines], ctx)
    return booked


@implements(api.restock)
async def restock(ask: api.Restock, ctx: Context) -> api.Booked:
    lines = [_move(line.sku, line.quantity, line.location) for line in ask.lines]
    if repeated := await _booked_before("restock", ask.reference, storage.digest(ask.lines), lines, ctx):
        return repeated
    fates = cast("Sequence[api.RestockFate]", ctx.answer(api.restock_as)(ask.lines))
    lost = [
        _move(line.sku, -line.quantity, line.location)
        for line, fate in zip(ask.lines, fates, strict=True)
        if fate == "written-off"
    ]
    stocks = await _locked(lines, ctx, lent=True)
    moves = [*_of_kind(api.MovementKind.RESTOCK, lines), *_of_kind(api.MovementKind.WRITE_OFF, lost)]
    changes = rules.merged(_change(move) for _, move in moves)
    booked = await _post(ask.reference, "returned", changes, moves, stocks, ctx)
    lent = {place: stock.lent for place, stock in stocks.items() if stock.lent is not None}
    await serials.restock(ask.lines, fates, lent, ask.reference, ctx)
    return booked


@implements(api.count)
async def count(ask: api.Count, ctx: Context) -> api.Booked:
    places = [_move(line.sku, 0, line.location) for line in ask.lines]
    asked = storage.digest(ask.lines, ask.may_fall_short, *(() if ask.as_of is None else (ask.as_of,)))
    if repeated := await _booked_before("count", ask.reference, asked, places, ctx):
        return repeated
    stocks = await _locked(places, ctx)
    since: dict[rules.Place, int] = {}
    if ask.as_of is not None:
        since = await storage_lots.moved_since(ctx.session, ctx.front_end, list(stocks), ask.as_of)
    changes, below = rules.counted(rules.as_now(ask.lines, since), stocks, ask.may_fall_short)
    if below:
        raise api.CountBelowReserved(lines=below)
    found = [_move(change.sku, change.on_hand, change.location) for change in changes]
    booked = await _post(ask.reference, "counted", changes, _of_kind(api.MovementKind.COUNT, found), stocks, ctx)
    await serials.refuse_beyond([ctx.front_end], changes, ctx)
    return booked


@implements(api.set_limits)
async def set_limits(ask: api.SetLimits, ctx: Context) -> api.LimitsSet:
    stocks = await storage_stock.set_limits(ctx.session, ctx.front_end, ask.items)
    if stocks < len({(item.sku, item.location) for item in ask.items}):
        known = await storage_stock.lock_or_make(ctx.session, ctx.front_end, [(i.sku, i.location) for i in ask.items])
        _refuse_anothers([(item.sku, item.location) for item in ask.items], known, "$.items[{}].location")
    return api.LimitsSet(stocks=stocks)


@implements(api.put_locations)
async def put_locations(ask: api.PutLocations, ctx: Context) -> api.LocationsPut:
    lent = [(at, item) for at, item in enumerate(ask.items) if item.lent_by is not None]
    if lent:
        found = await storage_stock.can_take_on(ctx.session, ctx.front_end, [item for _, item in lent])
        for (at, item), (is_granted, is_taken) in zip(lent, found, strict=True):
            if not is_granted:
                raise api.NotLent(location=item.code, path=f"$.items[{at}].lent_by")
            if is_taken:
                raise api.LocationTaken(location=item.code, path=f"$.items[{at}].code")
    return api.LocationsPut(locations=await storage_stock.put_locations(ctx.session, ctx.front_end, ask.items))


@implements(api.list_stock)
async def list_stock(ask: api.ListStock, ctx: Context) -> api.StockPage:
    after = place_at(ask.cursor, tuple[str, str], partial(api.BadCursor, cursor=ask.cursor)) if ask.cursor else ("", "")
    items, last = await storage_stock.list_stock(ctx.session, ctx.front_end, ask, after, ctx.now)
    return api.StockPage(items=tuple(items), next_cursor=None if last is None else cursor_at(last))


@implements(api.list_movements)
async def list_movements(ask: api.ListMovements, ctx: Context) -> api.MovementPage:
    before = place_at(ask.cursor, Id, partial(api.BadCursor, cursor=ask.cursor))[0] if ask.cursor else _ID_MAX
    found = await storage_stock.list_movements(ctx.session, ctx.front_end, ask, before)
    items = found[: ask.limit]
    more = len(found) > ask.limit
    return api.MovementPage(
        items=tuple(item for _, item in items), next_cursor=cursor_at((items[-1][0],)) if more else None
    )


async def _booked_before(
    kind: str, reference: str, asked: bytes, lines: Sequence[api.Adjustment], ctx: Context
) -> api.Booked | None:
    """Claim the reference; where it was booked before with the same ask, return how its stocks stand now."""
    before = await storage_stock.claim(ctx.session, ctx.front_end, kind, reference, asked, ctx.now)
    if before is None:
        return None
    if before != asked:
        raise api.ReferenceUsed(reference=reference, what=kind)
    stocks = (await _locked(lines, ctx, lent=True)).values()
    return api.Booked(reference=reference, stocks=tuple(stock for stock in stocks if stock.lent is None))


async def _book(
    kind: api.MovementKind, reference: str, reason: str, lines: Sequence[api.Adjustment], ctx: Context
) -> api.Booked:
    stocks = await _locked(lines, ctx)
    changes = rules.merged(_change(line) for line in lines)
    if missing := rules.not_on_hand(changes, stocks, [line.sku for line in lines]):
        raise api.NotOnHand(lines=missing)
    return await _post(reference, reason, changes, _of_kind(kind, lines), stocks, ctx)


async def _post(
    reference: str,
    reason: str,
    changes: Sequence[rules.Change],
    moves: Moves,
    stocks: dict[rules.Place, api.StockAt],
    ctx: Context,
) -> api.Booked:
    for change in changes:
        if stocks[change.place].on_hand + change.on_hand > api.UNITS_MAX:
            at = [move.sku for _, move in moves].index(change.sku)
            raise api.TooManyUnits(sku=change.sku, location=change.location, path=f"$.lines[{at}].quantity")
    lent = {place: stock.lent for place, stock in stocks.items() if stock.lent is not None}
    by = ctx.caller.client
    await storage_stock.post(ctx.session, ctx.front_end, changes, moves, reference, reason, ctx.now, by, lent)
    own = [change for change in changes if change.place not in lent]
    ctx.emit(
        api.StockChanged(
            reference=reference,
            kind=api.MovementKind(moves[0][0]),
            lines=tuple(move for _, move in moves),
            depleted=rules.depleted(own, stocks),
        )
    )
    after = rules.changed(changes, stocks)
    return api.Booked(reference=reference, stocks=tuple(stock for stock in after if stock.lent is None))


async def _locked(
    lines: Sequence[api.Adjustment], ctx: Context, *, lent: bool = False
) -> dict[rules.Place, api.StockAt]:
    """Lock stocks. lent: those of others too, where a grant lets them be used; they are refused otherwise."""
    places = [(line.sku, line.location) for line in lines]
    found = await storage_stock.lock_or_make(ctx.session, ctx.front_end, places)
    for at, place in enumerate(places):
        if lent and place not in found:
            raise api.NotLent(location=place[1], path=f"$.lines[{at}].location")
    if not lent:
        _refuse_anothers(places, found, "$.lines[{}].location")
    return found


def _refuse_anothers(places: Sequence[rules.Place], found: Mapping[rules.Place, api.StockAt], path: str) -> None:
    for at, place in enumerate(places):
        if place not in found or found[place].lent is not None:
            raise api.AnothersStock(location=place[1], path=path.format(at))


def _move(sku: str, quantity: int, location: str) -> api.Adjustment:
    return api.Adjustment(sku=sku, quantity=quantity, location=location)


def _of_kind(kind: api.MovementKind, lines: Sequence[api.Adjustment]) -> Moves:
    return [(kind.value, line) for line in lines]


def _change(line: api.Adjustment) -> rules.Change:
    return rules.Change(sku=line.sku, location=line.location, on_hand=line.quantity)
