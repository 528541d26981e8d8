"""A venture that was away for two years comes back; and how long a venture takes to its first sale."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from isthmus.app.lake_sync import LakeSync
from isthmus.console.pages.growth import begun
from isthmus.data.platform import open_platform
from isthmus.data.privacy import policy
from isthmus.flows.ventures import api as ventures
from isthmus.governance.growth.launches import lead
from isthmus.packs.ledger import api as ledger
from isthmus.packs.venture import api as venture

from .conftest import World

AWAY_DAYS = 730


async def test_a_venture_that_comes_back_after_two_years_is_taken_whole_into_days_that_are_open(world: World) -> None:
    box = world.late
    box.environment["BOX_CLOCK_AHEAD_DAYS"] = str(-AWAY_DAYS)
    await box.start()
    try:
        async with world.browser() as browser:
            await world.sign_in(browser, "patient@example.org", box)
            await box.buy(browser, "garden")
        box.kill()
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        closed = ledger.ClosePeriod(closed_through=yesterday, reason="both years are over")
        await world.call(ledger.close_period, closed, "late")
        del box.environment["BOX_CLOCK_AHEAD_DAYS"]
        await box.start()
        for _ in range(3):
            assert await box.desk("renewals") == {"boxes": 1}
        found = await world.call(ventures.check, ventures.Check(obligations=("books", "export")), "late")
        assert found.is_met, found.items
        (sum_,) = (await world.call(venture.get_standing, venture.GetStanding(), "late")).sums
        assert ((sum_.net + sum_.tax).minor, sum_.net) == (4 * 2990, sum_.booked)
        entries = (await world.call(ledger.list_entries, ledger.ListEntries(limit=10), "late")).items
        assert len(entries) == 4
        assert min(one.value_date for one in entries) > yesterday, "closed days stay as they are"
        balance = await world.call(ledger.trial_balance, ledger.GetTrialBalance(), "late")
        assert not any(one.minor for one in balance.difference)
    finally:
        box.kill()


async def test_how_long_a_venture_took_to_its_first_sale_is_measured_from_its_charter(
    world: World, tmp_path: Path
) -> None:
    await world.sell("first@example.org", "garden")
    await world.call(ventures.pull, ventures.Pull())
    known = await begun(world.running.database, world.running.packs)
    charter = world.running.resource(venture.Charters).of("box")
    assert known["box"].on == charter.starts == date(2026, 11, 1)
    data = open_platform(world.running.packs, tmp_path / "lake")
    await LakeSync(world.running.platform, world.running.database, data, segments=()).land()
    found = lead(data.metrics, policy.owner(), ("venture.gross-sales",), {"box": known["box"].on})
    first = (await world.standing()).first_sale_at
    assert first is not None
    assert (found.is_measured, found.days) == (True, (first.date() - charter.starts).days)
