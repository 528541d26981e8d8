"""Invoices, as others may name them: issued under a number, never changed, corrected by credit notes.

    issue ──▶ invoice 2026-000017 ──issue (kind credit-note, corrects 2026-000017)──▶ credit note C2026-000003

Each legal entity numbers its invoices in series, one a year, and its credit notes in others. Tax stands on an invoice
as EN 16931 reckons it: for each category and rate the sum of all net amounts, times the rate, rounded once. What a
buyer paid may differ from that by some minor units, since shops round each line: the difference is shown as rounding,
and what is due is right to the cent.
"""

# pyright: reportUnusedImport=false

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
from .issuing import (
    BuyersForgotten,
    Document,
    ForgetBuyers,
    GetDocument,
    GetInvoice,
    InvoiceIssued,
    InvoicePage,
    Issue,
    ListInvoices,
    forget_buyers,
    get_document,
    get_invoice,
    issue,
    list_invoices,
)
from .model import (
    CHARGES_MAX,
    SUBJECTS_MAX,
    Charge,
    Invoice,
    InvoiceBrief,
    InvoiceDraft,
    InvoiceKind,
    InvoiceLine,
    Number,
    Party,
    Subject,
    Totals,
    Vat,
    VatCategory,
    VatTotal,
)
