"""Chargebacks: what a payer's bank takes back of a payment, against the shop's will.

Named by others through this module.

    opened ──▶ won    the provider gives it back
       └─────▶ lost   it stays taken

A provider says each step of its own accord. What it took is gone from the moment that it is opened; the payment stays
what it was. A chargeback has the provider's own name for it, and each of its steps counts once.
"""

from __future__ import annotations

import enum
from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import Code, Moment, Money, PageSize

OF_ONE_MAX = 200  # more of one payment nobody has seen
Reference = Annotated[str, Meta(min_length=1, max_length=120, description="the provider's own name for it")]


class ChargebackState(enum.StrEnum):
    OPENED = "opened"
    WON = "won"
    LOST = "lost"


class ChargebackNotice(Value):
    """What a provider says of a chargeback. key: of the capture that is taken back; fee: what this step costs."""

    reference: Reference
    key: Annotated[str, Meta(min_length=1, max_length=200)]
    state: ChargebackState
    amount: Money
    fee: Money | None = None
    reason: Annotated[str, Meta(max_length=240)] = ""


class NoteChargeback(Value):
    """Note a step of a chargeback. fee: what this step costs; of the payment, what it is for and what was taken."""

    provider: Code
    reference: Reference
    state: ChargebackState
    amount: Money
    payment_id: UUID
    paid_for: Annotated[str, Meta(max_length=200)]
    captured: Money
    refunded: Money
    fee: Money | None = None
    reason: Annotated[str, Meta(max_length=240)] = ""


class Chargeback(Value):
    """A chargeback as it stands. fee: what its steps cost together."""

    provider: str
    reference: str
    payment_id: UUID
    paid_for: str  # what the payment is for, such as a group of orders
    state: ChargebackState
    amount: Money
    fee: Money
    reason: str
    opened_at: Moment
    ended_at: Moment | None


class ListChargebacks(Value):
    """Ask for chargebacks, the latest first: of a state, or of what was paid for."""

    state: ChargebackState | None = None
    paid_for: Annotated[str, Meta(max_length=200)] | None = None
    limit: PageSize = 50


class Chargebacks(Value):
    """Chargebacks, the latest first."""

    items: tuple[Chargeback, ...]


@event("chargeback.chargeback-moved", version="1.0", subject="payment_id")
class ChargebackMoved(Value):
    """A payer's bank took money back, or a provider gave it back, or it stays taken.

    is_given_back: the payment had been refunded too, so that the payer has some of it twice.
    """

    payment_id: UUID
    provider: str
    reference: str
    paid_for: str
    state: ChargebackState
    amount: Money
    fee: Money
    reason: str
    is_given_back: bool = False


class ChargebackTooLarge(errors.RuleBroken):
    """A provider takes more back than was captured; it is not noted."""

    slug = "chargeback.chargeback-too-large"

    def __init__(self, *, reference: str, amount: Money, left: Money) -> None:
        super().__init__(
            f"chargeback {reference!r} takes {amount} back, and {left} is there to be taken",
            remedy="ask the provider; what its file has of it is a difference until it is resolved",
            path="$.amount",
        )


class ChargebackContradicted(errors.Conflict):
    """A provider says of a chargeback what does not fit what it said before."""

    slug = "chargeback.chargeback-contradicted"

    def __init__(self, *, reference: str, was: str, said: str) -> None:
        super().__init__(
            f"chargeback {reference!r} is {was}, and the provider now says {said}",
            remedy="ask the provider which of the two counts; nothing was changed",
            path="$.state",
        )


@capability(
    "chargeback.note",
    version="1.0",
    effect=Effect.WRITE,
    raises=[ChargebackTooLarge, ChargebackContradicted],
    is_internal=True,
)
def note(ask: NoteChargeback) -> Chargeback:
    """Note a step that a provider told; each counts once.

    One that was never opened here may be told when it has ended: then both steps are noted. A payment that was refunded
    can be charged back too, since the money is gone all the same.
    """
    ...


@capability("chargeback.list-chargebacks", version="1.0", effect=Effect.READ)
def list_chargebacks(ask: ListChargebacks) -> Chargebacks:
    """List chargebacks, the latest first."""
    ...
