"""The same definitions run on PostgreSQL and Spark, and agree cell by cell; what does not agree is shown."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from isthmus.data.exchange.graduate import Postgres, Spark, acceptance, compare
from isthmus.data.model.ask import Ask
from isthmus.kernel import errors

from .conftest import SHOP_SQL, TRAPS_SQL, World


async def test_all_acceptance_questions_agree_on_postgresql(shop: World, empty_url: str) -> None:
    await _load(empty_url, SHOP_SQL)
    asks = acceptance(shop.metrics, shop.now)
    found = await compare(shop.metrics, shop.metrics.reader(), Postgres(empty_url), asks, shop.now)
    assert [one for one in found if not one.agrees] == []
    assert len(found) > 60
    assert {name for one in found for name in one.ask.metrics} == set(shop.model.metrics)


async def test_a_cell_that_differs_is_shown_with_both_values(traps: World, empty_url: str) -> None:
    await _load(
        empty_url, TRAPS_SQL.replace(" double", " double precision") + "update orders set amount = 61 where id = 6"
    )
    asks = [Ask(metrics=("amount",), by=("customers.region",)), Ask(metrics=("tickets",))]
    amount, tickets = await compare(traps.metrics, traps.metrics.reader(), Postgres(empty_url), asks, traps.now)
    assert amount.differing == (((None, 110.0), (None, 111.0)),)
    assert tickets.agrees


async def test_a_table_that_is_not_there_is_a_failure_and_no_agreement(traps: World, empty_url: str) -> None:
    (found,) = await compare(
        traps.metrics, traps.metrics.reader(), Postgres(empty_url), [Ask(metrics=("amount",))], traps.now
    )
    assert not found.agrees
    assert 'relation "orders" does not exist' in found.failure


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/nothing", "not an address"])
async def test_an_engine_that_is_not_there_is_one_error_and_no_difference(traps: World, url: str) -> None:
    asks = acceptance(traps.metrics, traps.now)
    with pytest.raises(errors.Unavailable, match="takes no connection") as refused:
        await compare(traps.metrics, traps.metrics.reader(), Postgres(url), asks, traps.now)
    assert "--url" in refused.value.remedy


@pytest.mark.slow
async def test_all_acceptance_questions_agree_on_spark(shop: World, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="Spark is NOT tried here: it takes `pip install '.[spark]'` and Java 17")
    reader = shop.metrics.reader()
    spark = Spark(reader, shop.metrics, tmp_path)
    try:
        asks = [ask for ask in acceptance(shop.metrics, shop.now) if len(ask.by) < 2]
        found = await compare(shop.metrics, reader, spark, asks, shop.now)
    finally:
        spark.stop()
    assert [(one.ask.metrics, one.ask.by, one.failure[:400], one.differing) for one in found if not one.agrees] == []
    assert {name for one in found for name in one.ask.metrics} == set(shop.model.metrics)


async def _load(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    await connection.execute(sql)
    await connection.close()
