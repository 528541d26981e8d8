"""One profile of the group: what a member lets other front ends read of what they said here, and what those read.

What a member says lies with the membership where they said it. Another front end reads of it what the member consented
to there, as long as it has the same person as a member; nobody else learns that there is anything.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import Code, Moment

from .members import IdentityValue, Profile
from .points import NotAMember

SHARES_MAX = 200  # of one membership, with those that ended

ProfileField = Literal["given_name", "family_name", "language", "birthday", "email", "phone"]


class ShareProfile(Value):
    """Let another front end read these fields of a member's profile, as the member says; none: nothing any more."""

    member_id: UUID
    to: Code
    fields: Annotated[tuple[ProfileField, ...], Meta(max_length=6)]


class ListProfileShares(Value):
    """Ask what a member lets others read, and let them read before."""

    member_id: UUID


class ProfileShare(Value):
    """What one other front end may read, from when until when; an end of None: now."""

    to: str
    fields: tuple[ProfileField, ...]
    given_at: Moment
    ended_at: Moment | None


class ProfileShares(Value):
    """What a member lets others read, the latest first."""

    items: tuple[ProfileShare, ...]


class ReadProfile(Value):
    """Ask for a member's profile as this front end may read it, with what they said at other front ends."""

    member_id: UUID


class ProfileSource(Value):
    """Another front end whose member lets this one read these fields."""

    front_end: str
    fields: tuple[ProfileField, ...]


class GroupProfile(Value):
    """What was said here, filled with what was said elsewhere and may be read here, the latest consent first."""

    member_id: UUID
    profile: Profile
    email: IdentityValue | None
    phone: IdentityValue | None
    sources: tuple[ProfileSource, ...]


@capability("member.share-profile", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def share_profile(ask: ShareProfile) -> ProfileShares:
    """Write down what a member lets another front end read of their profile, in place of what they let it before.

    A share ends with the membership: whoever is erased here is read nowhere.
    """
    ...


@capability("member.list-profile-shares", version="1.0", effect=Effect.READ, raises=[NotAMember])
def list_profile_shares(ask: ListProfileShares) -> ProfileShares:
    """List what a member lets other front ends read, with what has ended."""
    ...


@capability("member.read-profile", version="1.0", effect=Effect.READ, raises=[NotAMember])
def read_profile(ask: ReadProfile) -> GroupProfile:
    """Return the one profile of a member: what they said here, filled with what they let this front end read."""
    ...
