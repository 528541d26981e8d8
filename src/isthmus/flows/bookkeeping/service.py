"""The bookings: each flow runs inside the transaction of what it books, and adds no round trip where it can."""

from __future__ import annotations

import logging
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.inventory import api as inventory
from isthmus.packs.ledger import api as ledger
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.values import Money, money

from . import api, rules

JURISDICTION = "jurisdiction"  # the setting that says where a front end sells when goods are not sent anywhere
DEPOSIT_PAID = "deposit-paid"  # what an order's history says of it
REVERSED_MAX = 200  # an order uses at most so many promotions
_NOTHING = api.Booked(entries=0)
_ON_CARD = {
    "sold": "credit-sold",
    "taken-back": "credit-sold",
    "given": "credit-given",
    "redeemed": "credit-redeemed",
    "returned": "credit-redeemed",
    "expired": "credit-expired",
}
_TAKEN = {"capture": "payment-captured", "receipt": "payment-received", "refund": "payment-refunded"}
log = logging.getLogger("isthmus.flows.bookkeeping")


@implements(api.book_payment)
async def book_payment(ask: payment.PaymentMoved, ctx: Context) -> api.Booked:
    kind = _TAKEN.get(ask.kind)
    if kind is None or not ask.amount.minor:
        return _NOTHING
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
        return await _book(happening, of, ctx)
    owed = await _owed_anyway(ask, ctx)
    parts = (happening.replace(amount=owed), happening.replace(amount=ask.amount - owed, is_for_goods=False))
    return api.Booked(entries=sum([(await _book(one, of, ctx)).entries for one in parts if one.amount.minor]))


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
            owed += rules.owed_anyway(sold, refunds, _cancellation_fee(sold, ctx))
    return owed


@implements(api.book_sale)
async def book_sale(ask: order.OrderPlaced, ctx: Context) -> api.Booked:
    if not ask.is_handed_over:
        return _NOTHING
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
        delivery_fee=ask.total - rules.total_of(lines, currency),
        member_id=ask.member_id,
    )
    return await _book(happening, f"order/{ask.order_id}", ctx)


@implements(api.book_order)
async def book_order(ask: order.OrderMoved, ctx: Context) -> api.Booked:
    if ask.shipped:
        return await _shipped(ask, ctx)
    if ask.state is order.OrderState.CANCELLED:
        return await _cancelled(ask, ctx)
    if ask.state is order.OrderState.EXPIRED:
        return await _expired(ask, ctx)
    return _NOTHING


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
        member_id=sold.member_id,
    )
    return await _book(happening, f"order/{sold.order_id}", ctx.acting_for(sold.box))


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
        return _NOTHING
    own = ctx.acting_for(sold.box)
    fee = _cancellation_fee(sold, ctx)
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
    return await _book(happening, f"order/{sold.order_id}", own)


def _cancellation_fee(sold: order.Order, ctx: Context) -> Money:
    """Return what is kept of a cancelled order, by the rules that it was sold under."""
    paid = sold.replace(state=order.OrderState.PAID)
    return _within(ctx.acting_for(sold.box).answer(order.cancellation_fee)(paid), sold.total)


async def _expired(ask: order.OrderMoved, ctx: Context) -> api.Booked:
    """Book a deposit that stays with the shop, once for all orders that it was paid for."""
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    if not any(one.what == DEPOSIT_PAID for one in sold.history):
        return _NOTHING
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
    return await _book(happening, f"group/{ask.group_id}", ctx.acting_for(sold.box), is_once=True)


@implements(api.book_return)
async def book_return(ask: order.ReturnMoved, ctx: Context) -> api.Booked:
    if ask.state not in (order.ReturnState.RECEIVED, order.ReturnState.REFUNDED):
        return _NOTHING
    back = await ctx.call(order.get_return, order.GetReturn(return_id=ask.return_id))
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    own = ctx.acting_for(sold.box)
    if ask.state is order.ReturnState.REFUNDED:
        return _NOTHING if ask.agreed is None else await _settled(back, ask.agreed - ask.refund, sold, own)
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
    return await _book(happening, f"return/{back.return_id}", own)


async def _settled(back: order.Return, less: Money, sold: order.Order, own: Context) -> api.Booked:
    """Book what a customer is not owed any more for goods, since it was given back by hand before."""
    happening = _of_return("order-cancelled", less, sold, (), fee=money(0, sold.currency))
    return await _book(happening, f"return/{back.return_id}", own)


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


@implements(api.book_points)
async def book_points(ask: member.PointsWereMoved, ctx: Context) -> api.Booked:
    worth = ctx.answer(api.points_worth)(abs(ask.points)) if ask.points else None
    if not isinstance(worth, Money) or worth.minor <= 0:
        return _NOTHING
    happening = api.Happening(
        kind="points-moved",
        amount=worth,
        reference=ask.reference,
        member_id=ask.member_id,
        points=ask.points,
        reason=ask.reason,
    )
    return await _book(happening, f"member/{ask.member_id}", ctx)


@implements(api.book_honoured)
async def book_honoured(ask: member.PointsHonoured, ctx: Context) -> api.Booked:
    worth = ctx.answer(api.points_worth)(ask.points)
    if not isinstance(worth, Money) or worth.minor <= 0:
        return _NOTHING
    happening = _between("points-honoured", worth, ask.from_front_end, ask.reference)
    return await _book(happening.replace(points=ask.points, reason=ask.reason), f"points/{ask.reference}", ctx)


@implements(api.book_lapsed)
async def book_lapsed(ask: member.PointsLapsed, ctx: Context) -> api.Booked:
    worth = ctx.answer(api.points_worth)(ask.points) if ask.issuer == ctx.front_end else None
    if not isinstance(worth, Money) or worth.minor <= 0:
        return _NOTHING
    happening = api.Happening(kind="points-lapsed", amount=worth, reference=ask.programme, points=ask.points)
    return await _book(happening, f"points/{ask.programme}", ctx)


@implements(api.book_credit)
async def book_credit(ask: payment.CreditMoved, ctx: Context) -> api.Booked:
    if ask.front_end != ctx.front_end:
        happening = _between("credit-moved-elsewhere", ask.amount, ask.front_end, ask.reference)
        return await _book(happening.replace(reason=ask.kind), f"credit/{ask.credit_id}", ctx)
    owed = () if ask.owner == ctx.front_end else (api.Owed(owner=f"front-end/{ask.owner}", amount=ask.amount),)
    happening = api.Happening(
        kind=_ON_CARD[ask.kind],  # pyright: ignore[reportArgumentType] - of the table above
        amount=ask.amount,
        reference=payment.purpose_of(ask.reference),
        provider=payment.CREDIT,
        reason=ask.kind,
        owed=owed,
    )
    return await _book(happening, f"credit/{ask.credit_id}", ctx)


@implements(api.book_stock)
async def book_stock(ask: inventory.StockSold, ctx: Context) -> api.Booked:
    if ask.total is None or not ask.total.minor:
        return _NOTHING
    is_sold = ask.from_owner == ctx.front_end
    other = ask.to_owner if is_sold else ask.from_owner
    happening = _between("stock-sold" if is_sold else "stock-bought", ask.total, other, ask.reference)
    return await _book(happening, f"stock/{ask.reference}", ctx)


@implements(api.book_hand_in)
async def book_hand_in(ask: order.HandInMoved, ctx: Context) -> api.Booked:
    if ask.owes is None or not ask.owes.minor:
        return _NOTHING
    of = f"hand-in/{ask.hand_in_id}"
    if ask.state == "taken" and ask.taker == ctx.front_end:
        bought = _between("stock-bought", ask.owes, ask.owner, str(ask.hand_in_id))
        return await _book(bought, of, ctx, is_once=True)
    if ask.state == "refunded" and ask.owner == ctx.front_end:
        sold = _between("stock-sold", ask.owes, ask.taker, str(ask.hand_in_id))
        return await _book(sold, of, ctx, is_once=True)
    return _NOTHING


def _between(kind: api.Kind, amount: Money, other: str, reference: str) -> api.Happening:
    """Return what passes between this front end and another."""
    owed = (api.Owed(owner=f"front-end/{other}", amount=amount),)
    return api.Happening(kind=kind, amount=amount, reference=reference, owed=owed)


@implements(api.book_borne)
async def book_borne(ask: promotion.DiscountBorne, ctx: Context) -> api.Booked:
    owed = tuple(
        api.Owed(owner=f"{'front-end' if one.bearer == ask.owner else 'seller'}/{one.bearer}", amount=one.amount)
        for one in ask.shares
        if one.bearer != ctx.front_end
    )
    amount = money(sum(one.amount.minor for one in owed), ask.amount.currency)
    happening = api.Happening(
        kind="discount-borne", amount=amount, reference=ask.reference, reason=ask.promotion, owed=owed
    )
    return await _book(happening, f"discount/{ask.reference}", ctx)


@implements(api.book_unborne)
async def book_unborne(ask: promotion.UsesWereReturned, ctx: Context) -> api.Booked:
    asked = ledger.ListEntries(subject=ask.reference, kind="discount-borne", limit=REVERSED_MAX)
    entries = [
        one for one in (await ctx.call(ledger.list_entries, asked)).items if not (one.reverses or one.reversed_by)
    ]
    for one in entries:
        undo = ledger.Reverse(reverses=one.reference, reference=f"{one.reference[:150]}/returned")
        await ctx.call(ledger.reverse, undo)
    return api.Booked(entries=len(entries))


async def _book(happening: api.Happening, of: str, ctx: Context, *, is_once: bool = False) -> api.Booked:
    """Book what a happening moves by the front end's rule; by the default where that does not balance."""
    default = rules.postings(happening)
    if not default:
        return _NOTHING  # it comes to nothing, whatever the rule
    answered = ctx.answer(api.postings)(happening)
    legs = answered if isinstance(answered, tuple) else default
    metadata: dict[str, str] = {}
    if wrong := ledger.fault_of(legs):
        log.warning("the rule of %s for %s is refused: %s", ctx.box, happening.kind, wrong)
        legs, metadata = default, {"refused": str(wrong)[:240]}
    draft = ledger.EntryDraft(
        reference=f"{of}/{happening.kind}" if is_once else f"{of}/{happening.kind}/{ctx.new_id()}",
        kind=happening.kind,
        legs=legs,
        subject=happening.reference,
        metadata=metadata,
    )
    await ctx.call(ledger.record, ledger.Post(entries=(draft,)))
    if due := rules.due(happening, legs, draft.reference):
        became = api.BecameDue(reference=draft.reference, kind=happening.kind, about=happening.reference, lines=due)
        ctx.emit(became)
    return api.Booked(entries=1)


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
