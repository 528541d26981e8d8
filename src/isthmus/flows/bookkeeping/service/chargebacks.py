"""Chargebacks, booked."""

from __future__ import annotations

import logging
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.order import api as order

from .. import api, rules
from .entry import book

log = logging.getLogger("isthmus.flows.bookkeeping")


@implements(api.book_chargeback)
async def book_chargeback(ask: chargeback.ChargebackMoved, ctx: Context) -> api.Booked:
    happening = api.Happening(
        kind=f"chargeback-{ask.state}",  # pyright: ignore[reportArgumentType] - a kind for each state
        amount=ask.amount,
        reference=ask.paid_for,
        provider=ask.provider,
        fee=ask.fee,
        reason=ask.reason,
    )
    if ask.state is chargeback.ChargebackState.LOST:
        happening = await _borne(happening, ctx)
    return await book(happening, f"chargeback/{ask.provider}/{ask.reference}", ctx, is_once=True)


async def _borne(lost: api.Happening, ctx: Context) -> api.Happening:
    """Return it with who bears it, as the front end says; what comes to more than was lost is passed over."""
    asked = lost.replace(lines=await _sold(lost.reference, ctx))
    said = ctx.answer(api.chargeback_bearers)(asked)
    parts = said if isinstance(said, tuple) else ()
    is_sound = all(one.amount.currency == lost.amount.currency and one.amount.minor > 0 for one in parts)
    if not is_sound or sum(one.amount.minor for one in parts) > lost.amount.minor:
        log.warning("who bears the chargeback of %s is passed over: %s", lost.reference, parts)
        parts = ()
    return lost.replace(owed=parts)


async def _sold(paid_for: str, ctx: Context) -> tuple[api.SoldLine, ...]:
    """Return the goods of what was paid for; nothing where that was no order."""
    try:
        group = await ctx.call(order.get_group_orders, order.GetGroup(group_id=UUID(paid_for)))
    except (ValueError, order.UnknownOrder):
        return ()
    return tuple(
        rules.sold_line(line, line.line, rules.whole(line), sold.currency, "")
        for sold in group.orders
        if sold.state not in (order.OrderState.CANCELLED, order.OrderState.EXPIRED)
        for line in sold.lines
    )
