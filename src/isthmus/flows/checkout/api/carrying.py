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


class Paid(Value):
    """How a payment stands, and the orders that it pays for."""

    group_id: UUID
    payment_id: UUID
    state: str
    orders: tuple[order.OrderBrief, ...]


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
