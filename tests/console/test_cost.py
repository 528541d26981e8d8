"""What each front end costs: by the time that its calls took, in money where a price is set."""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from isthmus.app.config import WrongConfig, load_config
from isthmus.console.pages.cost import Cost
from isthmus.governance.cost.inputs import Inputs
from isthmus.governance.cost.stored import stored as stored_of
from isthmus.governance.counters import Counters
from isthmus.governance.traffic import Traffic
from isthmus.kernel import Outcome, Platform, Registry
from isthmus.store import Database
from tests import forked

from .conftest import Served, eventually

NOON = datetime(2030, 5, 1, 12, 30, tzinfo=UTC)


def outcome(box: str, capability: str, took_ms: int) -> Outcome:
    return Outcome(capability=capability, box=box, client="shop", took_ns=took_ms * 1_000_000, error="")


async def counted(database: Database, month: str = "", clock: datetime = NOON) -> Cost:
    """Give the costs where north took three quarters of the time with half of the calls, and nothing was metered."""
    figures = Counters(clock=lambda: NOON)
    for box, capability, took_ms in (
        ("north?channel=app", "shop.buy", 50),
        ("north.outlet", "shop.look", 25),
        ("south", "shop.buy", 20),
        ("south", "shop.look", 5),
    ):
        figures.see(outcome(box, capability, took_ms))
    await Traffic(database, figures, clock=lambda: NOON).keep()
    inputs = Inputs.of({"month": month, "storage": 0, "processor": 0.6, "database": 0.4})
    platform = Platform(Registry().freeze(), database)
    return Cost(database, Traffic(database, Counters(), clock=lambda: clock), platform, inputs)


async def test_where_nothing_was_metered_the_price_of_a_month_is_divided_by_the_time_that_calls_took(
    database: Database,
) -> None:
    cost = await counted(database, "1200 EUR")
    north, south = await cost.of("north"), await cost.of("south")
    assert north is not None
    assert south is not None
    assert (north.share, north.calls, north.cost) == (pytest.approx(0.75), 2, {"currency": "EUR", "minor": 90_000})
    assert (south.share, south.cost) == (pytest.approx(0.25), {"currency": "EUR", "minor": 30_000})
    assert await cost.of("west") is None


async def test_a_capability_has_its_share_of_all_front_ends_together(database: Database) -> None:
    cost = await counted(database, "100 JPY")
    buy = await cost.of_capability("shop.buy")
    assert buy is not None
    assert (buy.share, buy.calls, buy.cost) == (pytest.approx(0.7), 2, {"currency": "JPY", "minor": 70})


async def test_without_a_price_there_are_shares_and_no_money(database: Database) -> None:
    north = await (await counted(database)).of("north")
    assert north is not None
    assert (north.share, north.cost) == (pytest.approx(0.75), None)


async def test_what_was_measured_more_than_thirty_days_ago_costs_nothing_now(database: Database) -> None:
    cost = await counted(database, "1200 EUR", clock=NOON + timedelta(days=31))
    assert await cost.of("north") is None


async def test_what_each_front_end_stores_is_told_apart(database: Database) -> None:
    async with database.platform() as session:
        await session.execute(
            "insert into runtime.recorded_call (call_id, front_end, capability, version, box, fingerprint, recorded_at,"
            " took_us, error, story) select $1 || n, case when n % 4 = 0 then 'south' else 'north' end, 'a.b', '1.0',"
            " 'north', '', now(), 1, '', '{}' from generate_series(1, 400) n",
            uuid.uuid4().hex,
        )
        await session.execute("analyze runtime.recorded_call")
    stored = await stored_of(database)
    assert (stored["north"].rows, stored["south"].rows) == (300, 100)
    assert stored["north"].by_schema["runtime"] == pytest.approx(3 * stored["south"].by_schema["runtime"], rel=0.01)


@pytest.mark.parametrize("said", ['"1200"', '"EUR 1200"', "1200", '"-5 EUR"'])
def test_a_price_that_is_none_is_refused_at_the_start(tmp_path: Path, said: str) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text(f"[cost]\nmonth = {said}\n")
    with pytest.raises(WrongConfig, match=re.escape("cost.month")) as refused:
        load_config(file)
    assert '"1200 EUR"' in (refused.value.remedy or "")


async def test_whoever_pays_sees_what_a_front_end_costs_and_by_which_capabilities(page: Page, served: Served) -> None:
    await served.sell("tea", "jam")
    await page.goto(f"{served.address}/front-ends/north")
    tile = page.locator(".tile").filter(has_text="Cost")
    await eventually(page, tile.filter(has_text="%"))
    await expect(tile).to_contain_text("€")
    await expect(tile).to_contain_text("of the platform, a month")
    await tile.get_by_role("link").click()
    lines = page.get_by_role("region", name="Cost by front end")
    await expect(lines.get_by_role("row").filter(has_text="north")).to_contain_text("€")
    await expect(lines.get_by_role("row").filter(has_text="Storage that all share")).to_contain_text("€")
    await expect(page.locator(".tile").filter(has_text="An order")).to_contain_text(re.compile(r"of \d+ orders"))
    await expect(page.locator(".tile").filter(has_text="The platform’s own")).to_contain_text("%")
    otherwise = (
        page.get_by_role("region", name="What it would cost otherwise").get_by_role("row").filter(has_text="north")
    )
    await expect(otherwise).to_contain_text("lines of code")
    await expect(page.get_by_role("main")).to_contain_text("Assumed, until [cost] in isthmus.toml says otherwise")
    found = page.get_by_role("region", name="Cost by capability")
    placed = found.get_by_role("row").filter(has_text="checkout.place-order")
    await expect(placed).to_contain_text("€")
    await page.get_by_text("How this is computed").click()
    await expect(page.get_by_text("what even the busiest minutes leave idle")).to_be_visible()


async def test_whoever_pays_sees_what_answers_cost_and_move(page: Page, served: Served) -> None:
    """North takes a euro off each of two goods; what it gives away is two euros, of the one order so."""
    await served.sell("tea", "jam")
    await page.goto(f"{served.address}/cost")
    known = {**os.environ, "ISTHMUS_DATABASE_URL": served.url, "ISTHMUS_DATA": str(served.data)}
    ended = await asyncio.to_thread(forked.run, ["answers"], served.folder, known)
    assert ended.returncode == 0, ended.stderr
    assert "north.one_euro_off on pricing.adjust-unit-price" in ended.stdout
    await page.reload()
    moved = page.get_by_role("region", name="What answers cost and move").get_by_role("row")
    await expect(moved.filter(has_text="pricing.adjust-unit-price")).to_contain_text("€")
    ended = await asyncio.to_thread(forked.run, ["cost"], served.folder, known)
    assert "an order, of" in ended.stdout
    assert "the platform's own:" in ended.stdout
