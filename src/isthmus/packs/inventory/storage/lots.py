"""Lots: SQL, and rows as values. What leaves them, the database takes out of them with each movement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from isthmus.kernel import ports

from .. import api, rules

_PUT: Final = """
    insert into inventory.lot as known (front_end, sku, location, lot, expires_on, on_hand)
    select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::bigint[])
        as n (sku, location, lot, expires_on, on_hand)
    order by n.sku collate "C", n.location collate "C", n.lot collate "C"
    on conflict (front_end, sku, location, lot) do update set on_hand = known.on_hand + excluded.on_hand
        where known.expires_on is not distinct from excluded.expires_on and not known.is_expired
    returning lot"""
_CAME: Final = """
    insert into inventory.lot_movement (front_end, sku, location, lot, kind, quantity, reference, at)
    select $1, sku, location, lot, 'receive', quantity, $6, $7
    from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) as n (sku, location, lot, quantity)"""
_LIST: Final = """
    select sku, location, lot, expires_on, on_hand, is_expired from inventory.lot
    where front_end = $1 and on_hand > 0 and ($2::text is null or sku = $2) and ($3::text is null or location = $3)
        and ($4::date is null or expires_on <= $4)
    order by expires_on nulls last, sku, location, lot limit $5"""
_MOVEMENTS: Final = """
    select location, kind, quantity, reference, at from inventory.lot_movement
    where front_end = $1 and sku = $2 and lot = $3 order by id desc limit $4"""
# The stock first, as everywhere: whoever takes from a lot has locked its stock.
_EXPIRE: Final = """
    with due as materialized (
        select s.front_end, s.sku, s.location from inventory.stock s
        where s.front_end = $1 and exists (
            select from inventory.lot l where l.front_end = $1 and l.sku = s.sku and l.location = s.location
                and not l.is_expired and l.on_hand > 0 and l.expires_on < $2)
        order by s.sku, s.location limit $3 for no key update skip locked
    ), over as (
        update inventory.lot l set is_expired = true from due
        where l.front_end = due.front_end and l.sku = due.sku and l.location = due.location
            and not l.is_expired and l.on_hand > 0 and l.expires_on < $2
        returning l.sku, l.location, l.lot, l.on_hand
    ), counted as (
        update inventory.stock s set expired = s.expired + gone.units
        from (select sku, location, sum(on_hand) as units from over group by sku, location) gone
        where s.front_end = $1 and s.sku = gone.sku and s.location = gone.location
    )
    select sku, location, lot, on_hand from over order by sku, location, lot"""
_MOVED_SINCE: Final = """
    select sku, location, sum(quantity)::bigint as moved from inventory.movement
    where front_end = $1 and sku = any ($2::text[]) and location = any ($3::text[]) and at > $4
    group by sku, location"""


async def put(session: ports.Session, front_end: str, receipts: Sequence[api.Receipt]) -> set[str]:
    """Write what came in of lots; return those that could be: a lot has one last day, and is not over."""
    units: dict[tuple[str, str, str, date | None], int] = {}
    for one in receipts:
        key = (one.sku, one.location, one.lot or "", one.expires_on)
        units[key] = units.get(key, 0) + one.quantity
    columns = [list(column) for column in zip(*units, strict=True)]
    rows = await session.fetch(_PUT, front_end, *columns, list(units.values()))
    return {row["lot"] for row in rows}


async def came(
    session: ports.Session, front_end: str, receipts: Sequence[api.Receipt], reference: str, now: datetime
) -> None:
    await session.execute(
        _CAME,
        front_end,
        [one.sku for one in receipts],
        [one.location for one in receipts],
        [one.lot for one in receipts],
        [one.quantity for one in receipts],
        reference,
        now,
    )


async def list_lots(session: ports.Session, front_end: str, ask: api.ListLots) -> tuple[api.LotAt, ...]:
    rows = await session.fetch(_LIST, front_end, ask.sku, ask.location, ask.expires_until, ask.limit)
    return tuple(
        api.LotAt(
            sku=row["sku"],
            location=row["location"],
            lot=row["lot"],
            expires_on=row["expires_on"],
            on_hand=row["on_hand"],
            is_expired=row["is_expired"],
        )
        for row in rows
    )


async def movements(session: ports.Session, front_end: str, ask: api.ListLotMovements) -> tuple[api.LotMovement, ...]:
    rows = await session.fetch(_MOVEMENTS, front_end, ask.sku, ask.lot, ask.limit)
    return tuple(
        api.LotMovement(
            location=row["location"],
            kind=row["kind"],
            quantity=row["quantity"],
            reference=row["reference"],
            at=row["at"],
        )
        for row in rows
    )


async def expire(session: ports.Session, front_end: str, today: date, limit: int) -> list[api.LotExpired]:
    """Take lots from sale whose last day is over, and return them."""
    rows = await session.fetch(_EXPIRE, front_end, today, limit)
    return [
        api.LotExpired(sku=row["sku"], location=row["location"], lot=row["lot"], quantity=row["on_hand"])
        for row in rows
    ]


async def moved_since(
    session: ports.Session, front_end: str, places: Sequence[rules.Place], since: datetime
) -> dict[rules.Place, int]:
    """Return how many units came, or went, at places since a time."""
    rows = await session.fetch(_MOVED_SINCE, front_end, [sku for sku, _ in places], [at for _, at in places], since)
    return {(row["sku"], row["location"]): row["moved"] for row in rows}
