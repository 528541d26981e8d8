"""The same plans run on PostgreSQL, with the same cells."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import pytest

from isthmus.data.model.ask import Ask
from isthmus.data.privacy.policy import Opened, Policy, visible_rows
from isthmus.data.query.dialect import translated
from isthmus.data.query.plan import plan
from isthmus.data.query.sql import statement
from isthmus.markings import Not, Where

from .conftest import SHOP_SQL, TRAPS_SQL, World

TRAP_ASKS = [
    Ask(metrics=("ltv", "amount", "avg_amount", "qty", "tickets"), by=("customers.region",)),
    Ask(metrics=("amount",), by=("items.cat",)),
    Ask(metrics=("ltv_done", "per_item", "open_amount", "buyers", "largest")),
    Ask(metrics=("amount_so_far", "buyers_so_far", "amount_two_months", "amount_28_days"), by=("time:month",)),
    Ask(metrics=("amount_growth", "amount_before", "amount_this_quarter"), by=("time:month", "orders.status")),
    Ask(metrics=("amount",), by=("time:week",), where=(Not(Where("customers.region", "=", "W")),)),
]
SHOP_ASKS = [
    Ask(metrics=("sales", "visits", "visit_to_basket"), by=("front_end", "time:day"), timezone="Europe/Berlin"),
    Ask(metrics=("stock", "counted_stock"), by=("time:month",)),
    Ask(metrics=("sales_7_days", "sales_this_month", "shoppers"), by=("buyer_id>member.member.tier",)),
    Ask(metrics=("sales",), by=("placed_at:hour",), where=(Where("time", ">=", "2024-03-30T12:00:00Z"),)),
]


@pytest.mark.parametrize("ask", TRAP_ASKS, ids=lambda ask: "+".join(ask.metrics))
async def test_the_trap_metrics_are_the_same_on_postgresql(traps: World, empty_url: str, ask: Ask) -> None:
    await _compare(traps, empty_url, TRAPS_SQL.replace(" double", " double precision"), ask)


@pytest.mark.parametrize("ask", SHOP_ASKS, ids=lambda ask: "+".join(ask.metrics))
async def test_the_shop_metrics_are_the_same_on_postgresql(shop: World, empty_url: str, ask: Ask) -> None:
    await _compare(shop, empty_url, SHOP_SQL, ask)


async def test_visible_rows_are_the_same_on_postgresql(shop: World, empty_url: str) -> None:
    gold = Policy(name="gold", opens={"*": Opened(), "member.member": Opened(rows=Where("tier", "=", "gold"))})
    await _compare(shop, empty_url, SHOP_SQL, Ask(metrics=("sales", "visits"), by=("front_end",)), gold)


async def _compare(world: World, url: str, sql: str, ask: Ask, policy: Policy | None = None) -> None:
    visible = visible_rows(world.model, policy) if policy else {}
    written = statement(world.model, plan(world.model, ask, world.now), visible)
    text, parameters = translated(written.sql, written.parameters, "postgres")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
        await connection.execute("set timezone = 'UTC'")
        found = await connection.fetch(text, *parameters)
    finally:
        await connection.close()
    rows = [tuple(map(_plain, row.values()))[: len(written.columns)] for row in found]
    assert rows
    assert rows == world.rows(*ask.metrics, by=ask.by, where=ask.where, timezone=ask.timezone, as_=policy)


def _plain(value: object) -> object:
    if isinstance(value, Decimal | float):
        return pytest.approx(float(value))
    return value
