"""Payment's api of amounts in parts: a deposit now and the balance later, cards beside it, each a payment of its own.

What an order comes to may be paid by several payments, which are named by their references. What is given back is
taken from the last of them first, and which of them gives how much is written down before any provider is asked.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, errors, extension_point
from isthmus.markings import Pii
from isthmus.values import CHANNEL, ORDER_KIND, Money

from .errors import IllegalStep

PARTS_MAX = 10
BALANCE = "/balance"
CREDITS_MAX = 3  # cards that pay for one thing
CREDITS = tuple(f"/credit-{number}" for number in range(1, CREDITS_MAX + 1))

Reference = Annotated[str, Meta(min_length=1, max_length=128)]
References = Annotated[tuple[Reference, ...], Meta(min_length=1, max_length=PARTS_MAX)]


def references_of(purpose: str) -> tuple[str, ...]:
    """Return what the payments of one thing are known by: of what is due at once, of the balance, and of cards."""
    return (purpose, f"{purpose}{BALANCE}", *[f"{purpose}{one}" for one in CREDITS])


def purpose_of(reference: str) -> str:
    """Return what a payment is for, whichever of its payments it is."""
    of, _, last = reference.rpartition("/")
    return of if f"/{last}" in (BALANCE, *CREDITS) else reference


class SplitRefund(Value):
    """Give an amount back from several payments, the last of them first. `reference` is split once.

    at_most: less is given where less is left, such as after a refund by hand.
    """

    payments: References
    amount: Money
    reference: Reference
    at_most: bool = False


class RefundFrom(SplitRefund):
    """Give an amount back from several payments, the last of them first."""

    reason: Annotated[str, Pii("free-text"), Meta(max_length=240)] = ""


class RefundPart(Value):
    """What one payment gives of a refund."""

    payment_id: UUID
    amount: Money


class RefundParts(Value):
    """Which payment gives how much."""

    parts: tuple[RefundPart, ...]


class RefundTooLarge(errors.RuleBroken):
    """More is to be given back than the payments took and still have."""

    slug = "payment.refund-too-large"

    def __init__(self, *, wanted: Money, left: Money) -> None:
        super().__init__(
            f"{wanted} are to be given back, and {left} are left of what was taken",
            remedy="give back no more than is left",
            path="$.amount",
        )


@capability(
    "payment.split-refund", version="1.0", effect=Effect.WRITE, raises=[RefundTooLarge, IllegalStep], is_internal=True
)
def split_refund(ask: SplitRefund) -> RefundParts:
    """Say which payment gives how much of a refund. Asked again, the answer is the same, whatever was given since."""
    ...


@extension_point("payment.deposit", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def deposit(amount: Money) -> Money | Pass:
    """Say how much of an amount is due at once; the rest is the balance, due later. Default: all of it."""
    return amount
