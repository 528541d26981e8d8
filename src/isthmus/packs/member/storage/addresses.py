"""Members' addresses, kept encrypted where the platform has them so."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import decode, encode, ports
from isthmus.sealing import Seals
from isthmus.values import Address

from .. import api

TABLE: Final = "member.address"
Given = Mapping[str, Address]  # by label

_PUT = """
insert into member.address (front_end, member_id, label, address, sealed)
select $1, $2, * from unnest($3::text[], $4::jsonb[], $5::bytea[])
on conflict (front_end, member_id, label) do update set address = excluded.address, sealed = excluded.sealed
"""


async def put(session: ports.Session, front_end: str, member_id: UUID, given: Given, seals: Seals) -> None:
    texts = [encode(one) for one in given.values()]
    clear, sealed = await seals.put_away(session, front_end, str(member_id), TABLE, texts, b"{}")
    await session.execute(_PUT, front_end, member_id, list(given), clear, sealed)


async def remove(session: ports.Session, front_end: str, member_id: UUID, label: str) -> None:
    gone = "delete from member.address where front_end = $1 and member_id = $2 and label = $3"
    await session.execute(gone, front_end, member_id, label)


async def opened(row: ports.Row, session: ports.Session, seals: Seals) -> tuple[api.StoredAddress, ...]:
    """Return the addresses of a member's row, which has what is sealed of them as base64."""
    rows = decode(row["addresses"], list[dict[str, Any]])
    kept = [(encode(one["address"]), one["sealed"] and base64.b64decode(one["sealed"])) for one in rows]
    texts = await seals.taken_out(session, str(row["member_id"]), TABLE, kept)
    found = zip(rows, texts, strict=True)
    return tuple(api.StoredAddress(label=one["label"], address=decode(text, Address)) for one, text in found)
