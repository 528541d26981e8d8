"""Shipments and their parcels: planned, packed, shipped, delivered, failed, taken back, cancelled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from isthmus.kernel import Context, encode, implements
from isthmus.sealing import UNSEALED, Seals
from isthmus.values import LineAsk, cursor_at

from .. import api, rules
from ..storage import delivery as storage
from ..storage import shipments as storage_shipments

State = api.ParcelState


@implements(api.plan)
async def plan(ask: api.Plan, ctx: Context) -> api.Planned:
    asked = hashlib.blake2b(encode(ask), digest_size=16).digest()
    before = await storage_shipments.claim(ctx.session, ctx.front_end, ask.reference, asked)
    if before is not None:
        if before != asked:
            raise api.PlannedOtherwise(reference=ask.reference)
        return await _planned(ask.reference, ctx)
    if ask.slot_id and await storage.slot(ctx.session, ctx.front_end, ask.slot_id, locks=False) is None:
        raise api.UnknownSlot(slot_id=ask.slot_id)
    shipments = _split(ask, ctx)
    await storage_shipments.plan(ctx.session, ctx.front_end, ask, shipments, ctx.now, ctx.caller.client, _seals(ctx))
    ctx.emit(api.ShipmentsPlanned(reference=ask.reference, shipments=tuple(one.shipment_id for one in shipments)))
    return api.Planned(reference=ask.reference, shipments=tuple(shipments))


def _split(ask: api.Plan, ctx: Context) -> list[api.Shipment]:
    """Make a shipment for each location and key, in the order in which the lines name them."""
    keys = cast("Sequence[str]", ctx.answer(api.shipment_key)(ask.lines))
    parts: dict[tuple[str, str], list[api.ShipmentLine]] = {}
    for at, (line, key) in enumerate(zip(ask.lines, keys, strict=True)):
        found = parts.setdefault((line.location, key), [])
        found.append(api.ShipmentLine(line=at, sku=line.sku, quantity=line.quantity))
    return [
        api.Shipment(
            shipment_id=ctx.new_id(),
            reference=ask.reference,
            part=key,
            location=location,
            method=ask.method,
            state=api.ShipmentState.PLANNED,
            lines=tuple(lines),
            parcels=(),
            planned_at=ctx.now,
            address=ask.address,
            slot_id=ask.slot_id,
            promise_from=ask.promise_from,
            promise_to=ask.promise_to,
        )
        for (location, key), lines in parts.items()
    ]


@implements(api.pack)
async def pack(ask: api.Pack, ctx: Context) -> api.Shipment:
    shipment = await _locked(ask.shipment_id, ctx)
    if known := _parcel(shipment, ask.parcel):
        if not rules.holds(known, ask.lines):
            raise api.ParcelDiffers(parcel=ask.parcel)
        return shipment
    return await _moved(shipment, _packed(shipment, ask.parcel, ask.lines), ctx)


@implements(api.ship)
async def ship(ask: api.Ship, ctx: Context) -> api.Shipment:
    shipment = await _locked(ask.shipment_id, ctx)
    parcel = _parcel(shipment, ask.parcel) or _packed(shipment, ask.parcel, ask.lines)
    if not (rules.holds(parcel, ask.lines) and rules.has_units(parcel, ask.serials)):
        raise api.ParcelDiffers(parcel=ask.parcel)
    if parcel.state is State.SHIPPED and (parcel.carrier, parcel.tracking) == (ask.carrier, ask.tracking or None):
        return shipment
    parcel = parcel.replace(serials=ask.serials) if ask.serials else parcel
    shipped = _stepped(parcel, State.SHIPPED, carrier=ask.carrier, tracking=ask.tracking or None)
    return await _moved(shipment, shipped, ctx)


@implements(api.deliver)
async def deliver(ask: api.Deliver, ctx: Context) -> api.Shipment:
    return await _step(ask.shipment_id, ask.parcel, State.DELIVERED, "", ctx)


@implements(api.fail)
async def fail(ask: api.Fail, ctx: Context) -> api.Shipment:
    return await _step(ask.shipment_id, ask.parcel, State.FAILED, ask.reason, ctx)


@implements(api.take_back)
async def take_back(ask: api.TakeBack, ctx: Context) -> api.Shipment:
    return await _step(ask.shipment_id, ask.parcel, State.RETURNED, "", ctx)


@implements(api.cancel)
async def cancel(ask: api.Cancel, ctx: Context) -> api.Planned:
    await storage_shipments.lock(ctx.session, ctx.front_end, reference=ask.reference)
    planned = await _planned(ask.reference, ctx)
    taken, over = rules.taken(planned.shipments, ask.lines)
    if over:
        raise api.OverShip(lines=over)
    if not taken:
        return planned
    goods: dict[UUID, list[api.ParcelLine]] = {}
    for shipment, line in taken:
        goods.setdefault(shipment.shipment_id, []).append(line)
    after = {one.shipment_id: rules.without(one, goods.get(one.shipment_id, ())) for one in planned.shipments}
    step = api.Step(parcel="", state="cancelled", at=ctx.now, by=ctx.caller.client)
    await storage_shipments.save(ctx.session, ctx.front_end, [after[id_] for id_ in goods], step)
    ctx.emit(api.ShipmentsCancelled(reference=ask.reference, lines=tuple(line for _, line in taken)))
    return api.Planned(reference=ask.reference, shipments=tuple(after.values()))


@implements(api.redirect)
async def redirect(ask: api.Redirect, ctx: Context) -> api.Planned:
    await storage_shipments.lock(ctx.session, ctx.front_end, reference=ask.reference)
    planned = await _planned(ask.reference, ctx)
    waiting = [
        one.shipment_id
        for one in planned.shipments
        if one.state in (api.ShipmentState.PLANNED, api.ShipmentState.PART_SHIPPED)
    ]
    if not waiting:
        raise api.LeftAlready(reference=ask.reference)
    await storage_shipments.redirect(ctx.session, ctx.front_end, ask.reference, waiting, ask.address, _seals(ctx))
    return await _planned(ask.reference, ctx)


@implements(api.get_shipment)
async def get_shipment(ask: api.GetShipment, ctx: Context) -> api.Shipment:
    return await _shipment(ask.shipment_id, ctx)


@implements(api.list_shipments)
async def list_shipments(ask: api.ListShipments, ctx: Context) -> api.ShipmentPage:
    before = rules.place_of(ask.cursor)
    found = await storage_shipments.list_shipments(ctx.session, ctx.front_end, ask, before, _seals(ctx))
    items = tuple(found[: ask.limit])
    more = len(found) > ask.limit
    return api.ShipmentPage(
        items=items, next_cursor=cursor_at((items[-1].planned_at, items[-1].shipment_id)) if more else None
    )


@implements(api.list_steps)
async def list_steps(ask: api.ListSteps, ctx: Context) -> api.Steps:
    items = await storage_shipments.steps(ctx.session, ctx.front_end, ask.shipment_id)
    if not items:
        raise api.UnknownShipment(what=str(ask.shipment_id), path="$.shipment_id")
    return api.Steps(items=items)


async def _step(shipment_id: UUID, name: str, state: State, reason: str, ctx: Context) -> api.Shipment:
    shipment = await _locked(shipment_id, ctx)
    parcel = _parcel(shipment, name)
    if parcel is None:
        raise api.UnknownParcel(parcel=name, known=[one.parcel for one in shipment.parcels])
    if parcel.state is state:
        return shipment
    stepped = _stepped(parcel, state, carrier=parcel.carrier, tracking=parcel.tracking, reason=reason)
    return await _moved(shipment, stepped, ctx)


def _stepped(
    parcel: api.Parcel, state: State, *, carrier: str | None, tracking: str | None, reason: str = ""
) -> api.Parcel:
    """Return a parcel in its next state. Raises IllegalStep where none leads there."""
    if parcel.state not in rules.BECOMES[state]:
        raise api.IllegalStep(
            parcel=parcel.parcel, state=parcel.state.value, step=state.value, allowed=rules.next_states(parcel.state)
        )
    return api.Parcel(
        parcel=parcel.parcel,
        state=state,
        lines=parcel.lines,
        carrier=carrier,
        tracking=tracking,
        reason=reason or parcel.reason,
        attempts=parcel.attempts + (state is State.SHIPPED),
        serials=parcel.serials,
    )


def _packed(shipment: api.Shipment, name: str, lines: Sequence[LineAsk] | None) -> api.Parcel:
    taken, over = rules.taken([shipment], lines)
    if over or not taken:
        raise api.OverShip(lines=over)
    return api.Parcel(parcel=name, state=State.PACKED, lines=tuple(line for _, line in taken))


async def _moved(shipment: api.Shipment, parcel: api.Parcel, ctx: Context) -> api.Shipment:
    """Write a parcel that was packed or moved on, with the shipment that follows from it."""
    after = rules.with_parcel(shipment, parcel)
    step = api.Step(
        parcel=parcel.parcel,
        state=parcel.state.value,
        note=parcel.reason if parcel.state is State.FAILED else parcel.carrier or "",
        at=ctx.now,
        by=ctx.caller.client,
    )
    await storage_shipments.save_parcel(ctx.session, ctx.front_end, shipment.shipment_id, parcel)
    await storage_shipments.save(ctx.session, ctx.front_end, [after], step)
    ctx.emit(
        api.ParcelMoved(
            reference=shipment.reference,
            shipment_id=shipment.shipment_id,
            parcel=parcel.parcel,
            state=parcel.state,
            shipment_state=after.state,
            lines=parcel.lines,
            carrier=parcel.carrier,
            tracking=parcel.tracking,
            serials=parcel.serials,
        )
    )
    return after


def _parcel(shipment: api.Shipment, name: str) -> api.Parcel | None:
    return next((one for one in shipment.parcels if one.parcel == name), None)


async def _locked(shipment_id: UUID, ctx: Context) -> api.Shipment:
    await storage_shipments.lock(ctx.session, ctx.front_end, shipment_id=shipment_id)
    return await _shipment(shipment_id, ctx)


async def _shipment(shipment_id: UUID, ctx: Context) -> api.Shipment:
    shipment = await storage_shipments.shipment(ctx.session, ctx.front_end, shipment_id, _seals(ctx))
    if shipment is None:
        raise api.UnknownShipment(what=str(shipment_id), path="$.shipment_id")
    return shipment


async def _planned(reference: str, ctx: Context) -> api.Planned:
    shipments = await storage_shipments.of_reference(ctx.session, ctx.front_end, reference, _seals(ctx))
    if not shipments:
        raise api.UnknownShipment(what=f"of {reference!r}", path="$.reference")
    return api.Planned(reference=reference, shipments=tuple(shipments))


def _seals(ctx: Context) -> Seals:
    return ctx.resource(Seals, UNSEALED)
