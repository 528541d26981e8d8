"""64 buyers place and pay the same SKU over HTTP, against the same promises by hand; and nobody is refused in vain.

The platform: one `isthmus serve` process, a key on both calls. The hand: `_paid_by_hand.py` in process, an order in
transactions of its own, so that buyers wait for each other's lock of the stock. They take turns on one PostgreSQL with
fsync and synchronous commit on. Then 64 buyers go on until a scarce SKU is sold out, one in eight of them with a basket
that is refused: what was sold, what was paid for and what is left are counted in the database.
"""

from __future__ import annotations

import asyncio
import statistics
import uuid
from typing import Any

import asyncpg
import msgspec

from bench import _shop as shop
from bench._paid_by_hand import PaidByHand
from bench.paid import Meter, paying
from isthmus.flows.checkout import api as checkout

CLIENTS = 64
SKU, SCARCE, UNSOLD = "hot", "scarce", "unsold"
UNITS = 10_000_000
SCARCE_UNITS = 200
REFUSED_EVERY = 8  # clients: one of so many asks for what there is none of

Row = dict[str, Any]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("hot_checkout") as url:
        await shop.stocked(url, [UNSOLD], 1)
        await shop.stocked(url, [SCARCE], SCARCE_UNITS)
        key = await shop.stocked(url, [SKU], UNITS)
        async with shop.serving(url) as server, PaidByHand.open(url, CLIENTS) as by_hand:
            hands = [by_hand.buyer(lambda: [SKU]) for _ in range(CLIENTS)]
            buyers = [paying(server.port, key, lambda: _ask(SKU)) for _ in range(CLIENTS)]
            meter = await Meter.of(url, server.process)
            await meter.turn(buyers)
            await meter.turn(hands)
            await shop.analyse(url)
            turns = [(await meter.turn(buyers), await meter.turn(hands)) for _ in range(rounds)]
            await meter.close()
            refused_in_vain = await _sell_out(server.port, key)
        wrong = await _oversold(url)
    rate, limit = (statistics.median(turn[side].rate for turn in turns) for side in (0, 1))
    ratio = statistics.median(ours.rate / theirs.rate for ours, theirs in turns)
    p99, limit_p99 = (statistics.median(turn[side].p99_ms for turn in turns) for side in (0, 1))
    name = f"hot SKU placed and paid, {CLIENTS} clients"
    return [
        {
            "name": name,
            "value": rate,
            "unit": "orders/s",
            "against": f"by hand, each in its own transactions: {limit:,.0f} orders/s",
            "ratio": ratio,
            "aim": ">= 3 x",
            "met": ratio >= 3,
        },
        {
            "name": f"{name}: p99",
            "value": p99,
            "unit": "ms",
            "against": f"by hand: {limit_p99:,.1f} ms",
            "ratio": p99 / limit_p99,
            "aim": "reported",
            "met": None,
        },
        _nothing(f"{name}, {SCARCE_UNITS} units: sold or paid for beyond them, or left", wrong),
        _nothing(f"{name}: refused though there was stock", refused_in_vain),
    ]


def _nothing(name: str, value: int) -> Row:
    said = {"name": name, "value": value, "unit": "orders", "against": "nothing", "ratio": None}
    return {**said, "aim": "0", "met": value == 0}


def _ask(sku: str, quantity: int = 1) -> dict[str, Any]:
    return {"currency": shop.CURRENCY, "lines": (checkout.BuyLine(sku=sku, quantity=quantity),)}


async def _sell_out(port: int, key: str) -> int:
    """Let 64 buyers buy until nothing is left; return how many were refused while there still was some."""
    sold, refused = 0, 0

    async def client(number: int) -> None:
        nonlocal sold, refused
        buyer = await shop.Buyer.connect(port, key)
        wants = _ask(UNSOLD, 2) if number % REFUSED_EVERY == 0 else _ask(SCARCE)
        for _ in range(SCARCE_UNITS):
            status, body = await buyer.call("checkout.place-order", msgspec.json.encode(wants), uuid.uuid4().hex)
            if status != 200:
                if number % REFUSED_EVERY == 0:
                    continue
                refused += sold < SCARCE_UNITS and b"short" not in body
                return
            sold += 1
            said = {"payment_id": msgspec.json.decode(body)["payment_id"], "method": "card", "token": "yes"}
            status, body = await buyer.call("checkout.pay-order", msgspec.json.encode(said), uuid.uuid4().hex)
            if status != 200:
                raise RuntimeError(f"an order was not paid: {body[:400]!r}")

    await asyncio.gather(*map(client, range(CLIENTS)))
    return refused


async def _oversold(url: str) -> int:
    """Return by how much orders, money and stock of the scarce SKU differ from what there was."""
    connection = await asyncpg.connect(url)
    row = await connection.fetchrow(
        """select (select coalesce(sum(quantity), 0) from "order".lines join "order".orders using (front_end, order_id)
                   where sku = $1 and state = 'paid') as paid,
                  (select coalesce(sum(on_hand - reserved), 0) from inventory.stock where sku = $1) as free""",
        SCARCE,
    )
    await connection.close()
    return abs(int(row["paid"]) - SCARCE_UNITS) + abs(int(row["free"]))
