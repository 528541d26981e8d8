"""Methods, rates and slots: SQL, and rows as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from isthmus import places
from isthmus.kernel import ports

from .. import api, rules

SlotKey = tuple[str, str, datetime]  # method, zone, start

_METHOD_COLUMNS: Final = "m.code, m.name, m.kind, m.needs_slot, m.max_grams, m.is_active, m.lent_by"
_RATE_COLUMNS: Final = """
    r.zone, r.currency, r.country, r.region, r.postcode_prefix, r.base_minor, r.included_grams, r.kilogram_minor,
    r.free_from_minor, r.after_minutes, r.within_minutes"""

# What is lent is offered as long as its owner lets it be used.
_LENT: Final = """exists (select from isthmus.granted g where g.kind = 'fulfilment.method' and g.owner = m.lent_by
        and g.name = m.code and g.part = '' and g.can = 'use')"""

_METHODS_FOR: Final = f"""
    select {_METHOD_COLUMNS}, {_RATE_COLUMNS}
    from fulfilment.method m
    left join fulfilment.rate r on r.front_end = m.front_end and r.method = m.code and r.currency = $2
        and r.country in ('', $3) and (cardinality($4::text[]) = 0 or r.region = '' or r.region = any ($4))
        and ($5 = '' or starts_with($5, r.postcode_prefix))
    where m.front_end = $1 and (m.lent_by is null or {_LENT})
    order by m.code, r.place"""
_NOT_LENT: Final = f"""
    select m.at from unnest($1::text[], $2::text[]) with ordinality as m (code, lent_by, at)
    where m.lent_by is not null and not {_LENT} order by m.at limit 1"""
_GUESTS: Final = "select method, seller, waiting, collected from fulfilment.guests()"

_LIST_METHODS: Final = f"""
    select {_METHOD_COLUMNS}, {_RATE_COLUMNS}
    from (select * from fulfilment.method where front_end = $1 and code > $2 order by code limit $3) m
    left join fulfilment.rate r on r.front_end = m.front_end and r.method = m.code
    order by m.code, r.place"""

_PUT_METHODS: Final = """
    insert into fulfilment.method (front_end, code, name, kind, needs_slot, max_grams, is_active, lent_by)
    select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::boolean[], $8::text[])
    on conflict (front_end, code) do update
        set name = excluded.name, kind = excluded.kind, needs_slot = excluded.needs_slot,
            max_grams = excluded.max_grams, is_active = excluded.is_active, lent_by = excluded.lent_by"""
_DELETE_RATES: Final = "delete from fulfilment.rate where front_end = $1 and method = any ($2::text[])"
_INSERT_RATES: Final = """
    insert into fulfilment.rate (front_end, method, place, zone, currency, country, region, postcode_prefix,
        base_minor, included_grams, kilogram_minor, free_from_minor, after_minutes, within_minutes)
    select $1, * from unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])"""
_KNOWN_METHODS: Final = "select code from fulfilment.method where front_end = $1 order by code"

_SLOT_COLUMNS: Final = (
    "s.slot_id, s.method, s.zone, s.starts_at, s.ends_at, s.closes_at, s.capacity, s.booked, s.fee_minor"
)
_SLOT: Final = f"select {_SLOT_COLUMNS} from fulfilment.slot s where s.front_end = $1 and s.slot_id = $2"
_LOCK_SLOT: Final = f"{_SLOT} for no key update"
_LOCK_SLOTS: Final = f"""
    select {_SLOT_COLUMNS}
    from unnest($2::text[], $3::text[], $4::timestamptz[]) as k (method, zone, starts_at)
    join fulfilment.slot s on s.front_end = $1 and s.method = k.method and s.zone = k.zone and s.starts_at = k.starts_at
    order by s.slot_id
    for no key update of s"""
_OPEN_SLOTS: Final = """
    insert into fulfilment.slot (front_end, slot_id, method, zone, starts_at, ends_at, closes_at, capacity, fee_minor)
    select $1, * from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                             $7::timestamptz[], $8::bigint[], $9::bigint[])
    on conflict (front_end, method, zone, starts_at) do update
        set ends_at = excluded.ends_at, closes_at = excluded.closes_at, capacity = excluded.capacity,
            fee_minor = excluded.fee_minor
    returning slot_id, method, zone, starts_at, ends_at, closes_at, capacity, booked, fee_minor"""
_LIST_SLOTS: Final = f"""
    select {_SLOT_COLUMNS}
    from fulfilment.slot s
    where s.front_end = $1 and ($2::text is null or s.method = $2) and ($3::text is null or s.zone = $3)
        and s.starts_at >= $4 and ($5::timestamptz is null or s.starts_at < $5)
        and (not $6::boolean or (s.booked < s.capacity and s.closes_at > $7))
        and ($8::timestamptz is null or (s.starts_at, s.slot_id) > ($8, $9::uuid))
    order by s.starts_at, s.slot_id
    limit $10"""

_BOOK: Final = """
    with made as (
        insert into fulfilment.booking as b (front_end, reference, slot_id, units, state, at, by)
        values ($1, $2, $3, $4, 'booked', $5, $6)
        on conflict (front_end, reference) do update
            set slot_id = excluded.slot_id, units = excluded.units, state = 'booked', at = excluded.at, by = excluded.by
            where b.state = 'released'
        returning slot_id, units
    ), taken as (
        update fulfilment.slot s set booked = s.booked + made.units
        from made where s.front_end = $1 and s.slot_id = made.slot_id
    )
    select count(*) from made"""
_BOOKING: Final = """
    select b.reference, b.slot_id, b.units, s.starts_at, s.ends_at
    from fulfilment.booking b
    join fulfilment.slot s on s.front_end = b.front_end and s.slot_id = b.slot_id
    where b.front_end = $1 and b.reference = $2 and b.state = 'booked'"""
# The slot is locked before the booking, as by those who book.
_LOCK_BOOKED_SLOT: Final = f"{_BOOKING} for no key update of s"
_RELEASE: Final = """
    with freed as (
        update fulfilment.booking set state = 'released', at = $3, by = $4
        where front_end = $1 and reference = $2 and state = 'booked'
        returning slot_id, units
    )
    update fulfilment.slot s set booked = s.booked - freed.units
    from freed where s.front_end = $1 and s.slot_id = freed.slot_id
    returning s.slot_id"""


async def methods_for(session: ports.Session, front_end: str, ask: api.QuoteDelivery) -> list[api.Method]:
    """Return all methods, each with those of its rates that may hold for the address and currency.

    Of what an address leaves out, all rates come: they say whether it matters.
    """
    where = ask.address
    regions = list(places.within(where.country, where.region)) if where else []
    country, postcode = (where.country, places.closed(where.postcode, where.country)) if where else ("", "")
    rows = await session.fetch(_METHODS_FOR, front_end, ask.amount.currency, country, regions, postcode)
    return _methods(rows)


async def list_methods(session: ports.Session, front_end: str, after: str, limit: int) -> list[api.Method]:
    return _methods(await session.fetch(_LIST_METHODS, front_end, after, limit))


async def known_methods(session: ports.Session, front_end: str) -> list[str]:
    return [row["code"] for row in await session.fetch(_KNOWN_METHODS, front_end)]


def _methods(rows: Iterable[ports.Row]) -> list[api.Method]:
    by_code: dict[str, tuple[ports.Row, list[api.Rate]]] = {}
    for row in rows:
        _, rates = by_code.setdefault(row["code"], (row, []))
        if row["zone"] is not None:
            rates.append(_rate(row))
    return [_method(row, tuple(rates)) for row, rates in by_code.values()]


def _method(row: ports.Row, rates: tuple[api.Rate, ...]) -> api.Method:
    return api.Method(
        code=row["code"],
        name=row["name"],
        kind=api.MethodKind(row["kind"]),
        needs_slot=row["needs_slot"],
        max_grams=row["max_grams"],
        is_active=row["is_active"],
        lent_by=row["lent_by"],
        rates=rates,
    )


def _rate(row: ports.Row) -> api.Rate:
    return api.Rate(
        zone=row["zone"],
        currency=row["currency"],
        country=row["country"],
        region=row["region"],
        postcode_prefix=row["postcode_prefix"],
        base_minor=row["base_minor"],
        included_grams=row["included_grams"],
        kilogram_minor=row["kilogram_minor"],
        free_from_minor=row["free_from_minor"],
        after_minutes=row["after_minutes"],
        within_minutes=row["within_minutes"],
    )


async def not_lent(session: ports.Session, items: Sequence[api.Method]) -> int | None:
    """Return which of these methods is the first that nobody lends; None where all are lent, or one's own."""
    asked = [item.code for item in items], [item.lent_by for item in items]
    at = await session.fetch_value(_NOT_LENT, *asked) if any(asked[1]) else None
    return None if at is None else at - 1


async def guests(session: ports.Session) -> list[api.Guest]:
    return [api.Guest(**dict(row)) for row in await session.fetch(_GUESTS)]


async def put_methods(session: ports.Session, front_end: str, items: Sequence[api.Method]) -> None:
    """Set methods, each named once, and replace their rates."""
    ordered = sorted(items, key=lambda item: item.code)  # one order of locks for all who put methods
    await session.execute(
        _PUT_METHODS,
        front_end,
        [item.code for item in ordered],
        [item.name for item in ordered],
        [item.kind.value for item in ordered],
        [item.needs_slot for item in ordered],
        [item.max_grams for item in ordered],
        [item.is_active for item in ordered],
        [item.lent_by for item in ordered],
    )
    await session.execute(_DELETE_RATES, front_end, [item.code for item in ordered])
    rates = [(item.code, place, rate) for item in ordered for place, rate in enumerate(item.rates)]
    await session.execute(
        _INSERT_RATES,
        front_end,
        [code for code, _, _ in rates],
        [place for _, place, _ in rates],
        [rate.zone for _, _, rate in rates],
        [rate.currency for _, _, rate in rates],
        [rate.country for _, _, rate in rates],
        [rate.region for _, _, rate in rates],
        [rate.postcode_prefix for _, _, rate in rates],
        [rate.base_minor for _, _, rate in rates],
        [rate.included_grams for _, _, rate in rates],
        [rate.kilogram_minor for _, _, rate in rates],
        [rate.free_from_minor for _, _, rate in rates],
        [rate.after_minutes for _, _, rate in rates],
        [rate.within_minutes for _, _, rate in rates],
    )


async def slot(session: ports.Session, front_end: str, slot_id: UUID, *, locks: bool) -> api.Slot | None:
    """Return a slot; locked until the transaction ends where that is asked."""
    row = await session.fetch_row(_LOCK_SLOT if locks else _SLOT, front_end, slot_id)
    return _slot(row) if row else None


async def lock_slots(session: ports.Session, front_end: str, keys: Sequence[SlotKey]) -> dict[SlotKey, api.Slot]:
    """Return those of the slots that exist, locked."""
    methods, zones, starts = [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]
    rows = await session.fetch(_LOCK_SLOTS, front_end, methods, zones, starts)
    return {(row["method"], row["zone"], row["starts_at"]): _slot(row) for row in rows}


async def open_slots(
    session: ports.Session, front_end: str, items: Mapping[UUID, api.NewSlot]
) -> dict[SlotKey, api.Slot]:
    """Open slots, each named once, or change those that exist."""
    rows = await session.fetch(
        _OPEN_SLOTS,
        front_end,
        list(items),
        [item.method for item in items.values()],
        [item.zone for item in items.values()],
        [item.starts_at for item in items.values()],
        [item.ends_at for item in items.values()],
        [rules.closing(item) for item in items.values()],
        [item.capacity for item in items.values()],
        [item.fee_minor for item in items.values()],
    )
    return {(row["method"], row["zone"], row["starts_at"]): _slot(row) for row in rows}


async def list_slots(
    session: ports.Session, front_end: str, ask: api.ListSlots, after: tuple[datetime, UUID] | None, now: datetime
) -> list[api.Slot]:
    """Return slots behind a place, one more than asked where there are more."""
    rows = await session.fetch(
        _LIST_SLOTS,
        front_end,
        ask.method,
        ask.zone,
        ask.starts_from or now,
        ask.starts_before,
        ask.only_with_room,
        now,
        *(after or (None, None)),
        ask.limit + 1,
    )
    return [_slot(row) for row in rows]


def _slot(row: ports.Row) -> api.Slot:
    return api.Slot(
        slot_id=row["slot_id"],
        method=row["method"],
        zone=row["zone"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        closes_at=row["closes_at"],
        capacity=row["capacity"],
        booked=row["booked"],
        fee_minor=row["fee_minor"],
    )


async def book(session: ports.Session, front_end: str, ask: api.BookSlot, now: datetime, by: str) -> bool:
    """Book room in a locked slot; False, with nothing written, where the reference has booked already."""
    made = await session.fetch_value(_BOOK, front_end, ask.reference, ask.slot_id, ask.units, now, by)
    return made == 1


async def booking(session: ports.Session, front_end: str, reference: str) -> api.SlotBooking | None:
    row = await session.fetch_row(_BOOKING, front_end, reference)
    if row is None:
        return None
    return api.SlotBooking(
        reference=row["reference"],
        slot_id=row["slot_id"],
        units=row["units"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
    )


async def release(session: ports.Session, front_end: str, reference: str, now: datetime, by: str) -> UUID | None:
    """Give room back; return the slot that has it, or nothing where none was booked."""
    if await session.fetch_row(_LOCK_BOOKED_SLOT, front_end, reference) is None:
        return None
    return await session.fetch_value(_RELEASE, front_end, reference, now, by)
