"""Renewals, as others may name them: from a subscription to its next order, and from a past order to a basket.

    subscribe    keeps what is wanted, and what it costs where the front end says that prices stay
    place-due    for each period that is due: one order, in the transaction that writes the period down; or why none
    pay-due      pays it with the stored means; refused, it is tried again after the days that the front end says
                 the last time: the order is cancelled, the subscription rests, and its member is told
    order-again  puts what a past order had into a basket

Goods are held from the order until the last try. What is short is left out, or replaced, as the front end answers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Effect, Meta, Value, flow
from isthmus.packs.catalog import api as catalog
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.subscription import api as subscription
from isthmus.values import Sku

HELD_LONGER: Final = timedelta(days=1)  # than to the last try, which servers that are down may be late for


class ChangeLines(Value):
    """Put other lines into a subscription; what stays costs what was agreed for it, in proportion to its quantity."""

    subscription_id: UUID
    lines: subscription.SubscribedLines


class Renew(Value):
    """Order, or pay, what is due."""

    limit: Annotated[int, Meta(ge=1, le=100)] = subscription.DUE_MAX


class Renewed(Value):
    """What a run came to."""

    done: int = 0
    left_out: int = 0  # periods that were skipped, and payments that were refused


class PlacedPeriod(Value):
    """Whether a period was ordered by this call."""

    is_news: bool = False


class OrderAgain(Value):
    """Put what a member's past order had into a basket: theirs, or a new one."""

    order_id: UUID
    member_id: UUID
    basket_id: UUID | None = None


class OrderedAgain(Value):
    """The basket, and what is not sold here any more."""

    basket: order.Basket
    left_out: tuple[Sku, ...]


class Notified(Value):
    """How many messages were written down: none where nobody has an address."""

    messages: int


@flow(
    "renewals.subscribe",
    version="1.0",
    effect=Effect.WRITE,
    uses=[member.get_buyer, pricing.quote, subscription.open_subscription],
    raises=[member.NotAMember, pricing.NoListPrice, pricing.CurrencyNotSold],
)
def subscribe(ask: subscription.Wanted) -> subscription.Subscription:
    """Subscribe a member to goods, every so many days. The first order is placed at once, or when it is asked for."""
    ...


@flow(
    "renewals.change-lines",
    version="1.0",
    effect=Effect.WRITE,
    uses=[subscription.get_subscription, member.get_buyer, pricing.quote, subscription.rewrite],
    raises=[subscription.UnknownSubscription, subscription.SubscriptionOver, pricing.NoListPrice],
)
def change_lines(ask: ChangeLines) -> subscription.Subscription:
    """Change what is bought from the next order on. What is new costs what it costs now, where prices stay."""
    ...


@flow(
    "renewals.place-period",
    version="1.0",
    effect=Effect.WRITE,
    uses=[subscription.begin_period, checkout.place_agreed, subscription.note_placed],
    is_internal=True,
)
def place_period(ask: subscription.DuePeriod) -> PlacedPeriod:
    """Place the order of a period, and write the period down, in one transaction; nothing where it was begun."""
    ...


@flow(
    "renewals.place-due",
    version="1.0",
    effect=Effect.SAGA,
    uses=[subscription.list_due, place_period, subscription.note_skipped],
    deadline_ms=60_000,
)
def place_due(ask: Renew) -> Renewed:
    """Order what is due. Safe to run in several places at once; what cannot be ordered is left out, and says why."""
    ...


@flow(
    "renewals.pay-due",
    version="1.0",
    effect=Effect.SAGA,
    uses=[
        subscription.list_unpaid,
        subscription.begin_try,
        subscription.end_try,
        payment.get_payment,
        order.get_group,
        checkout.pay_order,
        checkout.cancel_order,
    ],
    deadline_ms=60_000,
)
def pay_due(ask: Renew) -> Renewed:
    """Pay what was ordered with the stored means, each once at a time, and see through what is refused at last."""
    ...


@flow(
    "renewals.notify-refused",
    version="1.0",
    effect=Effect.WRITE,
    uses=[member.get_member, notification.send],
    is_internal=True,
)
def notify_refused(ask: subscription.SubscriptionMoved) -> Notified:
    """Write to a member whose subscription rests since it could not be paid, in the transaction that has it rest."""
    ...


@flow(
    "renewals.join-members",
    version="1.0",
    effect=Effect.WRITE,
    uses=[subscription.join_members],
    is_internal=True,
)
def join_members(ask: member.MembersMerged) -> subscription.Joined:
    """Give the subscriptions of a member to who they are one with, in the transaction in which they become one."""
    ...


@flow(
    "renewals.order-again",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.get_order, catalog.describe_skus, order.open_basket, order.set_lines],
    raises=[order.UnknownOrder],
)
def order_again(ask: OrderAgain) -> OrderedAgain:
    """Put what a member's past order had into a basket, at what it costs now; an order of somebody else is unknown."""
    ...
