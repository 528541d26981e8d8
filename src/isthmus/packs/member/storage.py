"""Members' rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import decode, encode, ports

from . import api

_TAKEN = """
select given.place from unnest($2::text[], $3::text[]) with ordinality as given (kind, value, place)
join member.identity on front_end = $1 and identity.kind = given.kind and identity.value = given.value
order by given.place limit 1
"""

_PERSONS = """
select kind, value, person_id from unnest($1::text[], $2::text[]) as given (kind, value)
join member.person_identity using (kind, value)
"""

_ADD_PERSONS = "insert into member.person (person_id, made_at) select id, $2 from unnest($1::uuid[]) as id"

_ADD_PERSON_IDENTITIES = """
insert into member.person_identity (kind, value, person_id) select * from unnest($1::text[], $2::text[], $3::uuid[])
on conflict (kind, value) do nothing
"""

_ADD_MEMBERSHIPS = """
insert into member.membership (front_end, member_id, person_id, state, profile, consents, tier, joined_at)
select $1, member_id, person_id, 'active', profile,
       coalesce(string_to_array(nullif(consents, ''), chr(31)), '{}'), $6, $7
from unnest($2::uuid[], $3::uuid[], $4::jsonb[], $5::text[]) as given (member_id, person_id, profile, consents)
"""

_ADD_IDENTITIES = """
insert into member.identity (front_end, kind, value, member_id, is_verified)
select $1, * from unnest($2::text[], $3::text[], $4::uuid[], $5::boolean[])
"""

_MEMBER = """
select member_id, person_id, state, profile, consents, segments, tier, points, joined_at,
    (select coalesce(json_agg(json_build_object('kind', kind, 'value', value, 'is_verified', is_verified)
                              order by kind, value), '[]')
     from member.identity one where one.front_end = $1 and one.member_id = membership.member_id) as identities,
    (select coalesce(json_agg(json_build_object('label', label, 'address', address) order by label), '[]')
     from member.address one where one.front_end = $1 and one.member_id = membership.member_id) as addresses
from member.membership where front_end = $1 and member_id = $2 and state = 'active'
"""

_FIND = "select member_id from member.identity where front_end = $1 and kind = $2 and value = $3"

_BUYER = "select tier, segments from member.membership where front_end = $1 and member_id = $2 and state = 'active'"

_LOCK = """
select member_id, person_id, tier, points, segments from member.membership
where front_end = $1 and member_id = any($2) and state = 'active' order by member_id for update
"""

_UPDATE = """
update member.membership set profile = coalesce($3, profile), consents = coalesce($4, consents)
where front_end = $1 and member_id = $2 and state = 'active'
"""

_MOVE = """
with moved as (
    insert into member.points_movement (front_end, movement_id, member_id, points, reason, reference, at, by)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
)
update member.membership set points = points + $4, tier = $9 where front_end = $1 and member_id = $3
"""

_MOVED = """
select coalesce(sum(points), 0)::bigint as moved, count(*) as times from member.points_movement
where front_end = $1 and member_id = $2 and reference = $3 and reason = $4
"""

_MOVEMENTS = """
select movement_id, points, reason, reference, at, by from member.points_movement
where front_end = $1 and member_id = $2 and (at, movement_id) < ($3, $4)
order by at desc, movement_id desc limit $5
"""

_PUT_ADDRESS = """
insert into member.address (front_end, member_id, label, address) values ($1, $2, $3, $4)
on conflict (front_end, member_id, label) do update set address = excluded.address
"""

_MERGE = (
    "update member.identity set member_id = $2 where front_end = $1 and member_id = $3",
    """insert into member.address (front_end, member_id, label, address)
       select front_end, $2, label, address from member.address where front_end = $1 and member_id = $3
       on conflict do nothing""",
    "delete from member.address where front_end = $1 and member_id = $3 and $2::uuid is not null",
    """update member.points_movement set member_id = $2, reference = reference || '@' || $3::text
       where front_end = $1 and member_id = $3""",
    """update member.membership set points = 0, state = 'merged', merged_into = $2
       where front_end = $1 and member_id = $3""",
)

_ERASE = (
    "delete from member.identity where front_end = $1 and member_id = $2",
    "delete from member.address where front_end = $1 and member_id = $2",
    """update member.membership set state = 'erased', profile = '{}', consents = '{}', segments = '{}'
       where front_end = $1 and member_id = $2""",
    """delete from member.person_identity where person_id = (
           select person_id from member.membership where front_end = $1 and member_id = $2)""",
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A membership that is about to be written."""

    member_id: UUID
    person_id: UUID
    is_new_person: bool
    identities: tuple[api.Identity, ...]
    registration: api.Registration


@dataclass(frozen=True, slots=True)
class Locked:
    """A membership that nobody else can change until the end of the call."""

    member_id: UUID
    person_id: UUID
    tier: str
    points: int
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Points that come or go."""

    movement_id: UUID
    member_id: UUID
    points: int
    reason: str
    reference: str
    at: datetime
    by: str


async def first_taken(session: ports.Session, front_end: str, identities: Sequence[api.Identity]) -> int | None:
    """Return the index of the first identity that a member is known by already."""
    place = await session.fetch_value(
        _TAKEN, front_end, [one.kind for one in identities], [one.value for one in identities]
    )
    return None if place is None else place - 1


async def persons(session: ports.Session, identities: Sequence[api.Identity]) -> dict[tuple[str, str], UUID]:
    """Return the persons of the group that are known by these identities."""
    rows = await session.fetch(_PERSONS, [one.kind for one in identities], [one.value for one in identities])
    return {(row["kind"], row["value"]): row["person_id"] for row in rows}


async def register(session: ports.Session, front_end: str, drafts: Sequence[Draft], tier: str, now: datetime) -> None:
    """Write memberships in four statements, however many."""
    new = sorted({draft.person_id for draft in drafts if draft.is_new_person})
    await session.execute(_ADD_PERSONS, new, now)
    known = [(one, draft) for draft in drafts for one in draft.identities]
    verified = sorted((one.kind, one.value, draft.person_id) for one, draft in known if one.is_verified)
    await session.execute(_ADD_PERSON_IDENTITIES, *([one[at] for one in verified] for at in range(3)))
    await session.execute(
        _ADD_MEMBERSHIPS,
        front_end,
        [draft.member_id for draft in drafts],
        [draft.person_id for draft in drafts],
        [encode(draft.registration.profile) for draft in drafts],
        ["\x1f".join(draft.registration.consents) for draft in drafts],
        tier,
        now,
    )
    await session.execute(
        _ADD_IDENTITIES,
        front_end,
        [one.kind for one, _ in known],
        [one.value for one, _ in known],
        [draft.member_id for _, draft in known],
        [one.is_verified for one, _ in known],
    )


async def member(session: ports.Session, front_end: str, member_id: UUID) -> api.Member | None:
    row = await session.fetch_row(_MEMBER, front_end, member_id)
    return None if row is None else _member(row)


async def find(session: ports.Session, front_end: str, kind: str, value: str) -> UUID | None:
    return await session.fetch_value(_FIND, front_end, kind, value)


async def buyer(session: ports.Session, front_end: str, member_id: UUID) -> tuple[str, tuple[str, ...]] | None:
    """Return tier and segments."""
    row = await session.fetch_row(_BUYER, front_end, member_id)
    return None if row is None else (row["tier"], tuple(row["segments"]))


async def lock(session: ports.Session, front_end: str, *member_ids: UUID) -> dict[UUID, Locked]:
    """Lock memberships in the order of their ids."""
    rows = await session.fetch(_LOCK, front_end, sorted(member_ids))
    return {
        row["member_id"]: Locked(row["member_id"], row["person_id"], row["tier"], row["points"], tuple(row["segments"]))
        for row in rows
    }


async def update(session: ports.Session, front_end: str, ask: api.UpdateMember) -> None:
    profile = None if ask.profile is None else encode(ask.profile)
    consents = None if ask.consents is None else list(ask.consents)
    await session.execute(_UPDATE, front_end, ask.member_id, profile, consents)


async def put_address(session: ports.Session, front_end: str, ask: api.PutAddress) -> None:
    await session.execute(_PUT_ADDRESS, front_end, ask.member_id, ask.label, encode(ask.address))


async def remove_address(session: ports.Session, front_end: str, member_id: UUID, label: str) -> None:
    await session.execute(
        "delete from member.address where front_end = $1 and member_id = $2 and label = $3",
        front_end,
        member_id,
        label,
    )


async def set_segments(session: ports.Session, front_end: str, member_id: UUID, segments: Sequence[str]) -> None:
    await session.execute(
        "update member.membership set segments = $3 where front_end = $1 and member_id = $2",
        front_end,
        member_id,
        list(segments),
    )


async def moved(session: ports.Session, front_end: str, member_id: UUID, reference: str, reason: str) -> int | None:
    """Return the points moved for a reference and reason, or None where none were."""
    row = await session.fetch_row(_MOVED, front_end, member_id, reference, reason)
    return row["moved"] if row is not None and row["times"] else None


async def move(session: ports.Session, front_end: str, movement: Movement, tier: str) -> None:
    """Write a movement and the balance and tier that follow, in one statement."""
    await session.execute(
        _MOVE,
        front_end,
        movement.movement_id,
        movement.member_id,
        movement.points,
        movement.reason,
        movement.reference,
        movement.at,
        movement.by,
        tier,
    )


async def movements(
    session: ports.Session, front_end: str, member_id: UUID, before: tuple[datetime, UUID], limit: int
) -> list[tuple[UUID, api.PointsMovement]]:
    rows = await session.fetch(_MOVEMENTS, front_end, member_id, *before, limit)
    return [
        (
            row["movement_id"],
            api.PointsMovement(
                points=row["points"], reason=row["reason"], reference=row["reference"], at=row["at"], by=row["by"]
            ),
        )
        for row in rows
    ]


async def merge(session: ports.Session, front_end: str, stays: Locked, goes: Locked, segments: Sequence[str]) -> None:
    for statement in _MERGE:
        await session.execute(statement, front_end, stays.member_id, goes.member_id)
    await session.execute(
        "update member.membership set points = points + $3, segments = $4 where front_end = $1 and member_id = $2",
        front_end,
        stays.member_id,
        goes.points,
        list(segments),
    )


async def erase(session: ports.Session, front_end: str, member_id: UUID) -> None:
    for statement in _ERASE:
        await session.execute(statement, front_end, member_id)


def _member(row: ports.Row) -> api.Member:
    return api.Member(
        member_id=row["member_id"],
        person_id=row["person_id"],
        state=row["state"],
        profile=decode(row["profile"], api.Profile),
        identities=decode(row["identities"], tuple[api.Identity, ...]),
        consents=tuple(row["consents"]),
        addresses=decode(row["addresses"], tuple[api.StoredAddress, ...]),
        tier=row["tier"],
        segments=tuple(row["segments"]),
        points=row["points"],
        joined_at=row["joined_at"],
    )
