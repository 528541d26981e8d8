"""Subscriptions of members: read, changed, skipped, paused, cancelled."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.markings import Pii
from isthmus.values import Address, Code, Moment

from .model import (
    LISTED_MAX,
    EveryDays,
    NotTheNextPeriod,
    Reason,
    Subscription,
    SubscriptionOver,
    UnknownSubscription,
)


class GetSubscription(Value):
    """Ask for a subscription."""

    subscription_id: UUID


class ListSubscriptions(Value):
    """Ask for the subscriptions of a member, the latest first."""

    member_id: UUID
    limit: Annotated[int, Meta(ge=1, le=LISTED_MAX)] = LISTED_MAX


class Subscriptions(Value):
    """Subscriptions of a member."""

    items: tuple[Subscription, ...]


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


@capability("subscription.list-subscriptions", version="1.0", effect=Effect.READ)
def list_subscriptions(ask: ListSubscriptions) -> Subscriptions:
    """List the subscriptions of a member, the latest first."""
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
