"""Metrics as tables that any client of PostgreSQL reads."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import cast

import asyncpg
import pytest
from msgspec.structs import replace

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.exchange.publish import publish
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.kernel import FrontEnd, errors

from .conftest import SHOP_METRICS, Level, Member, Sale, Visit, World


async def test_each_metric_is_a_table_with_the_numbers_of_the_service(shop: World, empty_url: str) -> None:
    found = {one.metric: one for one in await publish(shop.metrics, policy.owner(), empty_url)}
    connection = await asyncpg.connect(empty_url)
    try:
        rows = [
            tuple(row)
            for row in await connection.fetch(
                "select day, front_end, currency, sales from metrics.sales where sales > 0"
            )
        ]
        assert sorted(rows) == sorted(shop.rows("sales", by=("time:day", "front_end", "currency")))
        assert (date(2024, 3, 1), "north", "EUR", 1000) in rows
        said = await connection.fetchval("select obj_description('metrics.sales'::regclass)")
        assert "By time:day, front_end, currency; snapshot state-0, receipt " in said
        await _refreshed(shop, empty_url, connection)
    finally:
        await connection.close()
    assert found["basket_value"].by == ("time:day", "front_end", "currency")
    assert [one.failure for one in found.values() if one.failure] == []


async def _refreshed(shop: World, url: str, connection: asyncpg.Connection) -> None:
    shop.change("update shop.orders set currency = 'USD' where id = 1")
    await publish(shop.metrics, policy.owner(), url)
    totals = await connection.fetch("select currency, sum(sales)::bigint from metrics.sales group by 1 order by 1")
    assert [tuple(row) for row in totals] == [("EUR", 3140), ("USD", 1000)]
    shop.change("insert into shop.orders select * from shop.orders where id = 4")
    broken = {one.metric: one.failure for one in await publish(shop.metrics, policy.owner(), url)}
    assert "is not unique" in broken["sales"]
    assert await connection.fetchval("select to_regclass('metrics.sales')") is None


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/none", "postgresql://x@/y?host=/no/such/folder", "reports"]
)
async def test_an_address_where_nobody_answers_is_said_before_anything_is_asked(url: str) -> None:
    with pytest.raises(errors.Unavailable, match="the PostgreSQL to write to takes no connection") as refused:
        await publish(cast(Metrics, None), policy.owner(), url)
    assert "see that --url names" in refused.value.remedy


async def test_a_policy_holds_for_what_is_published(shop: World, empty_url: str) -> None:
    await publish(shop.metrics, policy.of_front_end(shop.model, "south"), empty_url)
    connection = await asyncpg.connect(empty_url)
    try:
        assert [row[0] for row in await connection.fetch("select distinct front_end from metrics.sales")] == ["south"]
    finally:
        await connection.close()


async def test_money_stands_in_whole_units_beside_its_currency(shop: World, empty_url: str) -> None:
    metrics = [replace(one, unit="minor") if one.name in ("sales", "sales_7_days") else one for one in SHOP_METRICS]
    shop.model = build([(one, "") for one in (Member, Sale, Visit, Level)], metrics)
    shop.change("update shop.orders set currency = 'KWD' where id = 5")
    await publish(shop.metrics, policy.owner(), empty_url)
    connection = await asyncpg.connect(empty_url)
    try:
        found = await connection.fetch("select sales, amount, currency from metrics.sales order by sales")
        first, *_, last = (tuple(map(str, row)) for row in found)
        assert (first, last) == (("90", "0.090", "KWD"), ("2050", "20.50", "EUR"))
        columns = await connection.fetch("select * from metrics.baskets limit 1")
        assert "amount" not in dict(columns[0])
    finally:
        await connection.close()


async def test_what_front_ends_declare_may_be_looked_up_in_an_event_loop_of_its_own(
    shop: World, empty_url: str
) -> None:
    async def deployed() -> dict[str, FrontEnd]:
        await asyncio.sleep(0)
        return {}

    metrics = Metrics(
        shop.model, shop.metrics.reader().newest(), Receipts(shop.folder), secret=b"x",  # pyright: ignore
        now=lambda: shop.now, declared=lambda: asyncio.run(deployed()),
    )  # fmt: skip
    found = await publish(metrics, policy.owner(), empty_url)
    assert {one.metric for one in found if not one.failure} == set(shop.model.metrics)
