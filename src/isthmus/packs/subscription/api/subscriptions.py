"""Subscriptions of members: read, changed, skipped, paused, cancelled."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.markings import Pii
from isthmus.values import Address, Code, Moment

from .model import (
    LISTED_MAX,
    EveryDays,
    NotTheNextPeriod,
    Reason,
    Subscription,
    SubscriptionOver,
    SubscriptionState,
    UnknownSubscription,
)


class GetSubscription(Value):
    """Ask for a subscription."""

    subscription_id: UUID


class ListSubscriptions(Value):
    """Ask for subscriptions, the latest first: of a member, in a state, or all."""

    member_id: UUID | None = None
    state: SubscriptionState | None = None
    limit: Annotated[int, Meta(ge=1, le=LISTED_MAX)] = LISTED_MAX
    cursor: str | None = None


class Subscriptions(Value):
    """Some of the subscriptions, and how to go on."""

    items: tuple[Subscription, ...]
    next_cursor: str | None = None


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "subscription.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


class OneSubscription(Value):
    """Pause, resume or cancel a subscription."""

    subscription_id: UUID
    reason: Reason = ""


class SkipNext(Value):
    """Skip the period that is next, which `due_at` names: one that was ordered meanwhile is not skipped."""

    subscription_id: UUID
    due_at: Moment


class Change(Value):
    """Change how often, where to, or what it is paid with; what is not given stays."""

    subscription_id: UUID
    every_days: EveryDays | None = None
    next_at: Moment | None = None
    address: Address | None = None
    delivery_method: Code | None = None
    method: Code | None = None
    token: Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=255)] | None = None


@capability("subscription.get-subscription", version="1.0", effect=Effect.READ, raises=[UnknownSubscription])
def get_subscription(ask: GetSubscription) -> Subscription:
    """Return a subscription, with what became of its last periods."""
    ...


@capability("subscription.list-subscriptions", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_subscriptions(ask: ListSubscriptions) -> Subscriptions:
    """List subscriptions, the latest first: those of a member, those in a state, or all of the front end."""
    ...


@capability(
    "subscription.skip-next",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownSubscription, SubscriptionOver, NotTheNextPeriod],
)
def skip_next(ask: SkipNext) -> Subscription:
    """Leave the next period out. Safe to repeat: the period is named, and is skipped once."""
    ...


@capability("subscription.pause", version="1.0", effect=Effect.WRITE, raises=[UnknownSubscription, SubscriptionOver])
def pause(ask: OneSubscription) -> Subscription:
    """Order nothing more until it is resumed. What was ordered already goes on."""
    ...


@capability("subscription.resume", version="1.0", effect=Effect.WRITE, raises=[UnknownSubscription, SubscriptionOver])
def resume(ask: OneSubscription) -> Subscription:
    """Go on with the next period that is still to come; those that went by meanwhile are left out."""
    ...


@capability("subscription.cancel", version="1.0", effect=Effect.WRITE, raises=[UnknownSubscription])
def cancel(ask: OneSubscription) -> Subscription:
    """End a subscription for good. An order that was placed and is not paid yet is cancelled too. Safe to repeat."""
    ...


@capability(
    "subscription.change",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownSubscription, SubscriptionOver, NotTheNextPeriod],
)
def change(ask: Change) -> Subscription:
    """Change how often, from when, where to, or what it is paid with: from the next order on."""
    ...
