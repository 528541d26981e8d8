"""Carrying a payment through: what follows from each word of a provider, in the transaction that writes it down.

    begin attempt ─▶ provider ─▶ carry on: authorised, orders paid, capture begun ─▶ provider ─▶ captured, answered

So between two words there is always an attempt that is under way, which names what comes next; nothing is held, or paid
for, that nobody would find.
"""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Effect, Value, flow
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import Money


class Paid(Value):
    """How a payment stands, and the orders that it pays for."""

    group_id: UUID
    payment_id: UUID
    state: str
    orders: tuple[order.OrderBrief, ...]
    due: Money | None = None  # by this payment, where a card pays a part


class UseCredit(Value):
    """Pay with a gift card or store credit: as much as it has, or so much of it."""

    payment_id: UUID  # of the order: what is due at once
    code: payment.CreditCode
    at_most: Money | None = None


class LeaveCredit(Value):
    """Pay without the cards that were used for an order."""

    payment_id: UUID


class CarryOn(Value):
    """Say what a provider answered for a payment of a group; or, with payment_id alone, that it is held and waits."""

    group_id: UUID
    ended: payment.End | None = None
    payment_id: UUID | None = None


class CarriedOn(Value):
    """How the attempt ended, how the payment and its orders stand, and what is to be asked of the provider next."""

    attempt: payment.Attempt | None
    paid: Paid
    follows: payment.Attempt | None


@flow(
    "checkout.carry-on",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        payment.hold_payments,
        payment.settle_attempt,
        order.hold_group,
        order.get_group_orders,
        order.mark_paid,
        order.record_deposit,
        inventory.keep,
        inventory.confirm,
        fulfilment.plan,
        member.earn_points,
    ],
    is_internal=True,
)
def carry_on(ask: CarryOn) -> CarriedOn:
    """Write down what a provider said, do what follows for the orders, and begin what is to be asked next.

    Held money confirms the orders that stand, and is taken; it is let go where they ran out or were cancelled.
    """
    ...


@flow(
    "checkout.use-credit",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        payment.get_payment,
        payment.list_payments,
        payment.pay_with_credit,
        order.hold_group,
        order.get_group_orders,
        carry_on,
    ],
    raises=[order.IllegalTransition],
)
def use_credit(ask: UseCredit) -> Paid:
    """Pay with a card: what it has is held for the order, and taken once the rest is paid, or at once where it is all.

    The answer says what is left to pay (`due`). Where the order runs out or is cancelled the card has it back.
    """
    ...


@flow(
    "checkout.leave-credit",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        payment.get_payment,
        payment.list_payments,
        payment.let_go_of_credit,
        order.hold_group,
        order.get_group_orders,
        order.get_group,
    ],
    raises=[order.IllegalTransition],
)
def leave_credit(ask: LeaveCredit) -> Paid:
    """Give back to their cards what they hold for an order that is not paid yet; all of it is due then."""
    ...
