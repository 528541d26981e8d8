"""What the data platform may read of members: who is a member where, and one person over all front ends. No names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
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


ENTITIES = (Person, Membership)

_ACTIVE = Where("member.membership.state", "=", "active")

METRICS = (
    Count(name="member.members", of="member.membership", where=_ACTIVE, doc="Active memberships.", unit="member"),
    Distinct(
        name="member.persons", field="member.membership.person_id", where=_ACTIVE,
        doc="People with an active membership; one who shops with two front ends counts once.", unit="person",
    ),
    Atomic(
        name="member.points", measure="member.membership.points", where=_ACTIVE,
        doc="Points that members hold now.", unit="point",
    ),
)  # fmt: skip
