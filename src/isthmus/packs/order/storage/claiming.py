"""Rows of orders that become a member's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from isthmus.kernel import ports

_CLAIM = """
with theirs as (
    select order_id from "order".orders
    where front_end = $1 and member_id is null and (contact_email <> ''
      and lower(contact_email) in (select lower(email) from unnest($3::text[]) as email) or email_hash = any($7))
    order by placed_at, order_id limit $6 for update
), claimed as (
    update "order".orders set member_id = $2
    where front_end = $1 and member_id is null and order_id in (select order_id from theirs) returning order_id
)
insert into "order".history (front_end, order_id, at, by, what, note)
select $1, order_id, $4, $5, 'claimed', '' from claimed returning order_id
"""


async def claim(
    session: ports.Session,
    front_end: str,
    member_id: UUID,
    emails: Sequence[str],
    now: datetime,
    by: str,
    hashes: Sequence[bytes],
    *,
    limit: int,
) -> list[UUID]:
    """Give orders of guests to a member; return which."""
    rows = await session.fetch(_CLAIM, front_end, member_id, list(emails), now, by, limit, list(hashes))
    return [row["order_id"] for row in rows]
