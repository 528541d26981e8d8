"""Entries, as others may name them: drafts, legs, what was booked, and what undoes it."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Annotated, Final, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import Code, CurrencyCode, Moment, Money, PageSize, money

from .accounts import AccountCode, Owner
from .errors import (
    AlreadyEnded,
    AlreadyReversed,
    BadCursor,
    BoundExceeded,
    NotReversible,
    PeriodClosed,
    ReferenceUsed,
    Unbalanced,
    UnknownEntry,
    WrongExchange,
    WrongLeg,
)

LEGS_MAX: Final = 1_000  # an order has at most so many lines
BATCH_MAX: Final = 1_000

_code = lru_cache(4_096)(re.compile(r"(assets|liabilities|income|expenses|equity)(:[a-z0-9][a-z0-9-]*)+").fullmatch)
_owner = lru_cache(4_096)(re.compile(r"((front-end|seller|member|provider)/[\x21-\x7e]+)?").fullmatch)

Reference = Annotated[str, Meta(min_length=1, max_length=160)]
Subject = Annotated[str, Meta(max_length=128, description="what the entry is about, such as an order's id")]
Rate = Annotated[
    str,
    Meta(
        pattern=r"^(1/)?[0-9]{1,9}(\.[0-9]{1,12})?\Z",
        description="how much of the bought currency for one of the sold; 1/… is the exact inverse",
    ),
]
WhenClosed = Literal["refuse", "next-open-day"]


class EntryState(enum.StrEnum):
    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


class EntryLeg(Value):
    """What an entry does to one account: a debit is positive, a credit negative."""

    account: AccountCode
    amount: Money
    owner: Owner = ""


class EntryDraft(Value):
    """An entry that is to be booked. Without a value date it counts for the day of the call, or the next open one."""

    reference: Reference
    kind: Code
    legs: Annotated[tuple[EntryLeg, ...], Meta(min_length=2, max_length=LEGS_MAX)]
    value_date: date | None = None
    when_closed: WhenClosed = "refuse"  # where value_date is closed
    is_pending: bool = False
    expires_at: Moment | None = None  # of a pending entry: then it is over by itself
    subject: Subject = ""
    memo: Annotated[str, Meta(max_length=240)] = ""
    metadata: Annotated[dict[str, str], Meta(max_length=32)] = {}


class Post(Value):
    """Book entries, all or none."""

    entries: Annotated[tuple[EntryDraft, ...], Meta(min_length=1, max_length=BATCH_MAX)]


class PostedEntry(Value):
    """An entry that was booked; is_news: by this call, and not under the same reference before."""

    entry_id: UUID
    reference: str
    state: EntryState
    value_date: date
    is_news: bool


class Posted(Value):
    """The entries, in the order in which they were asked for."""

    items: tuple[PostedEntry, ...]


class Entry(Value):
    """An entry, whole."""

    entry_id: UUID
    reference: str
    kind: str
    state: EntryState
    value_date: date
    booked_at: Moment
    expires_at: Moment | None
    ended_at: Moment | None
    subject: str
    memo: str
    metadata: dict[str, str]
    reverses: str | None  # the reference of the entry that this one undoes
    reversed_by: str | None
    linked_to: UUID | None  # booked together with this one, or not at all
    legs: tuple[EntryLeg, ...]
    by: str


class GetEntry(Value):
    """Ask for an entry."""

    reference: Reference


class EndPending(Value):
    """End a pending entry."""

    reference: Reference


class ExpirePending(Value):
    """End pending entries whose time is over."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class ExpiredEntries(Value):
    """How many ended."""

    entries: int


class Reverse(Value):
    """Undo an entry by another one, with the same legs the other way round."""

    reverses: Reference
    reference: Reference
    memo: Annotated[str, Meta(max_length=240)] = ""
    value_date: date | None = None
    when_closed: WhenClosed = "next-open-day"


class ListEntries(Value):
    """List entries, the latest first: about something, on an account, of a kind, by value date.

    without: those that move nothing on this account.
    """

    subject: Subject | None = None
    account: AccountCode | None = None
    owner: Owner = ""
    currency: CurrencyCode | None = None
    without: AccountCode | None = None
    kind: Code | None = None
    since: date | None = None
    until: date | None = None  # with it
    state: EntryState | None = None
    limit: PageSize = 50
    cursor: str | None = None


class EntryPage(Value):
    """Some entries, and how to go on."""

    items: tuple[Entry, ...]
    next_cursor: str | None


class Exchange(Value):
    """Turn an amount of one currency into another, at a rate that is kept with the entry.

    What is sold leaves `source`, what is bought comes to `target`. Both go through `trading`, and what is rounded to
    whole minor units goes to `rounding`: there and back at the same rate leaves nothing anywhere else.
    """

    reference: Reference
    sold: Money
    currency: CurrencyCode  # of what is bought
    rate: Rate
    source: AccountCode
    target: AccountCode
    source_owner: Owner = ""
    target_owner: Owner = ""
    trading: AccountCode = "equity:trading"
    rounding: AccountCode = "expenses:rounding"
    value_date: date | None = None
    subject: Subject = ""


BOOKING: Final = (Unbalanced, WrongLeg, ReferenceUsed, BoundExceeded, PeriodClosed)


@capability("ledger.post", version="1.0", effect=Effect.WRITE, raises=[*BOOKING])
def post(ask: Post) -> Posted:
    """Book entries, each under a reference of its own, all or none of them.

    A reference that was booked with the same content is answered with that entry; nothing is booked twice.
    """
    ...


@capability("ledger.record", version="1.0", effect=Effect.WRITE, raises=[*BOOKING], is_internal=True)
def record(ask: Post) -> Posted:
    """Book entries whose references are new, with the commit of the flow that they belong to.

    As `post`, and cheaper: nothing is waited for, and what the books refuse undoes the whole transaction.
    """
    ...


@capability("ledger.post-pending", version="1.0", effect=Effect.WRITE, raises=[UnknownEntry, AlreadyEnded])
def post_pending(ask: EndPending) -> Entry:
    """Let a pending entry count. Safe to repeat."""
    ...


@capability("ledger.void-pending", version="1.0", effect=Effect.WRITE, raises=[UnknownEntry, AlreadyEnded])
def void_pending(ask: EndPending) -> Entry:
    """Let go what a pending entry held. Safe to repeat."""
    ...


@capability("ledger.expire-pending", version="1.0", effect=Effect.WRITE)
def expire_pending(ask: ExpirePending) -> ExpiredEntries:
    """End pending entries whose time is over. Safe in several places at once."""
    ...


@capability(
    "ledger.reverse",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownEntry, NotReversible, AlreadyReversed, ReferenceUsed, BoundExceeded, PeriodClosed],
)
def reverse(ask: Reverse) -> Entry:
    """Undo a posted entry by another one: every balance is as it was before it. Safe to repeat."""
    ...


@capability("ledger.exchange", version="1.0", effect=Effect.WRITE, raises=[WrongExchange, *BOOKING])
def exchange(ask: Exchange) -> Entry:
    """Book an exchange of currencies at a given rate, rounded once, half away from zero."""
    ...


@capability("ledger.get-entry", version="1.0", effect=Effect.READ, raises=[UnknownEntry])
def get_entry(ask: GetEntry) -> Entry:
    """Return an entry with its legs."""
    ...


@capability("ledger.list-entries", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_entries(ask: ListEntries) -> EntryPage:
    """List entries, the latest first."""
    ...


def fault_of(legs: Sequence[EntryLeg], path: str = "$.legs") -> WrongLeg | Unbalanced | None:
    """Return what keeps legs from being booked, or nothing. What comes from no ask has to pass it too."""
    sums: dict[str, int] = {}
    for at, leg in enumerate(legs):
        if not _code(leg.account):
            return WrongLeg(reason=f"{leg.account!r} is no account", path=f"{path}[{at}].account")
        if not _owner(leg.owner):
            return WrongLeg(reason=f"{leg.owner!r} is no owner", path=f"{path}[{at}].owner")
        if not leg.amount.minor:
            return WrongLeg(reason="a leg of nothing", path=f"{path}[{at}].amount")
        sums[leg.amount.currency] = sums.get(leg.amount.currency, 0) + leg.amount.minor
    if len(legs) < 2:
        return WrongLeg(reason=f"an entry of {len(legs)} legs, which moves nothing from one to another", path=path)
    wrong = next((money(minor, currency) for currency, minor in sorted(sums.items()) if minor), None)
    return None if wrong is None else Unbalanced(difference=wrong, path=path)
