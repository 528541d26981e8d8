"""Payment's model: how a payment stands."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from isthmus.kernel import Value
from isthmus.values import Moment, Money


class PaymentState(enum.StrEnum):
    OPEN = "open"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    PART_REFUNDED = "part-refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"


class Leg(Value):
    """Money that moved: what was captured is positive, what was given back negative."""

    kind: Literal["capture", "refund"]
    amount: Money
    method: str
    at: Moment


class Payment(Value):
    """A payment and how it stands."""

    payment_id: UUID
    reference: str
    state: PaymentState
    amount: Money
    authorised: Money
    captured: Money
    refunded: Money
    method: str
    legs: tuple[Leg, ...]
    withheld: Money | None = None  # what the payer's bank took back, and no refund gives again


class Payments(Value):
    """The payments that there are, in the order of the references."""

    items: tuple[Payment, ...]


def dues(payments: Sequence[Payment], standing: int) -> dict[UUID, int]:
    """Say how much each payment of something is to bring when it comes to so much: the first one first."""
    found: dict[UUID, int] = {}
    for one in payments:
        found[one.payment_id] = min(one.amount.minor, standing)
        standing -= found[one.payment_id]
    return found
