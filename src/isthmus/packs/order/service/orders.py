"""Orders: placing and moving.

Whoever changes an order locks it first, and of a group its first order first: so two of them wait for each other
in one direction only, and what was read under the lock is what is written on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from isthmus.kernel import ALLOW, Context, Verdict, errors, implements
from isthmus.language import mark
from isthmus.sealing import UNSEALED, Seals
from isthmus.values import Moment, Money, cursor_at, money, place_at

from .. import api, rules
from ..storage import orders as storage

D = TypeVar("D", bound=api.Draft)

State = api.OrderState
DEPOSIT_PAID = "deposit-paid"  # what the history says of it
KEPT_FOR = timedelta(minutes=15)  # what an unpaid order is given when its front end does not let it run out
_LATEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@implements(api.check_draft)
async def check_draft(ask: api.CheckDraft, ctx: Context) -> api.DraftChecked:
    ask = _with_attributes(ask, ctx)
    verdict = ctx.answer(api.validate_order)(ask)
    return api.DraftChecked(refusals=tuple(reasons_of(verdict)), parts=tuple(rules.split(_keys(ask, ctx))))


@implements(api.place_order)
async def place_order(ask: api.PlaceOrder, ctx: Context) -> api.PlacedGroup:
    ask = _with_attributes(ask, ctx)
    if refusal := _refusal(ask, ctx):
        if placed := await storage.group(ctx.session, ctx.front_end, ask.group_id, is_locked=False):
            return _grouped(ask.group_id, placed)
        raise refusal
    commissions = commissions_of(ask.lines, ask.currency, ctx)
    by_key = rules.split(_keys(ask, ctx))
    numbers = await ctx.resource(api.Numbers).take(ctx.front_end, len(by_key))
    goods = rules.goods_of(ask, by_key)
    fees = rules.divided(ask.delivery_fee.minor, goods, _weights(ask, by_key, goods, ctx))
    in_fee = ask.delivery_tax.minor if ask.delivery_tax else 0
    fee_taxes = rules.divided(in_fee, goods, fees) if in_fee else [0] * len(fees)
    parts = [
        storage.Part(
            order_id=ctx.new_id(),
            number=numbers[at],
            key=key,
            lines=tuple(lines),
            delivery_fee=fees[at],
            delivery_tax=fee_taxes[at],
            total=goods[key] + fees[at],
            commissions=tuple([commissions[line] for line in lines]),
        )
        for at, (key, lines) in enumerate(by_key.items())
    ]
    state = State.PAID if ask.pay_before is None else State.PLACED
    if ask.is_handed_over:
        state = State.COMPLETED
    facts = {"box": ctx.box, "now": ctx.now, "by": ctx.caller.client, "state": state}
    is_new = ctx.is_new(str(ask.group_id))
    if not await storage.place(ctx.session, ctx.front_end, ask, parts, facts, seals_of(ctx), is_new=is_new):
        return await _group(ask.group_id, ctx, is_locked=False)
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


def _with_attributes(draft: D, ctx: Context) -> D:
    """Return a draft with the attributes of it and its lines as the front end declares them."""
    own = ctx.attributes("order.order", draft.attributes, "$.attributes")
    lines = [
        ctx.attributes("order.line", line.attributes, f"$.lines[{at}].attributes")
        for at, line in enumerate(draft.lines)
    ]
    if not own and not any(lines):
        return draft
    entry = tuple(line.replace(attributes=entry) for line, entry in zip(draft.lines, lines, strict=True))
    return draft.replace(attributes=own, lines=entry)


def _refusal(ask: api.PlaceOrder, ctx: Context) -> api.OrderRefused | None:
    if wrong := rules.amounts_mismatch(ask, ask.discounts):
        return api.OrderRefused(reasons=[wrong], path="$.total")
    verdict = ALLOW if ask.supplements else ctx.answer(api.validate_order)(ask)
    if verdict.is_allowed:
        return None
    return api.OrderRefused(reasons=reasons_of(verdict), path=verdict.vetoes[0].path)


@implements(api.get_order)
async def get_order(ask: api.GetOrder, ctx: Context) -> api.Order:
    return await found_order(ask.order_id, ctx)


@implements(api.get_group)
async def get_group(ask: api.GetGroup, ctx: Context) -> api.PlacedGroup:
    return await _group(ask.group_id, ctx, is_locked=False)


@implements(api.list_orders)
async def list_orders(ask: api.ListOrders, ctx: Context) -> api.OrderPage:
    if ask.number is not None and not (ask.number.isascii() and ask.number.isdigit() and len(ask.number) < 19):
        return api.OrderPage(items=(), next_cursor=None)
    before = place_at(ask.cursor, tuple[Moment, UUID], api.BadCursor) if ask.cursor else _LATEST
    found = await storage.page(ctx.session, ctx.front_end, ask, before, seals_of(ctx))
    items = await storage.orders(ctx.session, ctx.front_end, found[: ask.limit], seals_of(ctx))
    cursor = cursor_at((items[-1].placed_at, items[-1].order_id)) if len(found) > ask.limit else None
    return api.OrderPage(items=tuple(items), next_cursor=cursor)


@implements(api.hold_group)
async def hold_group(ask: api.GetGroup, ctx: Context) -> api.HeldGroup:
    await storage.hold_group(ctx.session, ctx.front_end, ask.group_id)
    return api.HeldGroup()


@implements(api.get_group_orders)
async def get_group_orders(ask: api.GetGroup, ctx: Context) -> api.GroupOrders:
    return api.GroupOrders(orders=await _orders_of(ask.group_id, ctx))


@implements(api.mark_paid)
async def mark_paid(ask: api.MarkPaid, ctx: Context) -> api.PlacedGroup:
    orders = ask.held
    if not orders:
        await storage.hold_group(ctx.session, ctx.front_end, ask.group_id)
        orders = await _orders_of(ask.group_id, ctx)
    if all(one.state in rules.TERMINAL for one in orders):
        first = orders[0]
        raise api.IllegalTransition(
            what=f"order {first.number}", state=first.state, wanted=State.PAID, path="$.group_id"
        )
    if unpaid := [one for one in orders if one.state is State.PLACED]:
        for one in unpaid:
            _check_guard(one, State.PAID, "$.group_id", ctx)
        await move([one.order_id for one in unpaid], ask.group_id, State.PAID, "", ctx)
    return _grouped(ask.group_id, [rules.brief(one, State.PAID if one in unpaid else one.state) for one in orders])


@implements(api.record_deposit)
async def record_deposit(ask: api.RecordDeposit, ctx: Context) -> api.PlacedGroup:
    group = await _group(ask.group_id, ctx, is_locked=True)
    entry = (ctx.now, ctx.caller.client, DEPOSIT_PAID)
    await storage.record_deposit(ctx.session, ctx.front_end, ask.group_id, ask.pay_before, entry)
    return group


@implements(api.cancel_order)
async def cancel_order(ask: api.Cancel, ctx: Context) -> api.CancelledOrder:
    siblings = await storage.lock_siblings(ctx.session, ctx.front_end, ask.order_id)
    order = await found_order(ask.order_id, ctx)
    is_news = order.state is not State.CANCELLED
    was_paid = any(one.what == State.PAID for one in order.history)
    if not is_news:  # asked again: the same answer, drawn from the order as it was
        order = order.replace(state=State.PAID if was_paid else State.PLACED)
    _check_leads(order, State.CANCELLED)
    own = (await ctx.as_of(order.plan)).acting_for(order.box)  # cancelled as it was sold
    if is_news and not (verdict := own.answer(api.guard_cancellation)(order)).is_allowed:
        raise api.CancelRefused(reasons=reasons_of(verdict))
    kept = getattr(own.answer(api.cancellation_fee)(order), "minor", 0) if was_paid else 0
    if is_news:
        await move([order.order_id], order.group_id, State.CANCELLED, ask.reason, ctx)
    return api.CancelledOrder(
        order=await found_order(ask.order_id, ctx),
        fee=money(max(0, min(kept, order.total.minor)), order.currency),
        was_paid=was_paid,
        is_last_of_group=all(one.state in rules.TERMINAL or one.order_id == ask.order_id for one in siblings),
        is_news=is_news,
    )


@implements(api.expire_due)
async def expire_due(ask: api.ExpireDue, ctx: Context) -> api.ExpiredGroups:
    due = await storage.due(ctx.session, ctx.front_end, ctx.now, ask.limit)
    groups: dict[UUID, list[api.Order]] = {}
    for order in await storage.orders(ctx.session, ctx.front_end, due, seals_of(ctx)):
        groups.setdefault(order.group_id, []).append(order)
    kept = [
        group_id
        for group_id, orders in groups.items()
        if any(not _guarded(order, State.EXPIRED, ctx).is_allowed for order in orders)
    ]
    if kept:
        await storage.pay_later(ctx.session, ctx.front_end, kept, ctx.now + KEPT_FOR)
    over = {group_id: orders for group_id, orders in groups.items() if group_id not in kept}
    gone = {order.order_id: group_id for group_id, orders in over.items() for order in orders}
    if gone:
        entry = (ctx.now, ctx.caller.client, note := mark("not paid in time"))
        await storage.move(ctx.session, ctx.front_end, list(gone), State.EXPIRED, entry)
        for order_id, group_id in gone.items():
            ctx.emit(api.OrderMoved(order_id=order_id, group_id=group_id, state=State.EXPIRED, note=note))
    return api.ExpiredGroups(group_ids=tuple(over))


@implements(api.mark_shipped)
async def mark_shipped(ask: api.MarkShipped, ctx: Context) -> api.Order:
    order = await locked_order(ask.order_id, ctx)
    if not await storage.is_new_parcel(ctx.session, ctx.front_end, ask.order_id, ask.parcel, ctx.now):
        return order
    _check_leads(order, State.PART_SHIPPED)
    _check_guard(order, State.SHIPPED, "$.order_id", ctx)
    left = {line.line: rules.left_to_send(line) for line in order.lines}
    shipped: dict[int, int] = {}
    for one in ask.lines:  # a line may be named twice: what counts is the sum
        shipped[one.line] = shipped.get(one.line, 0) + one.quantity
    shipped = shipped or {line: count for line, count in left.items() if count}
    if wrong := rules.unshippable(order, shipped):
        raise api.IllegalTransition(
            what=f"line {wrong[0]} of order {order.number}, with {wrong[1]} left to send,",
            state=order.state,
            wanted=f"{shipped[wrong[0]]} shipped",
            path="$.lines",
        )
    await storage.ship(ctx.session, ctx.front_end, ask.order_id, shipped)
    is_whole = all(count == shipped.get(line, 0) for line, count in left.items())
    moved = State.SHIPPED if is_whole else State.PART_SHIPPED
    sent = tuple(api.ShippedLine(line=line, quantity=count) for line, count in sorted(shipped.items()))
    await move([order.order_id], order.group_id, moved, f"parcel {ask.parcel}", ctx, sent)
    return await found_order(ask.order_id, ctx)


@implements(api.complete_order)
async def complete_order(ask: api.Complete, ctx: Context) -> api.Order:
    order = await locked_order(ask.order_id, ctx)
    if order.state is State.COMPLETED:
        return order
    _check_leads(order, State.COMPLETED)
    _check_guard(order, State.COMPLETED, "$.order_id", ctx)
    await move([order.order_id], order.group_id, State.COMPLETED, "", ctx)
    return await found_order(ask.order_id, ctx)


async def _orders_of(group_id: UUID, ctx: Context) -> tuple[api.Order, ...]:
    if not (orders := await storage.orders_of(ctx.session, ctx.front_end, group_id, seals_of(ctx))):
        raise api.UnknownOrder(what=f"of group {group_id}", path="$.group_id")
    return tuple(orders)


async def found_order(order_id: UUID, ctx: Context) -> api.Order:
    found = await storage.orders(ctx.session, ctx.front_end, [order_id], seals_of(ctx))
    if not found:
        raise api.UnknownOrder(what=str(order_id), path="$.order_id")
    return found[0]


def seals_of(ctx: Context) -> Seals:
    """Return what seals whom orders are for."""
    return ctx.resource(Seals, UNSEALED)


async def locked_order(order_id: UUID, ctx: Context) -> api.Order:
    """Lock an order, so that nothing moves it or its returns meanwhile, and return it."""
    await storage.lock(ctx.session, ctx.front_end, order_id)
    return await found_order(order_id, ctx)


async def move(
    order_ids: Sequence[UUID],
    group_id: UUID,
    state: State,
    note: str,
    ctx: Context,
    sent: tuple[api.ShippedLine, ...] = (),
) -> None:
    """Set the state of locked orders, write it into their histories, and send it."""
    entry = (ctx.now, ctx.caller.client, note)
    await storage.move(ctx.session, ctx.front_end, order_ids, state, entry)
    for order_id in order_ids:
        ctx.emit(api.OrderMoved(order_id=order_id, group_id=group_id, state=state, note=note, shipped=sent))


def reasons_of(verdict: Verdict) -> list[str]:
    return [f"{no.reason} ({no.by})" for no in verdict.vetoes]


def commissions_of(lines: Sequence[api.DraftLine], currency: str, ctx: Context) -> list[int]:
    """Return what the front end keeps of each line for itself, in minor units; never more than the line comes to."""
    answered = ctx.answer(api.commission)(lines)
    minors = [one.minor if isinstance(one, Money) else 0 for one in answered]
    for at, (minor, line) in enumerate(zip(minors, lines, strict=True)):
        if not 0 <= minor <= line.total.minor:
            reason = f"a commission of {money(minor, currency)} on a line of {line.total}"
            raise api.OrderRefused(reasons=[reason], path=f"$.lines[{at}]")
    return minors


def _weights(
    ask: api.PlaceOrder, parts: Mapping[str, Sequence[int]], goods: Mapping[str, int], ctx: Context
) -> Sequence[int]:
    """Return by which weights the delivery fee of a group is divided. Raises AnswerFailed for what are no weights."""
    if len(parts) == 1:
        return (1,)
    known = tuple(
        api.GroupPart(key=key, lines=tuple(ask.lines[line] for line in lines), goods=money(goods[key], ask.currency))
        for key, lines in sorted(parts.items())
    )
    answered = ctx.answer(api.delivery_weights)(known, ask.delivery_fee)
    weights = answered if isinstance(answered, tuple) else tuple(part.goods.minor for part in known)
    if len(weights) != len(known) or min(weights) < 0:
        raise errors.AnswerFailed(
            f"order.delivery-weights was answered with {weights} for {len(known)} orders",
            remedy="answer one weight of 0 or more for each",
        )
    by_key = {part.key: weight for part, weight in zip(known, weights, strict=True)}
    return [by_key[key] for key in parts]


def _keys(draft: api.Draft, ctx: Context) -> list[str]:
    return [key if isinstance(key, str) else "" for key in ctx.answer(api.split_key)(draft.lines)]


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
        commission=money(sum(part.commissions), ask.currency),
        lines=tuple([ask.lines[line] for line in part.lines]),
        commissions=tuple([Money(currency=ask.currency, minor=minor) for minor in part.commissions]),
        is_handed_over=ask.is_handed_over,
        delivery_tax=money(part.delivery_tax, ask.currency) if part.delivery_tax else None,
        delivery_taxed=ask.delivery_taxed,
    )


async def _group(group_id: UUID, ctx: Context, *, is_locked: bool) -> api.PlacedGroup:
    orders = await storage.group(ctx.session, ctx.front_end, group_id, is_locked=is_locked)
    if not orders:
        raise api.UnknownOrder(what=f"of group {group_id}", path="$.group_id")
    return _grouped(group_id, orders)


def _grouped(group_id: UUID, orders: Sequence[api.OrderBrief]) -> api.PlacedGroup:
    total = sum((one.total for one in orders), start=money(0, orders[0].total.currency))
    return api.PlacedGroup(group_id=group_id, orders=tuple(orders), total=total)


def _check_leads(order: api.Order, wanted: State) -> None:
    if wanted not in rules.TRANSITIONS[order.state]:
        raise api.IllegalTransition(what=f"order {order.number}", state=order.state, wanted=wanted)


def _guarded(order: api.Order, wanted: State, ctx: Context) -> Verdict:
    return ctx.acting_for(order.box).answer(api.guard_transition)(order, wanted)


def _check_guard(order: api.Order, wanted: State, path: str, ctx: Context) -> None:
    verdict = _guarded(order, wanted, ctx)
    if not verdict.is_allowed:
        raise api.TransitionRefused(number=order.number, wanted=wanted, reasons=reasons_of(verdict), path=path)
