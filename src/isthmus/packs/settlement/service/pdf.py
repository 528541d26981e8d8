"""The statement as PDF, with `fpdf2`."""

from __future__ import annotations

from collections.abc import Sequence

from fpdf import FPDF

from .. import api, rules

_WIDTHS = (62, 16, 62, 9, 20, 22, 24, 22, 15)


def statement_pdf(one: api.Settlement, items: Sequence[api.SettledItem]) -> bytes:
    """Return a statement as PDF: a row for each item on as many pages as it takes, and the sums."""
    page = FPDF(orientation="landscape", format="A4")
    page.set_title(f"Settlement {one.settlement_id}")
    page.set_creation_date(one.prepared_at)
    page.add_page()
    page.set_font("helvetica", style="B", size=14)
    page.cell(text=_latin(f"Settlement with {one.payee}"), new_x="LMARGIN", new_y="NEXT")
    page.set_font("helvetica", size=9)
    page.cell(text=f"{one.settlement_id}, through {one.cut_off}, {one.state}", new_x="LMARGIN", new_y="NEXT")
    page.ln(4)
    page.set_font("helvetica", size=6)
    with page.table(col_widths=_WIDTHS, text_align="LEFT", first_row_as_headings=True) as table:
        for row in (rules.STATEMENT_COLUMNS, *rules.rows(items)):
            table.row([_latin(cell) for cell in row])
    page.ln(4)
    page.set_font("helvetica", size=10)
    for name, amount in rules.sums(one):
        page.cell(w=60, text=name)
        page.cell(w=50, text=str(amount), align="RIGHT", new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())


def _latin(text: str) -> str:
    """Return what the built-in fonts of PDF can show."""
    return text.encode("latin-1", "replace").decode("latin-1")
