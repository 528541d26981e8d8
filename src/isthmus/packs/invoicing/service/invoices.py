"""Invoices: numbered one after the other, written down once, listed, and given out as documents."""

from __future__ import annotations

import base64
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from isthmus.kernel import Context, errors, implements
from isthmus.outside import NotInstalled
from isthmus.values import cursor_at, money, place_at

from .. import api, rules, storage

ZONE = "time_zone"  # the setting of a front end that says when its day ends; UTC where it has none
ENTITY, PREFIX = "invoicing.entity", "invoicing.prefix"  # who numbers, and what its numbers begin with


@implements(api.issue)
async def issue(ask: api.Issue, ctx: Context) -> api.Invoice:
    content = rules.content(ask)
    await storage.hold_reference(ctx.session, ctx.front_end, ask.reference)
    if known := await _known(ask, content, ctx):
        return known
    settings = ctx.plan.settings
    if lacking := rules.seller_setting(settings):
        raise api.NoSeller(front_end=ctx.front_end, setting=lacking)
    sells = rules.seller(settings)
    if wrong := rules.fault_of(ask, sells):
        raise wrong
    vat = rules.vat_totals(ask)
    totals = rules.totals(ask, vat)
    entity, series = settings.get(ENTITY, ctx.front_end), rules.series_of(ask.kind, _today(ctx))
    sequence, day = await storage.next_number(ctx.session, entity, series, _today(ctx))
    await _check_subjects(ask, ctx)
    corrected = await _corrected(ask, totals, ctx)
    issued = api.Invoice(
        **{name: getattr(ask, name) for name in ask.__struct_fields__},
        invoice_id=ctx.new_id(),
        number=rules.number(settings.get(PREFIX, ""), series, sequence),
        entity=entity,
        issued_on=day,
        issued_at=ctx.now,
        issued_by=ctx.caller.person or ctx.caller.client,
        currency=ask.lines[0].net.currency,
        seller=sells,
        vat_totals=vat,
        totals=totals,
        credited=money(0, ask.lines[0].net.currency),
    )
    await storage.add(ctx.session, ctx.front_end, issued, (series, sequence), content, corrected)
    ctx.emit(
        api.InvoiceIssued(
            invoice_id=issued.invoice_id,
            number=issued.number,
            kind=issued.kind,
            corrects=issued.corrects,
            subjects=issued.subjects,
            gross=totals.gross,
        )
    )
    return issued


async def _known(ask: api.Issue, content: UUID, ctx: Context) -> api.Invoice | None:
    """Return what the reference has issued already. Raises ReferenceUsed where that says something else."""
    found = await storage.by_reference(ctx.session, ctx.front_end, ask.reference)
    if found is None:
        return None
    if found[1] != content:
        raise api.ReferenceUsed(reference=ask.reference, number=found[0].number)
    return found[0]


async def _check_subjects(ask: api.Issue, ctx: Context) -> None:
    found = await storage.known_subject(ctx.session, ctx.front_end, ask.subjects) if ask.subjects else None
    if found:
        raise api.AlreadyInvoiced(subject=found[0], number=found[1])


async def _corrected(ask: api.Issue, totals: api.Totals, ctx: Context) -> UUID | None:
    """Return what a credit note corrects, of which so much is left. The number that it holds keeps others out."""
    if ask.corrects is None:
        return None
    one = await storage.by_number(ctx.session, ctx.front_end, ask.corrects)
    if one is None or one.kind is not api.InvoiceKind.INVOICE:
        raise api.UnknownInvoice(which=ask.corrects, path="$.corrects")
    left = one.totals.gross - one.credited
    most = money(left.minor + rules.ROUNDING_PER_LINE * len(one.lines), left.currency)
    if totals.gross.currency != left.currency:
        raise api.WrongCurrency(found=totals.gross.currency, wanted=left.currency, path="$.lines[0].net.currency")
    if totals.gross > most:
        raise api.TooMuchCredited(number=one.number, left=left, asked=totals.gross)
    return one.invoice_id


def _today(ctx: Context) -> date:
    zone = ctx.plan.settings.get(ZONE, "UTC")
    return ctx.now.astimezone(ZoneInfo(zone)).date()


@implements(api.get_invoice)
async def get_invoice(ask: api.GetInvoice, ctx: Context) -> api.Invoice:
    if ask.invoice_id is not None:
        return await _found(ask.invoice_id, ctx)
    if ask.number is None:
        raise errors.BadAsk("an invoice is asked for by its id or its number", remedy="send one of them", path="$")
    one = await storage.by_number(ctx.session, ctx.front_end, ask.number)
    if one is None:
        raise api.UnknownInvoice(which=ask.number, path="$.number")
    return one


async def _found(invoice_id: UUID, ctx: Context) -> api.Invoice:
    one = await storage.by_id(ctx.session, ctx.front_end, invoice_id)
    if one is None:
        raise api.UnknownInvoice(which=str(invoice_id), path="$.invoice_id")
    return one


@implements(api.list_invoices)
async def list_invoices(ask: api.ListInvoices, ctx: Context) -> api.InvoicePage:
    before = place_at(ask.cursor, UUID, api.BadCursor) if ask.cursor else None
    found = await storage.page(ctx.session, ctx.front_end, ask, before)
    shown = found[: ask.limit]
    cursor = cursor_at(shown[-1].invoice_id) if len(found) > ask.limit else None
    return api.InvoicePage(items=tuple(shown), next_cursor=cursor)


@implements(api.get_document)
async def get_document(ask: api.GetDocument, ctx: Context) -> api.Document:
    one = await _found(ask.invoice_id, ctx)
    try:
        from . import documents  # XML, fonts and pictures are not loaded by whoever makes none
    except ModuleNotFoundError as missing:
        raise NotInstalled(missing, extra="finance") from None

    language = ctx.plan.settings.get("language", "en")
    made = {"ubl": documents.ubl, "cii": documents.cii, "factur-x": documents.factur_x}[ask.form](one, language)
    is_pdf = ask.form == "factur-x"
    return api.Document(
        name=f"{one.number}.{'pdf' if is_pdf else 'xml'}",
        media_type="application/pdf" if is_pdf else "application/xml",
        content=base64.b64encode(made).decode(),
    )


@implements(api.forget_buyers)
async def forget_buyers(ask: api.ForgetBuyers, ctx: Context) -> api.BuyersForgotten:
    today = _today(ctx)
    before = date(today.year - ask.years, 1, 1)  # the years count from the end of the one that it was issued in
    return api.BuyersForgotten(invoices=await storage.forget_buyers(ctx.session, ctx.front_end, before))
