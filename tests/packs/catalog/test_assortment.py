"""What a front end offers, on a real PostgreSQL: publishing, buying, showing, searching, and two shops side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import cast

import asyncpg
import msgspec
import pytest

from isthmus.kernel import ALLOW, PASS, Pass, Platform, Verdict, answers, ports, veto
from isthmus.packs.catalog import api
from isthmus.packs.catalog.pack import PACK
from isthmus.packs.catalog.storage import searching
from isthmus.values import LineAsk

from .conftest import NORTH, NOW, SOUTH, Shop, broken_conditions, category, front_end, product

DAY = timedelta(days=1)


@pytest.fixture
async def south(shop: Shop) -> Shop:
    return Shop(shop.platform, SOUTH)


async def checked(shop: Shop, *lines: tuple[str, int], **facts: object) -> api.SellableLines:
    asks = tuple(LineAsk(sku=sku, quantity=quantity) for sku, quantity in lines)
    ask = api.CheckLines(lines=asks, **facts)  # pyright: ignore[reportArgumentType]
    return await shop.platform.call(api.check_lines, ask, shop.caller)


async def test_lines_come_back_in_the_order_asked_with_what_was_imported(shop: Shop):
    variants = (api.Variant(sku="g1", unit="gram", weight_grams=1, attributes={"size": "s", "leaf": "whole"}),)
    await shop.imports(
        product("green", variants=variants, attributes={"size": "m", "origin": "Uji"}, tax_category="reduced",
                brand="B", seller="S", is_returnable=False),
        product("black"),
    )  # fmt: skip
    await shop.publish("g1", "black")
    sold = await checked(shop, ("black", 1), ("g1", 5), ("black", 2))
    assert [one.sku for one in sold.items] == ["black", "g1", "black"]
    green = sold.items[1]
    assert (green.unit, green.weight_grams, green.tax_category, green.brand, green.seller, green.is_returnable) == (
        "gram", 1, "reduced", "B", "S", False
    )  # fmt: skip
    assert green.attributes == {"size": "s", "leaf": "whole", "origin": "Uji"}, "the variant's own go first"


async def test_every_line_that_cannot_be_sold_is_in_one_error(shop: Shop):
    await shop.imports(product("green"), product("black"), product("soon"), product("late"))
    await shop.publish("green")
    await shop.publish("soon", offered_from=NOW + DAY)
    await shop.publish("late", offered_from=NOW - 2 * DAY, offered_to=NOW)
    with pytest.raises(api.UnknownSku, match="'ghost'") as unknown:
        await checked(shop, ("green", 1), ("ghost", 1), ("black", 1), ("spirit", 1))
    assert [one["path"] for one in unknown.value.facts["lines"]] == ["$.lines[1].sku", "$.lines[3].sku"]  # type: ignore[index]
    with pytest.raises(api.NotForSale) as closed:
        await checked(shop, ("green", 1), ("black", 1), ("soon", 1), ("late", 1))
    assert [one["reason"] for one in closed.value.facts["lines"]] == [  # type: ignore[index]
        "it is not in the assortment",
        "it is offered from 2026-05-05T12:00:00+00:00",
        "it was offered until 2026-05-04T12:00:00+00:00",
    ]
    assert closed.value.path == "$.lines[1].sku"


async def test_quantities_have_a_least_a_most_and_a_step(shop: Shop):
    await shop.imports(product("green"))
    await shop.publish("green", min_quantity=100, max_quantity=500, step=50)
    await checked(shop, ("green", 100), ("green", 350))
    with pytest.raises(api.QuantityRefused) as refused:
        await checked(shop, ("green", 50), ("green", 120), ("green", 350))
    reasons = [one["reason"] for one in refused.value.facts["lines"]]  # type: ignore[index]
    assert reasons == ["at least 100, not 50", "in steps of 50, not 120", "at most 500, not 520"]
    assert refused.value.path == "$.lines[0].quantity"


async def test_one_front_end_never_sees_what_another_offers(shop: Shop, south: Shop):
    await shop.imports(product("green"), product("black"))
    await shop.publish("green")
    await south.publish("black", max_quantity=3)
    assert (await shop.found(), await south.found()) == (["green"], ["black"])
    with pytest.raises(api.NotForSale):
        await checked(shop, ("black", 1))
    await shop.platform.call(api.withdraw, api.Withdraw(skus=("green", "black")), NORTH)
    assert (await shop.found(), await south.found()) == ([], ["black"])
    ask = api.DescribeSkus(skus=("black", "ghost", "green"))
    described = (await shop.platform.call(api.describe_skus, ask, NORTH)).items
    assert [(one.item.sku, one.offer) for one in described] == [("black", None), ("green", None)]


async def test_withdrawing_says_how_many_were_offered_and_publishing_again_offers_them_again(shop: Shop):
    await shop.imports(product("green"))
    await shop.publish("green")
    for withdrawn in (1, 0):
        gone = await shop.platform.call(api.withdraw, api.Withdraw(skus=("green",)), NORTH)
        assert gone.skus == withdrawn
    await shop.publish("green")
    assert await shop.found() == ["green"]


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"offered_from": NOW, "offered_to": NOW}, "offered_to"),
        ({"offered_to": NOW - DAY}, "offered_to"),
        ({"min_quantity": 2, "max_quantity": 1}, "max_quantity"),
    ],
)
async def test_what_would_end_before_it_begins_is_refused(shop: Shop, facts: dict[str, object], field: str):
    await shop.imports(product("green"))
    with pytest.raises(api.BadRange) as refused:
        await shop.publish("green", **facts)
    assert refused.value.path == f"$.listings[0].{field}"


async def test_a_sku_that_no_product_has_cannot_be_published(shop: Shop):
    await shop.imports(product("green"))
    with pytest.raises(api.NoSuchSku) as refused:
        await shop.publish("green", "ghost")
    assert refused.value.path == "$.listings[1].sku"
    assert await shop.found() == []


async def test_a_product_shows_its_variants_and_how_they_are_offered_here(shop: Shop, south: Shop):
    await shop.imports(product("green", variants=(api.Variant(sku="a"), api.Variant(sku="b"))))
    await shop.publish("b", offered_from=NOW - DAY, offered_to=NOW + DAY, max_quantity=9)
    view = await shop.platform.call(api.get_product, api.GetProduct(sku="a"), NORTH)
    assert ([one.sku for one in view.variants], view.version) == (["a", "b"], 1)
    assert view.offers == (
        api.Offer(sku="b", is_open=True, offered_from=NOW - DAY, offered_to=NOW + DAY, min_quantity=1, max_quantity=9,
                  step=1),
    )  # fmt: skip
    assert (await south.platform.call(api.get_product, api.GetProduct(sku="a"), SOUTH)).offers == ()
    with pytest.raises(api.NoSuchSku):
        await shop.platform.call(api.get_product, api.GetProduct(sku="c"), NORTH)


async def _tea_house(shop: Shop) -> None:
    await shop.categories(category("bread", "food"), category("toys"))
    await shop.imports(
        product("green", title="Green leaves", brand="Uji", attributes={"organic": "true"}),
        product("black", title="Black strawberries", brand="Assam", description="Brewed for breakfast"),
        product("rye", title="Rye loaf", category="bread", seller="baker",
                variants=(api.Variant(sku="rye-s", attributes={"size": "s"}), api.Variant(sku="rye-l"))),
        product("bear", title="Bear", category="toys"),
    )  # fmt: skip
    await shop.publish("green", "black", "rye-s", "rye-l", "bear")


@pytest.mark.parametrize(
    ("facts", "skus"),
    [
        ({}, ["bear", "black", "green", "rye-l", "rye-s"]),
        ({"text": "strawberry"}, ["black"]),
        ({"text": "breakfast brewing"}, ["black"]),
        ({"text": "uji leaves"}, ["green"]),
        ({"text": "leaf strawberry"}, []),
        ({"text": "rye-s"}, ["rye-s"]),
        ({"text": "   "}, ["bear", "black", "green", "rye-l", "rye-s"]),
        ({"text": "'); drop table & | ! <->"}, []),
        ({"category": "tea"}, ["black", "green"]),
        ({"category": "food"}, ["black", "green", "rye-l", "rye-s"]),
        ({"category": "none"}, []),
        ({"brand": "Uji"}, ["green"]),
        ({"seller": "baker"}, ["rye-l", "rye-s"]),
        ({"attributes": {"organic": "true"}}, ["green"]),
        ({"attributes": {"size": "s"}, "category": "bread"}, ["rye-s"]),
        ({"attributes": {"size": "s", "organic": "true"}}, []),
        ({"text": "rye", "category": "food", "seller": "baker", "attributes": {"size": "s"}}, ["rye-s"]),
    ],
)
async def test_search_finds_by_words_and_by_what_a_thing_is(shop: Shop, facts: dict[str, object], skus: list[str]):
    await _tea_house(shop)
    assert await shop.found(**facts) == skus
    assert await shop.found(**facts, limit=1) == skus, "page by page it is the same"


SHELF = {  # sku: (title, brand, description)
    "AB-1234-X": ("It's On: a puzzle", "L'Oréal", ""),
    "creme": ("Crème brûlée", "Maison", "Sweet, with caramel"),
    "decomposed": ("Cafe\u0301 au lait", "Maison", ""),
    "kids": ("阪神タイガースの絵本", "小学館", "子供のための本です"),
    "tea": ("龙井绿茶 500g", "西湖", "来自杭州的新茶"),
    "chocolate": ("Chocolate, dark", "Sørensen", "The best of all"),
    "wifi": ("Wi-Fi router 2.4", "Größe", "Running shoes not included"),
    "yo": ("Чай чёрный", "", ""),
}

ORDINARY_SEARCHES = [
    ("Crème brûlée", "creme"),
    ("creme brulee", "creme"),
    ("CRÈME", "creme"),
    ("Cre\u0300me bru\u0302le\u0301e", "creme"),
    ("caramels", "creme"),
    ("brul", "creme"),
    ("café", "decomposed"),
    ("cafe", "decomposed"),
    ("It's On", "AB-1234-X"),
    ("It’s On", "AB-1234-X"),
    ("its on", "AB-1234-X"),
    ("loreal", "AB-1234-X"),
    ("l'oreal", "AB-1234-X"),
    ("oréal puzzle", "AB-1234-X"),
    ("AB-1234-X", "AB-1234-X"),
    ("AB-12", "AB-1234-X"),
    ("ab1234", "AB-1234-X"),
    ("1234", "AB-1234-X"),
    ("绿茶", "tea"),
    ("井绿", "tea"),
    ("杭州", "tea"),
    ("茶", "tea"),
    ("５００ｇ", "tea"),
    ("500 g", "tea"),
    ("タイガース", "kids"),
    ("絵本", "kids"),
    ("子供", "kids"),
    ("choc", "chocolate"),
    ("the chocolate", "chocolate"),
    ("sorensen", "chocolate"),
    ("wifi", "wifi"),
    ("wi fi router", "wifi"),
    ("grosse", "wifi"),
    ("shoe", "wifi"),
    ("черный", "yo"),
    ("ЧАЙ", "yo"),
]


async def test_ordinary_searches_find_what_they_mean(shop: Shop):
    await shop.imports(
        *(
            product(f"p{at}", title=title, brand=brand, description=text, variants=(api.Variant(sku=sku),))
            for at, (sku, (title, brand, text)) in enumerate(SHELF.items())
        )
    )
    await shop.publish(*SHELF)
    assert {text: await shop.found(text=text) for text, _ in ORDINARY_SEARCHES} == {
        text: [sku] for text, sku in ORDINARY_SEARCHES
    }
    for nothing in ("茶绿", "router caramel", "!!!", "'); drop table & | ! <->", "\\", "x" * 200):
        assert await shop.found(text=nothing) == []


async def test_whole_words_are_meant_before_what_begins_like_them_and_every_page_means_the_same(shop: Shop):
    await shop.imports(*(product(code, title=title) for code, title in (("r1", "Rum"), ("r2", "Rump steak"))))
    await shop.imports(*(product(f"c{at}", title=f"Chocolate {at}") for at in range(5)))
    await shop.publish("r1", "r2", *(f"c{at}" for at in range(5)))
    assert await shop.found(text="rum") == ["r1"]
    assert await shop.found(text="choc", limit=2) == [f"c{at}" for at in range(5)]


@pytest.mark.parametrize("plans", ["force_generic_plan", "force_custom_plan"])
async def test_the_words_of_a_search_are_read_once_however_many_goods_there_are(
    shop: Shop, database_url: str, plans: str
):
    await shop.imports(*(product(f"tea-{number}") for number in range(60)))
    await shop.publish(*(f"tea-{number}" for number in range(60)))
    connection = await asyncpg.connect(database_url, server_settings={"track_functions": "all"})
    try:
        await connection.execute(f"set plan_cache_mode = {plans}; set enable_bitmapscan = off")
        async with connection.transaction():
            question = searching.Question(
                front_end="north",
                ask=api.Search(text="tea", limit=50),
                text="tea",
                is_wide=True,
                language="",
                relevance=api.Relevance(),
                now=NOW,
            )
            found, _ = await searching.search(cast(ports.Session, connection), question, None)
            calls = await connection.fetchval(
                "select pg_stat_get_xact_function_calls('catalog.asked(text, text)'::regprocedure)"
            )
    finally:
        await connection.close()
    assert len(found) == 51
    assert calls == 1


async def test_a_search_of_any_text_answers_and_finds_what_is_called_so(shop: Shop):
    texts = ("a'b", '50% "off" (new)', "back\\slash", "a:*b", "日本", "e\u0301", "１２", "한국어", "ß", "...a...")
    await shop.imports(*(product(f"p{at}", title=text) for at, text in enumerate(texts)))
    await shop.publish(*(f"p{at}" for at in range(len(texts))))
    for at, text in enumerate(texts):
        assert f"p{at}" in await shop.found(text=text), text


async def test_a_category_that_moves_takes_all_below_it_along(shop: Shop, database_url: str):
    await shop.imports(product("green"))
    await shop.publish("green")
    await shop.categories(category("presents"))
    assert (await shop.found(category="drinks"), await shop.found(category="presents")) == (["green"], [])
    await shop.categories(category("drinks", "presents"))
    assert (await shop.found(category="food"), await shop.found(category="presents")) == ([], ["green"])
    bought = await checked(shop, ("green", 1))
    assert bought.items[0].categories == ("presents", "drinks", "tea")
    assert await broken_conditions(database_url) == {}


async def test_what_is_not_offered_now_is_not_found(shop: Shop):
    await shop.imports(product("soon"), product("late"), product("now"))
    await shop.publish("soon", offered_from=NOW + DAY)
    await shop.publish("late", offered_from=NOW - DAY, offered_to=NOW)
    await shop.publish("now", offered_from=NOW, offered_to=NOW + DAY)
    assert await shop.found() == ["now"]


@pytest.mark.parametrize("cursor", ["", "zz", "00", b'"a"'.hex(), b'["a"]'.hex(), b'["\\u0000","a"]'.hex(), "ff" * 9])
async def test_a_cursor_of_another_list_is_refused(shop: Shop, cursor: str):
    with pytest.raises(api.BadCursor) as refused:
        await shop.search(cursor=cursor)
    assert refused.value.path == "$.cursor"


@answers(api.validate_listing)
def no_brandless(listings: Sequence[api.Listing], products: Sequence[api.Sellable]) -> Sequence[Verdict]:
    return [ALLOW if one.brand else veto("it has no brand") for one in products]


@answers(api.product_view)
def shouted(view: api.ProductView) -> api.ProductView:
    return msgspec.structs.replace(view, title=view.title.upper())  # type: ignore[type-var]


@answers(api.found_items, when={"channel": "app"})
def nothing_black(items: tuple[api.Found, ...]) -> tuple[api.Found, ...]:
    return tuple(one for one in items if "Black" not in one.title)


@answers(api.is_sellable, when={"channel": "phone"})
def no_green_by_phone(products: Sequence[api.Sellable]) -> Sequence[bool | Pass]:
    return [False if one.sku == "green" else PASS for one in products]


async def test_a_front_end_puts_its_own_rules_in_and_no_other_notices(
    make_platform: Callable[..., Awaitable[Platform]],
):
    rules = (no_brandless, shouted, nothing_black, no_green_by_phone)
    platform = await make_platform(PACK, front_end("north", rules), front_end("south"), clock=lambda: NOW)
    north, south = Shop(platform, NORTH), Shop(platform, SOUTH)
    await north.categories(category("tea"))
    await north.imports(product("green", brand="Uji"), product("black", brand="Assam"), product("plain"))
    with pytest.raises(api.SchemaViolation, match=r"'plain': it has no brand \(north.no_brandless\)") as refused:
        await north.publish("green", "plain")
    assert refused.value.path == "$.listings[1]"
    await north.publish("green", "black")
    await south.publish("green", "plain")
    assert (await north.found(channel="app"), await north.found()) == (["green"], ["black", "green"])
    view = await platform.call(api.get_product, api.GetProduct(sku="green"), NORTH)
    assert view.title == "GREEN"
    assert (await platform.call(api.get_product, api.GetProduct(sku="green"), SOUTH)).title == "Green"
    with pytest.raises(api.NotForSale, match="not in this kind of order"):
        await checked(north, ("green", 1), channel="phone")
    await checked(north, ("green", 1))
    await checked(south, ("green", 1), channel="phone")


async def test_the_doctor_sees_a_list_that_shows_something_else(shop: Shop, database_url: str):
    await shop.imports(product("green"))
    await shop.publish("green")
    assert await broken_conditions(database_url) == {}
    session = await shop.platform.store.write("north", None)
    await session.execute("update catalog.listing set title = 'Other' where front_end = 'north'")
    await session.commit([], None)
    assert list(await broken_conditions(database_url)) == ["catalog.lists-show-the-product"]
