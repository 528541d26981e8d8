"""Packs that stand alone: a service answers what each was asked while a shop sold, by itself and by flows, the same.

Slow: each is built, loaded and served in a process of its own.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from isthmus.governance.exits import exercise
from isthmus.governance.exits.held import Hold, flows_of, holds, is_domain, joins
from isthmus.packs.catalog import api as catalog
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.ledger import api as ledger
from isthmus.packs.media import api as media
from isthmus.packs.messaging import api as messaging
from isthmus.packs.notification import api as notification
from isthmus.packs.promotion import api as promotion
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.risk import api as risk
from isthmus.packs.settlement import api as settlement
from isthmus.packs.tax import api as tax
from isthmus.runtime.replay.record import Recorder, Recording
from tests import shipped
from tests.packs.sync.conftest import Desk as Devices
from tests.packs.sync.conftest import what_the_app_keeps

from .conftest import LONG_AGO, Shop
from .test_bookkeeping import a_tenth_of_tea
from .test_disputes import capture_of, said
from .test_invoices import KIEL, invoice, taxed
from .test_renewals import Clock, joined

LEAVE = {"catalog", "pricing", "reconciliation", "settlement", "tax"}
STAND_ALONE = {
    "chargeback", "fulfilment", "inventory", "invoicing", "ledger", "media", "member", "messaging", "notification",
    "order", "payment", "promotion", "risk", "subscription", "sync",
}  # fmt: skip


def holding(name: str) -> tuple[list[Hold], list[Hold]]:
    pack = next(one for one in shipped.PACKS if one.name == name)
    return holds(pack), joins(pack, flows_of(shipped.PACKS))


async def sell(shop: Shop) -> exercise.Ground:
    """Have a shop sell, invoice, renew, judge and sync, with every call recorded, and give the ground of its exits."""
    books = await taxed(shop, a_tenth_of_tea, what_the_app_keeps)
    platform = books.shop.platform
    recorder = platform.recorder = Recorder(shop.database, platform.release.points, Recording(share=1.0))
    await books.call(risk.put_scenario, risk.PutScenario(rules=(risk.Rule(code="dear", when="amount >= 9000"),)))
    tenth = promotion.PercentOff(basis_points=1_000)
    off = promotion.Promotion(code="week", title="Week", benefit=tenth, valid_from=LONG_AGO)
    await books.call(promotion.put_promotion, promotion.PutPromotion(promotion=off))
    rate = tax.RateEntry(jurisdiction="DE", name="vat", rate_ppm=70_000, valid_from=datetime(2040, 1, 1, tzinfo=UTC))
    await books.call(tax.put_rates, tax.PutRates(rates=(rate,)))
    placed = await books.bought(("tea", 2), ("jam", 1), delivery_method="post", address=KIEL)
    await books.sent(placed.orders[0].order_id, "1", (0, 2))
    key = await capture_of(books, placed.payment_id)
    await invoice(books, placed.orders[0].order_id)
    await said(books, key, 500)
    await said(books, key, 500, "won")
    clock = Clock(books.shop, await joined(books.shop), datetime.now(UTC))
    await clock.seen(await clock.subscribed(("tea", 1)))
    await clock.run()
    phone = Devices(platform).phone()
    phone.change("basket", "milk", "increment", "quantity", 2)
    await phone.push()
    await phone.pull()
    for capability, ask in (
        (catalog.list_categories, catalog.ListCategories()),
        (chargeback.list_chargebacks, chargeback.ListChargebacks()),
        (ledger.list_accounts, ledger.ListAccounts()),
        (media.list_attached, media.ListAttached(subjects=("tea",))),
        (messaging.list_campaigns, messaging.ListCampaigns()),
        (notification.list_messages, notification.ListMessages()),
        (reconciliation.list_files, reconciliation.ListFiles()),
        (risk.list_decisions, risk.ListDecisions()),
        (settlement.list_payees, settlement.ListPayees()),
    ):
        await books.call(capability, ask)
    await recorder.flush()
    return exercise.Ground(
        platform=platform, database=shop.database, root=Path(), version="1", today=date(2026, 11, 30), calls=60
    )


@pytest.mark.slow
async def test_packs_that_stand_alone_answer_what_flows_asked_them_in_a_process_of_their_own(shop: Shop) -> None:
    ground = await sell(shop)
    found = {
        name: await exercise.exercise(ground, ground.platform.release.packs[name])
        for name in sorted(LEAVE | STAND_ALONE)
    }
    assert {name: (one.ended, one.reason) for name, one in found.items() if one.ended not in ("green", "alone")} == {}
    assert {name for name, one in found.items() if one.ended == "green"} == LEAVE
    assert all(one.calls and one.package_calls for one in found.values())


def test_packs_stand_alone_whose_place_alone_is_held_and_no_other_does() -> None:
    domains = [one.name for one in shipped.PACKS if is_domain(one)]
    held = {name: holding(name) for name in domains}
    assert {name for name, (code, place) in held.items() if not code and place} == STAND_ALONE
    assert {name for name, (code, place) in held.items() if not code and not place} == LEAVE
