"""Reservations and the stock that they hold: SQL, and rows as values.

Rows of stock are locked in the order of SKU and location, in every statement that locks or changes several; that
order is what keeps two baskets with the same goods from waiting for each other in a circle. Reservations are written
in the order of their references, for the same reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from isthmus.kernel import Value, decode, encode, ports

from .. import api, rules
from . import changes as changes_sql

# What is lent, to others or by others, has terms that are looked up once its rows are locked.
FIELDS: Final = """
    s.front_end as owner, s.sku, s.location, s.on_hand, s.reserved, s.back_ordered, s.safety, s.back_order_limit,
    s.expired, nullif(s.channel_safety, '{}') as channel_safety,
    coalesce(p.country, '') as country, coalesce(p.region, '') as region, coalesce(p.priority, 0) as priority,
    s.location = any (array(
        select g.name from isthmus.row_grant g
        where g.owner = $1 and g.kind = 'inventory.location' and g.withdrawn_at is null)) as has_terms"""
_STOCKS: Final = f"""
    select {FIELDS}
    from inventory.stock s
    left join inventory.location p on p.front_end = $1 and p.code = s.location
    where s.front_end = any (array(
            select $1::text collate "C"
            union all select l.lent_by from inventory.location l where l.front_end = $1 and l.lent_by is not null))
        and s.front_end = coalesce(p.lent_by, $1)
        and s.sku = any ($2::text[]) and ($3::text is null or s.location = $3) and coalesce(p.is_open, true)
    order by s.sku, s.location"""
_LOCK_STOCKS: Final = f"{_STOCKS} for no key update of s"
_TERMS: Final = "select * from inventory.terms($1, $2, $3, $4)"

_HELD_LINE: Final = ("line", "sku", "location", "quantity", "back_ordered")
_HELD_VALUES: Final = attrgetter(*_HELD_LINE)
_HELD: Final = ("reference", *_HELD_LINE)

_KNOWN: Final = "select reference from inventory.reservation where front_end = $1 and reference = any ($2::text[])"

_LINES: Final = """
    l.line, l.sku, l.location, l.quantity, l.back_ordered, l.shipped, l.released, l.owner, l.grant_id"""
_RESERVATION: Final = f"""
    select r.reference, r.state, r.expires_at, r.asked, r.has_lent, {_LINES}
    from inventory.reservation r
    join inventory.reservation_line l on l.front_end = r.front_end and l.reference = r.reference
    where r.front_end = $1 and r.reference = $2"""
# Lines are locked as well: only rows that are locked are read as they stand after waiting. Of another's stock those are
# seen of which something is held.
_LOCK_RESERVATION: Final = f"""
    select r.reference, r.state, r.expires_at, r.asked, r.has_lent, {_LINES},
           s.on_hand, s.reserved, s.back_ordered as declared
    from inventory.reservation r
    join inventory.reservation_line l on l.front_end = r.front_end and l.reference = r.reference
    join inventory.stock s on s.front_end = l.stock_of and s.sku = l.sku and s.location = l.location
    where r.front_end = $1 and r.reference = $2
    order by l.sku, l.location, l.line
    for no key update of r, l, s"""

_LOCK_DUE: Final = f"""
    with due as materialized (
        select front_end, reference, state, expires_at, asked, has_lent from inventory.reservation
        where front_end = $1 and state = 'held' and expires_at <= $2
        order by expires_at, reference
        limit $3
        for no key update skip locked
    )
    select r.reference, r.state, r.expires_at, r.asked, r.has_lent, {_LINES},
           s.on_hand, s.reserved, s.back_ordered as declared
    from due r
    join inventory.reservation_line l on l.front_end = r.front_end and l.reference = r.reference
    join inventory.stock s on s.front_end = l.stock_of and s.sku = l.sku and s.location = l.location
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
    select case when not exists (select from confirmed) then isthmus.expect(false, 'reservation_is_held') end"""

_LOCK_HEAD: Final = """
    select state from inventory.reservation where front_end = $1 and reference = $2 for no key update"""
_NEXT_LINE: Final = """
    select max(line) + 1 from inventory.reservation_line where front_end = $1 and reference = $2"""

_STEPS: Final = """
    select state, at, by from inventory.reservation_step where front_end = $1 and reference = $2 order by id"""


def digest(*parts: object) -> bytes:
    """Return what tells one ask from another."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


async def stocks(
    session: ports.Session,
    front_end: str,
    skus: Sequence[str],
    location: str | None,
    now: datetime,
    *,
    locks: bool,
    channel: str = "",
) -> list[api.StockAt]:
    """Return the stocks of SKUs that are open for sale, locked until the transaction ends where that is asked."""
    rows = await session.fetch(_LOCK_STOCKS if locks else _STOCKS, front_end, skus, location)
    return await with_terms(session, front_end, rows, now, channel)


async def with_terms(
    session: ports.Session, front_end: str, rows: Sequence[ports.Row], now: datetime, channel: str = ""
) -> list[api.StockAt]:
    """Return rows as stocks. What is lent is read as it stands once it is locked, and left out without a grant."""
    lent = [row for row in rows if row["has_terms"] or row["owner"] != front_end]
    if not lent:
        return [stock_of(row, channel) for row in rows]
    columns = ([row[name] for row in lent] for name in ("owner", "sku", "location"))
    terms = {(one["owner"], one["sku"], one["location"]): one for one in await session.fetch(_TERMS, *columns, now)}
    seen = [_seen(front_end, row, terms.get((row["owner"], row["sku"], row["location"])), channel) for row in rows]
    return [stock for stock in seen if stock is not None]


def _seen(front_end: str, row: ports.Row, term: ports.Row | None, channel: str) -> api.StockAt | None:
    """Return a stock as a front end sees it: its own, less what is set aside, or another's as its grant has it."""
    stock = stock_of(row, channel)
    if row["owner"] == front_end:
        return stock if term is None else stock.replace(aside=term["aside"])
    if term is None:
        return None
    is_used = term["can"] == "use"
    return stock.replace(
        on_hand=term["held"] + term["units"] if is_used else row["on_hand"],
        reserved=term["held"] if is_used else row["on_hand"],  # what may be read only is not free for this front end
        back_ordered=0,
        expired=0,
        safety=0,
        back_order_limit=0,
        lent=api.Lent(owner=row["owner"], grant_id=term["grant_id"]),
    )


def stock_of(row: ports.Row, channel: str = "") -> api.StockAt:
    """Return a row as a stock; of a channel that has a safety stock of its own, with that."""
    safety: int = row["safety"]
    if row["channel_safety"] is not None:
        safety = decode(row["channel_safety"], dict[str, int]).get(channel, safety)
    return api.StockAt(
        sku=row["sku"],
        location=row["location"],
        on_hand=row["on_hand"],
        reserved=row["reserved"],
        back_ordered=row["back_ordered"],
        safety=safety,
        expired=row["expired"],
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
    lent, rows = _rows_of(front_end, holdings)
    return await session.fetch_value(changes_sql.HOLD_LENT if lent else changes_sql.HOLD, front_end, *rows)


async def lock_head(session: ports.Session, front_end: str, reference: str) -> tuple[api.ReservationState, int] | None:
    """Lock a reservation without its stocks; return its state and the number of its next line."""
    row = await session.fetch_row(_LOCK_HEAD, front_end, reference)
    if row is None:
        return None
    return api.ReservationState(row["state"]), await session.fetch_value(_NEXT_LINE, front_end, reference)


async def extend(session: ports.Session, front_end: str, holding: Holding) -> None:
    """Write more lines of a reservation that is locked, and what they hold of locked stocks."""
    lent, rows = _rows_of(front_end, [holding])
    await session.execute(changes_sql.EXTEND_LENT if lent else changes_sql.EXTEND, front_end, *rows)


async def hold_new(session: ports.Session, front_end: str, holding: Holding) -> None:
    """Write a reservation under a reference that is known to be new; goes along with what is sent next."""
    made = holding.reservation
    if rules.lending(made.allocations):
        await session.later(changes_sql.HOLD_NEW_LENT, front_end, *_rows_of(front_end, [holding])[1])
        return
    lines = encode([dict(zip(_HELD_LINE, _HELD_VALUES(one), strict=True)) for one in made.allocations])
    changes = change_columns(rules.held_changes(made.allocations))
    more = (made.expires_at, holding.at, holding.by)
    await session.later(changes_sql.HOLD_NEW, front_end, made.reference, lines, holding.asked, *changes, *more)


def _rows_of(front_end: str, holdings: Sequence[Holding]) -> tuple[rules.Lending, tuple[object, ...]]:
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
    allocations = [(one.reservation.reference, held) for one in holdings for held in one.reservation.allocations]
    lines = [_line_of(reference, held) for reference, held in allocations]
    changes = rules.held_changes(held for _, held in allocations)
    lent = rules.lending(held for _, held in allocations)
    owners = ([lent[one.place].owner if one.place in lent else front_end for one in changes],) if lent else ()
    return lent, (encode(heads), encode(lines), len(holdings), *change_columns(changes), *owners)


def _line_of(reference: str, held: api.Allocation) -> dict[str, object]:
    values = (reference, held.line, held.sku, held.location, held.quantity, held.back_ordered)
    line: dict[str, object] = dict(zip(_HELD, values, strict=True))
    return line if held.lent is None else {**line, "owner": held.lent.owner, "grant_id": held.lent.grant_id}


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
    """Return a reservation; locked together with the stocks that it holds where that is asked."""
    rows = await session.fetch(_LOCK_RESERVATION if locks else _RESERVATION, front_end, reference)
    if locks and (not rows or rows[0]["has_lent"]):  # lines that hold nothing of another's stock any more
        known = {(row["line"], row["location"]) for row in rows}
        rest = await session.fetch(_RESERVATION, front_end, reference)
        rows = [*rows, *(row for row in rest if (row["line"], row["location"]) not in known)]
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
        stocks={(row["sku"], row["location"]): _bare_stock(row) for row in rows if "on_hand" in row.keys()},  # noqa: SIM118
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
        lent=api.Lent(owner=row["owner"], grant_id=row["grant_id"]) if row["owner"] else None,
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
    lent = rules.lending(taking for _, taking in lines)
    await session.execute(
        changes_sql.SETTLE_LENT if lent else changes_sql.SETTLE,
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
        *(_lent_columns(front_end, changes, [taking for _, taking in lines], lent) if lent else ()),
    )


def _lent_columns(
    front_end: str, changes: Sequence[rules.Change], takings: Sequence[rules.Taking], lent: rules.Lending
) -> tuple[list[object], ...]:
    """Return owners and grants of changed stocks, and grants and SKUs of what is taken."""
    return (
        [lent[one.place].owner if one.place in lent else front_end for one in changes],
        [str(lent[one.place].grant_id) if one.place in lent else None for one in changes],
        [one.lent.grant_id if one.lent else None for one in takings],
        [one.sku for one in takings],
    )


async def steps(session: ports.Session, front_end: str, reference: str) -> tuple[api.ReservationStep, ...]:
    rows = await session.fetch(_STEPS, front_end, reference)
    return tuple(
        api.ReservationStep(state=api.ReservationState(row["state"]), at=row["at"], by=row["by"]) for row in rows
    )
