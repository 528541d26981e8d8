"""Keeping stock: SQL for postings, locations, limits and lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from isthmus.kernel import ports

from .. import api, rules
from . import reservations as storage

_CLAIM: Final = """
    insert into inventory.posting (front_end, kind, reference, asked, at) values ($1, $2, $3, $4, $5)
    on conflict do nothing returning true"""
_CLAIMED: Final = "select asked from inventory.posting where front_end = $1 and kind = $2 and reference = $3"

# A new row is inserted, a known one updated with what it has: either way it is locked, in the order of its key.
_LOCK_OR_MAKE: Final = """
    with locked as (
        insert into inventory.stock as s (front_end, sku, location)
        select $1, n.sku, n.location
        from (select distinct sku, location from unnest($2::text[], $3::text[]) as a (sku, location)) n
        order by n.sku collate "C", n.location collate "C"
        on conflict (front_end, sku, location) do update set on_hand = s.on_hand
        returning s.*
    )
    select l.sku, l.location, l.on_hand, l.reserved, l.back_ordered, l.safety, l.back_order_limit,
           coalesce(p.country, '') as country, coalesce(p.region, '') as region, coalesce(p.priority, 0) as priority
    from locked l
    left join inventory.location p on p.front_end = $1 and p.code = l.location
    order by l.sku, l.location"""

_POST: Final = """
    with changed as (
        update inventory.stock s
        set on_hand = s.on_hand + c.on_hand,
            back_ordered = least(s.back_ordered + c.back_ordered, greatest(0, s.reserved - s.on_hand - c.on_hand))
        from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) as c (sku, location, on_hand, back_ordered)
        where s.front_end = $1 and s.sku = c.sku and s.location = c.location
    )
    insert into inventory.movement (front_end, sku, location, kind, quantity, reference, reason, at, by)
    select $1, m.sku, m.location, m.kind, m.quantity, $10, $11, $12, $13
    from unnest($6::text[], $7::text[], $8::text[], $9::bigint[])
         with ordinality as m (sku, location, kind, quantity, place)
    where m.quantity <> 0
    order by m.place"""

_SET_LIMITS: Final = """
    insert into inventory.stock as s (front_end, sku, location, safety, back_order_limit)
    select distinct on (n.sku collate "C", n.location collate "C") $1, n.sku, n.location, n.safety, n.back_order_limit
    from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])
         with ordinality as n (sku, location, safety, back_order_limit, place)
    order by n.sku collate "C", n.location collate "C", n.place desc
    on conflict (front_end, sku, location) do update
        set safety = excluded.safety, back_order_limit = excluded.back_order_limit"""

_PUT_LOCATIONS: Final = """
    insert into inventory.location (front_end, code, name, country, region, priority, is_open)
    select distinct on (n.code collate "C") $1, n.code, n.name, n.country, n.region, n.priority, n.is_open
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::boolean[])
         with ordinality as n (code, name, country, region, priority, is_open, place)
    order by n.code collate "C", n.place desc
    on conflict (front_end, code) do update
        set name = excluded.name, country = excluded.country, region = excluded.region,
            priority = excluded.priority, is_open = excluded.is_open"""

_LIST_STOCK: Final = """
    select s.sku, s.location, s.on_hand, s.reserved, s.back_ordered, s.safety, s.back_order_limit,
           coalesce(p.country, '') as country, coalesce(p.region, '') as region, coalesce(p.priority, 0) as priority
    from inventory.stock s
    left join inventory.location p on p.front_end = s.front_end and p.code = s.location
    where s.front_end = $1 and ($2::text is null or s.sku = $2) and ($3::text is null or s.location = $3)
        and (s.sku, s.location) > ($4::text collate "C", $5::text collate "C")
    order by s.sku, s.location
    limit $6"""

_LIST_MOVEMENTS: Final = """
    select id, sku, location, kind, quantity, reference, reason, at, by
    from inventory.movement
    where front_end = $1 and sku = $2 and ($3::text is null or location = $3) and id < $4
    order by id desc
    limit $5"""


async def claim(
    session: ports.Session, front_end: str, kind: str, reference: str, asked: bytes, now: datetime
) -> bytes | None:
    """Claim a reference for one kind of booking; return what was asked under it before, or nothing if it is new.

    Of two at once the second waits until the first has ended.
    """
    if await session.fetch_value(_CLAIM, front_end, kind, reference, asked, now):
        return None
    return await session.fetch_value(_CLAIMED, front_end, kind, reference)


async def lock_or_make(
    session: ports.Session, front_end: str, places: Sequence[rules.Place]
) -> dict[rules.Place, api.StockAt]:
    """Return these stocks, locked; those that were not known are made, with nothing on hand."""
    rows = await session.fetch(_LOCK_OR_MAKE, front_end, [sku for sku, _ in places], [at for _, at in places])
    return {(row["sku"], row["location"]): storage.stock_of(row) for row in rows}


async def post(
    session: ports.Session,
    front_end: str,
    changes: Sequence[rules.Change],
    moves: Sequence[tuple[str, api.Adjustment]],
    reference: str,
    reason: str,
    now: datetime,
    by: str,
) -> None:
    """Change locked stocks, and write the movements, each with its kind, that add up to the changes."""
    skus, locations, on_hand, _, back_ordered = storage.change_columns(changes)
    await session.execute(
        _POST,
        front_end,
        skus,
        locations,
        on_hand,
        back_ordered,
        [move.sku for _, move in moves],
        [move.location for _, move in moves],
        [kind for kind, _ in moves],
        [move.quantity for _, move in moves],
        reference,
        reason,
        now,
        by,
    )


async def set_limits(session: ports.Session, front_end: str, items: Sequence[api.Limits]) -> int:
    """Set limits, of the last where one stock is named twice; return how many stocks that were."""
    tag = await session.execute(
        _SET_LIMITS,
        front_end,
        [item.sku for item in items],
        [item.location for item in items],
        [item.safety for item in items],
        [item.back_order_limit for item in items],
    )
    return int(tag.rpartition(" ")[2])


async def put_locations(session: ports.Session, front_end: str, items: Sequence[api.Location]) -> int:
    """Set facts, of the last where one location is named twice; return how many locations that were."""
    tag = await session.execute(
        _PUT_LOCATIONS,
        front_end,
        [item.code for item in items],
        [item.name for item in items],
        [item.country for item in items],
        [item.region for item in items],
        [item.priority for item in items],
        [item.is_open for item in items],
    )
    return int(tag.rpartition(" ")[2])


async def list_stock(
    session: ports.Session, front_end: str, ask: api.ListStock, after: rules.Place
) -> list[api.StockAt]:
    """Return stocks behind a place, one more than asked where there are more."""
    rows = await session.fetch(_LIST_STOCK, front_end, ask.sku, ask.location, *after, ask.limit + 1)
    return [storage.stock_of(row) for row in rows]


async def list_movements(
    session: ports.Session, front_end: str, ask: api.ListMovements, before: int
) -> list[tuple[int, api.Movement]]:
    """Return movements before an id, one more than asked where there are more."""
    rows = await session.fetch(_LIST_MOVEMENTS, front_end, ask.sku, ask.location, before, ask.limit + 1)
    return [(row["id"], _movement(row)) for row in rows]


def _movement(row: ports.Row) -> api.Movement:
    return api.Movement(
        sku=row["sku"],
        location=row["location"],
        kind=api.MovementKind(row["kind"]),
        quantity=row["quantity"],
        reference=row["reference"],
        reason=row["reason"],
        at=row["at"],
        by=row["by"],
    )
