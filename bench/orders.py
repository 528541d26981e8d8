"""Placing an order over HTTP against hand-written asyncpg, and what an order costs as it grows.

The platform: `checkout.place-order` with an Idempotency-Key, one `isthmus serve` process, 16 connections that are kept
alive. Two hands, called in process by 16 tasks on 16 connections: they answer no HTTP, check nothing and ask nobody.
One sends the statements of an order one by one, in the order that was found best (`_by_hand.py`); the other keeps the
same promises in its fewest round trips, with all that is read and locked in one and all that is written in another
(`_paid_by_hand.py`), and so is the limit. All buy baskets of 5 of 2,000 goods, and take turns on one PostgreSQL with
fsync and synchronous commit on.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import msgspec

from bench import _shop as shop
from bench._by_hand import ByHand
from bench._paid_by_hand import PLACING_ROUND_TRIPS, PaidByHand
from bench._wire import tapped
from isthmus.flows.checkout import api as checkout

GOODS = [f"good-{number:05}" for number in range(2_000)]
UNITS = 10_000_000  # of each: nothing runs out
CLIENTS = 16
LINES = 5
SIZES = (1, 20, 200, 1_000)
PART_S = 1.0  # of one side in one turn: short, so that what else the machine does disturbs both
TURNS = 3  # in one round
TRIED = 5  # orders whose round trips are counted
CAN_PAY = {"audit", "ledger"} <= shop.NAMED  # else the fewest round trips, which stand for both, are not compared with
QUIET_S = 0.5  # what follows the order before is sent within it

Row = dict[str, Any]
Buying = Callable[[], Awaitable[object]]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("orders") as url:
        key = await shop.stocked(url, GOODS, UNITS)
        counted = await _round_trips(url)
        async with (
            shop.serving(url) as server,
            _buyers(server, key) as buyers,
            ByHand.open(url, CLIENTS) as by_hand,
            PaidByHand.open(url, CLIENTS) if CAN_PAY else nullcontext() as in_fewest,
        ):
            hands = [[by_hand.buyer(_basket) for _ in range(CLIENTS)]]
            hands += [[in_fewest.placer(_basket) for _ in range(CLIENTS)]] if in_fewest else []
            turns = await _in_turns(url, rounds, _over_http(buyers), *hands)
            sizes = await _sizes(buyers[0])
    fewest = f"one process, of a hand's {PLACING_ROUND_TRIPS} round trips, its fewest"
    return [
        _share(turns, 1, f"one process, of a hand's {by_hand.round_trips} round trips", 0.5),
        *([_share(turns, 2, fewest, 0.6)] if CAN_PAY else []),
        {
            "name": f"round trips of an order of {LINES} lines",
            "value": counted[LINES],
            "unit": "round trips",
            "against": f"by hand: {by_hand.round_trips}, in its fewest {PLACING_ROUND_TRIPS}",
            "ratio": counted[LINES] / by_hand.round_trips,
            "aim": "reported",
            "met": None,
        },
        {
            "name": "round trips of an order of 1,000 lines",
            "value": counted[1_000],
            "unit": "round trips",
            "against": f"of {LINES} lines: {counted[LINES]}",
            "ratio": counted[1_000] / counted[LINES],
            "aim": "1 x: whatever the number of lines",
            "met": counted[1_000] == counted[LINES],
        },
        *sizes,
    ]


def _share(turns: Sequence[Sequence[float]], hand: int, what: str, aim: float) -> Row:
    """Return the row of the platform's rate beside that of a hand: medians over turns."""
    ours, limit = (statistics.median(turn[side] for turn in turns) for side in (0, hand))
    ratio = statistics.median(turn[0] / turn[hand] for turn in turns)
    return {
        "name": f"orders of {LINES} lines over HTTP, {CLIENTS} clients, {what}",
        "value": ours,
        "unit": "orders/s",
        "against": f"asyncpg by hand, in process: {limit:,.0f} orders/s",
        "ratio": ratio,
        "aim": f">= {aim:g} x",
        "met": ratio >= aim,
    }


def _basket(lines: int = LINES) -> list[str]:
    return random.sample(GOODS, lines)


def _ask(skus: Sequence[str]) -> bytes:
    lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in skus)
    return msgspec.json.encode({"currency": shop.CURRENCY, "lines": lines})


@asynccontextmanager
async def _buyers(server: shop.Server, key: str) -> AsyncGenerator[list[shop.Buyer]]:
    buyers = [await shop.Buyer.connect(server.port, key) for _ in range(CLIENTS)]
    yield buyers
    for buyer in buyers:
        buyer.close()


def _over_http(buyers: Sequence[shop.Buyer]) -> list[Buying]:
    def buying(buyer: shop.Buyer) -> Buying:
        async def buy() -> None:
            status, body = await buyer.call("checkout.place-order", _ask(_basket()), uuid.uuid4().hex)
            if status != 200:
                raise RuntimeError(f"an order was refused: {body[:400]!r}")

        return buy

    return [buying(buyer) for buyer in buyers]


async def _in_turns(url: str, rounds: int, *sides: Sequence[Buying]) -> list[list[float]]:
    """Return how many a second each side does in each turn, one side right after the other."""
    for side in sides:
        await _rate(side, PART_S)  # statements are prepared, caches are warm
    await shop.analyse(url)
    return [[await _rate(side, PART_S) for side in sides] for _ in range(rounds * TURNS)]


async def _rate(side: Sequence[Buying], lasts_s: float) -> float:
    began = time.perf_counter()

    async def client(buy: Buying) -> int:
        done = 0
        while time.perf_counter() - began < lasts_s:
            await buy()
            done += 1
        return done

    done = sum(await asyncio.gather(*map(client, side)))
    return done / (time.perf_counter() - began)


async def _round_trips(url: str) -> dict[int, int]:
    """Return the round trips of an order by the number of its lines, commit included, counted on the wire."""
    counted: dict[int, int] = {}
    async with tapped(url) as tap, shop.running(tap.url) as running:
        for lines in (LINES, *SIZES):
            ask = checkout.PlaceOrder(
                currency=shop.CURRENCY, lines=tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in _basket(lines))
            )
            trips: list[int] = []
            for _ in range(TRIED + 1):
                await asyncio.sleep(QUIET_S)
                before = tap.round_trips
                await running.platform.call(checkout.place_order, ask, shop.CALLER, key=uuid.uuid4().hex)
                trips.append(tap.round_trips - before)
            # The first prepares its statements; jobs of the platform, where they fall into an order, add their own.
            counted[lines] = min(trips[1:])
    return counted


async def _sizes(buyer: shop.Buyer) -> list[Row]:
    """Time one order after the other at several sizes, against one line."""
    took_ms: dict[int, float] = {}
    for lines in SIZES:
        times: list[float] = []
        for _ in range(30):
            ask = _ask(_basket(lines))
            began = time.perf_counter()
            status, body = await buyer.call("checkout.place-order", ask, uuid.uuid4().hex)
            times.append(1000 * (time.perf_counter() - began))
            if status != 200:
                raise RuntimeError(f"an order was refused: {body[:400]!r}")
        took_ms[lines] = statistics.median(times)
    first = took_ms[SIZES[0]]
    return [
        {
            "name": f"one order of {lines:,} line{'s' if lines > 1 else ''} over HTTP",
            "value": took_ms[lines],
            "unit": "ms",
            "against": f"one line {lines:,} times: {first * lines:,.1f} ms",
            "ratio": took_ms[lines] / (first * lines),
            "aim": "<= 1 x: no worse than in proportion",
            "met": took_ms[lines] <= first * lines,
        }
        for lines in SIZES
    ]
