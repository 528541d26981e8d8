"""A database of the release before, with orders in it, is brought to this release, and its orders go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from isthmus.app import platform as app_platform
from isthmus.app import tables
from isthmus.app.config import Config
from isthmus.app.front_ends import loads
from isthmus.flows.after_sale import api as after_sale
from isthmus.governance import doctor
from isthmus.kernel import Caller
from isthmus.packs.order import api as order
from isthmus.store import TablesOlder, check_tables, look, migrate
from tests import shipped

ROOT = Path(__file__).parents[2]
TOTALS = 'select front_end, count(*), sum(total_minor) from "order".orders group by front_end order by front_end'
A_SALE = """
    select order_id, front_end, line, quantity, lines.total_minor
    from "order".lines join "order".orders using (front_end, order_id)
    where front_end = 'market' and state = 'completed' and lines.total_minor > 0 order by number, line limit 1"""


def settings(url: str, tmp_path: Path) -> Config:
    return Config(root=ROOT, data=tmp_path, front_ends=ROOT / "front_ends", database_url=url)


async def fetched(url: str, sql: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def test_a_database_of_the_release_before_is_migrated_and_keeps_its_orders(previous: str, tmp_path: Path) -> None:
    config = settings(previous, tmp_path)
    sources = [*app_platform.migration_sources(shipped.PACKS), *tables.of_folders(config, loads(config, shipped.PACKS))]
    before, found = await fetched(previous, TOTALS), await look(previous, sources)
    assert [row["front_end"] for row in before] == ["brand", "fresh", "market"]
    if found.pending:
        with pytest.raises(TablesOlder):
            await check_tables(previous, sources)
    assert await migrate(previous, sources) == list(found.pending)
    assert await fetched(previous, TOTALS) == before
    async with app_platform.running(config, front_ends=[]) as running, running.database.platform() as session:
        findings = await doctor.examine(session, running.platform.release.packs.values(), 5)
    assert [found.name for found in findings if not found.holds] == []
    assert len(findings) > 30


async def test_an_order_of_the_release_before_is_returned_and_its_money_given_back(
    previous: str, tmp_path: Path
) -> None:
    config = settings(previous, tmp_path)
    async with app_platform.running(config, allowed="migrate") as running:
        (sold,) = await fetched(previous, A_SALE)
        caller = Caller(front_end=sold["front_end"], client="back-office")
        line = order.ReturnLine(line=sold["line"], quantity=1)
        asked = await running.platform.call(
            order.request_return, order.RequestReturn(order_id=sold["order_id"], lines=(line,)), caller
        )
        if asked.state == order.ReturnState.REQUESTED:
            decide = order.DecideReturn(return_id=asked.return_id, is_approved=True)
            await running.platform.call(order.decide_return, decide, caller)
        refund = after_sale.RefundReturn(return_id=asked.return_id)
        settled = await running.platform.call(after_sale.refund_return, refund, caller)
        kept = await running.platform.call(order.get_order, order.GetOrder(order_id=sold["order_id"]), caller)
        assert kept.refunded.minor == sold["total_minor"] // sold["quantity"]
        assert settled.state == order.ReturnState.REFUNDED
        async with running.database.platform() as session:
            findings = await doctor.examine(session, running.platform.release.packs.values(), 5)
    assert [found.name for found in findings if not found.holds] == []
