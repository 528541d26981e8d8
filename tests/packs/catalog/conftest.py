"""Two shops over one catalogue, and short ways to ask for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.catalog import api
from isthmus.packs.catalog.pack import PACK

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NORTH = Caller(front_end="north", client="north-office")
SOUTH = Caller(front_end="south", client="south-office")


class Shop:
    """Short ways to ask the catalogue for one front end."""

    def __init__(self, platform: Platform, caller: Caller = NORTH) -> None:
        self.platform = platform
        self.caller = caller

    async def categories(self, *drafts: api.CategoryDraft) -> None:
        await self.platform.call(api.put_categories, api.PutCategories(categories=drafts), self.caller)

    async def imports(self, *drafts: api.ProductDraft) -> api.Imported:
        return await self.platform.call(api.import_products, api.ImportProducts(products=drafts), self.caller)

    async def publish(self, *skus: str, **facts: object) -> None:
        listings = tuple(api.Listing(sku=sku, **facts) for sku in skus)  # pyright: ignore[reportArgumentType]
        await self.platform.call(api.publish, api.Publish(listings=listings), self.caller)

    async def search(self, **facts: object) -> api.FoundPage:
        return await self.platform.call(api.search, api.Search(**facts), self.caller)  # pyright: ignore[reportArgumentType]

    async def found(self, **facts: object) -> list[str]:
        """Return the SKUs of all pages."""
        page = await self.search(**facts)
        skus = [one.sku for one in page.items]
        while page.next_cursor:
            page = await self.search(**facts, cursor=page.next_cursor)
            skus += [one.sku for one in page.items]
        return skus


def category(code: str, parent: str | None = None, *rules: api.AttributeRule) -> api.CategoryDraft:
    return api.CategoryDraft(code=code, name=code.title(), parent=parent, attributes=rules)


def product(code: str, **facts: object) -> api.ProductDraft:
    """Draft a product of category tea with one SKU that is called as it is."""
    known = {"code": code, "title": code.title(), "category": "tea", "variants": (api.Variant(sku=code),)}
    return api.ProductDraft(**{**known, **facts})  # pyright: ignore[reportArgumentType]


def front_end(code: str, answers: Sequence[object] = ()) -> FrontEnd:
    return FrontEnd(code=code, name=code, owner=code, uses=("catalog.*",), answers=tuple(answers))  # pyright: ignore[reportArgumentType]


async def broken_conditions(url: str) -> dict[str, list[object]]:
    """Return the rows that break a condition of the pack, over all front ends."""
    connection = await asyncpg.connect(url)
    try:
        found = {one.name: [dict(row) for row in await connection.fetch(one.sql)] for one in PACK.conditions}
    finally:
        await connection.close()
    return {name: rows for name, rows in found.items() if rows}  # pyright: ignore[reportReturnType]


@pytest.fixture
async def shop(make_platform: Callable[..., Awaitable[Platform]]) -> Shop:
    """Give the north, where categories food, drinks and tea are one below the other."""
    north = Shop(await make_platform(PACK, front_end("north"), front_end("south"), clock=lambda: NOW))
    await north.categories(category("food"), category("drinks", "food"), category("tea", "drinks"))
    return north
