"""Ventures: what they send is booked and kept, and what they owe is checked against them as they run.

    its journal ──signed pages──▶ venture.accept-journal → ledger.post          in one transaction
    its sales   ──signed pages──▶ venture.accept-sales → account.find-unknown-accounts in one transaction
    its pages, sign-in and answers ──▶ check → venture.note-findings

Pages are pulled every five minutes, and may be pushed: they are believed for their signature, not for who brings them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, errors, flow
from isthmus.packs.account import api as account
from isthmus.packs.ledger import api as ledger
from isthmus.packs.venture import api as venture

PULL_DEADLINE_MS = 120_000  # a venture that was away for months has many pages
CHECK_DEADLINE_MS = 60_000


class Taken(Value):
    """What was new on a page, and up to which number it is known now."""

    items: int
    number: int
    is_last: bool


class Pull(Value):
    """Pull what is new at a venture; nothing where this front end is none."""


class Pulled(Value):
    """How many entries and sales were new, and how many persons the venture has forgotten."""

    entries: int = 0
    sales: int = 0
    forgotten: int = 0


class Check(Value):
    """Check what a venture owes: all four, or some."""

    obligations: Annotated[tuple[venture.ObligationName, ...], Meta(max_length=4)] = ()


class Checked(Value):
    """What was seen of each obligation."""

    items: tuple[venture.Finding, ...]
    is_met: bool


class End(Value):
    """End a venture. words: what its members read there."""

    because: Annotated[str, Meta(min_length=1, max_length=240)]
    words: Annotated[str, Meta(max_length=400)] = ""


class Ended(Value):
    """What an end came to: how many members can read of it, what is here, and to which day its books are closed."""

    informed: int
    entries: int
    sales: int
    closed_through: date


class Graduate(Value):
    """Make a venture a front end like others. words: what its members read there; operations: all that it has."""

    words: Annotated[str, Meta(max_length=400)] = ""
    operations: Annotated[tuple[venture.Operation, ...], Meta(max_length=200)] = ()


class Graduated(Value):
    """What a graduation came to: members who can read of it, and what was taken."""

    informed: int
    entries: int
    sales: int
    on: date


class NotReady(errors.Conflict):
    """Operations of a venture are still its own."""

    slug = "ventures.not-ready"

    def __init__(self, *, code: str, own: tuple[str, ...]) -> None:
        super().__init__(
            f"{code} still answers {', '.join(own) or 'everything'} by itself",
            remedy="switch each to the platform, or say in joining.toml why it is left",
        )


class BooksDisagree(errors.Conflict):
    """A venture's books do not have what it sold: they are not closed like that."""

    slug = "ventures.books-disagree"

    def __init__(self, *, code: str, first: str) -> None:
        super().__init__(
            f"the books of {code} have {first!r}, and maybe others, otherwise than it was sold",
            remedy=f"see isthmus venture check {code} --only books, have it corrected there, then end it again",
        )


class VentureDown(errors.Unavailable):
    """A venture does not answer as it should."""

    slug = "ventures.venture-down"

    def __init__(self, *, what: str, because: str) -> None:
        super().__init__(
            f"{what}: {because}", remedy="start the venture, and see that url in its charter is where it listens"
        )


class WrongMapping(errors.BadAsk):
    """What a venture says of joining cannot be."""

    slug = "ventures.wrong-mapping"

    def __init__(self, *, file: str, problem: str) -> None:
        super().__init__(
            f"{file}: {problem}", remedy="correct it there; docs/guides/ventures.md shows a whole one", file=file
        )


_TAKING = (
    venture.NoCharter, venture.WrongCharter, venture.NotSigned, venture.ContractBroken, venture.JournalGap,
)  # fmt: skip


@flow(
    "ventures.take-journal",
    version="1.0",
    effect=Effect.WRITE,
    uses=[venture.accept_journal, ledger.post],
    raises=[*_TAKING, venture.JournalRewritten],
    deadline_ms=20_000,
)
def take_journal(ask: venture.SignedPage) -> Taken:
    """Book a page of a venture's journal: every entry once, under its reference, or none of the page."""
    ...


@flow(
    "ventures.take-sales",
    version="1.0",
    effect=Effect.WRITE,
    uses=[venture.accept_sales, account.find_unknown_accounts],
    raises=[*_TAKING, venture.StrangerExported],
    deadline_ms=20_000,
)
def take_sales(ask: venture.SignedPage) -> Taken:
    """Keep a page of what a venture sold, for the lake and the group's metrics, or none of the page."""
    ...


@flow(
    "ventures.pull",
    version="1.0",
    effect=Effect.SAGA,
    uses=[take_journal, take_sales, venture.get_position, venture.list_reminders, venture.note_forgotten],
    raises=[VentureDown],
    deadline_ms=PULL_DEADLINE_MS,
)
def pull(ask: Pull) -> Pulled:
    """Have a venture forget who was erased, then take what is new in its journal and of its sales.

    Safe to repeat and to break off: what was taken stays, and the next pull goes on there.
    """
    ...


@flow(
    "ventures.check",
    version="1.0",
    effect=Effect.SAGA,
    uses=[
        *(take_journal, take_sales, venture.get_position, venture.list_disagreements, venture.note_findings),
        *(account.describe_provider, account.make_trial_link, ledger.trial_balance),
    ],
    deadline_ms=CHECK_DEADLINE_MS,
)
def check(ask: Check) -> Checked:
    """Check what a venture owes, against the venture as it runs and nothing else, and keep what was seen.

    Somebody signs in there by the group's account, whose address reaches nobody; forged tokens are tried; its data is
    asked for without a key; and what is new in its journal and of its sales is taken.
    """
    ...


@flow(
    "ventures.end",
    version="1.0",
    effect=Effect.SAGA,
    uses=[
        *(take_journal, take_sales, venture.get_position, venture.list_reminders, venture.note_forgotten),
        *(venture.list_disagreements, venture.note_left, ledger.get_period, ledger.close_period),
    ],
    raises=[venture.NoCharter, venture.WrongCharter, VentureDown, BooksDisagree],
    deadline_ms=PULL_DEADLINE_MS,
)
def end(ask: End) -> Ended:
    """End a venture in order: it sells nothing more and tells its members, all it has is taken, its books are closed.

    Safe to repeat: what was done stays done. Its keys and its client are withdrawn by who holds the platform.
    """
    ...


@flow(
    "ventures.graduate",
    version="1.0",
    effect=Effect.SAGA,
    uses=[
        *(take_journal, take_sales, venture.get_position, venture.list_reminders, venture.note_forgotten),
        *(venture.list_disagreements, venture.list_operations, venture.note_left),
    ],
    raises=[venture.NoCharter, venture.WrongCharter, VentureDown, BooksDisagree, NotReady],
    deadline_ms=PULL_DEADLINE_MS,
)
def graduate(ask: Graduate) -> Graduated:
    """Make a venture a front end like others: the platform answers each of its operations, and all it had is here.

    It sells nothing more by itself and tells its members; sales and books are compared, and its books stay open, as
    its seat goes on with them. Safe to repeat.
    """
    ...
