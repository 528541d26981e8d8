"""What happens is judged where it does; a settled review moves orders on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Context, errors, implements
from isthmus.packs.account import api as account
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.packs.risk import api as risk
from isthmus.packs.settlement import api as settlement
from isthmus.values import money

from . import api

GONE = (order.OrderState.CANCELLED, order.OrderState.EXPIRED)
REJECTED = "rejected after a review"
OF_ORDERS: Final[tuple[risk.Kind, ...]] = ("order", "payment")  # what an order waits for


@implements(api.check_order)
async def check_order(ask: order.OrderPlaced, ctx: Context) -> risk.Decision:
    if ask.is_handed_over or not await _is_on("order", ctx):
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


async def _is_on(kind: risk.Kind, ctx: Context) -> bool:
    return await ctx.resource(risk.Watching, risk.NOBODY).is_on(ctx.front_end, kind)


@implements(api.check_payment)
async def check_payment(ask: payment.PaymentBegun, ctx: Context) -> risk.Decision:
    reference, orders = ask.reference, ()
    with suppress(ValueError, order.UnknownOrder):  # whatever else is paid for has no orders
        group_id = UUID(payment.purpose_of(ask.reference))
        orders = (await ctx.call(order.get_group_orders, order.GetGroup(group_id=group_id))).orders
        reference = str(group_id)
    marks = [risk.Mark(kind="card", value=ask.card)] if ask.card else []
    first = orders[0] if orders else None
    decide = risk.Decide(
        kind="payment",
        reference=f"{reference}/{ask.attempt_id}" if orders else reference,
        marks=(*marks, *(_marks(first, ctx.front_end) if first else ())),
        amount=ask.amount,
        about={"method": ask.method, "provider": ask.provider, "is_guest": first is None or first.member_id is None},
        member_id=first.member_id if first else None,
        is_undone=True,
        comes_again=not orders,  # an order waits; whatever else is paid for is paid again
    )
    decided = await ctx.call(risk.decide, decide)
    if decided.outcome in ("reject", "challenge") or (decided.outcome == "review" and not orders):
        raise api.PaymentStopped(kind="payment", outcome=decided.outcome, reference=str(decided.decision_id))
    if decided.outcome == "review" and decided.deadline is not None and first is not None:
        if any(one.review_until for one in orders):  # somebody looks at the order already
            await ctx.call(risk.close_review, risk.CloseReview(kind="payment", reference=decide.reference or ""))
        else:
            hold = order.HoldForReview(group_id=first.group_id, until=decided.deadline)
            await ctx.call(order.hold_for_review, hold)
    return decided


@implements(api.check_sign_in)
async def check_sign_in(ask: account.SignInBegun, ctx: Context) -> risk.Decision:
    marks = (risk.Mark(kind="person", value=ask.address),)
    return await _let_through(risk.Decide(kind="sign-in", marks=marks), api.SignInStopped, ctx)


@implements(api.check_registration)
async def check_registration(ask: member.RegistrationBegun, ctx: Context) -> risk.Decision:
    marks = tuple(risk.Mark(kind="person", value=one.value) for one in _first_email(ask.identities))
    about = {
        "identities": len(ask.identities),
        "is_verified": any(one.is_verified for one in ask.identities),
        "kinds": sorted({one.kind for one in ask.identities}),
    }
    decide = risk.Decide(kind="registration", marks=marks, about=about)
    return await _let_through(decide, api.RegistrationStopped, ctx)


def _first_email(identities: Sequence[member.Identity]) -> Sequence[member.Identity]:
    """Return by what somebody is known again: an address of e-mail where they have one."""
    return sorted(identities, key=lambda one: (one.kind != "email", one.kind, one.value))[:1]


@implements(api.check_coupon)
async def check_coupon(ask: promotion.CouponClaimed, ctx: Context) -> risk.Decision:
    decide = risk.Decide(
        kind="coupon",
        reference=f"{ask.promotion}/{ask.member_id}",
        marks=(risk.Mark(kind="member", value=str(ask.member_id)),),
        about={"promotion": ask.promotion},
        member_id=ask.member_id,
    )
    return await _let_through(decide, api.CouponStopped, ctx)


@implements(api.check_return)
async def check_return(ask: order.ReturnMoved, ctx: Context) -> risk.Decision:
    if ask.state is not order.ReturnState.REQUESTED or not await _is_on("return", ctx):
        return risk.Decision(outcome="accept")
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    decide = risk.Decide(
        kind="return",
        reference=str(ask.order_id),
        marks=tuple(_marks(sold, ctx.front_end)),
        amount=ask.refund,
        about={"is_guest": sold.member_id is None, "order_total": sold.total.minor, "order_kind": sold.order_kind},
        member_id=sold.member_id,
    )
    return await _let_through(decide, api.ReturnStopped, ctx)


@implements(api.check_payout)
async def check_payout(ask: settlement.SettlementMoved, ctx: Context) -> risk.Decision:
    if ask.state is not settlement.SettlementState.APPROVED or not await _is_on("payout", ctx):
        return risk.Decision(outcome="accept")
    decide = risk.Decide(
        kind="payout",
        reference=str(ask.settlement_id),
        marks=(risk.Mark(kind="person", value=ask.payee),),
        amount=ask.payout,
        about={"payee": ask.payee, "fee": ask.fee.minor, "debit": ask.debit.minor},
    )
    return await _let_through(decide, api.PayoutStopped, ctx)


async def _let_through(ask: risk.Decide, stopped: Callable[..., errors.RuleBroken], ctx: Context) -> risk.Decision:
    """Have something judged that waits by being sent again; raise what its pack is refused with."""
    decided = await ctx.call(risk.decide, ask.replace(is_undone=True, comes_again=True))
    if decided.outcome != "accept":
        raise stopped(kind=ask.kind, outcome=decided.outcome, reference=str(decided.decision_id))
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
    if ask.state not in GONE or not (await _is_on("order", ctx) or await _is_on("payment", ctx)):
        return risk.Settled(reviews=0)
    orders = (await ctx.call(order.get_group_orders, order.GetGroup(group_id=ask.group_id))).orders
    if not any(one.review_until for one in orders) or any(one.state not in GONE for one in orders):
        return risk.Settled(reviews=0)
    await ctx.call(order.end_review, order.GetGroup(group_id=ask.group_id))
    closes = [risk.CloseReview(kind=kind, reference=str(ask.group_id)) for kind in OF_ORDERS]
    return risk.Settled(reviews=sum([(await ctx.call(risk.close_review, one)).reviews for one in closes]))


@implements(api.go_on)
async def go_on(ask: risk.ReviewSettled, ctx: Context) -> payment.Payments:
    group_id = _group_of(ask)
    if group_id is None:
        return payment.Payments(items=())
    return await ctx.call(checkout.go_on, order.GetGroup(group_id=group_id))


def _group_of(ask: risk.ReviewSettled) -> UUID | None:
    """Return the orders that a review was of; None where it was of none, whatever its reference says."""
    with suppress(ValueError):
        return UUID(ask.reference.partition("/")[0]) if ask.kind in OF_ORDERS else None
    return None
