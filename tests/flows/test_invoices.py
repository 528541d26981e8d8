"""What was sold is invoiced once, at the rates it was sold at, to the cent paid; what came back is credited."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import facturx  # pyright: ignore[reportMissingTypeStubs]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.invoices import api as invoices
from isthmus.flows.invoices import rules
from isthmus.kernel import PASS, Caller, Pass, Platform, answers
from isthmus.kernel.host import Answer
from isthmus.manifest import Secret
from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.notification.service.smtp_sender import SmtpSender, SmtpSettings
from isthmus.packs.order import api as order
from isthmus.packs.tax import api as tax
from isthmus.values import Address, Buyer, money
from tests.packs.invoicing.conftest import SELLER, broken
from tests.packs.notification.mail_server import PASSWORD, mail_server

from .conftest import LONG_AGO, Shop
from .test_bookkeeping import Books, books_of
from .test_messages import Post

KIEL = Address(country="DE", city="Kiel", recipient="Ada")
FIRM = invoicing.Party(name="Firm SAS", address=Address(country="FR", city="Lyon"), vat_id="FR40303265045")


@answers(tax.exempt_line)
def jam_is_reverse_charged(lines: Sequence[tax.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Charge no tax on jam: its buyer owes it."""
    return ["VATEX-EU-AE: reverse charge" if line.sku == "jam" else PASS for line in lines]


@answers(invoices.buyer)
def a_firm(sold: order.Order) -> invoicing.Party:
    """Write all invoices to a firm."""
    return FIRM


async def taxed(shop: Shop, *own: Answer, **more: str) -> Books:
    """Return a shop that writes invoices, and taxes at 19 percent, delivery too."""
    books = books_of(shop, *own, **{**SELLER, **more})
    place = tax.Jurisdiction(code="DE", prices_include_tax=True)
    await books.call(tax.put_jurisdictions, tax.PutJurisdictions(jurisdictions=(place,)))
    await rate(books, 190_000)
    return books


async def rate(books: Books, ppm: int) -> None:
    entry = tax.RateEntry(jurisdiction="DE", name="vat", rate_ppm=ppm, valid_from=LONG_AGO)
    await books.call(tax.put_rates, tax.PutRates(rates=(entry,)))


async def invoice(books: Books, order_id: UUID, **more: Any) -> invoicing.Invoice:
    issued = await books.call(invoices.issue_for_order, invoices.IssueForOrder(order_id=order_id, **more))
    (brief,) = issued.items
    return await books.call(invoicing.get_invoice, invoicing.GetInvoice(invoice_id=brief.invoice_id))


async def test_an_order_is_invoiced_once_for_what_was_paid_at_the_rate_it_was_sold_at(shop: Shop) -> None:
    books = await taxed(shop)
    placed = await books.bought(("tea", 2), ("jam", 1), delivery_method="post", address=KIEL)
    await rate(books, 250_000)
    one = await invoice(books, placed.orders[0].order_id)
    assert [(line.net.minor, line.vat.rate_ppm) for line in one.lines] == [(1681, 190_000), (336, 190_000)]
    assert (one.charges[0].net.minor, one.totals.gross.minor, one.totals.paid.minor) == (420, 2900, 2900)
    assert one.totals.due.minor == 0
    assert await invoice(books, placed.orders[0].order_id) == one
    document = await books.call(invoicing.get_document, invoicing.GetDocument(invoice_id=one.invoice_id, form="ubl"))
    assert broken(base64.b64decode(document.content), "ubl") == []


async def test_what_comes_back_is_credited_and_what_never_comes_is_left_out(shop: Shop) -> None:
    books = await taxed(shop)
    order_id = (await books.bought(("tea", 3), ("jam", 2), address=KIEL)).orders[0].order_id
    await books.sent(order_id, "1", (0, 3))
    closing = after_sale.CloseLines(order_id=order_id, reason="lost", lines=(order.CloseLine(line=1, quantity=1),))
    await books.call(after_sale.close_lines, closing)
    await books.sent(order_id, "2", (1, 1))
    back = await books.returned(order_id, (0, 1))
    credit = invoices.CreditReturn(return_id=back.return_id)
    with pytest.raises(invoices.NotInvoiced):
        await books.call(invoices.credit_return, credit)
    one = await invoice(books, order_id)
    assert [(line.sku, line.quantity) for line in one.lines] == [("tea", 3), ("jam", 1)]
    assert one.totals.paid.minor == 3900, "three of tea, one of jam, and delivery"
    (note,) = (await books.call(invoices.credit_return, credit)).items
    assert (note.kind, note.corrects, note.gross.minor, note.due.minor) == ("credit-note", one.number, 1000, 0)
    assert (await books.call(invoices.credit_return, credit)).items == (note,)
    (lost,) = [
        one for one in (await books.call(order.list_returns, order.ListReturns(order_id=order_id))).items
        if one.kind == "closing"
    ]  # fmt: skip
    assert (await books.call(invoices.credit_return, invoices.CreditReturn(return_id=lost.return_id))).items == ()


async def test_a_period_has_one_invoice_of_what_stands_on_none(shop: Shop) -> None:
    books = await taxed(shop, a_firm)
    joined = await books.call(
        member.register, member.Register(identities=(member.Identity(kind="phone", value="+491"),))
    )
    orders = [
        (await books.bought(("tea", 1), member_id=joined.member_id, delivery_method="post", address=KIEL)).orders[0]
        for _ in range(3)
    ]
    await books.bought(("tea", 1), member_id=joined.member_id, is_paid=False)
    first = await invoice(books, orders[0].order_id)
    assert first.buyer == FIRM
    sold = await books.call(order.get_order, order.GetOrder(order_id=orders[0].order_id))
    day = sold.placed_at.date()
    ask = invoices.IssueForPeriod(
        member_id=joined.member_id, since=day - timedelta(days=1), until=day + timedelta(days=1), buyer=FIRM
    )
    (brief,) = (await books.call(invoices.issue_for_period, ask)).items
    one = await books.call(invoicing.get_invoice, invoicing.GetInvoice(invoice_id=brief.invoice_id))
    assert sorted({line.order for line in one.lines}) == sorted(each.number for each in orders[1:])
    assert (one.totals.paid.minor, one.since, len(one.charges)) == (3000, ask.since, 1)
    assert (await books.call(invoices.issue_for_period, ask)).items == ()


async def test_a_reason_with_a_code_of_the_eu_says_the_category(shop: Shop) -> None:
    books = await taxed(shop, jam_is_reverse_charged, a_firm)
    order_id = (await books.bought(("tea", 1), ("jam", 1))).orders[0].order_id
    one = await invoice(books, order_id)
    assert [(each.vat.category, each.vat.reason, each.tax.minor) for each in one.vat_totals] == [
        ("AE", "reverse charge", 0),
        ("S", "", 160),
    ]
    cii = await books.call(invoicing.get_document, invoicing.GetDocument(invoice_id=one.invoice_id, form="cii"))
    assert broken(base64.b64decode(cii.content), "cii") == []


async def test_who_charges_no_tax_invoices_without(shop: Shop) -> None:
    books = books_of(shop, a_firm, **SELLER)
    one = await invoice(books, (await books.bought(("tea", 1))).orders[0].order_id)
    assert [(each.vat.category, each.net.minor) for each in one.vat_totals] == [("O", 1000)]


async def test_what_is_not_paid_or_bought_by_nobody_known_gets_no_invoice(shop: Shop) -> None:
    books = await taxed(shop)
    unpaid = (await books.bought(("tea", 1), is_paid=False)).orders[0].order_id
    with pytest.raises(invoices.NotPaid, match="placed"):
        await invoice(books, unpaid)
    taken_along = (await books.bought(("tea", 1))).orders[0].order_id
    with pytest.raises(invoices.BuyerNeeded):
        await invoice(books, taken_along)
    assert (await invoice(books, taken_along, buyer=FIRM)).buyer == FIRM


async def test_a_buyer_is_written_to_once(shop: Shop) -> None:
    books = await taxed(shop)
    one = await invoice(books, (await books.bought(("tea", 1), address=KIEL)).orders[0].order_id)
    ask = invoices.SendInvoice(invoice_id=one.invoice_id)
    with pytest.raises(invoices.NobodyToWriteTo):
        await books.call(invoices.send, ask)
    resources = {**books.shop.platform.resources, notification.Senders: notification.Senders([Post()])}
    books = Books(
        replace(books.shop, platform=Platform(books.shop.platform.release, shop.database, resources=resources))
    )
    sent = await books.call(invoices.send, ask.replace(address="ada@example.org"))
    assert (sent.subject, sent.state) == (f"Your invoice {one.number}", notification.MessageState.WAITING)
    assert await books.call(invoices.send, ask.replace(address="ada@example.org")) == sent


async def test_the_document_goes_with_the_mail_and_is_read_by_whoever_gets_it(shop: Shop, tmp_path: Path) -> None:
    books = await taxed(shop, **{"invoicing.prefix": "R/"})
    one = await invoice(books, (await books.bought(("tea", 1), address=KIEL)).orders[0].order_id)
    with mail_server(tmp_path) as server:
        sender = SmtpSender("post", SmtpSettings(**server.settings(password=Secret("SMTP", PASSWORD))))
        resources = {**shop.platform.resources, notification.Senders: notification.Senders([sender])}
        platform = Platform(books.shop.platform.release, shop.database, resources=resources)
        books = Books(replace(books.shop, platform=platform))
        for number, form in enumerate(("factur-x", "ubl", "none")):
            ask = invoices.SendInvoice(invoice_id=one.invoice_id, address=f"{number}@example.org", form=form)
            await books.call(invoices.send, ask)
        await books.call(notification.deliver_messages, notification.DeliverMessages())
        found = {letter.address: letter.attachments for letter in server.letters()}
    assert one.number.startswith("R/")
    (pdf,), (xml,), none = (found[f"{number}@example.org"] for number in range(3))
    assert (pdf.name, pdf.media_type) == (f"{one.number}.pdf".replace("/", "-"), "application/pdf")
    name, inside = facturx.get_xml_from_pdf(base64.b64decode(pdf.content))
    assert name == "factur-x.xml"
    assert one.number.encode() in (inside or b"")
    assert one.number.encode() in base64.b64decode(xml.content)
    assert none == ()


async def test_invoices_come_by_themselves_where_the_front_end_says_so(shop: Shop) -> None:
    for setting, issued in (("on-shipping", 1), ("on-request", 0)):
        books = await taxed(shop, **{"invoices.issue": setting})
        order_id = (await books.bought(("tea", 2), address=KIEL)).orders[0].order_id
        await books.sent(order_id, "1")
        moved = order.OrderMoved(order_id=order_id, group_id=uuid4(), state=order.OrderState.SHIPPED, note="")
        assert len((await books.call(invoices.order_moved, moved)).items) == issued
        back = await books.returned(order_id, (0, 1))
        returned = order.ReturnMoved(
            order_id=order_id, return_id=back.return_id, state=order.ReturnState.REFUNDED, refund=back.refund
        )
        assert len((await books.call(invoices.return_moved, returned)).items) == issued


LINE = st.tuples(st.integers(1, 9), st.integers(0, 10**6), st.sampled_from((190_000, 70_000, 0)))


@settings(max_examples=200, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=200), st.integers(0, 999), st.booleans())
def test_an_order_without_known_rates_is_invoiced_too(
    given_: list[tuple[int, int, int]], fee: int, is_one_rate: bool
) -> None:
    """Rates of a service that has forgotten them are reckoned from what was paid; the sums come out even."""
    rates = {0: 190_000} if is_one_rate else {}
    lines = tuple(sold_line(at, quantity, total, rates.get(0, ppm)) for at, (quantity, total, ppm) in enumerate(given_))
    total = sum(line.total.minor for line in lines) + fee
    sold = order.Order(
        order_id=UUID(int=1), group_id=UUID(int=1), number="1", state=order.OrderState.PAID, part="", member_id=None,
        contact_email="", address=KIEL, order_kind="standard", channel="online", box="north", plan="", currency="EUR",
        lines=lines, delivery_fee=money(fee, "EUR"), delivery_method="", total=money(total, "EUR"),
        refunded=money(0, "EUR"), coupons=(), placed_at=LONG_AGO, pay_before=None, history=(),
    )  # fmt: skip
    part = rules.sold(sold, (), None)
    assert part.paid == sold.total
    if is_one_rate:
        assert sum(line.net.minor for line in part.lines) == sum((one.total - one.tax).minor for one in lines)


def sold_line(at: int, quantity: int, total: int, ppm: int) -> order.OrderLine:
    tax_minor = round(total * ppm / (1_000_000 + ppm))
    nothing = money(0, "EUR")
    return order.OrderLine(
        sku=f"s{at}", title="T", quantity=quantity, unit="piece", seller="", location="", tax_category=str(ppm),
        list_amount=money(total, "EUR"), amount=money(total, "EUR"), discount=nothing, tax=money(tax_minor, "EUR"),
        total=money(total, "EUR"), line=at, commission=nothing, shipped=0, returned=0, refunded=nothing,
    )  # fmt: skip


async def test_a_caller_without_the_right_issues_nothing(shop: Shop) -> None:
    books = await taxed(shop)
    stranger = Caller(front_end="south", client="s")
    order_id = (await books.bought(("tea", 1), address=KIEL)).orders[0].order_id
    with pytest.raises(order.UnknownOrder):
        await books.shop.platform.call(invoices.issue_for_order, invoices.IssueForOrder(order_id=order_id), stranger)
