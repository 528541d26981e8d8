"""Reservations and the stock that they hold: SQL, and rows as values.

Rows of stock are locked in the order of SKU and location, in every statement that locks or changes several; that
order is what keeps two baskets with the same goods from waiting for each other in a circle. Reservations are written
in the order of their references, for the same reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from isthmus.kernel import Value, encode, ports

from .. import api, rules

_STOCKS: Final = """
    select s.sku, s.location, s.on_hand, s.reserved, s.back_ordered, s.safety, s.back_order_limit,
           coalesce(p.country, '') as country, coalesce(p.region, '') as region, coalesce(p.priority, 0) as priority
    from inventory.stock s
    left join inventory.location p on p.front_end = s.front_end and p.code = s.location
    where s.front_end = $1 and s.sku = any ($2::text[]) and ($3::text is null or s.location = $3)
        and coalesce(p.is_open, true)
    order by s.sku, s.location"""
_LOCK_STOCKS: Final = f"{_STOCKS} for no key update of s"

# The one formula for a stock's change. back_ordered falls as soon as less is promised beyond what is there.
_CHANGE_STOCKS: Final = """
    update inventory.stock s
    set on_hand = s.on_hand + c.on_hand,
        reserved = s.reserved + c.reserved,
        back_ordered = least(s.back_ordered + c.back_ordered,
                             greatest(0, s.reserved + c.reserved - s.on_hand - c.on_hand))
    from {source}
    where s.front_end = $1 and s.sku = c.sku and s.location = c.location"""

# Reservations with their lines and what they change, if all of them are new. Stocks come as arrays: PostgreSQL expects
# fewer rows of those than of JSON, and so looks stocks up by their key.
_IS_NEW: Final = "(select count(*) from made) = $4"
_HOLD: Final = f"""
    with asked as materialized (
        select * from json_to_recordset($2)
            as a (reference text, expires_at timestamptz, asked text, at timestamptz, by text)
    ), made as (
        insert into inventory.reservation (front_end, reference, state, expires_at, asked)
        select $1, reference, 'held', expires_at, decode(asked, 'hex') from asked
        on conflict do nothing
        returning reference
    ), step as (
        insert into inventory.reservation_step (front_end, reference, state, at, by)
        select $1, reference, 'held', at, by from asked where {_IS_NEW}
    ), held as (
        insert into inventory.reservation_line (front_end, reference, line, sku, location, quantity, back_ordered)
        select $1, l.* from json_to_recordset($3)
            as l (reference text, line int, sku text, location text, quantity bigint, back_ordered bigint)
        where {_IS_NEW}
    ), changed as ({
    _CHANGE_STOCKS.format(
        source='''unnest($5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[])
         as c (sku, location, on_hand, reserved, back_ordered)'''
    )
} and {_IS_NEW})
    select count(*) from made"""
_HOLD_NEW: Final = (
    f"{_HOLD.removesuffix('select count(*) from made')} select isthmus.expect({_IS_NEW}, 'reservation_is_new')"
)
_HELD: Final = ("reference", "line", "sku", "location", "quantity", "back_ordered")

_KNOWN: Final = "select reference from inventory.reservation where front_end = $1 and reference = any ($2::text[])"

_RESERVATION: Final = """
    select r.reference, r.state, r.expires_at, r.asked,
           l.line, l.sku, l.location, l.quantity, l.back_ordered, l.shipped, l.released,
           s.on_hand, s.reserved, s.back_ordered as declared
    from inventory.reservation r
    join inventory.reservation_line l on l.front_end = r.front_end and l.reference = r.reference
    join inventory.stock s on s.front_end = l.front_end and s.sku = l.sku and s.location = l.location
    where r.front_end = $1 and r.reference = $2
    order by l.sku, l.location, l.line"""
# Lines are locked as well: only rows that are locked are read as they stand after waiting.
_LOCK_RESERVATION: Final = f"{_RESERVATION} for no key update of r, l, s"

_LOCK_DUE: Final = """
    with due as materialized (
        select front_end, reference, state, expires_at, asked from inventory.reservation
        where front_end = $1 and state = 'held' and expires_at <= $2
        order by expires_at, reference
        limit $3
        for no key update skip locked
    )
    select r.reference, r.state, r.expires_at, r.asked,
           l.line, l.sku, l.location, l.quantity, l.back_ordered, l.shipped, l.released,
           s.on_hand, s.reserved, s.back_ordered as declared
    from due r
    join inventory.reservation_line l on l.front_end = r.front_end and l.reference = r.reference
    join inventory.stock s on s.front_end = l.front_end and s.sku = l.sku and s.location = l.location
    order by l.sku, l.location, r.reference, l.line
    for no key update of l, s"""

_CONFIRM: Final = """
    with confirmed as (
        update inventory.reservation set state = 'confirmed', expires_at = null
        where front_end = $1 and reference = $2 and state = 'held'
        returning reference
    )
    insert into inventory.reservation_step (front_end, reference, state, at, by)
    select $1, reference, 'confirmed', $3, $4 from confirmed
    returning reference"""

_KEEP: Final = """
    with confirmed as (
        update inventory.reservation set state = 'confirmed', expires_at = null
        where front_end = $1 and reference = $2 and state = 'held'
        returning reference
    ), step as (
        insert into inventory.reservation_step (front_end, reference, state, at, by)
        select $1, reference, 'confirmed', $3, $4 from confirmed
    )
    select isthmus.expect(exists (select from confirmed), 'reservation_is_held')"""

_SETTLE: Final = f"""
    with lines as (
        update inventory.reservation_line l
        set shipped = l.shipped + t.shipped, released = l.released + t.released
        from unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[])
             as t (reference, line, location, shipped, released)
        where l.front_end = $1 and l.reference = t.reference and l.line = t.line and l.location = t.location
    ), changed as ({
    _CHANGE_STOCKS.format(
        source='''unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[])
         as c (sku, location, on_hand, reserved, back_ordered)'''
    )
}), moved as (
        insert into inventory.movement (front_end, sku, location, kind, quantity, reference, reason, at, by)
        select $1, c.sku, c.location, 'ship', c.on_hand, $12, $13, $16, $17
        from unnest($7::text[], $8::text[], $9::bigint[]) as c (sku, location, on_hand)
        where c.on_hand <> 0
    ), became as (
        update inventory.reservation r
        set state = n.state, expires_at = case when n.state = 'confirmed' then null else r.expires_at end
        from unnest($14::text[], $15::text[]) as n (reference, state)
        where r.front_end = $1 and r.reference = n.reference
    )
    insert into inventory.reservation_step (front_end, reference, state, at, by)
    select $1, n.reference, n.state, $16, $17 from unnest($14::text[], $15::text[]) as n (reference, state)"""

_STEPS: Final = """
    select state, at, by from inventory.reservation_step where front_end = $1 and reference = $2 order by id"""


def digest(*parts: object) -> bytes:
    """Return what tells one ask from another."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


async def stocks(
    session: ports.Session, front_end: str, skus: Sequence[str], location: str | None, *, locks: bool
) -> list[api.StockAt]:
    """Return the stocks of SKUs that are open for sale, locked until the transaction ends where that is asked."""
    rows = await session.fetch(_LOCK_STOCKS if locks else _STOCKS, front_end, skus, location)
    return [stock_of(row) for row in rows]


def stock_of(row: ports.Row) -> api.StockAt:
    return api.StockAt(
        sku=row["sku"],
        location=row["location"],
        on_hand=row["on_hand"],
        reserved=row["reserved"],
        back_ordered=row["back_ordered"],
        safety=row["safety"],
        back_order_limit=row["back_order_limit"],
        country=row["country"],
        region=row["region"],
        priority=row["priority"],
    )


class Holding(Value):
    """A reservation that is to be made, what it was asked for with, when and by whom."""

    reservation: api.Reservation
    asked: bytes
    at: datetime
    by: str


async def hold(session: ports.Session, front_end: str, holdings: Sequence[Holding]) -> int:
    """Write new reservations and what they hold of locked stocks; return how many are new.

    Where some are and some are not, nothing is held: the transaction must not be committed.
    """
    return await session.fetch_value(_HOLD, front_end, *_rows_of(holdings))


async def hold_new(session: ports.Session, front_end: str, holding: Holding) -> None:
    """Write a reservation under a reference that is known to be new; goes along with what is sent next."""
    await session.later(_HOLD_NEW, front_end, *_rows_of([holding]))


def _rows_of(holdings: Sequence[Holding]) -> tuple[object, ...]:
    heads = [
        {
            "reference": one.reservation.reference,
            "expires_at": one.reservation.expires_at,
            "asked": one.asked.hex(),
            "at": one.at,
            "by": one.by,
        }
        for one in sorted(holdings, key=lambda one: one.reservation.reference)
    ]
    lines = [
        dict(
            zip(
                _HELD,
                (one.reservation.reference, held.line, held.sku, held.location, held.quantity, held.back_ordered),
                strict=True,
            )
        )
        for one in holdings
        for held in one.reservation.allocations
    ]
    changes = rules.held_changes(held for one in holdings for held in one.reservation.allocations)
    return encode(heads), encode(lines), len(holdings), *change_columns(changes)


async def known(session: ports.Session, front_end: str, references: Sequence[str]) -> set[str]:
    """Return those of the references that there is a reservation of."""
    return {row["reference"] for row in await session.fetch(_KNOWN, front_end, references)}


def change_columns(changes: Sequence[rules.Change]) -> tuple[list[str], list[str], list[int], list[int], list[int]]:
    return (
        [change.sku for change in changes],
        [change.location for change in changes],
        [change.on_hand for change in changes],
        [change.reserved for change in changes],
        [change.back_ordered for change in changes],
    )


class Found(Value):
    """A reservation as the database has it, with the stocks that its lines are in."""

    reservation: api.Reservation
    stocks: dict[rules.Place, api.StockAt]
    asked: bytes


async def reservation(session: ports.Session, front_end: str, reference: str, *, locks: bool) -> Found | None:
    """Return a reservation; locked together with its stocks where that is asked."""
    rows = await session.fetch(_LOCK_RESERVATION if locks else _RESERVATION, front_end, reference)
    return _found(rows) if rows else None


async def lock_due(session: ports.Session, front_end: str, now: datetime, limit: int) -> list[Found]:
    """Return held reservations whose time is over, locked; those that others are working on are passed over."""
    rows = await session.fetch(_LOCK_DUE, front_end, now, limit)
    by_reference: dict[str, list[ports.Row]] = {}
    for row in rows:
        by_reference.setdefault(row["reference"], []).append(row)
    return [_found(found) for found in by_reference.values()]


def _found(rows: Sequence[ports.Row]) -> Found:
    first = rows[0]
    allocations = (_allocation(row) for row in rows)
    return Found(
        reservation=api.Reservation(
            reference=first["reference"],
            state=api.ReservationState(first["state"]),
            allocations=tuple(sorted(allocations, key=lambda one: (one.line, one.location))),
            expires_at=first["expires_at"],
        ),
        stocks={(row["sku"], row["location"]): _bare_stock(row) for row in rows},
        asked=first["asked"],
    )


def _allocation(row: ports.Row) -> api.Allocation:
    return api.Allocation(
        line=row["line"],
        sku=row["sku"],
        location=row["location"],
        quantity=row["quantity"],
        back_ordered=row["back_ordered"],
        shipped=row["shipped"],
        released=row["released"],
    )


def _bare_stock(row: ports.Row) -> api.StockAt:
    return api.StockAt(
        sku=row["sku"],
        location=row["location"],
        on_hand=row["on_hand"],
        reserved=row["reserved"],
        back_ordered=row["declared"],
    )


async def confirm(session: ports.Session, front_end: str, reference: str, now: datetime, by: str) -> bool:
    """Confirm a held reservation; False where there is none that is held."""
    return await session.fetch_value(_CONFIRM, front_end, reference, now, by) is not None


async def keep(session: ports.Session, front_end: str, reference: str, now: datetime, by: str) -> None:
    """Confirm a reservation that is held; goes along with what is sent next, and breaks the transaction off if not."""
    await session.later(_KEEP, front_end, reference, now, by)


async def settle(
    session: ports.Session,
    front_end: str,
    settled: Sequence[tuple[api.Reservation, Sequence[rules.Taking]]],
    changes: Sequence[rules.Change],
    parcel: str,
    now: datetime,
    by: str,
) -> None:
    """Write what reservations have become, the lines taken, and the stocks; as shipped where a parcel is named."""
    lines = [(after.reference, taking) for after, takings in settled for taking in takings]
    quantities = [taking.quantity for _, taking in lines]
    nothing = [0] * len(lines)
    await session.execute(
        _SETTLE,
        front_end,
        [reference for reference, _ in lines],
        [taking.line for _, taking in lines],
        [taking.location for _, taking in lines],
        quantities if parcel else nothing,
        nothing if parcel else quantities,
        *change_columns(changes),
        settled[0][0].reference,
        parcel,
        [after.reference for after, _ in settled],
        [after.state.value for after, _ in settled],
        now,
        by,
    )


async def steps(session: ports.Session, front_end: str, reference: str) -> tuple[api.ReservationStep, ...]:
    rows = await session.fetch(_STEPS, front_end, reference)
    return tuple(
        api.ReservationStep(state=api.ReservationState(row["state"]), at=row["at"], by=row["by"]) for row in rows
    )
