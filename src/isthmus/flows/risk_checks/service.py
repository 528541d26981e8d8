"""Orders are judged where they are placed; a settled review moves them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Context, implements
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.risk import api as risk
from isthmus.values import money

from . import api

GONE = (order.OrderState.CANCELLED, order.OrderState.EXPIRED)
NOBODY = risk.Watching()
REJECTED = "rejected after a review"


@implements(api.check_order)
async def check_order(ask: order.OrderPlaced, ctx: Context) -> risk.Decision:
    if ask.is_handed_over or not await ctx.resource(risk.Watching, NOBODY).is_on(ctx.front_end):
        return risk.Decision(outcome="accept")
    orders = (await ctx.call(order.get_group_orders, order.GetGroup(group_id=ask.group_id))).orders
    first = orders[0]
    if first.order_id != ask.order_id or first.state is not order.OrderState.PLACED:
        return risk.Decision(outcome="accept")
    reference = str(ask.group_id)
    decided = await ctx.call(
        risk.decide,
        risk.Decide(
            kind="order",
            reference=reference,
            marks=tuple(_marks(first, ctx.front_end)),
            amount=money(sum(one.total.minor for one in orders), first.currency),
            about={
                "channel": first.channel, "order_kind": first.order_kind, "orders": len(orders),
                "units": sum(line.quantity for one in orders for line in one.lines),
                "is_guest": first.member_id is None, "coupons": len(first.coupons),
                "country": first.address.country if first.address else "",
            },
            member_id=first.member_id,
            is_undone=True,
        ),
    )  # fmt: skip
    if decided.outcome == "reject":
        raise api.OrderRejected(reference=str(decided.decision_id))
    if decided.outcome == "challenge":
        raise api.ProveFirst(reference=str(decided.decision_id))
    if decided.outcome == "review" and decided.deadline is not None:
        await ctx.call(order.hold_for_review, order.HoldForReview(group_id=ask.group_id, until=decided.deadline))
    return decided


def _marks(placed: order.Order, front_end: str) -> Iterator[risk.Mark]:
    """Yield by what the buyer of an order is known again."""
    if placed.contact_email:
        yield risk.Mark(kind="person", value=placed.contact_email)
    if placed.member_id is not None:
        yield risk.Mark(kind="member", value=str(placed.member_id))
    if (to := placed.address) is not None:
        parts = (to.street, to.postcode, to.city, to.country)
        yield risk.Mark(kind="address", value=" ".join(part for part in parts if part))


@implements(api.follow_review)
async def follow_review(ask: risk.ReviewSettled, ctx: Context) -> api.Followed:
    group_id = _group_of(ask)
    if group_id is None:
        return api.Followed()
    orders = (await ctx.call(order.get_group_orders, order.GetGroup(group_id=group_id))).orders
    await ctx.call(order.end_review, order.GetGroup(group_id=group_id))
    if ask.outcome == "reject":
        for one in orders:
            if one.state is order.OrderState.PLACED:
                await ctx.call(checkout.give_back, checkout.CancelOrder(order_id=one.order_id, reason=REJECTED))
    return api.Followed(orders=len(orders))


@implements(api.close_review)
async def close_review(ask: order.OrderMoved, ctx: Context) -> risk.Settled:
    if ask.state not in GONE or not await ctx.resource(risk.Watching, NOBODY).is_on(ctx.front_end):
        return risk.Settled(reviews=0)
    orders = (await ctx.call(order.get_group_orders, order.GetGroup(group_id=ask.group_id))).orders
    if not any(one.review_until for one in orders) or any(one.state not in GONE for one in orders):
        return risk.Settled(reviews=0)
    await ctx.call(order.end_review, order.GetGroup(group_id=ask.group_id))
    return await ctx.call(risk.close_review, risk.CloseReview(kind="order", reference=str(ask.group_id)))


@implements(api.go_on)
async def go_on(ask: risk.ReviewSettled, ctx: Context) -> payment.Payments:
    group_id = _group_of(ask)
    if group_id is None:
        return payment.Payments(items=())
    return await ctx.call(checkout.go_on, order.GetGroup(group_id=group_id))


def _group_of(ask: risk.ReviewSettled) -> UUID | None:
    """Return the orders that a review was of; None where it was of none, whatever its reference says."""
    with suppress(ValueError):
        return UUID(ask.reference) if ask.kind == "order" else None
    return None
