"""The return desk, and a person's orders over several front ends."""

from __future__ import annotations

import logging
from uuid import UUID

from isthmus.kernel import Context, errors, implements
from isthmus.language import mark
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order

from .. import api, rules
from .goods import money_back, points_back

log = logging.getLogger("isthmus.flows.after_sale")


@implements(api.take_hand_in)
async def take_hand_in(ask: api.TakeHandIn, ctx: Context) -> order.HandIn:
    taken = await ctx.call(order.mark_hand_in, order.MarkHandIn(hand_in_id=ask.hand_in_id, state="taken"))
    restock = inventory.Restock(
        reference=f"hand-in/{ask.hand_in_id}",
        lines=tuple(
            inventory.RestockLine(sku=one.sku, quantity=one.quantity, location=ask.location, condition=ask.condition)
            for one in taken.lines
        ),
    )
    await ctx.call(inventory.restock, restock)
    return taken


@implements(api.answer_hand_ins)
async def answer_hand_ins(ask: api.AnswerHandIns, ctx: Context) -> api.HandInsAnswered:
    held = await ctx.call(order.hold_hand_ins, order.HoldHandIns(state="asked", limit=ask.limit))
    agreed = 0
    for one in held.items:
        answer = await _answer(one, ctx)
        await ctx.call(order.answer_hand_in, answer)
        agreed += answer.return_id is not None
    return api.HandInsAnswered(agreed=agreed, refused=len(held.items) - agreed)


async def _answer(asked: order.HandIn, ctx: Context) -> order.AnswerHandIn:
    """Return the answer to a hand-in: a return like any other that is approved, or why there is none."""
    found = (await ctx.call(order.list_orders, order.ListOrders(number=asked.number, limit=1))).items
    lines = rules.handed_in(found[0], asked.lines) if found else ()
    if not lines:
        return order.AnswerHandIn(hand_in_id=asked.hand_in_id, note=mark("there is no such order with these goods"))
    wanted = order.RequestReturn(order_id=found[0].order_id, lines=lines)
    try:
        back = await ctx.attempt(order.request_return, wanted)
    except errors.Refusal as refused:
        return order.AnswerHandIn(hand_in_id=asked.hand_in_id, note=str(refused)[:240])
    approve = order.DecideReturn(return_id=back.return_id, is_approved=True, note=mark(f"handed in at {asked.taker}"))
    await ctx.call(order.decide_return, approve)
    return order.AnswerHandIn(hand_in_id=asked.hand_in_id, return_id=back.return_id, refund=back.refund)


@implements(api.receive_hand_in)
async def receive_hand_in(ask: order.ReceiveReturn, ctx: Context) -> order.Return:
    known = await ctx.call(order.get_return, order.GetReturn(return_id=ask.return_id))
    if known.state in (order.ReturnState.RECEIVED, order.ReturnState.REFUNDED):
        return known
    back = await ctx.call(order.receive_return, ask)
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=back.order_id))
    await points_back(sold, back, ctx.acting_for(sold.box))
    return back


@implements(api.close_hand_in)
async def close_hand_in(ask: order.MarkHandIn, ctx: Context) -> order.HandIn:
    return await ctx.call(order.mark_hand_in, ask)


@implements(api.settle_hand_ins)
async def settle_hand_ins(ask: api.SettleHandIns, ctx: Context) -> api.HandInsSettled:
    found = await ctx.call(order.list_hand_ins, order.ListHandIns(state="taken", limit=ask.limit))
    settled = 0
    for one in found.items:
        if one.owner != ctx.front_end or one.return_id is None:
            continue
        try:
            await _settle(one.hand_in_id, one.return_id, ctx)
            settled += 1
        except (errors.Refusal, errors.Fault) as wrong:  # what is wrong with one keeps none of the others
            log.warning("hand-in %s is not settled yet: %s", one.hand_in_id, wrong)
    return api.HandInsSettled(settled=settled)


async def _settle(hand_in_id: UUID, return_id: UUID, ctx: Context) -> None:
    back = await ctx.call(api.receive_hand_in, order.ReceiveReturn(return_id=return_id))
    if back.state is not order.ReturnState.REFUNDED:
        await money_back(back, "returned goods", ctx)
    await ctx.call(api.close_hand_in, order.MarkHandIn(hand_in_id=hand_in_id, state="refunded"))


@implements(api.list_persons_orders)
async def list_persons_orders(ask: api.ListPersonsOrders, ctx: Context) -> order.ShownOrders:
    elsewhere = (await ctx.call(member.list_joined, member.ListJoined(member_id=ask.member_id))).items
    of = [(ctx.front_end, ask.member_id), *((one.front_end, one.member_id) for one in elsewhere)]
    show = order.ShowOrders(
        owners=tuple(owner for owner, _ in of),
        member_ids=tuple(member_id for _, member_id in of),
        before=ask.before or ctx.now,
        limit=ask.limit,
    )
    return await ctx.call(order.show_orders, show)
