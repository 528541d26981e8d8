"""What invoicing refuses, and what to do about it. Named through `invoicing.api`."""

from __future__ import annotations

from isthmus.kernel import errors
from isthmus.values import Money


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "invoicing.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


class UnknownInvoice(errors.NotFound):
    """No invoice has this id or number."""

    slug = "invoicing.unknown-invoice"

    def __init__(self, *, which: str, path: str) -> None:
        super().__init__(f"there is no invoice {which}", remedy="find it with invoicing.list-invoices", path=path)


class NoSeller(errors.RuleBroken):
    """It is not known who sells: a name, a country and a number at the tax office must stand on an invoice."""

    slug = "invoicing.no-seller"

    def __init__(self, *, front_end: str, setting: str) -> None:
        super().__init__(
            f"nothing is known of the front end {front_end!r} under {setting!r}, and an invoice needs it",
            remedy=f"write settings={{'{setting}': …}} into its FrontEnd",
            path="$",
        )


class VatIdNeeded(errors.BadAsk):
    """The buyer's VAT number decides how this is taxed, and is missing."""

    slug = "invoicing.vat-id-needed"

    def __init__(self, *, category: str) -> None:
        super().__init__(
            f"lines of the VAT category {category} need the buyer's VAT number",
            remedy="send it in $.buyer.vat_id, or tax the lines in another category",
            path="$.buyer.vat_id",
            category=category,
        )


class WrongVat(errors.BadAsk):
    """The category, rate and reason of a line do not go together."""

    slug = "invoicing.wrong-vat"

    def __init__(self, *, why: str, path: str) -> None:
        super().__init__(
            why, remedy="see the VAT categories in the guide: S has a rate, all others a reason", path=path
        )


class AmountsDiffer(errors.BadAsk):
    """What was paid is further from what the lines come to than rounding explains."""

    slug = "invoicing.amounts-differ"

    def __init__(self, *, paid: Money, gross: Money, most: int) -> None:
        super().__init__(
            f"{paid} was paid and the lines with tax come to {gross}: rounding explains {most} minor units at most",
            remedy="check the net amount and the VAT rate of each line",
            path="$.paid",
        )


class WrongCurrency(errors.BadAsk):
    """An invoice has one currency."""

    slug = "invoicing.wrong-currency"

    def __init__(self, *, found: str, wanted: str, path: str) -> None:
        super().__init__(
            f"an amount in {found} stands in an invoice in {wanted}", remedy="write an invoice for each", path=path
        )


class ReferenceUsed(errors.Conflict):
    """The reference has an invoice with another content."""

    slug = "invoicing.reference-used"

    def __init__(self, *, reference: str, number: str) -> None:
        super().__init__(
            f"the reference {reference!r} has the invoice {number}, which says something else",
            remedy="correct it by a credit note, and write a new one under another reference",
            path="$.reference",
            number=number,
        )


class AlreadyInvoiced(errors.Conflict):
    """Something stands on an invoice already."""

    slug = "invoicing.already-invoiced"

    def __init__(self, *, subject: str, number: str) -> None:
        super().__init__(
            f"{subject} stands on {number}",
            remedy="correct that by a credit note, or leave it out here",
            path="$.subjects",
            number=number,
        )


class TooMuchCredited(errors.RuleBroken):
    """Credit notes take back what an invoice says, and no more."""

    slug = "invoicing.too-much-credited"

    def __init__(self, *, number: str, left: Money, asked: Money) -> None:
        super().__init__(
            f"of invoice {number} {left} is left to credit, and {asked} was asked for",
            remedy="list its credit notes with invoicing.list-invoices",
            path="$.lines",
        )
