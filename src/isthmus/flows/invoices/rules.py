"""Invoices of orders, decided: what of an order is invoiced, and how each line was taxed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.tax import api as tax
from isthmus.values import LINES_MAX, Money, money, rounded

from . import api

PAID: Final = (
    order.OrderState.PAID,
    order.OrderState.PART_SHIPPED,
    order.OrderState.SHIPPED,
    order.OrderState.COMPLETED,
)
PPM: Final = 1_000_000
STEP_PPM: Final = 100  # a rate that is reckoned from amounts: to a hundredth of a percent
# Which VAT category a VATEX code is of; every other reason is exempt.
CATEGORIES: Final[Mapping[str, invoicing.VatCategory]] = {
    "VATEX-EU-AE": "AE",
    "VATEX-EU-IC": "K",
    "VATEX-EU-G": "G",
    "VATEX-EU-O": "O",
}
NOT_TAXED: Final = invoicing.Vat(category="O")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """What of an order is invoiced."""

    order: order.Order
    lines: tuple[invoicing.InvoiceLine, ...]
    charge: invoicing.Charge | None
    paid: Money
    subjects: tuple[str, ...]


def is_invoiced(moved: order.OrderMoved, settings: Mapping[str, str]) -> bool:
    """Say whether a front end issues the invoice of an order by itself, now that it is in another state."""
    return (settings.get(api.ISSUE), moved.state) == (api.ON_SHIPPING, order.OrderState.SHIPPED)


def is_credited(moved: order.ReturnMoved, settings: Mapping[str, str]) -> bool:
    """Say whether a front end issues the credit note of a return by itself, now that it is in another state."""
    return (settings.get(api.ISSUE), moved.state) == (api.ON_SHIPPING, order.ReturnState.REFUNDED)


def sold(one: order.Order, closings: Iterable[order.Return], quote: tax.TaxQuote | None) -> Sold:
    """Return what of an order is invoiced: all of it, less what will never come."""
    closings = tuple(closings)
    lines: list[invoicing.InvoiceLine] = []
    paid = one.delivery_fee.minor
    for at, line in enumerate(one.lines):
        gone = [share for back in closings for share in back.shares if share.line == line.line]
        quantity = line.quantity - sum(share.quantity for share in gone)
        if quantity <= 0:
            continue
        total = line.total.minor - sum(share.worth.minor for share in gone)
        net = total - line.tax.minor + sum(share.tax.minor for share in gone)
        paid += total
        vat = _vat(line, quote.lines[at] if quote else None, one)
        lines.append(_line(line, quantity, money(net, one.currency), vat, one.number))
    return Sold(
        order=one,
        lines=tuple(lines),
        charge=_delivery(one, quote),
        paid=money(paid, one.currency),
        subjects=(str(one.order_id), *(str(back.return_id) for back in closings)),
    )


def _line(line: order.OrderLine, quantity: int, net: Money, vat: invoicing.Vat, number: str) -> invoicing.InvoiceLine:
    return invoicing.InvoiceLine(
        title=line.title or line.sku, quantity=quantity, net=net, vat=vat, sku=line.sku, unit=line.unit, order=number
    )


def _vat(line: order.OrderLine, taxed: tax.TaxedLine | None, one: order.Order) -> invoicing.Vat:
    """Return how a line was taxed: by its rates, else as its amounts say."""
    if taxed is None:
        return _reckoned(line.tax_category, one)
    if taxed.exempt_because:
        return exempt(taxed.exempt_because)
    rate = sum(found.rate_ppm for found in taxed.rates)
    if rate and not line.tax.minor and rounded(Fraction(line.total.minor * rate, PPM + rate)) > 1:
        return exempt("")  # the buyer was free of tax when it was sold
    return invoicing.Vat(category="S" if rate else "Z", rate_ppm=rate)


def _reckoned(tax_category: str, one: order.Order) -> invoicing.Vat:
    """Return the rate that all lines of a tax category were taxed at together."""
    alike = [line for line in one.lines if line.tax_category == tax_category]
    paid, net = (sum(found) for found in ([x.tax.minor for x in alike], [(x.total - x.tax).minor for x in alike]))
    rate = rounded(Fraction(paid * PPM, net * STEP_PPM)) * STEP_PPM if net else 0
    return invoicing.Vat(rate_ppm=rate) if rate else NOT_TAXED if not any_tax(one) else invoicing.Vat(category="Z")


def any_tax(one: order.Order) -> bool:
    return any(line.tax.minor for line in one.lines)


def exempt(reason: str) -> invoicing.Vat:
    """Return why there is no tax: by the VATEX code that a reason begins with, else exempt."""
    code, _, text = reason.partition(":")
    code = code.strip().upper()
    if not code.startswith("VATEX-"):
        return invoicing.Vat(category="E", reason=reason[:240])
    return invoicing.Vat(category=CATEGORIES.get(code, "E"), reason=text.strip()[:240], reason_code=code)


def _delivery(one: order.Order, quote: tax.TaxQuote | None) -> invoicing.Charge | None:
    """Return the fee for delivery; its tax is in it."""
    if not one.delivery_fee.minor:
        return None
    found = quote.delivery if quote else None
    rate = sum(part.rate_ppm for part in found.rates) if found else 0
    vat = (
        invoicing.Vat(rate_ppm=rate)
        if rate
        else exempt(found.exempt_because)
        if found and found.exempt_because
        else None
    )
    if vat is None:
        vat = NOT_TAXED if quote is None and not any_tax(one) else invoicing.Vat(category="Z")
    net = rounded(Fraction(one.delivery_fee.minor * PPM, PPM + vat.rate_ppm))
    return invoicing.Charge(reason="Delivery", net=money(net, one.currency), vat=vat)


def draft(reference: str, buyer: invoicing.Party, parts: Sequence[Sold]) -> invoicing.Issue:
    """Return the invoice of one order, or of several in one currency."""
    charges: dict[tuple[str, int], invoicing.Charge] = {}
    for charge in (part.charge for part in parts if part.charge):
        key = (charge.vat.category, charge.vat.rate_ppm)
        known = charges.get(key)
        charges[key] = charge if known is None else known.replace(net=known.net + charge.net)
    return invoicing.Issue(
        reference=reference,
        buyer=buyer,
        lines=tuple(line for part in parts for line in part.lines),
        charges=tuple(charges.values()),
        paid=sum((part.paid for part in parts[1:]), start=parts[0].paid),
        subjects=tuple(subject for part in parts for subject in part.subjects),
        delivered_to=parts[0].order.address if len(parts) == 1 else None,
    )


def by_currency(parts: Iterable[Sold]) -> list[list[Sold]]:
    """Return orders as they are invoiced together: in one currency, and no more lines than an invoice has."""
    found: list[list[Sold]] = []
    open_: dict[str, list[Sold]] = {}
    for part in parts:
        together = open_.get(part.paid.currency)
        if together is None or sum(len(one.lines) for one in (*together, part)) > LINES_MAX:
            together = open_[part.paid.currency] = []
            found.append(together)
        together.append(part)
    return found


def credit(back: order.Return, one: order.Order, invoice: invoicing.Invoice) -> invoicing.Issue | None:
    """Return the credit note of what came back; nothing where nothing is given back for it."""
    vat_of = {(line.order, line.sku): line.vat for line in invoice.lines}
    by_line = {line.line: line for line in one.lines}
    lines = tuple(
        _line(
            by_line[share.line],
            share.quantity,
            share.refund - share.tax,
            vat_of[one.number, by_line[share.line].sku],
            one.number,
        )
        for share in back.shares
        if share.refund.minor
    )
    if not lines:
        return None
    return invoicing.Issue(
        reference=f"return/{back.return_id}",
        buyer=invoice.buyer,
        lines=lines,
        kind=invoicing.InvoiceKind.CREDIT_NOTE,
        corrects=invoice.number,
        paid=sum((share.refund for share in back.shares), start=money(0, one.currency)),
        subjects=(str(back.return_id),),
    )


def brief(one: invoicing.Invoice) -> invoicing.InvoiceBrief:
    return invoicing.InvoiceBrief(
        invoice_id=one.invoice_id,
        number=one.number,
        kind=one.kind,
        corrects=one.corrects,
        issued_on=one.issued_on,
        gross=one.totals.gross,
        due=one.totals.due,
    )


def message(one: invoicing.Invoice, address: str, language: str) -> notification.Send:
    """Return what is written to a buyer; the front end's own words go before these."""
    is_note = one.kind is invoicing.InvoiceKind.CREDIT_NOTE
    kind = "credit note" if is_note else "invoice"
    facts = {
        "number": one.number,
        "invoice_id": str(one.invoice_id),
        "total": str(one.totals.gross),
        "due": str(one.totals.due),
        "issued_on": one.issued_on.isoformat(),
    }
    return notification.Send(
        kind=f"{one.kind}.issued",
        topic="invoice",
        language=language,
        subject=f"Your {kind} {one.number}",
        text=f"Your {kind} {one.number} of {one.issued_on} comes to {one.totals.gross}; {one.totals.due} is due.",
        facts=facts,
        items=tuple(notification.Item(title=x.title, quantity=x.quantity, amount=x.net) for x in one.lines),
        reference=f"invoice/{one.invoice_id}/{hash_of(address)}",
        address=address,
    )


def hash_of(address: str) -> str:
    """Return what tells addresses apart in a reference, and says none."""
    return hashlib.sha256(address.strip().casefold().encode()).hexdigest()[:16]
