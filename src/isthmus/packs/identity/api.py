"""People of staff: who may sign in, how they prove who they are, and as what they act at which front end.

A person is invited, and is let in by a link, a password with a second factor, or a passkey. Their roles go with each
call that they make; what a role may is a policy's business. An administrator is an owner of the whole platform.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from isthmus.kernel import Meta, Value, errors
from isthmus.language import mark

OWNER: Final = "owner"
OPERATOR: Final = "operator"
ROLES: Final = (OWNER, OPERATOR, "support", "analyst", "auditor", "deployer")
PASSWORD_MIN: Final = 12
PASSWORD_MAX: Final = 1_024
RELATIONS_MAX: Final = 200  # of one person at one front end: who needs more has a role there
KEY_DIGITS: Final = 16  # of the SHA-256 of a public key, by which it is named

Role = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,99}\Z")]


class RoleAt(Value):
    """A role, and the front end where it is held; `*`: at all of them, and of the platform."""

    role: Role
    front_end: str = "*"


class RelationAt(Value):
    """A role of a part of a front end, `seller/17`, or of all of it, `front-end/fresh`; and until when."""

    role: Role
    front_end: str
    part: str
    ends_at: datetime | None = None

    @property
    def text(self) -> str:
        """Return it as the journal has it."""
        return f"{self.role} {self.part} at {self.front_end}"

    @property
    def until(self) -> str:
        """Return when it ends, or nothing."""
        return self.ends_at.isoformat() if self.ends_at else ""


class Member(Value):
    """Somebody of staff, as a list shows them."""

    name: str
    address: str
    state: str  # invited, active or disabled
    roles: tuple[RoleAt, ...]
    has_password: bool
    has_codes: bool
    passkeys: int
    seen_at: datetime | None


class Signed(Value):
    """A sign-in that stands: on which device, since when, and from where."""

    session_id: int
    how: str
    agent: str
    address: str
    made_at: datetime
    seen_at: datetime
    is_this: bool


class SigningKey(Value):
    """A key that somebody signs with, by what it is named by. state: good, ended or revoked."""

    key: str
    name: str
    label: str
    made_at: datetime
    made_by: str
    ends_at: datetime
    state: str


class WrongName(errors.BadAsk):
    """This is no name of a person."""

    slug = "identity.wrong-name"

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"{name[:70]!r} is no name of a person",
            remedy="use small letters of a to z, digits, dot, dash and underscore, such as ada.l",
            path="name",
        )


class WrongAddress(errors.BadAsk):
    """This is no e-mail address, or one that looks like another."""

    slug = "identity.wrong-address"

    def __init__(self, *, because: str) -> None:
        super().__init__(
            f"this is no e-mail address: {because}",
            remedy="write it in ASCII; a domain with other letters as its xn-- form",
            path="address",
        )


class WrongRole(errors.BadAsk):
    """This is no name of a role."""

    slug = "identity.wrong-role"

    def __init__(self, *, role: str) -> None:
        super().__init__(
            f"{role[:100]!r} is no role", remedy=f"use one of {', '.join(ROLES)}, or one of your policies", path="role"
        )


class WeakPassword(errors.BadAsk):
    """The password is too easy to guess."""

    slug = "identity.weak-password"

    def __init__(self, *, because: str) -> None:
        super().__init__(
            f"this password will not do: {because}",
            remedy="take four words that nobody else puts together",
            path="password",
        )


class NotSignedIn(errors.NotAuthenticated):
    """Who this is was not proved. It does not say what was wrong, so that nobody learns who is here."""

    slug = "identity.not-signed-in"

    def __init__(self, *, because: str = mark("address and password do not belong together")) -> None:
        super().__init__(because, remedy="try again, or ask an owner for a sign-in link")


class TooManyTries(errors.TooMany):
    """Too many wrong tries: the next one has to wait."""

    slug = "identity.too-many-tries"

    def __init__(self, *, wait_s: int) -> None:
        super().__init__(
            f"there were too many wrong tries; the next one is taken in {wait_s} s",
            remedy="wait, sign in on a device that you have signed in on before, or ask an owner for a sign-in link",
        )


class LinkSpent(errors.NotAuthenticated):
    """The link was used, replaced or is too old."""

    slug = "identity.link-spent"

    def __init__(self) -> None:
        super().__init__("this link was used already, or is too old", remedy="ask who sent it for another one")


class NoSuchPerson(errors.NotFound):
    """Nobody here is called so."""

    slug = "identity.no-such-person"

    def __init__(self, *, name: str) -> None:
        super().__init__(f"nobody is called {name!r} here", remedy="see who is: isthmus security people", path="name")


class AlreadyHere(errors.RuleBroken):
    """The name or the address is somebody's already."""

    slug = "identity.already-here"

    def __init__(self, *, what: str) -> None:
        super().__init__(f"{what} is somebody's already", remedy="give that person a role, or take another name")


class LastAdministrator(errors.RuleBroken):
    """Without this person nobody could administer the platform any more."""

    slug = "identity.last-administrator"

    def __init__(self) -> None:
        super().__init__(
            "this is the last administrator of the platform", remedy="make somebody else an owner of it first"
        )


class OwnersOnly(errors.NotPermitted):
    """Only an owner makes an owner, or takes that away."""

    slug = "identity.owners-only"

    def __init__(self, *, front_end: str) -> None:
        where = "the platform" if front_end == "*" else repr(front_end)
        super().__init__(f"only an owner of {where} gives and takes this role", remedy="ask one of them")


class WrongPart(errors.BadAsk):
    """There is no such part of a front end that somebody could be given."""

    slug = "identity.wrong-part"

    def __init__(self, *, part: str, kinds: list[str]) -> None:
        super().__init__(
            f"{part[:140]!r} is no part of a front end",
            remedy=f"write a kind and a name, such as seller/17; kinds are front-end, {', '.join(kinds)}",
            path="part",
        )


class NotYoursToGive(errors.NotPermitted):
    """Somebody gives what they hold themselves, and nobody makes an owner so."""

    slug = "identity.not-yours-to-give"

    def __init__(self, *, role: str, front_end: str) -> None:
        super().__init__(
            f"the role {role!r} at {front_end!r} is not yours to give",
            remedy="give a role that you hold there yourself, or ask an owner",
        )


class EndsBefore(errors.BadAsk):
    """What is given would have ended already."""

    slug = "identity.ends-before"

    def __init__(self, *, ends_at: str) -> None:
        super().__init__(f"{ends_at} is over", remedy="name a time to come, or none", path="until")


class NoSuchRelation(errors.NotFound):
    """Nothing that was given has this number, or it has ended."""

    slug = "identity.no-such-relation"

    def __init__(self, *, relation_id: int) -> None:
        super().__init__(
            f"nothing that was given has the number {relation_id}", remedy="see what was: isthmus security shares"
        )


class TooManyRelations(errors.RuleBroken):
    """Somebody has been given more of one front end than can be looked through at each call."""

    slug = "identity.too-many-relations"

    def __init__(self, *, front_end: str) -> None:
        super().__init__(
            f"nobody is given more than {RELATIONS_MAX} parts of {front_end!r}",
            remedy="end some, or give a role at the front end",
        )


class AlreadyAdministered(errors.RuleBroken):
    """The platform has its first administrator."""

    slug = "identity.already-administered"

    def __init__(self) -> None:
        super().__init__(
            "this platform has had its first administrator", remedy="an owner invites others on the page People"
        )


class Busy(errors.TooMany):
    """Too many passwords are being checked at once."""

    slug = "identity.busy"

    def __init__(self) -> None:
        super().__init__("too many people are signing in at once", remedy="try again in a moment")


class ProviderAway(errors.Unavailable):
    """The provider does not answer, or not as a provider does."""

    slug = "identity.provider-away"

    def __init__(self, *, provider: str, because: str) -> None:
        super().__init__(
            f"the provider {provider!r} cannot be asked now: {because}",
            remedy="try again in a moment, or sign in with a password or a passkey",
        )


class NoKey(errors.Fault):
    """The key under which second factors are sealed cannot be used."""

    slug = "identity.no-key"

    def __init__(self, *, file: str, because: str) -> None:
        super().__init__(f"the key in {file} cannot be used: {because}", remedy="put back the file that was there")


class WrongKey(errors.BadAsk):
    """This is no public key to know somebody's signatures by."""

    slug = "identity.wrong-key"

    def __init__(self, *, because: str) -> None:
        super().__init__(
            f"this is no public Ed25519 key: {because}",
            remedy="take what `isthmus security new-signing-key FILE` prints, or the .pub of `ssh-keygen -t ed25519`",
            path="public_key",
        )


class UnknownKey(errors.NotPermitted):
    """A key signs that is nobody's here."""

    slug = "identity.unknown-key"

    def __init__(self, *, key: str) -> None:
        super().__init__(
            f"key {key[:KEY_DIGITS]!r} is nobody's here",
            remedy="add it under *My account* of the console, or: isthmus security add-signing-key NAME FILE",
        )


class KeyNoLonger(errors.NotPermitted):
    """A key signs that has ended, was revoked, or is of somebody who is let in no more."""

    slug = "identity.key-no-longer"

    def __init__(self, *, key: str, name: str, because: str) -> None:
        super().__init__(
            f"key {key!r} of {name} signs no more: {because}",
            remedy="sign with another key of yours, or add one under *My account* of the console",
        )
