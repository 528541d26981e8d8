"""Products as CSV, as others may name it: a line for each SKU, and a report that answers line by line.

The columns are code, title, category, description, brand, seller, tax_category, is_returnable, sku, unit and
weight_grams; `product.NAME` and `sku.NAME` are attributes. Lines of one code are one product. Comma, quotes and UTF-8
as RFC 4180 and every spreadsheet have them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from isthmus.kernel import Effect, Meta, Value, capability, errors

from .products import BULK_MAX, ApprovalNeeded, Cursor

CSV_MAX = 4_000_000  # characters: a thousand products with long descriptions

Outcome = Literal["created", "replaced", "unchanged", "refused"]


class ImportCsv(Value):
    """Create or replace the products of a CSV. What is wrong with one keeps none of the others."""

    csv: Annotated[str, Meta(max_length=CSV_MAX)]


class CsvLine(Value):
    """What became of a line, and why it was refused; the header is line 1."""

    line: int
    code: str
    outcome: Outcome
    reason: str = ""


class CsvReport(Value):
    """What became of each line."""

    created: int  # products
    replaced: int
    unchanged: int
    refused: int
    lines: tuple[CsvLine, ...]


class ExportCsv(Value):
    """Ask for products as CSV, in the order of their codes."""

    limit: Annotated[int, Meta(ge=1, le=BULK_MAX)] = BULK_MAX
    cursor: Cursor | None = None


class CsvPage(Value):
    """Products as CSV, with a header, and how to go on."""

    csv: str
    products: int
    next_cursor: str | None


class BadCsv(errors.BadAsk):
    """The text is no CSV of products."""

    slug = "catalog.bad-csv"

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            reason, remedy="begin with a header as catalog.export-csv writes it, one line for each SKU", path="$.csv"
        )


@capability(
    "catalog.import-csv", version="1.0", effect=Effect.WRITE, raises=[BadCsv, ApprovalNeeded], deadline_ms=60_000
)
def import_csv(ask: ImportCsv) -> CsvReport:
    """Create or replace up to 1,000 products by the rules of `catalog.import-products`; say what became of each line.

    A product with a line that is wrong is refused as a whole; all others are imported.
    """
    ...


@capability("catalog.export-csv", version="1.0", effect=Effect.READ)
def export_csv(ask: ExportCsv) -> CsvPage:
    """Return products as CSV, as `catalog.import-csv` takes them; imported again, nothing changes."""
    ...
