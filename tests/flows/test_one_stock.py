"""64 buyers at two front ends want the last units of a group while connections are killed: twelve conditions hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform, decode, encode, errors
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.store import Database
from tests import shipped
from tests.packs.inventory.test_concurrency import kill_during

from .conftest import ALL, LONG_AGO, NORTH, SOUTH

GROUP = FrontEnd(code="group", name="Group", owner="group team", uses=ALL)
TWELVE = (Path(__file__).parent / "twelve.sql").read_text()  # not the packs' own conditions
BUYERS, UNITS = 64, 40
BUSY = ("unavailable", "deadline-exceeded")
BY_NAME = {one.name: one for pack in shipped.PACKS for one in pack.capabilities().values()}


class Shops:
    """Two front ends that sell pots from the hall of a group, half of what is asked for at each."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    async def do(self, front_end: str, capability: str, /, **ask: Any) -> Any:
        found = BY_NAME[capability]
        key, caller = ask.pop("key", None), Caller(front_end=front_end, client=f"{front_end}-till")
        return await self.platform.call(found, decode(encode(ask), found.ask), caller, key=key)

    async def opened(self) -> None:
        await self.do("group", "catalog.put-categories", categories=[{"code": "home", "name": "Home"}])
        pot = {"code": "pot", "title": "Pot", "category": "home", "seller": "potter", "variants": [{"sku": "pot"}]}
        await self.do("group", "catalog.import-products", products=[pot])
        await self.do("group", "inventory.put-locations", items=[{"code": "hall", "country": "DE"}])
        lines = [{"sku": "pot", "quantity": UNITS, "location": "hall"}]
        await self.do("group", "inventory.receive", reference="note-1", lines=lines)
        since = LONG_AGO.isoformat()
        for code in ("north", "south"):
            await self.do("group", "grants.give", kind="inventory.location", name="hall", to=code)
            await self.do(code, "inventory.put-locations", items=[{"code": "hall", "lent_by": "group"}])
            await self.do(code, "catalog.publish", listings=[{"sku": "pot", "offered_from": since}])
            price = {"sku": "pot", "currency": "EUR", "amount": 1000, "valid_from": since}
            await self.do(code, "pricing.put-prices", prices=[price])
            rates = [{"zone": "all", "currency": "EUR", "base_minor": 500}]
            await self.do(code, "fulfilment.put-methods", items=[{"code": "post", "name": "Post", "rates": rates}])

    async def again(self, front_end: str, capability: str, /, **ask: Any) -> Any:
        """Ask with one key until there is an answer: what was killed may have happened."""
        while True:
            try:
                return await self.do(front_end, capability, **ask)
            except errors.IsthmusError as refused:
                if refused.slug not in BUSY:
                    raise

    async def buy(self, number: int) -> str:
        """Order one pot, pay it, and have it sent; return what came of it."""
        code = ("north", "south")[number % 2]
        try:
            bought = await self.again(
                code, "checkout.place-order", key=f"buy-{number}", currency="EUR",
                lines=[{"sku": "pot", "quantity": 1}], address={"country": "DE", "city": "Kiel"},
            )  # fmt: skip
        except errors.IsthmusError as refused:
            return refused.slug
        await self.again(
            code, "checkout.pay-order", key=f"pay-{number}", payment_id=bought.payment_id, method="card", token="ok"
        )
        if number % 3:
            order_id = bought.orders[0].order_id
            await self.again(code, "after-sale.ship-order", key=f"send-{number}", order_id=order_id)
        return code


@pytest.fixture
async def shops(database: Database, database_url: str) -> AsyncIterator[Shops]:
    provider = payment.TestProvider()
    resources = {payment.Providers: payment.Providers([provider]), order.Numbers: order.Numbers(database)}
    async with await Database.open(database_url, connections_max=24) as many:
        made = Shops(Platform(shipped.build([GROUP, NORTH, SOUTH]), many, resources=resources))
        await made.opened()
        yield made


@pytest.mark.slow
async def test_each_unit_of_the_group_is_sold_once_and_twelve_conditions_hold(shops: Shops, database_url: str) -> None:
    outcomes: Counter[str] = Counter()

    async def work() -> None:
        outcomes.update(await asyncio.gather(*map(shops.buy, range(BUYERS))))

    assert await kill_during(work, database_url) > 0
    assert outcomes["north"] + outcomes["south"] == UNITS
    assert min(outcomes["north"], outcomes["south"]) > 0
    assert sum(outcomes.values()) == BUYERS
    connection = await asyncpg.connect(database_url)
    try:
        broken = {row["condition"]: row["broken"] for row in await connection.fetch(TWELVE)}
    finally:
        await connection.close()
    assert {name: count for name, count in broken.items() if count} == {}
    assert len(broken) > 12
