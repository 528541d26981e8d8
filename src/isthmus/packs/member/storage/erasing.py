"""Rows of a member who is erased."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from isthmus.kernel import decode, encode, ports

from .members import Locked

_ERASE = (
    "delete from member.profile_share where front_end = $1 and member_id = $2",
    "delete from member.identity where front_end = $1 and member_id = $2",
    "delete from member.address where front_end = $1 and member_id = $2",
    """delete from member.consent_change where front_end = $1 and member_id in (
           select member_id from member.membership where front_end = $1 and (member_id = $2 or merged_into = $2))""",
)
_ERASED = """
with one as (
    update member.membership set state = 'erased', profile = '{}', sealed_profile = null, consents = '{}',
        segments = '{}', attributes = $3, account_id = null
    where front_end = $1 and member_id = $2
)
select member_id from member.membership where front_end = $1 and merged_into = $2 order by member_id
"""
_ATTRIBUTES = "select attributes from member.membership where front_end = $1 and member_id = $2"


async def attributes(session: ports.Session, front_end: str, member_id: UUID) -> dict[str, Any]:
    """Return what a front end says of a member by attributes of its own."""
    return decode(await session.fetch_value(_ATTRIBUTES, front_end, member_id), dict[str, Any])


async def erase(
    session: ports.Session, front_end: str, locked: Locked, attributes: Mapping[str, Any], now: datetime
) -> tuple[UUID, ...]:
    """Forget a membership, but for these attributes, and return what it was called before others went into it."""
    for statement in _ERASE:
        await session.execute(statement, front_end, locked.member_id)
    merged = await session.fetch(_ERASED, front_end, locked.member_id, encode(attributes))
    await session.execute("select member.forget_person($1)", locked.person_id)
    await session.execute("select member.leave_account($1, $2, $3)", locked.account_id, locked.person_id, now)
    return tuple(row["member_id"] for row in merged)
