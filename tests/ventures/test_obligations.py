"""The four obligations of the Tea Box, checked while it runs.

`ventures.check` signs in by `account.describe-provider` and `account.make-trial-link`, takes pages by
`venture.accept-journal` and `venture.accept-sales`, asks `account.find-unknown-accounts`, and keeps what it saw by
`venture.note-findings`; `ventures.pull` reads `venture.list-reminders`, and writes `venture.note-forgotten`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isthmus.app.lake_sync import LakeSync
from isthmus.data.model.ask import Ask
from isthmus.data.platform import open_platform
from isthmus.data.privacy import policy
from isthmus.flows.ventures import api as ventures
from isthmus.markings import Where
from isthmus.packs.ledger import api as ledger
from tests.console.signing import sign_in, sign_in_link

from .conftest import World


async def test_a_venture_that_does_what_it_owes_is_seen_to(world: World) -> None:
    await world.call(ventures.pull, ventures.Pull())
    before = await world.standing()
    sold = sum((one.net + one.tax).minor for one in before.sums)
    await world.sell("ada@example.org", "discovery", "season")
    found = await world.call(ventures.check, ventures.Check())
    assert [(one.obligation, one.is_met, one.said) for one in found.items if not one.is_met] == []
    assert {one.obligation for one in found.items} == {"identity", "books", "security", "export"}
    standing = await world.standing()
    assert (standing.sales, standing.members) == (before.sales + 2, before.members + 1)
    (sum_,) = standing.sums
    assert (sum_.net + sum_.tax).minor == sold + 1990 + 7490
    assert sum_.net == sum_.booked
    balance = await world.call(ledger.trial_balance, ledger.GetTrialBalance())
    assert not any(one.minor for one in balance.difference)
    kept = {one.code: -one.closing.minor for one in balance.lines}
    assert kept["income:sales"] + kept.get("income:returns", 0) == sum_.net.minor


async def test_what_a_venture_sold_stands_beside_what_front_ends_sold(world: World, tmp_path: Path) -> None:
    await world.sell("lake@example.org", "garden")
    await world.call(ventures.pull, ventures.Pull())
    standing = await world.standing()
    data = open_platform(world.running.packs, tmp_path / "lake")
    await LakeSync(world.running.platform, world.running.database, data, segments=()).land()
    names = ("venture.net-sales", "venture.gross-sales", "ventures.group-sales", "venture.sales")
    ask = Ask(metrics=names, where=(Where("front_end", "=", "box"),))
    (row,) = data.metrics.ask(ask, policy.owner()).rows
    (sum_,) = standing.sums
    gross = (sum_.net + sum_.tax).minor
    assert [int(row[name] or 0) for name in names] == [sum_.net.minor, gross, gross, standing.sales]


async def test_money_that_went_back_is_booked_and_told(world: World) -> None:
    await world.sell("back@example.org", "season")
    order = (await world.box.shown("sales?after=0"))["items"][-1]["order_id"]
    await world.box.desk("payments", order=order)
    for minor in (1111, 2222, 7490 - 3333):
        await world.box.desk("refunds", order=order, minor=minor)
    found = await world.call(ventures.check, ventures.Check(obligations=("books",)))
    assert found.is_met, found.items
    entries = await world.call(ledger.list_entries, ledger.ListEntries(subject=order, limit=10))
    assert len(entries.items) == 2
    sales = [one for one in (await world.box.shown("sales?after=0"))["items"] if one["order_id"] == order]
    assert [sum(one[name] for one in sales) for name in ("net_minor", "tax_minor")] == [0, 0]


async def test_a_venture_that_is_down_is_said_to_be(world: World) -> None:
    world.box.kill()
    try:
        found = await world.call(ventures.check, ventures.Check())
        assert [one.is_met for one in found.items] == [False] * 4
        assert all("start the venture" in one.remedy for one in found.items), found.items
        assert all(world.box.url in one.said for one in found.items)
        with pytest.raises(ventures.VentureDown, match="GET"):
            await world.call(ventures.pull, ventures.Pull())
    finally:
        await world.box.start()
    assert (await world.call(ventures.check, ventures.Check(obligations=("books",)))).is_met


async def test_who_is_erased_is_forgotten_by_the_venture_too(world: World) -> None:
    await world.sell("gone@example.org", "discovery")
    await world.call(ventures.pull, ventures.Pull())
    before = await world.standing()
    erase = world.running.platform.release.find("privacy.erase-guest").capability
    world.box.kill()  # it is away just then
    await world.call(erase, erase.ask(email="gone@example.org"))
    assert (await world.standing()).to_forget == 1
    with pytest.raises(ventures.VentureDown):
        await world.call(ventures.pull, ventures.Pull())
    await world.box.start()
    assert (await world.call(ventures.pull, ventures.Pull())).forgotten == 1
    after = await world.standing()
    assert (after.to_forget, after.members, after.sums) == (0, before.members - 1, before.sums)
    kept = b"".join(path.read_bytes() for path in (world.folder / "box").glob("box.sqlite"))
    assert b"gone@example.org" not in kept
    assert (await world.call(ventures.check, ventures.Check(obligations=("books", "export")))).is_met


async def test_the_page_says_what_a_venture_may_spend_has_sold_and_owes(world: World) -> None:
    await world.sell("page@example.org", "discovery")
    await world.call(ventures.check, ventures.Check())
    standing = await world.standing()
    console = f"{world.address}/console"
    async with world.browser() as browser:
        link = await sign_in_link(world.running.config.database_url or "", "operator")
        assert (await sign_in(browser, console, link)).status_code == 200
        page = await browser.get(f"{console}/ventures")
    assert page.status_code == 200
    (box,) = [part for part in page.text.split("<section>") if "<h2>The Tea Box " in part]
    tiles = dict(re.findall(r'<p class="name">(.*?)</p><p class="value">(.*?)</p>', box))
    (sold,) = standing.sums
    assert tiles == {
        "Obligations met": "4 / 4",
        "Sold, without tax": f"€{sold.net.minor / 100:.2f}",
        "Sales": str(standing.sales),
        "Members": str(standing.members),
        "Budget": "€40,000.00",
        "Spent of it": f"€{standing.spent.minor / 100:.2f}",
        "Charter ends": standing.charter.ends.isoformat(),
    }
    assert "up to 20 calls a second" in box
