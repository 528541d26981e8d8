"""SQL of devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from isthmus.kernel import ports

from . import api

CUT_OFF: Final = (
    "select device_id from devices.device where front_end = $1 and device_id = any ($2) and state = 'cut-off'"
)

_PUT: Final = """
    insert into devices.device (front_end, device_id, app, platform, key, member_id, session_id, sequence, said)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (front_end, device_id) do update set app = excluded.app, platform = excluded.platform,
        member_id = excluded.member_id, session_id = excluded.session_id, sequence = excluded.sequence,
        said = excluded.said, seen_at = now()
    where device.key = excluded.key returning *"""
_SEEN: Final = """
    update devices.device set sequence = $3, said = $4, seen_at = now() where front_end = $1 and device_id = $2
    returning *"""
_ROTATE: Final = """
    update devices.device set sequence = $3, said = $4, key = $5, key_since = now(), seen_at = now()
    where front_end = $1 and device_id = $2 returning *"""
_CUT: Final = """
    update devices.device set state = 'cut-off', reason = $4
    where front_end = $1 and state = 'active' and (device_id = $2 or member_id = $3) returning device_id"""
_LIST: Final = """
    select * from devices.device where front_end = $1 and ($2 = '' or member_id = $2)
    order by seen_at desc, device_id limit $3"""


async def find(session: ports.Session, front_end: str, device_id: str) -> ports.Row | None:
    """Return a device, held until the transaction ends."""
    sql = "select * from devices.device where front_end = $1 and device_id = $2 for update"
    return await session.fetch_row(sql, front_end, device_id)


async def active_of(session: ports.Session, front_end: str, member_id: str) -> int:
    sql = "select count(*) from devices.device where front_end = $1 and member_id = $2 and state = 'active'"
    return await session.fetch_value(sql, front_end, member_id)


async def has_key(session: ports.Session, front_end: str, device_id: str, key: str) -> bool:
    """Return whether another device has a key."""
    sql = "select exists (select from devices.device where front_end = $1 and device_id <> $2 and key = $3)"
    return await session.fetch_value(sql, front_end, device_id, key)


async def put(session: ports.Session, front_end: str, ask: api.RegisterDevice, said: bytes) -> api.Device | None:
    """Write a device; None where another one has taken its id meanwhile."""
    row = await session.fetch_row(
        _PUT, front_end, ask.device_id, ask.app, ask.platform, ask.key, ask.member_id, ask.session_id, ask.sequence,
        said,
    )  # fmt: skip
    return None if row is None else device(row)


async def seen(session: ports.Session, front_end: str, device_id: str, sequence: int, said: bytes) -> api.Device:
    row = await session.fetch_row(_SEEN, front_end, device_id, sequence, said)
    assert row is not None
    return device(row)


async def rotate(session: ports.Session, front_end: str, ask: api.RotateKey, said: bytes) -> api.Device:
    row = await session.fetch_row(_ROTATE, front_end, ask.device_id, ask.sequence, said, ask.key)
    assert row is not None
    return device(row)


async def cut(
    session: ports.Session, front_end: str, device_id: str | None, member_id: str | None, reason: str
) -> list[str]:
    return sorted(row[0] for row in await session.fetch(_CUT, front_end, device_id, member_id, reason))


async def listed(session: ports.Session, front_end: str, ask: api.ListDevices) -> list[api.Device]:
    return [device(row) for row in await session.fetch(_LIST, front_end, ask.member_id, ask.limit)]


async def forget(session: ports.Session, front_end: str, members: Sequence[str]) -> None:
    await session.execute(
        "delete from devices.device where front_end = $1 and member_id = any ($2)", front_end, members
    )


def device(row: ports.Row) -> api.Device:
    fields: dict[str, Any] = {name: row[name] for name in api.Device.__struct_fields__}
    fields["state"] = api.DeviceState(row["state"])
    return api.Device(**fields)
