"""Rows of `invoicing`: series, invoices, what is taxed alike, and what invoices are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import Value, decode, encode, ports
from isthmus.values import Address, money

from . import api

# The row is held until the commit, so numbers of an entity are given one after the other, and days do not go back.
_NEXT: Final = """
    insert into invoicing.series (entity, series, last, last_on) values ($1, $2, 1, $3)
    on conflict (entity, series) do update
        set last = series.last + 1, last_on = greatest(series.last_on, excluded.last_on)
    returning last, last_on"""
_ADD: Final = """
    insert into invoicing.invoice (front_end, invoice_id, entity, series, sequence, number, kind, corrects, reference,
        content, currency, net_minor, tax_minor, gross_minor, paid_minor, rounding_minor, due_minor, issued_on,
        issued_at, issued_by, said, buyer)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21::jsonb,
        $22::jsonb)"""
_ADD_VAT: Final = """
    insert into invoicing.vat (front_end, invoice_id, category, rate_ppm, net_minor, tax_minor)
    select $1, $2, * from unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[])"""
_FIND: Final = """
    select invoice.*, corrected.number as corrects_number, coalesce((
        select sum(note.gross_minor) from invoicing.invoice note
        where note.front_end = $1 and note.corrects = invoice.invoice_id), 0)::bigint as credited
    from invoicing.invoice left join invoicing.invoice corrected
        on corrected.front_end = $1 and corrected.invoice_id = invoice.corrects
    where invoice.front_end = $1 and ({condition})"""
_LIST: Final = """
    select invoice.*, corrected.number as corrects_number
    from invoicing.invoice left join invoicing.invoice corrected
        on corrected.front_end = $1 and corrected.invoice_id = invoice.corrects
    where invoice.front_end = $1 and ($2::text is null or invoice.kind = $2)
        and ($3::text is null or invoice.invoice_id = any (array(
            select invoice_id from invoicing.subject where front_end = $1 and subject = $3)))
        and ($4::text is null or corrected.number = $4) and ($5::text is null or invoice.reference = $5)
        and ($6::date is null or invoice.issued_on >= $6) and ($7::date is null or invoice.issued_on <= $7)
        and ($8::uuid is null or invoice.invoice_id < $8)
    order by invoice.invoice_id desc limit $9"""
_FORGET: Final = """
    update invoicing.invoice set buyer = jsonb_set(buyer, '{party}', jsonb_build_object(
            'name', 'erased', 'address', jsonb_build_object('country', buyer #> '{party,address,country}'))) - 'to'
    where front_end = $1 and issued_on < $2 and buyer #>> '{party,name}' <> 'erased'"""


class Bought(Value):
    """Who bought, and where it went: what is forgotten one day."""

    party: api.Party
    to: Address | None = None


class Said(api.InvoiceDraft):
    """What an invoice says besides its buyer."""

    seller: api.Party
    vat_totals: tuple[api.VatTotal, ...]
    totals: api.Totals


_NOBODY: Final = api.Party(name="-", address=Address(country="US"))
_KEPT_APART: Final = ("buyer", "delivered_to")


async def hold_reference(session: ports.Session, front_end: str, reference: str) -> None:
    """Let nobody else issue under a reference until the commit."""
    lock = "select pg_advisory_xact_lock(hashtextextended('invoicing/' || $1 || '/' || $2, 0))"
    await session.execute(lock, front_end, reference)


async def next_number(session: ports.Session, entity: str, series: str, today: date) -> tuple[int, date]:
    """Return the next number of a series, and the day that it is issued on. Nobody else gets one until the commit."""
    row = await session.fetch_row(_NEXT, entity, series, today)
    assert row is not None
    return row["last"], row["last_on"]


async def add(
    session: ports.Session,
    front_end: str,
    one: api.Invoice,
    place: tuple[str, int],
    content: UUID,
    corrects: UUID | None,
) -> None:
    """Write an invoice down. place: its series, and which of it it is."""
    kept = {name: getattr(one, name) for name in Said.__struct_fields__ if name not in _KEPT_APART}
    await session.execute(
        _ADD,
        front_end,
        one.invoice_id,
        one.entity,
        *place,
        one.number,
        one.kind,
        corrects,
        one.reference,
        content,
        one.currency,
        one.totals.net.minor,
        one.totals.tax.minor,
        one.totals.gross.minor,
        one.totals.paid.minor,
        one.totals.rounding.minor,
        one.totals.due.minor,
        one.issued_on,
        one.issued_at,
        one.issued_by,
        encode(Said(**kept, buyer=_NOBODY)),
        encode(Bought(party=one.buyer, to=one.delivered_to)),
    )
    columns = zip(
        *((vat.vat.category, vat.vat.rate_ppm, vat.net.minor, vat.tax.minor) for vat in one.vat_totals), strict=True
    )
    await session.execute(_ADD_VAT, front_end, one.invoice_id, *map(list, columns))
    if one.subjects:
        await session.execute(
            "insert into invoicing.subject (front_end, subject, invoice_id) select $1, unnest($3::text[]), $2",
            front_end,
            one.invoice_id,
            sorted(set(one.subjects)),
        )


async def known_subject(session: ports.Session, front_end: str, subjects: Sequence[str]) -> tuple[str, str] | None:
    """Return the first of these that stands on an invoice, and its number."""
    row = await session.fetch_row(
        """select subject, number from invoicing.subject join invoicing.invoice using (front_end, invoice_id)
           where front_end = $1 and subject = any ($2) order by subject limit 1""",
        front_end,
        list(subjects),
    )
    return None if row is None else (row["subject"], row["number"])


async def by_reference(session: ports.Session, front_end: str, reference: str) -> tuple[api.Invoice, UUID] | None:
    """Return the invoice of a reference, and the digest of what was asked."""
    row = await session.fetch_row(_FIND.format(condition="invoice.reference = $2"), front_end, reference)
    return None if row is None else (_invoice(row), row["content"])


async def by_id(session: ports.Session, front_end: str, invoice_id: UUID) -> api.Invoice | None:
    row = await session.fetch_row(_FIND.format(condition="invoice.invoice_id = $2"), front_end, invoice_id)
    return None if row is None else _invoice(row)


async def by_number(session: ports.Session, front_end: str, number: str) -> api.Invoice | None:
    row = await session.fetch_row(_FIND.format(condition="invoice.number = $2"), front_end, number)
    return None if row is None else _invoice(row)


async def page(
    session: ports.Session, front_end: str, ask: api.ListInvoices, before: UUID | None
) -> list[api.InvoiceBrief]:
    """Return invoices, the latest first, one more than was asked for where there are more."""
    rows = await session.fetch(
        _LIST,
        front_end,
        ask.kind,
        ask.subject,
        ask.corrects,
        ask.reference,
        ask.since,
        ask.until,
        before,
        ask.limit + 1,
    )
    return [
        api.InvoiceBrief(
            invoice_id=row["invoice_id"],
            number=row["number"],
            kind=api.InvoiceKind(row["kind"]),
            corrects=row["corrects_number"],
            issued_on=row["issued_on"],
            gross=money(row["gross_minor"], row["currency"]),
            due=money(row["due_minor"], row["currency"]),
        )
        for row in rows
    ]


async def forget_buyers(session: ports.Session, front_end: str, before: date) -> int:
    """Forget who bought before a day; return of how many invoices."""
    return int((await session.execute(_FORGET, front_end, before)).split()[-1])


def _invoice(row: ports.Row) -> api.Invoice:
    said = decode(row["said"], Said)
    bought = decode(row["buyer"], Bought)
    fields: dict[str, Any] = {name: getattr(said, name) for name in Said.__struct_fields__}
    fields |= {"buyer": bought.party, "delivered_to": bought.to}
    return api.Invoice(
        **fields,
        invoice_id=row["invoice_id"],
        number=row["number"],
        entity=row["entity"],
        issued_on=row["issued_on"],
        issued_at=row["issued_at"],
        issued_by=row["issued_by"],
        currency=row["currency"],
        credited=money(row["credited"], row["currency"]),
    )
