"""What members let other front ends read of their profiles: SQL, and rows as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import decode, ports

from .. import api

_END = """
update member.profile_share set ended_at = $4
where front_end = $1 and member_id = $2 and to_front_end = $3 and ended_at is null
"""
_GIVE = """
insert into member.profile_share (front_end, share_id, member_id, to_front_end, fields, given_at, given_by)
values ($1, $2, $3, $4, $5, $6, $7)
"""
_LIST = """
select to_front_end, fields, given_at, ended_at from member.profile_share
where front_end = $1 and member_id = $2 order by given_at desc, to_front_end, share_id limit $3
"""
# Of two memberships that become one, what the one that stays has said of a reader counts.
_JOIN = """
update member.profile_share gone set ended_at = $4
where front_end = $1 and member_id = $3 and ended_at is null and exists (
    select from member.profile_share one where one.front_end = $1 and one.member_id = $2
        and one.to_front_end = gone.to_front_end and one.ended_at is null)
"""
_FOLLOW = "update member.profile_share set member_id = $2 where front_end = $1 and member_id = $3"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a member said at another front end, as far as it may be read here."""

    source: api.ProfileSource
    profile: api.Profile
    email: str | None
    phone: str | None


async def put(
    session: ports.Session, front_end: str, ask: api.ShareProfile, share_id: UUID, now: datetime, by: str
) -> None:
    await session.execute(_END, front_end, ask.member_id, ask.to, now)
    if ask.fields:
        fields = sorted(set(ask.fields))
        await session.execute(_GIVE, front_end, share_id, ask.member_id, ask.to, fields, now, by)


async def shares(session: ports.Session, front_end: str, member_id: UUID) -> tuple[api.ProfileShare, ...]:
    rows = await session.fetch(_LIST, front_end, member_id, api.SHARES_MAX)
    return tuple(
        api.ProfileShare(
            to=row["to_front_end"], fields=tuple(row["fields"]), given_at=row["given_at"], ended_at=row["ended_at"]
        )
        for row in rows
    )


async def join(session: ports.Session, front_end: str, stays: UUID, goes: UUID, now: datetime) -> None:
    """Let what was said for a membership go with it into another."""
    await session.execute(_JOIN, front_end, stays, goes, now)
    await session.execute(_FOLLOW, front_end, stays, goes)


async def elsewhere(session: ports.Session, member_id: UUID) -> Sequence[Elsewhere]:
    """Return what a member of this front end lets it read, the latest consent first."""
    return [
        Elsewhere(
            source=api.ProfileSource(front_end=row["front_end"], fields=tuple(row["fields"])),
            profile=decode(row["profile"], api.Profile),
            email=row["email"],
            phone=row["phone"],
        )
        for row in await session.fetch("select * from member.profile_elsewhere($1)", member_id)
    ]
