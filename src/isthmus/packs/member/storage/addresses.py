"""Members' addresses, kept encrypted where the platform has them so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from isthmus.kernel import encode, ports
from isthmus.sealing import Seals
from isthmus.values import Address

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
