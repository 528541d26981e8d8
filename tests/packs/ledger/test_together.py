"""Entries of several callers are booked in one transaction, and each caller is answered as if it had been alone."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import date

import asyncpg

from isthmus.kernel import Caller, errors
from isthmus.packs.ledger import api
from isthmus.store import Database

from .conftest import CASH, NORTH, SALES, Office, draft, leg, sale
from .test_concurrency import outcome

MANY = 64
TRANSACTIONS = "select count(distinct xid) from ledger.leg where front_end = 'north'"
KILL = """select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""


async def test_many_who_book_at_once_take_a_few_transactions_and_each_has_its_own_answer(office: Office) -> None:
    items = await asyncio.gather(*(office.post(sale(f"r{n}", n)) for n in range(1, MANY + 1)))
    assert [one[0].reference for one in items] == [f"r{n}" for n in range(1, MANY + 1)]
    assert all(one[0].is_news for one in items)
    assert await office.sql(TRANSACTIONS) <= MANY // 4
    for n in (1, MANY):
        assert [one.amount.minor for one in (await office.entry(f"r{n}")).legs] == [n, -n]
        assert (await office.entry(f"r{n}")).entry_id == items[n - 1][0].entry_id
    await office.check()


async def test_what_is_refused_is_refused_alone_and_keeps_nobody_else_from_booking(office: Office) -> None:
    await office.open("liabilities:budget", least=0)
    await office.post(draft("fill", leg(CASH, 100), leg("liabilities:budget", -100)))
    await office.call(api.close_period, api.ClosePeriod(closed_through=date(2026, 1, 31), reason="done"))
    drafts = [
        *(sale(f"good/{n}", 7) for n in range(20)),
        sale("fill", 3),
        sale("late", 3, value_date=date(2026, 1, 5)),
        draft("askew", leg(CASH, 1), leg(SALES, -2)),
        draft("too-much", leg("liabilities:budget", 101), leg(CASH, -101)),
        draft("enough", leg("liabilities:budget", 100), leg(CASH, -100)),
    ]
    random.shuffle(drafts)
    outcomes = dict(
        zip(
            [one.reference for one in drafts],
            await asyncio.gather(*(outcome(office, one) for one in drafts)),
            strict=True,
        )
    )
    wrong = {one: slug for one, slug in outcomes.items() if slug != "posted"}
    assert wrong == {
        "fill": "ledger.reference-used",
        "late": "ledger.period-closed",
        "askew": "ledger.unbalanced",
        "too-much": "ledger.bound-exceeded",
    }
    assert await office.posted(CASH) == 20 * 7
    await office.check()


async def test_who_waits_for_an_account_with_a_limit_makes_nobody_else_wait(office: Office) -> None:
    await office.open("liabilities:budget", least=0)
    await office.post(draft("fill", leg(CASH, 100), leg("liabilities:budget", -100)))
    connection = await asyncpg.connect(office.url)
    await connection.execute("begin; select from ledger.account where is_limited for no key update")
    held = asyncio.create_task(office.post(draft("use", leg("liabilities:budget", 10), leg(CASH, -10))))
    try:
        await asyncio.gather(*(office.post(sale(f"s{n}", 5)) for n in range(10)))
        assert not held.done()
        assert await office.posted(CASH) == 100 + 10 * 5
    finally:
        await connection.execute("rollback")
        await connection.close()
    await held
    assert await office.posted(CASH) == 90 + 10 * 5
    await office.check()


async def test_each_entry_says_who_booked_it(office: Office) -> None:
    other = Office(office.platform, office.url, Caller(front_end="north", client="another"))
    await asyncio.gather(*((office if n % 2 else other).post(sale(f"r{n}", 1)) for n in range(MANY)))
    by = {(await office.entry(f"r{n}")).by for n in range(0, MANY, 2)}
    assert by == {"another"}
    assert {(await office.entry(f"r{n}")).by for n in range(1, MANY, 2)} == {NORTH.client}
    await office.check()


async def test_connections_killed_under_a_group_lose_no_entry_that_was_answered_and_book_none_twice(
    office: Office,
) -> None:
    office.platform.store = await Database.open(office.url, connections_max=8)
    answered, killed = Counter[str](), [0]
    done = asyncio.Event()

    async def client(number: int) -> None:
        at = 0
        while at < 12 or not killed[-1]:  # as long as nothing has been killed yet, there is nothing to see
            reference = f"{number}/{at}"
            with suppress(errors.Unavailable):
                await office.post(sale(reference, 1))
                answered[reference] += 1
                at += 1

    async def kill() -> None:
        connection = await asyncpg.connect(office.url)
        while not done.is_set():
            killed.append(killed[-1] + await connection.fetchval(KILL))
            await asyncio.sleep(0.05)
        await connection.close()

    async def all_book() -> None:
        await asyncio.gather(*map(client, range(16)))
        done.set()

    await asyncio.gather(all_book(), kill())
    await office.platform.store.close()
    office.platform.store = await Database.open(office.url, connections_max=2)
    assert killed[-1] > 0
    assert await office.posted(CASH) == len(answered) >= 16 * 12
    await office.check()
    await office.platform.store.close()
