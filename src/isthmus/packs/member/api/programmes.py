"""Programmes of several front ends, as others may name them: points are earned and spent anywhere.

A programme is its owner's, who lets others take part by a grant of `member.programme`. A member joins it at a front
end; the person has one account in it, whatever front ends they join it at. Each front end gives and takes points by its
own rules; the tier follows what was earned everywhere. Points lie in lots, with who gave them and when they expire; the
lot that expires first is spent first. Who takes points that another gave has a claim: `member.points-honoured`.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import Code, Moment

from .points import NotAMember

TIERS_MAX = 20
EXPIRE_MAX = 500  # lots in one transaction: it holds the lock of every account that they are in


class Tier(Value):
    """A tier, and from how many points earned in all it is had."""

    tier: Annotated[str, Meta(min_length=1, max_length=64)]
    earned: Annotated[int, Meta(ge=0, le=10**12)]


class Programme(Value):
    """A programme; with no tiers each front end says its own, by what was earned everywhere."""

    code: Code
    name: Annotated[str, Meta(max_length=120)] = ""
    valid_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None  # of points; None: they never expire
    tiers: Annotated[tuple[Tier, ...], Meta(max_length=TIERS_MAX)] = ()


class PutProgramme(Programme):
    """Make a programme, or change it. Points that were given keep their day."""


class ProgrammePut(Value):
    """The programme that stands now."""

    code: Code


class JoinProgramme(Value):
    """Let a member take part in a programme. Points that they have here go into it."""

    member_id: UUID
    programme: Code
    owner: Code | None = None  # None: this front end's own


class LeaveProgramme(Value):
    """Let a member take part no more here; what is in the account stays there, for the other front ends."""

    member_id: UUID


class Lot(Value):
    """Points that expire together, and the front end that gave them."""

    issuer: str
    unspent: int
    expires_at: Moment | None


class GetAccount(Value):
    """Ask for a member's account in the programme that they joined."""

    member_id: UUID


class ProgrammeAccount(Value):
    """What a member has in a programme; None where they joined none, or it is not granted any more."""

    member_id: UUID
    owner: str | None
    programme: str | None
    points: int
    earned: int
    tier: str
    lots: tuple[Lot, ...]


class ExpirePoints(Value):
    """Let points go whose day has come, in programmes that this front end owns; take in what others found of its own.

    Points of members who are erased go too: nobody can ask for them.
    """

    limit: Annotated[int, Meta(ge=1, le=EXPIRE_MAX)] = EXPIRE_MAX


class PointsExpired(Value):
    """How many points went now."""

    points: int


class ListJoined(Value):
    """Ask where else the person behind a membership takes part in the same programme."""

    member_id: UUID


class JoinedElsewhere(Value):
    """A membership at another front end."""

    front_end: str
    member_id: UUID


class JoinedPlaces(Value):
    """Memberships of one person in one programme, at other front ends."""

    items: tuple[JoinedElsewhere, ...]


@event("member.programme-joined", version="1.0", subject="member_id")
class ProgrammeJoined(Value):
    """A member takes part in a programme."""

    member_id: UUID
    owner: str
    programme: str


@event("member.points-honoured", version="1.0", subject="reference")
class PointsHonoured(Value):
    """Points that one front end had given were taken by another, which has a claim on it for them."""

    from_front_end: str
    to_front_end: str
    points: int
    owner: str
    programme: str
    reference: str
    reason: str


@event("member.points-lapsed", version="1.0", subject="issuer")
class PointsLapsed(Value):
    """Points that a front end had given have expired: nobody will ask for them. It says so itself, whoever found it."""

    issuer: str
    points: int
    programme: str


@event("member.points-spent-elsewhere", version="1.0", subject="issuer")
class PointsSpentElsewhere(Value):
    """Points that a front end had given were taken by others, with a claim for them: members will not ask for them."""

    issuer: str
    points: int
    programme: str


class UnknownProgramme(errors.NotFound):
    """There is no such programme that this front end owns or takes part in."""

    slug = "member.unknown-programme"

    def __init__(self, *, programme: str) -> None:
        super().__init__(
            f"there is no programme {programme!r} that you own or take part in",
            remedy="ask its owner for a grant of member.programme, or make one with member.put-programme",
            path="$.programme",
        )


class InAnotherProgramme(errors.Conflict):
    """The member takes part in another programme."""

    slug = "member.in-another-programme"

    def __init__(self) -> None:
        super().__init__(
            "the member takes part in another programme",
            remedy="leave that one first with member.leave-programme",
            path="$.programme",
        )


@capability("member.put-programme", version="1.0", effect=Effect.WRITE)
def put_programme(ask: PutProgramme) -> ProgrammePut:
    """Make a programme of one's own, or change its name, its tiers, and how long points are good for from now on."""
    ...


@capability(
    "member.join-programme",
    version="1.0",
    effect=Effect.WRITE,
    raises=[NotAMember, UnknownProgramme, InAnotherProgramme],
)
def join_programme(ask: JoinProgramme) -> ProgrammeAccount:
    """Let a member take part in a programme, with the points that they have here. Safe to repeat.

    From then on points are earned, spent and taken back in the person's account, at every front end where they joined.
    """
    ...


@capability("member.leave-programme", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def leave_programme(ask: LeaveProgramme) -> ProgrammeAccount:
    """Let a member take part no more at this front end. Safe to repeat."""
    ...


@capability("member.get-account", version="1.0", effect=Effect.READ, raises=[NotAMember])
def get_account(ask: GetAccount) -> ProgrammeAccount:
    """Return what a member has in the programme, lot by lot in the order in which they are spent."""
    ...


@capability("member.list-joined", version="1.0", effect=Effect.READ, is_internal=True)
def list_joined(ask: ListJoined) -> JoinedPlaces:
    """Return where else a person takes part in the programme that this member joined; nowhere without one."""
    ...


@capability("member.expire-points", version="1.0", effect=Effect.WRITE)
def expire_points(ask: ExpirePoints) -> PointsExpired:
    """Let points go whose day has come, and say of all points that this front end gave and that are gone that they are.

    Points of a past day are never spent, whether this has run or not. Who finds them gone, or takes them, writes it
    down for the front end that gave them; this takes it and tells it (`member.points-lapsed`,
    `member.points-spent-elsewhere`) in one transaction, each once.
    """
    ...
