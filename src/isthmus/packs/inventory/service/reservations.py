"""Promising stock: reserve, confirm, release, ship, expire, and what could be reserved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from isthmus.kernel import Context, implements, ports
from isthmus.store import NOT_BATCHABLE, GroupCommit, NotBatchable
from isthmus.values import LineAsk

from .. import api, rules
from ..storage import reservations as storage
from ..storage import stock as storage_stock
from . import serials

_ENDED = (api.ReservationState.SHIPPED, api.ReservationState.RELEASED, api.ReservationState.EXPIRED)


async def _reserve_together(
    asks: Sequence[tuple[api.Reserve, Context]], session: ports.Session
) -> list[api.Reservation | api.StockShort | NotBatchable]:
    """Decide asks for one SKU in their order, each on what those before it have left, and write them at once."""
    first, front_end = asks[0][0], asks[0][1].front_end
    now, sku = asks[0][1].now, first.lines[0].sku
    stocks = await storage.stocks(session, front_end, [sku], first.location, now, locks=True, channel=first.channel)
    decided: list[api.Reservation | api.StockShort | NotBatchable] = []
    holdings: dict[str, storage.Holding] = {}
    for ask, ctx in asks:
        allocations, short = _allocated(ask, stocks, ctx)
        if ask.reference in holdings:
            decided.append(NOT_BATCHABLE)
        elif short:
            decided.append(api.StockShort(lines=short))
        else:
            stocks = rules.promised(stocks, allocations)
            holdings[ask.reference] = _holding(ask, allocations, ctx)
            decided.append(holdings[ask.reference].reservation)
            ctx.emit(api.GoodsReserved(reference=ask.reference, allocations=allocations))
    if holdings and await storage.hold(session, front_end, list(holdings.values())) < len(holdings):
        return [NOT_BATCHABLE] * len(
            asks
        )  # a repetition took goods that it holds already: no other answer can be trusted
    short_of = [ask.reference for (ask, _), one in zip(asks, decided, strict=True) if isinstance(one, api.StockShort)]
    known = await storage.known(session, front_end, short_of) if short_of else ()
    return [
        NOT_BATCHABLE if isinstance(one, api.StockShort) and ask.reference in known else one
        for (ask, _), one in zip(asks, decided, strict=True)
    ]


def _one_sku(ask: api.Reserve) -> object:
    """Return what asks for one SKU have in common; larger baskets go alone, as they would wait for one another."""
    return (ask.lines[0].sku, ask.location, ask.channel) if len(ask.lines) == 1 else None


@implements(api.reserve, together=GroupCommit(_one_sku, _reserve_together))
async def reserve(ask: api.Reserve, ctx: Context) -> api.Reservation:
    skus = sorted({line.sku for line in ask.lines})
    stocks = await _stocks(skus, ask, ctx, locks=True)
    allocations, short = _allocated(ask, stocks, ctx)
    holding = _holding(ask, allocations, ctx)
    if short and ctx.is_new(ask.reference):
        raise api.StockShort(lines=short)
    if ctx.is_new(ask.reference):
        await storage.hold_new(ctx.session, ctx.front_end, holding)
    elif short or not await storage.hold(ctx.session, ctx.front_end, [holding]):
        return await _held_before(ask.reference, holding.asked, short, ctx)
    ctx.emit(api.GoodsReserved(reference=ask.reference, allocations=allocations))
    return holding.reservation


@implements(api.extend)
async def extend(ask: api.Extend, ctx: Context) -> api.Reservation:
    head = await storage.lock_head(ctx.session, ctx.front_end, ask.reference)  # before stocks: they have one order
    if head is None:
        raise api.UnknownReservation(reference=ask.reference)
    state, next_line = head
    if state in _ENDED:
        raise api.ReservationEnded(reference=ask.reference, state=state)
    skus = sorted({line.sku for line in ask.lines})
    stocks = await _stocks(skus, ask, ctx, locks=True)
    allocations, short = _allocated(ask, stocks, ctx)
    if short:
        raise api.StockShort(lines=short)
    behind = tuple(one.replace(line=one.line + next_line) for one in allocations)
    await storage.extend(ctx.session, ctx.front_end, _holding(ask, behind, ctx))
    ctx.emit(api.GoodsReserved(reference=ask.reference, allocations=behind))
    return api.Reservation(reference=ask.reference, state=state, allocations=behind)


async def _stocks(
    skus: Sequence[str], ask: api.Reserve | api.GetAvailability, ctx: Context, *, locks: bool
) -> list[api.StockAt]:
    return await storage.stocks(
        ctx.session, ctx.front_end, skus, ask.location, ctx.now, locks=locks, channel=ask.channel
    )


def _allocated(
    ask: api.Reserve, stocks: Sequence[api.StockAt], ctx: Context
) -> tuple[tuple[api.Allocation, ...], list[dict[str, object]]]:
    offers = _offers([line.sku for line in ask.lines], stocks, ctx)
    return rules.allocated(ask.lines, offers, _sourcing(ask, offers, ctx))


def _holding(ask: api.Reserve, allocations: tuple[api.Allocation, ...], ctx: Context) -> storage.Holding:
    reservation = api.Reservation(
        reference=ask.reference,
        state=api.ReservationState.HELD,
        allocations=allocations,
        expires_at=ask.expires_at,
    )
    asked = storage.digest(ask.lines, ask.location)
    return storage.Holding(reservation=reservation, asked=asked, at=ctx.now, by=ctx.caller.client)


def _offers(skus: Sequence[str], stocks: Sequence[api.StockAt], ctx: Context) -> dict[str, list[api.Offer]]:
    offers: dict[str, list[api.Offer]] = {sku: [] for sku in skus}
    if stocks:
        sellable = cast("Sequence[int]", ctx.answer(api.sellable_quantity)(stocks))
        limits = cast("Sequence[int]", ctx.answer(api.back_order_limit)(stocks))
        left = _left_to_others(stocks, ctx)
        for stock, units, limit in zip(stocks, sellable, limits, strict=True):
            offers[stock.sku].append(rules.offered(stock, units, limit, left.get((stock.sku, stock.location), 0)))
    return offers


def _left_to_others(stocks: Sequence[api.StockAt], ctx: Context) -> dict[rules.Place, int]:
    """Return how much of each lent stock is for others; who sells its own alone is asked nothing."""
    if not (lent := [stock for stock in stocks if stock.lent is not None]):
        return {}
    units = cast("Sequence[int]", ctx.answer(api.leave_to_others)(lent))
    return {(stock.sku, stock.location): count for stock, count in zip(lent, units, strict=True)}


def _sourcing(ask: api.Reserve, offers: dict[str, list[api.Offer]], ctx: Context) -> Sequence[api.Sourcing]:
    if ask.location is not None:
        return [api.Sourcing(locations=(ask.location,))] * len(ask.lines)
    lines = [
        api.SourcingLine(line=at, sku=line.sku, quantity=line.quantity, offers=tuple(offers[line.sku]))
        for at, line in enumerate(ask.lines)
    ]
    return cast("Sequence[api.Sourcing]", ctx.answer(api.source_lines)(lines, ask.destination))


async def _held_before(
    reference: str, asked: bytes, short: Sequence[dict[str, object]], ctx: Context
) -> api.Reservation:
    """Answer for a reference that may have been reserved already; its own goods are no shortage."""
    found = await storage.reservation(ctx.session, ctx.front_end, reference, locks=False)
    if found is None:
        raise api.StockShort(lines=short)
    if found.asked != asked:
        raise api.ReferenceUsed(reference=reference, what="reservation")
    return found.reservation


@implements(api.confirm)
async def confirm(ask: api.Confirm, ctx: Context) -> api.Reservation:
    is_new = await storage.confirm(ctx.session, ctx.front_end, ask.reference, ctx.now, ctx.caller.client)
    reservation = (await _found(ask.reference, ctx, locks=False)).reservation
    if reservation.state in (api.ReservationState.RELEASED, api.ReservationState.EXPIRED):
        raise api.ReservationEnded(reference=ask.reference, state=reservation.state)
    if is_new:
        ctx.emit(api.ReservationConfirmed(reference=ask.reference))
    return reservation


@implements(api.keep)
async def keep(ask: api.Confirm, ctx: Context) -> api.Kept:
    await storage.keep(ctx.session, ctx.front_end, ask.reference, ctx.now, ctx.caller.client)
    ctx.emit(api.ReservationConfirmed(reference=ask.reference))
    return api.Kept()


@implements(api.release)
async def release(ask: api.Release, ctx: Context) -> api.Reservation:
    found = await _found(ask.reference, ctx, locks=True)
    if found.reservation.state in _ENDED:
        if ask.lines is not None:
            raise api.ReservationEnded(reference=ask.reference, state=found.reservation.state)
        return found.reservation
    takings = _takings(found.reservation, ask.lines, None)
    await _let_go([(found.reservation, takings)], api.ReservationState.RELEASED, ctx)
    ctx.emit(api.GoodsReleased(reference=ask.reference, because="released"))
    return rules.after(found.reservation, takings, api.ReservationState.RELEASED)


@implements(api.expire)
async def expire(ask: api.Expire, ctx: Context) -> api.ExpiredReservations:
    due = await storage.lock_due(ctx.session, ctx.front_end, ctx.now, ask.limit)
    if due:
        ended = [(found.reservation, _takings(found.reservation, None, None)) for found in due]
        await _let_go(ended, api.ReservationState.EXPIRED, ctx)
    for found in due:
        ctx.emit(api.GoodsReleased(reference=found.reservation.reference, because="expired"))
    return api.ExpiredReservations(references=tuple(found.reservation.reference for found in due))


async def _let_go(
    ended: Sequence[tuple[api.Reservation, Sequence[rules.Taking]]], state: api.ReservationState, ctx: Context
) -> None:
    changes = rules.merged(
        rules.Change(sku=taking.sku, location=taking.location, reserved=-taking.quantity)
        for _, takings in ended
        for taking in takings
    )
    settled = [(rules.after(reservation, takings, state), takings) for reservation, takings in ended]
    await storage.settle(ctx.session, ctx.front_end, settled, changes, "", ctx.now, ctx.caller.client)


@implements(api.ship)
async def ship(ask: api.Ship, ctx: Context) -> api.Reservation:
    asked = storage.digest(ask.lines, ask.location)
    parcel = f"{ask.reference}/{ask.parcel}"
    before = await storage_stock.claim(ctx.session, ctx.front_end, "ship", parcel, asked, ctx.now)
    found = await _found(ask.reference, ctx, locks=before is None)
    if before is not None:
        if before != asked:
            raise api.ReferenceUsed(reference=parcel, what="parcel")
        return found.reservation
    if found.reservation.state in _ENDED:
        raise api.ReservationEnded(reference=ask.reference, state=found.reservation.state)
    takings = _takings(found.reservation, ask.lines, ask.location)
    changes = rules.merged(
        rules.Change(sku=taking.sku, location=taking.location, on_hand=-taking.quantity, reserved=-taking.quantity)
        for taking in takings
    )
    lent = rules.lending(takings)
    if missing := rules.not_on_hand(changes, found.stocks, [line.sku for line in ask.lines or ()], lent):
        raise api.NotOnHand(lines=missing)
    after = rules.after(found.reservation, takings, api.ReservationState.SHIPPED)
    await serials.hold(ask.reference, ask.serials, ctx)
    await storage.settle(
        ctx.session, ctx.front_end, [(after, takings)], changes, ask.parcel, ctx.now, ctx.caller.client
    )
    ctx.emit(_shipped(ask.reference, changes, found, lent))
    if lent:
        ctx.emit(_lent_shipped(ask.reference, changes, lent))
    return after


def _shipped(
    reference: str, changes: Sequence[rules.Change], found: storage.Found, lent: rules.Lending
) -> api.StockChanged:
    own = [change for change in changes if change.place not in lent]
    return api.StockChanged(
        reference=reference,
        kind=api.MovementKind.SHIP,
        lines=tuple(
            api.Adjustment(sku=change.sku, quantity=change.on_hand, location=change.location) for change in changes
        ),
        depleted=rules.depleted(own, found.stocks),
    )


def _lent_shipped(reference: str, changes: Sequence[rules.Change], lent: rules.Lending) -> api.LentGoodsShipped:
    return api.LentGoodsShipped(
        reference=reference,
        lines=tuple(
            api.LentUnits(owner=lent[one.place].owner, sku=one.sku, location=one.location, quantity=-one.on_hand)
            for one in changes
            if one.place in lent
        ),
    )


@implements(api.get_reservation)
async def get_reservation(ask: api.GetReservation, ctx: Context) -> api.Reservation:
    return (await _found(ask.reference, ctx, locks=False)).reservation


@implements(api.list_reservation_steps)
async def list_reservation_steps(ask: api.ListReservationSteps, ctx: Context) -> api.ReservationSteps:
    items = await storage.steps(ctx.session, ctx.front_end, ask.reference)
    if not items:
        raise api.UnknownReservation(reference=ask.reference)
    return api.ReservationSteps(items=items)


@implements(api.get_availability)
async def get_availability(ask: api.GetAvailability, ctx: Context) -> api.Availability:
    stocks = await _stocks(ask.skus, ask, ctx, locks=False)
    offers = _offers(ask.skus, stocks, ctx)
    return api.Availability(items=tuple(_available(sku, offers[sku]) for sku in ask.skus))


def _available(sku: str, offers: Sequence[api.Offer]) -> api.Available:
    return api.Available(
        sku=sku,
        available=sum(offer.available for offer in offers),
        back_order=sum(offer.back_order for offer in offers),
        locations=tuple(
            api.AvailableAt(location=offer.stock.location, available=offer.available, back_order=offer.back_order)
            for offer in offers
        ),
    )


async def _found(reference: str, ctx: Context, *, locks: bool) -> storage.Found:
    found = await storage.reservation(ctx.session, ctx.front_end, reference, locks=locks)
    if found is None:
        raise api.UnknownReservation(reference=reference)
    return found


def _takings(reservation: api.Reservation, lines: Sequence[LineAsk] | None, location: str | None) -> list[rules.Taking]:
    takings, missing = rules.taken(reservation.allocations, lines, location)
    if missing or not takings:
        raise api.NotHeld(reference=reservation.reference, lines=missing)
    return takings
