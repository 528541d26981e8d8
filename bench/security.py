"""What security costs: placing an order over HTTP with the audit log and without it, side by side.

Two `isthmus serve` processes, each on a database of its own in one PostgreSQL with fsync and synchronous commit on: one
as it ships, one that leaves the pack out. 16 connections that are kept alive buy baskets of 5 of 2,000 goods from each,
in turns, so that what else the machine does disturbs both. Sealing, signing and publishing go on meanwhile and count.
"""

from __future__ import annotations

import statistics
from contextlib import AsyncExitStack
from typing import Any

from bench import _shop as shop
from bench.orders import CLIENTS, GOODS, LINES, UNITS, Buying, _over_http
from bench.paid import Meter, Took

Row = dict[str, Any]

TURNS = 3  # in one round


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_audit(rounds))


async def _audit(rounds: int) -> list[Row]:
    async with AsyncExitStack() as stack:
        sides: list[tuple[Meter, list[Buying]]] = []
        for name, leave_out in (("with", ()), ("without", ("audit",))):
            url = await stack.enter_async_context(shop.database(f"audit_{name}"))
            key = await shop.stocked(url, GOODS, UNITS)
            server = await stack.enter_async_context(shop.serving(url, leave_out=leave_out))
            buyers = [await shop.Buyer.connect(server.port, key) for _ in range(CLIENTS)]
            for buyer in buyers:
                stack.callback(buyer.close)
            meter = await Meter.of(url, server.process)
            stack.push_async_callback(meter.close)
            sides.append((meter, _over_http(buyers)))
            await meter.turn(sides[-1][1])  # statements are prepared, caches are warm
            await shop.analyse(url)
        found = [[await meter.turn(buying) for meter, buying in sides] for _ in range(rounds * TURNS)]
    rates = [_row("orders a second", "orders/s", [(one.rate, other.rate) for one, other in found])]
    used = [(1 / _processor_ms(one), 1 / _processor_ms(other)) for one, other in found]
    return [*rates, _row("orders by processor time", "orders/ms", used)]


def _processor_ms(took: Took) -> float:
    return took.server_ms + took.postgres_ms


def _row(what: str, unit: str, found: list[tuple[float, float]]) -> Row:
    audited, plain = (statistics.median(side) for side in zip(*found, strict=True))
    ratio = statistics.median(one / other for one, other in found)
    return {
        "name": f"{what} with the audit log: {LINES} lines over HTTP, {CLIENTS} clients, one process",
        "value": audited,
        "unit": unit,
        "against": f"left out: {plain:,.2f} {unit}",
        "ratio": ratio,
        "aim": ">= 0.95 x",
        "met": ratio >= 0.95,
    }
