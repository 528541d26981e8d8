"""What is summed up, and what is not: exact for every reader, whatever transactions are open, and however long."""

from __future__ import annotations

from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.packs.ledger import api
from isthmus.packs.ledger.storage import accounts as storage

from .conftest import CASH, SALES, Office, draft, leg, sale

WRITERS = 3
_OPEN = "set role isthmus_app; set isthmus.front_end = 'north'"
_BOOK = "select * from ledger.write('north', $1, $2, $3, $4, $5, $6, now(), 'x', true)"
_ENTRY = """[{{"entry_id": "{id}", "reference": "{id}", "kind": "sale", "legs": 2, "state": "posted",
    "value_date": "2026-01-01", "moves": true, "subject": "", "memo": "", "metadata": {{}}, "content": "{id}"}}]"""
_WRONG = f"""select * from ({storage.STANDING}) as stands cross join lateral (
    select coalesce(sum(amount), 0) as legs from ledger.leg join ledger.account using (account_id)
    where account.code = stands.code) as found where posted <> legs"""
# What a dump brings into a server that has counted less far.
_FROM_ELSEWHERE = """do $$ begin
    set local session_replication_role = replica;
    update ledger.leg set xid = xid + 1000000000 where xid > 0;
    update ledger.book set folded = folded + 1000000000;
end $$"""

steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "book", "book", "fold", "fold", "commit", "roll back", "look"]),
        st.integers(0, WRITERS - 1),
    ),
    min_size=4,
    max_size=30,
)


async def book(connection: asyncpg.Connection, minor: int) -> None:
    """Book on cash as the platform does, in whatever transaction the connection is."""
    legs = ([1, 1], [CASH, SALES], ["", ""], ["EUR", "EUR"], [minor, -minor])
    await connection.fetch(
        "select * from ledger.write('north', $1, $2, $3, $4, $5, $6, now(), 'x', true)",
        _ENTRY.format(id=uuid4()),
        *legs,
    )


async def check(connection: asyncpg.Connection) -> None:
    """See that what stands is the sum of the legs that this transaction sees."""
    assert await connection.fetch(_WRONG, "north") == []


async def test_a_long_write_elsewhere_keeps_nothing_from_being_summed_up(office: Office) -> None:
    async with AsyncExitStack() as stack:
        (long,) = await opened(office, stack, 1)
        await long.execute("begin; select pg_current_xact_id()")
        await office.post(*(sale(f"e{number}", 10) for number in range(20)))
        assert await office.fold() == 40
        await book(long, 5)
        await office.post(sale("late", 1))
        assert await office.fold() == 2
        assert await office.posted(CASH) == 201
        await long.execute("commit")
        assert await office.posted(CASH) == await office.summed(CASH) == 206
        assert await office.fold() == 2
        assert await office.posted(CASH) == 206
        assert await office.fold() == 0
    await office.check()


async def test_what_a_transaction_books_after_it_summed_up_is_not_lost(office: Office) -> None:
    async with AsyncExitStack() as stack:
        (one,) = await opened(office, stack, 1)
        await office.post(sale("first", 1))
        await one.execute("begin")
        await book(one, 5)
        await office.post(sale("other", 1))  # a number above that of the transaction that is open
        await one.fetchval("select ledger.fold('north')")
        await book(one, 7)
        await one.execute("commit")
    assert await office.posted(CASH) == 14
    await office.fold()
    assert await office.posted(CASH) == await office.summed(CASH) == 14
    await office.check()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
async def test_every_reader_sees_the_sum_of_the_legs_that_it_sees(office: Office, done: list[tuple[str, int]]) -> None:
    await office.post(sale("first", 1))  # accounts are open: who opens one makes others who would wait
    async with AsyncExitStack() as stack:
        *writers, reader, sees_now = await opened(office, stack, WRITERS + 2)
        is_open = [False] * WRITERS
        await reader.execute("begin isolation level repeatable read, read only; select")
        for number, (name, at) in enumerate(done):
            if name == "look":
                await reader.execute("commit; begin isolation level repeatable read, read only; select")
            elif name == "book":
                await book(writers[at], 2**number)  # each sum says what is in it
            elif name == "fold":
                await writers[at].fetchval("select ledger.fold('north')")
            elif is_open[at] is (name != "begin"):
                await writers[at].execute({"roll back": "rollback"}.get(name, name))
                is_open[at] = name == "begin"
            for one in (writers[at], reader, sees_now):
                await check(one)
    await office.fold()
    await office.check()


async def opened(office: Office, stack: AsyncExitStack, number: int) -> list[asyncpg.Connection]:
    """Open connections that book for the front end; what they left open is rolled back at the end."""
    found = []
    for _ in range(number):
        connection = await asyncpg.connect(office.url)
        stack.push_async_callback(connection.close)
        await connection.execute(_OPEN)
        found.append(connection)
    return found


async def test_books_that_were_restored_into_another_server_go_on(office: Office) -> None:
    await office.open("liabilities:budget", least=0)
    await office.post(sale("one", 10), draft("fill", leg(CASH, 5), leg("liabilities:budget", -5)))
    await office.fold()
    await office.post(sale("two", 20), sale("held", 30, is_pending=True))
    await office.sql(_FROM_ELSEWHERE)
    with pytest.raises(AssertionError, match="numbers-go-on"):
        await office.check()
    await office.sql("select ledger.number_anew()")
    await office.check()
    await office.post(sale("three", 40))
    assert await office.posted(CASH) == await office.summed(CASH) == 75
    await office.end("held", api.post_pending)
    assert await office.fold() == 6
    assert await office.posted(CASH) == await office.summed(CASH) == 105
    assert (await office.entry("two")).legs[0].amount.minor == 20
    await office.check()
