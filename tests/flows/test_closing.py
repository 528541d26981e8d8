"""Days are closed once everything is done, and what stands in the books then leads back to orders."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from isthmus.flows.closing import api as closing
from isthmus.flows.closing import commands
from isthmus.packs.ledger import api as ledger
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement

from .conftest import Shop
from .test_bookkeeping import eur, taxed_books
from .test_payouts import payee

NEVER = date(2099, 12, 31)


def held(reference: str, minor: int, **more: object) -> ledger.EntryDraft:
    legs = (
        ledger.EntryLeg(account="assets:bank", amount=eur(minor)),
        ledger.EntryLeg(account="liabilities:loans", amount=eur(-minor)),
    )
    return ledger.EntryDraft(reference=reference, kind="loan", legs=legs, **more)  # type: ignore[arg-type]


async def test_what_is_open_is_named_and_closing_waits_for_it_or_says_why_not(shop: Shop) -> None:
    books = await taxed_books(shop)
    await payee(books)
    sent = (await books.bought(("tea", 2))).orders[0].order_id
    await books.sent(sent, "1")
    await books.bought(("jam", 1))
    await books.call(ledger.post, ledger.Post(entries=(held("loan", 500, is_pending=True),)))
    await books.call(settlement.draw_up, settlement.DrawUp(cut_off=NEVER))
    content = "reference,kind,date,currency,amount,fee\nstranger,capture,2026-05-06,EUR,7.00,0\n"
    file = reconciliation.ImportFile(provider="cards", name="may.csv", form="csv", content=content)
    await books.call(reconciliation.import_file, file)

    found = await books.call(closing.get_checklist, closing.GetChecklist(closed_through=NEVER))
    assert {one.check: one.open for one in found.items if not one.is_done} == {
        "pending-entries": 1,
        "differences": 1,
        "settlements-to-approve": 1,
    }
    assert found.deferred_revenue == (eur(400),), "the jam is paid and not delivered"
    assert [(one.code, one.amount.minor) for one in found.taxes] == [("liabilities:tax:de:none", 319)]
    with pytest.raises(closing.NotReady, match=r"pending-entries \(1\), differences \(1\)"):
        await books.call(closing.close, closing.Close(closed_through=NEVER))
    closed = await books.call(closing.close, closing.Close(closed_through=NEVER, despite="the year ends"))
    assert (closed.closed_through, "differences (1)" in closed.history[0].reason) == (NEVER, True)
    with pytest.raises(ledger.PeriodClosed):
        await books.call(ledger.post, ledger.Post(entries=(held("late", 1, value_date=date(2026, 1, 1)),)))
    ages = await books.call(ledger.age_balances, ledger.GetAges(below="liabilities:customers", on=NEVER))
    (line,) = ages.lines
    assert (line.total, line.older) == (eur(400), eur(400))


async def test_what_is_open_ages_and_what_is_paid_settles_the_oldest_first(shop: Shop) -> None:
    books = await taxed_books(shop)
    today = datetime.now(UTC).date()
    for days, minor in ((0, 100), (30, 200), (31, 300), (90, 400), (91, 500)):
        day = today - timedelta(days=days)
        await books.call(ledger.post, ledger.Post(entries=(held(f"l{days}", minor, value_date=day),)))
    back = held("back", -600, value_date=today)
    await books.call(ledger.post, ledger.Post(entries=(back,)))
    (line,) = (await books.call(ledger.age_balances, ledger.GetAges(below="liabilities:loans"))).lines
    assert (line.until_30.minor, line.until_60.minor, line.until_90.minor, line.older.minor) == (300, 300, 300, 0)
    assert (line.total.minor, line.oldest) == (900, today - timedelta(days=90))
    (earlier,) = (
        await books.call(ledger.age_balances, ledger.GetAges(below="liabilities", on=today - timedelta(days=31)))
    ).lines
    assert (earlier.total.minor, earlier.until_30.minor, earlier.until_60.minor) == (1200, 300, 900)
    (owing,) = (await books.call(ledger.age_balances, ledger.GetAges(below="assets:bank"))).lines
    assert (owing.total.minor, owing.older.minor) == (900, 0)


async def test_as_many_points_are_expected_to_lapse_as_lapsed_of_those_that_left(shop: Shop) -> None:
    books = await taxed_books(shop)
    on_points = {"earned": ("expenses:points", 1000), "spent": ("expenses:points", -300)}
    for reference, (account, minor) in (on_points | {"lapsed": ("expenses:points:lapsed", -100)}).items():
        legs = (
            ledger.EntryLeg(account=account, amount=eur(minor)),
            ledger.EntryLeg(account="liabilities:points", amount=eur(-minor)),
        )
        draft = ledger.EntryDraft(reference=reference, kind="points-moved", legs=legs)
        await books.call(ledger.post, ledger.Post(entries=(draft,)))
        found = await books.call(closing.get_checklist, closing.GetChecklist(closed_through=NEVER))
        assert found.breakage == (eur(150 if reference == "lapsed" else 0),)
    assert found.points == (eur(600),)


async def test_the_end_of_a_month_is_read_at_the_command_line(shop: Shop) -> None:
    books = await taxed_books(shop)
    await books.sent((await books.bought(("tea", 2))).orders[0].order_id, "1")
    await books.bought(("jam", 1))
    await books.call(ledger.post, ledger.Post(entries=(held("loan", 500, is_pending=True),)))
    found = await books.call(closing.get_checklist, closing.GetChecklist(closed_through=NEVER))
    said = [" ".join(line.split()) for line in commands._checked(found)]
    assert "books-balance done" in said
    assert "pending-entries 1 open: post or void them: `ledger.post-pending`, `ledger.void-pending`" in said
    assert "paid and not delivered 4.00 EUR" in said
    days = ledger.GetTrialBalance(since=date(2020, 1, 1), until=NEVER)
    calls = (ledger.income_statement, ledger.trial_balance, ledger.balance_sheet)
    printed = [" ".join(line.split()) for line in commands._reported(*[await books.call(one, days) for one in calls])]
    at = [printed.index(one) for one in ("income statement", "tax of these days", "balance sheet")]
    results = [line for line in printed if line.startswith("result ")]
    assert at == sorted(at)
    assert printed[at[1] + 1 : at[2]] == ["liabilities:tax:de:none 3.19 EUR"]
    assert results[0] == results[1], "what was earned is what is left"


async def test_a_month_without_anything_open_is_closed(shop: Shop) -> None:
    books = await taxed_books(shop)
    closed = await books.call(closing.close, closing.Close(closed_through=date(2020, 1, 31)))
    assert closed.history[0].reason == "everything was done"


@pytest.mark.parametrize("command", ["report", "tax-return"])
def test_days_in_the_wrong_order_are_refused_by_the_names_that_the_command_line_has(command: str) -> None:
    def never() -> NoReturn:
        raise AssertionError("the platform was opened")

    days = ["--since", "2026-05-02", "--through", "2026-05-01"]
    said = CliRunner().invoke(commands.commands(never), [command, "--on", "north", *days], env={"COLUMNS": "200"})
    assert said.exit_code == 2
    assert "--through" in said.output
    assert "2026-05-01 is before 2026-05-02: give the last day, not before --since" in said.output
