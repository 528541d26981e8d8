"""Accounts of programmes: SQL. A membership is locked before its account, and an account before its lots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from isthmus.kernel import decode, encode, ports

from .. import api

_PUT = """
insert into member.programme (front_end, code, name, valid_days, tiers) values ($1, $2, $3, $4, $5)
on conflict (front_end, code) do update
    set name = excluded.name, valid_days = excluded.valid_days, tiers = excluded.tiers
"""

_LOCK = "select account_id from member.account where account_id = $1 for update"

# Points whose day has come are gone, whether the job has run or not: who gave them is told by whoever finds it.
_EXPIRE = """
with gone as (
    update member.points_lot set expired = expired + unspent, unspent = 0
    where account_id = $1 and unspent > 0 and expires_at <= $2 returning issuer, lot_id, expired
), noted as (
    insert into member.points_gone (front_end, programme, account_id, lot_id, why, points)
    select issuer, programme, $1, lot_id, 'lapsed', expired from gone, member.account where account_id = $1
), left_over as (
    update member.account set points = points - (select sum(expired) from gone)
    where account_id = $1 and exists (select from gone)
)
select coalesce(sum(expired), 0)::bigint from gone
"""

_ACCOUNT = """
select a.account_id, a.front_end as owner, a.programme, a.points, a.earned, a.tier, p.valid_days, p.tiers
from member.account a join member.programme p on p.front_end = a.front_end and p.code = a.programme
where a.account_id = $1
"""

CHANGE = """
with moved as (
    insert into member.points_movement
        (front_end, movement_id, member_id, points, reason, reference, reverses, at, by, account_id)
    select $1, $2, $3, $4::bigint, $5, $6, $7, $8, $9, $12 where $4::bigint <> 0
), given as (
    insert into member.points_lot (account_id, lot_id, issuer, points, unspent, expires_at)
    select $12, $2, $1, $4, $4, $13 where $4::bigint > 0
)
update member.account set points = points + $4, earned = earned + $10, tier = $11 where account_id = $12
"""

# What expires first is taken first; of what a credit gave, that is taken back first.
_TAKE = """
with open as (
    select lot_id, unspent,
        sum(unspent) over (order by lot_id = any ($3::uuid[]) desc, expires_at nulls last, lot_id) as so_far
    from member.points_lot where account_id = $1 and unspent > 0
), taken as (
    update member.points_lot lot set unspent = lot.unspent - least(open.unspent, $2 - open.so_far + open.unspent)
    from open
    where lot.account_id = $1 and lot.lot_id = open.lot_id and open.so_far - open.unspent < $2
    returning lot.issuer, lot.lot_id, least(open.unspent, $2 - open.so_far + open.unspent) as points
), noted as (
    insert into member.points_gone (front_end, programme, account_id, lot_id, why, points)
    select issuer, programme, $1, lot_id, 'spent', taken.points
    from taken, member.account where account_id = $1 and issuer <> $4
)
select issuer, sum(points)::bigint as points from taken group by issuer order by issuer
"""

_LOTS = """
select issuer, unspent, expires_at from member.points_lot
where account_id = $1 and unspent > 0 and (expires_at is null or expires_at > $2)
order by expires_at nulls last, lot_id
"""

_JOIN = "update member.membership set account_id = $3 where front_end = $1 and member_id = $2"

# A membership's own points, once it has an account: they leave it, and come into the account.
_EMPTY = """
with had as (
    select points, points_earned from member.membership where front_end = $1 and member_id = $2 for update
), emptied as (
    update member.membership set points = 0, points_earned = 0
    where front_end = $1 and member_id = $2 and (points > 0 or points_earned > 0)
), gone as (
    insert into member.points_movement (front_end, movement_id, member_id, points, reason, reference, at, by)
    select $1, $3::uuid, $2, -points, 'into-programme', $3::uuid::text, $4, $5 from had where points > 0
)
select points, points_earned from had
"""

_DUE = """
select account_id from member.account a
where front_end = $1 and exists (
    select from member.points_lot lot
    where lot.account_id = a.account_id and lot.unspent > 0 and lot.expires_at <= $2)
order by account_id limit $3 for update skip locked
"""

_FORGOTTEN = """
select member_id from member.membership
where front_end = $1 and state = 'erased' and points > 0 order by member_id limit $2 for update skip locked
"""

# What is taken is told in the same transaction: each once.
_GONE = """
with due as (
    select gone_id from member.points_gone where front_end = $1 order by gone_id limit $2
), gone as (
    delete from member.points_gone noted using due where noted.gone_id = due.gone_id returning programme, why, points
)
select programme, why, sum(points)::bigint as points from gone group by programme, why order by programme, why
"""
GONE_MAX = 20_000  # rows that are taken in one statement: the points that others took in some minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAccount:
    """A person's account in a programme, which nobody else can change until the end of the call."""

    account_id: UUID
    owner: str
    programme: str
    points: int
    earned: int
    tier: str
    valid_days: int | None
    tiers: tuple[api.Tier, ...]

    def expires_at(self, now: datetime) -> datetime | None:
        return None if self.valid_days is None else now + timedelta(days=self.valid_days)


async def put(session: ports.Session, front_end: str, ask: api.Programme) -> None:
    await session.execute(_PUT, front_end, ask.code, ask.name, ask.valid_days, encode(ask.tiers))


async def account_of(session: ports.Session, owner: str, programme: str, person_id: UUID, new_id: UUID) -> UUID | None:
    """Return a person's account, made and locked; None where the programme is not the front end's to use."""
    return await session.fetch_value("select member.account_of($1, $2, $3, $4)", owner, programme, person_id, new_id)


async def lock(session: ports.Session, account_id: UUID, now: datetime) -> SharedAccount | None:
    """Lock an account and let go what has expired; None where its programme is not granted any more."""
    if await session.fetch_value(_LOCK, account_id) is None:
        return None
    await session.execute(_EXPIRE, account_id, now)
    return await find(session, account_id)


async def find(session: ports.Session, account_id: UUID) -> SharedAccount | None:
    row = await session.fetch_row(_ACCOUNT, account_id)
    if row is None:
        return None
    return SharedAccount(
        account_id=account_id,
        owner=row["owner"],
        programme=row["programme"],
        points=row["points"],
        earned=row["earned"],
        tier=row["tier"],
        valid_days=row["valid_days"],
        tiers=decode(row["tiers"], tuple[api.Tier, ...]),
    )


async def take(
    session: ports.Session, front_end: str, account_id: UUID, points: int, first: Sequence[UUID]
) -> list[tuple[str, int]]:
    """Take points out of the lots of an account, those named first; return how many of whom, and tell the others."""
    rows = await session.fetch(_TAKE, account_id, points, first, front_end)
    return [(row["issuer"], row["points"]) for row in rows]


async def lots(session: ports.Session, account_id: UUID, now: datetime) -> tuple[api.Lot, ...]:
    rows = await session.fetch(_LOTS, account_id, now)
    return tuple(api.Lot(issuer=row["issuer"], unspent=row["unspent"], expires_at=row["expires_at"]) for row in rows)


async def join(session: ports.Session, front_end: str, member_id: UUID, account_id: UUID) -> None:
    """Link a membership with an account; its own points stay where they are."""
    await session.execute(_JOIN, front_end, member_id, account_id)


async def empty(
    session: ports.Session, front_end: str, member_id: UUID, movement_id: UUID, now: datetime, by: str
) -> tuple[int, int]:
    """Take a membership's own points off it; return how many it had, and had earned in all."""
    row = await session.fetch_row(_EMPTY, front_end, member_id, movement_id, now, by)
    return (0, 0) if row is None else (row["points"], row["points_earned"])


async def leave(session: ports.Session, front_end: str, member_id: UUID) -> None:
    await session.execute(
        "update member.membership set account_id = null where front_end = $1 and member_id = $2", front_end, member_id
    )


async def joined(session: ports.Session, member_id: UUID) -> tuple[api.JoinedElsewhere, ...]:
    rows = await session.fetch("select * from member.joined($1) order by front_end, member_id", member_id)
    return tuple(api.JoinedElsewhere(front_end=row["front_end"], member_id=row["member_id"]) for row in rows)


async def expire(session: ports.Session, front_end: str, now: datetime, limit: int) -> int:
    """Let points go whose day has come, in so many accounts of one's own programmes; return how many."""
    due = await session.fetch(_DUE, front_end, now, limit)
    return sum([await session.fetch_value(_EXPIRE, one["account_id"], now) for one in due])


async def forgotten(session: ports.Session, front_end: str, limit: int) -> list[UUID]:
    """Return memberships that are erased and have points of their own still."""
    return [row["member_id"] for row in await session.fetch(_FORGOTTEN, front_end, limit)]


async def take_gone(session: ports.Session, front_end: str) -> Sequence[ports.Row]:
    """Take what is told of points that a front end gave and that are gone: how many, by programme and why."""
    return await session.fetch(_GONE, front_end, GONE_MAX)
