"""Rows of points. A movement stays with the membership that it was written for, whatever that is merged into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import errors, ports

from .. import api
from . import programmes
from .programmes import SharedAccount

LOCK_TRIES_MAX = 5  # each further one means that the membership was merged while the lock was waited for

_LOCK = """
select one.member_id, one.person_id, one.account_id, one.state, one.tier, one.points, one.points_earned
from member.membership asked
join member.membership one
    on one.front_end = $1 and one.member_id = coalesce(asked.merged_into, asked.member_id)
where asked.front_end = $1 and asked.member_id = $2 for update of one
"""

_IDS = """
select one.member_id from member.membership asked
join member.membership one on one.front_end = $1 and coalesce(asked.merged_into, asked.member_id)
    in (one.member_id, one.merged_into)
where asked.front_end = $1 and asked.member_id = $2
"""

_MOVE = """
with moved as (
    insert into member.points_movement
        (front_end, movement_id, member_id, points, reason, reference, reverses, at, by)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
)
update member.membership set points = points + $4, points_earned = points_earned + $10, tier = $11
where front_end = $1 and member_id = $3
"""

_MOVED = """
select sum(points)::bigint from member.points_movement
where front_end = $1 and member_id = any($2) and reference = $3 and reason = $4
"""

_CREDITS = """
select movement_id from member.points_movement
where front_end = $1 and member_id = any($2) and reference = $3 and reason = $4
"""

_REVERSED = """
select coalesce(sum(points), 0)::bigint from member.points_movement
where front_end = $1 and member_id = any($2) and reverses = $3 and reason = $4
"""

_NOTE_RETURN = """
insert into member.points_return (front_end, member_id, reference, reason, part, minor, out_of_minor, at)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing
"""

_RETURNED = """
select minor, out_of_minor from member.points_return
where front_end = $1 and member_id = any($2) and reference = $3 and reason = $4
"""

_MOVEMENTS = """
select movement_id, points, reason, reference, at, by from member.points_movement
where front_end = $1 and member_id = any($2) and (at, movement_id) < ($3, $4)
order by at desc, movement_id desc limit $5
"""


_BALANCE = """
select one.member_id, one.account_id, one.points, one.points_earned, one.tier from member.membership asked
join member.membership one on one.front_end = $1 and one.member_id = coalesce(asked.merged_into, asked.member_id)
where asked.front_end = $1 and asked.member_id = $2 and one.state = 'active'
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A membership's points, or those of its person's account in a programme; nobody else can change them meanwhile."""

    member_id: UUID
    person_id: UUID
    account_id: UUID | None
    state: str
    tier: str
    points: int
    earned: int
    ids: Sequence[UUID]  # its own, and those of the memberships that went into it
    common: SharedAccount | None = None  # None: the membership's own points


@dataclass(frozen=True, slots=True)
class Cause:
    """Why points move."""

    reason: str
    reference: str
    reverses: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Points that come or go."""

    movement_id: UUID
    member_id: UUID
    points: int
    earned: int
    reason: str
    reference: str
    reverses: str | None
    at: datetime
    by: str


async def lock(session: ports.Session, front_end: str, member_id: UUID, now: datetime) -> Account | None:
    """Lock the membership that an id means, with its account in a programme; None where it means none."""
    for _ in range(LOCK_TRIES_MAX):
        row = await session.fetch_row(_LOCK, front_end, member_id)
        if row is None:
            return None
        if row["state"] != "merged":
            ids = await ids_of(session, front_end, row["member_id"])
            return await _account(session, row, ids, now)
    raise errors.Conflict(f"membership {member_id} is being merged again and again", remedy="try again")


async def _account(session: ports.Session, row: ports.Row, ids: Sequence[UUID], now: datetime) -> Account:
    who = (row["member_id"], row["person_id"], row["account_id"], row["state"])
    common = None if row["account_id"] is None else await programmes.lock(session, row["account_id"], now)
    if common is None:
        return Account(*who, row["tier"], row["points"], row["points_earned"], ids)
    return Account(*who, common.tier or row["tier"], common.points, common.earned, ids, common)


async def balance(
    session: ports.Session, front_end: str, member_id: UUID
) -> tuple[UUID, UUID | None, int, int, str] | None:
    """Return whom an id means, the account in a programme, and the membership's own points, those earned, and tier."""
    row = await session.fetch_row(_BALANCE, front_end, member_id)
    return None if row is None else (row[0], row[1], row[2], row[3], row[4])


async def ids_of(session: ports.Session, front_end: str, member_id: UUID) -> list[UUID]:
    """Return the ids of a membership and of those that went into it; none where the id means none."""
    return [row["member_id"] for row in await session.fetch(_IDS, front_end, member_id)]


async def moved(session: ports.Session, front_end: str, ids: Sequence[UUID], reference: str, reason: str) -> int | None:
    """Return the points moved for a reference and reason, or None where none were."""
    return await session.fetch_value(_MOVED, front_end, ids, reference, reason)


async def credits(
    session: ports.Session, front_end: str, ids: Sequence[UUID], reference: str, reason: str
) -> list[UUID]:
    """Return the movements that credited points for a reference."""
    return [row["movement_id"] for row in await session.fetch(_CREDITS, front_end, ids, reference, reason)]


async def reversed_so_far(
    session: ports.Session, front_end: str, ids: Sequence[UUID], reference: str, reason: str
) -> int:
    """Return what was taken back of a credit: 0 or less."""
    return await session.fetch_value(_REVERSED, front_end, ids, reference, reason)


async def note_return(
    session: ports.Session, front_end: str, member_id: UUID, cause: Cause, share: api.Share, now: datetime
) -> None:
    """Write down which share of what was credited came back, also where no whole point is due for it yet."""
    out_of = max(1, share.out_of.minor)
    part = min(max(0, share.amount.minor), out_of) if share.out_of.minor > 0 else out_of
    await session.execute(
        _NOTE_RETURN, front_end, member_id, cause.reverses, cause.reason, cause.reference, part, out_of, now
    )


async def returned_so_far(
    session: ports.Session, front_end: str, ids: Sequence[UUID], cause: Cause
) -> list[tuple[int, int]]:
    """Return all parts that came back of what was credited: each so much, and out of how much."""
    rows = await session.fetch(_RETURNED, front_end, ids, cause.reverses, cause.reason)
    return [(row["minor"], row["out_of_minor"]) for row in rows]


async def move(
    session: ports.Session, front_end: str, movement: Movement, tier: str, common: SharedAccount | None = None
) -> None:
    """Write a movement and the balance and tier that follow, in one statement."""
    account = () if common is None else (common.account_id, common.expires_at(movement.at))
    await session.execute(
        _MOVE if common is None else programmes.CHANGE,
        front_end,
        movement.movement_id,
        movement.member_id,
        movement.points,
        movement.reason,
        movement.reference,
        movement.reverses,
        movement.at,
        movement.by,
        movement.earned,
        tier,
        *account,
    )


async def movements(
    session: ports.Session, front_end: str, ids: Sequence[UUID], before: tuple[datetime, UUID], limit: int
) -> list[tuple[UUID, api.PointsMovement]]:
    rows = await session.fetch(_MOVEMENTS, front_end, ids, *before, limit)
    return [
        (
            row["movement_id"],
            api.PointsMovement(
                points=row["points"], reason=row["reason"], reference=row["reference"], at=row["at"], by=row["by"]
            ),
        )
        for row in rows
    ]
