"""Reports: every account by period, income, what is held, and a journal that an independent checker accepts."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from isthmus.packs.ledger import api
from isthmus.values import money

from .conftest import CASH, SALES, Office, draft, leg, sale

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 1)
NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


async def booked(office: Office) -> None:
    """Book a sale in May and one in June, a fee, an exchange, one that was let go, and one that is undone."""
    await office.post(sale("may", 1000, value_date=MAY), now=NOON)
    await office.fold()
    await office.post(sale('june "1", =2', 500, value_date=JUNE), now=NOON)
    fee = draft("fee", leg("expenses:fees", 30), leg(CASH, -30, owner="provider/card.eu"), value_date=JUNE)
    await office.post(fee, sale("void", 7, is_pending=True), sale("undone", 9, value_date=JUNE), now=NOON)
    await office.end("void", api.void_pending)
    await office.reverse("undone", "undo", value_date=JUNE)
    ask = api.Exchange(
        reference="x", sold=money(100, "EUR"), currency="KWD", rate="0.3339", source=CASH, target="assets:kuwait",
        value_date=JUNE,
    )  # fmt: skip
    await office.call(api.exchange, ask)


async def test_the_trial_balance_is_zero_and_leads_from_opening_to_closing(office: Office) -> None:
    await booked(office)
    trial = await office.call(api.trial_balance, api.GetTrialBalance(since=JUNE, until=JUNE))
    assert {one.minor for one in trial.difference} == {0}
    cash = next(line for line in trial.lines if line.code == CASH)
    assert (cash.opening.minor, cash.debit.minor, cash.credit.minor, cash.closing.minor) == (1000, 509, 139, 1370)
    assert await office.summed(CASH) + await office.summed(CASH, owner="provider/card.eu") == 1370
    before = await office.call(api.trial_balance, api.GetTrialBalance(until=MAY))
    assert {line.code: line.closing.minor for line in before.lines} == {CASH: 1000, SALES: -1000}


async def test_income_of_a_month_and_what_is_held_at_its_end_come_to_the_same(office: Office) -> None:
    await booked(office)
    june = await office.call(api.income_statement, api.GetTrialBalance(since=JUNE, until=JUNE))
    assert {line.code: line.amount.minor for line in june.lines} == {SALES: 500, "expenses:fees": 30}
    assert june.result == (money(470, "EUR"),)
    sheet = await office.call(api.balance_sheet, api.GetTrialBalance(until=JUNE))
    every = await office.call(api.income_statement, api.GetTrialBalance(until=JUNE))
    assert {one.currency: one.minor for one in sheet.result} == {"EUR": 1470, "KWD": 0}
    assert every.result == (money(1470, "EUR"),)


async def test_the_journal_is_accepted_by_bean_check_and_a_cent_too_much_is_not(office: Office, tmp_path: Path) -> None:
    await booked(office)
    text, cursor = "", None
    while True:
        part = await office.call(api.export_journal, api.ExportJournal(limit=2, cursor=cursor))
        text += part.text
        if (cursor := part.next_cursor) is None:
            break
    assert text.count(" * ") == await office.sql("select count(*) from ledger.entry where state = 'posted'") == 6
    assert "Assets:Cash:Provider-card-eu" in text
    assert _checked(tmp_path / "books.beancount", text) == 0
    assert _checked(tmp_path / "wrong.beancount", text.replace("10.00 EUR", "10.01 EUR", 1)) != 0


def _checked(file: Path, text: str) -> int:
    file.write_text(text)
    return subprocess.run([Path(sys.executable).with_name("bean-check"), file], check=False).returncode


async def test_the_journal_as_csv_has_a_row_for_each_leg(office: Office) -> None:
    await booked(office)
    journal = await office.call(api.export_journal, api.ExportJournal(form="csv"))
    rows = list(csv.DictReader(io.StringIO(journal.text)))
    legs = "select count(*) from ledger.leg join ledger.entry using (front_end, entry_id) where state = 'posted'"
    assert len(rows) == await office.sql(legs)
    assert sum(float(row["amount"]) for row in rows if row["currency"] == "EUR") == 0
    assert 'june "1", =2' in {row["reference"] for row in rows}


async def test_sums_beyond_64_bits_are_reported_as_they_are(office: Office) -> None:
    most = 10**15
    legs = [leg(CASH, most) for _ in range(500)] + [leg(SALES, -most) for _ in range(500)]
    for entry in range(19):
        await office.post(draft(f"large-{entry}", *legs, value_date=MAY), now=NOON)
        await office.fold()
    trial = await office.call(api.trial_balance, api.GetTrialBalance())
    assert {line.code: line.closing.minor for line in trial.lines} == {CASH: 9_500 * most, SALES: -9_500 * most}
    sheet = await office.call(api.balance_sheet, api.GetTrialBalance())
    assert sheet.lines[0].amount.minor > 2**63


async def test_owners_that_plain_text_cannot_tell_apart_stay_two_accounts(office: Office) -> None:
    owners = ("seller/x.1", "seller/x-1", "seller/x_1", "seller/x-")
    for owner in owners:
        await office.post(draft(owner, leg(CASH, 5, owner=owner), leg(SALES, -5)), now=NOON)
    journal = await office.call(api.export_journal, api.ExportJournal())
    opened = [line.split(" open ")[1] for line in journal.text.splitlines() if " open Assets:" in line]
    assert len(opened) == len(set(opened)) == len(owners)
    assert any(name.endswith(":Seller-x-1") for name in opened)


async def test_no_text_of_a_journal_is_taken_for_a_formula(office: Office) -> None:
    texts = ("=1+1", "-2+3+cmd|x", "@x", "+1", "\tx")
    for at, text in enumerate(texts):
        await office.post(draft(f"{at}", leg(CASH, -5), leg(SALES, 5), subject=text), now=NOON)
    journal = await office.call(api.export_journal, api.ExportJournal(form="csv"))
    rows = list(csv.DictReader(io.StringIO(journal.text)))
    assert {row["subject"] for row in rows} == {f"'{text}" for text in texts}
    assert {row["amount"] for row in rows} == {"-0.05", "0.05"}
