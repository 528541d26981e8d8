"""What reservations change: the SQL that holds goods and settles what was held, of own stock and of another's."""

from __future__ import annotations

from typing import Final

# The one formula for a stock's change. back_ordered falls as soon as less is promised beyond what is there.
_CHANGE_STOCKS: Final = """
    update inventory.stock s
    set on_hand = s.on_hand + c.on_hand,
        reserved = s.reserved + c.reserved,
        back_ordered = least(s.back_ordered + c.back_ordered,
                             greatest(0, s.reserved + c.reserved - s.on_hand - c.on_hand))
    from {source}
    where s.front_end = {owner} and s.sku = c.sku and s.location = c.location"""

# Reservations with their lines and what they change, if all of them are new. Stocks come as arrays: PostgreSQL expects
# fewer rows of those than of JSON, and so looks stocks up by their key.
_MADE: Final = """
        insert into inventory.reservation (front_end, reference, state, expires_at, asked, has_lent)
        select $1, reference, 'held', expires_at, decode(asked, 'hex'), {has_lent} from asked
        on conflict do nothing
        returning reference, state"""
_EXTENDED: Final = """
        update inventory.reservation r set has_lent = r.has_lent or {has_lent} from asked
        where r.front_end = $1 and r.reference = asked.reference and r.state in ('held', 'confirmed')
        returning r.reference, r.state"""
_IS_NEW: Final = "(select count(*) from made) = $4"
_HOLDING: Final = """
    with asked as materialized (
        select * from json_to_recordset($2)
            as a (reference text, expires_at timestamptz, asked text, at timestamptz, by text)
    ), made as ({made}), step as (
        insert into inventory.reservation_step (front_end, reference, state, at, by)
        select $1, reference, state, at, by from made join asked using (reference) where {is_new}
    ), held as (
        insert into inventory.reservation_line (front_end, reference, line, sku, location, quantity, back_ordered{more})
        select $1, l.* from json_to_recordset($3)
            as l (reference text, line int, sku text, location text, quantity bigint, back_ordered bigint{typed})
        where {is_new}
    ){counted}, changed as ({change} and {is_new})
    {end}"""
_CHANGED: Final = _CHANGE_STOCKS.format(
    owner="$1",
    source="""unnest($5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[])
         as c (sku, location, on_hand, reserved, back_ordered)""",
)
_CHANGED_OF: Final = _CHANGE_STOCKS.format(
    owner="c.owner",
    source="""unnest($5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[])
         as c (sku, location, on_hand, reserved, back_ordered, owner)""",
)
_OWN: Final = {
    "made": _MADE.format(has_lent="false"),
    "more": "",
    "typed": "",
    "counted": "",
    "change": _CHANGED,
    "is_new": _IS_NEW,
}
# The same of lines of which some are another's: they say whose, and are counted under their grants.
_LENT: Final = {
    "made": _MADE.format(has_lent="true"),
    "more": ", owner, grant_id",
    "typed": ", owner text, grant_id uuid",
    "counted": f"""
    , counted as (
        insert into inventory.lent as known (grant_id, sku, front_end, location, seller, most, taken, held)
        select l.grant_id, l.sku, l.owner, l.location, $1, (g.bounds ->> 'most')::bigint,
            sum(l.quantity), sum(l.quantity)
        from json_to_recordset($3) as l (sku text, location text, quantity bigint, owner text, grant_id uuid)
        join isthmus.row_grant g using (grant_id)
        where {_IS_NEW}
        group by l.grant_id, l.sku, l.owner, l.location, g.bounds order by l.grant_id, l.sku collate "C"
        on conflict (grant_id, sku) do update
            set taken = known.taken + excluded.taken, held = known.held + excluded.held
    )""",
    "change": _CHANGED_OF,
    "is_new": _IS_NEW,
}
_EXPECT: Final = f"select isthmus.expect({_IS_NEW}, 'reservation_is_new')"
_COUNT: Final = "select count(*) from made"
HOLD: Final = _HOLDING.format(**_OWN, end=_COUNT)
# One reservation of own goods under a reference that is known to be new, as of nearly every order: its primary key
# keeps it from being there twice, so nothing is counted.
HOLD_NEW: Final = f"""
    with step as (
        insert into inventory.reservation_step (front_end, reference, state, at, by)
        values ($1, $2, 'held', $11, $12)
    ), held as (
        insert into inventory.reservation_line (front_end, reference, line, sku, location, quantity, back_ordered)
        select $1, $2, l.* from json_to_recordset($3)
            as l (line int, sku text, location text, quantity bigint, back_ordered bigint)
    ), changed as ({_CHANGED})
    insert into inventory.reservation (front_end, reference, state, expires_at, asked, has_lent)
    values ($1, $2, 'held', $10, $4, false)"""
HOLD_LENT: Final = _HOLDING.format(**_LENT, end=_COUNT)
HOLD_NEW_LENT: Final = _HOLDING.format(**_LENT, end=_EXPECT)
# More lines of reservations that hold something still.
EXTEND: Final = _HOLDING.format(**{**_OWN, "made": _EXTENDED.format(has_lent="false")}, end=_COUNT)
EXTEND_LENT: Final = _HOLDING.format(**{**_LENT, "made": _EXTENDED.format(has_lent="true")}, end=_COUNT)
_SETTLING: Final = """
    with lines as (
        update inventory.reservation_line l
        set shipped = l.shipped + t.shipped, released = l.released + t.released
        from unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[])
             as t (reference, line, location, shipped, released)
        where l.front_end = $1 and l.reference = t.reference and l.line = t.line and l.location = t.location
    ), changed as ({change}), moved as (
        {moved}
    ){counted}, became as (
        update inventory.reservation r
        set state = n.state, expires_at = case when n.state = 'confirmed' then null else r.expires_at end
        from unnest($14::text[], $15::text[]) as n (reference, state)
        where r.front_end = $1 and r.reference = n.reference
    )
    insert into inventory.reservation_step (front_end, reference, state, at, by)
    select $1, n.reference, n.state, $16, $17 from unnest($14::text[], $15::text[]) as n (reference, state)"""
SETTLE: Final = _SETTLING.format(
    change=_CHANGE_STOCKS.format(
        owner="$1",
        source="""unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[])
         as c (sku, location, on_hand, reserved, back_ordered)""",
    ),
    moved="""insert into inventory.movement (front_end, sku, location, kind, quantity, reference, reason, at, by)
        select $1, c.sku, c.location, 'ship', c.on_hand, $12, $13, $16, $17
        from unnest($7::text[], $8::text[], $9::bigint[]) as c (sku, location, on_hand)
        where c.on_hand <> 0""",
    counted="",
)
# The same where some is another's: its movement says who sold it and under which grant, not for which order.
SETTLE_LENT: Final = _SETTLING.format(
    change=_CHANGE_STOCKS.format(
        owner="c.owner",
        source="""unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $18::text[])
         as c (sku, location, on_hand, reserved, back_ordered, owner)""",
    ),
    moved="""insert into inventory.movement
            (front_end, sku, location, kind, quantity, reference, reason, at, by, seller)
        select c.owner, c.sku, c.location, 'ship', c.on_hand, coalesce(c.grant_id, $12),
            case when c.grant_id is null then $13 else '' end, $16, case when c.grant_id is null then $17 else $1 end,
            case when c.grant_id is not null then $1 end
        from unnest($7::text[], $8::text[], $9::bigint[], $18::text[], $19::text[])
             as c (sku, location, on_hand, owner, grant_id)
        where c.on_hand <> 0""",
    counted=""", counted as (
        update inventory.lent known set taken = known.taken - t.released, held = known.held - t.gone
        from (select grant_id, sku, sum(released) as released, sum(shipped + released) as gone
              from unnest($20::uuid[], $21::text[], $5::bigint[], $6::bigint[])
                   as t (grant_id, sku, shipped, released)
              where grant_id is not null group by grant_id, sku) t
        where known.grant_id = t.grant_id and known.sku = t.sku
    )""",
)
