"""Quoting a delivery, and the room in its slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from isthmus.kernel import Context, Verdict, errors, implements
from isthmus.values import Applied, Money, cursor_at, money

from .. import api, rules
from ..storage import delivery as storage
from . import rates as service_rates

# What a front end has that has set no method of delivery.
_STANDARD = "standard"
_FEE_MAX = 10**15  # minor units: the most that Money holds


@implements(api.put_methods)
async def put_methods(ask: api.PutMethods, ctx: Context) -> api.MethodsPut:
    if (at := await storage.not_lent(ctx.session, ask.items)) is not None:
        raise api.PlaceNotLent(method=ask.items[at].code, path=f"$.items[{at}].lent_by")
    last = {item.code: item for item in ask.items}
    await storage.put_methods(ctx.session, ctx.front_end, list(last.values()))
    return api.MethodsPut(methods=len(last))


@implements(api.list_guests)
async def list_guests(ask: api.ListGuests, ctx: Context) -> api.Guests:
    return api.Guests(items=tuple(await storage.guests(ctx.session)))


@implements(api.list_methods)
async def list_methods(ask: api.ListMethods, ctx: Context) -> api.MethodPage:
    found = await storage.list_methods(ctx.session, ctx.front_end, ask.cursor or "", ask.limit + 1)
    items = tuple(found[: ask.limit])
    return api.MethodPage(items=items, next_cursor=items[-1].code if len(found) > ask.limit else None)


@implements(api.quote_delivery)
async def quote_delivery(ask: api.QuoteDelivery, ctx: Context) -> api.DeliveryQuote:
    return await _quoted(ask, ctx, may_ask=False)


@implements(api.request_quote)
async def request_quote(ask: api.QuoteDelivery, ctx: Context) -> api.DeliveryQuote:
    return await _quoted(ask, ctx, may_ask=True)


async def _quoted(ask: api.QuoteDelivery, ctx: Context, *, may_ask: bool) -> api.DeliveryQuote:
    """Quote a delivery; may_ask: rate services may be waited for."""
    slot = await _slot_to_quote(ask, ctx)
    own = await storage.methods_for(ctx.session, ctx.front_end, ask)
    methods = await service_rates.with_live_rates(own, ask, ctx, may_ask=may_ask)
    named = ask.method or (slot.method if slot else None)
    options, refused = _options(methods, slot, ask, ctx)
    chosen = _chosen(named, methods, options, refused)
    return api.DeliveryQuote(
        method=chosen.method,
        fee=chosen.fee,
        promise_from=chosen.promise_from,
        promise_to=chosen.promise_to,
        applied=chosen.applied,
        options=options,
        needs_slot=chosen.needs_slot,
        slot_id=ask.slot_id,
    )


async def _slot_to_quote(ask: api.QuoteDelivery, ctx: Context) -> api.Slot | None:
    if ask.slot_id is None:
        return None
    slot = await storage.slot(ctx.session, ctx.front_end, ask.slot_id, locks=False)
    if slot is None:
        raise api.UnknownSlot(slot_id=ask.slot_id)
    if ask.method not in (None, slot.method):
        raise api.SlotMismatch(slot_id=slot.slot_id, method=slot.method, asked=str(ask.method))
    if refusal := _no_room(slot, 1, ctx):
        raise refusal
    return slot


def _options(
    methods: Sequence[api.Method], slot: api.Slot | None, ask: api.QuoteDelivery, ctx: Context
) -> tuple[tuple[api.DeliveryOption, ...], dict[str, list[str]]]:
    """Return the ways of delivery as the front end arranges them, and for each other one the reasons against it."""
    options: list[api.DeliveryOption] = []
    refused: dict[str, list[str]] = {}
    for method in methods:
        if not method.is_active:
            continue
        option, reasons = _option(method, slot, ask, ctx)
        if option is None:
            refused[method.code] = reasons
        else:
            options.append(option)
    if not methods:
        options.append(api.DeliveryOption(method=_STANDARD, name="Delivery", fee=money(0, ask.amount.currency)))
    priced = sorted((_adjusted(one, ask, ctx) for one in options), key=lambda one: (one.fee.minor, one.method))
    return ctx.answer(api.delivery_options)(tuple(priced), ask), refused


def _option(
    method: api.Method, slot: api.Slot | None, ask: api.QuoteDelivery, ctx: Context
) -> tuple[api.DeliveryOption | None, list[str]]:
    if method.max_grams and rules.weight(ask.lines) > method.max_grams:
        return None, [f"{method.code} takes at most {method.max_grams} grams, and the goods weigh more"]
    if lacking := rules.lacks(method.rates, ask.address):
        return None, [f"{method.code} depends on the {lacking}, and the address has none"]
    rate = rules.narrowest(method.rates, ask.address, ask.amount.currency)
    if rate is None:
        return None, [f"{method.code} has no zone for the address in {ask.amount.currency}"]
    option = rules.option(method, rate, ask, slot if slot and slot.method == method.code else None, ctx.now)
    if option.fee.minor > _FEE_MAX:
        return None, [f"{method.code} would cost {option.fee}, more than can be charged"]
    verdict: Verdict = ctx.answer(api.refuse_delivery)(ask, option)
    if not verdict.is_allowed:
        return None, [f"{method.code}: {veto.reason} ({veto.by})" for veto in verdict.vetoes]
    return option, []


def _adjusted(option: api.DeliveryOption, ask: api.QuoteDelivery, ctx: Context) -> api.DeliveryOption:
    """Return an option with the front end's own fee and promise."""
    fee = cast(Money, ctx.answer(api.delivery_fee)(ask, option))
    promise = cast(api.Promise, ctx.answer(api.delivery_promise)(ask, option, ctx.now))
    change = fee - option.fee
    applied = (Applied(by=ctx.front_end, reason="the front end's own fee", amount=change),) if change.minor else ()
    return api.DeliveryOption(
        method=option.method,
        name=option.name,
        kind=option.kind,
        zone=option.zone,
        fee=fee,
        promise_from=promise.earliest,
        promise_to=promise.latest,
        needs_slot=option.needs_slot,
        applied=(*option.applied, *applied),
    )


def _chosen(
    named: str | None,
    methods: Sequence[api.Method],
    options: Sequence[api.DeliveryOption],
    refused: dict[str, list[str]],
) -> api.DeliveryOption:
    by_code = {option.method: option for option in options}
    if named is None and options:
        return options[0]
    if named is None:
        reasons = [reason for code in sorted(refused) for reason in refused[code]]
        raise api.Undeliverable(reasons=reasons or ["no way of delivery is open"], path="$.address")
    if named in by_code:
        return by_code[named]
    active = [method.code for method in methods if method.is_active] or [*by_code]
    if named not in active:
        raise api.UnknownMethod(method=named, known=active)
    raise api.Undeliverable(reasons=refused.get(named, [f"{named} is not offered for this order"]), path="$.method")


@implements(api.open_slots)
async def open_slots(ask: api.OpenSlots, ctx: Context) -> api.SlotsOpened:
    for at in rules.windows_out_of_order(ask.items):
        raise api.BadWindow(path=f"$.items[{at}].ends_at")
    known = await storage.known_methods(ctx.session, ctx.front_end)
    for at, item in enumerate(ask.items):
        if item.method not in known:
            raise api.UnknownMethod(method=item.method, known=known, path=f"$.items[{at}].method")
    last = {_key(item): (at, item) for at, item in enumerate(ask.items)}
    there = await storage.lock_slots(ctx.session, ctx.front_end, list(last))
    for key, (at, item) in last.items():
        if key in there and there[key].booked > item.capacity:
            raise api.SlotTaken(booked=there[key].booked, capacity=item.capacity, path=f"$.items[{at}].capacity")
    items = {ctx.new_id(): item for _, item in last.values()}
    opened = await storage.open_slots(ctx.session, ctx.front_end, items)
    return api.SlotsOpened(items=tuple(opened[_key(item)] for item in ask.items))


def _key(item: api.NewSlot) -> storage.SlotKey:
    return (item.method, item.zone, item.starts_at)


@implements(api.list_slots)
async def list_slots(ask: api.ListSlots, ctx: Context) -> api.SlotPage:
    after = rules.place_of(ask.cursor)
    found = await storage.list_slots(ctx.session, ctx.front_end, ask, after, ctx.now)
    items = tuple(found[: ask.limit])
    more = len(found) > ask.limit
    return api.SlotPage(items=items, next_cursor=cursor_at((items[-1].starts_at, items[-1].slot_id)) if more else None)


@implements(api.book_slot)
async def book_slot(ask: api.BookSlot, ctx: Context) -> api.SlotBooking:
    slot = await storage.slot(ctx.session, ctx.front_end, ask.slot_id, locks=True)
    if slot is None:
        raise api.UnknownSlot(slot_id=ask.slot_id)
    refusal = _no_room(slot, ask.units, ctx)
    if refusal or not await storage.book(ctx.session, ctx.front_end, ask, ctx.now, ctx.caller.client):
        return await _booked_before(ask, refusal, ctx)
    ctx.emit(api.SlotBooked(reference=ask.reference, slot_id=ask.slot_id, units=ask.units))
    return api.SlotBooking(
        reference=ask.reference,
        slot_id=ask.slot_id,
        units=ask.units,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
    )


@implements(api.get_booking)
async def get_booking(ask: api.GetBooking, ctx: Context) -> api.SlotBooking:
    found = await storage.booking(ctx.session, ctx.front_end, ask.reference)
    if found is None:
        raise api.NothingBooked(reference=ask.reference)
    return found


def _no_room(slot: api.Slot, units: int, ctx: Context) -> errors.Refusal | None:
    if slot.closes_at <= ctx.now:
        return api.SlotClosed(slot_id=slot.slot_id, closes_at=slot.closes_at)
    if slot.room < units:
        return api.SlotFull(slot_id=slot.slot_id, room=slot.room, units=units)
    return None


async def _booked_before(ask: api.BookSlot, refusal: errors.Refusal | None, ctx: Context) -> api.SlotBooking:
    """Answer for a reference that may have booked already; its own booking does not stand in its way."""
    before = await storage.booking(ctx.session, ctx.front_end, ask.reference)
    if before is not None and (before.slot_id, before.units) == (ask.slot_id, ask.units):
        return before
    if before is not None:
        raise api.OtherSlotBooked(reference=ask.reference, slot_id=before.slot_id, units=before.units)
    raise refusal or api.SlotFull(slot_id=ask.slot_id, room=0, units=ask.units)


@implements(api.release_slot)
async def release_slot(ask: api.ReleaseSlot, ctx: Context) -> api.SlotReleased:
    freed: UUID | None = await storage.release(ctx.session, ctx.front_end, ask.reference, ctx.now, ctx.caller.client)
    return api.SlotReleased(reference=ask.reference, slot_id=freed)
