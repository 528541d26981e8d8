"""Payments, decided: what may be attempted, and what an attempt that ended does to its payment."""

from __future__ import annotations

from collections.abc import Mapping

from . import api

State = api.PaymentState
Kind = api.Kind

MAY: Mapping[Kind, frozenset[State]] = {
    Kind.AUTHORISE: frozenset({State.OPEN}),
    Kind.CAPTURE: frozenset({State.AUTHORISED}),
    Kind.VOID: frozenset({State.AUTHORISED}),
    Kind.REFUND: frozenset({State.CAPTURED, State.PART_REFUNDED}),
}


def left_for(kind: Kind, payment: api.Payment) -> int:
    """Return how much of a payment can still be authorised, captured, let go or given back."""
    return {
        Kind.AUTHORISE: payment.amount.minor,
        Kind.CAPTURE: payment.authorised.minor - payment.captured.minor,
        Kind.VOID: payment.authorised.minor - payment.captured.minor,
        Kind.REFUND: payment.captured.minor - payment.refunded.minor,
    }[kind]


def state_after(kind: Kind, payment: api.Payment, minor: int) -> State:
    """Return the state of a payment once an attempt over so much has been done."""
    if kind is Kind.REFUND:
        is_all = payment.refunded.minor + minor == payment.captured.minor
        return State.REFUNDED if is_all else State.PART_REFUNDED
    return {Kind.AUTHORISE: State.AUTHORISED, Kind.CAPTURE: State.CAPTURED, Kind.VOID: State.VOIDED}[kind]
