"""Keeping stock: SQL for postings, locations, limits and lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from isthmus.kernel import encode, ports

from .. import api, rules
from . import reservations as storage

_CLAIM: Final = """
    insert into inventory.posting (front_end, kind, reference, asked, at) values ($1, $2, $3, $4, $5)
    on conflict do nothing returning true"""
_CLAIMED: Final = "select asked from inventory.posting where front_end = $1 and kind = $2 and reference = $3"

# A new row is inserted, a known one updated with what it has: either way it is locked, in the order of its key. At a
# location that is lent it is its owner's row; without a grant to use it there is none.
_LOCK_OR_MAKE: Final = """
    with wanted as (
        select distinct a.sku, a.location, coalesce(l.lent_by, $1) as owner
        from unnest($2::text[], $3::text[]) as a (sku, location)
        left join inventory.location l on l.front_end = $1 and l.code = a.location
    ), locked as (
        insert into inventory.stock as s (front_end, sku, location)
        select w.owner, w.sku, w.location from wanted w
        where w.owner = $1 or exists (
            select from isthmus.row_grant g where g.owner = w.owner and g.to_front_end = $1 and g.can = 'use'
                and g.kind = 'inventory.location' and g.name = w.location and g.part in ('', w.sku)
                and g.withdrawn_at is null and (g.ends_at is null or g.ends_at > now()))
        order by w.sku collate "C", w.location collate "C"
        on conflict (front_end, sku, location) do update set on_hand = s.on_hand
        returning s.*
    )
    select s.front_end as owner, s.sku, s.location, s.on_hand, s.reserved, s.back_ordered, s.safety, s.back_order_limit,
           s.expired, nullif(s.channel_safety, '{}') as channel_safety,
           coalesce(p.country, '') as country, coalesce(p.region, '') as region, coalesce(p.priority, 0) as priority
    from locked s
    left join inventory.location p on p.front_end = $1 and p.code = s.location
    order by s.sku, s.location"""

_POST: Final = """
    with changed as (
        update inventory.stock s
        set on_hand = s.on_hand + c.on_hand,
            back_ordered = least(s.back_ordered + c.back_ordered, greatest(0, s.reserved - s.on_hand - c.on_hand))
        from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $14::text[])
             as c (sku, location, on_hand, back_ordered, owner)
        where s.front_end = c.owner and s.sku = c.sku and s.location = c.location
    )
    insert into inventory.movement (front_end, sku, location, kind, quantity, reference, reason, at, by, seller)
    select m.owner, m.sku, m.location, m.kind, m.quantity, case when m.owner = $1 then $10 else 'from another' end, $11,
        $12, case when m.owner = $1 then $13 else $1 end, case when m.owner <> $1 then $1 end
    from unnest($6::text[], $7::text[], $8::text[], $9::bigint[], $15::text[])
         with ordinality as m (sku, location, kind, quantity, owner, place)
    where m.quantity <> 0
    order by m.place"""

_SET_LIMITS: Final = """
    insert into inventory.stock as s (front_end, sku, location, safety, back_order_limit, channel_safety)
    select distinct on (n.sku collate "C", n.location collate "C")
        $1, n.sku, n.location, n.safety, n.back_order_limit, n.channels
    from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::jsonb[])
         with ordinality as n (sku, location, safety, back_order_limit, channels, place)
    where not exists (
        select from inventory.location l where l.front_end = $1 and l.code = n.location and l.lent_by is not null)
    order by n.sku collate "C", n.location collate "C", n.place desc
    on conflict (front_end, sku, location) do update
        set safety = excluded.safety, back_order_limit = excluded.back_order_limit,
            channel_safety = excluded.channel_safety"""

_PUT_LOCATIONS: Final = """
    insert into inventory.location (front_end, code, name, country, region, priority, is_open, lent_by)
    select distinct on (n.code collate "C")
        $1, n.code, n.name, n.country, n.region, n.priority, n.is_open, n.lent_by
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::boolean[], $8::text[])
         with ordinality as n (code, name, country, region, priority, is_open, lent_by, place)
    order by n.code collate "C", n.place desc
    on conflict (front_end, code) do update
        set name = excluded.name, country = excluded.country, region = excluded.region,
            priority = excluded.priority, is_open = excluded.is_open, lent_by = excluded.lent_by"""

# Which of the locations a grant lets through, and at which the front end has stock of its own.
_CAN_TAKE_ON: Final = """
    select n.code,
        exists (select from isthmus.row_grant g where g.owner = n.owner and g.to_front_end = $1
            and g.kind = 'inventory.location' and g.name = n.code
            and g.withdrawn_at is null and (g.ends_at is null or g.ends_at > now())) as is_granted,
        exists (select from inventory.stock s where s.front_end = $1 and s.location = n.code) as is_taken
    from unnest($2::text[], $3::text[]) as n (code, owner)"""

_LIST_LENT: Final = """
    select grant_id, sku, front_end, location, seller, held, taken from inventory.lent
    where (front_end = $1 or seller = $1) and ($2::text is null or sku = $2)
        and (sku, grant_id) > ($3::text collate "C", $4::uuid)
    order by sku, grant_id limit $5"""

_LIST_STOCK: Final = f"""
    (select {storage.FIELDS}
    from inventory.stock s
    left join inventory.location p on p.front_end = s.front_end and p.code = s.location
    where s.front_end = $1 and ($2::text is null or s.sku = $2) and ($3::text is null or s.location = $3)
        and (s.sku, s.location) > ($4::text collate "C", $5::text collate "C")
    order by s.sku, s.location
    limit $6)
    union all
    (select {storage.FIELDS}
    from inventory.location p
    join inventory.stock s on s.front_end = p.lent_by and s.location = p.code
    where p.front_end = $1 and p.lent_by is not null
        and ($2::text is null or s.sku = $2) and ($3::text is null or s.location = $3)
        and (s.sku, s.location) > ($4::text collate "C", $5::text collate "C")
    order by s.sku, s.location
    limit $6)
    order by sku, location
    limit $6"""

_LIST_MOVEMENTS: Final = """
    select id, sku, location, kind, quantity, reference, reason, at, by, seller
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
    """Return these stocks, locked; those that were not known are made, with nothing on hand.

    Of a lent location it is the owner's; without a grant to use it, it is left out.
    """
    rows = await session.fetch(_LOCK_OR_MAKE, front_end, [sku for sku, _ in places], [at for _, at in places])
    return {(row["sku"], row["location"]): _whose(front_end, row) for row in rows}


def _whose(front_end: str, row: ports.Row) -> api.StockAt:
    stock, owner = storage.stock_of(row), row["owner"]
    return stock if owner == front_end else stock.replace(lent=api.Lent(owner=owner))


async def post(
    session: ports.Session,
    front_end: str,
    changes: Sequence[rules.Change],
    moves: Sequence[tuple[str, api.Adjustment]],
    reference: str,
    reason: str,
    now: datetime,
    by: str,
    lent: rules.Lending,
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
        [lent[one.place].owner if one.place in lent else front_end for one in changes],
        [lent[one.sku, one.location].owner if (one.sku, one.location) in lent else front_end for _, one in moves],
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
        [encode(item.channels) for item in items],
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
        [item.lent_by for item in items],
    )
    return int(tag.rpartition(" ")[2])


async def can_take_on(session: ports.Session, front_end: str, items: Sequence[api.Location]) -> list[tuple[bool, bool]]:
    """Return of locations, in their order, whether each is granted, and whether the front end has own stock there."""
    codes, owners = [item.code for item in items], [item.lent_by for item in items]
    rows = {row["code"]: row for row in await session.fetch(_CAN_TAKE_ON, front_end, codes, owners)}
    return [(rows[code]["is_granted"], rows[code]["is_taken"]) for code in codes]


async def list_stock(
    session: ports.Session, front_end: str, ask: api.ListStock, after: rules.Place, now: datetime
) -> tuple[list[api.StockAt], rules.Place | None]:
    """Return stocks behind a place, and the place behind which there are more, if there are."""
    rows = await session.fetch(_LIST_STOCK, front_end, ask.sku, ask.location, *after, ask.limit + 1)
    page = rows[: ask.limit]
    last = (page[-1]["sku"], page[-1]["location"]) if len(rows) > ask.limit else None
    return await storage.with_terms(session, front_end, page, now), last


async def list_lent(
    session: ports.Session, front_end: str, ask: api.ListLent, after: tuple[str, UUID]
) -> list[api.LentStock]:
    """Return what is taken of lent stock behind a place, one more than asked where there are more."""
    return [
        api.LentStock(
            owner=row["front_end"],
            seller=row["seller"],
            grant_id=row["grant_id"],
            sku=row["sku"],
            location=row["location"],
            held=row["held"],
            shipped=row["taken"] - row["held"],
        )
        for row in await session.fetch(_LIST_LENT, front_end, ask.sku, *after, ask.limit + 1)
    ]


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
        seller=row["seller"],
    )
