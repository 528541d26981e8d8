"""Issuing invoices and giving them out, as others may name it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.values import Money, PageSize

from .errors import (
    AlreadyInvoiced,
    AmountsDiffer,
    BadCursor,
    NoSeller,
    ReferenceUsed,
    TooMuchCredited,
    UnknownInvoice,
    VatIdNeeded,
    WrongCurrency,
    WrongVat,
)
from .model import Invoice, InvoiceBrief, InvoiceDraft, InvoiceKind, Number, Subject


class Issue(InvoiceDraft):
    """Issue an invoice, or a credit note that corrects one. A reference issues once."""


class GetInvoice(Value):
    """Ask for an invoice, by its id or by its number."""

    invoice_id: UUID | None = None
    number: Number | None = None


class ListInvoices(Value):
    """List invoices, the latest first: of a kind, about a subject, that correct one, issued in a time."""

    kind: InvoiceKind | None = None
    subject: Subject | None = None
    corrects: Number | None = None
    reference: Annotated[str, Meta(max_length=200)] | None = None
    since: date | None = None
    until: date | None = None
    limit: PageSize = 50
    cursor: str | None = None


class InvoicePage(Value):
    """Some invoices, and how to go on."""

    items: tuple[InvoiceBrief, ...]
    next_cursor: str | None


class GetDocument(Value):
    """Ask for an invoice as a document: UBL 2.1, UN/CEFACT CII, or Factur-X, which is a PDF/A-3 with the CII in it."""

    invoice_id: UUID
    form: Literal["ubl", "cii", "factur-x"] = "factur-x"


class Document(Value):
    """A document; content is base64."""

    name: str
    media_type: str
    content: str


class ForgetBuyers(Value):
    """Forget who bought where the law does not ask for it any more. years: how long invoices are kept whole."""

    years: Annotated[int, Meta(ge=1, le=100)] = 10


class BuyersForgotten(Value):
    """How many invoices have no buyer any more."""

    invoices: int


@event("invoicing.invoice-issued", version="1.0", subject="invoice_id")
class InvoiceIssued(Value):
    """An invoice or a credit note was issued."""

    invoice_id: UUID
    number: str
    kind: InvoiceKind
    corrects: str | None
    subjects: tuple[str, ...]
    gross: Money


@capability(
    "invoicing.issue",
    version="1.0",
    effect=Effect.WRITE,
    raises=[
        NoSeller,
        VatIdNeeded,
        WrongVat,
        WrongCurrency,
        AmountsDiffer,
        ReferenceUsed,
        AlreadyInvoiced,
        UnknownInvoice,
        TooMuchCredited,
    ],
)
def issue(ask: Issue) -> Invoice:
    """Issue an invoice or a credit note under the next number of the legal entity: no number is skipped or used twice.

    Tax is reckoned as EN 16931 says: once for all that is taxed alike. Nothing of it is ever changed; a credit note
    takes back all of it or a part, and never more.
    """
    ...


@capability("invoicing.get-invoice", version="1.0", effect=Effect.READ, raises=[UnknownInvoice])
def get_invoice(ask: GetInvoice) -> Invoice:
    """Return an invoice, whole."""
    ...


@capability("invoicing.list-invoices", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_invoices(ask: ListInvoices) -> InvoicePage:
    """List invoices and credit notes, the latest first."""
    ...


@capability("invoicing.get-document", version="1.0", effect=Effect.READ, raises=[UnknownInvoice], deadline_ms=30_000)
def get_document(ask: GetDocument) -> Document:
    """Return an invoice as a document that people read and programs check."""
    ...


@capability("invoicing.forget-buyers", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget_buyers(ask: ForgetBuyers) -> BuyersForgotten:
    """Take names and addresses out of invoices that are older than the law has them kept."""
    ...
