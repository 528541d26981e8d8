"""Booking entries, on a thousand accounts and on one that everybody books on, against the same statements by hand.

The platform: `ledger.post` in this process, by 16 tasks; those that ask at the same time are booked together. The
limit: the same rows by the same statement, each in a transaction of its own on one of 16 connections, written with
asyncpg: it checks nothing, asks nobody and keeps no log of who did what. Beside both stands how books are
often kept: entry and legs are inserted and the balance of each account is a row that is updated, so that everybody who
books on the one account waits for everybody else. All three take turns on one PostgreSQL with fsync on.

An order that is placed and paid, with its bookings, stands beside one on the same database without the flows that book:
both in this process, in turns.

Balances are looked up on accounts with many legs (ISTHMUS_BENCH_LEGS; a million unless it says otherwise), most of them
summed up and some not, while a write that nobody ends stands in the same server.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from bench import _shop as shop
from bench._clock import Clock
from isthmus.app import platform
from isthmus.app.packs import plugged
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import FrontEnd
from isthmus.packs.ledger import api
from isthmus.values import money

CLIENTS = 16
ACCOUNTS = 1_000
BATCH = 100
BATCHING = 4  # tasks that send batches, two for each processor: while one is decided on, another is written
PART_S = 0.4  # short turns, and many: what else a machine does disturbs each side alike
TURNS = 4  # a round
LEGS = int(os.environ.get("ISTHMUS_BENCH_LEGS", "1000000"))
LOOKED_UP = 1_000  # so many that processors' time, which is counted in hundredths of a second, says something
WAIT_S = 1_800  # for legs that are written before anything is measured
GOODS, LINES, PAYING = 500, 5, 8

Row = dict[str, Any]
Booking = Callable[[], Awaitable[object]]
Legs = Sequence[tuple[str, int]]

_PLAIN = """
    create schema plain;
    create table plain.account (code text primary key, balance bigint not null default 0) with (fillfactor = 70);
    create table plain.entry (entry_id uuid primary key, reference text not null unique, at timestamptz not null);
    create table plain.leg (entry_id uuid not null, leg int not null, account text not null, amount bigint not null,
        primary key (entry_id, leg));
    create index on plain.leg (account, entry_id);"""
# Ids follow each other, as those of the platform do.
_MANY_LEGS = """
    insert into ledger.leg (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at, xid)
    select 'north', entry_id, side, '=', case side when 1 then cash else other end, 'EUR',
        case side when 1 then 5 else -5 end, day, day, pg_current_xact_id()::text::bigint
    from (
        select lpad(to_hex($2 + n), 32, '0')::uuid as entry_id, date '2026-01-01' + (n % 365)::int as day
        from generate_series(1, $1::bigint) as n) as e
    cross join generate_series(1, 2) as side
    cross join (select max(account_id) filter (where code = 'assets:many') as cash,
        max(account_id) filter (where code = 'income:many') as other from ledger.account) as accounts"""


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    found: list[Row] = []
    async with shop.database("ledger") as url, shop.running(url) as running:
        pool = await asyncpg.create_pool(url, min_size=CLIENTS, max_size=CLIENTS)
        await pool.execute(_PLAIN)
        opening = tuple(_draft(((code, 5), (_HOT[1], -5))) for code in (*_codes(), _HOT[0]))
        for at in range(0, len(opening), BATCH):
            await running.platform.call(api.post, api.Post(entries=opening[at : at + BATCH]), shop.CALLER)
        await pool.executemany("insert into plain.account values ($1)", [(code,) for code in {*_codes(), *_HOT}])
        for name, choose in ((f"{ACCOUNTS:,} accounts", _any), ("one account of all", _hot)):
            for batch, tasks in ((1, CLIENTS), (BATCH, BATCHING)):
                sides = [
                    [_platform(running, choose, batch) for _ in range(tasks)],
                    [_by_hand(pool, choose, batch) for _ in range(tasks)],
                    [_balance_rows(pool, choose, batch) for _ in range(tasks)],
                ]
                found += await _compared(url, f"{name}, {_how(batch, tasks)}", rounds, batch, sides)
        await pool.close()
        found += await _looked_up(url, running)
    return [*found, *await _booked_orders(rounds)]


async def _booked_orders(rounds: int) -> list[Row]:
    """Compare orders that are placed and paid with those whose bookkeeping is left out."""
    goods = [f"good-{number:03}" for number in range(GOODS)]
    async with shop.database("booked") as url:
        await shop.stocked(url, goods, 10_000_000)
        whole, less = shop.config(url), dataclasses.replace(shop.config(url), leave_out=("bookkeeping",))
        uses = tuple(f"{pack.name}.*" for pack in plugged(less))
        north = FrontEnd(code=shop.FRONT_END, name="North", owner="north team", uses=uses)
        async with (
            platform.running(whole, [north], allowed="migrate") as with_,
            platform.running(less, [north]) as without,
        ):
            sides = [[_paying(one, goods) for _ in range(PAYING)] for one in (with_, without)]
            for side in sides:
                await _rate(side, 1)
            await shop.analyse(url)
            turns = [[await _timed(url, side) for side in sides] for _ in range(2 * TURNS * rounds)]
    rates = [(ours, bare) for (ours, _), (bare, _) in turns]
    processors = [(ours, bare) for (_, ours), (_, bare) in turns]
    ratio = statistics.median(ours / bare for ours, bare in rates)
    worked, bare = (sum(pair[at] for pair in processors) / len(turns) for at in range(2))
    name = f"orders of {LINES} lines placed and paid, with their bookings, {PAYING} at once"
    aim = {"aim": ">= 0.9 x"}
    return [
        {
            "name": name,
            "value": statistics.median(ours for ours, _ in rates),
            "unit": "orders/s",
            "against": f"without bookkeeping: {statistics.median(bare for _, bare in rates):,.0f} orders/s",
            "ratio": ratio,
            **aim,
            "met": ratio >= 0.9,
        },
        {
            "name": f"{name}: processor time, of PostgreSQL too",
            "value": worked,
            "unit": "ms an order",
            "against": f"without bookkeeping: {bare:.2f} ms",
            "ratio": bare / worked,
            **aim,
            "met": bare / worked >= 0.9,
        },
    ]


async def _timed(url: str, side: Sequence[Booking], batch: int = 1) -> tuple[float, float]:
    """Return how many a second, and milliseconds of processors for each."""
    clock = await Clock.started(url)
    rate = await _rate(side, batch)
    spent = await clock.stopped()
    return rate, 1000 * (spent.own + spent.database) / (rate * spent.seconds)


def _paying(running: platform.Running, goods: Sequence[str]) -> Booking:
    async def pay() -> None:
        lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in random.sample(goods, LINES))
        ask = checkout.PlaceOrder(currency=shop.CURRENCY, lines=lines)
        call = running.platform.call
        placed = await call(checkout.place_order, ask, shop.CALLER, key=uuid.uuid4().hex)
        asked = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="yes")
        await call(checkout.pay_order, asked, shop.CALLER, key=uuid.uuid4().hex)

    return pay


def _how(batch: int, tasks: int) -> str:
    return f"one by one, {tasks} at once" if batch == 1 else f"in batches of {batch}, {tasks} at once"


async def _compared(url: str, name: str, rounds: int, batch: int, sides: list[list[Booking]]) -> list[Row]:
    for side in sides:
        await _rate(side, batch)
    await shop.analyse(url)
    timed = [[await _timed(url, side, batch) for side in sides] for _ in range(TURNS * rounds)]
    turns = [[rate for rate, _ in turn] for turn in timed]
    ours, limit, rows_ = (statistics.median(turn[at] for turn in turns) for at in range(3))
    worked, by_hand, _ = (1000 * sum(turn[at][1] for turn in timed) / len(timed) for at in range(3))
    ratio = statistics.median(turn[0] / turn[1] for turn in turns)
    beside = statistics.median(turn[0] / turn[2] for turn in turns)
    return [
        {
            "name": f"entries on {name}",
            "value": ours,
            "unit": "entries/s",
            "against": f"the same by hand: {limit:,.0f} entries/s; processors {worked:.0f} and {by_hand:.0f} µs",
            "ratio": ratio,
            "aim": ">= 0.8 x",
            "met": ratio >= 0.8,
        },
        {
            "name": f"entries on {name}, beside balances that are rows",
            "value": ours,
            "unit": "entries/s",
            "against": f"inserts and an update of each balance, by hand: {rows_:,.0f} entries/s",
            "ratio": beside,
            "aim": "reported",
            "met": None,
        },
    ]


async def _rate(side: Sequence[Booking], batch: int) -> float:
    began = time.perf_counter()

    async def client(book: Booking) -> int:
        done = 0
        while time.perf_counter() - began < PART_S:
            await book()
            done += batch
        return done

    done = sum(await asyncio.gather(*map(client, side)))
    return done / (time.perf_counter() - began)


_HOT = ("assets:clearing", "income:hot")


def _codes() -> list[str]:
    return [f"assets:a{number}" for number in range(ACCOUNTS)]


def _any() -> Legs:
    one, other = random.sample(range(ACCOUNTS), 2)
    return ((f"assets:a{one}", 500), (f"assets:a{other}", -500))


def _hot() -> Legs:
    return ((_HOT[0], 500), (_HOT[1], -500))


def _platform(running: Any, choose: Callable[[], Legs], batch: int) -> Booking:
    async def book() -> None:
        ask = api.Post(entries=tuple(_draft(choose()) for _ in range(batch)))
        await running.platform.call(api.post, ask, shop.CALLER)

    return book


def _draft(legs: Legs) -> api.EntryDraft:
    named = tuple(api.EntryLeg(account=code, amount=money(minor, "EUR")) for code, minor in legs)
    return api.EntryDraft(reference=uuid.uuid4().hex, kind="sale", legs=named)


def _by_hand(pool: asyncpg.Pool, choose: Callable[[], Legs], batch: int) -> Booking:
    """Return what books the same rows by the statement of the books, with nothing around it but its transaction."""

    async def book() -> None:
        now = datetime.now(UTC)
        entries: list[Row] = []
        legs: list[tuple[int, str, int]] = []
        for place in range(1, batch + 1):
            entry_id = uuid.uuid4()
            entries.append(
                {
                    "entry_id": entry_id,
                    "reference": entry_id.hex,
                    "kind": "sale",
                    "state": "posted",
                    "value_date": now.date(),
                    "moves": True,
                    "subject": "",
                    "memo": "",
                    "metadata": {},
                    "legs": 2,
                    "content": entry_id,
                    "linked_to": entries[0]["entry_id"] if entries else entry_id if batch > 1 else None,
                }
            )
            legs += [(place, code, minor) for code, minor in choose()]
        columns = [[leg[at] for leg in legs] for at in range(3)]
        written = msgspec.json.encode(entries).decode()
        async with pool.acquire() as connection:
            await connection.execute("begin; set isthmus.front_end = 'north'")
            await connection.fetch(
                "select * from ledger.write('north', $1, $2, $3, $4, $5, $6, $7, 'hand', false)",
                written,
                columns[0],
                columns[1],
                [""] * len(legs),
                ["EUR"] * len(legs),
                columns[2],
                now,
            )
            await connection.execute("commit")

    return book


def _balance_rows(pool: asyncpg.Pool, choose: Callable[[], Legs], batch: int) -> Booking:
    """Return what books as is often done: every balance is a row, updated in the order of the accounts."""

    async def book() -> None:
        now = datetime.now(UTC)
        ids = [uuid.uuid4() for _ in range(batch)]
        legs = [(entry_id, at, code, minor) for entry_id in ids for at, (code, minor) in enumerate(choose())]
        sums: dict[str, int] = {}
        for _, _, code, minor in legs:
            sums[code] = sums.get(code, 0) + minor
        async with pool.acquire() as connection:
            await connection.execute("begin")
            await connection.execute(
                """with entries as (insert into plain.entry select id, id::text, $6 from unnest($1::uuid[]) as id)
                   insert into plain.leg select * from unnest($2::uuid[], $3::int[], $4::text[], $5::bigint[])""",
                ids,
                *([leg[at] for leg in legs] for at in range(4)),
                now,
            )
            await connection.execute(
                """with held as materialized (
                       select code, minor from plain.account join unnest($1::text[], $2::bigint[]) as sums (name, minor)
                           on name = code order by code for update of account)
                   update plain.account set balance = balance + minor from held where account.code = held.code""",
                list(sums),
                list(sums.values()),
            )
            await connection.execute("commit")

    return book


async def _looked_up(url: str, running: Any) -> list[Row]:
    """Time the balance of an account with many legs, of which the last thousand entries are not summed up yet."""
    legs = (
        api.EntryLeg(account="assets:many", amount=money(5, "EUR")),
        api.EntryLeg(account="income:many", amount=money(-5, "EUR")),
    )
    first = api.EntryDraft(reference="many", kind="sale", legs=legs)
    await running.platform.call(api.post, api.Post(entries=(first,)), shop.CALLER)
    connection, long = await asyncpg.connect(url), await asyncpg.connect(url)
    await connection.execute("set session_replication_role = replica")  # they are known to balance
    await long.execute("begin; select pg_current_xact_id()")  # a write that stands all the while, in whatever table
    await connection.execute(_MANY_LEGS, LEGS // 2 - 1_000, 0, timeout=WAIT_S)
    await connection.execute("set isthmus.front_end = 'north'")
    if await connection.fetchval("select ledger.fold('north')", timeout=WAIT_S) < LEGS - 2_000:
        raise AssertionError("legs are not summed up behind a transaction that is open")
    await connection.execute(_MANY_LEGS, 1_000, LEGS)
    await connection.execute("analyze ledger.leg")
    await connection.close()
    ask = api.GetBalance(code="assets:many", currency="EUR")
    took_ms: list[float] = []
    clock = await Clock.started(url)
    for _ in range(LOOKED_UP):
        began = time.perf_counter()
        await running.platform.call(api.get_balance, ask, shop.CALLER)
        took_ms.append(1000 * (time.perf_counter() - began))
    spent = await clock.stopped()
    await long.close()
    worked = 1000 * (spent.own + spent.database) / LOOKED_UP
    p50 = statistics.median(took_ms)
    return [
        {
            "name": f"a balance with {LEGS:,} legs in the books, 1,000 entries not summed up, a write open",
            "value": p50,
            "unit": "ms",
            "against": f"p99 {sorted(took_ms)[int(LOOKED_UP * 0.99)]:.2f} ms; processors {worked:.2f} ms",
            "ratio": None,
            "aim": "<= 1 ms",
            "met": p50 <= 1,
        }
    ]
