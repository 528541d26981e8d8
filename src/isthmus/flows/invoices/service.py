"""Invoices of orders: composed of what was sold, how it was taxed, and who bought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from isthmus import places
from isthmus.kernel import Context, Pass, implements
from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.tax import api as tax
from isthmus.values import GUEST, Buyer

from . import api, rules

JURISDICTION = "jurisdiction"  # the setting that says where a front end sells when goods are not sent anywhere
ZONE = "time_zone"
_NOTHING = api.IssuedInvoices()
_NO_RATES = (tax.UnknownJurisdiction, tax.RegionNeeded, tax.NoRate, tax.NotAssessed)


@implements(api.issue_for_order)
async def issue_for_order(ask: api.IssueForOrder, ctx: Context) -> api.IssuedInvoices:
    return await _for_order(ask, ctx)


async def _for_order(ask: api.IssueForOrder, ctx: Context) -> api.IssuedInvoices:
    known = await _about(str(ask.order_id), ctx)
    if known:
        return api.IssuedInvoices(items=known)
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    if sold.state not in rules.PAID:
        raise api.NotPaid(number=sold.number, state=sold.state)
    part = await _sold(sold, ctx)
    if not part.lines:
        return _NOTHING
    return await _issued(f"order/{ask.order_id}", ask.buyer or _buyer(sold, ctx), [part], ctx)


async def _about(subject: str, ctx: Context) -> tuple[invoicing.InvoiceBrief, ...]:
    """Return the invoice that something stands on."""
    return (await ctx.call(invoicing.list_invoices, invoicing.ListInvoices(subject=subject))).items


async def _sold(sold: order.Order, ctx: Context) -> rules.Sold:
    """Return what of an order is invoiced, with the rates that it was sold at."""
    closings = ()
    if any(line.closed for line in sold.lines):
        returns = await ctx.call(order.list_returns, order.ListReturns(order_id=sold.order_id))
        closings = tuple(one for one in returns.items if one.kind == "closing")
    return rules.sold(sold, closings, await _quote(sold, ctx))


async def _quote(sold: order.Order, ctx: Context) -> tax.TaxQuote | None:
    """Return how an order was taxed when it was placed; nothing where no rates of our own say it."""
    where = _jurisdiction(sold, ctx)
    if not where:
        return None
    lines = tuple(
        tax.TaxLine(sku=one.sku, quantity=one.quantity, tax_category=one.tax_category, amount=one.total)
        for one in sold.lines
    )
    own = ctx.acting_for(sold.box)
    asked = tax.Calculate(
        lines=lines,
        jurisdiction=where,
        delivery_fee=sold.delivery_fee,
        buyer=await _known_buyer(sold, ctx),
        order_kind=sold.order_kind,
        channel=sold.channel,
        at=sold.placed_at,
    )
    try:
        quote = await own.call(tax.calculate, asked)
    except _NO_RATES:
        return None
    return quote if quote.is_configured else None


def _jurisdiction(sold: order.Order, ctx: Context) -> str:
    if sold.address is None:
        return ctx.plan.settings.get(JURISDICTION, "")
    country, region = sold.address.country, sold.address.region
    return f"{country}-{region}" if region and places.regions(country) else country


async def _known_buyer(sold: order.Order, ctx: Context) -> Buyer:
    if sold.member_id is None:
        return GUEST
    try:
        return await ctx.call(member.get_buyer, member.GetMember(member_id=sold.member_id))
    except member.NotAMember:  # erased since
        return GUEST


def _buyer(sold: order.Order, ctx: Context) -> invoicing.Party:
    """Return who an invoice is written to. Raises BuyerNeeded where nobody knows."""
    answered = ctx.acting_for(sold.box).answer(api.buyer)(sold)
    if not isinstance(answered, Pass):
        return answered
    if sold.address is None:
        raise api.BuyerNeeded(number=sold.number)
    name = sold.address.recipient or sold.contact_email or "Customer"
    return invoicing.Party(name=name, address=sold.address, email=sold.contact_email)


async def _issued(
    reference: str, buyer: invoicing.Party, parts: Sequence[rules.Sold], ctx: Context, **more: date
) -> api.IssuedInvoices:
    draft = rules.draft(reference, buyer, parts).replace(**more)
    return api.IssuedInvoices(items=(rules.brief(await ctx.call(invoicing.issue, draft)),))


@implements(api.issue_for_period)
async def issue_for_period(ask: api.IssueForPeriod, ctx: Context) -> api.IssuedInvoices:
    found = [one for one in await _ordered(ask, ctx) if one.state in rules.PAID]
    parts = [await _sold(one, ctx) for one in found if not await _about(str(one.order_id), ctx)]
    items: list[invoicing.InvoiceBrief] = []
    for together in rules.by_currency(part for part in parts if part.lines):
        reference = f"period/{ask.member_id}/{together[0].order.order_id}"
        issued = await _issued(reference, ask.buyer, together, ctx, since=ask.since, until=ask.until)
        items += issued.items
    return api.IssuedInvoices(items=tuple(items))


async def _ordered(ask: api.IssueForPeriod, ctx: Context) -> list[order.Order]:
    """Return what a member ordered in a time, the first first."""
    zone = ZoneInfo(ctx.plan.settings.get(ZONE, "UTC"))
    asked = order.ListOrders(
        member_id=ask.member_id,
        placed_from=datetime.combine(ask.since, time(), zone),
        placed_until=datetime.combine(ask.until + timedelta(days=1), time(), zone),
        limit=200,
    )
    found: list[order.Order] = []
    while True:
        page = await ctx.call(order.list_orders, asked)
        found += page.items
        if len(found) > api.PERIOD_ORDERS_MAX:
            raise api.TooManyOrders(since=ask.since, until=ask.until)
        if page.next_cursor is None:
            return found[::-1]
        asked = asked.replace(cursor=page.next_cursor)


@implements(api.credit_return)
async def credit_return(ask: api.CreditReturn, ctx: Context) -> api.IssuedInvoices:
    return await _for_return(ask, ctx)


async def _for_return(ask: api.CreditReturn, ctx: Context) -> api.IssuedInvoices:
    back = await ctx.call(order.get_return, order.GetReturn(return_id=ask.return_id))
    if known := await _about(str(ask.return_id), ctx):
        is_left_out = all(one.kind is invoicing.InvoiceKind.INVOICE for one in known)
        return _NOTHING if is_left_out else api.IssuedInvoices(items=known)
    if back.state is not order.ReturnState.REFUNDED and back.kind == "return":
        raise api.NotSettled(state=back.state)
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=back.order_id))
    invoiced = next(iter(await _about(str(back.order_id), ctx)), None)
    if invoiced is None:
        raise api.NotInvoiced(number=sold.number)
    invoice = await ctx.call(invoicing.get_invoice, invoicing.GetInvoice(invoice_id=invoiced.invoice_id))
    note = rules.credit(back, sold, invoice)
    if note is None:
        return _NOTHING
    return api.IssuedInvoices(items=(rules.brief(await ctx.call(invoicing.issue, note)),))


@implements(api.send)
async def send(ask: api.SendInvoice, ctx: Context) -> notification.Message:
    one = await ctx.call(invoicing.get_invoice, invoicing.GetInvoice(invoice_id=ask.invoice_id))
    address = ask.address or one.buyer.email
    if not address:
        raise api.NobodyToWriteTo(number=one.number)
    language = ctx.plan.settings.get("language", "")
    message = rules.message(one, address, language)
    if ask.form != "none":
        made = await ctx.call(invoicing.get_document, invoicing.GetDocument(invoice_id=one.invoice_id, form=ask.form))
        file = notification.Attachment(
            name=made.name.replace("/", "-"), media_type=made.media_type, content=made.content
        )
        message = message.replace(attachments=(file,))
    return await ctx.call(notification.send, message)


@implements(api.order_moved)
async def order_moved(ask: order.OrderMoved, ctx: Context) -> api.IssuedInvoices:
    if not rules.is_invoiced(ask, ctx.plan.settings):
        return _NOTHING
    return await _for_order(api.IssueForOrder(order_id=ask.order_id), ctx)


@implements(api.return_moved)
async def return_moved(ask: order.ReturnMoved, ctx: Context) -> api.IssuedInvoices:
    if not rules.is_credited(ask, ctx.plan.settings) or not await _about(str(ask.order_id), ctx):
        return _NOTHING
    return await _for_return(api.CreditReturn(return_id=ask.return_id), ctx)
