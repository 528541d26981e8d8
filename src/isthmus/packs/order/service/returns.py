"""Returns. Each step locks the order first: so its state, its lines and its other returns stand still."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import Money, money

from .. import api, rules
from ..storage import orders as storage
from ..storage import returns as storage_returns
from .orders import found_order, locked_order, move, reasons_of, seals_of

ReturnState = api.ReturnState
_PERCENT = 100


@implements(api.request_return)
async def request_return(ask: api.RequestReturn, ctx: Context) -> api.Return:
    order = await locked_order(ask.order_id, ctx)
    given = await storage_returns.given_back(ctx.session, ctx.front_end, ask.order_id)
    lines = {line.line: line for line in order.lines}
    for at, one in enumerate(ask.lines):
        line = lines.get(one.line)
        if line is None or not line.is_returnable:
            raise api.NotReturnable(reason=f"line {one.line} cannot be returned", path=f"$.lines[{at}].line")
        left = rules.left_to_return(line, given.get(one.line, rules.GivenBack()))
        if one.quantity > left or any(other.line == one.line for other in ask.lines[:at]):
            raise api.NotReturnable(
                reason=f"{left} of {line.sku!r} can come back, named once, not {one.quantity}",
                path=f"$.lines[{at}].quantity",
            )
    own = (await ctx.as_of(order.plan)).acting_for(order.box)  # taken back as it was sold
    verdict = own.answer(api.guard_return)(order, ask.lines, ctx.now)
    if not verdict.is_allowed:
        raise api.NotReturnable(reason="; ".join(reasons_of(verdict)), path=verdict.vetoes[0].path or "$.lines")
    shares: list[rules.Share] = []
    for one in ask.lines:
        answered = own.answer(api.refund_share)(order, lines[one.line], one.reason)
        percent = max(0, min(answered, _PERCENT)) if isinstance(answered, int) else _PERCENT
        before = given.get(one.line, rules.GivenBack())
        shares.append(rules.share_of(lines[one.line], before, one.quantity, percent))
    value = _requested(order, ask, shares, ctx.new_id())
    await storage_returns.ask(ctx.session, ctx.front_end, value, shares, ctx.now)
    await _emit_moved(value, ReturnState.REQUESTED, order, ctx)
    return value


@implements(api.decide_return)
async def decide_return(ask: api.DecideReturn, ctx: Context) -> api.Return:
    await _moved(ask.return_id, ReturnState.APPROVED if ask.is_approved else ReturnState.REJECTED, ask.note, ctx)
    return await _found(ask.return_id, ctx)


@implements(api.receive_return)
async def receive_return(ask: api.ReceiveReturn, ctx: Context) -> api.Return:
    if await _moved(ask.return_id, ReturnState.RECEIVED, "", ctx):
        await storage_returns.come_back(ctx.session, ctx.front_end, ask.return_id)
        known = await _found(ask.return_id, ctx)
        await storage_returns.return_commission(ctx.session, ctx.front_end, known.order_id)
    return await _found(ask.return_id, ctx)


@implements(api.settle_return)
async def settle_return(ask: api.SettleReturn, ctx: Context) -> api.Return:
    known = await _found(ask.return_id, ctx)
    refunded = known.refund if ask.refunded is None else min(ask.refunded, known.refund)
    if await _moved(ask.return_id, ReturnState.REFUNDED, "", ctx, refunded):
        given = rules.settled(known.shares, refunded.minor)
        lines = [(one.line, *shared) for one, shared in zip(known.shares, given, strict=True)]
        await storage_returns.refund(ctx.session, ctx.front_end, ask.return_id, lines)
        cause = str(ask.return_id)
        before = await storage_returns.booked(ctx.session, ctx.front_end, known.order_id, cause)
        if missing := refunded.minor - before:  # the payment has not said it, such as where there is none
            refunds = [(ctx.new_id(), known.order_id, missing)]
            await storage_returns.book(ctx.session, ctx.front_end, cause, refunds, ctx.now)
    return await _found(ask.return_id, ctx)


@implements(api.book_refund)
async def book_refund(ask: api.BookRefund, ctx: Context) -> api.BookedRefund:
    group = await storage.group(ctx.session, ctx.front_end, ask.group_id, is_locked=True)
    named = [one.order_id for one in group]
    orders = await storage.orders(ctx.session, ctx.front_end, named, seals_of(ctx)) if named else []
    left = [(one.order_id, (one.total - one.refunded).minor, one.state not in rules.TERMINAL) for one in orders]
    found = rules.booked(ask.amount.minor, left, await _meant(ask.cause, ctx))
    if found:
        refunds = [(ctx.new_id(), order_id, minor) for order_id, minor in found]
        await storage_returns.book(ctx.session, ctx.front_end, ask.cause, refunds, ctx.now)
    states = {one.order_id: one.state for one in orders}
    for order_id, minor in found:
        note = f"refund of {money(minor, ask.amount.currency)}: {ask.cause}"
        await storage.move(ctx.session, ctx.front_end, [order_id], states[order_id], (ctx.now, ctx.caller.client, note))
    return api.BookedRefund(booked=money(sum(minor for _, minor in found), ask.amount.currency))


@implements(api.list_refunds)
async def list_refunds(ask: api.ListRefunds, ctx: Context) -> api.Refunds:
    currency = (await found_order(ask.order_id, ctx)).currency
    refunds = await storage_returns.refunds(ctx.session, ctx.front_end, ask.order_id)
    return api.Refunds(
        items=tuple(api.Refunded(cause=cause, amount=money(minor, currency)) for cause, minor in refunds)
    )


async def _meant(cause: str, ctx: Context) -> UUID | None:
    """Return the order that a refund is for: that of a return, or the one whose id the cause is."""
    try:
        named = UUID(cause)
    except ValueError:
        return None
    return await storage_returns.order_of(ctx.session, ctx.front_end, named) or named


@implements(api.close_lines)
async def close_lines(ask: api.CloseLines, ctx: Context) -> api.Return:
    order = await locked_order(ask.order_id, ctx)
    left = {line.line: rules.left_to_send(line) for line in order.lines}
    closed: dict[int, int] = {}
    for one in ask.lines:  # a line may be named twice: what counts is the sum
        closed[one.line] = closed.get(one.line, 0) + one.quantity
    closed = closed or {line: count for line, count in left.items() if count}
    _check_closing(order, closed, left)
    given = await storage_returns.given_back(ctx.session, ctx.front_end, ask.order_id)
    lines = {line.line: line for line in order.lines}
    shares = [
        rules.share_of(lines[line], given.get(line, rules.GivenBack()), count, _PERCENT)
        for line, count in sorted(closed.items())
    ]
    wanted = tuple(api.ReturnLine(line=one.line, quantity=one.quantity, reason="closed") for one in shares)
    value = _requested(order, api.RequestReturn(order_id=ask.order_id, lines=wanted), shares, ctx.new_id()).replace(
        state=ReturnState.RECEIVED,
        kind="closing",
        note=ask.reason,
    )
    await storage_returns.ask(ctx.session, ctx.front_end, value, shares, ctx.now)
    await storage_returns.close(ctx.session, ctx.front_end, ask.order_id, closed)
    await storage_returns.return_commission(ctx.session, ctx.front_end, ask.order_id)
    is_whole = all(count == closed.get(line, 0) for line, count in left.items())
    state = api.OrderState.SHIPPED if is_whole else order.state
    await move([order.order_id], order.group_id, state, f"closed, {value.refund} to go back: {ask.reason}", ctx)
    ctx.emit(
        api.LinesClosed(
            order_id=order.order_id,
            return_id=value.return_id,
            lines=tuple(api.CloseLine(line=line, quantity=count) for line, count in sorted(closed.items())),
            refund=value.refund,
            reason=ask.reason,
        )
    )
    return value


def _check_closing(order: api.Order, closed: Mapping[int, int], left: Mapping[int, int]) -> None:
    """Refuse to close what is not there to be closed, and all of an order, which is to be cancelled."""
    what = f"order {order.number}"
    if order.state not in (api.OrderState.PAID, api.OrderState.PART_SHIPPED) or not closed:
        raise api.IllegalTransition(what=what, state=order.state, wanted="closed in part")
    for line, count in closed.items():
        if count > left.get(line, 0):
            raise api.IllegalTransition(
                what=f"line {line} of {what}, with {left.get(line, 0)} left to send,",
                state=order.state,
                wanted=f"{count} closed",
                path="$.lines",
            )
    is_nothing_sent = not any(line.shipped for line in order.lines)
    if is_nothing_sent and all(count == closed.get(line, 0) for line, count in left.items()):
        raise api.IllegalTransition(
            what=f"{what}, of which nothing was sent,", state=order.state, wanted="closed whole"
        )


@implements(api.get_return)
async def get_return(ask: api.GetReturn, ctx: Context) -> api.Return:
    return await _found(ask.return_id, ctx)


@implements(api.list_returns)
async def list_returns(ask: api.ListReturns, ctx: Context) -> api.Returns:
    return api.Returns(items=tuple(await storage_returns.of_order(ctx.session, ctx.front_end, ask.order_id)))


def _requested(order: api.Order, ask: api.RequestReturn, shares: list[rules.Share], return_id: UUID) -> api.Return:
    currency = order.currency
    return api.Return(
        return_id=return_id,
        order_id=order.order_id,
        group_id=order.group_id,
        state=ReturnState.REQUESTED,
        lines=ask.lines,
        shares=tuple(
            api.RefundShare(
                line=one.line,
                quantity=one.quantity,
                worth=money(one.worth, currency),
                refund=money(one.refund, currency),
                tax=money(one.refund_tax, currency),
                discount=money(one.worth_discount, currency),
            )
            for one in shares
        ),
        refund=money(sum(one.refund for one in shares), currency),
        tax=money(sum(one.refund_tax for one in shares), currency),
        note="",
    )


async def _found(return_id: UUID, ctx: Context) -> api.Return:
    found = await storage_returns.find(ctx.session, ctx.front_end, return_id)
    if found is None:
        raise api.UnknownReturn(return_id=return_id)
    return found


async def _moved(return_id: UUID, wanted: ReturnState, note: str, ctx: Context, refund: Money | None = None) -> bool:
    """Move a return on; False where it is there already."""
    known = await _found(return_id, ctx)
    await storage.lock(ctx.session, ctx.front_end, known.order_id)
    value = await _found(return_id, ctx)  # as it stands under the lock
    if value.state is wanted:
        return False
    if wanted not in rules.RETURN_LEADS_TO[value.state]:
        raise api.IllegalTransition(what=f"return {return_id}", state=value.state, wanted=wanted, path="$.return_id")
    await storage_returns.move(ctx.session, ctx.front_end, return_id, wanted, note)
    order = await found_order(value.order_id, ctx)
    await _emit_moved(value, wanted, order, ctx, refund)
    return True


async def _emit_moved(
    value: api.Return, state: ReturnState, order: api.Order, ctx: Context, refunded: Money | None = None
) -> None:
    """Write a step of a return into the history of its locked order, and send it."""
    refund = value.refund if refunded is None else refunded
    entry = (ctx.now, ctx.caller.client, f"{value.kind} {state} of {refund}")
    await storage.move(ctx.session, ctx.front_end, [value.order_id], order.state, entry)
    agreed = value.refund if refund != value.refund else None
    moved = api.ReturnMoved(
        order_id=value.order_id, return_id=value.return_id, state=state, refund=refund, agreed=agreed
    )
    ctx.emit(moved)
