"""Judging orders, as others may name it.

    order placed ──▶ risk ──▶ accepted │ refused, nothing is left of it
                        └──▶ in review: goods reserved, money held ──▶ released: money taken │ rejected: all goes back

Where no scenario runs at a front end, nothing is asked of the database.
"""

from __future__ import annotations

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Effect, Value, errors, flow
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.risk import api as risk


class OrderRejected(order.OrderRefused):
    """The order was judged too risky."""

    slug = "risk-checks.order-rejected"

    def __init__(self, *, reference: str) -> None:
        errors.RuleBroken.__init__(
            self,
            f"the order is not accepted; what was decided is {reference}",
            remedy="have the buyer ask the shop, which finds why with risk.get-decision",
            path="$",
            reference=reference,
        )


class ProveFirst(order.OrderRefused):
    """Whoever orders has to prove first who they are."""

    slug = "risk-checks.prove-first"

    def __init__(self, *, reference: str) -> None:
        errors.RuleBroken.__init__(
            self,
            f"whoever orders has to prove first who they are; what was decided is {reference}",
            remedy="challenge the buyer, tell risk.pass-challenge, and send the order again",
            path="$",
            reference=reference,
        )


class Followed(Value):
    """What followed for how many orders."""

    orders: int = 0


@flow(
    "risk-checks.check-order",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.decide, order.get_group_orders, order.hold_for_review],
    raises=[OrderRejected, ProveFirst],
    is_internal=True,
)
def check_order(ask: order.OrderPlaced) -> risk.Decision:
    """Have an order judged in the transaction that places it; what waits for a person keeps its goods.

    Of a group it is judged once. What is handed over in a shop is not judged: who buys stands there.
    """
    ...


@flow(
    "risk-checks.follow-review",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.get_group_orders, order.end_review, checkout.give_back],
    is_internal=True,
)
def follow_review(ask: risk.ReviewSettled) -> Followed:
    """Let an order go on that was released; cancel one that was rejected, with its goods, coupons and points."""
    ...


@flow(
    "risk-checks.close-review",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.close_review, order.get_group_orders, order.end_review],
    is_internal=True,
)
def close_review(ask: order.OrderMoved) -> risk.Settled:
    """Have nobody look at an order any more that was cancelled meanwhile."""
    ...


@flow("risk-checks.go-on", version="1.0", effect=Effect.SAGA, uses=[checkout.go_on], deadline_ms=60_000)
def go_on(ask: risk.ReviewSettled) -> payment.Payments:
    """Take the money that is held for an order that was released, or let it go. Safe to repeat."""
    ...
