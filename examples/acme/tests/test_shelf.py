"""Our own search service finds what Coffee offers; PostgreSQL does where it does not answer."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from acme.flows.shelf import api as shelf
from acme.providers.shelf import Settings, ShelfSearch

from isthmus.app.platform import Running
from isthmus.kernel import Caller
from isthmus.packs.catalog import api as catalog

COFFEE, BOOKS = (Caller(front_end=code, client="office") for code in ("coffee", "books"))
GOODS = {"b1": "Bean grinder", "b2": "Beans, dark", "b3": "Cup", "b4": "Beans, light"}


@pytest.fixture
async def service(platform: Running, tmp_path: Path) -> ShelfSearch:
    """Put goods on sale at both, and let the platform have an index of this test."""
    call = platform.platform.call
    await call(
        catalog.put_categories, catalog.PutCategories(categories=(catalog.CategoryDraft(code="c", name="C"),)), BOOKS
    )
    drafts = tuple(
        catalog.ProductDraft(code=sku, title=title, category="c", variants=(catalog.Variant(sku=sku),))
        for sku, title in GOODS.items()
    )
    await call(catalog.import_products, catalog.ImportProducts(products=drafts), BOOKS)
    for caller, skus in ((COFFEE, ("b1", "b2", "b3")), (BOOKS, ("b4",))):
        listings = tuple(catalog.Listing(sku=sku) for sku in skus)
        await call(catalog.publish, catalog.Publish(listings=listings), caller)
    services = platform.resource(catalog.SearchServices)
    services.services["shelf"] = ShelfSearch("shelf", Settings(file=str(tmp_path / "shelf.db")))
    return services.services["shelf"]


async def found(platform: Running, text: str, caller: Caller = COFFEE, limit: int = 1) -> tuple[list[str], set[str]]:
    """Return the SKUs of all pages, and who found them."""
    page = await platform.platform.call(catalog.search, catalog.Search(text=text, limit=limit), caller)
    skus, by = [one.sku for one in page.items], {page.found_by}
    while page.next_cursor:
        ask = catalog.Search(text=text, limit=limit, cursor=page.next_cursor)
        page = await platform.platform.call(catalog.search, ask, caller)
        skus, by = [*skus, *(one.sku for one in page.items)], by | {page.found_by}
    return skus, by


async def test_the_index_holds_what_is_offered_and_finds_it_for_those_who_chose_it(
    platform: Running, service: ShelfSearch
) -> None:
    await platform.platform.call(shelf.index_goods, shelf.IndexGoods(), COFFEE)
    assert await found(platform, "be") == (["b1", "b2"], {"shelf"})
    assert await found(platform, "beans", BOOKS) == (["b4"], {"postgresql"})
    facets = await platform.platform.call(catalog.count_facets, catalog.CountFacets(text="be"), COFFEE)
    assert facets.count == 2


async def test_what_the_service_names_is_shown_only_where_it_is_offered(
    platform: Running, service: ShelfSearch
) -> None:
    page = await platform.platform.call(catalog.search, catalog.Search(), BOOKS)
    everything = [*page.items, *(page.items[0].replace(sku=sku, title="Beans") for sku in ("b2", "nothing"))]
    await service.replace("coffee", everything)
    assert await found(platform, "beans") == (["b2"], {"shelf"}), "neither what Books offers nor what nobody has"


class _Slow(ShelfSearch):
    asked = 0

    async def find(self, wanted: catalog.Wanted) -> Sequence[str]:
        self.asked += 1
        await asyncio.sleep(60)
        return ()


class _Broken(_Slow):
    async def find(self, wanted: catalog.Wanted) -> Sequence[str]:
        self.asked += 1
        raise ConnectionError("nobody there")


@pytest.mark.parametrize("kind", [_Slow, _Broken])
async def test_a_service_that_does_not_answer_is_stood_in_for_by_postgresql_and_left_alone_for_a_while(
    platform: Running, service: ShelfSearch, kind: type[_Slow]
) -> None:
    silent = kind("shelf", Settings())
    platform.resource(catalog.SearchServices).services["shelf"] = silent
    assert await found(platform, "beans") == (["b1", "b2"], {"postgresql"})
    assert await found(platform, "grinder") == (["b1"], {"postgresql"})
    assert silent.asked == 1, "not by every search that comes meanwhile"


async def test_pages_go_on_in_what_the_service_found_first_though_it_is_gone_meanwhile(
    platform: Running, service: ShelfSearch
) -> None:
    await platform.platform.call(shelf.index_goods, shelf.IndexGoods(), COFFEE)
    first = await platform.platform.call(catalog.search, catalog.Search(text="be", limit=1), COFFEE)
    platform.resource(catalog.SearchServices).services["shelf"] = _Broken("shelf", Settings())
    ask = catalog.Search(text="be", limit=1, cursor=first.next_cursor)
    assert [one.sku for one in (await platform.platform.call(catalog.search, ask, COFFEE)).items] == ["b2"]
    with pytest.raises(catalog.BadCursor):
        await platform.platform.call(catalog.search, ask.replace(text="bean"), COFFEE)
