"""A whole platform, as it ships, with two front ends and a small stock."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.kernel.host import Release
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.store import Database
from tests import promises, shipped
from tests.conftest import FreshDatabase, name_of

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ALL = tuple(f"{pack.name}.*" for pack in shipped.PACKS)
NORTH = FrontEnd(code="north", name="North", owner="north team", uses=ALL)
SOUTH = FrontEnd(code="south", name="South", owner="south team", uses=ALL)
UNITS = 20


@asynccontextmanager
async def in_flight(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Keep something running for as long as a block runs."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass(frozen=True, slots=True)
class Shop:
    """A running platform, and its two callers."""

    platform: Platform
    database: Database
    provider: payment.TestProvider
    north: Caller
    south: Caller

    async def broken(self) -> list[str]:
        """Return the names of conditions that do not hold."""
        return await promises.broken(self.database, self.platform.release.packs.values())


class RulesOf:
    """What was sold under the rules of a platform before."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def line(self, front_end: str, _: str) -> object:
        return self._platform.release.line(front_end)


@pytest.fixture(scope="session")
async def with_stock(fresh_database: FreshDatabase) -> AsyncIterator[str]:
    """Give the name of a database with the stock of `shop`, to be copied: filling it costs more than that."""
    async with fresh_database() as url:
        async with await Database.open(url) as database:
            await stocked(shop_of(database))
        yield name_of(url)


@pytest.fixture
async def shop(fresh_database: FreshDatabase, with_stock: str) -> AsyncIterator[Shop]:
    """Give a shop that sells tea at 10.00 and jam at 4.00, 20 of each, in both front ends, in a database of its own."""
    async with fresh_database(with_stock) as url, await Database.open(url) as database:
        shop = shop_of(database)
        yield shop
        assert await shop.broken() == []


def shop_of(database: Database) -> Shop:
    """Return the platform as it ships over a database, with two front ends that answer nothing themselves."""
    provider = payment.TestProvider()
    resources = {payment.Providers: payment.Providers([provider]), order.Numbers: order.Numbers(database)}
    platform = Platform(north_and_south(), database, resources=resources)
    return Shop(
        platform, database, provider, Caller(front_end="north", client="n"), Caller(front_end="south", client="s")
    )


@functools.cache
def north_and_south() -> Release:
    """Return the release of both, which nobody changes."""
    return shipped.build([NORTH, SOUTH])


async def stocked(shop: Shop, attributes: Mapping[str, dict[str, Any]] = {}) -> None:
    """Put goods, prices and stock into both front ends; `attributes` are what each says of what it lists."""
    platform = shop.platform
    categories = (catalog.CategoryDraft(code="food", name="Food"),)
    await platform.call(catalog.put_categories, catalog.PutCategories(categories=categories), shop.north)
    drafts = tuple(
        catalog.ProductDraft(
            code=sku, title=sku.title(), category="food", seller=f"{sku}-maker", variants=(catalog.Variant(sku=sku),)
        )
        for sku in ("tea", "jam")
    )
    await platform.call(catalog.import_products, catalog.ImportProducts(products=drafts), shop.north)
    for caller in (shop.north, shop.south):
        own = attributes.get(caller.front_end, {})
        listings = tuple(catalog.Listing(sku=sku, offered_from=LONG_AGO, attributes=own) for sku in ("tea", "jam"))
        await platform.call(catalog.publish, catalog.Publish(listings=listings), caller)
        prices = tuple(
            pricing.PriceEntry(sku=sku, currency="EUR", amount=amount, valid_from=LONG_AGO)
            for sku, amount in (("tea", 1000), ("jam", 400))
        )
        await platform.call(pricing.put_prices, pricing.PutPrices(prices=prices), caller)
        lines = tuple(inventory.Receipt(sku=sku, quantity=UNITS, location="main") for sku in ("tea", "jam"))
        await platform.call(inventory.receive, inventory.Receive(reference="first", lines=lines), caller)
        rate = fulfilment.Rate(zone="all", currency="EUR", base_minor=500)
        methods = (fulfilment.Method(code="post", name="Post", rates=(rate,)),)
        await platform.call(fulfilment.put_methods, fulfilment.PutMethods(items=methods), caller)
