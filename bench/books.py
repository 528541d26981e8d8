"""A month of books: a provider's file of as many lines is reconciled, and the month of as many orders closed.

ISTHMUS_BENCH_ORDERS says how many (50,000 unless it says otherwise; the aims are for a million, and are measured with
it). Orders are written into the books as they are when all of them were paid and delivered: two entries with six legs
for each, none summed up yet. The file has a line for each, but for planted errors, which have to be found.
"""

from __future__ import annotations

import os
from datetime import date
from typing import Any

import asyncpg

from bench import _shop as shop
from bench._clock import Clock, Spent
from isthmus.flows.closing import api as closing
from isthmus.packs.ledger import api as ledger
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.values import money

ORDERS = int(os.environ.get("ISTHMUS_BENCH_ORDERS", "50000"))
MILLION = 1_000_000
PLANTED = 5  # of each error
WAIT_S = 1_800  # for rows that are written before anything is measured

Row = dict[str, Any]

_CHART = ("assets:clearing", "expenses:payment-fees", "liabilities:customers", "liabilities:tax:de:standard")
_OPENED = (*_CHART, "income:sales", "income:delivery")
_ENTRIES = """
    insert into ledger.entry (front_end, entry_id, reference, kind, state, value_date, booked_at, subject, legs,
        content, by)
    select 'north', md5(kind || n)::uuid, kind || '/' || n, kind, 'posted', date '2026-01-01' + (n % 31)::int,
        timestamptz '2026-01-01' + (n % 31) * interval '1 day', n::text, 3, md5(kind || n)::uuid, 'bench'
    from generate_series(1, $1::int) as n cross join unnest(array['payment-captured', 'goods-delivered']) as kind"""
_LEGS = """
    with account as (select code, account_id from ledger.account where front_end = 'north'),
    moved (kind, leg, code, amount) as (values
        ('payment-captured', 1, 'assets:clearing', 1160), ('payment-captured', 2, 'expenses:payment-fees', 30),
        ('payment-captured', 3, 'liabilities:customers', -1190), ('goods-delivered', 1, 'liabilities:customers', 1190),
        ('goods-delivered', 2, 'income:sales', -1000), ('goods-delivered', 3, 'liabilities:tax:de:standard', -190))
    insert into ledger.leg (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at, xid)
    select 'north', md5(kind || n)::uuid, leg, '=', account_id, 'EUR', amount, date '2026-01-01' + (n % 31)::int,
        timestamptz '2026-01-01' + (n % 31) * interval '1 day', pg_current_xact_id()::text::bigint
    from generate_series(1, $1::int) as n cross join moved join account using (code)"""
_EXPECTED = """
    insert into reconciliation.expected (front_end, provider, key, reference, kind, currency, amount_minor, day)
    select 'north', 'card', 'capture/' || n, n::text, 'capture', 'EUR', 1190, date '2026-01-01' + (n % 28)::int
    from generate_series(1, $1::int) as n"""


def rows(rounds: int) -> list[Row]:
    """Measure both once, whatever the rounds: each takes as long as it does, and nothing stands beside it."""
    del rounds
    return shop.run(_rows())


async def _rows() -> list[Row]:
    async with shop.database("books") as url, shop.running(url) as running:
        connection = await asyncpg.connect(url, command_timeout=WAIT_S)
        legs = tuple(
            ledger.EntryLeg(account=code, amount=money(1 if at else -5, "EUR")) for at, code in enumerate(_OPENED)
        )
        first = ledger.EntryDraft(reference="first", kind="opening", legs=legs, value_date=date(2026, 1, 1))
        await running.platform.call(ledger.post, ledger.Post(entries=(first,)), shop.CALLER)
        for statement in (_ENTRIES, _LEGS, _EXPECTED):
            await connection.execute(statement, ORDERS)
        await connection.close()
        return [await _reconciled(url, running), await _closed(url, running)]


def _file() -> str:
    """Return a provider's file: a line for each order, with some that come twice, lack, or say another amount."""
    lines = [
        f"capture/{n},capture,2026-01-{1 + n % 28:02},EUR,{'12.90' if n <= PLANTED else '11.90'},0"
        for n in range(1, ORDERS + 1 - PLANTED)
    ]
    extra = [*lines[-PLANTED:], *(f"nobody/{n},capture,2026-01-09,EUR,77.7{n},0" for n in range(PLANTED))]
    later = "later,fee,2026-03-01,EUR,-1.00,0"
    return "\n".join(("reference,kind,date,currency,amount,fee", *lines, *extra, later))


async def _reconciled(url: str, running: Any) -> Row:
    ask = reconciliation.ImportFile(provider="card", name="january", form="csv", content=_file())
    clock = await Clock.started(url)
    took = await running.platform.call(reconciliation.import_file, ask, shop.CALLER)
    spent = await clock.stopped()
    wanted = {"amount": PLANTED, "duplicate": PLANTED, "missing-here": PLANTED + 1, "missing-there": PLANTED}
    found = await running.platform.call(
        reconciliation.list_differences, reconciliation.ListDifferences(limit=200), shop.CALLER
    )
    kinds = {kind: sum(one.kind == kind for one in found.items) for kind in wanted}
    if kinds != wanted:
        raise AssertionError(f"{kinds} was found, and {wanted} was planted")
    return _row(f"a provider's file of {took.lines:,} lines reconciled", spent, 180)


async def _closed(url: str, running: Any) -> Row:
    through = date(2026, 1, 31)
    clock = await Clock.started(url)
    connection = await asyncpg.connect(url, command_timeout=WAIT_S)  # a job sums up as it goes, and never all at once
    await connection.execute("set isthmus.front_end = 'north'; select ledger.fold('north')")
    checked = await running.platform.call(
        closing.get_checklist, closing.GetChecklist(closed_through=through), shop.CALLER
    )
    despite = "the differences that were planted"
    await running.platform.call(closing.close, closing.Close(closed_through=through, despite=despite), shop.CALLER)
    spent = await clock.stopped()
    await connection.close()
    if [one.check for one in checked.items if not one.is_done] != ["differences"]:
        raise AssertionError(f"{checked.items} is open")
    return _row(f"a month of {ORDERS:,} orders summed up, checked and closed", spent, 300)


def _row(name: str, spent: Spent, most: int) -> Row:
    seconds, is_whole = spent.seconds, ORDERS >= MILLION
    return {
        "name": name,
        "value": seconds,
        "unit": "s",
        "against": f"processors: {spent.own:.1f} s this process, {spent.database:.1f} s PostgreSQL",
        "ratio": None,
        "aim": f"<= {most} s" if is_whole else f"<= {most} s with a million",
        "met": seconds <= most if is_whole else None,
    }
