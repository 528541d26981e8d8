"""Each line is settled exactly once: held back, carried, paid by a file that banks accept, and due again."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdf
import pytest
import sepaxml
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import Caller, FrontEnd, Platform, errors
from isthmus.packs.settlement import api, rules
from isthmus.packs.settlement.pack import PACK
from isthmus.store import Database
from tests.packs.desk import at_desk

from .conftest import DESK, IBANS, LATER, MAY, SETTINGS, USES, Desk, item

PAIN = Path(sepaxml.__file__).parent / "schemas" / "pain.001.001.09.xsd"


async def test_sales_wait_until_they_are_held_back_long_enough_and_returns_do_not(office: Desk) -> None:
    await office.payee(hold_back_days=14)
    await office.note(item("a", 1000, commission=100), item("b", -300, commission=-30))
    (early,) = await office.draw(MAY.date() + timedelta(days=13))
    assert (early.items, early.payout.minor, early.carried_out.minor) == (1, 0, -270)
    (due,) = await office.draw(MAY.date() + timedelta(days=14))
    assert (due.credit.minor, due.carried_in.minor, due.payout.minor) == (900, -270, 630)
    assert await office.draw() == ()
    await office.check()


async def test_what_is_noted_again_adds_nothing_and_sends_no_event(office: Desk) -> None:
    for minor in (1000, 1000, 900):  # as where the flow that noted it was rolled back, and is done again
        await office.note(item("a", minor))
    assert [tuple(row) for row in await office.rows("select reference, gross_minor from settlement.item")] == [
        ("a", 1000)
    ]
    assert await office.rows("select 1 from isthmus.outbox") == []


async def test_what_is_below_the_minimum_or_zero_is_carried_and_a_leaving_seller_gets_the_rest(office: Desk) -> None:
    await office.payee(hold_back_days=0, minimum_minor=1000, fee_minor=25)
    await office.note(item("a", 700))
    (first,) = await office.draw()
    assert (first.payout.minor, first.fee.minor, first.carried_out.minor) == (0, 0, 700)
    await office.note(item("b", 400))
    (second,) = await office.draw()
    assert (second.carried_in.minor, second.payout.minor, second.fee.minor) == (700, 1075, 25)
    await office.note(item("c", 200))
    await office.draw()
    await office.payee(hold_back_days=0, minimum_minor=1000, fee_minor=25, is_leaving=True)
    (last,) = await office.draw()
    assert (last.items, last.payout.minor) == (0, 175)
    await office.note(item("d", -500))
    (owes,) = await office.draw()
    assert owes.carried_out.minor == -500, "who left with a debt is not paid, and the debt stands"
    await office.check()


async def test_a_reserve_stays_until_the_seller_leaves_and_bears_what_comes_back(office: Desk) -> None:
    await office.payee(hold_back_days=0, reserve_minor=300, fee_minor=25)
    await office.note(item("a", 1000))
    (first,) = await office.draw()
    assert (first.payout.minor, first.fee.minor, first.carried_out.minor) == (675, 25, 300)
    await office.note(item("b", -200))
    (second,) = await office.draw()
    assert (second.payout.minor, second.fee.minor, second.carried_out.minor) == (0, 0, 100)
    await office.payee(hold_back_days=0, reserve_minor=300, fee_minor=25, is_leaving=True)
    (last,) = await office.draw()
    assert (last.carried_in.minor, last.payout.minor, last.carried_out.minor) == (100, 75, 0)
    await office.check()


async def test_four_eyes_approve_and_the_database_says_so_too(office: Desk) -> None:
    await office.payee(hold_back_days=0)
    await office.note(item("a", 900))
    (one,) = await office.draw()
    with pytest.raises(api.SameEyes):
        await office.approve(one, by="ann")
    approved = await office.approve(one, by="bob")
    assert approved == await office.approve(one, by="carol"), "safe to repeat"
    assert approved.approved_by == "bob"
    with pytest.raises(api.WrongState):
        await office.call(api.cancel, api.Cancel(settlement_id=one.settlement_id, reason="late"))


async def test_a_payout_file_is_valid_by_its_schema_and_pays_each_settlement_once(office: Desk) -> None:
    await office.payee(hold_back_days=0, bic="BNPAFRPPXXX", name="Café & Sons <Ltd>")
    await office.payee("seller/2", hold_back_days=0)
    await office.payee("seller/3", hold_back_days=0, currency="KWD")
    await office.note(
        item("a", 900), item("b", 105, payee="seller/2"), item("c", 1234, payee="seller/3", currency="KWD")
    )
    for one in await office.draw():
        await office.approve(one)
    file = await office.pay()
    xmlschema.validate(file.content, PAIN)
    assert (file.payouts, file.total.minor, "<CtrlSum>10.05</CtrlSum>" in file.content) == (2, 1005, True)
    other = await office.pay("KWD")
    xmlschema.validate(other.content, PAIN)
    assert 'Ccy="KWD">1.234<' in other.content
    with pytest.raises(api.NothingToPay):
        await office.pay()
    found = await office.call(api.get_payout_file, api.GetPayoutFile(file_id=file.file_id))
    assert found == file
    wrong = file.content.replace("<Ccy", "<X").replace("<PmtMtd>TRF</PmtMtd>", "")
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        xmlschema.validate(wrong, PAIN)
    await office.check()


async def test_nothing_is_paid_without_an_account_to_pay_from_and_to(office: Desk) -> None:
    await office.note(item("a", 900))
    (one,) = await office.draw()
    await office.approve(one)
    with pytest.raises(api.NoBankAccount, match="seller/1"):
        await office.pay()
    with pytest.raises(api.WrongIban):
        await office.payee(iban="DE89370400440532013001")
    with pytest.raises(api.UnknownFile):
        await office.call(api.get_payout_file, api.GetPayoutFile(file_id=one.settlement_id))


async def test_a_payout_that_the_bank_sends_back_is_due_again_and_once(office: Desk) -> None:
    await office.payee(hold_back_days=0)
    await office.note(item("a", 900))
    (one,) = await office.draw()
    ask = api.NoteReturned(settlement_id=one.settlement_id, reason="account closed")
    with pytest.raises(api.WrongState):
        await office.call(api.note_returned, ask)
    await office.approve(one)
    await office.pay()
    for _ in range(2):
        returned = await office.call(api.note_returned, ask)
    assert (returned.state, returned.note) == ("returned", "account closed")
    (again,) = await office.draw(LATER.replace(year=2099))
    assert again.payout.minor == 900
    page = await office.call(api.list_settlements, api.ListSettlements(limit=1))
    rest = await office.call(api.list_settlements, api.ListSettlements(cursor=page.next_cursor))
    assert [one.settlement_id for one in (*page.items, *rest.items)] == [again.settlement_id, one.settlement_id]


async def test_what_was_cancelled_is_open_again_with_what_was_carried_into_it(office: Desk) -> None:
    await office.payee(hold_back_days=0, minimum_minor=1000)
    await office.note(item("a", 700))
    (first,) = await office.draw()
    await office.note(item("b", 700))
    (second,) = await office.draw()
    with pytest.raises(api.AlreadyCarried):
        await office.call(api.cancel, api.Cancel(settlement_id=first.settlement_id, reason="wrong day"))
    await office.call(api.cancel, api.Cancel(settlement_id=second.settlement_id, reason="wrong day"))
    (third,) = await office.draw()
    assert (third.carried_in.minor, third.credit.minor, third.payout.minor) == (700, 700, 1400)
    await office.check()


async def test_who_draws_up_at_once_settles_nothing_twice(office: Desk, database_url: str) -> None:
    await office.note(*(item(f"i-{number}", 10, payee=f"seller/{number % 7}") for number in range(70)))
    office.platform.store, store = await Database.open(database_url, connections_max=8), office.platform.store
    prepared = await asyncio.gather(*(office.draw(LATER.replace(year=2027)) for _ in range(6)))
    await office.platform.store.close()  # type: ignore[attr-defined]
    office.platform.store = store
    assert sum(one.payout.minor for several in prepared for one in several) == 700
    assert len([one for several in prepared for one in several]) == 7
    await office.check()


async def test_an_item_counts_once_and_never_changes_its_settlement(office: Desk) -> None:
    await office.note(item("a", 900))
    await office.note(item("a", 900), item("b", 1))
    (one,) = await office.draw(LATER.replace(year=2027))
    assert (one.items, one.credit.minor) == (2, 901)
    with pytest.raises(Exception, match="is settled with"):
        await office.rows("update settlement.item set settlement_id = null where reference = 'a' returning 1")
    listed = await office.call(api.list_items, api.ListItems(settlement_id=one.settlement_id, limit=1))
    rest = await office.call(api.list_items, api.ListItems(is_open=False, cursor=listed.next_cursor))
    assert [found.reference for found in (*listed.items, *rest.items)] == ["a", "b"]


async def test_a_statement_has_each_line_and_comes_to_what_is_paid(office: Desk) -> None:
    await office.payee(hold_back_days=0, fee_minor=20)
    await office.note(item("=a", 1000, commission=150, line=0), item("b", -100, commission=-15, line=1))
    (one,) = await office.draw()
    ask = api.GetStatement(settlement_id=one.settlement_id)
    rows = list(csv.DictReader(io.StringIO((await office.call(api.get_statement, ask)).content)))
    assert [row["amount"] for row in rows if row["kind"] != "sum"] == ["8.50", "-0.85"]
    assert {row["reference"]: row["amount"] for row in rows}["paid"] == "7.45"
    assert rows[0]["reference"] == "'=a"
    pdf = await office.call(api.get_statement, ask.replace(form="pdf"))
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(base64.b64decode(pdf.content))).pages)
    assert (pdf.media_type, "7.45 EUR" in text, "seller/1" in text) == ("application/pdf", True, True)


async def test_payees_are_listed_with_what_is_open(office: Desk) -> None:
    await office.payee("seller/9", hold_back_days=3)
    await office.note(item("a", 900), item("b", 5, currency="JPY"))
    page = await office.call(api.list_payees, api.ListPayees(limit=2))
    rest = await office.call(api.list_payees, api.ListPayees(cursor=page.next_cursor))
    found = {(one.payee, one.currency): one.open.minor for one in (*page.items, *rest.items)}
    assert found == {("seller/1", "EUR"): 900, ("seller/1", "JPY"): 5, ("seller/9", "EUR"): 0}
    with pytest.raises(errors.NotFound):
        await office.call(api.get_settlement, api.GetSettlement(settlement_id=await _nobody(office)))


async def _nobody(office: Desk) -> object:
    (row,) = await office.rows("select gen_random_uuid() as id")
    return row["id"]


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**6), st.integers(0, 10**4), st.integers(0, 10**6), st.booleans())
def test_what_is_due_is_paid_or_carried_to_the_last_cent(
    due: int, minimum: int, fee: int, reserve: int, is_leaving: bool
) -> None:
    paid = rules.paid(due, minimum, fee, reserve, is_leaving=is_leaving)
    assert paid.payout + paid.fee + paid.carried == due
    kept = 0 if is_leaving else reserve
    assert paid.payout == 0 or (paid.payout >= (0 if is_leaving else minimum) and paid.carried == kept)
    assert paid.payout >= 0


def test_check_digits_tell_a_wrong_account() -> None:
    assert rules.iban("de89 3704 0044 0532 0130 00") == IBANS[0]
    assert [rules.iban(one) for one in ("", "DE00370400440532013000", "DE89", "1234567890123456")] == [
        "",
        None,
        None,
        None,
    ]


async def test_currencies_of_no_two_and_three_decimals_are_settled_side_by_side_and_never_mixed(office: Desk) -> None:
    wanted = {"JPY": 1_201, "EUR": 1_201, "KWD": 1_201}
    for currency in wanted:
        await office.payee(hold_back_days=0, currency=currency)
    await office.note(*(item(f"{one}-sale", 1_301, currency=one) for one in wanted))
    await office.note(*(item(f"{one}-back", -100, currency=one) for one in wanted))
    settlements = await office.draw()
    assert {one.payout.currency: one.payout.minor for one in settlements} == wanted
    assert sorted(str(one.payout) for one in settlements) == ["1.201 KWD", "12.01 EUR", "1201 JPY"]
    await office.check()


async def test_the_month_ends_where_the_front_end_is(
    make_platform: Callable[..., Awaitable[Platform]], database_url: str
) -> None:
    """At half past ten in the evening in London it is tomorrow in Berlin, and still this morning in Honolulu."""
    at = datetime(2026, 5, 31, 22, 30, tzinfo=UTC)
    for code, zone, is_due in (("berlin", "Europe/Berlin", False), ("honolulu", "Pacific/Honolulu", True)):
        settings = {**SETTINGS, "time_zone": zone}
        front_end = FrontEnd(code=code, name=code, owner=code, uses=USES, settings=settings)
        caller = Caller(front_end=code, client="ann")
        platform = await make_platform(PACK, DESK, front_end)
        due = api.NoteDue(items=(item("a", -700), item("b", 900)))
        await platform.call(at_desk(api.note_due, DESK), due, caller, now=at)
        terms = api.PutPayee(payee="seller/1", currency="EUR", hold_back_days=0, iban=IBANS[1], name="Maker")
        await platform.call(api.put_payee, terms, caller)
        found = (await platform.call(api.draw_up, api.DrawUp(cut_off=LATER), caller)).items
        assert [one.payout.minor for one in found] == ([200] if is_due else []), zone
        if not is_due:
            next_day = api.DrawUp(cut_off=LATER + timedelta(days=1))
            assert [one.items for one in (await platform.call(api.draw_up, next_day, caller)).items] == [2]
