"""Payments, decided: what may be attempted, and what an attempt that ended does to its payment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from . import api

State = api.PaymentState
Kind = api.Kind

MAY: Mapping[Kind, frozenset[State]] = {
    Kind.AUTHORISE: frozenset({State.OPEN}),
    Kind.CAPTURE: frozenset({State.AUTHORISED, State.CAPTURED}),
    Kind.VOID: frozenset({State.AUTHORISED}),
    Kind.REFUND: frozenset({State.CAPTURED, State.PART_REFUNDED}),
}


HELD = frozenset({State.AUTHORISED, State.CAPTURED})
NOT_BATCHABLE = frozenset({Kind.AUTHORISE, Kind.CAPTURE, Kind.VOID})  # of these a payment has one under way at a time
TRIES_MAX = 9  # of a refund or a release that is refused again and again: then a person is needed


def leads_on(kind: Kind, payment: api.Payment) -> bool:
    """Say whether a payment is in a state in which this can be asked of a provider."""
    if kind is Kind.CAPTURE and payment.state is State.CAPTURED:
        return left_for(kind, payment) > 0
    return payment.state in MAY[kind]


def in_the_way(kind: Kind, under_way: Mapping[Kind, int]) -> Kind | None:
    """Return what has been asked of a provider and must be answered first."""
    return next((one for one in under_way if one in NOT_BATCHABLE), None) if kind in NOT_BATCHABLE else None


def tries(key: str) -> tuple[str, ...]:
    """Return the keys of all tries of what has this key; the first is the key itself, and none is that of another."""
    return (key, *(f"{number}/{key}" for number in range(2, TRIES_MAX + 1)))


def cause_of(attempt: api.Attempt) -> str:
    """Return what a refund was for, as its key says; nothing for what is no refund."""
    return attempt.key.partition("/refund/")[2] if attempt.kind is Kind.REFUND else ""


def left_for(kind: Kind, payment: api.Payment) -> int:
    """Return how much of a payment can still be authorised, captured, let go or given back."""
    withheld = payment.withheld.minor if payment.withheld else 0
    return {
        Kind.AUTHORISE: payment.amount.minor,
        Kind.CAPTURE: payment.authorised.minor - payment.captured.minor,
        Kind.VOID: payment.authorised.minor - payment.captured.minor,
        Kind.REFUND: payment.captured.minor - payment.refunded.minor - withheld,
    }[kind]


def from_the_last(minor: int, left: Sequence[tuple[UUID, int]]) -> list[tuple[UUID, int]] | None:
    """Take an amount from payments, the last of them first; None where they have too little together."""
    taken: list[tuple[UUID, int]] = []
    for payment_id, has in reversed(left):
        part = min(minor, max(0, has))
        if part:
            taken.append((payment_id, part))
            minor -= part
    return taken if minor == 0 else None


def after(payment: api.Payment, attempt: api.Attempt) -> api.Payment:
    """Return a payment as it is once an attempt has been done."""
    kind, amount = attempt.kind, attempt.amount
    return payment.replace(
        state=state_after(kind, payment, amount.minor),
        authorised=payment.authorised + amount if kind is Kind.AUTHORISE else payment.authorised,
        captured=payment.captured + amount if kind is Kind.CAPTURE else payment.captured,
        refunded=payment.refunded + amount if kind is Kind.REFUND else payment.refunded,
        method=attempt.method or payment.method,
    )


def state_after(kind: Kind, payment: api.Payment, minor: int) -> State:
    """Return the state of a payment once an attempt over so much has been done."""
    if kind is Kind.REFUND:
        is_all = payment.refunded.minor + minor == payment.captured.minor
        return State.REFUNDED if is_all else State.PART_REFUNDED
    return {Kind.AUTHORISE: State.AUTHORISED, Kind.CAPTURE: State.CAPTURED, Kind.VOID: State.VOIDED}[kind]
