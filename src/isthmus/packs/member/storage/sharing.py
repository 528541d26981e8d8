"""What members let other front ends read of their profiles: SQL, and rows as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from isthmus.kernel import decode, encode, ports
from isthmus.sealing import Seals

from .. import api
from . import identities, sealing

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


async def elsewhere(session: ports.Session, member_id: UUID, seals: Seals) -> Sequence[Elsewhere]:
    """Return what a member of this front end lets it read, the latest consent first."""
    rows = await session.fetch("select * from member.said_elsewhere($1)", member_id)
    known = [decode(row["known"], list[dict[str, Any]]) for row in rows]
    kept: list[sealing.Kept] = []
    for row, found in zip(rows, known, strict=True):
        of = str(row["member_id"])
        kept.append((sealing.TABLE, of, row["sealed_profile"], row["profile"]))
        kept += [(identities.TABLE, of, sealing.bytes_of(one), one["value"].encode()) for one in found]
    sealed = [(table, of, text) for table, of, text, _ in kept if text is not None]
    opened = iter(await seals.open_shared(sealed) if sealed else ())
    texts = iter([clear if text is None else next(opened) for _, _, text, clear in kept])
    return [
        _elsewhere(row, next(texts), [(one["kind"], next(texts)) for one in found])
        for row, found in zip(rows, known, strict=True)
    ]


def _elsewhere(row: ports.Row, said: bytes, known: Sequence[tuple[str, bytes]]) -> Elsewhere:
    values = {kind: value.decode() for kind, value in sorted(known, reverse=True)}  # the first in order counts
    return Elsewhere(
        source=api.ProfileSource(front_end=row["front_end"], fields=tuple(row["fields"])),
        profile=decode(
            encode({name: one for name, one in decode(said, dict[str, str]).items() if name in row["fields"]}),
            api.Profile,
        ),
        email=values.get("email"),
        phone=values.get("phone"),
    )
