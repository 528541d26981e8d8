"""Changes of orders: priced as they were sold, and written under the lock of their group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from isthmus.flows.checkout import api as checkout
from isthmus.flows.checkout import rules as checkout_rules
from isthmus.kernel import Capability, Context, Verdict, implements
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.tax import api as tax
from isthmus.values import GUEST, LineAsk, money

from .. import api, rules
from .goods import money_back

R = TypeVar("R", bound=inventory.Reserve)

State = order.OrderState
JURISDICTION = "jurisdiction"  # the setting that says where a front end sells when goods are not sent anywhere


@implements(api.preview_change)
async def preview_change(ask: api.ChangeOrder, ctx: Context) -> api.ChangePreview:
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    own = ctx.acting_for(sold.box)
    want = rules.wanted(sold, ask)
    added = await _priced(sold, want, ask, tax.assess, own)
    refusals: tuple[str, ...] = ()
    if sold.state not in rules.CHANGEABLE:
        refusals = (f"it is {sold.state}",)
    elif want.out:
        refusals = tuple(f"{no.reason} ({no.by})" for no in (await _guarded(sold, ctx)).vetoes)
    draft = rules.as_it_would_be(sold, want.out, added)
    if draft.lines:
        refusals += (await own.call(order.check_draft, draft)).refusals
    else:
        refusals += ("nothing would be left of it: cancel it instead",)
    returns = await ctx.call(order.list_returns, order.ListReturns(order_id=sold.order_id))
    less = rules.worth_of(sold, want.out, returns.items)
    return api.ChangePreview(
        difference=sum((line.total for line in added), start=-less),
        taken_out=want.out,
        added=added,
        refusals=refusals,
    )


async def _guarded(sold: order.Order, ctx: Context) -> Verdict:
    """Return whether goods can be taken out, by the rules that they were sold under."""
    return (await ctx.as_of(sold.plan)).acting_for(sold.box).answer(order.guard_cancellation)(sold)


async def _priced(
    sold: order.Order,
    want: rules.Wanted,
    ask: api.ChangeOrder,
    taxed_by: Capability[tax.Calculate, tax.TaxQuote],
    own: Context,
) -> tuple[order.DraftLine, ...]:
    """Return what is added as it is priced: as it was sold, or by today's prices to the same buyer; with its tax."""
    if not want.added:
        return ()
    buyer = GUEST
    if sold.member_id is not None:
        buyer = await own.call(member.get_buyer, member.GetMember(member_id=sold.member_id))
    whole = rules.as_a_whole(sold, want.added)
    checked = catalog.CheckLines(lines=whole, order_kind=sold.order_kind, channel=sold.channel)
    goods = (await own.call(catalog.check_lines, checked)).items
    fresh = tuple(
        pricing.QuoteLine(sku=one.sku, quantity=one.quantity, attributes=said)
        for one, said in zip(want.added, want.attributes, strict=True)
        if rules.kept_price(sold, one, said) is None
    )
    quoted: Sequence[pricing.PricedLine] = ()
    if fresh:
        quote = pricing.QuoteLines(
            lines=fresh,
            currency=sold.currency,
            location=ask.location,
            buyer=buyer,
            order_kind=sold.order_kind,
            channel=sold.channel,
        )
        quoted = (await own.call(pricing.quote, quote)).lines
    prices = rules.priced(sold, want, quoted)
    where = checkout_rules.jurisdiction_of(sold.address.country, sold.address.region) if sold.address else ""
    where = where or own.plan.settings.get(JURISDICTION, "")
    taxed = None
    if where:
        lines = [
            tax.TaxLine(sku=one.sku, quantity=one.quantity, tax_category=good.tax_category, amount=amount)
            for one, good, (_, amount) in zip(want.added, goods, prices, strict=True)
        ]
        calculate = tax.Calculate(
            lines=tuple(lines),
            jurisdiction=where,
            is_address=sold.address is not None,
            destination=sold.address,
            buyer=buyer,
            order_kind=sold.order_kind,
            channel=sold.channel,
        )
        taxed = await own.call(taxed_by, calculate)
    return rules.draft_lines(want, goods, prices, taxed)


@implements(api.change_goods)
async def change_goods(ask: api.ChangeOrder, ctx: Context) -> api.ChangedGoods:
    known = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    await ctx.call(order.hold_group, order.GetGroup(group_id=known.group_id))
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    if sold.state not in rules.CHANGEABLE:
        raise order.IllegalTransition(what=f"order {sold.number}", state=sold.state, wanted="changed")
    own = ctx.acting_for(sold.box)
    want = rules.wanted(sold, ask)
    if want.out and not (verdict := await _guarded(sold, ctx)).is_allowed:
        raise order.CancelRefused(reasons=[f"{no.reason} ({no.by})" for no in verdict.vetoes])
    added = await _priced(sold, want, ask, tax.calculate, own)
    await _check_whole(sold, want, added, own)
    changed = await (_written_anew if sold.state is State.PLACED else _closed_and_supplemented)(
        sold, want, added, ask, ctx
    )
    if ask.expected_difference not in (None, changed.difference):
        raise api.DifferenceChanged(shown=ask.expected_difference, now=changed.difference)
    return changed


async def _check_whole(sold: order.Order, want: rules.Wanted, added: tuple[order.DraftLine, ...], own: Context) -> None:
    """Refuse what the front end would not have sold, and what belongs into another order of the group."""
    draft = rules.as_it_would_be(sold, want.out, added)
    if not draft.lines:
        raise order.IllegalTransition(what=f"order {sold.number}", state=sold.state, wanted="empty: cancel it instead")
    checked = await own.call(order.check_draft, draft)
    if checked.refusals:
        raise order.OrderRefused(reasons=checked.refusals, path="$.lines")
    if sold.state is State.PLACED and added:
        parts = (await own.call(order.check_draft, draft.replace(lines=added))).parts
        if other := [part for part in parts if part != sold.part]:
            raise api.OtherOrder(number=sold.number, part=other[0])


async def _written_anew(
    sold: order.Order, want: rules.Wanted, added: tuple[order.DraftLine, ...], ask: api.ChangeOrder, ctx: Context
) -> api.ChangedGoods:
    """Change an order that is not paid: its goods, its lines, and what is due for its group."""
    reference = str(sold.group_id)
    if added:
        more = _reserve(sold, want, ask, reference, inventory.Extend)
        held = await ctx.acting_for(sold.box).call(inventory.extend, more)
        first = min(one.line for one in held.allocations)
        places = checkout_rules.locations_of(
            [one.replace(line=one.line - first) for one in held.allocations], len(added)
        )
        added = tuple(line.replace(location=place) for line, place in zip(added, places, strict=True))
    amend = order.AmendOrder(order_id=sold.order_id, reason=ask.reason, lines=want.out, added=added)
    amended = await ctx.call(order.amend_order, amend)
    if want.out:
        await ctx.call(inventory.release, inventory.Release(reference=reference, lines=_goods(sold, want.out)))
    group = await ctx.call(order.get_group, order.GetGroup(group_id=sold.group_id))
    active = sum(one.total.minor for one in group.orders if one.state not in checkout_rules.INACTIVE)
    asked = payment.ListPayments(references=payment.references_of(reference))
    payments = (await ctx.call(payment.list_payments, asked)).items
    due = rules.amounts_due(payments, money(active, sold.currency))
    for of, amount in due:
        await ctx.call(payment.expect_amount, payment.ExpectAmount(reference=of, amount=amount))
    first_due = next(one for one in payments if one.reference == due[0][0])
    return api.ChangedGoods(
        order=amended,
        difference=amended.total - sold.total,
        payment_id=first_due.payment_id,
        pay_before=sold.pay_before,
    )


async def _closed_and_supplemented(
    sold: order.Order, want: rules.Wanted, added: tuple[order.DraftLine, ...], ask: api.ChangeOrder, ctx: Context
) -> api.ChangedGoods:
    """Change an order that is paid: close what is taken out, and place what is added as an order that goes with it."""
    closed = None
    if want.out:
        close = api.CloseLines(order_id=sold.order_id, reason=ask.reason, lines=want.out)
        closed = await ctx.call(api.close_goods, close)
    difference = money(-closed.refund.minor if closed else 0, sold.currency)
    if not added:
        now = await ctx.call(order.get_order, order.GetOrder(order_id=sold.order_id))
        return api.ChangedGoods(order=now, difference=difference, closed=closed)
    own = ctx.acting_for(sold.box)
    group_id, pay_before = ctx.new_id(), ctx.now + checkout.PAY_WITHIN
    held = await own.call(inventory.reserve, _reserve(sold, want, ask, str(group_id), inventory.Reserve))
    places = checkout_rules.locations_of(held.allocations, len(added))
    total = sum((line.total for line in added), start=money(0, sold.currency))
    placed = await own.call(
        order.place_order,
        order.PlaceOrder(
            group_id=group_id,
            lines=tuple(line.replace(location=place) for line, place in zip(added, places, strict=True)),
            currency=sold.currency,
            delivery_fee=money(0, sold.currency),
            total=total,
            member_id=sold.member_id,
            contact_email=sold.contact_email,
            address=sold.address,
            delivery_method=sold.delivery_method,
            order_kind=sold.order_kind,
            channel=sold.channel,
            pay_before=pay_before,
            plan=own.plan.fingerprint,
            attributes=sold.attributes,
            supplements=sold.order_id,
        ),
    )
    opened = await ctx.call(payment.open_payment, payment.OpenPayment(reference=str(group_id), amount=total))
    return api.ChangedGoods(
        order=await ctx.call(order.get_order, order.GetOrder(order_id=sold.order_id)),
        difference=difference + total,
        closed=closed,
        supplement=placed,
        payment_id=opened.payment_id,
        pay_before=pay_before,
    )


def _reserve(sold: order.Order, want: rules.Wanted, ask: api.ChangeOrder, reference: str, kind: type[R]) -> R:
    return kind(
        reference=reference,
        lines=want.added,
        location=ask.location,
        destination=sold.address,
        order_kind=sold.order_kind,
        channel=sold.channel,
    )


def _goods(sold: order.Order, out: Sequence[order.CloseLine]) -> tuple[LineAsk, ...]:
    skus = {line.line: line.sku for line in sold.lines}
    return tuple(LineAsk(sku=skus[one.line], quantity=one.quantity) for one in out)


@implements(api.change_order)
async def change_order(ask: api.ChangeOrder, ctx: Context) -> api.ChangedOrder:
    changed = await ctx.call(api.change_goods, ask)
    refunded = money(0, changed.difference.currency)
    if changed.closed is not None:
        refunded = (await money_back(changed.closed, "taken out", ctx)).refund
    return api.ChangedOrder(
        order=changed.order,
        difference=changed.difference,
        closed=changed.closed,
        supplement=changed.supplement,
        payment_id=changed.payment_id,
        pay_before=changed.pay_before,
        refunded=refunded,
    )


@implements(api.correct_address)
async def correct_address(ask: order.CorrectAddress, ctx: Context) -> order.Order:
    corrected = await ctx.call(order.correct_address, ask)
    planned = fulfilment.ListShipments(reference=str(ask.order_id), limit=1)
    if (await ctx.call(fulfilment.list_shipments, planned)).items:
        redirect = fulfilment.Redirect(reference=str(ask.order_id), address=ask.address)
        await ctx.call(fulfilment.redirect, redirect)
    return await ctx.call(order.get_order, order.GetOrder(order_id=corrected.order_id))
