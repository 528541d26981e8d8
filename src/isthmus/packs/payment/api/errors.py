"""What a payment refuses because of how it stands. Named through `payment.api`."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import errors
from isthmus.values import Money


class AmountExceeded(errors.RuleBroken):
    """More is to be captured or given back than there is."""

    slug = "payment.amount-exceeded"

    def __init__(self, *, wanted: Money, left: Money) -> None:
        super().__init__(
            f"{wanted} is more than the {left} that is left", remedy=f"ask for {left} or less", path="$.amount"
        )


class WrongAmount(errors.BadAsk):
    """Nothing, less than nothing, or another currency is to be captured or given back."""

    slug = "payment.wrong-amount"

    def __init__(self, *, wanted: Money, currency: str) -> None:
        super().__init__(
            f"{wanted} cannot be moved in a payment in {currency}",
            remedy=f"ask for more than nothing, in {currency}",
            path="$.amount",
        )


class IllegalStep(errors.Conflict):
    """The payment is in a state from which this does not lead on."""

    slug = "payment.illegal-step"

    def __init__(self, *, state: str, wanted: str) -> None:
        super().__init__(
            f"the payment is {state}, so it cannot be {wanted}",
            remedy="read it with payment.get-payment",
            path="$.payment_id",
            state=state,
        )


class StepUnderWay(errors.Conflict):
    """A provider has been asked already and has not answered; what it says decides whether there is a next step."""

    slug = "payment.step-under-way"

    def __init__(self, *, kind: str, wanted: str) -> None:
        super().__init__(
            f"a provider has been asked to {kind} and has not answered, so it cannot be asked to {wanted}",
            remedy="ask again in a minute; the payment is looked up meanwhile",
            path="$.payment_id",
        )


class ReferenceUsed(errors.Conflict):
    """The reference already belongs to another amount."""

    slug = "payment.reference-used"

    def __init__(self, *, reference: str, known: Money, wanted: Money) -> None:
        super().__init__(
            f"{reference!r} is for {known} already, not {wanted}",
            remedy="use a reference of its own for each amount",
            path="$.reference",
        )


class RefundRefused(errors.RuleBroken):
    """The front end does not let the money be given back."""

    slug = "payment.refund-refused"

    def __init__(self, *, reasons: Sequence[str]) -> None:
        super().__init__(
            f"the refund is refused: {'; '.join(reasons)}",
            remedy="settle what the reasons name, and send it again",
            path="$.amount",
            reasons=list(reasons),
        )


class UnknownPayment(errors.NotFound):
    """There is no such payment here."""

    slug = "payment.unknown-payment"

    def __init__(self, *, what: str, path: str = "$.payment_id") -> None:
        super().__init__(f"there is no payment {what}", remedy="take its id from the placed order", path=path)


class UnknownProvider(errors.NotFound):
    """No provider of this name is connected, or none for the method."""

    slug = "payment.unknown-provider"

    def __init__(self, *, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"no provider takes {name!r}{errors.near(name, known)}",
            remedy=f"use one of {', '.join(known)}",
            path="$.method",
        )


class Declined(errors.RuleBroken):
    """The provider refused."""

    slug = "payment.declined"

    def __init__(self, *, reason: str, path: str | None) -> None:
        super().__init__(
            f"the payment was declined: {reason}", remedy="try another way to pay", path=path, reason=reason
        )


class OutcomeUnknown(errors.Unavailable):
    """The provider has not answered; nobody knows yet whether it did what it was asked."""

    slug = "payment.outcome-unknown"

    def __init__(self) -> None:
        super().__init__(
            "the provider has not answered",
            remedy="ask for the payment in a minute; it is looked up meanwhile, and nothing is taken twice",
        )


class PaymentRefused(errors.RuleBroken):
    """Somebody who looks at payments before they count does not let this one through. Who looks says why."""

    slug = "payment.payment-refused"


class MethodRefused(errors.RuleBroken):
    """The front end does not take this way to pay for this amount."""

    slug = "payment.method-refused"

    def __init__(self, *, method: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{method!r} is not taken here{errors.near(method, allowed)}",
            remedy=f"use one of {', '.join(allowed)}" if allowed else "nothing can be paid here",
            path="$.method",
        )


class BadNotification(errors.BadAsk):
    """The provider's message cannot be read, or is not signed by it."""

    slug = "payment.bad-notification"

    def __init__(self, *, provider: str) -> None:
        super().__init__(
            f"this is no message of {provider!r}", remedy="send the payload as the provider sent it", path="$.payload"
        )
