"""Invoices as documents: UBL 2.1 and CII by `factur-x`, and the PDF/A-3 that people read by `fpdf2`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

import facturx
import font_roboto
from babel import Locale, UnknownLocaleError, dates, numbers
from fontTools.ttLib import TTFont
from fpdf import FPDF
from lxml import etree as lxml_etree  # pyright: ignore[reportUnknownVariableType, reportAttributeAccessIssue] - it is compiled

from isthmus.values import Address, Money, decimals

from .. import api, rules

_TYPES: Final = {api.InvoiceKind.INVOICE: "380", api.InvoiceKind.CREDIT_NOTE: "381"}  # UNTDID 1001
_TITLES: Final = {api.InvoiceKind.INVOICE: "Invoice", api.InvoiceKind.CREDIT_NOTE: "Credit note"}
# UN/ECE recommendation 20, by what units are called in catalogues; of all others it is "one".
_UNITS: Final = {
    "kg": "KGM", "g": "GRM", "l": "LTR", "ml": "MLT", "m": "MTR", "cm": "CMT", "m2": "MTK", "h": "HUR", "piece": "H87",
}  # fmt: skip
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_PER_PPM: Final = 10_000  # percent
_WIDTHS: Final = (84, 18, 24, 30, 34)
_FACTURX, _ROBOTO, _XML = cast(Any, facturx), cast(Any, font_roboto), cast(Any, lxml_etree)  # they have no types
_FONT: Final = Path(_ROBOTO.Roboto)
_BOLD: Final = Path(_ROBOTO.RobotoBold)
_SIGNS: Final = frozenset(TTFont(str(_FONT)).getBestCmap() or ())

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of each glyph
logging.getLogger("factur-x").setLevel(logging.ERROR)


def ubl(one: api.Invoice, language: str) -> bytes:
    """Return an invoice as UBL 2.1."""
    root = _made(one, "ubl-2.1")
    for rounding in root.iter("{*}PayableRoundingAmount"):
        rounding.set("currencyID", one.currency)  # the library writes EUR, whatever the currency
    return _XML.tostring(root, xml_declaration=True, encoding="UTF-8")


def cii(one: api.Invoice, language: str) -> bytes:
    """Return an invoice as UN/CEFACT CII, in the profile EN 16931 of Factur-X."""
    return _XML.tostring(_made(one, "factur-x"), xml_declaration=True, encoding="UTF-8")


def _made(one: api.Invoice, flavor: str) -> Any:
    """Return the document that the library makes. It is checked by tests; its own check asks a server."""
    root = _XML.fromstring(
        _FACTURX.generate_xml(
            _terms(rules.with_two_decimals(one)),
            flavor=flavor,
            level="en16931",
            check_xsd=False,
            check_schematron="",
        )
    )
    for element in root.iter():
        element.attrib.pop(_NIL, None)  # which the library writes where an element is empty, and the schemas refuse
    return root


def factur_x(one: api.Invoice, language: str) -> bytes:
    """Return an invoice as Factur-X: a PDF/A-3 that people read, with the CII in it for programs."""
    return _FACTURX.generate_from_binary(
        _pdf(one, _locale(language)),
        cii(one, language),
        flavor="factur-x",
        level="en16931",
        check_xsd=False,
        check_schematron=False,
        lang=_locale(language).language,
    )


def _terms(one: api.Invoice) -> dict[str, Any]:
    """Return an invoice by the business terms of EN 16931."""
    totals = one.totals
    terms: dict[str, Any] = {
        "BT-1": one.number,
        "BT-2": one.issued_on,
        "BT-3": _TYPES[one.kind],
        "BT-5": one.currency,
        "BG-1": [{"BT-22": one.note}] if one.note else [],
        "BT-13": next((line.order for line in one.lines if line.order), None) if _has_one_order(one) else None,
        "BT-20": None if totals.due.minor <= 0 else "Due on " + one.due_on.isoformat() if one.due_on else "Due at once",
        "BT-9": one.due_on,
        "BT-72": one.delivered_on,
        "BT-73": one.since,
        "BT-74": one.until,
        "BG-3": [{"BT-25": one.corrects}] if one.corrects else [],
        "BG-4": _party(one.seller, one),
        "BG-7": _party(one.buyer, one),
        "BG-21": [_charge(charge) for charge in one.charges],
        "BG-23": [_vat_total(vat) for vat in one.vat_totals],
        "BG-25": [_line(at, line) for at, line in enumerate(one.lines, 1)],
        "BT-106": _number(totals.lines),
        "BT-108": _number(totals.charges) if one.charges else None,
        "BT-109": _number(totals.net),
        "BT-110": _number(totals.tax),
        "BT-112": _number(totals.gross),
        "BT-113": _number(totals.paid) if totals.paid.minor else None,
        "BT-114": _number(totals.rounding) if totals.rounding.minor else None,
        "BT-115": _number(totals.due),
    }
    if one.delivered_to is not None:
        terms["BG-13"] = {"name": one.delivered_to.recipient or one.buyer.name, **_address(one.delivered_to)}
    return {name: said for name, said in terms.items() if said not in (None, [])}


def _has_one_order(one: api.Invoice) -> bool:
    return len({line.order for line in one.lines}) == 1


def _party(party: api.Party, one: api.Invoice) -> dict[str, Any]:
    says_vat_id = one.vat_totals[0].vat.category != "O"  # BR-O-02: who charges no VAT names no number of it
    named = {
        "name": party.name,
        "vat_identifier": party.vat_id if says_vat_id else "",
        "legal_identifier": party.legal_id,
        "contacts": [{"email": party.email}] if party.email and party is one.seller else [],
    }
    return {**{name: said for name, said in named.items() if said}, **_address(party.address)}


def _address(address: Address) -> dict[str, str]:
    said = {
        "country_code": address.country,
        "city": address.city,
        "postcode": address.postcode,
        "addr_l1": address.street,
        "country_subdivision": address.region,
    }
    return {name: text for name, text in said.items() if text}


def _line(at: int, line: api.InvoiceLine) -> dict[str, Any]:
    said = {
        "BT-126": str(at),
        "BT-129": str(line.quantity),
        "BT-130": _UNITS.get(line.unit.lower(), "C62"),
        "BT-131": _number(line.net),
        # the price of all of it: no price of one piece has to be rounded
        "BT-146": _number(line.net),
        "BT-149": str(line.quantity),
        "BT-151": line.vat.category,
        "BT-152": _percent(line.vat),
        "BT-153": line.title,
        "BT-155": line.sku,
    }
    return {name: text for name, text in said.items() if text}


def _charge(charge: api.Charge) -> dict[str, Any]:
    said = {
        "amount": _number(charge.net),
        "reason": charge.reason,
        "vat_category_code": charge.vat.category,
        "vat_rate": _percent(charge.vat),
    }
    return {name: text for name, text in said.items() if text}


def _vat_total(one: api.VatTotal) -> dict[str, Any]:
    said = {
        "BT-116": _number(one.net),
        "BT-117": _number(one.tax),
        "BT-118": one.vat.category,
        "BT-119": _percent(one.vat),
        "BT-120": one.vat.reason,
        "BT-121": one.vat.reason_code,
    }
    return {name: text for name, text in said.items() if text}


def _percent(vat: api.Vat) -> str:
    """Return a rate as percent; of what is not subject to VAT there is none."""
    return "" if vat.category == "O" else f"{Decimal(vat.rate_ppm) / _PER_PPM:.4f}".rstrip("0").rstrip(".")


def _number(amount: Money) -> str:
    """Return an amount with two decimals at most; a third is zero by then."""
    return (
        f"{Decimal(amount.minor).scaleb(-decimals(amount.currency)):.{min(decimals(amount.currency), rules.DECIMALS)}f}"
    )


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def _pdf(one: api.Invoice, locale: Locale) -> bytes:
    """Return what people read: lines on as many pages as it takes, tax by rate, and the sums."""
    page = FPDF(format="A4", enforce_compliance="PDFA_3B")
    page.set_title(f"{_TITLES[one.kind]} {one.number}")
    page.set_author(_shown(one.seller.name))
    page.set_creation_date(datetime.combine(one.issued_on, time(), UTC))
    page.add_font("roboto", fname=_FONT)
    page.add_font("roboto", style="B", fname=_BOLD)
    page.add_page()
    page.set_font("roboto", style="B", size=16)
    _write(page, f"{_TITLES[one.kind]} {one.number}")
    page.set_font("roboto", size=9)
    for text in _head(one, locale):
        _write(page, text)
    page.ln(4)
    with page.table(col_widths=_WIDTHS, text_align=("LEFT", "RIGHT", "LEFT", "RIGHT", "RIGHT")) as table:
        for row in _rows(one, locale):
            table.row([_shown(cell) for cell in row])
    page.ln(4)
    for name, amount in _sums(one):
        page.cell(w=130, text=_shown(name), align="RIGHT")
        page.cell(w=50, text=_amount(amount, locale), align="RIGHT", new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())


def _write(page: FPDF, text: str) -> None:
    page.multi_cell(w=0, text=_shown(text), new_x="LMARGIN", new_y="NEXT")


def _head(one: api.Invoice, locale: Locale) -> Iterator[str]:
    yield f"Date: {_day(one.issued_on, locale)}"
    if one.corrects:
        yield f"Corrects invoice {one.corrects}"
    if one.since and one.until:
        yield f"Period: {_day(one.since, locale)} to {_day(one.until, locale)}"
    if one.delivered_on:
        yield f"Delivered: {_day(one.delivered_on, locale)}"
    if one.due_on:
        yield f"Due: {_day(one.due_on, locale)}"
    yield f"From: {_whole(one.seller)}"
    yield f"To: {_whole(one.buyer)}"
    if one.note:
        yield one.note


def _whole(party: api.Party) -> str:
    where = party.address
    said = (
        party.name,
        where.street,
        f"{where.postcode} {where.city}".strip(),
        where.country,
        party.vat_id,
        party.legal_id,
    )
    return ", ".join(part for part in said if part)


def _rows(one: api.Invoice, locale: Locale) -> Iterator[tuple[str, ...]]:
    yield ("Item", "Quantity", "Order", "VAT", f"Net, {one.currency}")
    for line in one.lines:
        yield line.title, str(line.quantity), line.order, _taxed(line.vat), _amount(line.net, locale)
    for charge in one.charges:
        yield charge.reason, "", "", _taxed(charge.vat), _amount(charge.net, locale)


def _taxed(vat: api.Vat) -> str:
    return f"{_percent(vat)} %" if vat.category == "S" else vat.category


def _sums(one: api.Invoice) -> Iterator[tuple[str, Money]]:
    yield "Net", one.totals.net
    for total in one.vat_totals:
        why = f", {total.vat.reason}" if total.vat.reason else ""
        yield f"VAT {_taxed(total.vat)} of {str(total.net).split()[0]}{why}", total.tax
    yield "Total", one.totals.gross
    if one.totals.rounding.minor:
        yield "Rounding", one.totals.rounding
    if one.totals.paid.minor:
        yield "Given back" if one.kind is api.InvoiceKind.CREDIT_NOTE else "Paid", one.totals.paid
    yield "Due", one.totals.due


def _amount(amount: Money, locale: Locale) -> str:
    """Return an amount as people write it where they speak so."""
    exact = Decimal(amount.minor).scaleb(-decimals(amount.currency))
    said = numbers.format_currency(exact, amount.currency, locale=locale)
    return _shown(said)


def _day(day: date, locale: Locale) -> str:
    return dates.format_date(day, format="long", locale=locale)


def _shown(text: str) -> str:
    """Return what the font has signs for: a PDF/A shows no empty boxes. The whole text is in the XML."""
    return "".join(sign if ord(sign) in _SIGNS or sign == "\n" else " " if sign.isspace() else "?" for sign in text)
