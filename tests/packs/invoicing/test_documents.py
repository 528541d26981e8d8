"""Documents keep the rules of EN 16931 whatever is sold: its own Schematron and the schemas say so, not ours."""

from __future__ import annotations

import io
from datetime import date
from fractions import Fraction
from typing import Any

import facturx
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from isthmus.packs.invoicing import api, rules
from isthmus.packs.invoicing.service import documents
from isthmus.values import Address, Rounding, money, rounded

from .conftest import BUYER, broken, draft, issued, line

FREE = api.Vat(category="Z")


def both(one: api.Invoice) -> list[str]:
    """Return which rules either document breaks."""
    return [*broken(documents.ubl(one, "en"), "ubl"), *broken(documents.cii(one, "en"), "cii")]


def test_an_invoice_with_everything_keeps_every_rule() -> None:
    ask = draft(
        "a",
        line(1234, quantity=3, unit="kg", order="17"),
        line(999, vat=api.Vat(rate_ppm=70_000)),
        line(500, vat=FREE),
        line(250, vat=api.Vat(category="E", reason="Education")),
        charges=(api.Charge(reason="Delivery", net=money(420, "EUR"), vat=api.Vat(rate_ppm=190_000)),),
        since=date(2026, 5, 1),
        until=date(2026, 5, 31),
        due_on=date(2026, 6, 30),
        delivered_on=date(2026, 5, 3),
        delivered_to=Address(country="FR", city="Lyon"),
        note="Thank you",
    )
    one = issued(ask)
    assert both(one) == []
    assert one.totals.due == one.totals.gross
    root = etree.fromstring(documents.ubl(one, "en"))
    assert root.findtext("{*}LegalMonetaryTotal/{*}PayableAmount") == str(one.totals.due).split()[0]


@pytest.mark.parametrize(
    "vat",
    [
        api.Vat(category="AE"),
        api.Vat(category="E", reason="Education", reason_code="VATEX-EU-132"),
        api.Vat(category="G"),
        api.Vat(category="K"),
        api.Vat(category="O"),
        FREE,
    ],
    ids=lambda vat: vat.category,
)
def test_reverse_charge_and_every_exempt_case_keep_every_rule(vat: api.Vat) -> None:
    where = Address(country="FR", city="Lyon")
    more = {"delivered_to": where, "delivered_on": date(2026, 5, 3)}
    one = issued(draft("a", line(1000, vat=vat), line(500, vat=vat), **more), **{"invoicing.legal_id": "HRB 1 Kiel"})
    assert both(one) == []
    assert one.totals.tax.minor == 0


def test_a_credit_note_names_what_it_corrects() -> None:
    one = issued(draft("a", kind=api.InvoiceKind.CREDIT_NOTE, corrects="2026-000009", paid=money(1190, "EUR")))
    assert both(one) == []
    root = etree.fromstring(documents.ubl(one, "en"))
    assert root.tag.endswith("CreditNote")
    assert root.findtext("{*}BillingReference/{*}InvoiceDocumentReference/{*}ID") == "2026-000009"


def test_two_hundred_lines_with_a_tax_of_one_cent_each_are_due_to_the_cent() -> None:
    """Each line pays one cent of tax on three; of all together 19 percent are 1.14, and the buyer paid 8.00."""
    one = issued(draft("a", *(line(3) for _ in range(200)), paid=money(800, "EUR")))
    assert (one.totals.net.minor, one.totals.tax.minor, one.totals.rounding.minor) == (600, 114, 86)
    assert one.totals.due.minor == 0
    assert both(one) == []


RATES = (190_000, 70_000, 55_000, 72_500, 210_000, 88_750)


@st.composite
def carts(draw: st.DrawFn) -> api.Issue:
    """Return the invoice of an order as shops sell it: each line taxed and rounded by itself, in it or on top."""
    currency = draw(st.sampled_from(["EUR", "USD", "JPY", "KWD"]))
    is_included, rounding = draw(st.booleans()), draw(st.sampled_from(list(Rounding)))
    lines: list[api.InvoiceLine] = []
    paid = 0

    def taxed(amount: int, rate: int) -> tuple[int, int]:
        of = Fraction(amount * rate, 1_000_000 + rate if is_included else 1_000_000)
        tax = rounded(of, rounding)
        return (amount - tax, amount) if is_included else (amount, amount + tax)

    for _ in range(draw(st.integers(1, 12))):
        rate = draw(st.sampled_from((*RATES, 0)))
        amount = draw(st.integers(0, 20)) if draw(st.booleans()) else draw(st.integers(0, 10**7))
        amount -= draw(st.integers(0, amount))  # a discount
        net, gross = taxed(amount, rate)
        paid += gross
        vat = api.Vat(rate_ppm=rate) if rate else FREE
        lines.append(line(net, quantity=draw(st.integers(1, 1000)), vat=vat, currency=currency))
    charges = ()
    if fee := draw(st.integers(0, 2000)):
        rate = draw(st.sampled_from(RATES))
        net, gross = taxed(fee, rate)
        charges = (api.Charge(reason="Delivery", net=money(net, currency), vat=api.Vat(rate_ppm=rate)),)
        paid += gross
    return draft("a", *lines, charges=charges, paid=money(paid, currency))


@settings(max_examples=200, deadline=None)
@given(carts())
def test_whatever_is_sold_adds_up_and_is_paid_in_full(ask: api.Issue) -> None:
    vat = rules.vat_totals(ask)
    sums = rules.totals(ask, vat)
    assert sums.lines.minor == sum(one.net.minor for one in ask.lines)  # BR-CO-10
    assert sums.net.minor == sums.lines.minor + sums.charges.minor == sum(one.net.minor for one in vat)  # BR-CO-13
    assert sums.tax.minor == sum(one.tax.minor for one in vat)  # BR-CO-14
    assert sums.gross == sums.net + sums.tax  # BR-CO-15
    assert sums.due == sums.gross - sums.paid + sums.rounding  # BR-CO-16
    assert (sums.due.minor, sums.paid) == (0, ask.paid)
    for one in vat:  # BR-CO-17
        assert abs(one.tax.minor - Fraction(one.net.minor * one.vat.rate_ppm, 1_000_000)) <= Fraction(1, 2)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(carts())
def test_the_official_rules_hold_for_whatever_is_sold(ask: api.Issue) -> None:
    assert both(issued(ask)) == []


def test_a_third_decimal_is_rounded_in_the_document_and_written_in_its_note() -> None:
    one = issued(draft("a", line(1234, currency="KWD"), line(1, currency="KWD"), paid=money(1470, "KWD")))
    assert both(one) == []
    root = etree.fromstring(documents.ubl(one, "en"))
    assert "1.470 KWD" in (root.findtext("{*}Note") or "")
    assert root.findtext("{*}LegalMonetaryTotal/{*}PayableAmount") == "0.00"


def test_the_check_can_fail() -> None:
    one = issued(draft("a"))
    wrong = documents.ubl(one, "en").replace(b">1.90<", b">5.90<")
    assert broken(wrong, "ubl") != []


def test_the_pdf_is_a_pdf_a3_with_its_fonts_and_the_invoice_in_it() -> None:
    lines = [line(1000, order=str(at)) for at in range(60)]
    one = issued(draft("a", *lines).replace(buyer=BUYER.replace(name="Ада 阿达")))
    made = documents.factur_x(one, "de")
    name, inside = facturx.get_xml_from_pdf(made)
    assert name == "factur-x.xml"
    assert inside == documents.cii(one, "de")
    reader: Any = pypdf.PdfReader(io.BytesIO(made))
    metadata = reader.trailer["/Root"]["/Metadata"].get_object().get_data()
    assert b"<pdfaid:part>3</pdfaid:part>" in metadata
    assert reader.trailer["/Root"]["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    embedded = [
        descendant.get_object()["/FontDescriptor"]
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()
        for descendant in font.get_object()["/DescendantFonts"]
    ]
    assert len(reader.pages) > 1
    assert embedded
    assert all("/FontFile2" in one for one in embedded)
    text = " ".join(page.extract_text() for page in reader.pages)
    assert "Ада ??" in text, "what the font cannot show is a question mark; the XML has it"
    assert "4. Mai 2026" in text
    assert "714,00" in text
    assert documents.factur_x(one, "de") is not None
