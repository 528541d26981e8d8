"""Members' rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from isthmus.kernel import decode, encode, errors, ports
from isthmus.sealing import Seals
from isthmus.values import Buyer

from .. import api, rules
from . import addresses

LOCK_TRIES_MAX = 5  # each further one means that a membership was merged while its lock was waited for

_TAKEN = """
select given.place
from unnest($2::text[], $3::text[], $4::boolean[]) with ordinality as given (kind, value, is_verified, place)
join member.identity on front_end = $1 and identity.kind = given.kind and identity.value = given.value
where identity.is_verified or not given.is_verified
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
insert into member.membership (front_end, member_id, person_id, state, profile, consents, tier, joined_at, attributes)
select $1, member_id, person_id, 'active', profile,
       coalesce(string_to_array(nullif(consents, ''), chr(31)), '{}'), $6, $7, attributes
from unnest($2::uuid[], $3::uuid[], $4::jsonb[], $5::text[], $8::jsonb[])
     as given (member_id, person_id, profile, consents, attributes)
"""

_ADD_IDENTITIES = """
insert into member.identity (front_end, kind, value, member_id, is_verified)
select $1, * from unnest($2::text[], $3::text[], $4::uuid[], $5::boolean[])
on conflict (front_end, kind, value) do update
    set member_id = excluded.member_id, is_verified = identity.is_verified or excluded.is_verified
    where identity.member_id = excluded.member_id or (excluded.is_verified and not identity.is_verified)
"""

_MEMBER = """
select member_id, person_id, state, profile, consents, segments, joined_at, attributes,
    coalesce((select nullif(account.tier, '') from member.account
              where account.account_id = membership.account_id), tier) as tier,
    points + coalesce((select sum(lot.unspent) from member.points_lot lot
        where lot.account_id = membership.account_id
          and (lot.expires_at is null or lot.expires_at > now())), 0)::bigint as points,
    array(select member_id from member.membership one
          where one.front_end = $1 and one.merged_into = membership.member_id order by 1) as merged_ids,
    (select coalesce(json_agg(json_build_object('kind', kind, 'value', value, 'is_verified', is_verified)
                              order by kind, value), '[]')
     from member.identity one where one.front_end = $1 and one.member_id = membership.member_id) as identities,
    (select coalesce(json_agg(json_build_object('label', label, 'address', address,
                                                'sealed', encode(sealed, 'base64')) order by label), '[]')
     from member.address one where one.front_end = $1 and one.member_id = membership.member_id) as addresses
from member.membership
where front_end = $1 and state = 'active'
  and member_id = (select coalesce(merged_into, member_id) from member.membership asked
                   where asked.front_end = $1 and asked.member_id = $2)
"""

_FIND = "select member_id from member.identity where front_end = $1 and kind = $2 and value = $3"

_BUYER = """
select one.member_id, one.segments, one.account_id, coalesce((select nullif(account.tier, '') from member.account
    where account.account_id = one.account_id), one.tier) as tier
from member.membership asked
join member.membership one on one.front_end = $1 and one.member_id = coalesce(asked.merged_into, asked.member_id)
where asked.front_end = $1 and asked.member_id = $2 and one.state = 'active'
"""

_LOCK = """
select asked.member_id as asked, one.member_id, one.person_id, one.tier, one.points, one.points_earned, one.state,
    one.account_id
from member.membership asked
join member.membership one on one.front_end = $1 and one.member_id = coalesce(asked.merged_into, asked.member_id)
where asked.front_end = $1 and asked.member_id = any($2) order by one.member_id for update of one
"""

_UPDATE = """
update member.membership set profile = coalesce($3, profile), consents = coalesce($4, consents),
    attributes = coalesce($5, attributes)
where front_end = $1 and member_id = $2 and state = 'active'
"""

_MERGE = (
    "update member.identity set member_id = $2 where front_end = $1 and member_id = $3",
    "delete from member.address where front_end = $1 and member_id = $2",
    """update member.membership set points = 0, points_earned = 0, account_id = null,
           state = 'merged', merged_into = $2,
           profile = '{}', consents = '{}', segments = '{}', attributes = '{}'
       where front_end = $1 and member_id = $3""",
    "update member.membership set merged_into = $2 where front_end = $1 and merged_into = $3",
    """update member.membership set points = points + $3, points_earned = points_earned + $4, tier = $5
       where front_end = $1 and member_id = $2""",
    # Who is no member anywhere under the other person's name is this person to the whole group.
    """update member.person_identity set person_id = $1
       where person_id = $2 and member.memberships($2) = 0""",
)

# The account of a programme goes with the person, where that person has none in it yet.
_ACCOUNT_OF_PERSON = """
update member.account one set person_id = $3
where account_id = (select account_id from member.membership where front_end = $1 and member_id = $2)
  and person_id = (select person_id from member.membership where front_end = $1 and member_id = $2)
  and person_id <> $3 and not exists (
      select from member.account other where other.front_end = one.front_end and other.programme = one.programme
          and other.person_id = $3)
"""


class NotAllWritten(Exception):
    """Somebody else has an identity that was to be written."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A membership that is about to be written."""

    member_id: UUID
    person_id: UUID
    is_new_person: bool
    identities: tuple[api.Identity, ...]
    registration: api.Registration
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Locked:
    """A membership that nobody else can change until the end of the call."""

    member_id: UUID
    person_id: UUID
    tier: str
    points: int
    points_earned: int
    account_id: UUID | None = None  # in a programme


async def first_taken(session: ports.Session, front_end: str, identities: Sequence[api.Identity]) -> int | None:
    """Return the index of the first identity that a member is known by already."""
    place = await session.fetch_value(
        _TAKEN,
        front_end,
        [one.kind for one in identities],
        [one.value for one in identities],
        [one.is_verified for one in identities],
    )
    return None if place is None else place - 1


async def persons(session: ports.Session, identities: Sequence[api.Identity]) -> dict[tuple[str, str], UUID]:
    """Return the persons of the group that are known by these identities."""
    rows = await session.fetch(_PERSONS, [one.kind for one in identities], [one.value for one in identities])
    return {(row["kind"], row["value"]): row["person_id"] for row in rows}


async def register(session: ports.Session, front_end: str, drafts: Sequence[Draft], tier: str, now: datetime) -> None:
    """Write memberships in four statements, however many. Raises NotAllWritten."""
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
        [encode(rules.named(draft.registration.profile)) for draft in drafts],
        ["\x1f".join(draft.registration.consents) for draft in drafts],
        tier,
        now,
        [encode(draft.attributes) for draft in drafts],
    )
    tag = await session.execute(
        _ADD_IDENTITIES,
        front_end,
        [one.kind for one, _ in known],
        [one.value for one, _ in known],
        [draft.member_id for _, draft in known],
        [one.is_verified for one, _ in known],
    )
    if tag != f"INSERT 0 {len(known)}":
        raise NotAllWritten


async def member(session: ports.Session, front_end: str, member_id: UUID, seals: Seals) -> api.Member | None:
    row = await session.fetch_row(_MEMBER, front_end, member_id)
    return None if row is None else _member(row, await addresses.opened(row, session, seals))


async def find(session: ports.Session, front_end: str, kind: str, value: str) -> UUID | None:
    return await session.fetch_value(_FIND, front_end, kind, value)


async def buyer(session: ports.Session, front_end: str, member_id: UUID) -> Buyer | None:
    """Return whom an id means, as far as decisions may know."""
    row = await session.fetch_row(_BUYER, front_end, member_id)
    if row is None:
        return None
    segments = tuple(row["segments"])
    return Buyer(member_id=row["member_id"], tier=row["tier"], segments=segments, account_id=row["account_id"])


async def lock(
    session: ports.Session, front_end: str, *member_ids: UUID, states: tuple[str, ...] = ("active",)
) -> dict[UUID, Locked]:
    """Lock the memberships that ids mean, active ones only unless more is said, in one order; by the ids asked for."""
    for _ in range(LOCK_TRIES_MAX):
        rows = await session.fetch(_LOCK, front_end, sorted(member_ids))
        if all(row["state"] != "merged" for row in rows):
            return {row["asked"]: _locked(row) for row in rows if row["state"] in states}
    raise errors.Conflict("a membership is being merged again and again", remedy="try again")


async def one_merge_at_a_time(session: ports.Session, front_end: str) -> None:
    """Wait for other merges of the front end: two that meet half way would each wait for the other."""
    await session.execute("select pg_advisory_xact_lock(hashtextextended('member.merge/' || $1, 0))", front_end)


async def update(
    session: ports.Session,
    front_end: str,
    member_id: UUID,
    *,
    profile: api.Profile | None = None,
    consents: Sequence[str] | None = None,
    attributes: dict[str, Any] | None = None,
) -> None:
    written = [None if one is None else encode(one) for one in (profile, attributes)]
    agreed = None if consents is None else list(consents)
    await session.execute(_UPDATE, front_end, member_id, written[0], agreed, written[1])


async def consent_changes(
    session: ports.Session, front_end: str, ids: Sequence[UUID], limit: int
) -> tuple[api.ConsentChange, ...]:
    """Return what was consented to and taken back, the latest first."""
    rows = await session.fetch(
        """select purpose, is_given, at from member.consent_change
           where front_end = $1 and member_id = any ($2) order by at desc, number desc limit $3""",
        front_end, list(ids), limit,
    )  # fmt: skip
    return tuple(api.ConsentChange(**dict(row)) for row in rows)


async def put_identity(session: ports.Session, front_end: str, member_id: UUID, identity: api.Identity) -> bool:
    """Write an identity, and say whether that could be done."""
    tag = await session.execute(
        _ADD_IDENTITIES, front_end, [identity.kind], [identity.value], [member_id], [identity.is_verified]
    )
    return tag == "INSERT 0 1"


async def know_person(
    session: ports.Session, front_end: str, member_id: UUID, person_id: UUID, identity: api.Identity
) -> None:
    """Let the group know a person by an identity, and by all that the member was known by before."""
    await session.execute(_ADD_PERSON_IDENTITIES, [identity.kind], [identity.value], [person_id])
    await session.execute(
        """update member.person_identity set person_id = $3
           where person_id = (select person_id from member.membership where front_end = $1 and member_id = $2)""",
        front_end,
        member_id,
        person_id,
    )
    await session.execute(_ACCOUNT_OF_PERSON, front_end, member_id, person_id)
    await session.execute(
        "update member.membership set person_id = $3 where front_end = $1 and member_id = $2",
        front_end,
        member_id,
        person_id,
    )


async def memberships(session: ports.Session, person_id: UUID) -> int:
    """Return how many active memberships a person has in the whole group."""
    return await session.fetch_value("select member.memberships($1)", person_id)


async def is_here(session: ports.Session, front_end: str, person_id: UUID) -> bool:
    return await session.fetch_value(
        """select exists (select from member.membership
           where front_end = $1 and person_id = $2 and state = 'active')""",
        front_end,
        person_id,
    )


async def remove_identity(session: ports.Session, front_end: str, locked: Locked, gone: api.Identity) -> None:
    """Delete an identity here; in the group where this is the person's only membership."""
    tag = await session.execute(
        "delete from member.identity where front_end = $1 and kind = $2 and value = $3 and member_id = $4",
        front_end,
        gone.kind,
        gone.value,
        locked.member_id,
    )
    if tag == "DELETE 1":
        await session.execute(
            """delete from member.person_identity
               where kind = $1 and value = $2 and person_id = $3 and member.memberships($3) = 1""",
            gone.kind,
            gone.value,
            locked.person_id,
        )


async def set_segments(session: ports.Session, front_end: str, member_id: UUID, segments: Sequence[str]) -> None:
    await session.execute(
        "update member.membership set segments = $3 where front_end = $1 and member_id = $2",
        front_end,
        member_id,
        list(segments),
    )


async def merge(
    session: ports.Session, front_end: str, stays: Locked, goes: Locked, tier: str
) -> list[api.JoinedAccounts]:
    """Move what one membership has into another; return the accounts that became one.

    Movements of points stay where they were written.
    """
    one, other = stays.member_id, goes.member_id
    joined = await session.fetch("select stays, goes from member.join_accounts($1, $2)", one, other)
    await session.execute(_MERGE[0], front_end, one, other)
    await session.execute(_MERGE[1], front_end, other)
    await session.execute(_MERGE[2], front_end, one, other)
    await session.execute(_MERGE[3], front_end, one, other)
    await session.execute(_MERGE[4], front_end, one, goes.points, goes.points_earned, tier)
    if stays.person_id != goes.person_id:
        await session.execute(_MERGE[5], stays.person_id, goes.person_id)
    return [api.JoinedAccounts(account_id=row["stays"], other_id=row["goes"]) for row in joined]


def _locked(row: ports.Row) -> Locked:
    points, earned = row["points"], row["points_earned"]
    return Locked(row["member_id"], row["person_id"], row["tier"], points, earned, row["account_id"])


def _member(row: ports.Row, stored: tuple[api.StoredAddress, ...]) -> api.Member:
    return api.Member(
        member_id=row["member_id"],
        merged_ids=tuple(row["merged_ids"]),
        person_id=row["person_id"],
        state=row["state"],
        profile=decode(row["profile"], api.Profile),
        identities=decode(row["identities"], tuple[api.Identity, ...]),
        consents=tuple(row["consents"]),
        addresses=stored,
        tier=row["tier"],
        segments=tuple(row["segments"]),
        points=row["points"],
        joined_at=row["joined_at"],
        attributes=decode(row["attributes"], dict[str, Any]),
    )
