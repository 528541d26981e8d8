"""No number is skipped or used twice, nothing issued changes, and credit notes take back no more than there is."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import errors
from isthmus.packs.invoicing import api
from isthmus.values import Address, money
from tests.waiting import until

from .conftest import BUYER, DAY, Office, draft, line

FROM = "update invoicing.invoice set net_minor = 1", "delete from invoicing.invoice"
NO_VAT_ID = BUYER.replace(vat_id="")


async def test_two_front_ends_of_one_legal_entity_share_its_numbers_and_a_reference_issues_once(office: Office) -> None:
    first = await office.issue(draft("a"), now=DAY)
    second = await office.issue(draft("b"), at="south", now=DAY)
    assert (first.number, second.number) == ("R-2026-000001", "R-2026-000002")
    assert await office.issue(draft("a"), now=DAY) == first
    with pytest.raises(api.ReferenceUsed, match="R-2026-000001"):
        await office.issue(draft("a", line(999)), now=DAY)
    note = await office.issue(
        draft("c", kind=api.InvoiceKind.CREDIT_NOTE, corrects=first.number), now=datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert note.number == "R-C2027-000001"
    with pytest.raises(api.UnknownInvoice):
        await office.call(api.get_invoice, api.GetInvoice(number=second.number))  # the other front end's
    await office.check()


async def test_many_at_once_and_those_that_are_undone_leave_no_gap(office: Office) -> None:
    """Twenty at once, of which some come twice and some are refused after they had a number."""

    async def one(at: int) -> api.Invoice | errors.Refusal:
        subjects = ("same",) if at % 5 == 0 else ()  # refused behind the number: it stands on one invoice
        ask = draft(f"r{at % 15}", line(100 + at % 15), subjects=subjects)
        try:
            return await office.issue(ask, at=("north", "south")[at % 15 % 2], now=DAY)
        except errors.Refusal as refused:
            return refused

    found = await asyncio.gather(*(one(at) for at in range(20)))
    assert any(isinstance(one, api.AlreadyInvoiced) for one in found)
    numbers = sorted({one.number for one in found if isinstance(one, api.Invoice)})
    assert numbers == [f"R-2026-{at:06d}" for at in range(1, len(numbers) + 1)]
    await office.check()


async def test_who_is_killed_with_a_number_in_hand_gives_it_back(office: Office) -> None:
    await office.issue(draft("a"), now=DAY)
    dying = await asyncpg.connect(office.url)
    await dying.execute("begin")
    await dying.execute("update invoicing.series set last = last + 1")
    waiting = asyncio.create_task(office.issue(draft("b"), now=DAY))
    await until(lambda: office.rows("select from pg_locks where not granted"))
    dying.terminate()
    assert (await waiting).number == "R-2026-000002"
    await office.check()


async def test_the_database_refuses_a_skipped_number_and_every_change(office: Office) -> None:
    await office.issue(draft("a"), now=DAY)
    for statement in FROM:
        with pytest.raises(asyncpg.CheckViolationError, match="refused"):
            await office.rows(statement)
    skipping = """insert into invoicing.invoice (front_end, invoice_id, entity, series, sequence, number, kind,
            reference, content, currency, net_minor, tax_minor, gross_minor, paid_minor, rounding_minor, due_minor,
            issued_on, issued_at, issued_by, said, buyer)
        select front_end, gen_random_uuid(), entity, series, 3, 'x', kind, 'x', content, currency, net_minor, tax_minor,
            gross_minor, paid_minor, rounding_minor, due_minor, issued_on, issued_at, issued_by, said, buyer
        from invoicing.invoice"""
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="no_number_is_skipped"):
        await office.rows(skipping)


async def test_credit_notes_take_back_what_there_is_and_no_more(office: Office) -> None:
    one = await office.issue(draft("a", line(1000), line(500)), now=DAY)
    part = {"kind": api.InvoiceKind.CREDIT_NOTE, "corrects": one.number}
    await office.issue(draft("b", line(500), **part), now=DAY)
    later = DAY + timedelta(hours=1)
    with pytest.raises(api.TooMuchCredited, match="11.90 EUR is left"):
        await office.issue(draft("c", line(1100), **part), now=DAY)
    await asyncio.gather(
        *(office.issue(draft(f"d{at}", line(1000), **part), now=later) for at in range(3)), return_exceptions=True
    )
    whole = await office.call(api.get_invoice, api.GetInvoice(invoice_id=one.invoice_id))
    assert whole.credited == whole.totals.gross == money(1785, "EUR")
    notes = await office.call(api.list_invoices, api.ListInvoices(corrects=one.number))
    assert [brief.gross.minor for brief in notes.items] == [1190, 595]
    with pytest.raises(api.UnknownInvoice):
        await office.issue(draft("e", kind=api.InvoiceKind.CREDIT_NOTE), now=DAY)
    await office.check()


async def test_pages_are_whole_and_documents_come_out_as_they_were_asked_for(office: Office) -> None:
    for at in range(3):
        await office.issue(draft(f"r{at}", subjects=(f"order-{at}",)), now=DAY + timedelta(hours=at))
    first = await office.call(api.list_invoices, api.ListInvoices(limit=2))
    rest = await office.call(api.list_invoices, api.ListInvoices(limit=2, cursor=first.next_cursor))
    assert [one.number[-1] for one in (*first.items, *rest.items)] == ["3", "2", "1"]
    found = await office.call(api.list_invoices, api.ListInvoices(subject="order-1"))
    (brief,) = found.items
    pdf = await office.call(api.get_document, api.GetDocument(invoice_id=brief.invoice_id))
    assert (pdf.name, base64.b64decode(pdf.content)[:5]) == ("R-2026-000002.pdf", b"%PDF-")
    with pytest.raises(api.BadCursor):
        await office.call(api.list_invoices, api.ListInvoices(cursor="x"))
    with pytest.raises(api.UnknownInvoice):
        await office.call(api.get_document, api.GetDocument(invoice_id=UUID(int=9)))


@pytest.mark.parametrize(
    ("ask", "refusal", "at"),
    [
        (draft("a", line(1, currency="EUR"), line(1, currency="USD")), api.WrongCurrency, "$.lines[1].net.currency"),
        (draft("a", line(-1)), api.WrongVat, "$.lines[0].net"),
        (draft("a", line(1, vat=api.Vat(category="E", rate_ppm=5))), api.WrongVat, "$.lines[0].vat"),
        (draft("a", line(1), line(1, vat=api.Vat(category="O"))), api.WrongVat, "$.lines"),
        (draft("a", line(1, vat=api.Vat(category="AE")), buyer=NO_VAT_ID), api.VatIdNeeded, "$.buyer.vat_id"),
        (draft("a", line(1000), paid=money(1195, "EUR")), api.AmountsDiffer, "$.paid"),
        (draft("a", line(1000), paid=money(1190, "USD")), api.WrongCurrency, "$.paid.currency"),
    ],
)  # fmt: skip
async def test_what_cannot_be_an_invoice_is_refused_with_the_place(
    office: Office, ask: api.Issue, refusal: type[errors.Refusal], at: str
) -> None:
    with pytest.raises(refusal) as refused:
        await office.issue(ask)
    assert refused.value.path == at


async def test_who_sells_must_be_known(office: Office) -> None:
    with pytest.raises(api.NoSeller, match="invoicing.name"):
        await office.issue(draft("a"), at="lone")


async def test_who_bought_is_forgotten_after_ten_years_and_the_amounts_stay(office: Office) -> None:
    one = await office.issue(draft("a", delivered_to=Address(country="FR", city="Lyon")), now=DAY)
    for year, forgotten in ((2036, 0), (2037, 1), (2037, 0)):
        now = datetime(year, 1, 1, tzinfo=UTC)
        assert (await office.call(api.forget_buyers, api.ForgetBuyers(), now=now)).invoices == forgotten
    left = await office.call(api.get_invoice, api.GetInvoice(invoice_id=one.invoice_id))
    assert (left.buyer, left.delivered_to) == (api.Party(name="erased", address=Address(country="FR")), None)
    assert left.totals == one.totals
