"""Many at once: balances are sums at every instant, limits hold, references book once, and nobody waits."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import date

import asyncpg
import pytest

from isthmus.kernel import errors
from isthmus.packs.ledger import api
from isthmus.store import Database

from .conftest import CASH, NORTH, SALES, Office, draft, front_end, leg, sale

CLIENTS = 16
# From legs alone, and from what was summed up: both in one statement, so of one moment.
BOTH = """select (select coalesce(sum(amount), 0) from ledger.leg
        where leg.account_id = account.account_id and layer = '=') as legs,
    coalesce((select posted from ledger.balance where balance.account_id = account.account_id), 0)
    + (select coalesce(sum(amount), 0) from ledger.leg where leg.account_id = account.account_id and layer = '='
        and exists (select from ledger.book where front_end = 'north'
            and (xid >= folded or xid = any (unsummed)))) as stands
    from ledger.account where code in ('assets:cash', 'income:sales')"""


async def outcome(office: Office, *drafts: api.EntryDraft) -> str:
    try:
        await office.post(*drafts)
    except errors.IsthmusError as refused:
        return refused.slug
    return "posted"


async def test_a_balance_is_the_sum_of_its_legs_at_every_instant_while_all_book_and_sum_up(office: Office) -> None:
    office.platform.store = await Database.open(office.url, connections_max=CLIENTS)
    done = asyncio.Event()
    seen = Counter[str]()

    async def book(client: int) -> None:
        for number in range(20):
            await office.post(sale(f"{client}/{number}", random.randint(1, 99), is_pending=number % 5 == 4))
            if number % 5 == 4:
                await office.end(f"{client}/{number}", api.post_pending if client % 2 else api.void_pending)

    async def sum_up() -> None:
        while not done.is_set():
            seen["folded"] += await office.fold()

    async def look() -> None:
        connection = await asyncpg.connect(office.url)
        while not done.is_set():
            for row in await connection.fetch(BOTH):
                assert row["legs"] == row["stands"]
                seen["looked"] += 1
        await connection.close()

    async def all_book() -> None:
        await asyncio.gather(*map(book, range(CLIENTS - 2)))
        done.set()

    await asyncio.gather(all_book(), sum_up(), look())
    assert seen["folded"] > 0
    assert seen["looked"] > 0
    assert await office.posted(CASH) == await office.summed(CASH) == -await office.summed(SALES) > 0
    await office.check()
    await office.platform.store.close()


@pytest.mark.parametrize("clients", [2, 16])
async def test_a_limit_holds_however_many_draw_on_it_at_once(office: Office, clients: int) -> None:
    await office.open("liabilities:budget", least=0)
    await office.post(draft("fill", leg(CASH, 1000), leg("liabilities:budget", -1000)))
    waiting = iter(range(60))

    async def client() -> list[str]:
        return [
            await outcome(
                office, draft(f"use/{n}", leg("liabilities:budget", 30), leg(CASH, -30), is_pending=n % 2 > 0)
            )
            for n in waiting
        ]

    outcomes = Counter(one for done in await asyncio.gather(*(client() for _ in range(clients))) for one in done)
    assert outcomes == {"posted": 33, "ledger.bound-exceeded": 27}
    assert (await office.balance("liabilities:budget")).available.minor == 10
    await office.check()


async def test_one_reference_books_once_however_many_send_it_at_once(office: Office) -> None:
    same = await asyncio.gather(*(office.post(sale("one", 5)) for _ in range(CLIENTS)))
    assert len({one[0].entry_id for one in same}) == 1
    assert sum(one[0].is_news for one in same) == 1
    others = Counter(await asyncio.gather(*(outcome(office, sale("two", n)) for n in range(1, CLIENTS + 1))))
    assert others == {"posted": 1, "ledger.reference-used": CLIENTS - 1}
    mixed = await asyncio.gather(*(office.post(sale("a", 1), sale("b", 2)) for _ in range(CLIENTS)))
    assert len({tuple(one.entry_id for one in items) for items in mixed}) == 1
    won = next(one.amount.minor for one in (await office.entry("two")).legs if one.account == CASH)
    assert await office.posted(CASH) == 5 + won + 1 + 2
    await office.check()


async def test_a_pending_entry_ends_once_however_many_end_it_at_once(office: Office) -> None:
    for number in range(10):
        await office.post(sale(f"p{number}", 10, is_pending=True))

        async def ended(reference: str, at: int) -> str:
            how = api.post_pending if at % 2 else api.void_pending
            try:
                return (await office.end(reference, how)).state
            except api.AlreadyEnded:
                return "late"

        outcomes = Counter(await asyncio.gather(*(ended(f"p{number}", at) for at in range(8))))
        assert outcomes["late"] == 4
        assert len(outcomes) == 2
    posted = await office.sql("select count(*) from ledger.entry where state = 'posted'")
    assert await office.posted(CASH) == 10 * posted
    await office.check()


async def test_one_entry_is_reversed_once_however_many_reverse_it_at_once(office: Office) -> None:
    await office.post(sale("one", 10))

    async def reverse(number: int) -> str:
        try:
            await office.reverse("one", f"undo/{number}")
        except api.AlreadyReversed:
            return "late"
        return "done"

    assert Counter(await asyncio.gather(*map(reverse, range(8)))) == {"done": 1, "late": 7}
    assert await office.posted(CASH) == 0
    await office.check()


async def test_who_opens_the_same_accounts_in_another_order_does_not_wait_in_a_circle(office: Office) -> None:
    def crossing(number: int) -> tuple[api.EntryDraft, ...]:
        codes = [f"assets:new:{at}" for at in range(12)]
        random.Random(number).shuffle(codes)
        return tuple(draft(f"{number}/{code}", leg(code, 1), leg(SALES, -1)) for code in codes)

    outcomes = Counter(await asyncio.gather(*(outcome(office, *crossing(n)) for n in range(CLIENTS))))
    assert outcomes == {"posted": CLIENTS}
    await office.check()


async def test_nobody_waits_on_an_account_that_another_transaction_is_booking_on(office: Office) -> None:
    await office.post(sale("first"))
    connection = await asyncpg.connect(office.url)
    try:
        await connection.execute("begin; set local role isthmus_app; set local isthmus.front_end = 'north'")
        legs = ([1, 1], [CASH, SALES], ["", ""], ["EUR", "EUR"], [5, -5])
        entry = """[{"entry_id": "00000000-0000-7000-8000-000000000001", "reference": "open", "kind": "sale", "legs": 2,
            "state": "posted", "value_date": "2026-01-01", "moves": true, "subject": "", "memo": "", "metadata": {},
            "content": "00000000-0000-7000-8000-000000000001"}]"""
        await connection.fetch(
            "select * from ledger.write('north', $1, $2, $3, $4, $5, $6, now(), 'x', true)", entry, *legs
        )
        await office.post(sale("second"))  # would wait here for as long as the other is open
        assert await office.posted(CASH) == 2000
        await office.fold()
        await connection.execute("commit")
        assert await office.posted(CASH) == 2005
        await office.fold()
        assert await office.posted(CASH) == await office.summed(CASH) == 2005
    finally:
        await connection.close()
    await office.check()


async def test_closing_waits_for_who_is_booking_and_keeps_out_who_comes_later(office: Office) -> None:
    day = date(2026, 4, 30)

    async def book(number: int) -> str:
        return await outcome(office, sale(f"e{number}", 10, value_date=day))

    close = office.call(api.close_period, api.ClosePeriod(closed_through=day, reason="April"))
    *outcomes, _ = await asyncio.gather(*map(book, range(30)), close)
    counted = Counter(outcomes)
    assert set(counted) <= {"posted", "ledger.period-closed"}
    assert await office.summed(CASH) == 10 * counted["posted"]
    assert await book(99) == "ledger.period-closed"
    await office.check()


async def test_a_front_end_never_reaches_anothers_books(office: Office, south: Office) -> None:
    await south.open("liabilities:budget", least=0)
    await asyncio.gather(
        *(office.post(sale(f"n{n}")) for n in range(4)), *(south.post(sale(f"n{n}", 3)) for n in range(4))
    )
    assert (await office.posted(CASH), await south.posted(CASH)) == (4000, 12)
    with pytest.raises(api.UnknownAccount):
        await office.balance("liabilities:budget")
    assert front_end("north").code == NORTH.front_end
    await office.check()
