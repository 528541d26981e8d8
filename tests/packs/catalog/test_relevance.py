"""In which order a search shows what it finds: as the front end declares it, page by page the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from isthmus.kernel import FrontEnd, Pass, Platform, Value, answers
from isthmus.packs.catalog import api
from isthmus.packs.catalog.pack import PACK
from isthmus.packs.catalog.storage import searching

from .conftest import NORTH, NOW, SOUTH, Shop, broken_conditions, category, front_end, product


async def _goods(shop: Shop) -> None:
    await shop.categories(category("milk"))
    await shop.imports(
        product("a1", title="Almond cream with a hint of milk", brand="Nutty"),
        product("a2", title="Bread", brand="Baker", description="Made with milk and honey"),
        product("a3", title="Milk", brand="Farm"),
        product("a4", title="Butter", brand="Milk Brothers"),
        product("a5", title="Chocolate", category="milk"),
        product("a6", title="Milk chocolate", brand="Farm"),
        product("milk", title="Whisk", brand="Steel"),
    )
    await shop.publish("a1", "a2", "a3", "a4", "a5", "a6", "milk")


async def test_titles_come_before_brands_and_those_before_descriptions_and_article_numbers_first(shop: Shop) -> None:
    await _goods(shop)
    assert await shop.found(text="milk") == ["milk", "a3", "a6", "a1", "a4", "a5", "a2"]
    assert await shop.found(text="milk", limit=1) == ["milk", "a3", "a6", "a1", "a4", "a5", "a2"]
    assert await shop.found(text="mil") == ["milk", "a3", "a6", "a1", "a4", "a5", "a2"], "also where words begin so"
    assert await shop.found(text="milk", brand="Farm") == ["a3", "a6"]
    assert (await shop.search(text="milk")).found_by == "postgresql"


async def test_an_article_number_comes_before_those_that_begin_with_it(shop: Shop) -> None:
    numbers = {"ab-12-3": "Apple press", "ab-12": "Zester", "ab-1": "Bowl for ab-12"}
    await shop.imports(*(product(sku, title=title) for sku, title in numbers.items()))
    await shop.publish(*numbers)
    for text in ("AB-12", "ab12"):
        first, *others = await shop.found(text=text)
        assert (first, sorted(others)) == ("ab-12", ["ab-1", "ab-12-3"])


@answers(api.relevance)
def brands_first(text: str) -> api.Relevance | Pass:
    return api.Relevance(article_number=0, title=10, brand=500, description=0, coverage=0, attribute="sold")


class Sold(Value):
    """What the north says of its listings: how many were sold of late."""

    sold: int = 0


async def test_a_front_end_declares_what_comes_first_and_others_do_not_notice(
    make_platform: Callable[..., Awaitable[Platform]],
) -> None:
    north = FrontEnd(
        code="north",
        name="North",
        owner="north",
        uses=("catalog.*",),
        answers=(brands_first,),
        attributes={"catalog.listing": Sold},
    )
    platform = await make_platform(PACK, north, front_end("south"), clock=lambda: NOW)
    shop, south = Shop(platform, NORTH), Shop(platform, SOUTH)
    await shop.categories(category("tea"))
    await _goods(shop)
    await shop.publish("a6", attributes={"sold": 7})
    await shop.publish("a1", attributes={"sold": 3})
    await south.publish("a3", "a4")
    order = ["a4", "a5", "a6", "a1", "a3", "milk", "a2"]
    assert await shop.found(text="milk") == order
    assert await shop.found(text="milk", limit=2) == order
    assert await south.found(text="milk") == ["a3", "a4"]


@pytest.mark.parametrize("most", [0, 1, 3, 5, 6])
async def test_where_many_goods_have_a_word_those_with_it_in_their_title_come_first_and_none_is_lost(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(searching, "RANKED_MAX", most)
    await _goods(shop)
    found = await shop.found(text="milk")
    assert found == await shop.found(text="milk", limit=1) == await shop.found(text="milk", limit=3)
    assert set(found[:4]) == {"a1", "a3", "a6", "milk"}
    assert found[4:] == ["a2", "a4", "a5"], "the rest in the order of their titles"
    if most >= 4:
        assert found[:4] == ["milk", "a3", "a6", "a1"]


async def test_what_a_front_end_writes_itself_counts_as_its_title(shop: Shop, database_url: str) -> None:
    await shop.imports(product("a", title="Thing", description="Käse"), product("b", title="Other"))
    await shop.publish("a", "b")
    said = api.Enrichment(code="b", title="Käse", language="de")
    await shop.platform.call(api.enrich_products, api.EnrichProducts(products=(said,)), NORTH)
    assert await shop.found(text="käse") == ["b", "a"]
    assert await broken_conditions(database_url) == {}


@pytest.mark.parametrize(
    "cursor", ['["","ranked",0,0.0,"a","b"]', '["","none",0,0.0,"a","b",false]', '["x","ranked",1,0.0,"","",false]']
)
async def test_a_cursor_that_no_search_gave_is_refused(shop: Shop, cursor: str) -> None:
    with pytest.raises(api.BadCursor):
        await shop.search(text="tea", cursor=cursor.encode().hex())
