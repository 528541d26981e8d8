"""What delivery costs, which goods are left, and what a shipment's parcels make of it: pure decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from isthmus import places
from isthmus.values import Address, Applied, LineAsk, Moment, SerialNumber, money, place_at

from . import api

GRAMS_PER_KILOGRAM = 1_000

# The steps of a parcel: what it becomes, and from what.
BECOMES: dict[api.ParcelState, tuple[api.ParcelState, ...]] = {
    api.ParcelState.SHIPPED: (api.ParcelState.PACKED, api.ParcelState.FAILED),
    api.ParcelState.DELIVERED: (api.ParcelState.SHIPPED,),
    api.ParcelState.FAILED: (api.ParcelState.SHIPPED,),
    api.ParcelState.RETURNED: (api.ParcelState.FAILED,),
}


def next_states(state: api.ParcelState) -> list[str]:
    """Return what a parcel in this state can become."""
    return [becomes.value for becomes, before in BECOMES.items() if state in before]


def weight(lines: Sequence[api.DeliveryLine]) -> int:
    """Return the weight of all lines in grams."""
    return sum(line.quantity * line.weight_grams for line in lines)


def narrowest(rates: Sequence[api.Rate], address: Address | None, currency: str) -> api.Rate | None:
    """Return the rate whose zone holds the address most narrowly; without an address, of a zone that is everywhere.

    A longer postcode counts more than a region, and a region more than a country; of equals the first.
    """
    regions = places.within(address.country, address.region) if address else ()
    holding = [rate for rate in rates if rate.currency == currency and _holds(rate, address, regions)]
    return max(holding, key=lambda rate: _narrowness(rate, regions), default=None)


def lacks(rates: Sequence[api.Rate], address: Address | None) -> str:
    """Say what an address leaves out that decides between rates of its country, or nothing."""
    if address is None:
        return ""
    here = [rate for rate in rates if rate.country in ("", address.country)]
    if not address.region and any(rate.region for rate in here):
        return "region"
    is_coded = bool(places.closed(address.postcode, address.country))
    return "postcode" if not is_coded and any(rate.postcode_prefix for rate in here) else ""


def _holds(rate: api.Rate, address: Address | None, regions: Sequence[str]) -> bool:
    if address is None:
        return not (rate.country or rate.region or rate.postcode_prefix)
    return (
        rate.country in ("", address.country)
        and rate.region in ("", *regions)
        and places.closed(address.postcode, address.country).startswith(
            places.closed(rate.postcode_prefix, address.country)
        )
    )


def _narrowness(rate: api.Rate, regions: Sequence[str]) -> tuple[int, int, bool]:
    depth = len(regions) - regions.index(rate.region) if rate.region in regions else 0
    return (len(places.closed(rate.postcode_prefix, rate.country)), depth, bool(rate.country))


def option(
    method: api.Method, rate: api.Rate, ask: api.QuoteDelivery, slot: api.Slot | None, now: datetime
) -> api.DeliveryOption:
    """Return a way of delivery with the fee and promise of its zone, and of its slot where one is chosen."""
    currency = ask.amount.currency
    base = rate.base_minor + rate.kilogram_minor * _kilograms_above(weight(ask.lines), rate.included_grams)
    applied = [Applied(by=f"zone {rate.zone}", reason="delivery fee", amount=money(base, currency))]
    fee = base
    if rate.free_from_minor is not None and ask.amount.minor >= rate.free_from_minor:
        reason = f"free from {money(rate.free_from_minor, currency)} on"
        applied.append(Applied(by=f"zone {rate.zone}", reason=reason, amount=money(-base, currency)))
        fee = 0
    if slot is not None and slot.fee_minor:
        applied.append(Applied(by="slot", reason="slot fee", amount=money(slot.fee_minor, currency)))
        fee += slot.fee_minor
    earliest, latest = _promise(rate, slot, now)
    return api.DeliveryOption(
        method=method.code,
        name=method.name,
        kind=method.kind,
        zone=rate.zone,
        fee=money(fee, currency),
        promise_from=earliest,
        promise_to=latest,
        needs_slot=method.needs_slot,
        applied=tuple(applied),
    )


def rate_ask(ask: api.QuoteDelivery, methods: tuple[str, ...]) -> api.RateAsk:
    """Return what a rate service is asked: the facts that its answer depends on, and nobody's name."""
    where = ask.address
    nameless = where and Address(
        country=where.country, region=where.region, city=where.city, postcode=where.postcode, street=where.street
    )
    lines = (api.RateLine(sku=one.sku, quantity=one.quantity, weight_grams=one.weight_grams) for one in ask.lines)
    return api.RateAsk(
        methods=methods,
        currency=ask.amount.currency,
        amount_minor=ask.amount.minor,
        lines=tuple(lines),
        destination=nameless,
    )


def live_rates(service: str, method: str, said: Sequence[api.LiveRate], currency: str) -> tuple[api.Rate, ...]:
    """Return what a service said of a method as a zone that holds every address; none where it does not go there."""
    return tuple(
        api.Rate(
            zone=service,
            currency=currency,
            base_minor=one.fee_minor,
            after_minutes=one.after_minutes,
            within_minutes=one.within_minutes,
        )
        for one in said
        if one.method == method
    )[:1]


def _kilograms_above(grams: int, included: int) -> int:
    """Return the kilograms begun above what is included."""
    return -(-max(0, grams - included) // GRAMS_PER_KILOGRAM)


def _promise(rate: api.Rate, slot: api.Slot | None, now: datetime) -> tuple[datetime, datetime] | tuple[None, None]:
    if slot is not None:
        return slot.starts_at, slot.ends_at
    if rate.within_minutes is None:
        return None, None
    return now + timedelta(minutes=rate.after_minutes), now + timedelta(minutes=rate.within_minutes)


def left(line: api.ShipmentLine) -> int:
    """Return how much of a line is in no parcel and not cancelled."""
    return line.quantity - line.packed - line.cancelled


def taken(
    shipments: Sequence[api.Shipment], lines: Sequence[LineAsk] | None
) -> tuple[list[tuple[api.Shipment, api.ParcelLine]], list[dict[str, object]]]:
    """Choose what is packed or cancelled: all that is left, or so much of each SKU, earlier lines first.

    Returns the goods with their shipments, and the lines that ask for more than is left.
    """
    found = [(shipment, line) for shipment in shipments for line in shipment.lines if left(line)]
    if lines is None:
        return [(shipment, _of(line, left(line))) for shipment, line in found], []
    rest = {(shipment.shipment_id, line.line): left(line) for shipment, line in found}
    over: list[dict[str, object]] = []
    for at, asked in enumerate(lines):
        wanted = asked.quantity
        for shipment, line in found:
            key = (shipment.shipment_id, line.line)
            quantity = min(wanted, rest[key]) if line.sku == asked.sku else 0
            rest[key] -= quantity
            wanted -= quantity
        if wanted:
            over.append(_over(at, asked, asked.quantity - wanted))
    goods = [
        (shipment, _of(line, left(line) - rest[shipment.shipment_id, line.line]))
        for shipment, line in found
        if rest[shipment.shipment_id, line.line] < left(line)
    ]
    return goods, over


def _of(line: api.ShipmentLine, quantity: int) -> api.ParcelLine:
    return api.ParcelLine(line=line.line, sku=line.sku, quantity=quantity)


def _over(at: int, asked: LineAsk, found: int) -> dict[str, object]:
    return {
        "path": f"$.lines[{at}].quantity",
        "sku": asked.sku,
        "quantity": asked.quantity,
        "left": found,
        "reason": "over-ship",
    }


def has_units(parcel: api.Parcel, serials: Sequence[SerialNumber]) -> bool:
    """Tell whether named units can be in a parcel: each once, and no more than it has of the goods."""
    named = Counter(one.sku for one in set(serials))
    inside: Counter[str] = Counter()
    for goods in parcel.lines:
        inside[goods.sku] += goods.quantity
    return named.total() == len(serials) and named <= inside


def holds(parcel: api.Parcel, lines: Sequence[LineAsk] | None) -> bool:
    """Tell whether a parcel has just these goods; where none are named, whatever it has is meant."""
    if lines is None:
        return True
    asked: Counter[str] = Counter()
    for line in lines:
        asked[line.sku] += line.quantity
    inside: Counter[str] = Counter()
    for goods in parcel.lines:
        inside[goods.sku] += goods.quantity
    return asked == inside


def with_parcel(shipment: api.Shipment, parcel: api.Parcel) -> api.Shipment:
    """Return a shipment after a parcel was packed or moved on, with its lines and its own state following."""
    others = tuple(one for one in shipment.parcels if one.parcel != parcel.parcel)
    parcels = tuple(sorted((*others, parcel), key=lambda one: one.parcel))
    lines = tuple(_counted(line, parcels) for line in shipment.lines)
    return _changed(shipment, lines, parcels)


def without(shipment: api.Shipment, goods: Sequence[api.ParcelLine]) -> api.Shipment:
    """Return a shipment after goods of it were cancelled."""
    by_line = {one.line: one.quantity for one in goods}
    lines = tuple(
        api.ShipmentLine(
            line=line.line,
            sku=line.sku,
            quantity=line.quantity,
            packed=line.packed,
            shipped=line.shipped,
            cancelled=line.cancelled + by_line.get(line.line, 0),
        )
        for line in shipment.lines
    )
    return _changed(shipment, lines, shipment.parcels)


def _counted(line: api.ShipmentLine, parcels: Sequence[api.Parcel]) -> api.ShipmentLine:
    inside = [(one.state, goods.quantity) for one in parcels for goods in one.lines if goods.line == line.line]
    return api.ShipmentLine(
        line=line.line,
        sku=line.sku,
        quantity=line.quantity,
        packed=sum(quantity for _, quantity in inside),
        shipped=sum(quantity for state, quantity in inside if state is not api.ParcelState.PACKED),
        cancelled=line.cancelled,
    )


def _changed(
    shipment: api.Shipment, lines: tuple[api.ShipmentLine, ...], parcels: tuple[api.Parcel, ...]
) -> api.Shipment:
    return api.Shipment(
        shipment_id=shipment.shipment_id,
        reference=shipment.reference,
        part=shipment.part,
        location=shipment.location,
        method=shipment.method,
        state=shipment_state(lines, parcels),
        lines=lines,
        parcels=parcels,
        planned_at=shipment.planned_at,
        address=shipment.address,
        slot_id=shipment.slot_id,
        promise_from=shipment.promise_from,
        promise_to=shipment.promise_to,
    )


def shipment_state(lines: Sequence[api.ShipmentLine], parcels: Sequence[api.Parcel]) -> api.ShipmentState:
    """Say how a shipment stands, from what has left and where its parcels are."""
    if all(line.cancelled == line.quantity for line in lines):
        return api.ShipmentState.CANCELLED
    if not any(line.shipped for line in lines):
        return api.ShipmentState.PLANNED
    if any(line.shipped + line.cancelled < line.quantity for line in lines):
        return api.ShipmentState.PART_SHIPPED
    states = {parcel.state for parcel in parcels}
    if states <= {api.ParcelState.DELIVERED}:
        return api.ShipmentState.DELIVERED
    if states <= {api.ParcelState.DELIVERED, api.ParcelState.RETURNED}:
        return api.ShipmentState.RETURNED
    return api.ShipmentState.SHIPPED


def windows_out_of_order(items: Sequence[api.NewSlot]) -> list[int]:
    """Return which slots end before they start, or close after they have ended."""
    return [at for at, item in enumerate(items) if not _in_order(item)]


def _in_order(item: api.NewSlot) -> bool:
    return item.starts_at < item.ends_at and closing(item) <= item.ends_at


def closing(item: api.NewSlot) -> datetime:
    return item.starts_at if item.closes_at is None else item.closes_at


def place_of(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Return where a list goes on. Raises BadCursor."""
    if cursor is None:
        return None
    return place_at(cursor, tuple[Moment, UUID], partial(api.BadCursor, cursor=cursor))
