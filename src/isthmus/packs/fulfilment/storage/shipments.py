"""Shipments and parcels: SQL, and rows as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from isthmus.kernel import decode, encode, ports
from isthmus.sealing import Sealed, Seals
from isthmus.values import Address

from .. import api

TABLE: Final = "fulfilment.shipment"
# The key is that of what is sent for, such as an order's, so that it goes with the order. What stays in the clear is
# what stays once a person is erased.
SEALED: Final = Sealed(
    column="address",
    into="sealed_address",
    subject="reference",
    empty="""jsonb_build_object('country', address -> 'country', 'region', coalesce(address -> 'region', '""'))""",
)

_CLAIM: Final = """
    insert into fulfilment.plan (front_end, reference, asked) values ($1, $2, $3)
    on conflict do nothing returning true"""
_CLAIMED: Final = "select asked from fulfilment.plan where front_end = $1 and reference = $2"

_PLAN: Final = """
    with planned as (
        insert into fulfilment.shipment (front_end, shipment_id, reference, part, location, method, state, address,
                                         slot_id, promise_from, promise_to, planned_at, sealed_address)
        select $1, s.shipment_id, $2, s.part, s.location, $3, 'planned', $4, $5, $6, $7, $8, $17::bytea
        from unnest($10::uuid[], $11::text[], $12::text[]) as s (shipment_id, part, location)
    ), lines as (
        insert into fulfilment.shipment_line (front_end, shipment_id, line, sku, quantity)
        select $1, * from unnest($13::uuid[], $14::integer[], $15::text[], $16::bigint[])
    )
    insert into fulfilment.step (front_end, shipment_id, parcel, state, note, at, by)
    select $1, shipment_id, '', 'planned', '', $8, $9 from unnest($10::uuid[]) as s (shipment_id)"""

_SHIPMENTS: Final = """
    select s.shipment_id, s.reference, s.part, s.location, s.method, s.state, s.address, s.sealed_address, s.slot_id,
           s.promise_from, s.promise_to, s.planned_at,
           (select json_agg(json_build_object('line', l.line, 'sku', l.sku, 'quantity', l.quantity,
                        'packed', l.packed, 'shipped', l.shipped, 'cancelled', l.cancelled) order by l.line)
            from fulfilment.shipment_line l
            where l.front_end = s.front_end and l.shipment_id = s.shipment_id) as lines,
           (select json_agg(json_build_object('parcel', p.parcel, 'state', p.state, 'carrier', p.carrier,
                        'tracking', p.tracking, 'reason', p.reason, 'attempts', p.attempts,
                        'serials', p.serials, 'lines',
                        (select json_agg(json_build_object('line', g.line, 'sku', g.sku, 'quantity', g.quantity)
                                         order by g.line)
                         from fulfilment.parcel_line g
                         where g.front_end = p.front_end and g.shipment_id = p.shipment_id and g.parcel = p.parcel)
                    ) order by p.parcel)
            from fulfilment.parcel p
            where p.front_end = s.front_end and p.shipment_id = s.shipment_id) as parcels
    from fulfilment.shipment s"""
_BY_ID: Final = f"{_SHIPMENTS} where s.front_end = $1 and s.shipment_id = $2"
_BY_REFERENCE: Final = f"{_SHIPMENTS} where s.front_end = $1 and s.reference = $2 order by s.shipment_id"
_LIST: Final = f"""{_SHIPMENTS}
    where s.front_end = $1 and ($2::text is null or s.reference = $2) and ($3::text is null or s.state = $3)
        and ($4::text is null or s.location = $4)
        and ($5::timestamptz is null or (s.planned_at, s.shipment_id) < ($5, $6::uuid))
    order by s.planned_at desc, s.shipment_id desc
    limit $7"""

_LOCK: Final = """
    select from fulfilment.shipment where front_end = $1 and (shipment_id = $2 or reference = $3)
    order by shipment_id for no key update"""

_SAVE: Final = """
    with became as (
        update fulfilment.shipment s set state = n.state
        from unnest($2::uuid[], $3::text[]) as n (shipment_id, state)
        where s.front_end = $1 and s.shipment_id = n.shipment_id
    ), lines as (
        update fulfilment.shipment_line l set packed = n.packed, shipped = n.shipped, cancelled = n.cancelled
        from unnest($4::uuid[], $5::integer[], $6::bigint[], $7::bigint[], $8::bigint[])
             as n (shipment_id, line, packed, shipped, cancelled)
        where l.front_end = $1 and l.shipment_id = n.shipment_id and l.line = n.line
    )
    insert into fulfilment.step (front_end, shipment_id, parcel, state, note, at, by)
    select $1, shipment_id, $9, $10, $11, $12, $13 from unnest($2::uuid[]) as n (shipment_id)"""

_SAVE_PARCEL: Final = """
    with saved as (
        insert into fulfilment.parcel (front_end, shipment_id, parcel, state, carrier, tracking, reason, attempts,
                                       serials)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $12)
        on conflict (front_end, shipment_id, parcel) do update
            set state = excluded.state, carrier = excluded.carrier, tracking = excluded.tracking,
                reason = excluded.reason, attempts = excluded.attempts, serials = excluded.serials
    )
    insert into fulfilment.parcel_line (front_end, shipment_id, parcel, line, sku, quantity)
    select $1, $2, $3, * from unnest($9::integer[], $10::text[], $11::bigint[])
    on conflict do nothing"""

_REDIRECT: Final = """
    update fulfilment.shipment set address = $3, sealed_address = $4
    where front_end = $1 and shipment_id = any($2)"""

_STEPS: Final = """
    select parcel, state, note, at, by from fulfilment.step where front_end = $1 and shipment_id = $2 order by id"""


async def claim(session: ports.Session, front_end: str, reference: str, asked: bytes) -> bytes | None:
    """Claim a reference for its plan; return what was asked under it before, or nothing if it is new."""
    if await session.fetch_value(_CLAIM, front_end, reference, asked):
        return None
    return await session.fetch_value(_CLAIMED, front_end, reference)


async def plan(
    session: ports.Session, front_end: str, ask: api.Plan, shipments: Sequence[api.Shipment], now: datetime, by: str,
    seals: Seals,
) -> None:  # fmt: skip
    """Write new shipments with their lines."""
    address, sealed = await _put_away(session, front_end, ask.reference, ask.address, seals)
    lines = [(shipment.shipment_id, line) for shipment in shipments for line in shipment.lines]
    await session.execute(
        _PLAN,
        front_end,
        ask.reference,
        ask.method,
        address,
        ask.slot_id,
        ask.promise_from,
        ask.promise_to,
        now,
        by,
        [shipment.shipment_id for shipment in shipments],
        [shipment.part for shipment in shipments],
        [shipment.location for shipment in shipments],
        [shipment_id for shipment_id, _ in lines],
        [line.line for _, line in lines],
        [line.sku for _, line in lines],
        [line.quantity for _, line in lines],
        sealed,
    )


async def lock(
    session: ports.Session, front_end: str, *, shipment_id: UUID | None = None, reference: str | None = None
) -> None:
    """Lock a shipment, or all of a reference; what is read after this stays as it is until the transaction ends."""
    await session.fetch(_LOCK, front_end, shipment_id, reference)


async def shipment(
    session: ports.Session, front_end: str, shipment_id: UUID, seals: Seals
) -> api.Shipment | None:  # fmt: skip
    rows = await session.fetch(_BY_ID, front_end, shipment_id)
    return next(iter(await _shipments(rows, session, seals)), None)


async def of_reference(session: ports.Session, front_end: str, reference: str, seals: Seals) -> list[api.Shipment]:
    return await _shipments(await session.fetch(_BY_REFERENCE, front_end, reference), session, seals)


async def list_shipments(
    session: ports.Session, front_end: str, ask: api.ListShipments, before: tuple[datetime, UUID] | None, seals: Seals
) -> list[api.Shipment]:
    """Return shipments planned before a place, one more than asked where there are more."""
    rows = await session.fetch(
        _LIST, front_end, ask.reference, ask.state, ask.location, *(before or (None, None)), ask.limit + 1
    )
    return await _shipments(rows, session, seals)


async def redirect(
    session: ports.Session, front_end: str, reference: str, shipments: Sequence[UUID], address: Address, seals: Seals
) -> None:
    kept = await _put_away(session, front_end, reference, address, seals)
    await session.execute(_REDIRECT, front_end, list(shipments), *kept)


async def save(
    session: ports.Session,
    front_end: str,
    shipments: Sequence[api.Shipment],
    step: api.Step,
) -> None:
    """Write how shipments and their lines stand, and the step that led there."""
    lines = [(shipment.shipment_id, line) for shipment in shipments for line in shipment.lines]
    await session.execute(
        _SAVE,
        front_end,
        [shipment.shipment_id for shipment in shipments],
        [shipment.state.value for shipment in shipments],
        [shipment_id for shipment_id, _ in lines],
        [line.line for _, line in lines],
        [line.packed for _, line in lines],
        [line.shipped for _, line in lines],
        [line.cancelled for _, line in lines],
        step.parcel,
        step.state,
        step.note,
        step.at,
        step.by,
    )


async def save_parcel(session: ports.Session, front_end: str, shipment_id: UUID, parcel: api.Parcel) -> None:
    """Write a parcel, new or moved on; what is in it never changes."""
    await session.execute(
        _SAVE_PARCEL,
        front_end,
        shipment_id,
        parcel.parcel,
        parcel.state.value,
        parcel.carrier,
        parcel.tracking,
        parcel.reason,
        parcel.attempts,
        [goods.line for goods in parcel.lines],
        [goods.sku for goods in parcel.lines],
        [goods.quantity for goods in parcel.lines],
        encode(parcel.serials),
    )


async def steps(session: ports.Session, front_end: str, shipment_id: UUID) -> tuple[api.Step, ...]:
    rows = await session.fetch(_STEPS, front_end, shipment_id)
    return tuple(
        api.Step(parcel=row["parcel"], state=row["state"], note=row["note"], at=row["at"], by=row["by"]) for row in rows
    )


async def _put_away(
    session: ports.Session, front_end: str, reference: str, address: Address | None, seals: Seals
) -> tuple[bytes | None, bytes | None]:
    """Return what of an address is written in the clear, and what sealed."""
    if address is None:
        return None, None
    coarse = encode({"country": address.country, "region": address.region})
    (clear,), (sealed,) = await seals.put_away(session, front_end, reference, TABLE, [encode(address)], coarse)
    return clear, sealed


async def _shipments(rows: Sequence[ports.Row], session: ports.Session, seals: Seals) -> list[api.Shipment]:
    kept = [(row["reference"], row["sealed_address"]) for row in rows if row["sealed_address"] is not None]
    texts = iter(await seals.open_each(session, TABLE, kept) if kept else ())
    return [_shipment(row, row["address"] if row["sealed_address"] is None else next(texts)) for row in rows]


def _shipment(row: ports.Row, address: bytes | None) -> api.Shipment:
    return api.Shipment(
        shipment_id=row["shipment_id"],
        reference=row["reference"],
        part=row["part"],
        location=row["location"],
        method=row["method"],
        state=api.ShipmentState(row["state"]),
        lines=decode(row["lines"], tuple[api.ShipmentLine, ...]),
        parcels=decode(row["parcels"], tuple[api.Parcel, ...]) if row["parcels"] else (),
        planned_at=row["planned_at"],
        address=decode(address, Address) if address else None,
        slot_id=row["slot_id"],
        promise_from=row["promise_from"],
        promise_to=row["promise_to"],
    )
