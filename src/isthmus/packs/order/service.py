"""Orders at work: placing, moving, returning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from isthmus.kernel import Context, Verdict, decode, encode, errors, implements
from isthmus.values import money

from . import api, rules, storage

State = api.OrderState
ReturnState = api.ReturnState
_LATEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
_PERCENT = 100


@implements(api.check_draft)
async def check_draft(ask: api.CheckDraft, ctx: Context) -> api.DraftChecked:
    verdict = ctx.answer(api.validate_order)(ask)
    return api.DraftChecked(refusals=tuple(_reasons(verdict)), parts=tuple(rules.parted(_keys(ask, ctx))))


@implements(api.place_order)
async def place_order(ask: api.PlaceOrder, ctx: Context) -> api.PlacedGroup:
    if wrong := rules.miscounted(ask):
        raise api.OrderRefused(reasons=[wrong], path="$.total")
    verdict = ctx.answer(api.validate_order)(ask)
    if not verdict.is_allowed:
        raise api.OrderRefused(reasons=_reasons(verdict), path=verdict.vetoes[0].path)
    by_key = rules.parted(_keys(ask, ctx))
    numbers = await ctx.resource(api.Numbers).take(ctx.front_end, len(by_key))
    totals = rules.totals(ask, by_key)
    parts = [
        storage.Part(
            order_id=ctx.new_id(),
            number=numbers[at],
            key=key,
            lines=tuple(lines),
            delivery_fee=ask.delivery_fee.minor if at == 0 else 0,
            total=totals[at],
        )
        for at, (key, lines) in enumerate(by_key.items())
    ]
    state = State.PAID if ask.pay_before is None else State.PLACED
    if ask.is_handed_over:
        state = State.COMPLETED
    facts = {"box": ctx.box, "now": ctx.now, "by": ctx.caller.client, "state": state}
    await storage.place(ctx.session, ctx.front_end, ask, parts, facts)
    for part in parts:
        ctx.emit(_placed(ask, part))
    briefs = [
        api.OrderBrief(
            order_id=part.order_id,
            number=str(part.number),
            state=state,
            part=part.key,
            lines=len(part.lines),
            total=money(part.total, ask.currency),
        )
        for part in parts
    ]
    return api.PlacedGroup(group_id=ask.group_id, orders=tuple(briefs), total=ask.total)


@implements(api.get_order)
async def get_order(ask: api.GetOrder, ctx: Context) -> api.Order:
    return await _order(ask.order_id, ctx)


@implements(api.get_group)
async def get_group(ask: api.GetGroup, ctx: Context) -> api.PlacedGroup:
    return await _group(ask.group_id, ctx, is_locked=False)


@implements(api.list_orders)
async def list_orders(ask: api.ListOrders, ctx: Context) -> api.OrderPage:
    if ask.number is not None and not (ask.number.isascii() and ask.number.isdigit() and len(ask.number) < 19):
        return api.OrderPage(items=(), next_cursor=None)
    before = _position(ask.cursor) if ask.cursor else _LATEST
    found = await storage.page(ctx.session, ctx.front_end, ask, before)
    items = await storage.orders(ctx.session, ctx.front_end, found[: ask.limit])
    more = len(found) > ask.limit
    cursor = encode((items[-1].placed_at, items[-1].order_id)).hex() if more else None
    return api.OrderPage(items=tuple(items), next_cursor=cursor)


@implements(api.mark_paid)
async def mark_paid(ask: api.MarkPaid, ctx: Context) -> api.PlacedGroup:
    group = await _group(ask.group_id, ctx, is_locked=True)
    unpaid = [one for one in group.orders if one.state is State.PLACED]
    for one in group.orders:
        if one.state is State.EXPIRED or (one.state is State.CANCELLED and not unpaid):
            raise api.IllegalTransition(
                what=f"order {one.number}", state=one.state, wanted=State.PAID, path="$.group_id"
            )
    await _move(unpaid, State.PAID, "", ctx)
    return await _group(ask.group_id, ctx, is_locked=False)


@implements(api.cancel_order)
async def cancel_order(ask: api.Cancel, ctx: Context) -> api.CancelledOrder:
    await _lock(ask.order_id, State.CANCELLED, ctx)
    order = await _order(ask.order_id, ctx)
    own = ctx.acting_for(order.box)  # cancelled as it was sold
    verdict = own.answer(api.guard_cancellation)(order)
    if not verdict.is_allowed:
        raise api.CancelRefused(reasons=_reasons(verdict))
    was_paid = order.state is State.PAID
    fee = own.answer(api.cancellation_fee)(order)
    kept = money(min(getattr(fee, "minor", 0), order.total.minor) if was_paid else 0, order.currency)
    await storage.move(
        ctx.session, ctx.front_end, [order.order_id], State.CANCELLED, (ctx.now, ctx.caller.client, ask.reason)
    )
    ctx.emit(api.OrderMoved(order_id=order.order_id, group_id=order.group_id, state=State.CANCELLED, note=ask.reason))
    group = await _group(order.group_id, ctx, is_locked=False)
    return api.CancelledOrder(
        order=await _order(ask.order_id, ctx),
        fee=kept,
        was_paid=was_paid,
        is_last_of_group=all(one.state in rules.ENDED for one in group.orders),
    )


@implements(api.expire_due)
async def expire_due(ask: api.ExpireDue, ctx: Context) -> api.ExpiredGroups:
    groups = await storage.due(ctx.session, ctx.front_end, ctx.now, ask.limit)
    for group_id in groups:
        group = await _group(group_id, ctx, is_locked=True)
        await _move([one for one in group.orders if one.state is State.PLACED], State.EXPIRED, "not paid in time", ctx)
    return api.ExpiredGroups(group_ids=tuple(groups))


@implements(api.mark_shipped)
async def mark_shipped(ask: api.MarkShipped, ctx: Context) -> api.Order:
    state = await storage.lock(ctx.session, ctx.front_end, ask.order_id)
    if state is None:
        raise api.UnknownOrder(what=str(ask.order_id), path="$.order_id")
    order = await _order(ask.order_id, ctx)
    if not await storage.is_new_parcel(ctx.session, ctx.front_end, ask.order_id, ask.parcel, ctx.now):
        return order
    _check_leads(order, State.PART_SHIPPED)
    left = {line.line: line.quantity - line.shipped for line in order.lines}
    shipped = {one.line: one.quantity for one in ask.lines} or {line: count for line, count in left.items() if count}
    for line, quantity in shipped.items():
        if quantity > left.get(line, 0):
            raise api.IllegalTransition(
                what=f"line {line} of order {order.number}, with {left.get(line, 0)} left to send,",
                state=state,
                wanted=f"{quantity} shipped",
                path="$.lines",
            )
    await storage.ship(ctx.session, ctx.front_end, ask.order_id, shipped)
    is_whole = all(count == shipped.get(line, 0) for line, count in left.items())
    moved = State.SHIPPED if is_whole else State.PART_SHIPPED
    await _move([_brief(order)], moved, f"parcel {ask.parcel}", ctx)
    return await _order(ask.order_id, ctx)


@implements(api.complete_order)
async def complete_order(ask: api.Complete, ctx: Context) -> api.Order:
    state = await storage.lock(ctx.session, ctx.front_end, ask.order_id)
    if state is None:
        raise api.UnknownOrder(what=str(ask.order_id), path="$.order_id")
    order = await _order(ask.order_id, ctx)
    if state is not State.COMPLETED:
        _check_leads(order, State.COMPLETED)
        await _move([_brief(order)], State.COMPLETED, "", ctx)
    return await _order(ask.order_id, ctx)


@implements(api.request_return)
async def request_return(ask: api.RequestReturn, ctx: Context) -> api.Return:
    if await storage.lock(ctx.session, ctx.front_end, ask.order_id) is None:
        raise api.UnknownOrder(what=str(ask.order_id), path="$.order_id")
    order = await _order(ask.order_id, ctx)
    lines = {line.line: line for line in order.lines}
    open_already = await storage.asked_back(ctx.session, ctx.front_end, ask.order_id)
    for at, one in enumerate(ask.lines):
        line = lines.get(one.line)
        if line is None or not line.is_returnable:
            raise api.NotReturnable(reason=f"line {one.line} cannot be returned", path=f"$.lines[{at}].line")
        left = line.shipped - line.returned - open_already.get(one.line, 0)
        if one.quantity > left or sum(other.line == one.line for other in ask.lines) > 1:
            raise api.NotReturnable(
                reason=f"{max(left, 0)} of {line.sku!r} can come back, in one line, not {one.quantity}",
                path=f"$.lines[{at}].quantity",
            )
    own = ctx.acting_for(order.box)
    verdict = own.answer(api.guard_return)(order, ask.lines, ctx.now)
    if not verdict.is_allowed:
        raise api.NotReturnable(reason="; ".join(_reasons(verdict)), path=verdict.vetoes[0].path or "$.lines")
    shares: list[int] = []
    for one in ask.lines:
        answered = own.answer(api.refund_share)(order, lines[one.line], one.reason)
        percent = max(0, min(answered, _PERCENT)) if isinstance(answered, int) else _PERCENT
        shares.append(rules.refund_of(lines[one.line], one.quantity, percent).minor)
    value = api.Return(
        return_id=ctx.new_id(),
        order_id=order.order_id,
        group_id=order.group_id,
        state=ReturnState.REQUESTED,
        lines=ask.lines,
        refund=money(sum(shares), order.currency),
        note="",
    )
    await storage.ask_return(ctx.session, ctx.front_end, value, shares, ctx.now)
    await _tell_return(value, ReturnState.REQUESTED, order.state, ctx)
    return value


@implements(api.decide_return)
async def decide_return(ask: api.DecideReturn, ctx: Context) -> api.Return:
    wanted = ReturnState.APPROVED if ask.is_approved else ReturnState.REJECTED
    await _moved_return(ask.return_id, wanted, ask.note, ctx)
    return await _return(ask.return_id, ctx)


@implements(api.receive_return)
async def receive_return(ask: api.ReceiveReturn, ctx: Context) -> api.Return:
    if kept := await _moved_return(ask.return_id, ReturnState.RECEIVED, "", ctx):
        await storage.come_back(ctx.session, ctx.front_end, kept)
    return await _return(ask.return_id, ctx)


@implements(api.settle_return)
async def settle_return(ask: api.SettleReturn, ctx: Context) -> api.Return:
    if kept := await _moved_return(ask.return_id, ReturnState.REFUNDED, "", ctx):
        await storage.refund(ctx.session, ctx.front_end, kept)
    return await _return(ask.return_id, ctx)


@implements(api.get_return)
async def get_return(ask: api.GetReturn, ctx: Context) -> api.Return:
    return await _return(ask.return_id, ctx)


def _keys(draft: api.Draft, ctx: Context) -> list[str]:
    return [key if isinstance(key, str) else "" for key in ctx.answer(api.split_key)(draft.lines)]


def _reasons(verdict: Verdict) -> list[str]:
    return [f"{no.reason} ({no.by})" for no in verdict.vetoes]


def _placed(ask: api.PlaceOrder, part: storage.Part) -> api.OrderPlaced:
    return api.OrderPlaced(
        order_id=part.order_id,
        group_id=ask.group_id,
        number=str(part.number),
        member_id=ask.member_id,
        order_kind=ask.order_kind,
        channel=ask.channel,
        part=part.key,
        total=money(part.total, ask.currency),
        lines=tuple(ask.lines[line] for line in part.lines),
    )


async def _order(order_id: UUID, ctx: Context) -> api.Order:
    found = await storage.orders(ctx.session, ctx.front_end, [order_id])
    if not found:
        raise api.UnknownOrder(what=str(order_id), path="$.order_id")
    return found[0]


async def _group(group_id: UUID, ctx: Context, *, is_locked: bool) -> api.PlacedGroup:
    orders = await storage.group(ctx.session, ctx.front_end, group_id, is_locked=is_locked)
    if not orders:
        raise api.UnknownOrder(what=f"of group {group_id}", path="$.group_id")
    total = sum((one.total for one in orders), start=money(0, orders[0].total.currency))
    return api.PlacedGroup(group_id=group_id, orders=tuple(orders), total=total)


async def _lock(order_id: UUID, wanted: State, ctx: Context) -> None:
    state = await storage.lock(ctx.session, ctx.front_end, order_id)
    if state is None:
        raise api.UnknownOrder(what=str(order_id), path="$.order_id")
    if wanted not in rules.LEADS_TO[state]:
        raise api.IllegalTransition(what=f"order {order_id}", state=state, wanted=wanted)


def _check_leads(order: api.Order, wanted: State) -> None:
    if wanted not in rules.LEADS_TO[order.state]:
        raise api.IllegalTransition(what=f"order {order.number}", state=order.state, wanted=wanted)


async def _move(orders: Sequence[api.OrderBrief], state: State, note: str, ctx: Context) -> None:
    if not orders:
        return
    ids = [one.order_id for one in orders]
    await storage.move(ctx.session, ctx.front_end, ids, state, (ctx.now, ctx.caller.client, note))
    groups = {one.order_id: one for one in await storage.orders(ctx.session, ctx.front_end, ids)}
    for order_id in ids:
        group_id = groups[order_id].group_id
        ctx.emit(api.OrderMoved(order_id=order_id, group_id=group_id, state=state, note=note))


def _brief(order: api.Order) -> api.OrderBrief:
    return api.OrderBrief(
        order_id=order.order_id,
        number=order.number,
        state=order.state,
        part=order.part,
        lines=len(order.lines),
        total=order.total,
    )


async def _return(return_id: UUID, ctx: Context) -> api.Return:
    kept = await storage.returned(ctx.session, ctx.front_end, return_id, is_locked=False)
    if kept is None:
        raise api.UnknownReturn(return_id=return_id)
    return kept.value


async def _moved_return(return_id: UUID, wanted: ReturnState, note: str, ctx: Context) -> storage.KeptReturn | None:
    """Move a return on and return it; None where it is there already."""
    kept = await storage.returned(ctx.session, ctx.front_end, return_id, is_locked=True)
    if kept is None:
        raise api.UnknownReturn(return_id=return_id)
    if kept.value.state is wanted:
        return None
    if wanted not in rules.RETURN_LEADS_TO[kept.value.state]:
        raise api.IllegalTransition(
            what=f"return {return_id}", state=kept.value.state, wanted=wanted, path="$.return_id"
        )
    await storage.move_return(ctx.session, ctx.front_end, return_id, wanted, note)
    order = await _order(kept.value.order_id, ctx)
    await _tell_return(kept.value, wanted, order.state, ctx)
    return kept


async def _tell_return(value: api.Return, state: ReturnState, order_state: State, ctx: Context) -> None:
    """Write a step of a return into the order's history, and send it."""
    note = f"return {state} of {value.refund}"
    await storage.move(ctx.session, ctx.front_end, [value.order_id], order_state, (ctx.now, ctx.caller.client, note))
    ctx.emit(api.ReturnMoved(order_id=value.order_id, return_id=value.return_id, state=state, refund=value.refund))


def _position(cursor: str) -> tuple[datetime, UUID]:
    try:
        return decode(bytes.fromhex(cursor), tuple[datetime, UUID])
    except (ValueError, errors.BadAsk):
        raise api.BadCursor from None
