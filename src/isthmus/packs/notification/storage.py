"""Rows of `notification.message`, its tries, and who gets none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import encode, ports

from . import api, rules

# Who opts out or is erased meanwhile commits first or later: later, the claim before each try finds it.
_SUPPRESSED: Final = """
    select from notification.suppression s
    where s.front_end = $1 and s.address_hash = {hash} and s.topic in ('', {topic})"""
_WRITE: Final = f"""
    insert into notification.message (front_end, message_id, reference, kind, topic, medium, member_id, address,
        address_hash, subject, body, html, state, reason, due_at, written_at, ended_at, attachments)
    select $1, $2, $3, $4, $5::text, $6, $7, $8, $9::bytea, $10, $11::text, $12,
        case when why = '' then 'waiting' else 'suppressed' end, why, $13::timestamptz, $13::timestamptz,
        case when why <> '' then $13::timestamptz end, $14::jsonb
    from (select case
            when $11::text = '' then 'the front end sends none of this kind'
            when exists ({_SUPPRESSED.format(hash="$9::bytea", topic="$5::text")}) then 'the address gets none'
            else '' end as why) as judged
    on conflict (front_end, reference) do nothing"""
_FIND: Final = """
    select * from notification.message
    where front_end = $1 and ($2::uuid is null or message_id = $2) and ($3::text is null or reference = $3)"""
_TRIES: Final = "select * from notification.try where front_end = $1 and message_id = $2 order by number"
_LIST: Final = """
    select * from notification.message
    where front_end = $1 and ($2::text is null or state = $2) and ($3::uuid is null or message_id < $3)
    order by message_id desc limit $4"""
_HAS_DUE: Final = """
    select exists (select from notification.message where front_end = $1 and state = 'waiting' and due_at <= $2)"""
_CLAIM: Final = f"""
    with due as (
        select message_id,
            exists ({_SUPPRESSED.format(hash="m.address_hash", topic="m.topic")}) as is_suppressed
        from notification.message m where front_end = $1 and state = 'waiting' and due_at <= $2::timestamptz
        order by due_at limit $3 for update skip locked
    )
    update notification.message m set
        state = case when is_suppressed then 'suppressed' else 'waiting' end,
        reason = case when is_suppressed then 'the address gets none' else reason end,
        ended_at = case when is_suppressed then $2::timestamptz end,
        attempts = attempts + case when is_suppressed then 0 else 1 end,
        due_at = $2::timestamptz + least($4::interval * 2 ^ least(attempts, 10), $5::interval)
    from due where m.front_end = $1 and m.message_id = due.message_id
    returning m.message_id, reference, kind, medium, address, subject, body, html, attachments, attempts,
        is_suppressed"""
# A try that was thought to be lost may end after the next one has: whichever says first that it was sent is right.
_END: Final = """
    with said as (
        select * from unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
            as said (message_id, number, provider, outcome, provider_reference, reason)
    ), noted as (
        insert into notification.try (front_end, message_id, number, provider, outcome, provider_reference, reason, at)
        select $1, message_id, number, provider, outcome, provider_reference, reason, $8::timestamptz from said
        on conflict do nothing
    )
    update notification.message m set
        state = case when outcome = 'again' then 'failed' else outcome end, reason = said.reason,
        ended_at = $8::timestamptz
    from said where m.front_end = $1 and m.message_id = said.message_id and m.state = 'waiting'
        and (outcome <> 'again' or attempts >= $9)
    returning m.message_id, reference, kind, m.state"""
_SUPPRESS: Final = """
    insert into notification.suppression (front_end, address_hash, topic, reason, at)
    select $1, hash, $3, $4, $5 from unnest($2::bytea[]) as given (hash)
    on conflict (front_end, address_hash, topic) do update set reason = excluded.reason, at = excluded.at
    where suppression.reason <> 'erased'"""
_ALLOW: Final = "delete from notification.suppression where front_end = $1 and address_hash = $2 and topic = $3"
_SUPPRESSIONS: Final = """
    select topic from notification.suppression where front_end = $1 and address_hash = $2 order by topic"""
_HASHES: Final = """
    select distinct address_hash from notification.message
    where front_end = $1 and member_id = $2 and address_hash is not null"""
_ERASE: Final = """
    update notification.message set address = null, address_hash = null, subject = '', body = '', html = '',
        attachments = '[]',
        member_id = null, state = case when state = 'waiting' then 'erased' else state end,
        ended_at = coalesce(ended_at, $4::timestamptz)
    where front_end = $1 and (address_hash = any($2::bytea[]) or member_id = $3)
    returning message_id"""
_FORGET_PERSONS: Final = """
    with theirs as (
        update notification.message set address = null, address_hash = null, subject = '', body = '', html = '',
        attachments = '[]',
            member_id = null, reason = '', state = case when state = 'waiting' then 'erased' else state end,
            ended_at = coalesce(ended_at, $5::timestamptz)
        where front_end = $1 and (member_id = any($2) or address_hash = any($3::bytea[])
            or split_part(reference, '/', 2) = any($4))
        returning message_id
    )
    update notification.try set reason = '' from theirs
    where try.front_end = $1 and try.message_id = theirs.message_id and try.reason <> ''"""
_FORGET: Final = """
    update notification.message set address = null, address_hash = null, subject = '', body = '', html = '',
        attachments = '[]'
    where front_end = $1 and address is not null and ended_at < $2 returning message_id"""


async def write(
    session: ports.Session, front_end: str, message_id: UUID, ask: api.Send, content: api.Content, now: datetime
) -> None:
    """Write a message down, unless its reference has one."""
    hashed = rules.address_hash(front_end, ask.medium, ask.address)
    await session.execute(
        _WRITE,
        front_end,
        message_id,
        ask.reference,
        ask.kind,
        ask.topic,
        ask.medium,
        ask.member_id,
        ask.address,
        hashed,
        content.subject,
        content.text,
        content.html,
        now,
        encode(ask.attachments),
    )


async def find(
    session: ports.Session, front_end: str, message_id: UUID | None, reference: str | None
) -> api.Message | None:
    row = await session.fetch_row(_FIND, front_end, message_id, reference)
    return None if row is None else _message(row)


async def tries(session: ports.Session, front_end: str, message_id: UUID) -> tuple[api.Try, ...]:
    rows = await session.fetch(_TRIES, front_end, message_id)
    return tuple(
        api.Try(
            number=row["number"], provider=row["provider"], outcome=row["outcome"], reason=row["reason"], at=row["at"]
        )
        for row in rows
    )


async def list_messages(
    session: ports.Session, front_end: str, state: str | None, before: UUID | None, limit: int
) -> list[api.Message]:
    return [_message(row) for row in await session.fetch(_LIST, front_end, state, before, limit)]


async def has_due(session: ports.Session, front_end: str, now: datetime) -> bool:
    return await session.fetch_value(_HAS_DUE, front_end, now)


async def claim(session: ports.Session, front_end: str, now: datetime, limit: int) -> Sequence[ports.Row]:
    """Take what is due, and end what its address does not get any more."""
    return await session.fetch(_CLAIM, front_end, now, limit, rules.RETRY_FIRST, rules.RETRY_LAST)


async def end(
    session: ports.Session, front_end: str, results: Sequence[api.Result], now: datetime
) -> Sequence[ports.Row]:
    """Write tries down; return the messages that have ended by them."""
    columns: tuple[list[Any], ...] = (
        [one.message_id for one in results],
        [one.attempt for one in results],
        [one.provider for one in results],
        [one.outcome for one in results],
        [one.provider_reference for one in results],
        [one.reason for one in results],
    )
    return await session.fetch(_END, front_end, *columns, now, api.ATTEMPTS_MAX)


async def suppress(
    session: ports.Session, front_end: str, hashes: Sequence[bytes], topic: str, reason: str, now: datetime
) -> None:
    await session.execute(_SUPPRESS, front_end, list(hashes), topic, reason, now)


async def allow(session: ports.Session, front_end: str, hashed: bytes, topic: str) -> None:
    await session.execute(_ALLOW, front_end, hashed, topic)


async def suppressed_topics(session: ports.Session, front_end: str, hashed: bytes) -> list[str]:
    return [row["topic"] for row in await session.fetch(_SUPPRESSIONS, front_end, hashed)]


async def hashes_of(session: ports.Session, front_end: str, member_id: UUID) -> list[bytes]:
    """Return the addresses that a member got messages at."""
    return [row["address_hash"] for row in await session.fetch(_HASHES, front_end, member_id)]


async def erase(
    session: ports.Session, front_end: str, hashes: Sequence[bytes], member_id: UUID | None, now: datetime
) -> int:
    """Take address and text from messages; return of how many."""
    return len(await session.fetch(_ERASE, front_end, list(hashes), member_id, now))


async def forget_persons(
    session: ports.Session,
    front_end: str,
    member_ids: Sequence[UUID],
    hashes: Sequence[bytes],
    references: Sequence[str],
    now: datetime,
) -> None:
    """Take address and text from messages to members, to addresses, and about references: `order/<reference>/…`."""
    await session.execute(_FORGET_PERSONS, front_end, list(member_ids), list(hashes), list(references), now)


async def forget(session: ports.Session, front_end: str, before: datetime) -> int:
    return len(await session.fetch(_FORGET, front_end, before))


def _message(row: ports.Row) -> api.Message:
    return api.Message(
        message_id=row["message_id"],
        reference=row["reference"],
        kind=row["kind"],
        topic=row["topic"],
        medium=row["medium"],
        address=row["address"] or "",
        member_id=row["member_id"],
        subject=row["subject"],
        state=api.MessageState(row["state"]),
        reason=row["reason"],
        attempts=row["attempts"],
        written_at=row["written_at"],
        ended_at=row["ended_at"],
    )
