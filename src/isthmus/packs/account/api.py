"""Shoppers, as others may name them: one account for the group, signed in by a link that comes by e-mail.

    authorize ──▶ sign-in ──▶ ask_for_link ──▶ LinkAsked ──▶ (a flow writes the mail) ──▶ link ──▶ code ──▶ tokens

Isthmus is the OpenID Connect provider of its front ends. A front end that does not want it does not use `account.*`,
and is as it was.
"""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.markings import Pii
from isthmus.personal import Forget, Forgotten

LINK_S: Final = 900  # how long a link is good
LINKS_MAX: Final = 5  # of one address in that time: nobody fills another's letter box

Email = Annotated[str, Pii("email"), Meta(min_length=3, max_length=254)]


class AskForLink(Value):
    """Ask that a link be sent. interaction: the hash of what the browser that asks keeps; it is good there alone."""

    address: Email
    interaction: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Asked(Value):
    """That it was asked for; whether anybody has the address is not said."""

    is_sent: bool = True


@event("account.link-asked", version="1.0", subject="link_id")
class LinkAsked(Value):
    """Somebody asked for a link to sign in by."""

    link_id: UUID


@event("account.sign-in-begun", version="1.0", subject="link_id")
class SignInBegun(Value):
    """Somebody wants to sign in, and no link was sent yet; said only where sign-ins are judged."""

    link_id: UUID
    address: Email


class MakeLink(Value):
    """Ask what a link that was asked for is."""

    link_id: UUID


class Link(Value):
    """A link, and whom it is for."""

    address: Email
    url: Annotated[str, Pii("identifier")]
    minutes: int


class WrongAddress(errors.BadAsk):
    """This is no e-mail address, or one that looks like another."""

    slug = "account.wrong-address"

    def __init__(self) -> None:
        super().__init__(
            "this is no e-mail address in ASCII, such as name@example.org",
            remedy="write it in ASCII; a domain with other letters as its xn-- form",
            path="$.address",
        )


class SignInRefused(errors.RuleBroken):
    """Somebody who looks at sign-ins before they count does not let this one through. Who looks says why."""

    slug = "account.sign-in-refused"


class UnknownLink(errors.NotFound):
    """Nobody asked for this link, or too long ago."""

    slug = "account.unknown-link"

    def __init__(self, *, link_id: UUID) -> None:
        super().__init__(
            f"no link {link_id} was asked for", remedy="ask for one: account.ask-for-link", path="$.link_id"
        )


class LinkSpent(errors.NotAuthenticated):
    """The link was used, is too old, or was opened elsewhere than where it was asked for."""

    slug = "account.link-spent"

    def __init__(self) -> None:
        super().__init__(
            "this link was used already, is too old, or was asked for in another browser",
            remedy="open it in the browser in which you asked for it, or ask for another one",
        )


class NoKey(errors.Fault):
    """The key under which the signing keys are sealed cannot be used."""

    slug = "account.no-key"

    def __init__(self, *, file: str, because: str) -> None:
        super().__init__(f"the key in {file} cannot be used: {because}", remedy="put back the file that was there")


@capability("account.ask-for-link", version="1.0", effect=Effect.WRITE, raises=[WrongAddress, SignInRefused])
def ask_for_link(ask: AskForLink) -> Asked:
    """Have a link to sign in by sent to an address; of too many in a quarter of an hour, no more is sent."""
    ...


@capability("account.make-link", version="1.0", effect=Effect.READ, is_internal=True, raises=[UnknownLink])
def make_link(ask: MakeLink) -> Link:
    """Return a link that was asked for: for the mail that it stands in, and nothing else."""
    ...


class DescribeProvider(Value):
    """Ask where people sign in, and what is known of a client."""

    client: Annotated[str, Meta(max_length=200)]


class Provider(Value):
    """Where people sign in, and where a client may have them sent back to; none: the client is not known.

    asked_cookie: under which name a browser keeps what it has begun.
    """

    issuer: str
    redirects: tuple[str, ...]
    asked_cookie: str
    front_end: str = ""


class MakeTrialLink(Value):
    """Make a link for a trial of a client's sign-in. interaction: as of `AskForLink`."""

    client: Annotated[str, Meta(max_length=200)]
    interaction: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class FindUnknownAccounts(Value):
    """Ask which of some accounts never signed in at a client."""

    client: Annotated[str, Meta(max_length=200)]
    accounts: Annotated[tuple[Annotated[str, Pii("identifier"), Meta(max_length=64)], ...], Meta(max_length=1_000)]


class UnknownAccounts(Value):
    """Those who never did."""

    accounts: tuple[Annotated[str, Pii("identifier")], ...]


@capability("account.describe-provider", version="1.0", effect=Effect.READ, is_internal=True)
def describe_provider(ask: DescribeProvider) -> Provider:
    """Return where people sign in, and where a client may have them sent back to."""
    ...


@capability("account.make-trial-link", version="1.0", effect=Effect.WRITE, is_internal=True)
def make_trial_link(ask: MakeTrialLink) -> Link:
    """Return a link for a trial of a client's sign-in: its account is nobody's, at an address that no mail reaches."""
    ...


@capability("account.find-unknown-accounts", version="1.0", effect=Effect.READ, is_internal=True)
def find_unknown_accounts(ask: FindUnknownAccounts) -> UnknownAccounts:
    """Return which of some accounts never signed in at a client."""
    ...


@capability("account.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Forget the accounts of addresses, and end what they are signed in at."""
    ...
