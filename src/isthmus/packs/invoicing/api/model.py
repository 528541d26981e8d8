"""What stands on an invoice, as EN 16931 names it."""

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.values import LINES_MAX, Address, CurrencyCode, Moment, Money, Quantity

CHARGES_MAX = 20
SUBJECTS_MAX = 2_000

VatCategory = Literal["S", "Z", "E", "AE", "K", "G", "O"]
Number = Annotated[str, Meta(min_length=1, max_length=60, description="the number of an invoice: 2026-000017")]
Subject = Annotated[str, Meta(min_length=1, max_length=128)]


class InvoiceKind(enum.StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit-note"


class Party(Value):
    """Who sells or buys."""

    name: Annotated[str, Pii("name"), Meta(min_length=1, max_length=200)]
    address: Annotated[Address, Pii("address")]
    vat_id: Annotated[str, Pii("identifier"), Meta(max_length=40)] = ""
    legal_id: Annotated[str, Pii("identifier"), Meta(max_length=60)] = ""
    email: Annotated[str, Pii("email"), Meta(max_length=254)] = ""


class Vat(Value):
    """How something is taxed: a VAT category (UNCL 5305), its rate, and why it bears none (text and VATEX code).

    S standard or reduced, Z zero rate, E exempt, AE reverse charge, K within the EU to a business, G export,
    O not subject to VAT.
    """

    category: VatCategory = "S"
    rate_ppm: Annotated[int, Meta(ge=0, le=10_000_000, description="parts per million: 19% is 190000")] = 0
    reason: Annotated[str, Meta(max_length=240)] = ""
    reason_code: Annotated[str, Meta(pattern=r"^(VATEX-[A-Z0-9-]{1,30})?\Z")] = ""


class InvoiceLine(Value):
    """Goods or services: `net` is what all of the quantity costs after discounts, without tax."""

    title: Annotated[str, Meta(min_length=1, max_length=400)]
    quantity: Quantity
    net: Money
    vat: Vat
    sku: Annotated[str, Meta(max_length=64)] = ""
    unit: Annotated[str, Meta(max_length=40)] = ""
    order: Annotated[str, Meta(max_length=60)] = ""  # the number of the order that it is of


class Charge(Value):
    """What is charged for the whole, such as delivery."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    net: Money
    vat: Vat


class VatTotal(Value):
    """All that is taxed alike: `tax` is `net` times the rate, rounded once."""

    vat: Vat
    net: Money
    tax: Money


class Totals(Value):
    """`gross = net + tax`; `due = gross − paid + rounding`. `lines` and `charges` are net, and add up to `net`."""

    lines: Money
    charges: Money
    net: Money
    tax: Money
    gross: Money
    paid: Money
    rounding: Money
    due: Money


class InvoiceDraft(Value):
    """What an invoice or a credit note says, before it has a number. All amounts are positive, of credit notes too.

    paid: what was paid for all of it with tax, or given back. Where each line was taxed and rounded by itself it may
    differ by some minor units from what the lines come to: the difference is shown as rounding. None: nothing yet.
    subjects: what it is about, such as orders by their ids; each stands on one invoice.
    """

    reference: Annotated[str, Meta(min_length=1, max_length=200)]
    buyer: Party
    lines: Annotated[tuple[InvoiceLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    charges: Annotated[tuple[Charge, ...], Meta(max_length=CHARGES_MAX)] = ()
    kind: InvoiceKind = InvoiceKind.INVOICE
    corrects: Number | None = None  # of a credit note: the number of the invoice
    paid: Money | None = None
    subjects: Annotated[tuple[Subject, ...], Meta(max_length=SUBJECTS_MAX)] = ()
    since: date | None = None  # of a period
    until: date | None = None
    delivered_on: date | None = None
    delivered_to: Annotated[Address | None, Pii("address")] = None
    due_on: date | None = None
    note: Annotated[str, Meta(max_length=1_000)] = ""


class Invoice(InvoiceDraft):
    """An invoice or credit note as it was issued; it never changes. A buyer who is forgotten has the name `erased`."""

    invoice_id: UUID
    number: Number
    entity: str  # the legal entity that numbers it
    issued_on: date
    issued_at: Moment
    issued_by: str
    currency: CurrencyCode
    seller: Party
    vat_totals: tuple[VatTotal, ...]
    totals: Totals
    credited: Money  # what credit notes took back of it with tax


class InvoiceBrief(Value):
    """An invoice in a few words."""

    invoice_id: UUID
    number: Number
    kind: InvoiceKind
    corrects: Number | None
    issued_on: date
    gross: Money
    due: Money
