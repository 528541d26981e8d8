"""What front ends say of the group's products in their own words, and their own trees, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.catalog import api
from isthmus.packs.catalog.pack import PACK
from isthmus.values import LineAsk

from .conftest import NORTH, NOW, SOUTH, Shop, broken_conditions, category, front_end, product

PICTURE = "https://pictures.example/pot.jpg"


@pytest.fixture
async def north(make_platform: Callable[..., Awaitable[Platform]]) -> Shop:
    """Give the north, which writes German, beside the south, over one pot and one cup of the group."""
    north = FrontEnd(code="north", name="North", owner="n", uses=("catalog.*",), settings={"language": "de"})
    shop = Shop(await make_platform(PACK, north, front_end("south"), clock=lambda: NOW))
    await shop.categories(category("kitchen"), category("tea", "kitchen"), category("pots", "tea"))
    await shop.imports(
        product("pot", title="Iron pot", category="pots", description="For green tea.", attributes={"colour": "black"},
                pictures=(api.Picture(address=PICTURE, alt="A pot"),),
                variants=(api.Variant(sku="pot-s", attributes={"size": "S"}), api.Variant(sku="pot-l"))),
        product("cup", title="Cup", category="tea"),
    )  # fmt: skip
    for one in (shop, Shop(shop.platform, SOUTH)):
        await one.publish("pot-s", "pot-l", "cup")
    return shop


@pytest.fixture
def south(north: Shop) -> Shop:
    return Shop(north.platform, SOUTH)


async def enrich(shop: Shop, *said: api.Enrichment) -> api.ProductsEnriched:
    return await shop.platform.call(api.enrich_products, api.EnrichProducts(products=said), shop.caller)


async def tree(shop: Shop, *pairs: tuple[str, str | None]) -> None:
    put = tuple(api.FrontEndCategory(code=code, name=code.title(), parent=parent) for code, parent in pairs)
    await shop.platform.call(api.put_front_end_categories, api.PutFrontEndCategories(categories=put), shop.caller)


async def shown(shop: Shop, sku: str) -> api.ProductView:
    return await shop.platform.call(api.get_product, api.GetProduct(sku=sku), shop.caller)


async def facets(shop: Shop, **facts: Any) -> dict[str, dict[str, int]]:
    found = await shop.platform.call(api.count_facets, api.CountFacets(**facts), shop.caller)
    return {one.name: {each.value: each.count for each in one.values} for one in found.facets}


async def bought(shop: Shop, sku: str) -> api.Sellable:
    ask = api.CheckLines(lines=(LineAsk(sku=sku, quantity=1),))
    return (await shop.platform.call(api.check_lines, ask, shop.caller)).items[0]


POT = api.Enrichment(
    code="pot",
    title="Gusseiserne Kanne",
    description="Für grünen Tee.",
    attributes={"colour": "schwarz"},
    variants=(api.EnrichedVariant(sku="pot-s", attributes={"size": "klein"}),),
    pictures=(api.Picture(address="https://bilder.example/kanne.jpg", alt="Eine Kanne"),),
)


async def test_a_front_end_shows_a_product_of_the_group_in_its_own_words(north: Shop, south: Shop, database_url: str):
    assert await enrich(north, POT) == api.ProductsEnriched(enriched=1, cleared=0)
    here, there = await shown(north, "pot-s"), await shown(south, "pot-s")
    assert (here.title, here.description, here.language) == ("Gusseiserne Kanne", "Für grünen Tee.", "de")
    assert here.attributes == {"colour": "schwarz"}
    assert here.variants[1].attributes == {"size": "klein"}
    assert [one.alt for one in here.pictures] == ["Eine Kanne"]
    assert (there.title, there.attributes, there.language) == ("Iron pot", {"colour": "black"}, "")
    assert [one.alt for one in there.pictures] == ["A pot"]
    sold = await bought(north, "pot-s")
    assert (sold.title, sold.attributes) == ("Gusseiserne Kanne", {"colour": "schwarz", "size": "klein"})
    assert (await bought(south, "pot-s")).title == "Iron pot"
    assert await broken_conditions(database_url) == {}


async def test_lists_searches_and_facets_of_a_front_end_have_its_own_words_and_no_other_has_them(
    north: Shop, south: Shop, database_url: str
):
    await enrich(north, POT)
    assert [one.title for one in (await north.search()).items] == ["Cup", "Gusseiserne Kanne", "Gusseiserne Kanne"]
    assert await north.found(text="kannen") == ["pot-l", "pot-s"], "by the stems of its language"
    assert await north.found(text="die Kanne") == ["pot-l", "pot-s"], "words that say nothing in its language"
    assert await north.found(text="iron") == ["pot-l", "pot-s"], "the group's words find it still"
    misspelt = await north.search(text="gusseisrne")
    assert (misspelt.spelled, len(misspelt.items)) == ("gusseiserne", 2)
    assert await north.found(attributes={"colour": "schwarz"}) == ["pot-l", "pot-s"]
    assert await north.found(attributes={"colour": "black"}) == []
    assert (await facets(north, text="kanne"))["colour"] == {"schwarz": 2}
    for text in ("kanne", "gusseisrne", "schwarz"):
        other = await south.search(text=text)
        assert (other.items, other.spelled) == ((), ""), "neither found nor told what was meant"
    assert (await facets(south))["colour"] == {"black": 2}
    assert await south.found(attributes={"colour": "schwarz"}) == []
    assert await broken_conditions(database_url) == {}


async def test_what_is_published_later_and_what_the_group_changes_keeps_the_words_of_the_front_end(
    north: Shop, south: Shop, database_url: str
):
    ask = api.Withdraw(skus=("pot-s", "pot-l"))
    await north.platform.call(api.withdraw, ask, NORTH)
    await enrich(north, api.Enrichment(code="pot", title="Kanne"))
    await north.publish("pot-s")
    small = (api.Variant(sku="pot-s"),)
    await north.imports(product("pot", title="Steel pot", category="pots", description="New.", variants=small))
    view = await shown(north, "pot-s")
    assert (view.title, view.description) == ("Kanne", "New.")
    assert [one.title for one in (await north.search(text="steel")).items] == ["Kanne"]
    assert [one.title for one in (await south.search(text="steel")).items] == ["Steel pot"]
    listed = await north.platform.call(api.list_enrichments, api.ListEnrichments(is_outdated=True), NORTH)
    assert [(one.enrichment.title, one.of_version, one.version) for one in listed.items] == [("Kanne", 1, 2)]
    assert (await north.platform.call(api.list_enrichments, api.ListEnrichments(), SOUTH)).items == ()
    assert await enrich(north, api.Enrichment(code="pot")) == api.ProductsEnriched(enriched=0, cleared=1)
    assert (await shown(north, "pot-s")).title == "Steel pot"
    assert await north.found(text="kanne") == []
    assert await broken_conditions(database_url) == {}


async def test_a_front_end_has_a_tree_of_its_own_and_shows_the_groups_goods_in_it(
    north: Shop, south: Shop, database_url: str
):
    await tree(north, ("geschenke", None), ("fuer-opa", "geschenke"), ("tea", None))
    await enrich(north, api.Enrichment(code="cup", category="fuer-opa"))

    async def listed(shop: Shop, **facts: Any) -> list[str]:
        ask = api.ListCategories(is_deep=True, **facts)
        return [one.code for one in (await shop.platform.call(api.list_categories, ask, shop.caller)).items]

    assert await listed(north) == ["fuer-opa", "geschenke", "tea"]
    assert await listed(north, tree="group") == await listed(south) == ["kitchen", "pots", "tea"]
    assert await north.found(category="geschenke") == ["cup"], "a category is all below it"
    assert await north.found(category="tea") == ["pot-l", "pot-s"], "nobody placed it: the nearest that its tree has"
    assert await south.found(category="tea") == ["cup", "pot-l", "pot-s"]
    assert await south.found(category="geschenke") == []
    assert (await facets(north))["category"] == {"tea": 2, "fuer-opa": 1}
    assert (await facets(south))["category"] == {"pots": 2, "tea": 1}
    assert ((await shown(north, "cup")).category, (await shown(south, "cup")).category) == ("fuer-opa", "tea")
    view = await north.platform.call(api.get_category, api.GetCategory(code="fuer-opa"), NORTH)
    assert [one.code for one in view.path] == ["geschenke"]
    with pytest.raises(api.UnknownCategory):
        await north.platform.call(api.get_category, api.GetCategory(code="fuer-opa"), SOUTH)
    assert await broken_conditions(database_url) == {}


async def test_promotions_find_goods_in_the_groups_tree_and_in_the_front_ends(north: Shop, south: Shop):
    await tree(north, ("geschenke", None), ("fuer-opa", "geschenke"))
    await enrich(north, api.Enrichment(code="cup", category="fuer-opa"))
    here, there = await bought(north, "cup"), await bought(south, "cup")
    assert here.category == there.category == "tea", "taxed and counted as the group has it"
    assert here.categories == ("kitchen", "tea", "geschenke", "fuer-opa")
    assert there.categories == ("kitchen", "tea")


async def test_goods_that_nobody_placed_follow_when_either_tree_is_changed(north: Shop, database_url: str):
    await tree(north, ("kitchen", None), ("rest", None))
    assert await north.found(category="kitchen") == ["cup", "pot-l", "pot-s"]
    await north.categories(category("rest"), category("pots", "rest"))
    assert await north.found(category="kitchen") == ["cup"]
    assert await north.found(category="rest") == ["pot-l", "pot-s"]
    await tree(north, ("rest", "kitchen"))
    assert await north.found(category="kitchen") == ["cup", "pot-l", "pot-s"]
    ask = api.RemoveFrontEndCategories(codes=("rest", "kitchen"))
    removed = await north.platform.call(api.remove_front_end_categories, ask, NORTH)
    assert removed.categories == 2
    assert await north.found(category="rest") == ["pot-l", "pot-s"], "the group's tree again"
    assert await broken_conditions(database_url) == {}


async def test_what_cannot_be_said_or_placed_is_refused_with_where_it_stands(north: Shop):
    await tree(north, ("a", None), ("b", "a"))
    with pytest.raises(api.UnknownProduct, match="'ghost'") as unknown:
        await enrich(north, POT, api.Enrichment(code="ghost", title="x"))
    assert unknown.value.path == "$.products[1].code"
    with pytest.raises(api.NotInTree, match="in the front end's own tree") as nowhere:
        await enrich(north, api.Enrichment(code="cup", category="tea"))
    assert nowhere.value.path == "$.products[0].category"
    with pytest.raises(api.NotOfProduct, match="'cup' is not one of product 'pot'") as foreign:
        await enrich(
            north, api.Enrichment(code="pot", variants=(api.EnrichedVariant(sku="cup", attributes={"a": "b"}),))
        )
    assert foreign.value.path == "$.products[0].variants[0].sku"
    with pytest.raises(api.DuplicateCode):
        await enrich(north, POT, POT)
    with pytest.raises(api.NoTree, match="its own ancestor"):
        await tree(north, ("a", "b"))
    with pytest.raises(api.NotInTree) as orphan:
        await tree(north, ("c", "nowhere"))
    assert orphan.value.path == "$.categories[0].parent"
    await enrich(north, api.Enrichment(code="cup", category="b"))
    for codes, holds in ((("a",), "'b'"), (("a", "b"), "'cup'")):
        with pytest.raises(api.CategoryInUse, match=holds):
            await north.platform.call(api.remove_front_end_categories, api.RemoveFrontEndCategories(codes=codes), NORTH)
    number = api.AttributeRule(name="volume", kind="number", is_required=True)
    await north.categories(category("tea", "kitchen", number))
    with pytest.raises(api.SchemaViolation, match="'volume' is 'viel', which is no number") as unfit:
        await enrich(north, api.Enrichment(code="cup", attributes={"volume": "viel"}))
    assert unfit.value.path == "$.products[0].attributes.volume"
    await enrich(north, api.Enrichment(code="cup", title="Tasse"))  # what is demanded, the group says


async def test_the_database_shows_words_and_trees_of_a_front_end_to_nobody_else(north: Shop, database_url: str):
    await tree(north, ("geschenke", None))
    await enrich(north, POT)
    connection = await asyncpg.connect(database_url)
    try:
        for code, seen in (("north", True), ("south", False), ("group", False)):
            async with connection.transaction():
                await connection.execute("set local role isthmus_app")
                await connection.execute("select set_config('isthmus.front_end', $1, true)", code)
                for table in ("enrichment", "front_end_category", "enrichment_word"):
                    assert bool(await connection.fetch(f"select * from catalog.{table}")) is seen, (code, table)
                found = await connection.fetch("select catalog.found_enriched('kanne', 10)")
                assert bool(found) is seen, "not by the function that runs with the owner's rights either"
    finally:
        await connection.close()


async def test_imports_words_trees_and_publishing_at_once_end_in_lists_that_are_true(north: Shop, database_url: str):
    async def at_once(turn: int) -> None:
        await asyncio.gather(
            north.imports(
                product("pot", title=f"Pot {turn}", category="pots" if turn % 2 else "tea",
                        variants=(api.Variant(sku="pot-s"),))),
            enrich(north, api.Enrichment(code="pot", title=f"Kanne {turn}" if turn % 3 else None)),
            tree(north, ("tea", None), (f"eins-{turn}", "tea")),
            tree(north, ("pots", "tea" if turn % 2 else None)),
            north.publish("pot-s"),
            north.categories(category("pots", "tea" if turn % 2 else "kitchen")),
        )  # fmt: skip

    for turn in range(6):
        await at_once(turn)
        assert await broken_conditions(database_url) == {}


async def test_pictures_of_the_group_come_and_go_as_csv_and_count_as_a_change(north: Shop):
    page = await north.platform.call(api.export_csv, api.ExportCsv(), NORTH)
    assert f"{PICTURE} A pot" in page.csv
    report = await north.platform.call(api.import_csv, api.ImportCsv(csv=page.csv), NORTH)
    assert (report.unchanged, report.refused) == (2, 0)
    report = await north.platform.call(api.import_csv, api.ImportCsv(csv=page.csv.replace("A pot", "One pot")), NORTH)
    assert (report.replaced, report.unchanged) == (1, 1)
    assert (await shown(north, "pot-s")).pictures[0].alt == "One pot"


async def test_a_caller_of_another_front_end_can_say_nothing_for_this_one(north: Shop):
    await enrich(Shop(north.platform, Caller(front_end="south", client="x")), POT)
    assert (await shown(north, "pot-s")).title == "Iron pot"
