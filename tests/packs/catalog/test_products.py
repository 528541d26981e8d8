"""What exists in the group, on a real PostgreSQL: the tree, imports, versions, sellers."""

from __future__ import annotations

import asyncio

import pytest

from isthmus.packs.catalog import api
from isthmus.store.session import Statements
from isthmus.values import LineAsk

from .conftest import NORTH, SOUTH, Shop, broken_conditions, category, product

ORIGIN = api.AttributeRule(name="origin", is_required=True)


async def test_the_tree_is_listed_level_by_level_and_as_a_whole(shop: Shop):
    await shop.categories(category("bread", "food"), category("toys"))

    async def listed(**facts: object) -> list[str]:
        ask = api.ListCategories(**facts)  # pyright: ignore[reportArgumentType]
        return [one.code for one in (await shop.platform.call(api.list_categories, ask, SOUTH)).items]

    assert await listed() == ["food", "toys"]
    assert await listed(parent="food") == ["bread", "drinks"]
    assert await listed(parent="food", is_deep=True) == ["bread", "drinks", "tea"]
    assert len(await listed(is_deep=True)) == 5


async def test_a_list_of_categories_goes_on_where_it_ended(shop: Shop):
    codes: list[str] = []
    cursor = None
    while True:
        ask = api.ListCategories(is_deep=True, limit=1, cursor=cursor)
        page = await shop.platform.call(api.list_categories, ask, NORTH)
        codes += [one.code for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert codes == ["drinks", "food", "tea"]


async def test_a_category_shows_the_way_to_it_and_what_is_inherited(shop: Shop):
    await shop.categories(category("food", None, ORIGIN), category("tea", "drinks", api.AttributeRule(name="leaf")))
    view = await shop.platform.call(api.get_category, api.GetCategory(code="tea"), SOUTH)
    assert [one.code for one in view.path] == ["food", "drinks"]
    assert [one.name for one in view.attributes] == ["leaf", "origin"]
    with pytest.raises(api.UnknownCategory, match="'coffee'"):
        await shop.platform.call(api.get_category, api.GetCategory(code="coffee"), SOUTH)


@pytest.mark.parametrize(
    ("drafts", "path"),
    [
        ([category("food", "tea")], "$.categories[0].parent"),
        ([category("other"), category("food", "food")], "$.categories[1].parent"),
        ([category("a", "b"), category("b", "a")], "$.categories[0].parent"),
        ([category("a"), category("a")], "$.categories[1].code"),
        ([category(f"c{n}", f"c{n - 1}" if n else None) for n in range(17)], "$.categories[16].parent"),
    ],
)
async def test_what_would_be_no_tree_is_refused(shop: Shop, drafts: list[api.CategoryDraft], path: str):
    with pytest.raises(api.NoTree) as refused:
        await shop.categories(*drafts)
    assert refused.value.path == path


async def test_a_parent_that_is_nowhere_is_named(shop: Shop):
    with pytest.raises(api.UnknownCategory, match="'nowhere'") as refused:
        await shop.categories(category("one", "two"), category("two"), category("three", "nowhere"))
    assert refused.value.path == "$.categories[2].parent"


async def test_two_puts_at_once_make_no_circle(shop: Shop):
    await shop.categories(category("a"), category("b"))
    puts = [shop.categories(category("a", "b")), shop.categories(category("b", "a"))]
    ended = await asyncio.gather(*puts, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["NoTree", "NoneType"]


async def test_the_same_import_again_changes_nothing(shop: Shop):
    drafts = [product("green"), product("black")]
    assert await shop.imports(*drafts) == api.Imported(created=2, replaced=0)
    assert await shop.imports(*drafts) == api.Imported(created=0, replaced=0, unchanged=2)
    changed = product("black", title="Very Black")
    assert await shop.imports(drafts[0], changed) == api.Imported(created=0, replaced=1, unchanged=1)
    versions = await shop.platform.call(api.list_versions, api.ListVersions(code="black"), SOUTH)
    assert [(one.version, one.draft.title) for one in versions.items] == [(2, "Very Black"), (1, "Black")]
    assert {(one.changed_by, one.changed_in) for one in versions.items} == {("north-office", "north")}


async def test_versions_go_on_by_cursor_and_an_unknown_code_is_refused(shop: Shop):
    for title in "abc":
        await shop.imports(product("green", title=title))
    first = await shop.platform.call(api.list_versions, api.ListVersions(code="green", limit=2), NORTH)
    rest = await shop.platform.call(
        api.list_versions, api.ListVersions(code="green", limit=2, cursor=first.next_cursor), NORTH
    )
    assert [one.version for one in (*first.items, *rest.items)] == [3, 2, 1]
    assert rest.next_cursor is None
    with pytest.raises(api.NoSuchProduct, match="'red'"):
        await shop.platform.call(api.list_versions, api.ListVersions(code="red"), NORTH)


async def test_what_a_category_demands_is_demanded_of_what_lies_below_it(shop: Shop):
    await shop.categories(category("food", None, ORIGIN))
    variants = (api.Variant(sku="a", attributes={"origin": "Assam"}), api.Variant(sku="b"))
    with pytest.raises(api.SchemaViolation, match="'origin' is missing") as refused:
        await shop.imports(product("one", attributes={"origin": "Ceylon"}), product("two", variants=variants))
    assert refused.value.path == "$.products[1].variants[1].attributes.origin"
    assert await shop.imports(product("two", variants=variants[:1])) == api.Imported(created=1, replaced=0)


async def test_a_stricter_category_holds_from_the_next_publish_on(shop: Shop):
    await shop.imports(product("green"))
    await shop.categories(category("drinks", "food", ORIGIN))
    with pytest.raises(api.SchemaViolation, match="category 'tea'.*'origin' is missing"):
        await shop.publish("green")


async def test_a_sku_of_another_product_is_refused_with_its_place(shop: Shop):
    await shop.imports(product("green"))
    thief = product("thief", variants=(api.Variant(sku="own"), api.Variant(sku="green")))
    with pytest.raises(api.DuplicateSku, match="'green'") as refused:
        await shop.imports(product("honest"), thief)
    assert refused.value.path == "$.products[1].variants[1].sku"
    assert await shop.imports(product("honest")) == api.Imported(created=1, replaced=0), "nothing of it was written"


async def test_of_two_products_that_take_one_sku_at_once_one_gets_it(shop: Shop, database_url: str):
    drafts = [product(f"p{number}", variants=(api.Variant(sku="wanted"),)) for number in range(6)]
    ended = await asyncio.gather(*(shop.imports(draft) for draft in drafts), return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["DuplicateSku"] * 5 + ["Imported"]


@pytest.mark.parametrize(
    ("drafts", "error", "path"),
    [
        ([product("a"), product("a", variants=(api.Variant(sku="b"),))], api.DuplicateCode, "$.products[1].code"),
        ([product("a"), product("b", variants=(api.Variant(sku="a"),))], api.DuplicateSku,
         "$.products[1].variants[0].sku"),
        ([product("a"), product("b", category="none")], api.UnknownCategory, "$.products[1].category"),
    ],
)  # fmt: skip
async def test_an_import_that_contradicts_itself_is_refused(
    shop: Shop, drafts: list[api.ProductDraft], error: type[Exception], path: str
):
    with pytest.raises(error) as refused:
        await shop.imports(*drafts)
    assert refused.value.path == path  # pyright: ignore[reportAttributeAccessIssue]


async def test_an_import_reaches_the_lists_of_every_front_end(shop: Shop, database_url: str):
    south = Shop(shop.platform, SOUTH)
    await shop.categories(category("bread", "food"))
    await shop.imports(product("green", brand="old"))
    await shop.publish("green")
    await south.publish("green")
    await shop.imports(product("green", title="Sencha", brand="new", category="bread"))
    for one in (shop, south):
        assert [found.title for found in (await one.search(text="sencha")).items] == ["Sencha"]
        assert await one.found(brand="new", category="bread") == ["green"]
        assert await one.found(text="green tea", brand="old") == []
    assert await broken_conditions(database_url) == {}


async def test_a_variant_that_is_gone_is_offered_nowhere_until_it_is_back(shop: Shop, database_url: str):
    both = (api.Variant(sku="loose"), api.Variant(sku="bags"))
    south = Shop(shop.platform, SOUTH)
    await shop.imports(product("green", variants=both))
    await south.publish("loose", "bags")
    await shop.imports(product("green", variants=both[:1]))
    assert await south.found() == ["loose"]
    with pytest.raises(api.NoSuchSku):
        await south.publish("bags")
    ask = api.DescribeSkus(skus=("bags",))
    (described,) = (await shop.platform.call(api.describe_skus, ask, SOUTH)).items
    assert described.item.title == "Green"
    assert described.offer is not None
    assert not described.offer.is_open
    await shop.imports(product("green", variants=both))
    assert await south.found() == ["bags", "loose"]
    assert await broken_conditions(database_url) == {}


async def test_what_a_suspended_seller_sells_is_for_sale_nowhere(shop: Shop):
    sellers = (api.SellerDraft(code="s1", name="One"), api.SellerDraft(code="s2", name="Two"))
    await shop.platform.call(api.put_sellers, api.PutSellers(sellers=sellers), NORTH)
    await shop.imports(product("green", seller="s1"), product("black", seller="s2"))
    await shop.publish("green", "black")
    stopped = (api.SellerDraft(code="s1", name="One", is_suspended=True),)
    await shop.platform.call(api.put_sellers, api.PutSellers(sellers=stopped), SOUTH)
    assert await shop.found() == ["black"]
    with pytest.raises(api.NotForSale, match="its seller is suspended"):
        await shop.platform.call(api.check_lines, api.CheckLines(lines=(LineAsk(sku="green", quantity=1),)), NORTH)


async def test_sellers_are_listed_by_code_with_cursors(shop: Shop):
    sellers = tuple(api.SellerDraft(code=code, name=code) for code in "cab")
    await shop.platform.call(api.put_sellers, api.PutSellers(sellers=sellers), NORTH)
    first = await shop.platform.call(api.list_sellers, api.ListSellers(limit=2), SOUTH)
    rest = await shop.platform.call(api.list_sellers, api.ListSellers(cursor=first.next_cursor), SOUTH)
    assert [one.code for one in (*first.items, *rest.items)] == ["a", "b", "c"]


@pytest.mark.parametrize("count", [1, 1_000])
async def test_an_import_is_a_handful_of_statements_whatever_its_size(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, count: int
):
    sent: list[str] = []
    send = Statements._run

    async def counted(session: Statements, sql: str, *rest: object) -> object:
        if type(session) is not Statements:  # the platform's own wake the relay, some time after a commit
            sent.append(sql)
        return await send(session, sql, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Statements, "_run", counted)
    await shop.imports(*(product(f"p{number}") for number in range(count)))
    assert len(sent) == 4
    sent.clear()
    await shop.publish(*(f"p{number}" for number in range(count)))
    assert len(sent) == 4, "what is published is locked first, and read as it is then"


async def test_imports_and_publishing_at_once_leave_no_list_behind(shop: Shop, database_url: str):
    south = Shop(shop.platform, SOUTH)
    codes = [f"p{number}" for number in range(20)]
    await shop.imports(*(product(code) for code in codes))

    async def rename(turn: int) -> None:
        order = codes if turn % 2 else codes[::-1]
        await shop.imports(*(product(code, title=f"{code} of {turn}") for code in order))

    async def offer(turn: int, one: Shop) -> None:
        await one.publish(*(codes if turn % 2 else codes[::-1]))

    work = [one for turn in range(8) for one in (rename(turn), offer(turn, shop), offer(turn, south))]
    await asyncio.gather(*work)
    assert await broken_conditions(database_url) == {}


async def test_a_front_end_cannot_write_versions_anew(shop: Shop):
    await shop.imports(product("green"))
    for statement in ("delete from catalog.product_version", "update catalog.product_version set changed_by = ''"):
        session = await shop.platform.store.write("north", None)
        with pytest.raises(Exception, match="permission denied"):
            await session.execute(statement)
        await session.close()
