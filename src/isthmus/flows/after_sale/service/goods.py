"""What is done with goods: sent, closed, taken back, and the money that goes back for them."""

from __future__ import annotations

import re
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import LineAsk

from .. import api

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@implements(api.ship_order)
async def ship_order(ask: api.ShipOrder, ctx: Context) -> order.Order:
    before = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    after = await ctx.call(
        order.mark_shipped, order.MarkShipped(order_id=ask.order_id, parcel=ask.parcel, lines=ask.lines)
    )
    sent = tuple(
        LineAsk(sku=now.sku, quantity=now.shipped - was.shipped)
        for was, now in zip(before.lines, after.lines, strict=True)
        if now.shipped > was.shipped
    )
    if sent:  # none: the parcel had been sent before
        parcel = f"{before.number}-{ask.parcel}"
        ship = inventory.Ship(reference=str(before.group_id), parcel=parcel, lines=sent, serials=ask.serials)
        await ctx.call(inventory.ship, ship)
    return after


@implements(api.take_back)
async def take_back(ask: api.RefundReturn, ctx: Context) -> order.Return:
    known = await ctx.call(order.get_return, order.GetReturn(return_id=ask.return_id))
    if known.state in (order.ReturnState.RECEIVED, order.ReturnState.REFUNDED):
        return known
    received = await ctx.call(order.receive_return, order.ReceiveReturn(return_id=ask.return_id))
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=received.order_id))
    lines = {line.line: line for line in sold.lines}
    restock = inventory.Restock(
        reference=f"return/{ask.return_id}",
        lines=tuple(
            inventory.RestockLine(
                sku=lines[one.line].sku,
                quantity=one.quantity,
                location=lines[one.line].location or "main",
                condition=ask.condition,
                serials=tuple(unit.serial for unit in ask.serials if unit.sku == lines[one.line].sku),
            )
            for one in received.lines
        ),
        order_kind=sold.order_kind,
    )
    own = ctx.acting_for(sold.box)
    await own.call(inventory.restock, restock)
    await points_back(sold, received, own)
    return received


async def points_back(sold: order.Order, back: order.Return, own: Context) -> None:
    """Take back the points that goods earned which came back, or never came."""
    if sold.member_id is not None and back.refund.minor:
        reverse = member.ReversePoints(
            member_id=sold.member_id,
            reference=str(sold.order_id),
            share=member.Share(amount=back.refund, out_of=sold.total),
            part=f"return/{back.return_id}",
        )
        await own.call(member.reverse_points, reverse)


@implements(api.book_refund)
async def book_refund(ask: payment.PaymentMoved, ctx: Context) -> order.BookedRefund:
    purpose = payment.purpose_of(ask.reference)
    if ask.kind != payment.Kind.REFUND or not _ID.fullmatch(purpose):  # a payment may be for something else
        return order.BookedRefund(booked=ask.amount - ask.amount)
    booking = order.BookRefund(group_id=UUID(purpose), cause=ask.cause, amount=ask.amount)
    return await ctx.call(order.book_refund, booking)


@implements(api.close_goods)
async def close_goods(ask: api.CloseLines, ctx: Context) -> order.Return:
    closed = await ctx.call(
        order.close_lines, order.CloseLines(order_id=ask.order_id, reason=ask.reason, lines=ask.lines)
    )
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    skus = {line.line: line.sku for line in sold.lines}
    lines = tuple(LineAsk(sku=skus[one.line], quantity=one.quantity) for one in closed.lines)
    await ctx.call(inventory.release, inventory.Release(reference=str(sold.group_id), lines=lines))
    planned = fulfilment.ListShipments(reference=str(sold.order_id), limit=1)
    if (await ctx.call(fulfilment.list_shipments, planned)).items:
        await ctx.call(fulfilment.cancel, fulfilment.Cancel(reference=str(sold.order_id), lines=lines))
    await points_back(sold, closed, ctx.acting_for(sold.box))
    return closed


@implements(api.close_lines)
async def close_lines(ask: api.CloseLines, ctx: Context) -> order.Return:
    return await money_back(await ctx.call(api.close_goods, ask), "never came", ctx)


@implements(api.refund_return)
async def refund_return(ask: api.RefundReturn, ctx: Context) -> order.Return:
    taken = await ctx.call(api.take_back, ask)
    if taken.state is order.ReturnState.REFUNDED:
        return taken
    return await money_back(taken, "returned goods", ctx)


async def money_back(back: order.Return, reason: str, ctx: Context) -> order.Return:
    """Return what was paid for goods, as far as it was not given back by hand before, and settle it."""
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=back.order_id))
    left = max(sold.total - sold.refunded, sold.total - sold.total)
    given = back.refund - back.refund
    if back.refund.minor:
        refund = payment.RefundFrom(
            payments=payment.references_of(str(back.group_id)),
            amount=min(back.refund, left),
            reference=str(back.return_id),
            reason=reason,
            at_most=True,
        )
        parts = (await ctx.call(payment.refund_from, refund)).parts  # those of before, where it was asked before
        given = sum((part.amount for part in parts), start=given)
    return await ctx.call(order.settle_return, order.SettleReturn(return_id=back.return_id, refunded=given))
