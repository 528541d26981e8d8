"""SQL of campaigns: whom they are for, where they have got to, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import ports

from .. import api

_ADD: Final = """
    insert into messaging.campaign (front_end, name, topic, segment, purpose, title, body, link, collapse_key,
        ttl_hours, author)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning campaign_id"""
_NEXT: Final = """
    select * from messaging.campaign where front_end = $1 and state = 'queuing'
    order by campaign_id limit 1 for update skip locked"""
_ALL: Final = """
    select member_id from messaging.reader where front_end = $1 and member_id > $2 order by member_id limit $3"""
_TOPIC: Final = """
    select member_id from messaging.topic_reader where front_end = $1 and topic = $4 and member_id > $2
    order by member_id limit $3"""
_OPTED_OUT: Final = """
    select member_id from messaging.opt_out
    where front_end = $1 and member_id = any ($2) and purpose in ('', $3)"""
# An id of a message is its campaign's and its member's: whoever queued it twice would meet it.
_QUEUE: Final = """
    with made as (
        insert into messaging.message (front_end, message_id, member_id, campaign_id, purpose, collapse_key, expires_at,
            made_at)
        select $1, md5($2::bigint::text || '/' || one::text)::uuid, one, $2, $4, $5, $6, $7
        from unnest($3::uuid[]) as one on conflict do nothing returning message_id, member_id
    ), pushed as (
        insert into messaging.delivery (front_end, message_id, endpoint_id, campaign_id, due_at)
        select $1, made.message_id, e.endpoint_id, $2, $7
        from made join messaging.endpoint e on e.front_end = $1 and e.member_id = made.member_id and e.state = 'active'
    )
    select count(*) from made"""
_REACHED: Final = """
    update messaging.campaign set reached = $3, messages = messages + $4, left_out = left_out + $5,
        state = case when $6 then state else 'queued' end, ended_at = case when $6 then null else $7::timestamptz end
    where front_end = $1 and campaign_id = $2"""
_STEER: Final = "update messaging.campaign set state = $3, ended_at = $4 where front_end = $1 and campaign_id = $2"
_HOLD: Final = """
    update messaging.delivery set due_at = case when $3 then 'infinity'::timestamptz else $4 end
    where front_end = $1 and campaign_id = $2 and state = 'waiting'"""
_CANCEL: Final = """
    update messaging.delivery set state = 'cancelled', ended_at = $3
    where front_end = $1 and campaign_id = $2 and state = 'waiting'"""
_LIST: Final = """
    select c.*,
        (select count(*) from messaging.message m where m.campaign_id = c.campaign_id and m.read_at is not null) as read
    from messaging.campaign c
    where front_end = $1 and ($2::bigint is null or campaign_id < $2) and ($3::bigint is null or campaign_id = $3)
    order by campaign_id desc limit $4"""
_CAME: Final = """
    select campaign_id, state, count(*) as found, count(*) filter (where receipt <> '') as shown,
        count(*) filter (where receipt = 'opened') as opened
    from messaging.delivery where front_end = $1 and campaign_id = any ($2) group by 1, 2"""


async def add(session: ports.Session, front_end: str, ask: api.StartCampaign, author: str) -> int:
    draft = ask.draft
    return await session.fetch_value(
        _ADD, front_end, ask.name, ask.topic, ask.segment, draft.purpose, draft.title, draft.body, draft.link,
        draft.collapse_key, draft.ttl_hours, author,
    )  # fmt: skip


async def next_queuing(session: ports.Session, front_end: str) -> ports.Row | None:
    """Return a campaign that has members left, held until the transaction ends; none that another server has."""
    return await session.fetch_row(_NEXT, front_end)


async def is_queuing(session: ports.Session, front_end: str) -> bool:
    sql = "select exists (select from messaging.campaign where front_end = $1 and state = 'queuing')"
    return await session.fetch_value(sql, front_end)


async def next_members(session: ports.Session, front_end: str, row: ports.Row, limit: int) -> list[UUID]:
    """Return the next who follow a campaign's topic, or who can be reached at all."""
    if row["topic"] is None:
        rows = await session.fetch(_ALL, front_end, row["reached"], limit)
    else:
        rows = await session.fetch(_TOPIC, front_end, row["reached"], limit, row["topic"])
    return [one[0] for one in rows]


async def opted_out(session: ports.Session, front_end: str, members: Sequence[UUID], purpose: str) -> frozenset[UUID]:
    return frozenset(row[0] for row in await session.fetch(_OPTED_OUT, front_end, list(members), purpose))


async def queue(
    session: ports.Session, front_end: str, row: ports.Row, members: Sequence[UUID], expires_at: datetime, now: datetime
) -> int:
    """Write the messages and deliveries of a campaign to some members; return how many messages are new."""
    return await session.fetch_value(
        _QUEUE, front_end, row["campaign_id"], list(members), row["purpose"], row["collapse_key"], expires_at, now
    )


async def reached(
    session: ports.Session, front_end: str, row: ports.Row, last: UUID, messages: int, left_out: int, now: datetime, *,
    is_more: bool,
) -> None:  # fmt: skip
    """Note where a campaign has got to."""
    await session.execute(_REACHED, front_end, row["campaign_id"], last, messages, left_out, is_more, now)


async def locked(session: ports.Session, front_end: str, campaign_id: int) -> ports.Row:
    """Return a campaign, held until the transaction ends. Raises UnknownCampaign."""
    sql = "select * from messaging.campaign where front_end = $1 and campaign_id = $2 for update"
    row = await session.fetch_row(sql, front_end, campaign_id)
    if row is None:
        raise api.UnknownCampaign(campaign_id=campaign_id)
    return row


async def steer(
    session: ports.Session, front_end: str, campaign_id: int, state: api.CampaignState, now: datetime
) -> None:
    """Change a campaign's state, and what becomes of that which waits."""
    is_over = state is api.CampaignState.CANCELLED
    await session.execute(_STEER, front_end, campaign_id, state.value, now if is_over else None)
    if is_over:
        await session.execute(_CANCEL, front_end, campaign_id, now)
    else:
        await session.execute(_HOLD, front_end, campaign_id, state is api.CampaignState.PAUSED, now)


async def listed(
    session: ports.Session, front_end: str, *, before: int | None = None, campaign_id: int | None = None, limit: int = 1
) -> list[api.Campaign]:
    """Return campaigns with what came of them."""
    rows = await session.fetch(_LIST, front_end, before, campaign_id, limit)
    came: dict[int, list[ports.Row]] = {}
    for one in await session.fetch(_CAME, front_end, [row["campaign_id"] for row in rows]):
        came.setdefault(one["campaign_id"], []).append(one)
    return [_campaign(row, came.get(row["campaign_id"], [])) for row in rows]


def _campaign(row: ports.Row, came: Sequence[ports.Row]) -> api.Campaign:
    counted = {"deliveries", "shown", "opened", "state"}
    fields: dict[str, Any] = {name: row[name] for name in api.Campaign.__struct_fields__ if name not in counted}
    return api.Campaign(
        **fields,
        state=api.CampaignState(row["state"]),
        deliveries={one["state"]: one["found"] for one in sorted(came, key=lambda one: str(one["state"]))},
        shown=sum(one["shown"] for one in came),
        opened=sum(one["opened"] for one in came),
    )
