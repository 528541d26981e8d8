"""What the data platform may read of members: who is a member where, and one person over all front ends. No names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Atomic, Count, Dimension, Distinct, Key, Measure, Ref, Time, Where, entity


@entity("member.person", table="member.person")
class Person(Value):
    """A human being, whatever memberships they have."""

    person_id: Annotated[UUID, Key()]
    made_at: Annotated[datetime, Time()]


@entity("member.membership", table="member.membership")
class Membership(Value):
    """A person's account with one front end."""

    front_end: Annotated[str, Key(), Dimension()]
    member_id: Annotated[UUID, Key()]
    person_id: Annotated[UUID, Ref("member.person")]
    state: Annotated[Literal["active", "merged", "erased"], Dimension()]
    tier: Annotated[str, Dimension()]
    points: Annotated[int, Meta(ge=0), Measure(unit="point")]
    joined_at: Annotated[datetime, Time()]
    attributes: dict[str, Any]


@entity("member.resolved", table="lake.resolved")
class Resolved(Value):
    """Which person One ID found behind a membership when it last ran; the lake has it, and the business has not."""

    front_end: Annotated[str, Key(), Dimension()]
    member_id: Annotated[UUID, Key(), Ref("member.membership")]
    person_id: UUID


@entity("member.consent", table="member.consent_change", consents=("purpose", "is_given"))
class Consent(Value):
    """What a member consented to, or took back."""

    front_end: Annotated[str, Key(), Dimension()]
    member_id: Annotated[UUID, Key(), Ref("member.membership")]
    number: Annotated[int, Key()]
    purpose: Annotated[str, Dimension()]
    is_given: Annotated[bool, Dimension()]
    at: Annotated[datetime, Time()]


ENTITIES = (Person, Membership, Resolved, Consent)

_ACTIVE = Where("member.membership.state", "=", "active")

METRICS = (
    Count(name="member.members", of="member.membership", where=_ACTIVE, doc="Active memberships.", unit="member"),
    Distinct(
        name="member.persons", field="member.membership.person_id", where=_ACTIVE,
        doc="People with an active membership; one who shops with two front ends counts once.", unit="person",
    ),
    Distinct(
        name="member.resolved-persons", field="member.resolved.person_id", where=_ACTIVE,
        doc="People with an active membership, as One ID last resolved them: by likeness too, not only what was "
        "verified.",
        unit="person",
    ),
    Atomic(
        name="member.points", measure="member.membership.points", where=_ACTIVE,
        doc="Points that members hold now.", unit="point",
    ),
)  # fmt: skip

# What One ID compares of active members, read when it runs and landed nowhere. Who left nothing is in it too:
# the persons whom it finds are then all persons. What is kept encrypted is opened for it in memory, but for what
# members are known by: that is compared by its keyed hash.
RECORDS = """
    select front_end || '/' || member_id as record, front_end, person_id::text as person,
           member_id, sealed_profile, home.sealed as sealed_home,
           nullif(profile ->> 'given_name', '') as given_name, nullif(profile ->> 'family_name', '') as surname,
           nullif(replace(profile ->> 'birthday', '-', ''), '') as date_of_birth,
           nullif(home.address ->> 'street', '') as street, nullif(home.address ->> 'city', '') as suburb,
           nullif(home.address ->> 'postcode', '') as postcode, nullif(home.address ->> 'region', '') as region,
           known.email, coalesce(known.phone, nullif(home.address ->> 'phone', '')) as phone
    from member.membership
    left join lateral (
        select min(value) filter (where kind = 'email') as email, min(value) filter (where kind = 'phone') as phone
        from member.identity
        where identity.front_end = membership.front_end and identity.member_id = membership.member_id
    ) as known on true
    left join lateral (
        select address, sealed from member.address
        where address.front_end = membership.front_end and address.member_id = membership.member_id
        order by label limit 1
    ) as home on true
    where state = 'active'"""
