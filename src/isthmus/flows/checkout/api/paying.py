"""Paying, as others may name it: what providers are asked, step by step, and what nobody goes on with."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import Effect, flow
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment

from .carrying import Paid, carry_on
from .checkout import PayOrder, confirm_payment, give_back

# What carrying a payment through may come to.
TAKING: Final = (
    carry_on,
    payment.ask_provider,
    payment.settle_attempt,
    payment.end_attempt,
    payment.list_payments,
    payment.void,
    payment.refund_from,
    order.get_group,
    confirm_payment,
    give_back,
)


@flow(
    "checkout.pay-order",
    version="1.0",
    effect=Effect.SAGA,
    uses=[payment.begin_authorisation, *TAKING],
    deadline_ms=60_000,
)
def pay_order(ask: PayOrder) -> Paid:
    """Pay: hold the money, confirm the orders, take the money. Where confirming fails the money is let go.

    Where nobody knows yet whether it was taken the answer says `authorised`, and `settle_payments` looks it up.
    Where the provider refuses it at last the orders are cancelled, and the answer says `voided`.
    """
    ...


@flow(
    "checkout.receive-notification",
    version="1.0",
    effect=Effect.SAGA,
    uses=[payment.read_notification, payment.get_attempt, payment.get_payment, *TAKING],
    deadline_ms=60_000,
)
def receive_notification(ask: payment.Notify) -> Paid:
    """Take in what a payment provider says, and carry out what follows, whether or not the buyer came back."""
    ...


@flow("checkout.go-on", version="1.0", effect=Effect.SAGA, uses=[*TAKING], deadline_ms=60_000, is_internal=True)
def go_on(ask: order.GetGroup) -> payment.Payments:
    """Take what is held for a group whose orders may go on, or let it go where they were cancelled. Safe to repeat."""
    ...


@flow(
    "checkout.settle-payments",
    version="1.0",
    effect=Effect.SAGA,
    uses=[
        order.list_in_review,
        payment.list_open_attempts,
        payment.list_held,
        payment.look_up,
        payment.get_payment,
        *TAKING,
    ],
    deadline_ms=60_000,
)
def settle_payments(ask: payment.Reconcile) -> payment.Reconciled:
    """Look up payments without an outcome, and carry out what follows from what their providers say.

    For a job that recurs: who paid while a provider was silent has their order, without paying twice. Payments
    that are held while nobody goes on with them are taken, or let go where their orders are gone.
    """
    ...
