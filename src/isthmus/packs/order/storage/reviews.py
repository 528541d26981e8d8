"""Rows of orders that are being looked at."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from isthmus.kernel import ports

# Whoever pays an order that waits has half an hour after it was decided, as anybody has.
_HOLD = """
with held as (
    update "order".orders set review_until = $3,
        pay_before = greatest(pay_before, $3::timestamptz + interval '30 minutes')
    where front_end = $1 and group_id = $2 and state = 'placed' and review_until is null returning order_id
)
insert into "order".history (front_end, order_id, at, by, what, note)
select $1, order_id, $4, $5, 'in-review', '' from held
"""
_END = """
with ended as (
    update "order".orders set review_until = null,
        pay_before = greatest(pay_before, $3::timestamptz + interval '30 minutes')
    where front_end = $1 and group_id = $2 and review_until is not null returning order_id, state
)
insert into "order".history (front_end, order_id, at, by, what, note)
select $1, order_id, $3, $4, 'review-ended', '' from ended
"""
_LIST = """
select group_id from "order".orders
where front_end = $1 and review_until is not null group by group_id order by min(review_until), group_id limit $2
"""


async def hold(session: ports.Session, front_end: str, group_id: UUID, until: datetime, now: datetime, by: str) -> None:
    """Have a group wait; goes along with what is sent next."""
    await session.later(_HOLD, front_end, group_id, until, now, by)


async def end(session: ports.Session, front_end: str, group_id: UUID, now: datetime, by: str) -> None:
    """Let a group go on; goes along with what is sent next."""
    await session.later(_END, front_end, group_id, now, by)


async def listed(session: ports.Session, front_end: str, limit: int) -> list[UUID]:
    return [row["group_id"] for row in await session.fetch(_LIST, front_end, limit)]
