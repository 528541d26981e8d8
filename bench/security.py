"""What security costs: an order over HTTP with the audit log and without it, and one check of the policies.

Two `isthmus serve` processes, each on a database of its own in one PostgreSQL with fsync and synchronous commit on: one
as it ships, one that leaves the pack out. 16 connections that are kept alive buy baskets of 5 of 2,000 goods from each,
in turns, so that what else the machine does disturbs both. Sealing, signing and publishing go on meanwhile and count.
"""

from __future__ import annotations

import statistics
import time
from contextlib import AsyncExitStack
from typing import Any

from bench import _shop as shop
from bench.orders import CLIENTS, GOODS, LINES, UNITS, Buying, _over_http
from bench.paid import Meter, Took
from isthmus.flows.checkout import api as checkout
from isthmus.packs.policy.service.policies import DEFAULT, Policies

Row = dict[str, Any]

TURNS = 3  # in one round
CHECKS = 20_000


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return [*shop.run(_audit(rounds)), shop.run(_check(rounds))]


async def _check(rounds: int) -> Row:
    """Time what a call pays for its policies, once its decision is made."""
    policies = Policies(shop.PACKS, [(DEFAULT.stem, DEFAULT.read_text())])
    capability = policies.capabilities[checkout.place_order.name]
    took_us: list[float] = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        for _ in range(CHECKS):
            await policies.check(shop.CALLER, capability, {})
        took_us.append(1e6 * (time.perf_counter() - began) / CHECKS)
    value = statistics.median(took_us[1:])
    return {
        "name": "policies of a call, decided before",
        "value": value,
        "unit": "us",
        "against": "what a call may pay for them: 5 us",
        "ratio": value / 5,
        "aim": "<= 1 x",
        "met": value <= 5,
    }


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
