"""Payees and what is due to them, as others may name them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import CurrencyCode, Moment, Money, PageSize

from .errors import BadCursor, WrongIban

PayeeName = Annotated[
    str,
    Meta(
        pattern=r"^(seller|front-end)/[\x21-\x7e]+\Z",
        max_length=80,
        description="whom, as accounts call owners: seller/17, front-end/fresh",
    ),
]
Reference = Annotated[str, Meta(min_length=1, max_length=200)]
ItemKind = Literal["sale", "return", "between-front-ends", "payout-returned", "chargeback"]


class PutPayee(Value):
    """Say how a payee is paid. minimum: less is carried to the next settlement; fee: what a payout costs the payee.

    hold_back_days: how long a sale is held back, since goods may come back; what goes back counts at once.
    reserve_minor: so much is never paid, for what may still come back; each settlement carries it to the next.
    is_leaving: whatever is left is paid, below the minimum and the reserve too.
    """

    payee: PayeeName
    currency: CurrencyCode
    name: Annotated[str, Meta(max_length=70)] = ""
    iban: Annotated[str, Meta(max_length=42)] = ""
    bic: Annotated[str, Meta(pattern=r"^([A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?)?\Z")] = ""
    hold_back_days: Annotated[int, Meta(ge=0, le=365)] = 14
    minimum_minor: Annotated[int, Meta(ge=0, le=10**12)] = 0
    fee_minor: Annotated[int, Meta(ge=0, le=10**9)] = 0
    reserve_minor: Annotated[int, Meta(ge=0, le=10**12)] = 0
    is_leaving: bool = False


class Payee(PutPayee):
    """A payee, and what is open: due, and not settled."""

    open: Money


class ListPayees(Value):
    """List who is to be paid, in the order of their names."""

    limit: PageSize = 100
    cursor: str | None = None


class PayeePage(Value):
    """Some payees, and how to go on."""

    items: tuple[Payee, ...]
    next_cursor: str | None


class DueItem(Value):
    """What one line makes due: gross less commission; negative where it goes back. A reference counts once."""

    reference: Reference
    payee: PayeeName
    kind: ItemKind
    subject: Annotated[str, Meta(max_length=128)]  # an order, or what passed between front ends
    gross: Money
    commission: Money
    line: int | None = None


class NoteDue(Value):
    """Note what is due."""

    items: Annotated[tuple[DueItem, ...], Meta(min_length=1, max_length=1_000)]


class Noted(Value):
    """How many items there were."""

    items: int


class ListItems(Value):
    """List items: of a settlement, about a subject, of a payee; the earliest first."""

    settlement_id: UUID | None = None
    subject: str | None = None
    payee: PayeeName | None = None
    is_open: bool | None = None
    limit: PageSize = 100
    cursor: str | None = None


class SettledItem(DueItem):
    """An item, when it happened, and the settlement that it is in."""

    amount: Money
    happened_at: Moment
    settlement_id: UUID | None


class ItemPage(Value):
    """Some items, and how to go on."""

    items: tuple[SettledItem, ...]
    next_cursor: str | None


@capability("settlement.put-payee", version="1.0", effect=Effect.WRITE, raises=[WrongIban])
def put_payee(ask: PutPayee) -> Payee:
    """Say how a payee is paid in a currency; it holds for what is prepared from then on."""
    ...


@capability("settlement.list-payees", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_payees(ask: ListPayees) -> PayeePage:
    """List payees with what is open. A payee of whom nothing was said has the defaults."""
    ...


@capability("settlement.note-due", version="1.0", effect=Effect.WRITE, is_internal=True)
def note_due(ask: NoteDue) -> Noted:
    """Note what is due with the commit of the flow that it belongs to; a reference that is known changes nothing."""
    ...


@capability("settlement.list-items", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_items(ask: ListItems) -> ItemPage:
    """List what is due, and what it was settled with."""
    ...
