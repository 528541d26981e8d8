"""SQL of members: where they are reached, what they chose, and their inbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import ports
from isthmus.sealing import Seals

from .. import api
from . import sealing

_ADD_READER: Final = """
    insert into messaging.reader (front_end, member_id, zone) values ($1, $2, $3)
    on conflict (front_end, member_id) do update set zone = excluded.zone"""
_ADD_ENDPOINT: Final = """
    insert into messaging.endpoint (front_end, endpoint_id, member_id, kind, address, p256dh, auth, device_id)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (front_end, md5(address)) do update set member_id = excluded.member_id, kind = excluded.kind,
        p256dh = excluded.p256dh, auth = excluded.auth, device_id = excluded.device_id, state = 'active', reason = '',
        failures = 0, retry_at = '-infinity'
    returning *"""
_NO_MORE: Final = """
    update messaging.delivery d set state = 'opted-out', ended_at = $4 from messaging.message m
    where d.front_end = $1 and m.front_end = $1 and m.message_id = d.message_id and m.member_id = $2
        and d.state = 'waiting' and ($3 = '' or m.purpose = $3)"""
_REPLACE: Final = """
    with older as (
        update messaging.message set is_replaced = true
        where front_end = $1 and member_id = any ($2) and collapse_key = $3 and not is_replaced returning message_id
    )
    update messaging.delivery d set state = 'replaced', ended_at = $4 from older
    where d.front_end = $1 and d.message_id = older.message_id and d.state = 'waiting'"""
_ADD_MESSAGE: Final = """
    insert into messaging.message (front_end, message_id, member_id, reference, purpose, title, body, link,
        collapse_key, expires_at, made_at, sealed_title, sealed_body)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"""
_ADD_DELIVERIES: Final = """
    insert into messaging.delivery (front_end, message_id, endpoint_id, due_at)
    select $1, $2, endpoint_id, $4 from messaging.endpoint
    where front_end = $1 and member_id = $3 and state = 'active'"""
_SHOWN: Final = """
    m.message_id, m.purpose, coalesce(m.title, c.title) as title, coalesce(m.body, c.body) as body,
    coalesce(m.link, c.link) as link, m.made_at, m.read_at, m.member_id, m.sealed_title, m.sealed_body
    from messaging.message m left join messaging.campaign c on c.campaign_id = m.campaign_id"""
_OF_REFERENCE: Final = f"select {_SHOWN} where m.front_end = $1 and m.reference = $2"
_INBOX: Final = f"""
    select {_SHOWN} where m.front_end = $1 and m.member_id = $2 and not m.is_replaced
        and ($3::uuid is null or (m.made_at, m.message_id) < (
            select made_at, message_id from messaging.message
            where front_end = $1 and member_id = $2 and message_id = $3))
    order by m.made_at desc, m.message_id desc limit $4"""
_UNREAD: Final = """
    select count(*) from messaging.message
    where front_end = $1 and member_id = $2 and read_at is null and not is_replaced"""
_READ: Final = """
    update messaging.message set read_at = $4
    where front_end = $1 and member_id = $2 and read_at is null and ($3::uuid[] is null or message_id = any ($3))"""
_RECEIPT: Final = """
    update messaging.delivery set receipt = case when receipt = 'opened' then receipt else $4 end
    where front_end = $1 and message_id = $2 and ($3::uuid is null or endpoint_id = $3)"""


async def add_endpoint(session: ports.Session, front_end: str, endpoint_id: UUID, ask: api.AddEndpoint) -> api.Endpoint:
    """Write where a member is reached; an address that is known is moved to them."""
    await session.execute(_ADD_READER, front_end, ask.member_id, ask.zone)
    row = await session.fetch_row(
        _ADD_ENDPOINT, front_end, endpoint_id, ask.member_id, ask.kind, ask.address, ask.p256dh, ask.auth, ask.device_id
    )
    assert row is not None
    return api.Endpoint(**{name: row[name] for name in api.Endpoint.__struct_fields__})


async def remove_endpoint(session: ports.Session, front_end: str, endpoint_id: UUID) -> bool:
    sql = "delete from messaging.endpoint where front_end = $1 and endpoint_id = $2"
    return await session.execute(sql, front_end, endpoint_id) == "DELETE 1"


async def set_topic(session: ports.Session, front_end: str, ask: api.SetTopic) -> list[str]:
    """Have a member follow a topic or not; return those that they follow."""
    if ask.is_followed:
        sql = """insert into messaging.topic_reader (front_end, member_id, topic) values ($1, $2, $3)
                 on conflict do nothing"""
    else:
        sql = "delete from messaging.topic_reader where front_end = $1 and member_id = $2 and topic = $3"
    await session.execute(sql, front_end, ask.member_id, ask.topic)
    found = "select topic from messaging.topic_reader where front_end = $1 and member_id = $2 order by topic"
    return [row[0] for row in await session.fetch(found, front_end, ask.member_id)]


async def opt_out(session: ports.Session, front_end: str, ask: api.Choose, now: datetime) -> list[str]:
    """Note an opt-out, and end what waits; return all of the member."""
    sql = "insert into messaging.opt_out (front_end, member_id, purpose) values ($1, $2, $3) on conflict do nothing"
    await session.execute(sql, front_end, ask.member_id, ask.purpose)
    await session.execute(_NO_MORE, front_end, ask.member_id, ask.purpose, now)
    return await opted_out(session, front_end, ask.member_id)


async def opt_in(session: ports.Session, front_end: str, ask: api.Choose) -> list[str]:
    sql = "delete from messaging.opt_out where front_end = $1 and member_id = $2 and purpose = $3"
    await session.execute(sql, front_end, ask.member_id, ask.purpose)
    return await opted_out(session, front_end, ask.member_id)


async def opted_out(session: ports.Session, front_end: str, member_id: UUID) -> list[str]:
    sql = "select purpose from messaging.opt_out where front_end = $1 and member_id = $2 order by purpose"
    return [row[0] for row in await session.fetch(sql, front_end, member_id)]


async def replace(
    session: ports.Session, front_end: str, members: Sequence[UUID], collapse_key: str, now: datetime
) -> None:
    """Take older messages with a collapse key out of inboxes, and push them no more."""
    if collapse_key:
        await session.execute(_REPLACE, front_end, list(members), collapse_key, now)


async def add_message(
    session: ports.Session, front_end: str, message_id: UUID, ask: api.Notify, expires_at: datetime, now: datetime,
    seals: Seals,
) -> None:  # fmt: skip
    """Write a message, and a delivery to each device of its member."""
    draft = ask.draft
    (title, body), (sealed_title, sealed_body) = await sealing.put_away(session, front_end, ask.member_id, draft, seals)
    await session.execute(
        _ADD_MESSAGE, front_end, message_id, ask.member_id, ask.reference, draft.purpose,
        title.decode(), body.decode(), draft.link, draft.collapse_key, expires_at, now, sealed_title, sealed_body,
    )  # fmt: skip
    await session.execute(_ADD_DELIVERIES, front_end, message_id, ask.member_id, now)


async def of_reference(session: ports.Session, front_end: str, reference: str, seals: Seals) -> api.InboxMessage | None:
    rows = await session.fetch(_OF_REFERENCE, front_end, reference)
    return next((_message(row) for row in await sealing.opened(rows, session, seals)), None)


async def inbox(session: ports.Session, front_end: str, ask: api.ListInbox, seals: Seals) -> list[api.InboxMessage]:
    """Return one more than was asked for, where there is one."""
    rows = await session.fetch(_INBOX, front_end, ask.member_id, ask.before, ask.limit + 1)
    return [_message(row) for row in await sealing.opened(rows, session, seals)]


async def unread(session: ports.Session, front_end: str, member_id: UUID) -> int:
    return await session.fetch_value(_UNREAD, front_end, member_id)


async def mark_read(
    session: ports.Session, front_end: str, member_id: UUID, messages: Sequence[UUID] | None, now: datetime
) -> None:
    named = None if messages is None else list(messages)
    await session.execute(_READ, front_end, member_id, named, now)


async def has_message(session: ports.Session, front_end: str, member_id: UUID, message_id: UUID) -> bool:
    sql = """select exists (select from messaging.message
             where front_end = $1 and member_id = $2 and message_id = $3)"""
    return await session.fetch_value(sql, front_end, member_id, message_id)


async def note_receipt(session: ports.Session, front_end: str, ask: api.NoteReceipt) -> None:
    await session.execute(_RECEIPT, front_end, ask.message_id, ask.endpoint_id, ask.what)


async def forget(session: ports.Session, front_end: str, members: Sequence[UUID]) -> None:
    for table in ("message", "endpoint", "topic_reader", "opt_out", "reader"):
        sql = f"delete from messaging.{table} where front_end = $1 and member_id = any ($2)"
        await session.execute(sql, front_end, list(members))


def _message(row: dict[str, Any]) -> api.InboxMessage:
    fields: dict[str, Any] = {name: row[name] for name in api.InboxMessage.__struct_fields__}
    return api.InboxMessage(**fields)
