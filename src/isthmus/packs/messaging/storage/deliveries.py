"""SQL of deliveries: what is due and for whom, what came of it, and how often a person was pushed something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from isthmus.kernel import ports
from isthmus.sealing import Seals

from .. import api, rules
from . import sealing

_HAS_DUE: Final = """
    select exists (select from messaging.delivery where front_end = $1 and state = 'waiting' and due_at <= $2)"""
_TAKE: Final = """
    with due as (
        select message_id, endpoint_id, attempts from messaging.delivery
        where front_end = $1 and state = 'waiting' and due_at <= $2 order by due_at limit $3 for update skip locked
    )
    select due.*, m.member_id, m.purpose, m.collapse_key, m.expires_at, coalesce(m.title, c.title) as title,
        coalesce(m.body, c.body) as body, coalesce(m.link, c.link) as link, m.sealed_title, m.sealed_body,
        e.kind, e.address, e.p256dh, e.auth,
        coalesce(e.device_id, '') as device_id, greatest(e.retry_at, 'epoch') as retry_at,
        coalesce(r.zone, 'UTC') as zone,
        coalesce(e.state = 'active' and e.member_id = m.member_id, false) as is_there,
        exists (select from messaging.opt_out o
                where o.front_end = $1 and o.member_id = m.member_id and o.purpose in ('', m.purpose)) as is_opted_out
    from due join messaging.message m on m.front_end = $1 and m.message_id = due.message_id
        left join messaging.campaign c on c.campaign_id = m.campaign_id
        left join messaging.endpoint e on e.front_end = $1 and e.endpoint_id = due.endpoint_id
        left join messaging.reader r on r.front_end = $1 and r.member_id = m.member_id"""
_DECIDE: Final = """
    update messaging.delivery d set state = said.state, due_at = said.due_at, attempts = d.attempts + said.tried,
        ended_at = case when said.state <> 'waiting' then $2::timestamptz end
    from unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::int[])
        as said (message_id, endpoint_id, state, due_at, tried)
    where d.front_end = $1 and d.message_id = said.message_id and d.endpoint_id = said.endpoint_id"""
_END: Final = """
    with said as (
        select * from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[])
            as said (message_id, endpoint_id, outcome, reason)
    ), slow as (
        update messaging.endpoint e set failures = failures + 1,
            retry_at = $6::timestamptz + least($8::interval * 2 ^ least(failures, 10), $9::interval)
        from (select distinct endpoint_id from said where outcome = 'again') one
        where e.front_end = $1 and e.endpoint_id = one.endpoint_id
    ), well as (
        update messaging.endpoint e set failures = 0, retry_at = '-infinity'
        from (select distinct endpoint_id from said where outcome = 'sent') one
        where e.front_end = $1 and e.endpoint_id = one.endpoint_id and e.failures > 0
    ), gone as (
        update messaging.endpoint e set state = 'gone', reason = one.reason
        from (select endpoint_id, max(reason) as reason from said where outcome = 'gone' group by 1) one
        where e.front_end = $1 and e.endpoint_id = one.endpoint_id
    )
    update messaging.delivery d set reason = said.reason,
        state = case when outcome <> 'again' then outcome when attempts >= $7 then 'failed' else 'waiting' end,
        ended_at = case when outcome <> 'again' or attempts >= $7 then $6::timestamptz end
    from said where d.front_end = $1 and d.message_id = said.message_id and d.endpoint_id = said.endpoint_id
        and d.state = 'waiting' returning d.state"""
_LOCK: Final = """
    select pg_advisory_xact_lock(number) from (
        select distinct hashtextextended(encode(one, 'hex'), 0) as number
        from unnest($1::bytea[]) one order by 1) subjects"""
_COUNT: Final = "select subject, count(*) from messaging.pushed where subject = any ($1) and at > $2 group by 1"
_KNOWN: Final = "select subject, message_id from messaging.pushed where message_id = any ($1)"
_PUSHED: Final = """
    insert into messaging.pushed (subject, message_id, at)
    select subject, message_id, $3 from unnest($1::bytea[], $2::uuid[]) as one (subject, message_id)
    on conflict do nothing"""


async def has_due(session: ports.Session, front_end: str, now: datetime) -> bool:
    return await session.fetch_value(_HAS_DUE, front_end, now)


async def take(session: ports.Session, front_end: str, now: datetime, limit: int, seals: Seals) -> Sequence[ports.Row]:
    """Return what is due, held until the transaction ends, with what decides whether it is pushed."""
    rows = await sealing.opened(await session.fetch(_TAKE, front_end, now, limit), session, seals)
    return cast("Sequence[ports.Row]", rows)


async def decide(
    session: ports.Session, front_end: str, now: datetime, said: Iterable[tuple[ports.Row, str, datetime, int]]
) -> None:
    """Write down of each what becomes of it: its state, when it is due again, and whether this counts as a try."""
    found = list(said)
    columns: list[list[Any]] = [
        [row["message_id"] for row, *_ in found],
        [row["endpoint_id"] for row, *_ in found],
        *([one[at] for one in found] for at in (1, 2, 3)),
    ]
    await session.execute(_DECIDE, front_end, now, *columns)


async def end(session: ports.Session, front_end: str, results: Sequence[api.Result], now: datetime) -> list[str]:
    """Write down what came of tries; return the states of those that still waited."""
    columns = rules.columns(results, "message_id", "endpoint_id", "outcome", "reason")
    rows = await session.fetch(_END, front_end, *columns, now, api.ATTEMPTS_MAX, rules.SLOW_FIRST, rules.SLOW_LAST)
    return [row[0] for row in rows]


async def counted(
    session: ports.Session, subjects: Sequence[bytes], messages: Sequence[UUID], since: datetime
) -> tuple[dict[bytes, int], set[tuple[bytes, UUID]]]:
    """Return how often persons were pushed something, over all front ends, and what counts already; they are held."""
    await session.execute(_LOCK, list(subjects))
    counts = {bytes(row[0]): row[1] for row in await session.fetch(_COUNT, list(subjects), since)}
    known = {(bytes(row[0]), row[1]) for row in await session.fetch(_KNOWN, list(messages))}
    return counts, known


async def note_pushed(session: ports.Session, pushed: Sequence[tuple[bytes, UUID]], now: datetime) -> None:
    if pushed:
        await session.execute(_PUSHED, [one[0] for one in pushed], [one[1] for one in pushed], now)


async def prune(session: ports.Session, before: datetime) -> int:
    return int((await session.execute("delete from messaging.pushed where at < $1", before)).rpartition(" ")[2])
