"""Settlements, as others may name them: prepared, approved by another, paid out, and what came back."""

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.values import CurrencyCode, Moment, Money, PageSize

from .errors import (
    AlreadyCarried,
    BadCursor,
    NoBankAccount,
    NothingToPay,
    PayoutRefused,
    SameEyes,
    UnknownFile,
    UnknownSettlement,
    WrongState,
)
from .payees import PayeeName


class SettlementState(enum.StrEnum):
    PREPARED = "prepared"
    APPROVED = "approved"
    SENT = "sent"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class Settlement(Value):
    """What a payee gets: carried_in + credit + debit = payout + fee + carried_out.

    credit: what was due to the payee; debit: what went back, negative; carried_out: what the next one begins with.
    """

    settlement_id: UUID
    payee: str
    cut_off: date
    state: SettlementState
    items: int
    credit: Money
    debit: Money
    carried_in: Money
    fee: Money
    payout: Money
    carried_out: Money
    carried_to: UUID | None
    prepared_at: Moment
    prepared_by: str
    approved_by: str
    file_id: UUID | None
    note: str


class DrawUp(Value):
    """Settle what is due through a day: with one payee, or with all. Sales are held back as each payee's terms say."""

    cut_off: date
    payee: PayeeName | None = None
    currency: CurrencyCode | None = None


class Prepared(Value):
    """The settlements; none where nothing is due. A thousand at most: call again for the rest."""

    items: tuple[Settlement, ...]


class GetSettlement(Value):
    """Ask for a settlement."""

    settlement_id: UUID


class ListSettlements(Value):
    """List settlements, the latest first."""

    state: SettlementState | None = None
    payee: PayeeName | None = None
    limit: PageSize = 50
    cursor: str | None = None


class SettlementPage(Value):
    """Some settlements, and how to go on."""

    items: tuple[Settlement, ...]
    next_cursor: str | None


class Approve(Value):
    """Approve a settlement that another one prepared."""

    settlement_id: UUID


class Cancel(Value):
    """Take a settlement back that is not approved; what it settled is open again."""

    settlement_id: UUID
    reason: Annotated[str, Meta(min_length=1, max_length=240)]


class MakePayoutFile(Value):
    """Pay what is approved, on a day."""

    currency: CurrencyCode
    execute_on: date


class GetPayoutFile(Value):
    """Ask for a payout file."""

    file_id: UUID


class PayoutFile(Value):
    """An order to the bank, ISO 20022 pain.001.001.09. Its id is the message's, so who gets it twice pays once."""

    file_id: UUID
    payouts: int
    total: Money
    content: str
    made_at: Moment
    made_by: str


class NoteReturned(Value):
    """The bank sent a payout back."""

    settlement_id: UUID
    reason: Annotated[str, Meta(min_length=1, max_length=240)]


class GetStatement(Value):
    """Ask for the statement that a payee gets."""

    settlement_id: UUID
    form: Literal["csv", "pdf"] = "csv"


class Statement(Value):
    """A statement: a row for each item, and the sums. content is base64 where the form is `pdf`."""

    name: str
    media_type: str
    content: str


@event("settlement.settlement-moved", version="1.0", subject="settlement_id")
class SettlementMoved(Value):
    """A settlement is in another state. Amounts are what it comes to."""

    settlement_id: UUID
    payee: str
    state: SettlementState
    payout: Money
    fee: Money
    debit: Money  # of the items, negative
    note: str = ""


@capability("settlement.draw-up", version="1.0", effect=Effect.WRITE, deadline_ms=60_000)
def draw_up(ask: DrawUp) -> Prepared:
    """Settle what is due, one settlement a payee and currency. An item is in one settlement, however often this runs.

    Its reserve, and what comes to less than its minimum with its fee, or below zero, is carried to the next one.
    """
    ...


@capability("settlement.get-settlement", version="1.0", effect=Effect.READ, raises=[UnknownSettlement])
def get_settlement(ask: GetSettlement) -> Settlement:
    """Return a settlement; its items are listed by settlement.list-items."""
    ...


@capability("settlement.list-settlements", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_settlements(ask: ListSettlements) -> SettlementPage:
    """List settlements, the latest first."""
    ...


@capability(
    "settlement.approve",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownSettlement, WrongState, SameEyes, PayoutRefused],
)
def approve(ask: Approve) -> Settlement:
    """Approve a settlement: four eyes, so never by whom drew it up. Safe to repeat."""
    ...


@capability(
    "settlement.cancel", version="1.0", effect=Effect.WRITE, raises=[UnknownSettlement, WrongState, AlreadyCarried]
)
def cancel(ask: Cancel) -> Settlement:
    """Take a settlement back before it is approved."""
    ...


@capability("settlement.make-payout-file", version="1.0", effect=Effect.WRITE, raises=[NothingToPay, NoBankAccount])
def make_payout_file(ask: MakePayoutFile) -> PayoutFile:
    """Write the file that has the bank pay all that is approved in a currency. Each settlement is in one file."""
    ...


@capability("settlement.get-payout-file", version="1.0", effect=Effect.READ, raises=[UnknownFile])
def get_payout_file(ask: GetPayoutFile) -> PayoutFile:
    """Return a payout file as it was written."""
    ...


@capability("settlement.note-returned", version="1.0", effect=Effect.WRITE, raises=[UnknownSettlement, WrongState])
def note_returned(ask: NoteReturned) -> Settlement:
    """Note that the bank sent a payout back: it is due again with the next settlement. Safe to repeat."""
    ...


@capability("settlement.get-statement", version="1.0", effect=Effect.READ, raises=[UnknownSettlement])
def get_statement(ask: GetStatement) -> Statement:
    """Return the statement of a settlement, with the line of each order."""
    ...
