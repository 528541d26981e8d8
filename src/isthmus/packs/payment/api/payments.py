"""Payments, as others may name them: what is owed, authorised, captured and given back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Pass,
    Value,
    Verdict,
    capability,
    combine,
    event,
    extension_point,
)
from isthmus.markings import Pii
from isthmus.values import CHANNEL, ORDER_KIND, Code, Money

from .attempts import (
    BEGIN_ERRORS,
    PROVIDER_DEADLINE_MS,
    Attempt,
    Attempts,
    Authorise,
    Begin,
    End,
    ListOpenAttempts,
    Notify,
)
from .credit import CardIsUsed
from .errors import (
    BadNotification,
    Declined,
    IllegalStep,
    MethodRefused,
    OutcomeUnknown,
    PaymentRefused,
    ReferenceUsed,
    RefundRefused,
    StepUnderWay,
    UnknownPayment,
    UnknownProvider,
    WrongAmount,
)
from .model import Payment, Payments, PaymentState
from .parts import Reference, References, RefundFrom, RefundParts, RefundTooLarge

RECONCILE_MAX = 50


class OpenPayment(Value):
    """Expect an amount for a reference, such as a group of orders.

    received_as: how it was taken on the spot (cash, a terminal's slip); none: it is still to come.
    """

    reference: Reference
    amount: Money
    received_as: Code | None = None


class ListPayments(Value):
    """Ask for the payments of some references."""

    references: References


class ExpectLess(Value):
    """Expect a smaller amount for a reference, since some of what it was for is gone."""

    reference: Reference
    amount: Money


class ExpectAmount(Value):
    """Expect another amount for a reference, since what it is for was changed."""

    reference: Reference
    amount: Money


class Capture(Value):
    """Take what was authorised: all that is left of it, or so much."""

    payment_id: UUID
    amount: Money | None = None


class Void(Value):
    """Let go of what was authorised and not captured."""

    payment_id: UUID


class Refund(Value):
    """Give money back. `reference` refunds once."""

    payment_id: UUID
    amount: Money
    reference: Reference
    reason: Annotated[str, Pii("free-text"), Meta(max_length=240)] = ""


class Reconcile(Value):
    """Look up attempts whose outcome is unknown, the oldest first."""

    limit: Annotated[int, Meta(ge=1, le=RECONCILE_MAX)] = RECONCILE_MAX


class Reconciled(Value):
    """How many attempts have an outcome now, and how many have none yet."""

    settled: int
    unknown: int
    payment_ids: tuple[UUID, ...] = ()  # those of settled attempts: what waited for them can go on


class GetPayment(Value):
    """Ask for a payment by its id, or by what it is for."""

    payment_id: UUID | None = None
    reference: Reference | None = None


class ListMethods(Value):
    """Ask how an amount can be paid."""

    amount: Money
    order_kind: str = "standard"
    channel: str = "online"


class Methods(Value):
    """Ways to pay, the first recommended."""

    items: tuple[str, ...]


@event("payment.payment-moved", version="1.1", subject="payment_id")
class PaymentMoved(Value):
    """A payment is in another state."""

    payment_id: UUID
    reference: str
    state: PaymentState
    kind: str
    amount: Money
    cause: str = ""  # of a refund: the reference that it was given for
    method: str = ""
    provider: str = ""  # who moved it; nobody where it was received on the spot
    key: str = ""  # of the attempt: what the provider knows it by


@event("payment.payment-begun", version="1.0", subject="payment_id")
class PaymentBegun(Value):
    """Somebody is about to pay, and no provider was asked yet; said only where payments are judged.

    card: a hash of what the provider's form gave; where it knows a card again, it is the same again.
    """

    payment_id: UUID
    reference: str
    attempt_id: UUID
    amount: Money
    method: str
    provider: str
    card: Annotated[str, Pii("identifier")]


@event("payment.outcome-contradicted", version="1.0", subject="payment_id")
class OutcomeContradicted(Value):
    """A provider says of an attempt what it had denied, or the reverse; nothing was changed, and a person must look."""

    payment_id: UUID
    kind: str
    amount: Money
    was: str
    said: str


_STEP_ERRORS = (*BEGIN_ERRORS, UnknownProvider, Declined, OutcomeUnknown)


@capability("payment.open-payment", version="1.0", effect=Effect.WRITE, raises=[ReferenceUsed], is_internal=True)
def open_payment(ask: OpenPayment) -> Payment:
    """Expect an amount for a reference, or record what was taken on the spot; a reference has one payment."""
    ...


@capability(
    "payment.expect-less", version="1.0", effect=Effect.WRITE, raises=[UnknownPayment, WrongAmount], is_internal=True
)
def expect_less(ask: ExpectLess) -> Payment:
    """Expect less for a reference. Once somebody has begun to pay, what was asked for stands, and less is taken."""
    ...


@capability(
    "payment.expect-amount",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownPayment, WrongAmount, StepUnderWay, IllegalStep],
    is_internal=True,
)
def expect_amount(ask: ExpectAmount) -> Payment:
    """Expect another amount for a reference, more or less, as long as nobody has begun to pay it."""
    ...


@capability("payment.get-payment", version="1.0", effect=Effect.READ, raises=[UnknownPayment])
def get_payment(ask: GetPayment) -> Payment:
    """Return a payment with its legs."""
    ...


@capability("payment.list-payments", version="1.0", effect=Effect.READ)
def list_payments(ask: ListPayments) -> Payments:
    """Return the payments of some references, without their legs."""
    ...


@capability("payment.list-methods", version="1.0", effect=Effect.READ)
def list_methods(ask: ListMethods) -> Methods:
    """List the ways in which an amount can be paid."""
    ...


@capability(
    "payment.begin-attempt",
    version="1.0",
    effect=Effect.WRITE,
    raises=[*BEGIN_ERRORS, CardIsUsed],
    is_internal=True,
)
def begin_attempt(ask: Begin) -> Attempt:
    """Write an attempt down before its provider is called. The same key again gets the same attempt.

    A refund or a release that was refused is tried anew, since nothing moved.
    """
    ...


@capability("payment.end-attempt", version="1.0", effect=Effect.WRITE, raises=[UnknownPayment], is_internal=True)
def end_attempt(ask: End) -> Attempt:
    """Write down how an attempt ended; one that has ended stays as it is."""
    ...


@capability("payment.list-open-attempts", version="1.0", effect=Effect.READ)
def list_open_attempts(ask: ListOpenAttempts) -> Attempts:
    """List attempts whose outcome is not known."""
    ...


@capability(
    "payment.authorise",
    version="1.0",
    effect=Effect.SAGA,
    raises=[*_STEP_ERRORS, MethodRefused, PaymentRefused],
    deadline_ms=PROVIDER_DEADLINE_MS,
)
def authorise(ask: Authorise) -> Payment:
    """Have a provider hold the amount. Declined is an answer: the payment stays open for another try."""
    ...


@capability("payment.capture", version="1.0", effect=Effect.SAGA, raises=_STEP_ERRORS, deadline_ms=PROVIDER_DEADLINE_MS)
def capture(ask: Capture) -> Payment:
    """Take what was authorised."""
    ...


@capability("payment.void", version="1.0", effect=Effect.SAGA, raises=_STEP_ERRORS, deadline_ms=PROVIDER_DEADLINE_MS)
def void(ask: Void) -> Payment:
    """Let go of what was authorised."""
    ...


@capability(
    "payment.refund",
    version="1.0",
    effect=Effect.SAGA,
    raises=[*_STEP_ERRORS, RefundRefused, CardIsUsed],
    deadline_ms=PROVIDER_DEADLINE_MS,
)
def refund(ask: Refund) -> Payment:
    """Give money back, never more than was captured; a reference is refunded once."""
    ...


@capability(
    "payment.refund-from",
    version="1.0",
    effect=Effect.SAGA,
    raises=[*_STEP_ERRORS, RefundRefused, RefundTooLarge, CardIsUsed],
    deadline_ms=PROVIDER_DEADLINE_MS,
)
def refund_from(ask: RefundFrom) -> RefundParts:
    """Give money back from the payments of one thing. Stopped half way, the same call goes on where it was."""
    ...


@capability(
    "payment.notify", version="1.0", effect=Effect.SAGA, raises=[BadNotification, UnknownProvider, UnknownPayment]
)
def notify(ask: Notify) -> Payment:
    """Take in what a provider says of its own accord; each message counts once, in any order."""
    ...


@capability("payment.reconcile", version="1.0", effect=Effect.SAGA, deadline_ms=PROVIDER_DEADLINE_MS)
def reconcile(ask: Reconcile) -> Reconciled:
    """Look up attempts without an outcome at their providers, and write down what they say."""
    ...


@extension_point("payment.methods", combine=combine.fold(), dimensions=[ORDER_KIND, CHANNEL])
def methods(offered: tuple[str, ...], amount: Money) -> tuple[str, ...]:
    """Hide, add or order the ways to pay. Default: all that the connected providers take."""
    return offered


@extension_point("payment.choose-provider", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def choose_provider(method: str, amount: Money, providers: tuple[str, ...]) -> str | Pass:
    """Choose who carries a payment out, among the providers that take its method. Default: the first."""
    return providers[0]


@extension_point("payment.guard-refund", combine=combine.every)
def guard_refund(payment: Payment, amount: Money) -> Verdict:
    """Refuse to give money back: above what one person may decide. Default: nothing is refused."""
    return ALLOW
