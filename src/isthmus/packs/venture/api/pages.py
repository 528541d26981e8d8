"""What a venture sends: signed pages of its journal and of its sales, each number once and in order."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Annotated, Final

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.personal import Forget, Forgotten
from isthmus.values import Code, Money

from .errors import ContractBroken, JournalGap, JournalRewritten, NoCharter, NotSigned, WrongCharter
from .joining import Left

PAGE_MAX: Final = 1_000  # items of one page: one transaction stays under a second
BYTES_MAX: Final = 2_000_000


class SignedPage(Value):
    """A page as it came, and its signature over its very bytes."""

    page: Annotated[str, Meta(max_length=BYTES_MAX)]
    signature: Annotated[str, Meta(max_length=200)]


class JournalLeg(Value):
    """What an entry does to one account of the venture: a debit is positive."""

    account: Annotated[str, Meta(max_length=160)]
    amount: Money


class JournalEntry(Value):
    """An entry of a venture's journal. subject: the sale that it is about, where it is about one."""

    reference: Annotated[str, Meta(min_length=1, max_length=120)]
    kind: Code
    date: date
    legs: Annotated[tuple[JournalLeg, ...], Meta(min_length=2, max_length=100)]
    subject: Annotated[str, Meta(max_length=120)] = ""


class AcceptedJournal(Value):
    """The entries of a page that are new, and where the journal stands."""

    entries: tuple[JournalEntry, ...]
    number: int
    is_last: bool


class AcceptedSales(Value):
    """Whom a page of sales names that had not been named before, with where on the page, and how many are new."""

    members: dict[str, str]
    sales: int
    number: int
    is_last: bool


class Position(Value):
    """How far journal and sales of a venture were taken; hash: of the last entry. left_on, left_by: where it has."""

    journal: int = 0
    hash: str = ""
    sales: int = 0
    left_on: date | None = None
    left_by: Left | None = None


def entry_hash(before: str, entry: str) -> str:
    """Return the hash of an entry as it was sent, which the next one names."""
    return hashlib.sha256((before + entry).encode()).hexdigest()


_REFUSED = (NoCharter, WrongCharter, NotSigned, ContractBroken, JournalGap)


class GetPosition(Value):
    """Ask how far a venture's pages were taken."""


@capability("venture.get-position", version="1.0", effect=Effect.READ)
def get_position(ask: GetPosition) -> Position:
    """Return how far journal and sales of the venture were taken."""
    ...


@capability(
    "venture.accept-journal",
    version="1.0",
    effect=Effect.WRITE,
    is_internal=True,
    raises=[*_REFUSED, JournalRewritten],
)
def accept_journal(ask: SignedPage) -> AcceptedJournal:
    """Accept a page of a venture's journal: signed, chained to what was taken, balanced; or refuse all of it."""
    ...


@capability("venture.accept-sales", version="1.0", effect=Effect.WRITE, is_internal=True, raises=_REFUSED)
def accept_sales(ask: SignedPage) -> AcceptedSales:
    """Accept a page of what a venture sold: signed, whole, by its contract; or refuse all of it."""
    ...


@capability("venture.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Forget who bought at ventures, by the accounts among the references, and have each venture reminded to."""
    ...
