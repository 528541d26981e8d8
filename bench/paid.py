"""Placing and paying an order over HTTP, from basket to money, against the same promises by hand.

The platform: `checkout.place-order` and `checkout.pay-order`, each with an Idempotency-Key, one `isthmus serve`
process, the built-in provider, 1, 8 and 16 connections that are kept alive. The limit: `_paid_by_hand.py`, called in
process; it answers no HTTP, checks little and asks nobody. Both buy baskets of 5 of 2,000 goods and take turns on one
PostgreSQL with fsync and synchronous commit on. The driver is this process, on the same cores as both.

Round trips are counted on the wire of one order, and calls of Python and C in process, where the same order has the
same number of them; transactions, write-ahead log and processor time are those of the whole server, divided by the
orders of the turn: what the relay and other work of the server take is in them.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
import psutil

from bench import _shop as shop
from bench._paid_by_hand import ROUND_TRIPS, TRANSACTIONS, PaidByHand
from bench._wire import tapped
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Platform

GOODS = [f"good-{number:05}" for number in range(2_000)]
UNITS = 10_000_000  # of each: nothing runs out
CLIENTS = (1, 8, 16)
LINES = 5
PART_S = 2.0  # of one side in one turn
TRIED = 5  # orders whose round trips and calls are counted
WARM = 40  # orders before calls are counted: traces are kept of a share, and what is worked out once is
FOLLOWED = 400  # orders that are paid and then waited for, until nothing follows any more
FOLLOWED_CLIENTS = 4
QUIET_S = 8.0
_WAITING = """
    select (select count(*) from runtime.delivery where state = 'waiting')
         + (select count(*) from runtime.pending_call where due_at <= now())"""

Row = dict[str, Any]
Buying = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Took:
    """What a turn came to, by order."""

    rate: float
    p50_ms: float
    p99_ms: float
    server_ms: float
    postgres_ms: float
    transactions: float
    wal_kb: float


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    found: list[Row] = []
    async with shop.database("paid") as url:
        key = await shop.stocked(url, GOODS, UNITS)
        trips, calls = await _round_trips(url), await _calls(url)
        async with shop.serving(url) as server, PaidByHand.open(url, max(CLIENTS)) as by_hand:
            hands = [by_hand.buyer(_basket) for _ in range(max(CLIENTS))]
            buyers = [paying(server.port, key, ask) for _ in range(max(CLIENTS))]
            meter = await Meter.of(url, server.process)
            await meter.turn(buyers)
            await meter.turn(hands)
            await shop.analyse(url)
            for clients in CLIENTS:
                turns = [(await meter.turn(buyers[:clients]), await meter.turn(hands[:clients])) for _ in range(rounds)]
                found += _measured_rows(clients, turns)
            found += _followed_rows(await meter.followed(buyers[:FOLLOWED_CLIENTS]))
            await meter.close()
    counted = [_row(f"calls of {of} of a paid order", calls[of], "calls", "in process") for of in ("Python", "C")]
    trip = _row("round trips of a paid order", trips, "round trips", f"by hand: {ROUND_TRIPS}", aim=16)
    return [trip, *counted, *found]


def _followed_rows(took: Took) -> list[Row]:
    """Return the rows of orders with all that follows them after the answer: jobs at once, and subscriptions."""
    said = "what an idle server takes meanwhile is taken off"
    figures = [
        ("the server's processor time", took.server_ms, "ms"),
        ("PostgreSQL's processor time", took.postgres_ms, "ms"),
        ("transactions", took.transactions, "each"),
        ("write-ahead log", took.wal_kb, "kB"),
    ]
    return [_row(f"paid orders and what follows them: {what}", value, unit, said) for what, value, unit in figures]


def _row(name: str, value: float, unit: str, against: str, aim: float | None = None) -> Row:
    said = "reported" if aim is None else f"<= {aim:g}"
    met = None if aim is None else value <= aim
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": None, "aim": said, "met": met}


def _measured_rows(clients: int, turns: Sequence[tuple[Took, Took]]) -> list[Row]:
    """Return the rows of one number of clients: medians over turns."""

    def median(side: int, what: str) -> float:
        return statistics.median(getattr(turn[side], what) for turn in turns)

    ratio = statistics.median(ours.rate / limit.rate for ours, limit in turns)
    name = f"paid orders of {LINES} lines, {clients} client{'s' if clients > 1 else ''}"
    rate: Row = {
        "name": name,
        "value": median(0, "rate"),
        "unit": "orders/s",
        "against": f"asyncpg by hand, in process: {median(1, 'rate'):,.0f} orders/s",
        "ratio": ratio,
        "aim": ">= 0.6 x",
        "met": ratio >= 0.6,
    }
    others = [
        ("p50", "p50_ms", "ms", f"by hand: {median(1, 'p50_ms'):.1f} ms"),
        ("p99", "p99_ms", "ms", f"by hand: {median(1, 'p99_ms'):.1f} ms"),
        ("the server's processor time", "server_ms", "ms", "the hand is no server"),
        ("PostgreSQL's processor time", "postgres_ms", "ms", f"by hand: {median(1, 'postgres_ms'):.2f} ms"),
        ("transactions", "transactions", "each", f"by hand: {TRANSACTIONS}; what the server does besides is in it"),
        ("write-ahead log", "wal_kb", "kB", f"by hand: {median(1, 'wal_kb'):.1f} kB"),
    ]
    return [rate, *(_row(f"{name}: {what}", median(0, of), unit, other) for what, of, unit, other in others)]


def ask() -> dict[str, Any]:
    """Return what a guest asks for who buys some goods."""
    lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in _basket())
    return {"currency": shop.CURRENCY, "lines": lines}


def _basket() -> list[str]:
    return random.sample(GOODS, LINES)


def paying(
    port: int, key: str, ask: Callable[[], dict[str, Any]], check: Callable[[dict[str, Any]], bool] = lambda _: True
) -> Buying:
    """Return what places and pays one order, on a connection that is kept; `check` says if it is what was meant."""
    connected: list[shop.Buyer] = []

    async def pay() -> None:
        if not connected or connected[0].is_closed:  # the server hangs up between turns
            connected[:] = [await shop.Buyer.connect(port, key)]
        buyer = connected[0]
        placed = await _call(buyer, "checkout.place-order", ask())
        if not check(placed):
            raise RuntimeError(f"another kind of order was placed: {placed}")
        paid = await _call(
            buyer, "checkout.pay-order", {"payment_id": placed["payment_id"], "method": "card", "token": "yes"}
        )
        if paid["state"] != "captured":
            raise RuntimeError(f"the money was not taken: {paid}")

    return pay


async def _call(buyer: shop.Buyer, capability: str, ask: object) -> dict[str, Any]:
    status, body = await buyer.call(capability, msgspec.json.encode(ask), uuid.uuid4().hex)
    if status != 200:
        raise RuntimeError(f"{capability} was refused: {body[:400]!r}")
    return msgspec.json.decode(body)


def _buying(platform: Platform) -> Buying:
    """Return what places and pays one order in process."""

    async def buy() -> None:
        lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in _basket())
        ask = checkout.PlaceOrder(currency=shop.CURRENCY, lines=lines)
        placed = await platform.call(checkout.place_order, ask, shop.CALLER, key=uuid.uuid4().hex)
        pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="yes")
        await platform.call(checkout.pay_order, pay, shop.CALLER, key=uuid.uuid4().hex)

    return buy


async def _round_trips(url: str) -> float:
    """Return the round trips of an order that is placed and paid, counted where nobody else buys."""
    async with tapped(url) as tap, shop.running(tap.url) as running:
        buy, counted = _buying(running.platform), list[int]()
        for _ in range(TRIED + 1):
            before = tap.round_trips
            await buy()
            counted.append(tap.round_trips - before)
        # The first prepares its statements; jobs of the platform, where they fall into an order, add their own.
        return min(counted[1:])


async def _calls(url: str) -> dict[str, float]:
    """Return how often functions of Python and C are called, or go on after a wait: the same in each run."""
    found: list[Counter[str]] = []
    async with shop.running(url) as running:
        buy = _buying(running.platform)
        for _ in range(WARM):
            await buy()
        for _ in range(TRIED):
            found.append(Counter())
            sys.setprofile(lambda _frame, event, _of: found[-1].update((event,)))
            try:
                await buy()
            finally:
                sys.setprofile(None)
    return {name: min(one[event] for one in found) for name, event in (("Python", "call"), ("C", "c_call"))}


class Meter:
    """Runs turns, and reads off what they took."""

    def __init__(self, connection: asyncpg.Connection, server: psutil.Process, postgres: psutil.Process) -> None:
        self._connection = connection
        self._server = server
        self._postgres = postgres

    @classmethod
    async def of(cls, url: str, server: psutil.Process) -> Meter:
        connection = await asyncpg.connect(url)
        backend: int = await connection.fetchval("select pg_backend_pid()")
        return cls(connection, server, psutil.Process(psutil.Process(backend).ppid()))

    async def close(self) -> None:
        await self._connection.close()

    async def turn(self, side: Sequence[Buying]) -> Took:
        """Let each of a side buy for a while."""
        before = await self._read()
        took: list[float] = []
        began = time.perf_counter()

        async def client(buy: Buying) -> None:
            while (at := time.perf_counter()) - began < PART_S:
                await buy()
                took.append(1000 * (time.perf_counter() - at))

        await asyncio.gather(*map(client, side))
        lasted = time.perf_counter() - began
        after = await self._read()
        server, postgres, transactions, wal = (
            (now - then) / len(took) for now, then in zip(after, before, strict=True)
        )
        in_order = sorted(took)
        return Took(
            rate=len(took) / lasted,
            p50_ms=in_order[len(took) // 2],
            p99_ms=in_order[int(len(took) * 0.99)],
            server_ms=1000 * server,
            postgres_ms=1000 * postgres,
            transactions=transactions,
            wal_kb=wal / 1024,
        )

    async def followed(self, side: Sequence[Buying]) -> Took:
        """Let a side buy some orders, and wait until nothing is left to be done for them."""
        await self._settle()
        began, before = time.perf_counter(), await self._read()
        await asyncio.sleep(QUIET_S)
        idle = [
            (now - then) / (time.perf_counter() - began) for now, then in zip(await self._read(), before, strict=True)
        ]
        began, before, left = time.perf_counter(), await self._read(), [FOLLOWED]

        async def client(buy: Buying) -> None:
            while left[0] > 0:
                left[0] -= 1
                await buy()

        await asyncio.gather(*map(client, side))
        bought = time.perf_counter() - began
        await self._settle()
        lasted = time.perf_counter() - began
        server, postgres, transactions, wal = (
            (now - then - lasted * rest) / FOLLOWED
            for now, then, rest in zip(await self._read(), before, idle, strict=True)
        )
        return Took(FOLLOWED / bought, 0.0, 0.0, 1000 * server, 1000 * postgres, transactions, wal / 1024)

    async def _settle(self) -> None:
        """Wait until nothing has waited to be done at three looks in a row."""
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(1)
            quiet = 0 if await self._connection.fetchval(_WAITING) else quiet + 1

    async def _read(self) -> tuple[float, float, float, float]:
        return (_own_cpu(self._server), self._postgres_cpu(), *await self._counted())

    async def _counted(self) -> tuple[float, float]:
        """Return the transactions and the write-ahead log so far. Each process tells its transactions once a second."""
        await asyncio.sleep(1.2)
        row = await self._connection.fetchrow(
            """select xact_commit + xact_rollback as transactions, pg_current_wal_lsn() - '0/0'::pg_lsn as wal
               from pg_stat_database where datname = current_database()"""
        )
        return float(row["transactions"]), float(row["wal"])  # pyright: ignore[reportOptionalSubscript]

    def _postgres_cpu(self) -> float:
        own = self._postgres.cpu_times()
        ended = own.children_user + own.children_system  # connections that are gone
        return ended + sum(_own_cpu(one) for one in (self._postgres, *self._postgres.children()))


def _own_cpu(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return used.user + used.system
