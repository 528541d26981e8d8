"""A venture that ends in order: members told, everything taken, books closed, and the group's sign-in withdrawn."""

from __future__ import annotations

import pytest

from isthmus.console.pages import growth
from isthmus.flows.ventures import api as ventures
from isthmus.flows.ventures import rules
from isthmus.governance.growth.launches import Budget
from isthmus.packs.account.service.accounts import accounts_of
from isthmus.packs.ledger import api as ledger
from isthmus.packs.venture import api as venture
from isthmus.packs.venture.pack import PACK as VENTURE
from isthmus.values import money

from .conftest import World


async def test_a_venture_ends_with_nothing_lost_to_the_cent(world: World) -> None:
    box = world.second
    await box.start()
    try:
        async with world.browser() as browser:
            await world.sign_in(browser, "last@example.org", box)
            await box.buy(browser, "season")
            await box.buy(browser, "garden")
            order = (await box.shown("sales?after=0"))["items"][0]["order_id"]
            await box.desk("payments", order=order)
            ended = await world.call(
                ventures.end,
                ventures.End(because="its kill criterion holds", words="Goodbye, and thank you."),
                "second",
            )
            assert (ended.informed, ended.entries, ended.sales) == (1, 3, 2)
            page = await browser.get(f"{box.url}/me")
            assert "Goodbye, and thank you." in page.text
            to = {"plan": "garden", "name": "A", "street": "B", "postcode": "10115", "city": "C", "iban": "x"}
            assert (await browser.post(f"{box.url}/checkout", data=to)).status_code == 410
        again = await world.call(ventures.end, ventures.End(because="again"), "second")
        assert again == ended, "safe to repeat"
        standing = await world.call(venture.get_standing, venture.GetStanding(), "second")
        (sum_,) = standing.sums
        assert (sum_.net + sum_.tax).minor == 7490 + 2990
        assert sum_.net == sum_.booked
        assert (standing.spent, standing.charter.money) == (money(2940, "EUR"), money(40_000_00, "EUR"))
        assert "40000 EUR, of which 29.40 EUR are spent" in rules.line_of(standing)
        balance = await world.call(ledger.trial_balance, ledger.GetTrialBalance(), "second")
        closing = {one.code: one.closing.minor for one in balance.lines}
        assert (closing["assets:bank"], closing["assets:customers"]) == (7490, 2990)
        assert (closing["expenses:goods"], closing["liabilities:suppliers"]) == (2940, -2940)
        begun = (await growth.begun(world.running.database, world.running.packs))["second"]
        assert begun.budget == Budget(currency="EUR", granted=40_000.0, spent=29.4)
        period = await world.call(ledger.get_period, ledger.GetPeriod(), "second")
        assert (period.closed_through, period.history[0].reason) == (ended.closed_through, "its kill criterion holds")
        clients = accounts_of(world.running).settings.clients
        withdrawn = clients.pop("second")
        try:
            found = await world.call(ventures.check, ventures.Check(obligations=("identity",)), "second")
            assert "knows no client 'second'" in found.items[0].said
        finally:
            clients["second"] = withdrawn
        await _erasure_reaches_who_has_left(world)
    finally:
        box.kill()
    with pytest.raises(ventures.VentureDown, match="POST"):
        await world.call(ventures.end, ventures.End(because="it is away"), "second")


async def _erasure_reaches_who_has_left(world: World) -> None:
    """Somebody is erased after the end: the venture forgets them; and it is said of one that cannot be asked."""
    box, erase = world.second, world.running.platform.release.find("privacy.erase-guest").capability
    await world.call(erase, erase.ask(email="last@example.org"))
    pulled = await world.call(ventures.pull, ventures.Pull(), "second")
    assert (pulled.forgotten, pulled.sales) == (1, 0)
    kept = b"".join(path.read_bytes() for path in (world.folder / "second").glob("box.sqlite"))
    assert b"last@example.org" not in kept
    assert (await box.shown("sales?after=0"))["items"][0]["member"] == ""
    async with world.browser() as browser:
        await world.sign_in(browser, "later@example.org", box)
    charter = world.folder / "ventures" / "second" / "venture.toml"
    text = charter.read_text()
    charter.unlink()  # somebody has tidied up
    try:
        await world.call(erase, erase.ask(email="later@example.org"))
    finally:
        charter.write_text(text)
    standing = await world.call(venture.get_standing, venture.GetStanding(), "second")
    assert standing.to_forget == 1
    (condition,) = [one for one in VENTURE.conditions if one.name == "venture.erased-is-forgotten"]
    async with world.running.database.platform() as session:
        await session.execute(
            "update venture.reminder set since = since - interval '2 days' where front_end = 'second'"
        )
        found = [row["front_end"] for row in await session.fetch(condition.sql)]
    assert "second" in found, "the doctor says so"
    assert (await world.call(ventures.pull, ventures.Pull(), "second")).forgotten == 1
