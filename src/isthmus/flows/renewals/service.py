"""Renewals: subscribed, ordered, paid, told."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Context, Pass, errors, implements
from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.subscription import api as subscription
from isthmus.values import Money

from . import api, rules

_PAID = (payment.PaymentState.AUTHORISED, payment.PaymentState.CAPTURED)
_OVER = (subscription.SubscriptionState.CANCELLED, subscription.SubscriptionState.ENDED)


@implements(api.subscribe)
async def subscribe(ask: subscription.Wanted, ctx: Context) -> subscription.Subscription:
    amounts = await _amounts(ask, ask.lines, ctx)
    is_kept = ctx.answer(subscription.keep_prices)(ask.every_days) is True
    opening = subscription.Open(wanted=ask, agreed=amounts if is_kept else ())
    return await ctx.call(subscription.open_subscription, opening)


@implements(api.change_lines)
async def change_lines(ask: api.ChangeLines, ctx: Context) -> subscription.Subscription:
    get = subscription.GetSubscription(subscription_id=ask.subscription_id)
    kept = await ctx.call(subscription.get_subscription, get)
    amounts = await _amounts(kept, ask.lines, ctx.acting_for(kept.box))
    has_agreed = any(one.agreed is not None for one in kept.lines)
    lines = rules.agreed_for(ask.lines, kept.lines, dict(enumerate(amounts)) if has_agreed else {})
    rewriting = subscription.Rewrite(subscription_id=ask.subscription_id, lines=lines)
    return await ctx.call(subscription.rewrite, rewriting)


async def _amounts(
    kept: subscription.Wanted | subscription.Subscription, lines: Sequence[subscription.SubscribedLine], ctx: Context
) -> tuple[Money, ...]:
    """Return what lines cost a member now, before discounts."""
    buyer = await ctx.call(member.get_buyer, member.GetMember(member_id=kept.member_id))
    asked = pricing.QuoteLines(
        lines=tuple(pricing.QuoteLine(sku=one.sku, quantity=one.quantity, attributes=one.attributes) for one in lines),
        currency=kept.currency,
        buyer=buyer,
        order_kind=kept.order_kind,
        channel=kept.channel,
        attributes=kept.attributes,
    )
    return tuple(one.amount for one in (await ctx.call(pricing.quote, asked)).lines)


@implements(api.place_period)
async def place_period(ask: subscription.DuePeriod, ctx: Context) -> api.PlacedPeriod:
    begin = subscription.Begin(subscription_id=ask.subscription_id, due_at=ask.due_at)
    begun = await ctx.call(subscription.begin_period, begin)
    kept = begun.subscription
    if kept is None:
        return api.PlacedPeriod()
    own = ctx.acting_for(ask.box)
    is_replaced = own.answer(subscription.accept_substitutes)(kept.every_days) is True
    pay_before = rules.pay_before(ctx.now, _retry_days(_agreed_total(kept), own))
    wanted = rules.order_of(begun, kept, substitutes=is_replaced, pay_before=pay_before)
    placed = await own.call(checkout.place_agreed, wanted)
    note = subscription.NotePlaced(
        subscription_id=ask.subscription_id, due_at=ask.due_at, group_id=placed.group_id, payment_id=placed.payment_id
    )
    await ctx.call(subscription.note_placed, note)
    return api.PlacedPeriod(is_news=True)


@implements(api.place_due)
async def place_due(ask: api.Renew, ctx: Context) -> api.Renewed:
    due = await ctx.call(subscription.list_due, subscription.ListDue(limit=ask.limit))
    done = left_out = 0
    for one in due.items:
        try:
            done += (await ctx.call(api.place_period, one)).is_news
        except inventory.StockShort:
            continue  # sold meanwhile: the next run leaves it out
        except errors.Refusal as refused:
            begin = subscription.Begin(subscription_id=one.subscription_id, due_at=one.due_at, reason=refused.message)
            skipped = await ctx.call(subscription.note_skipped, begin)
            left_out += skipped.subscription is not None
    return api.Renewed(done=done, left_out=left_out)


@implements(api.pay_due)
async def pay_due(ask: api.Renew, ctx: Context) -> api.Renewed:
    due = await ctx.call(subscription.list_unpaid, subscription.ListDue(limit=ask.limit))
    ended = [await _tried(one, ctx) for one in due.items]
    return api.Renewed(done=ended.count("paid"), left_out=ended.count("refused"))


async def _tried(one: subscription.DuePeriod, ctx: Context) -> str:
    """Try to pay a period, and return what became of it; nothing where somebody else does, or nobody knows yet."""
    begin = subscription.Begin(subscription_id=one.subscription_id, due_at=one.due_at)
    begun = await ctx.call(subscription.begin_try, begin)
    if begun.payment_id is None or begun.group_id is None:
        return ""
    end = subscription.EndTry(subscription_id=one.subscription_id, due_at=one.due_at, outcome="paid")
    owed = await ctx.call(payment.get_payment, payment.GetPayment(payment_id=begun.payment_id))
    if owed.state not in _PAID:
        end = (
            await _ended(begun, owed, end, ctx.acting_for(one.box))
            if owed.state is payment.PaymentState.OPEN
            else end.replace(outcome="cancelled")
        )
    if end is None:
        return ""
    await ctx.call(subscription.end_try, end)
    if end.outcome == "cancelled" or (end.outcome == "refused" and end.try_after_days is None):
        await _cancel_orders(begun.group_id, end.reason or "not paid", ctx)
    return end.outcome


async def _ended(
    begun: subscription.Try, owed: payment.Payment, end: subscription.EndTry, ctx: Context
) -> subscription.EndTry | None:
    """Pay what is owed; return how that ended, None where nobody knows yet."""
    if begun.state in _OVER or not begun.token:
        return end.replace(outcome="cancelled", reason=f"the subscription is {begun.state}")
    pay = checkout.PayOrder(payment_id=owed.payment_id, method=begun.method, token=begun.token)
    try:
        await ctx.call(checkout.pay_order, pay)
    except (payment.OutcomeUnknown, payment.StepUnderWay):
        return None  # it is looked up meanwhile, and what came of it is read by the next try
    except payment.Declined as declined:
        after = rules.try_after(_retry_days(owed.amount, ctx), begun.refusals)
        return end.replace(outcome="refused", reason=declined.message, try_after_days=after)
    except errors.Refusal as refused:
        return end.replace(outcome="cancelled", reason=refused.message)
    return end


async def _cancel_orders(group_id: UUID, reason: str, ctx: Context) -> None:
    """Cancel what of a group still waits to be paid: its goods go back."""
    group = await ctx.call(order.get_group, order.GetGroup(group_id=group_id))
    for one in group.orders:
        if one.state is order.OrderState.PLACED:
            ask = checkout.CancelOrder(order_id=one.order_id, reason=reason[:240])
            await ctx.call(checkout.cancel_order, ask)


def _retry_days(amount: Money, ctx: Context) -> tuple[int, ...]:
    days = ctx.answer(subscription.retry_days)(amount)
    return () if isinstance(days, Pass) else days


def _agreed_total(kept: subscription.Subscription) -> Money:
    return sum((one.agreed for one in kept.lines if one.agreed), start=Money(currency=kept.currency, minor=0))


@implements(api.notify_refused)
async def notify_refused(ask: subscription.SubscriptionMoved, ctx: Context) -> api.Notified:
    try:
        known = await ctx.call(member.get_member, member.GetMember(member_id=ask.member_id))
    except member.NotAMember:  # erased since
        return api.Notified(messages=0)
    mails = sorted((one for one in known.identities if one.kind == "email"), key=lambda one: not one.is_verified)
    if ask.refused_period is None or not mails:
        return api.Notified(messages=0)
    language = known.profile.language or ctx.plan.settings.get("language", "")
    subject, text = rules.written(language)
    send = notification.Send(
        kind=rules.KIND, topic=rules.TOPIC, language=language, subject=subject, text=text,
        reference=f"subscription/{ask.subscription_id}/{ask.refused_period.isoformat()}", address=mails[0].value,
        member_id=known.member_id,
    )  # fmt: skip
    await ctx.call(notification.send, send)
    return api.Notified(messages=1)


@implements(api.join_members)
async def join_members(ask: member.MembersMerged, ctx: Context) -> subscription.Joined:
    join = subscription.Join(member_id=ask.member_id, other_id=ask.other_id)
    return await ctx.call(subscription.join_members, join)


@implements(api.order_again)
async def order_again(ask: api.OrderAgain, ctx: Context) -> api.OrderedAgain:
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    if sold.member_id != ask.member_id:
        raise order.UnknownOrder(what=f"{ask.order_id}", path="$.order_id")
    skus = tuple(dict.fromkeys(one.sku for one in sold.lines))
    described = await ctx.call(catalog.describe_skus, catalog.DescribeSkus(skus=skus))
    is_sold = {one.item.sku for one in described.items if one.offer is not None}
    basket_id = ask.basket_id
    if basket_id is None:
        opening = order.OpenBasket(currency=sold.currency, member_id=ask.member_id)
        basket_id = (await ctx.call(order.open_basket, opening)).basket_id
    lines = tuple(
        order.SetLine(sku=one.sku, quantity=one.quantity, attributes=one.attributes)
        for one in sold.lines
        if one.sku in is_sold
    )
    left_out = tuple(one for one in skus if one not in is_sold)
    if lines:
        basket = await ctx.call(order.set_lines, order.SetLines(basket_id=basket_id, lines=lines))
    else:
        basket = await ctx.call(order.get_basket, order.GetBasket(basket_id=basket_id))
    return api.OrderedAgain(basket=basket, left_out=left_out)
