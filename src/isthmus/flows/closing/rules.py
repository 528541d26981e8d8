"""The figures of a tax return as text: a table to read, and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from .api import TaxReturn, TaxReturnLine

COLUMNS = ("jurisdiction", "category", "taxed_at", "currency", "base", "tax")


def csv_of(found: TaxReturn) -> str:
    """Return a row for each line, with a heading."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for one in found.lines:
        amounts = (str(amount).partition(" ")[0] for amount in (one.base, one.tax))
        rows.writerow((one.jurisdiction, one.category, one.taxed_at, one.base.currency, *amounts))
    return text.getvalue()


def table_of(found: TaxReturn) -> str:
    """Return a line for each place, category and rate, and what was charged in all."""
    rows: list[tuple[str, object, object]] = [("tax return", "base", "tax")]
    for one in found.lines:
        rows.append((f"  {name_of(one)}", one.base, one.tax))
    for gross in found.gross:
        own = [one for one in found.lines if one.base.currency == gross.currency]
        nothing = gross - gross
        base, tax = sum((one.base for one in own), nothing), sum((one.tax for one in own), nothing)
        rows.append((f"  all together {gross}", base, tax))
    return "\n".join(f"{name:<44}{base!s:>18}{tax!s:>18}" for name, base, tax in rows)


def name_of(line: TaxReturnLine) -> str:
    rate = line.taxed_at and (f"{line.taxed_at} %" if line.taxed_at[0].isdigit() else line.taxed_at)
    return " ".join(one for one in (line.jurisdiction, line.category, rate) if one)


def lacking_of(found: TaxReturn) -> Iterator[str]:
    """Yield what is left out, and from when on nothing is."""
    if found.left_out:
        yield f"{len(found.left_out)} entries of goods keep no base; from {found.complete_from} on all do:"
        yield from (f"  {one.value_date}  {one.reference}" for one in found.left_out)
