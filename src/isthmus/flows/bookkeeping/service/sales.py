"""Payments, orders and returns, booked."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import Money, money

from .. import api, rules
from .entry import NOTHING, book

JURISDICTION = "jurisdiction"  # the setting that says where a front end sells when goods are not sent anywhere
DEPOSIT_PAID = "deposit-paid"  # what an order's history says of it
_TAKEN = {"capture": "payment-captured", "receipt": "payment-received", "refund": "payment-refunded"}


@implements(api.book_payment)
async def book_payment(ask: payment.PaymentMoved, ctx: Context) -> api.Booked:
    kind = _TAKEN.get(ask.kind)
    if kind is None or not ask.amount.minor:
        return NOTHING
    fee = ctx.answer(api.payment_fee)(ask.method, ask.provider, ask.amount)
    happening = api.Happening(
        kind=kind,  # pyright: ignore[reportArgumentType] - of the table above
        amount=ask.amount,
        reference=payment.purpose_of(ask.reference),
        method=ask.method,
        provider=ask.provider,
        fee=_within(fee, ask.amount) if kind != "payment-refunded" else None,
    )
    of = f"payment/{ask.payment_id}"
    if kind != "payment-refunded" or _is_id(ask.cause):
        return await book(happening, of, ctx)
    owed = await _owed_anyway(ask, ctx)
    parts = (happening.replace(amount=owed), happening.replace(amount=ask.amount - owed, is_for_goods=False))
    return api.Booked(entries=sum([(await book(one, of, ctx)).entries for one in parts if one.amount.minor]))


async def _owed_anyway(ask: payment.PaymentMoved, ctx: Context) -> Money:
    """Return what of a refund by hand cancelled orders were owed: it lessens what they are still given back.

    The order's book of refunds has this one already: events are taken in the order of the flows' names.
    """
    owed = money(0, ask.amount.currency)
    if not _is_id(purpose := payment.purpose_of(ask.reference)):
        return owed
    group = await ctx.call(order.get_group, order.GetGroup(group_id=UUID(purpose)))
    for brief in (one for one in group.orders if one.state is order.OrderState.CANCELLED):
        sold = await ctx.call(order.get_order, order.GetOrder(order_id=brief.order_id))
        refunds = (await ctx.call(order.list_refunds, order.ListRefunds(order_id=brief.order_id))).items
        if refunds and refunds[-1].cause == ask.cause:
            owed += rules.owed_anyway(sold, refunds, await _cancellation_fee(sold, ctx))
    return owed


@implements(api.book_sale)
async def book_sale(ask: order.OrderPlaced, ctx: Context) -> api.Booked:
    if not ask.is_handed_over:
        return NOTHING
    currency, jurisdiction = ask.total.currency, ctx.plan.settings.get(JURISDICTION, "")
    lines = tuple(
        rules.sold_line(
            line,
            place,
            rules.Worth(line.total.minor, line.tax.minor, line.discount.minor, commission.minor),
            currency,
            jurisdiction,
        )
        for place, (line, commission) in enumerate(zip(ask.lines, ask.commissions, strict=True))
    )
    happening = api.Happening(
        kind="goods-delivered",
        amount=ask.total,
        reference=str(ask.order_id),
        order_kind=ask.order_kind,
        channel=ask.channel,
        lines=lines,
        delivery_fee=(fee := ask.total - rules.total_of(lines, currency)),
        delivery=rules.delivery_line(fee, ask.delivery_tax, ask.delivery_taxed, jurisdiction),
        member_id=ask.member_id,
    )
    return await book(happening, f"order/{ask.order_id}", ctx)


@implements(api.book_order)
async def book_order(ask: order.OrderMoved, ctx: Context) -> api.Booked:
    if ask.shipped:
        return await _shipped(ask, ctx)
    if ask.state is order.OrderState.CANCELLED:
        return await _cancelled(ask, ctx)
    if ask.state is order.OrderState.EXPIRED:
        return await _expired(ask, ctx)
    return NOTHING


async def _shipped(ask: order.OrderMoved, ctx: Context) -> api.Booked:
    """Book what left with a parcel; the first one carries the fee for delivery."""
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    left = {one.line: one.quantity for one in ask.shipped}
    closings = await _closings(sold, ctx)
    before = {line.line: line.shipped - left.get(line.line, 0) for line in sold.lines}
    lines: list[api.SoldLine] = []
    for line in (one for one in sold.lines if one.line in left):
        gone = rules.never_came(line, closings, line.closed)
        was = rules.delivered(line, before[line.line], line.closed, gone)
        worth = rules.delivered(line, line.shipped, line.closed, gone) - was
        lines.append(rules.sold_line(line, line.line, worth, sold.currency, _jurisdiction(sold, ctx), was.discount))
    fee = sold.delivery_fee if not any(before.values()) else None
    return await _delivered(sold, tuple(lines), fee, ctx)


@implements(api.book_closing)
async def book_closing(ask: order.LinesClosed, ctx: Context) -> api.Booked:
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    closings = await _closings(sold, ctx)
    earlier = [one for one in closings if one.return_id != ask.return_id]
    closed = {one.line: one.quantity for one in ask.lines}
    lines: list[api.SoldLine] = []
    for line in (one for one in sold.lines if one.line in closed):
        was_closed = line.closed - closed[line.line]
        gone = rules.never_came(line, closings, line.closed)
        was_gone = rules.never_came(line, earlier, was_closed)
        was = rules.delivered(line, line.shipped, was_closed, was_gone)
        worth = rules.delivered(line, line.shipped, line.closed, gone) - was
        lines.append(rules.sold_line(line, line.line, worth, sold.currency, _jurisdiction(sold, ctx), was.discount))
    return await _delivered(sold, tuple(lines), None, ctx)


async def _delivered(sold: order.Order, lines: tuple[api.SoldLine, ...], fee: Money | None, ctx: Context) -> api.Booked:
    amount = rules.total_of(lines, sold.currency)
    happening = api.Happening(
        kind="goods-delivered",
        amount=amount if fee is None else amount + fee,
        reference=str(sold.order_id),
        order_kind=sold.order_kind,
        channel=sold.channel,
        lines=lines,
        delivery_fee=fee,
        delivery=None if fee is None else _delivery(fee, sold, ctx),
        member_id=sold.member_id,
    )
    return await book(happening, f"order/{sold.order_id}", ctx.acting_for(sold.box))


def _delivery(fee: Money, sold: order.Order, ctx: Context) -> api.SoldLine | None:
    return rules.delivery_line(fee, sold.delivery_tax, sold.delivery_taxed, _jurisdiction(sold, ctx))


async def _closings(sold: order.Order, ctx: Context) -> tuple[order.Return, ...]:
    """Return what of an order will never come; nothing is read where all of it may."""
    if not any(line.closed for line in sold.lines):
        return ()
    returns = await ctx.call(order.list_returns, order.ListReturns(order_id=sold.order_id))
    return tuple(one for one in returns.items if one.kind == "closing")


async def _cancelled(ask: order.OrderMoved, ctx: Context) -> api.Booked:
    """Book what is kept of a cancelled order: the fee, and what was given back of it by hand before."""
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    if not any(one.what == order.OrderState.PAID for one in sold.history):
        return NOTHING
    own = ctx.acting_for(sold.box)
    fee = await _cancellation_fee(sold, ctx)
    gone = [share.worth.minor for one in await _closings(sold, ctx) for share in one.shares]
    kept = max(fee, sold.refunded) - money(sum(gone), sold.currency)  # what never came went back by itself
    happening = api.Happening(
        kind="order-cancelled",
        amount=kept,
        reference=str(sold.order_id),
        order_kind=sold.order_kind,
        channel=sold.channel,
        fee=min(fee, kept),
        member_id=sold.member_id,
    )
    return await book(happening, f"order/{sold.order_id}", own)


async def _cancellation_fee(sold: order.Order, ctx: Context) -> Money:
    """Return what is kept of a cancelled order, by the rules that it was sold under."""
    paid = sold.replace(state=order.OrderState.PAID)
    own = (await ctx.as_of(sold.plan)).acting_for(sold.box)
    return _within(own.answer(order.cancellation_fee)(paid), sold.total)


async def _expired(ask: order.OrderMoved, ctx: Context) -> api.Booked:
    """Book a deposit that stays with the shop, once for all orders that it was paid for."""
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    if not any(one.what == DEPOSIT_PAID for one in sold.history):
        return NOTHING
    asked = payment.ListPayments(references=payment.references_of(str(ask.group_id)))
    payments = (await ctx.call(payment.list_payments, asked)).items
    kept = sum(one.captured.minor - one.refunded.minor for one in payments)
    happening = api.Happening(
        kind="deposit-forfeited",
        amount=money(kept, sold.currency),
        reference=str(ask.group_id),
        order_kind=sold.order_kind,
        channel=sold.channel,
    )
    return await book(happening, f"group/{ask.group_id}", ctx.acting_for(sold.box), is_once=True)


@implements(api.book_return)
async def book_return(ask: order.ReturnMoved, ctx: Context) -> api.Booked:
    if ask.state not in (order.ReturnState.RECEIVED, order.ReturnState.REFUNDED):
        return NOTHING
    back = await ctx.call(order.get_return, order.GetReturn(return_id=ask.return_id))
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    own = ctx.acting_for(sold.box)
    if ask.state is order.ReturnState.REFUNDED:
        return NOTHING if ask.agreed is None else await _settled(back, ask.agreed - ask.refund, sold, own)
    by_line = {line.line: line for line in sold.lines}
    lines: list[api.SoldLine] = []
    for share in back.shares:
        line = by_line[share.line]
        units = line.returned + line.closed
        before = units - share.quantity
        commission = rules.commission_of(line, units) - rules.commission_of(line, before)
        worth = rules.Worth(share.refund.minor, share.tax.minor, share.discount.minor, commission)
        off_before = rules.discount_of(line, before)
        lines.append(rules.sold_line(line, line.line, worth, sold.currency, _jurisdiction(sold, ctx), off_before))
    happening = _of_return("goods-returned", back.refund, sold, tuple(lines))
    return await book(happening, f"return/{back.return_id}", own)


async def _settled(back: order.Return, less: Money, sold: order.Order, own: Context) -> api.Booked:
    """Book what a customer is not owed any more for goods, since it was given back by hand before."""
    happening = _of_return("order-cancelled", less, sold, (), fee=money(0, sold.currency))
    return await book(happening, f"return/{back.return_id}", own)


def _of_return(
    kind: api.Kind, amount: Money, sold: order.Order, lines: tuple[api.SoldLine, ...], fee: Money | None = None
) -> api.Happening:
    return api.Happening(
        kind=kind,
        amount=amount,
        reference=str(sold.order_id),
        order_kind=sold.order_kind,
        channel=sold.channel,
        fee=fee,
        lines=lines,
        member_id=sold.member_id,
    )


def _within(answered: object, most: Money) -> Money:
    """Return an amount of 0 to another; nothing where none was said."""
    minor = answered.minor if isinstance(answered, Money) and answered.currency == most.currency else 0
    return money(max(0, min(minor, most.minor)), most.currency)


def _jurisdiction(sold: order.Order, ctx: Context) -> str:
    if sold.address is None:
        return ctx.plan.settings.get(JURISDICTION, "")
    return f"{sold.address.country}-{sold.address.region}" if sold.address.region else sold.address.country


def _is_id(cause: str) -> bool:
    """Whether a refund is for an order or a return, which are called by their ids, and not by hand."""
    try:
        return str(UUID(cause)) == cause
    except ValueError:
        return False
