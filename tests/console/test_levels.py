"""Service levels: what was promised, what is left of it, and how fast that is used up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from isthmus.app.config import WrongConfig, load_config
from isthmus.governance.counters import Counters
from isthmus.governance.levels import Level, levels
from isthmus.governance.traffic import Traffic
from isthmus.kernel import Outcome
from isthmus.store import Database

from .conftest import Served, eventually

NOON = datetime(2030, 5, 20, 12, 30, tzinfo=UTC)


async def called(
    database: Database, calls: int, *, error: str = "", ago: timedelta = timedelta(0), ms: int = 5
) -> None:
    """Count calls of north: all answered, or all with one error."""
    figures = Counters(clock=lambda: NOON)
    for _ in range(calls):
        figures.see(
            Outcome(capability="shop.buy", box="north?channel=app", client="c", took_ns=ms * 1_000_000, error=error)
        )
    await Traffic(database, figures, clock=lambda: NOON - ago).keep()


async def level(database: Database, **promised: float) -> Level:
    (north,) = await levels(Traffic(database, Counters(), clock=lambda: NOON), promised)
    return north


async def test_what_a_rule_refuses_is_answered_and_what_the_platform_fails_is_not(database: Database) -> None:
    await called(database, 980)
    await called(database, 19, error="checkout.short")
    await called(database, 1, error="deadline-exceeded", ms=5_000)
    north = await level(database, default=99.0)
    assert (north.calls, north.failed, north.why, north.where) == (1_000, 1, {"deadline-exceeded": 1}, "shop.buy")
    assert north.left == pytest.approx(0.9)
    assert north.fast == pytest.approx(0.999)
    assert (await level(database, default=99.0, north=99.9)).left == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("failed", "ago", "state"),
    [
        (1, timedelta(0), "kept"),
        (15, timedelta(0), "burns-fast"),
        (15, timedelta(hours=3), "burns"),
        (15, timedelta(days=2), "burns"),
        (15, timedelta(days=20), "kept"),
        (1_500, timedelta(days=20), "broken"),
    ],
)
async def test_how_fast_it_is_used_up_decides_what_is_to_be_done(
    database: Database, failed: int, ago: timedelta, state: str
) -> None:
    await called(database, 100_000, ago=timedelta(days=25))
    for since in (timedelta(0), timedelta(hours=3), timedelta(days=2)):
        await called(database, 900, ago=since)
    await called(database, failed, error="fault", ago=ago)
    assert (await level(database)).state == state


async def test_where_nothing_was_called_lately_there_is_no_rate(database: Database) -> None:
    await called(database, 10, ago=timedelta(days=10))
    assert (await level(database)).burns == {"hour": None, "six_hours": None, "three_days": None}


@pytest.mark.parametrize("said", ['"much"', "100", "3", "true"])
def test_a_promise_that_none_can_be_is_refused(tmp_path, said: str) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text(f"[levels]\nnorth = {said}\n")
    with pytest.raises(WrongConfig, match=r"levels\.north"):
        load_config(file)


async def test_an_operator_sees_what_each_front_end_has_left(page: Page, served: Served) -> None:
    await served.sell("tea")
    await served.enter(page.context)
    row = page.get_by_role("row").filter(has_text="north")
    await page.goto(f"{served.address}/levels")
    await eventually(page, row)
    await expect(row).to_contain_text("99.9")
    await expect(row).to_contain_text("kept")
