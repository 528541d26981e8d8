"""What subscriptions are made of, and what can be wrong with them."""

from __future__ import annotations

import enum
from typing import Annotated, Any
from uuid import UUID

from isthmus.kernel import Meta, Value, errors, event
from isthmus.markings import Pii
from isthmus.values import LINES_MAX, Address, Code, CurrencyCode, LineAsk, Moment, Money, attributes_of

EVERY_MAX = 366  # days: once a year
LISTED_MAX = 50  # subscriptions of a member that a page shows
PERIODS_SHOWN = 12  # the last ones of a subscription
LINE_MAX = 100  # lines of a subscription: nobody eats a thousand things every week

EveryDays = Annotated[int, Meta(ge=1, le=EVERY_MAX, description="days from one order to the next")]
Reason = Annotated[str, Pii("free-text"), Meta(max_length=240)]


class SubscriptionState(enum.StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"  # by the member, for good
    ENDED = "ended"  # the member is forgotten


class PeriodState(enum.StrEnum):
    PLACED = "placed"  # ordered, and still to be paid
    PAID = "paid"
    SKIPPED = "skipped"  # nothing was ordered, and `reason` says why
    REFUSED = "refused"  # the payment was refused as often as it is tried
    CANCELLED = "cancelled"  # the order was, before it was paid


class SubscribedLine(LineAsk):
    """So much of one SKU, every time."""

    attributes: Annotated[dict[str, Any], attributes_of("order.line")] = {}


class KeptLine(SubscribedLine):
    """A line as it is kept; agreed: what all of it costs every time, where that was agreed."""

    agreed: Money | None = None


SubscribedLines = Annotated[tuple[SubscribedLine, ...], Meta(min_length=1, max_length=LINE_MAX)]


class Wanted(Value):
    """What is to be bought again, how often, where it goes, and what it is paid with."""

    member_id: UUID
    currency: CurrencyCode
    lines: SubscribedLines
    every_days: EveryDays
    first_at: Moment | None = None  # None: at once
    address: Address | None = None
    delivery_method: Code | None = None
    contact_email: Annotated[str, Pii("email"), Meta(max_length=254)] = ""
    method: Code = "card"
    token: Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=255)]  # the provider's name for stored means
    order_kind: str = "standard"
    channel: str = "online"
    attributes: Annotated[dict[str, Any], attributes_of("order.order")] = {}


class Period(Value):
    """What became of one period."""

    due_at: Moment
    state: PeriodState
    reason: Annotated[str, Pii("free-text")]
    group_id: UUID | None  # of its order
    payment_id: UUID | None
    refusals: int  # how often its payment was refused


class Subscription(Value):
    """A subscription as it stands, with its last periods, the latest first. What it is paid with is not told."""

    subscription_id: UUID
    member_id: UUID
    state: SubscriptionState
    reason: Annotated[str, Pii("free-text")]
    currency: CurrencyCode
    lines: Annotated[tuple[KeptLine, ...], Meta(max_length=LINES_MAX)]
    every_days: int
    next_at: Moment
    address: Address | None
    delivery_method: str | None
    method: str
    order_kind: str
    channel: str
    box: str  # in which it was begun, and is ordered
    attributes: Annotated[dict[str, Any], attributes_of("order.order")]
    version: int
    periods: tuple[Period, ...] = ()


@event("subscription.moved", version="1.0", subject="subscription_id")
class SubscriptionMoved(Value):
    """A subscription has begun, was changed, paused or resumed, or has come to its end."""

    subscription_id: UUID
    member_id: UUID
    state: SubscriptionState
    refused_period: Moment | None = None  # the platform paused it, since the order of this period could not be paid


class UnknownSubscription(errors.NotFound):
    """There is no such subscription, or it is another front end's."""

    slug = "subscription.unknown-subscription"

    def __init__(self, *, subscription_id: UUID) -> None:
        super().__init__(
            f"there is no subscription {subscription_id}",
            remedy="find the member's with subscription.list-subscriptions",
            path="$.subscription_id",
            subscription_id=subscription_id,
        )


class SubscriptionOver(errors.Conflict):
    """What was cancelled, or ended with its member, does not begin again."""

    slug = "subscription.subscription-over"

    def __init__(self, *, subscription_id: UUID, state: str) -> None:
        super().__init__(
            f"subscription {subscription_id} is {state}",
            remedy="subscribe anew with renewals.subscribe",
            path="$.subscription_id",
            subscription_id=subscription_id,
        )


class NotTheNextPeriod(errors.Conflict):
    """Another period is ordered next than the one that is meant: it was ordered, or skipped, already."""

    slug = "subscription.not-the-next-period"

    def __init__(self, *, due_at: Moment, next_at: Moment, path: str = "$.due_at") -> None:
        super().__init__(
            f"the next period is {next_at.isoformat()}, and {due_at.isoformat()} was meant",
            remedy="read it again with subscription.get-subscription, and send its next_at if that is meant",
            path=path,
            due_at=due_at.isoformat(),
            next_at=next_at.isoformat(),
        )
