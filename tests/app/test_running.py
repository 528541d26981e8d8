"""Platforms of fewer packs run on PostgreSQL: they start on an empty database, and one of them sells an order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.app.config import load_config
from isthmus.app.jobs import jobs
from isthmus.app.platform import Running, running
from isthmus.flows.checkout import api as checkout
from isthmus.governance import doctor
from isthmus.kernel import Caller
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import money
from tests.flows.conftest import NORTH, SOUTH, Shop, stocked

FLOWS = (
    "after-sale",
    "checkout",
    "messages",
    "bookkeeping",
    "invoices",
    "renewals",
    "risk-checks",
    "budgets",
    "disputes",
)


async def broken(platform: Running) -> list[str]:
    async with platform.database.platform() as session:
        found = await doctor.examine(session, platform.platform.release.packs.values(), 5)
    return [one.name for one in found if not one.holds]


async def schemas(platform: Running) -> set[str]:
    async with platform.database.platform() as session:
        return {row["nspname"] for row in await session.fetch("select nspname from pg_namespace")}


@pytest.mark.parametrize(
    "left_out", [("tax", "promotion", "fulfilment", "member"), ("order", "payment"), ("catalog", "inventory")]
)
async def test_a_platform_of_fewer_packs_starts_on_an_empty_database_and_has_their_tables_only(
    empty_url: str, tmp_path: Path, left_out: tuple[str, ...]
) -> None:
    config = replace(load_config(), database_url=empty_url, data=tmp_path, leave_out=(*left_out, *FLOWS))
    async with running(config, [], allowed="migrate") as platform:
        assert not schemas_of(left_out) & await schemas(platform)
        assert schemas_of(pack.name for pack in platform.packs if pack.migrations) <= await schemas(platform)
        assert await broken(platform) == []
        assert [one.name for one in jobs(platform) if one.name.partition(".")[0] in (*left_out, *FLOWS)] == []


def schemas_of(names: object) -> set[str]:
    return {str(name).replace("-", "_") for name in names}  # type: ignore[attr-defined]


async def test_a_platform_without_after_sale_sells_an_order_and_its_jobs_run(empty_url: str, tmp_path: Path) -> None:
    config = replace(load_config(), database_url=empty_url, data=tmp_path, leave_out=("after-sale",))
    uses = tuple(use for use in NORTH.uses if not use.startswith("after-sale"))
    lines = [replace(one, uses=uses) for one in (NORTH, SOUTH)]
    async with running(config, lines, allowed="migrate") as platform:
        north, south = (Caller(front_end=code, client="t") for code in ("north", "south"))
        shop = Shop(platform.platform, platform.database, payment.TestProvider(), north, south)
        await stocked(shop)
        buy = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=2),))
        placed = await platform.platform.call(checkout.place_order, buy, north)
        pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="ok")
        assert (await platform.platform.call(checkout.pay_order, pay, north)).state == "captured"
        found = await platform.platform.call(order.get_group, order.GetGroup(group_id=placed.group_id), north)
        assert [(one.state, one.total) for one in found.orders] == [("paid", money(2000, "EUR"))]
        for one in jobs(platform):
            if one.name.partition(".")[0] in ("checkout", "inventory"):
                await one.run()
        assert await broken(platform) == []
