"""Changes of orders: under the lock of their group, as whoever pays for it or cancels it locks it."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.values import LINES_MAX, Address, money

from .. import api, rules
from ..storage import changes as storage_changes
from ..storage import orders as storage
from .orders import commissions_of, found_order, locked_order, seals_of

State = api.OrderState


@implements(api.amend_order)
async def amend_order(ask: api.AmendOrder, ctx: Context) -> api.Order:
    await storage.lock_siblings(ctx.session, ctx.front_end, ask.order_id)
    order = await found_order(ask.order_id, ctx)
    if order.state is not State.PLACED:
        raise api.IllegalTransition(what=f"order {order.number}", state=order.state, wanted="amended")
    out = rules.taken_out(order, ask.lines)
    _check_amended(order, ask, sum(out.values()))
    shares = await storage_changes.shares(ctx.session, ctx.front_end, ask.order_id)
    left = [
        rules.remainder(line, out[line.line], shares.get(line.line, ())) for line in order.lines if line.line in out
    ]
    commissions = commissions_of(ask.added, order.currency, ctx.acting_for(order.box)) if ask.added else []
    if ask.added:
        first = 1 + max(line.line for line in order.lines)
        added = list(zip(ask.added, commissions, strict=True))
        await storage_changes.add(ctx.session, ctx.front_end, ask.order_id, first, added)
    await storage_changes.leave(ctx.session, ctx.front_end, ask.order_id, left)
    total = money(await storage_changes.sum_up(ctx.session, ctx.front_end, ask.order_id), order.currency)
    await _emit_moved(order, f"amended from {order.total} to {total}: {ask.reason}", ctx)
    ctx.emit(
        api.OrderAmended(
            order_id=order.order_id,
            group_id=order.group_id,
            was=order.total,
            total=total,
            lines=tuple(api.CloseLine(line=line, quantity=count) for line, count in sorted(out.items())),
            added=ask.added,
            reason=ask.reason,
        )
    )
    return await found_order(ask.order_id, ctx)


def _check_amended(order: api.Order, ask: api.AmendOrder, units: int) -> None:
    """Refuse to take all out of an order, to fill it beyond what one may have, and amounts that do not add up."""
    if units == sum(line.quantity for line in order.lines) and not ask.added:
        raise api.IllegalTransition(what=f"order {order.number}", state=order.state, wanted="empty: cancel it instead")
    if len(order.lines) + len(ask.added) > LINES_MAX:
        raise api.OrderRefused(reasons=[f"it would have more than {LINES_MAX} lines"], path="$.added")
    for at, line in enumerate(ask.added):
        if wrong := rules.line_mismatch(line, at, order.currency):
            raise api.OrderRefused(reasons=[wrong], path=f"$.added[{at}]")


@implements(api.correct_address)
async def correct_address(ask: api.CorrectAddress, ctx: Context) -> api.Order:
    order = await locked_order(ask.order_id, ctx)
    if order.state not in (State.PLACED, State.PAID, State.PART_SHIPPED) or order.address is None:
        raise api.IllegalTransition(what=f"order {order.number}", state=order.state, wanted="sent to another address")
    if _place(ask.address) != _place(order.address):
        raise api.OtherJurisdiction(number=order.number, sold_to=_place(order.address), wanted=_place(ask.address))
    if ask.address == order.address:
        return order
    await storage_changes.correct_address(ctx.session, ctx.front_end, ask.order_id, ask.address, seals_of(ctx))
    await _emit_moved(order, f"address corrected: {ask.reason}", ctx)
    ctx.emit(api.AddressCorrected(order_id=order.order_id, group_id=order.group_id))
    return order.replace(address=ask.address)


def _place(address: Address) -> str:
    return f"{address.country}-{address.region}" if address.region else address.country


async def _emit_moved(order: api.Order, note: str, ctx: Context) -> None:
    await storage.move(ctx.session, ctx.front_end, [order.order_id], order.state, (ctx.now, ctx.caller.client, note))
