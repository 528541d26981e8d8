"""What the data platform may read of subscriptions: how many there are, and what became of their periods."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Count, Dimension, Key, Ref, Time, Where, entity

from .api import PeriodState, SubscriptionState


@entity("subscription.subscription", table="subscription.subscription", fresh_hours=48)
class Subscription(Value):
    """What a member buys again and again; not what it is, where it goes, or what it is paid with."""

    front_end: Annotated[str, Key(), Dimension()]
    subscription_id: Annotated[UUID, Key()]
    member_id: Annotated[UUID, Ref("member.membership")]
    state: Annotated[Literal["active", "paused", "cancelled", "ended"], Dimension()]
    currency: Annotated[str, Dimension()]
    every_days: int
    order_kind: Annotated[str, Dimension()]
    channel: Annotated[str, Dimension()]
    made_at: Annotated[datetime, Time()]


@entity("subscription.period", table="subscription.period", fresh_hours=48)
class Period(Value):
    """What became of one period of a subscription."""

    front_end: Annotated[str, Key(), Dimension()]
    subscription_id: Annotated[UUID, Key(), Ref("subscription.subscription")]
    due_at: Annotated[datetime, Key()]
    state: Annotated[Literal["placed", "paid", "skipped", "refused", "cancelled"], Dimension()]
    at: Annotated[datetime, Time()]


ENTITIES = (Subscription, Period)

METRICS = (
    Count(
        name="subscription.active", of="subscription.subscription", unit="subscription",
        where=Where("subscription.subscription.state", "=", SubscriptionState.ACTIVE.value),
        doc="Subscriptions that are ordered again, by when they began.",
    ),
    Count(
        name="subscription.paid-periods", of="subscription.period", unit="period",
        where=Where("subscription.period.state", "=", PeriodState.PAID.value),
        doc="Periods that were ordered and paid.",
    ),
)  # fmt: skip
