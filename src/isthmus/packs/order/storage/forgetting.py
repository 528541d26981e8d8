"""Rows of orders that forget whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from isthmus.kernel import ports
from isthmus.personal import Renamed

_HELD = """
select order_id, group_id, attributes from "order".orders
where front_end = $1 and (member_id = any($2)
    or member_id is null and contact_email <> ''
        and lower(contact_email) in (select lower(email) from unnest($3::text[]) as email)
    or member_id is null and email_hash = any($4))
order by group_id, order_id for update
"""
_FORGET = (
    """update "order".orders set contact_email = '', attributes = given.attributes,
           sealed_email = null, sealed_address = null, email_hash = null,
           address = case when address is not null then jsonb_build_object(
               'country', address -> 'country', 'region', coalesce(address -> 'region', '""')) end,
           coupons = array(select coalesce(now.named, code) from unnest(coupons) with ordinality as one (code, place)
               left join unnest($4::text[], $5::text[]) as now (was, named) on now.was = code order by place)
       from unnest($2::uuid[], $3::jsonb[]) as given (order_id, attributes)
       where front_end = $1 and orders.order_id = given.order_id""",
    """update "order".history set note = '' where front_end = $1 and order_id = any($2) and note <> ''""",
    """update "order".return set note = '' where front_end = $1 and order_id = any($2) and note <> ''""",
    """update "order".discount set coupon = now.named from unnest($3::text[], $4::text[]) as now (was, named)
       where front_end = $1 and coupon = now.was and group_id in (
           select group_id from "order".orders where orders.front_end = $1 and order_id = any($2))""",
)
_LINES = """
select order_id, line, attributes from "order".lines
where front_end = $1 and order_id = any($2) and attributes <> '{}' order by order_id, line
"""
_FORGET_LINES = """
update "order".lines set attributes = given.attributes
from unnest($2::uuid[], $3::int[], $4::jsonb[]) as given (order_id, line, attributes)
where front_end = $1 and lines.order_id = given.order_id and lines.line = given.line
"""
_EMPTY = """
update "order".basket set lines = '[]', coupons = '{}', version = version + 1, changed_at = $3
where front_end = $1 and member_id = any($2) and (lines <> '[]' or coupons <> '{}')
"""


async def held(
    session: ports.Session, front_end: str, member_ids: Sequence[UUID], emails: Sequence[str], hashes: Sequence[bytes]
) -> Sequence[ports.Row]:
    """Return the orders of members and of guests, locked until the transaction ends."""
    return await session.fetch(_HELD, front_end, list(member_ids), list(emails), list(hashes))


async def forget(
    session: ports.Session,
    front_end: str,
    ids: Sequence[UUID],
    attributes: Sequence[bytes],
    renamed: Sequence[Renamed],
) -> None:
    """Take out of orders what says whose they are; coupons are called what they are called now."""
    if ids:
        was, named = [one.was for one in renamed], [one.now for one in renamed]
        await session.execute(_FORGET[0], front_end, ids, attributes, was, named)
        await session.execute(_FORGET[1], front_end, ids)
        await session.execute(_FORGET[2], front_end, ids)
        await session.execute(_FORGET[3], front_end, ids, was, named)


async def returns(session: ports.Session, front_end: str, ids: Sequence[UUID]) -> list[UUID]:
    """Return the returns of orders."""
    sql = 'select return_id from "order".return where front_end = $1 and order_id = any($2) order by return_id'
    return [row["return_id"] for row in await session.fetch(sql, front_end, list(ids))]


async def lines(session: ports.Session, front_end: str, ids: Sequence[UUID]) -> Sequence[ports.Row]:
    """Return the lines of orders that have attributes."""
    return await session.fetch(_LINES, front_end, list(ids))


async def forget_lines(
    session: ports.Session, front_end: str, lines: Sequence[ports.Row], attributes: Sequence[bytes]
) -> None:
    if lines:
        ids, places = [row["order_id"] for row in lines], [row["line"] for row in lines]
        await session.execute(_FORGET_LINES, front_end, ids, places, attributes)


async def empty_baskets(session: ports.Session, front_end: str, member_ids: Sequence[UUID], now: datetime) -> None:
    await session.execute(_EMPTY, front_end, list(member_ids), now)
