"""Memberships, as others may name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Value,
    Verdict,
    capability,
    combine,
    errors,
    event,
    extension_point,
)
from isthmus.markings import Pii
from isthmus.values import Address, Buyer, Code, Moment, attributes_of

from .points import NotAMember

IDENTITIES_MAX = 10
REGISTER_MAX = 1_000
ADDRESSES_MAX = 50
ERASE_DEADLINE_MS = 60_000  # somebody may have had thousands of orders

Name = Annotated[str, Pii("name"), Meta(max_length=120)]
IdentityKind = Literal["email", "phone", "card", "external"]
IdentityValue = Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=254)]
MemberAttributes = Annotated[dict[str, Any], attributes_of("member.membership")]


class Identity(Value):
    """What a person is known by. Only what was verified joins two memberships to one person."""

    kind: IdentityKind
    value: IdentityValue
    is_verified: bool = False


class Profile(Value):
    """What a member says of themselves."""

    given_name: Name = ""
    family_name: Name = ""
    language: Annotated[str, Meta(max_length=35)] = ""
    birthday: Annotated[str, Pii("birth-date"), Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?\Z")] = ""


class Registration(Value):
    """Who joins, and what they agree to."""

    identities: Annotated[tuple[Identity, ...], Meta(min_length=1, max_length=IDENTITIES_MAX)]
    profile: Profile = Profile()
    consents: Annotated[tuple[Code, ...], Meta(max_length=50)] = ()
    attributes: MemberAttributes = {}


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

    kind: IdentityKind
    value: IdentityValue


class StoredAddress(Value):
    """An address under a name that the member gave it."""

    label: Code
    address: Annotated[Address, Pii("address")]


class Member(Value):
    """A member as the front end sees them."""

    member_id: UUID
    merged_ids: tuple[UUID, ...]  # what the memberships were called that went into this one
    person_id: UUID
    state: Literal["active", "merged", "erased"]
    profile: Profile
    identities: tuple[Identity, ...]
    consents: tuple[str, ...]
    addresses: tuple[StoredAddress, ...]
    tier: str
    segments: tuple[str, ...]
    points: int
    joined_at: Moment
    attributes: MemberAttributes = {}


class UpdateMember(Value):
    """Replace profile, consents or the front end's own attributes of a member; what is none stays."""

    member_id: UUID
    profile: Profile | None = None
    consents: Annotated[tuple[Code, ...], Meta(max_length=50)] | None = None
    attributes: MemberAttributes | None = None


class PutIdentity(Value):
    """Add an identity to a member, or say that the one they gave has been verified."""

    member_id: UUID
    identity: Identity


class RemoveIdentity(Value):
    """Take an identity from a member, such as an address that they do not use any more."""

    member_id: UUID
    kind: IdentityKind
    value: IdentityValue


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
    """Say which segments a member is in, such as resellers whose certificate was checked.

    prefix: replace only those that begin with it; without one, only those that nobody marks as theirs with a prefix of
    their own, such as `data:`. Others stay.
    """

    member_id: UUID
    segments: Annotated[tuple[Code, ...], Meta(max_length=50)]
    prefix: Annotated[str, Meta(max_length=20)] = ""


class Merge(Value):
    """Make two memberships one: `member_id` stays, `other_id` goes into it."""

    member_id: UUID
    other_id: UUID
    evidence: Annotated[str, Pii("free-text"), Meta(min_length=1, max_length=240)]


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


class JoinedAccounts(Value):
    """Two accounts in a programme that are one now: which stays, and which went into it."""

    account_id: UUID
    other_id: UUID


@event("member.registration-begun", version="1.0", subject="member_id")
class RegistrationBegun(Value):
    """Somebody registers, and is no member yet; said only where registrations are judged, and never of many at once."""

    member_id: UUID
    identities: tuple[Identity, ...]


@event("member.members-merged", version="1.1", subject="member_id")
class MembersMerged(Value):
    """Two memberships are one now."""

    member_id: UUID
    other_id: UUID
    evidence: Annotated[str, Pii("free-text")]
    account_id: UUID | None = None  # in a programme: which stays, where both had one
    other_account_id: UUID | None = None
    more_accounts: tuple[JoinedAccounts, ...] = ()  # others of the two, which were made elsewhere


@event("member.member-erased", version="1.1", subject="member_id")
class MemberErased(Value):
    """A person's data is to be forgotten, here and by whoever copied it."""

    member_id: UUID
    person_id: UUID
    merged_ids: tuple[UUID, ...] = ()  # what the memberships were called that went into this one


class IdentityTaken(errors.Conflict):
    """A member of this front end is known by this identity already."""

    slug = "member.identity-taken"

    def __init__(self, *, kind: str, path: str) -> None:
        super().__init__(
            f"a member is known by this {kind} already",
            remedy="find them with member.find-member, or merge the two",
            path=path,
        )


class AnotherPerson(errors.Conflict):
    """The identity belongs to somebody whom the group knows as another person."""

    slug = "member.another-person"

    def __init__(self, *, kind: str, path: str) -> None:
        super().__init__(
            f"the group knows another person by this {kind}, with memberships of their own",
            remedy="have the two resolved as one person first, or leave the identity unverified",
            path=path,
        )


class RegistrationRefused(errors.RuleBroken):
    """The front end does not accept this registration."""

    slug = "member.registration-refused"

    def __init__(self, *, reasons: Sequence[str], path: str) -> None:
        super().__init__("; ".join(reasons), remedy="complete the registration, then send it again", path=path)


class MergeConflict(errors.Conflict):
    """The two cannot be made one."""

    slug = "member.merge-conflict"

    def __init__(self) -> None:
        super().__init__("a member cannot be merged into itself", remedy="name two members", path="$.other_id")


@capability("member.register", version="1.0", effect=Effect.WRITE, raises=[IdentityTaken, RegistrationRefused])
def register(ask: Register) -> Registered:
    """Join the front end. A verified identity that the group knows makes it the same person.

    What somebody else merely said to be theirs, and did not verify, is taken from them by who did.
    """
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
    """Replace profile, consents or attributes."""
    ...


@capability(
    "member.put-identity", version="1.0", effect=Effect.WRITE, raises=[NotAMember, IdentityTaken, AnotherPerson]
)
def put_identity(ask: PutIdentity) -> Member:
    """Add an identity, or say that one was verified: from then on the member is found by it in the whole group.

    Verified, it is taken from a member who had merely said that it was theirs.
    """
    ...


@capability("member.remove-identity", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def remove_identity(ask: RemoveIdentity) -> Member:
    """Take an identity from a member. Safe to repeat."""
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


@capability("member.merge", version="1.0", effect=Effect.WRITE, raises=[NotAMember, MergeConflict])
def merge(ask: Merge) -> Member:
    """Make two memberships one: identities, addresses, consents, segments and points come together.

    Where both have an address of one label, the other's gets a label of its own. Movements of points stay as they
    were written. What asks for the other's id is answered for this one from now on.
    """
    ...


@capability("member.erase", version="1.0", effect=Effect.WRITE, raises=[NotAMember], deadline_ms=ERASE_DEADLINE_MS)
def erase(ask: Erase) -> Erased:
    """Forget a person here, in every pack that keeps something of theirs, at once. Points and orders stay, unnamed.

    Orders keep amounts, goods, tax, country and region, and lose contact and address: what has not left by then has
    nowhere to go, so send it or cancel it before. Within seconds the copies follow: answers under idempotency keys,
    events, recorded calls, the lake. The group forgets what the person is known by once no front end has them as a
    member. Safe to repeat.
    """
    ...


@extension_point("member.validate-registration", combine=combine.every)
def validate_registration(registration: Registration) -> Verdict:
    """Refuse who may not join: a consent is lacking, an age, an identity that must be verified. Default: nobody."""
    return ALLOW
