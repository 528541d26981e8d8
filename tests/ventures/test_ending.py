"""A venture that ends in order: members told, everything taken, books closed, and the group's sign-in withdrawn."""

from __future__ import annotations

import pytest

from isthmus.flows.ventures import api as ventures
from isthmus.packs.account.service.accounts import accounts_of
from isthmus.packs.ledger import api as ledger
from isthmus.packs.venture import api as venture

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
        balance = await world.call(ledger.trial_balance, ledger.GetTrialBalance(), "second")
        closing = {one.code: one.closing.minor for one in balance.lines}
        assert (closing["assets:bank"], closing["assets:customers"]) == (7490, 2990)
        period = await world.call(ledger.get_period, ledger.GetPeriod(), "second")
        assert (period.closed_through, period.history[0].reason) == (ended.closed_through, "its kill criterion holds")
        clients = accounts_of(world.running).settings.clients
        withdrawn = clients.pop("second")
        try:
            found = await world.call(ventures.check, ventures.Check(obligations=("identity",)), "second")
            assert "knows no client 'second'" in found.items[0].said
        finally:
            clients["second"] = withdrawn
    finally:
        box.kill()
    with pytest.raises(ventures.VentureDown, match="POST"):
        await world.call(ventures.end, ventures.End(because="it is away"), "second")
