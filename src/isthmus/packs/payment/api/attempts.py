"""Attempts, as others may name them: what a provider was asked to do, how it ended, and what follows."""

from __future__ import annotations

import enum
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.markings import Pii
from isthmus.values import Code, Money, PageSize

from .errors import (
    AmountExceeded,
    BadNotification,
    IllegalStep,
    MethodRefused,
    PaymentRefused,
    ReferenceUsed,
    StepUnderWay,
    UnknownPayment,
    UnknownProvider,
    WrongAmount,
)
from .model import Payment, Payments
from .parts import Reference
from .providers import Outcome

PROVIDER_DEADLINE_MS = 30_000  # a flow waits no longer; what is unknown by then is reconciled
BEGIN_ERRORS = (UnknownPayment, IllegalStep, StepUnderWay, AmountExceeded, WrongAmount, ReferenceUsed)

Token = Annotated[
    str, Pii("identifier"), Meta(min_length=1, max_length=255, description="from the provider's own form")
]


class Kind(enum.StrEnum):
    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Authorise(Value):
    """Have a provider hold the whole amount."""

    payment_id: UUID
    method: Code
    token: Token
    order_kind: str = "standard"
    channel: str = "online"


class Notify(Value):
    """What a provider says of its own accord, as it sent it."""

    provider: Code
    payload: Annotated[str, Meta(max_length=20_000)]


class GetAttempt(Value):
    """Ask how an attempt stands, by its key."""

    key: Reference


class Begin(Value):
    """Write an attempt down before its provider is called; amount: none is all that is left."""

    payment_id: UUID
    kind: Kind
    key: Reference
    provider: Code = ""
    method: str = ""
    amount: Money | None = None


class Attempt(Value):
    """An attempt, and how it ended; `pending` and `unknown` have not."""

    attempt_id: UUID
    payment_id: UUID
    kind: Kind
    key: str
    provider: str
    method: str
    amount: Money
    state: Literal["pending", "unknown", "done", "refused"]
    provider_reference: str
    reason: str
    reference: str = ""  # what the payment is for


class End(Value):
    """Write down how an attempt ended, found by its key."""

    key: Reference
    outcome: Outcome


class AskProvider(Value):
    """Have a provider do what an attempt is about; token: what the buyer gave, where it is to authorise."""

    attempt: Attempt
    token: Annotated[str, Pii("identifier"), Meta(max_length=255)] = ""


class Settle(Value):
    """Write down how an attempt ended, and begin what follows for its payment.

    reference: what the payment is for. wanted: what is to be taken for it of all its payments together, the first due
    first; none: it is to be let go. payment_id: where no attempt ends, the payment that is held and waits.
    is_held: the transaction holds the payments already. waits: nothing follows for now, whatever is held.
    """

    reference: Reference
    wanted: Money | None = None
    ended: End | None = None
    payment_id: UUID | None = None
    is_held: bool = False
    waits: bool = False


class HoldPayments(Value):
    """Keep the payments of something as they are until the transaction ends."""

    reference: Reference


class ListHeld(Value):
    """Ask for payments that are held, and of which nothing has been asked for a while. besides: what is not meant."""

    older_than_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    limit: PageSize = 50
    besides: Annotated[tuple[Reference, ...], Meta(max_length=10_000)] = ()


class ListOpenAttempts(Value):
    """Ask for attempts without an outcome that are older than a moment."""

    older_than_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    limit: PageSize = 50


class Attempts(Value):
    """Attempts, the oldest first."""

    items: tuple[Attempt, ...]


class Held(Value):
    """The payments are held."""


class Settled(Value):
    """How an attempt ended, the payments as they are then, and what is to be asked next."""

    attempt: Attempt | None
    payments: tuple[Payment, ...]
    follows: Attempt | None


@capability(
    "payment.begin-authorisation",
    version="1.0",
    effect=Effect.WRITE,
    raises=[*BEGIN_ERRORS, UnknownProvider, MethodRefused, PaymentRefused],
    is_internal=True,
)
def begin_authorisation(ask: Authorise) -> Attempt:
    """Choose who is to hold the amount, and write the attempt down before they are asked."""
    ...


@capability(
    "payment.ask-provider",
    version="1.0",
    effect=Effect.SAGA,
    raises=[UnknownProvider],
    deadline_ms=PROVIDER_DEADLINE_MS,
    is_internal=True,
)
def ask_provider(ask: AskProvider) -> Outcome:
    """Have a provider do what an attempt is about; whatever goes wrong on the way, the outcome is unknown.

    Gone on with after a kill, it says what is known of the attempt by now. Nobody is asked to hold money again once its
    buyer has gone: then the provider says what became of it.
    """
    ...


@capability(
    "payment.look-up",
    version="1.0",
    effect=Effect.SAGA,
    deadline_ms=PROVIDER_DEADLINE_MS,
    is_internal=True,
)
def look_up(ask: AskProvider) -> Outcome:
    """Have a provider say what became of an attempt; what it cannot say stays unknown."""
    ...


@capability(
    "payment.read-notification",
    version="1.0",
    effect=Effect.SAGA,
    raises=[BadNotification, UnknownProvider],
    is_internal=True,
)
def read_notification(ask: Notify) -> End:
    """Read what a provider says of its own accord: of which attempt, and how it ended."""
    ...


@capability("payment.get-attempt", version="1.0", effect=Effect.READ, raises=[UnknownPayment], is_internal=True)
def get_attempt(ask: GetAttempt) -> Attempt:
    """Return an attempt as it stands now."""
    ...


@capability("payment.hold-payments", version="1.0", effect=Effect.WRITE, is_internal=True)
def hold_payments(ask: HoldPayments) -> Held:
    """Lock what is paid with for something: the deposit before the balance. Goes along with what is read next."""
    ...


@capability("payment.settle-attempt", version="1.0", effect=Effect.WRITE, raises=[UnknownPayment], is_internal=True)
def settle_attempt(ask: Settle) -> Settled:
    """Write down how an attempt ended, and begin to take what is wanted, or to let go what is not.

    What has ended stays as it is, and what is under way is waited for: then nothing follows.
    """
    ...


@capability("payment.list-held", version="1.0", effect=Effect.READ)
def list_held(ask: ListHeld) -> Payments:
    """List payments that are held with nothing under way, for longer than a payment takes: nobody goes on with them."""
    ...
