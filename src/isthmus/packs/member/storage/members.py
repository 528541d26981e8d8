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
from . import identities, sealing
from .identities import Names

LOCK_TRIES_MAX = 5  # each further one means that a membership was merged while its lock was waited for

_ADD_PERSONS = "insert into member.person (person_id, made_at) select id, $2 from unnest($1::uuid[]) as id"

_ADD_MEMBERSHIPS = """
insert into member.membership (front_end, member_id, person_id, state, profile, consents, tier, joined_at, attributes,
    sealed_profile)
select $1, member_id, person_id, 'active', profile,
       coalesce(string_to_array(nullif(consents, ''), chr(31)), '{}'), $6, $7, attributes, sealed_profile
from unnest($2::uuid[], $3::uuid[], $4::jsonb[], $5::text[], $8::jsonb[], $9::bytea[])
     as given (member_id, person_id, profile, consents, attributes, sealed_profile)
"""

_MEMBER = """
select member_id, person_id, state, profile, sealed_profile, consents, segments, joined_at, attributes,
    coalesce((select nullif(account.tier, '') from member.account
              where account.account_id = membership.account_id), tier) as tier,
    points + coalesce((select sum(lot.unspent) from member.points_lot lot
        where lot.account_id = membership.account_id
          and (lot.expires_at is null or lot.expires_at > now())), 0)::bigint as points,
    array(select member_id from member.membership one
          where one.front_end = $1 and one.merged_into = membership.member_id order by 1) as merged_ids,
    (select coalesce(json_agg(json_build_object('kind', kind, 'value', value, 'is_verified', is_verified,
                                                'sealed', encode(sealed, 'base64'))), '[]')
     from member.identity one where one.front_end = $1 and one.member_id = membership.member_id) as identities,
    (select coalesce(json_agg(json_build_object('label', label, 'address', address,
                                                'sealed', encode(sealed, 'base64')) order by label), '[]')
     from member.address one where one.front_end = $1 and one.member_id = membership.member_id) as addresses
from member.membership
where front_end = $1 and state = 'active'
  and member_id = (select coalesce(merged_into, member_id) from member.membership asked
                   where asked.front_end = $1 and asked.member_id = $2)
"""

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
    attributes = coalesce($5, attributes), sealed_profile = case when $3 is null then sealed_profile else $6 end
where front_end = $1 and member_id = $2 and state = 'active'
"""

_MERGE = (
    "delete from member.address where front_end = $1 and member_id = $2",
    """update member.membership set points = 0, points_earned = 0, account_id = null,
           state = 'merged', merged_into = $2,
           profile = '{}', sealed_profile = null, consents = '{}', segments = '{}', attributes = '{}'
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


async def register(
    session: ports.Session, front_end: str, drafts: Sequence[Draft], tier: str, now: datetime, known: Names,
    seals: Seals,
) -> None:  # fmt: skip
    """Write memberships in four statements, however many. Raises NotAllWritten."""
    new = sorted({draft.person_id for draft in drafts if draft.is_new_person})
    await session.execute(_ADD_PERSONS, new, now)
    given = [(one, draft) for draft in drafts for one in draft.identities]
    verified = [(one.kind, one.value, draft.person_id) for one, draft in given if one.is_verified]
    await identities.add_of_persons(session, verified, known)
    written = [
        await sealing.of_new(
            session, front_end, one.member_id, rules.named(one.registration.profile), one.identities, seals
        )
        for one in drafts
    ]
    await session.execute(
        _ADD_MEMBERSHIPS,
        front_end,
        [draft.member_id for draft in drafts],
        [draft.person_id for draft in drafts],
        [one.profile for one in written],
        ["\x1f".join(draft.registration.consents) for draft in drafts],
        tier,
        now,
        [encode(draft.attributes) for draft in drafts],
        [one.sealed_profile for one in written],
    )
    whose = [(draft.member_id, one) for one, draft in given]
    await identities.add(session, front_end, whose, known, [text for one in written for text in one.identities])


async def member(session: ports.Session, front_end: str, member_id: UUID, seals: Seals) -> api.Member | None:
    row = await session.fetch_row(_MEMBER, front_end, member_id)
    return None if row is None else _member(row, await sealing.opened(row, session, seals))


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
    seals: Seals,
    profile: api.Profile | None = None,
    consents: Sequence[str] | None = None,
    attributes: dict[str, Any] | None = None,
) -> None:
    clear, sealed = None, None
    if profile is not None:
        clear, sealed = await sealing.profile(session, front_end, member_id, profile, seals)
    agreed, own = None if consents is None else list(consents), None if attributes is None else encode(attributes)
    await session.execute(_UPDATE, front_end, member_id, clear, agreed, own, sealed)


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


async def know_person(
    session: ports.Session, front_end: str, member_id: UUID, person_id: UUID, identity: api.Identity, known: Names
) -> None:
    """Let the group know a person by an identity, and by all that the member was known by before."""
    await identities.add_of_persons(session, [(identity.kind, identity.value, person_id)], known)
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


async def set_segments(session: ports.Session, front_end: str, member_id: UUID, segments: Sequence[str]) -> None:
    await session.execute(
        "update member.membership set segments = $3 where front_end = $1 and member_id = $2",
        front_end,
        member_id,
        list(segments),
    )


async def merge(
    session: ports.Session, front_end: str, stays: Locked, goes: Locked, tier: str, seals: Seals
) -> list[api.JoinedAccounts]:
    """Move what one membership has into another; return the accounts that became one.

    Movements of points stay where they were written.
    """
    one, other = stays.member_id, goes.member_id
    joined = await session.fetch("select stays, goes from member.join_accounts($1, $2)", one, other)
    await identities.follow(session, front_end, one, other, seals)
    await session.execute(_MERGE[0], front_end, other)
    await session.execute(_MERGE[1], front_end, one, other)
    await session.execute(_MERGE[2], front_end, one, other)
    await session.execute(_MERGE[3], front_end, one, goes.points, goes.points_earned, tier)
    if stays.person_id != goes.person_id:
        await session.execute(_MERGE[4], stays.person_id, goes.person_id)
    return [api.JoinedAccounts(account_id=row["stays"], other_id=row["goes"]) for row in joined]


def _locked(row: ports.Row) -> Locked:
    points, earned = row["points"], row["points_earned"]
    return Locked(row["member_id"], row["person_id"], row["tier"], points, earned, row["account_id"])


def _member(row: ports.Row, opened: sealing.Opened) -> api.Member:
    return api.Member(
        member_id=row["member_id"],
        merged_ids=tuple(row["merged_ids"]),
        person_id=row["person_id"],
        state=row["state"],
        profile=opened.profile,
        identities=opened.identities,
        consents=tuple(row["consents"]),
        addresses=opened.addresses,
        tier=row["tier"],
        segments=tuple(row["segments"]),
        points=row["points"],
        joined_at=row["joined_at"],
        attributes=decode(row["attributes"], dict[str, Any]),
    )
