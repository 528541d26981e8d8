"""What flows keep of subscriptions: they are opened, their periods begin and are paid, and members are forgotten."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.markings import Pii
from isthmus.personal import Forget, Forgotten
from isthmus.values import Moment, Money

from .model import KeptLine, Subscription, SubscriptionOver, UnknownSubscription, Wanted

DUE_MAX = 10  # of one run: each may ask a provider, ten seconds at most, and the rest comes with the next


class Open(Value):
    """Open a subscription; agreed: what the lines cost every time, where that was agreed."""

    wanted: Wanted
    agreed: tuple[Money, ...] = ()


class Rewrite(Value):
    """Put other lines into a subscription."""

    subscription_id: UUID
    lines: Annotated[tuple[KeptLine, ...], Meta(min_length=1)]


class ListDue(Value):
    """Ask what is due now, the longest due first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = DUE_MAX


class DuePeriod(Value):
    """A period that is due, with the box that it is sold in."""

    subscription_id: UUID
    due_at: Moment
    box: str


class Due(Value):
    """Periods that are due."""

    items: tuple[DuePeriod, ...]


class Begin(Value):
    """Hold a subscription while its period is ordered; reason: why it is not."""

    subscription_id: UUID
    due_at: Moment
    reason: Annotated[str, Pii("free-text"), Meta(max_length=1_000)] = ""


class Begun(Value):
    """A subscription that is held, with its e-mail address; none: somebody else has begun the period, or it rests."""

    subscription: Subscription | None = None
    contact_email: Annotated[str, Pii("email")] = ""


class NotePlaced(Value):
    """Write down which order a period has, in the transaction that places it."""

    subscription_id: UUID
    due_at: Moment
    group_id: UUID
    payment_id: UUID


class Try(Value):
    """A payment that is tried now; none: somebody else tries it, or it is not to be paid any more."""

    payment_id: UUID | None = None
    group_id: UUID | None = None
    state: str = ""  # of the subscription
    refusals: int = 0
    method: str = ""
    token: Annotated[str, Pii("identifier")] = ""


class EndTry(Value):
    """Write down what became of a payment; try_after_days: when it is tried again, where it is."""

    subscription_id: UUID
    due_at: Moment
    outcome: Literal["paid", "refused", "cancelled"]
    reason: Annotated[str, Pii("free-text"), Meta(max_length=1_000)] = ""
    try_after_days: int | None = None


class Join(Value):
    """Two members are one: what the other had is the first one's."""

    member_id: UUID
    other_id: UUID


class Joined(Value):
    """How many subscriptions have another member now."""

    subscriptions: int


class TryEnded(Value):
    """Whether it was refused for the last time, so that the subscription rests."""

    is_paused: bool = False


@capability("subscription.open-subscription", version="1.0", effect=Effect.WRITE, is_internal=True)
def open_subscription(ask: Open) -> Subscription:
    """Keep a subscription, with what its lines cost where that was agreed."""
    ...


@capability(
    "subscription.rewrite",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownSubscription, SubscriptionOver],
    is_internal=True,
)
def rewrite(ask: Rewrite) -> Subscription:
    """Put other lines into a subscription, from its next order on."""
    ...


@capability("subscription.list-due", version="1.0", effect=Effect.READ, is_internal=True)
def list_due(ask: ListDue) -> Due:
    """List the periods that are due and not begun."""
    ...


@capability("subscription.begin-period", version="1.0", effect=Effect.WRITE, is_internal=True)
def begin_period(ask: Begin) -> Begun:
    """Hold a subscription until the transaction ends, if this period of it is still the next."""
    ...


@capability("subscription.note-placed", version="1.0", effect=Effect.WRITE, is_internal=True)
def note_placed(ask: NotePlaced) -> Begun:
    """Write the order of a period down, and move on to the next that is still to come."""
    ...


@capability("subscription.note-skipped", version="1.0", effect=Effect.WRITE, is_internal=True)
def note_skipped(ask: Begin) -> Begun:
    """Write down that nothing is ordered for a period, and why, and move on; nothing where it was ordered meanwhile."""
    ...


@capability("subscription.list-unpaid", version="1.0", effect=Effect.READ, is_internal=True)
def list_unpaid(ask: ListDue) -> Due:
    """List the periods whose payment is to be tried now."""
    ...


@capability("subscription.begin-try", version="1.0", effect=Effect.WRITE, is_internal=True)
def begin_try(ask: Begin) -> Try:
    """Take a payment on, so that nobody else tries it for a while."""
    ...


@capability("subscription.end-try", version="1.0", effect=Effect.WRITE, is_internal=True)
def end_try(ask: EndTry) -> TryEnded:
    """Write down what became of a payment; with the last refusal the subscription is paused."""
    ...


@capability("subscription.join-members", version="1.0", effect=Effect.WRITE, is_internal=True)
def join_members(ask: Join) -> Joined:
    """Give the subscriptions of one member to another."""
    ...


@capability("subscription.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """End the subscriptions of members: where they went, what they were paid with and what was said of them is gone."""
    ...
