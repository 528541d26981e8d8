"""Judging what happens, as others may name it.

    order placed ──▶ risk ──▶ accepted │ refused, nothing is left of it
                        └──▶ in review: goods reserved, money held ──▶ released: money taken │ rejected: all goes back

    payment      ──▶ refused before a provider is asked │ in review: the order waits, what is authorised is held
    sign-in, registration, coupon, return, payout
                 ──▶ refused │ in review: refused for now; it goes on when it is sent again after somebody released it

What no scenario of a front end judges is not looked at, and nothing is asked of the database.
"""

from __future__ import annotations

from typing import Final, cast

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Effect, Value, errors, flow
from isthmus.language import mark
from isthmus.packs.account import api as account
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.packs.risk import api as risk
from isthmus.packs.settlement import api as settlement

_FACTS: Final = {
    "reject": mark("this {kind} is not accepted; what was decided is {reference}"),
    "challenge": mark("for this {kind} somebody has to prove first who they are; what was decided is {reference}"),
    "review": mark("somebody looks at this {kind} first; what was decided is {reference}"),
}
_REMEDIES: Final = {
    "reject": mark("have them ask the shop, which finds why with risk.get-decision"),
    "challenge": mark("challenge them, tell risk.pass-challenge, and send it again"),
    "review": mark("send it again once it is released: risk.settle-review, or the page Reviews"),
}


class _Said:
    """How a refusal says what was decided: rejected, to be proved, or to be looked at."""

    def __init__(self, *, kind: risk.Kind, outcome: risk.Outcome, reference: str) -> None:
        errors.RuleBroken.__init__(
            cast(errors.RuleBroken, self),
            _FACTS[outcome].format(kind=kind, reference=reference),
            remedy=_REMEDIES[outcome],
            path="$",
            outcome=outcome,
            reference=reference,
        )


class SignInStopped(_Said, account.SignInRefused):
    """A sign-in was judged too risky, or waits: `outcome` says which."""

    slug = "risk-checks.sign-in-stopped"


class RegistrationStopped(_Said, member.RegistrationRefused):
    """A registration was judged too risky, or waits: `outcome` says which."""

    slug = "risk-checks.registration-stopped"


class CouponStopped(_Said, promotion.PromotionRefused):
    """A claim of a coupon was judged too risky, or waits: `outcome` says which."""

    slug = "risk-checks.coupon-stopped"


class PaymentStopped(_Said, payment.PaymentRefused):
    """A payment was judged too risky, or wants a proof: `outcome` says which. No provider was asked."""

    slug = "risk-checks.payment-stopped"


class ReturnStopped(_Said, order.NotReturnable):
    """A return was judged too risky, or waits: `outcome` says which."""

    slug = "risk-checks.return-stopped"


class PayoutStopped(_Said, settlement.PayoutRefused):
    """A payout was judged too risky, or waits: `outcome` says which."""

    slug = "risk-checks.payout-stopped"


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
    "risk-checks.check-payment",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.decide, risk.close_review, order.get_group_orders, order.hold_for_review],
    raises=[PaymentStopped],
    is_internal=True,
)
def check_payment(ask: payment.PaymentBegun) -> risk.Decision:
    """Have each try to pay judged before a provider is asked; in review the order waits, and money is held only."""
    ...


@flow(
    "risk-checks.check-sign-in",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.decide],
    raises=[SignInStopped],
    is_internal=True,
)
def check_sign_in(ask: account.SignInBegun) -> risk.Decision:
    """Have a sign-in judged before a link is sent."""
    ...


@flow(
    "risk-checks.check-registration",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.decide],
    raises=[RegistrationStopped],
    is_internal=True,
)
def check_registration(ask: member.RegistrationBegun) -> risk.Decision:
    """Have a registration judged in the transaction that makes the member."""
    ...


@flow(
    "risk-checks.check-coupon",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.decide],
    raises=[CouponStopped],
    is_internal=True,
)
def check_coupon(ask: promotion.CouponClaimed) -> risk.Decision:
    """Have a member's claim of a coupon judged in the transaction that issues it."""
    ...


@flow(
    "risk-checks.check-return",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.decide, order.get_order],
    raises=[ReturnStopped],
    is_internal=True,
)
def check_return(ask: order.ReturnMoved) -> risk.Decision:
    """Have a return judged where it is asked for, by who had the order."""
    ...


@flow(
    "risk-checks.check-payout",
    version="1.0",
    effect=Effect.WRITE,
    uses=[risk.decide],
    raises=[PayoutStopped],
    is_internal=True,
)
def check_payout(ask: settlement.SettlementMoved) -> risk.Decision:
    """Have a payout judged where its settlement is approved, before it is in any file."""
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
