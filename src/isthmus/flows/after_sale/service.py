"""After-sale at work."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import LineAsk

from . import api


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
        ship = inventory.Ship(reference=str(before.group_id), parcel=parcel, lines=sent)
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
            )
            for one in received.lines
        ),
        order_kind=sold.order_kind,
    )
    own = ctx.acting_for(sold.box)
    await own.call(inventory.restock, restock)
    if sold.member_id is not None and received.refund.minor:
        reverse = member.ReversePoints(
            member_id=sold.member_id,
            reference=str(sold.order_id),
            share=member.Share(amount=received.refund, out_of=sold.total),
            part=f"return/{ask.return_id}",
        )
        await own.call(member.reverse_points, reverse)
    return received


@implements(api.refund_return)
async def refund_return(ask: api.RefundReturn, ctx: Context) -> order.Return:
    taken = await ctx.call(api.take_back, ask)
    if taken.state is order.ReturnState.REFUNDED:
        return taken
    if taken.refund.minor:
        refund = payment.RefundFrom(
            payments=payment.references_of(str(taken.group_id)),
            amount=taken.refund,
            reference=str(ask.return_id),
            reason="returned goods",
        )
        await ctx.call(payment.refund_from, refund)
    return await ctx.call(order.settle_return, order.SettleReturn(return_id=ask.return_id))
