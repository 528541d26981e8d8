"""Members, as others may name them: one person of the group, a membership for each front end.

A person is found again by an identity that was verified, such as an e-mail address or the number of a card, so
who joins a second front end is the same person there. A membership is a front end's own: its tier, its points,
its addresses are seen nowhere else.

    membership:  register ──▶ active ──erase──▶ erased
                                └──merge──▶ merged (into another membership, which keeps everything)

Points are a ledger: the balance is the sum of its movements and never below zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Pass,
    Value,
    Verdict,
    capability,
    combine,
    errors,
    event,
    extension_point,
)
from isthmus.markings import Pii
from isthmus.values import CHANNEL, ORDER_KIND, Address, Buyer, Code, Money, PageSize

IDENTITIES_MAX = 10
REGISTER_MAX = 1_000
ADDRESSES_MAX = 50
POINTS_MAX = 10**9

Name = Annotated[str, Pii("name"), Meta(max_length=120)]
Points = Annotated[int, Meta(ge=1, le=POINTS_MAX)]
Reference = Annotated[str, Meta(min_length=1, max_length=128)]


class Identity(Value):
    """What a person is known by. Only what was verified joins two memberships to one person."""

    kind: Literal["email", "phone", "card", "external"]
    value: Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=254)]
    is_verified: bool = False


class Profile(Value):
    """What a member says of themselves."""

    given_name: Name = ""
    family_name: Name = ""
    language: Annotated[str, Meta(max_length=35)] = ""
    birthday: Annotated[str, Pii("birth-date"), Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""


class Registration(Value):
    """Who joins, and what they agree to."""

    identities: Annotated[tuple[Identity, ...], Meta(min_length=1, max_length=IDENTITIES_MAX)]
    profile: Profile = Profile()
    consents: Annotated[tuple[Code, ...], Meta(max_length=50)] = ()


class Register(Registration):
    """Join the front end as a member."""


class RegisterMany(Value):
    """Join many at once, such as those of an older system."""

    members: Annotated[tuple[Registration, ...], Meta(min_length=1, max_length=REGISTER_MAX)]


class Registered(Value):
    """The new membership, and the person behind it."""

    member_id: UUID
    person_id: UUID
    is_new_person: bool


class RegisteredMany(Value):
    """The memberships in the order of the ask."""

    items: tuple[Registered, ...]


class GetMember(Value):
    """Ask for a member of this front end."""

    member_id: UUID


class FindMember(Value):
    """Find a member of this front end by an identity."""

    kind: Literal["email", "phone", "card", "external"]
    value: Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=254)]


class StoredAddress(Value):
    """An address under a name that the member gave it."""

    label: Code
    address: Annotated[Address, Pii("address")]


class Member(Value):
    """A member as the front end sees them."""

    member_id: UUID
    person_id: UUID
    state: Literal["active", "merged", "erased"]
    profile: Profile
    identities: tuple[Identity, ...]
    consents: tuple[str, ...]
    addresses: tuple[StoredAddress, ...]
    tier: str
    segments: tuple[str, ...]
    points: int
    joined_at: datetime


class UpdateMember(Value):
    """Replace profile and consents of a member; what is none stays."""

    member_id: UUID
    profile: Profile | None = None
    consents: Annotated[tuple[Code, ...], Meta(max_length=50)] | None = None


class PutAddress(Value):
    """Keep an address under a label; one that was there is replaced."""

    member_id: UUID
    label: Code
    address: Annotated[Address, Pii("address")]


class RemoveAddress(Value):
    """Forget an address."""

    member_id: UUID
    label: Code


class SetSegments(Value):
    """Say which segments a member is in, such as resellers whose certificate was checked."""

    member_id: UUID
    segments: Annotated[tuple[Code, ...], Meta(max_length=50)]


class EarnPoints(Value):
    """Credit what an order is worth; `points` none: as many as the front end gives for the amount."""

    member_id: UUID
    reference: Reference
    reason: Code = "order"
    points: Points | None = None
    amount: Money | None = None
    order_kind: str = "standard"
    channel: str = "online"


class SpendPoints(Value):
    """Take points off."""

    member_id: UUID
    reference: Reference
    points: Points
    reason: Code = "spent"


class ReversePoints(Value):
    """Take back what was credited for a reference, as far as the balance goes."""

    member_id: UUID
    reference: Reference
    reason: Code = "order"


class PointsMoved(Value):
    """What was moved, and the balance and tier after it."""

    member_id: UUID
    moved: int
    balance: int
    tier: str


class ListPoints(Value):
    """List movements of points, the latest first."""

    member_id: UUID
    limit: PageSize = 50
    cursor: str | None = None


class PointsMovement(Value):
    """One movement."""

    points: int
    reason: str
    reference: str
    at: datetime
    by: str


class PointsPage(Value):
    """Some movements, and how to go on."""

    items: tuple[PointsMovement, ...]
    next_cursor: str | None


class Merge(Value):
    """Make two memberships one: `member_id` stays, `other_id` goes into it."""

    member_id: UUID
    other_id: UUID
    evidence: Annotated[str, Meta(min_length=1, max_length=240)]


class Erase(Value):
    """Forget a person's data here; what the law keeps stays without it."""

    member_id: UUID


class Erased(Value):
    """The membership that has no person's data any more."""

    member_id: UUID


@event("member.member-registered", version="1.0", subject="member_id")
class MemberRegistered(Value):
    """Someone has joined."""

    member_id: UUID
    person_id: UUID


@event("member.members-merged", version="1.0", subject="member_id")
class MembersMerged(Value):
    """Two memberships are one now."""

    member_id: UUID
    other_id: UUID
    evidence: str


@event("member.tier-changed", version="1.0", subject="member_id")
class TierChanged(Value):
    """A member has another tier."""

    member_id: UUID
    before: str
    after: str


@event("member.points-moved", version="1.0", subject="member_id")
class PointsWereMoved(Value):
    """A member's points are other than before."""

    member_id: UUID
    points: int
    reason: str
    reference: str
    balance: int


@event("member.member-erased", version="1.0", subject="member_id")
class MemberErased(Value):
    """A person's data is to be forgotten, here and by whoever copied it."""

    member_id: UUID
    person_id: UUID


class NotAMember(errors.NotFound):
    """There is no such active member of this front end."""

    slug = "member.not-a-member"

    def __init__(self, *, what: str, path: str = "$.member_id") -> None:
        super().__init__(
            f"{what} is no active member here", remedy="register with member.register, or buy as a guest", path=path
        )


class IdentityTaken(errors.Conflict):
    """A member of this front end is known by this identity already."""

    slug = "member.identity-taken"

    def __init__(self, *, kind: str, path: str) -> None:
        super().__init__(
            f"a member is known by this {kind} already",
            remedy="find them with member.find-member, or merge the two",
            path=path,
        )


class RegistrationRefused(errors.RuleBroken):
    """The front end does not accept this registration."""

    slug = "member.registration-refused"

    def __init__(self, *, reasons: Sequence[str], path: str) -> None:
        super().__init__("; ".join(reasons), remedy="complete the registration, then send it again", path=path)


class PointsShort(errors.RuleBroken):
    """The member has fewer points than are to be spent."""

    slug = "member.points-short"

    def __init__(self, *, balance: int, points: int) -> None:
        super().__init__(
            f"{points} points are to be spent, and the balance is {balance}",
            remedy="spend no more than the balance",
            path="$.points",
            balance=balance,
        )


class MergeConflict(errors.Conflict):
    """The two cannot be made one."""

    slug = "member.merge-conflict"

    def __init__(self) -> None:
        super().__init__("a member cannot be merged into itself", remedy="name two members", path="$.other_id")


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "member.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


@capability("member.register", version="1.0", effect=Effect.WRITE, raises=[IdentityTaken, RegistrationRefused])
def register(ask: Register) -> Registered:
    """Join the front end. A verified identity that the group knows makes it the same person."""
    ...


@capability("member.register-many", version="1.0", effect=Effect.WRITE, raises=[IdentityTaken, RegistrationRefused])
def register_many(ask: RegisterMany) -> RegisteredMany:
    """Join up to 1,000 at once, all or none, in a handful of statements."""
    ...


@capability("member.get-member", version="1.0", effect=Effect.READ, raises=[NotAMember])
def get_member(ask: GetMember) -> Member:
    """Return a member as this front end sees them."""
    ...


@capability("member.find-member", version="1.0", effect=Effect.READ, raises=[NotAMember])
def find_member(ask: FindMember) -> Member:
    """Find a member by what they are known by here."""
    ...


@capability("member.get-buyer", version="1.0", effect=Effect.READ, raises=[NotAMember])
def get_buyer(ask: GetMember) -> Buyer:
    """Return what decisions may know of a member: tier and segments, no name and no address."""
    ...


@capability("member.update-member", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def update_member(ask: UpdateMember) -> Member:
    """Replace profile or consents."""
    ...


@capability("member.put-address", version="1.0", effect=Effect.WRITE, raises=[NotAMember, RegistrationRefused])
def put_address(ask: PutAddress) -> Member:
    """Keep an address under a label; at most 50."""
    ...


@capability("member.remove-address", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def remove_address(ask: RemoveAddress) -> Member:
    """Forget an address. Safe to repeat."""
    ...


@capability("member.set-segments", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def set_segments(ask: SetSegments) -> Buyer:
    """Say which segments a member is in."""
    ...


@capability("member.earn-points", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def earn_points(ask: EarnPoints) -> PointsMoved:
    """Credit points, once for each reference and reason; the tier follows the balance."""
    ...


@capability("member.spend-points", version="1.0", effect=Effect.WRITE, raises=[NotAMember, PointsShort])
def spend_points(ask: SpendPoints) -> PointsMoved:
    """Take points off, once for each reference and reason; never below zero."""
    ...


@capability("member.reverse-points", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def reverse_points(ask: ReversePoints) -> PointsMoved:
    """Take back what was credited for a reference, as far as the balance goes. Safe to repeat."""
    ...


@capability("member.list-points", version="1.0", effect=Effect.READ, raises=[NotAMember, BadCursor])
def list_points(ask: ListPoints) -> PointsPage:
    """List a member's movements of points, the latest first."""
    ...


@capability("member.merge", version="1.0", effect=Effect.WRITE, raises=[NotAMember, MergeConflict])
def merge(ask: Merge) -> Member:
    """Make two memberships one: identities, addresses, segments and points come together."""
    ...


@capability("member.erase", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def erase(ask: Erase) -> Erased:
    """Forget a member's profile, identities and addresses here. Points and orders stay, without a name."""
    ...


@extension_point("member.validate-registration", combine=combine.every)
def validate_registration(registration: Registration) -> Verdict:
    """Refuse who may not join: a consent is lacking, an age, an identity that must be verified. Default: nobody."""
    return ALLOW


@extension_point("member.tier-for", combine=combine.first_answer)
def tier_for(points: int) -> str | Pass:
    """Say which tier a balance of points gives. Default: there are no tiers."""
    return ""


@extension_point("member.points-earned", combine=combine.total, dimensions=[ORDER_KIND, CHANNEL])
def points_earned(amount: Money) -> int | Pass:
    """Say how many points an order of this amount earns; the answers add up. Default: none."""
    return 0
