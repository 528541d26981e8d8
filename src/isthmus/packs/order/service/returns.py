"""Returns at work. Each step locks the order first: so its state, its lines and its other returns stand still."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import money

from .. import api, rules
from ..storage import orders as storage
from ..storage import returns as storage_returns
from .orders import found_order, locked_order, reasons_of

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
    own = ctx.acting_for(order.box)  # taken back as it was sold
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
    await _tell(value, ReturnState.REQUESTED, order, ctx)
    return value


@implements(api.decide_return)
async def decide_return(ask: api.DecideReturn, ctx: Context) -> api.Return:
    await _moved(ask.return_id, ReturnState.APPROVED if ask.is_approved else ReturnState.REJECTED, ask.note, ctx)
    return await _found(ask.return_id, ctx)


@implements(api.receive_return)
async def receive_return(ask: api.ReceiveReturn, ctx: Context) -> api.Return:
    if await _moved(ask.return_id, ReturnState.RECEIVED, "", ctx):
        await storage_returns.come_back(ctx.session, ctx.front_end, ask.return_id)
    return await _found(ask.return_id, ctx)


@implements(api.settle_return)
async def settle_return(ask: api.SettleReturn, ctx: Context) -> api.Return:
    if await _moved(ask.return_id, ReturnState.REFUNDED, "", ctx):
        await storage_returns.refund(ctx.session, ctx.front_end, ask.return_id)
    return await _found(ask.return_id, ctx)


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


async def _moved(return_id: UUID, wanted: ReturnState, note: str, ctx: Context) -> bool:
    """Move a return on; False where it is there already."""
    known = await _found(return_id, ctx)
    await storage.lock(ctx.session, ctx.front_end, known.order_id)
    value = await _found(return_id, ctx)  # as it stands under the lock
    if value.state is wanted:
        return False
    if wanted not in rules.RETURN_LEADS_TO[value.state]:
        raise api.IllegalTransition(what=f"return {return_id}", state=value.state, wanted=wanted, path="$.return_id")
    await storage_returns.move(ctx.session, ctx.front_end, return_id, wanted, note)
    await _tell(value, wanted, await found_order(value.order_id, ctx), ctx)
    return True


async def _tell(value: api.Return, state: ReturnState, order: api.Order, ctx: Context) -> None:
    """Write a step of a return into the history of its locked order, and send it."""
    told = (ctx.now, ctx.caller.client, f"return {state} of {value.refund}")
    await storage.move(ctx.session, ctx.front_end, [value.order_id], order.state, told)
    ctx.emit(api.ReturnMoved(order_id=value.order_id, return_id=value.return_id, state=state, refund=value.refund))
