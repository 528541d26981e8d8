"""The return desk and a person's orders, over several front ends, as others may name them.

At the desk: `order.ask-hand-in` → whose order it is answers by its own rules, as for any return → `take-hand-in`: the
goods are in the taker's stock → whose order it is pays the buyer back. Each step is one front end's transaction; what
one owes the other is in `order.hand-in-moved`.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, flow
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import Code, Moment, PageSize


class TakeHandIn(Value):
    """Take the goods of a hand-in that was agreed to into one's own stock. `condition` is how they came."""

    hand_in_id: UUID
    location: Code = "main"
    condition: Code = "new"


class AnswerHandIns(Value):
    """Answer what other front ends ask about one's own orders."""

    limit: Annotated[int, Meta(ge=1, le=order.ANSWERED_MAX)] = order.ANSWERED_MAX


class HandInsAnswered(Value):
    """How many were agreed to, and how many refused."""

    agreed: int
    refused: int


class SettleHandIns(Value):
    """Pay back what other front ends took."""

    limit: Annotated[int, Meta(ge=1, le=order.ANSWERED_MAX)] = order.ANSWERED_MAX


class HandInsSettled(Value):
    """How many were paid back."""

    settled: int


class ListPersonsOrders(Value):
    """Ask for a member's orders here, and at the front ends where they are in the same programme; the latest first."""

    member_id: UUID
    before: Moment | None = None
    limit: PageSize = 50


@flow(
    "after-sale.take-hand-in",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.mark_hand_in, inventory.restock],
)
def take_hand_in(ask: TakeHandIn) -> order.HandIn:
    """Take goods of another's order: they are in stock here, or written off, and its front end pays. Safe to repeat."""
    ...


@flow(
    "after-sale.answer-hand-ins",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.hold_hand_ins, order.answer_hand_in, order.list_orders, order.request_return, order.decide_return],
)
def answer_hand_ins(ask: AnswerHandIns) -> HandInsAnswered:
    """Agree to hand-ins as to any return, by the rules that the order was sold under, or refuse them and say why."""
    ...


@flow(
    "after-sale.receive-hand-in",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.get_return, order.receive_return, order.get_order, member.reverse_points],
    is_internal=True,
)
def receive_hand_in(ask: order.ReceiveReturn) -> order.Return:
    """Record that goods are back, at another front end: nothing comes into stock here; their points are taken back."""
    ...


@flow(
    "after-sale.close-hand-in",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.mark_hand_in],
    is_internal=True,
)
def close_hand_in(ask: order.MarkHandIn) -> order.HandIn:
    """Record that a hand-in is paid back."""
    ...


@flow(
    "after-sale.settle-hand-ins",
    version="1.0",
    effect=Effect.SAGA,
    uses=[
        order.list_hand_ins,
        receive_hand_in,
        close_hand_in,
        order.get_order,
        payment.refund_from,
        order.settle_return,
    ],
    deadline_ms=60_000,
)
def settle_hand_ins(ask: SettleHandIns) -> HandInsSettled:
    """Pay the buyers back whose goods other front ends took; each once, however often it is asked."""
    ...


@flow(
    "after-sale.list-persons-orders",
    version="1.0",
    effect=Effect.READ,
    uses=[member.list_joined, order.show_orders],
)
def list_persons_orders(ask: ListPersonsOrders) -> order.ShownOrders:
    """List a person's orders over all front ends: here, and where they joined the same programme.

    A front end's orders are among them as long as it grants its desk (`order.desk`, to read or to use). For the person
    it is a page of their own; whoever may call it for others is support.
    """
    ...
