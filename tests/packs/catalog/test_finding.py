"""What a search finds when words are misspelt, counted by what it is; and what goes with goods."""

from __future__ import annotations

import itertools
from typing import Any

import asyncpg
import pytest

from isthmus.packs.catalog import api
from isthmus.store.session import Reading

from .conftest import SOUTH, Shop, category, product


async def facets(shop: Shop, **facts: object) -> tuple[int, dict[str, dict[str, int]]]:
    """Return how much is found, and by facet how many have which value."""
    found = await shop.platform.call(api.count_facets, api.CountFacets(**facts), shop.caller)  # pyright: ignore[reportArgumentType]
    return found.count, {one.name: {each.value: each.count for each in one.values} for one in found.facets}


@pytest.fixture
async def goods(shop: Shop) -> Shop:
    await shop.categories(category("biscuits", "food"))
    sweet = {"taste": "sweet"}
    await shop.imports(
        product("assam", title="Assam Tea", brand="Leaf", attributes={"origin": "India"}),
        product("sencha", title="Sencha Tea", brand="Leaf", attributes={"origin": "Japan"}),
        product("oat", title="Oatmeal Biscuits", brand="Miller", category="biscuits", attributes=sweet),
        product("chili", title="Chili Biscuits", brand="Miller", category="biscuits", attributes={"taste": "hot"}),
        product("hidden", title="Hidden Biscuits", brand="Miller", category="biscuits", attributes=sweet),
    )
    await shop.publish("assam", "sencha", "oat", "chili")
    return shop


@pytest.mark.parametrize(
    ("said", "meant", "found"),
    [
        ("bisciuts", "biscuits", ["chili", "oat"]),
        ("sencah", "sencha", ["sencha"]),
        ("Milller oatmael", "miller oatmeal", ["oat"]),
        ("Biskuits", "biscuits", ["chili", "oat"]),
        ("zzzzzz", "", []),
        ("oat", "", ["oat"]),  # a word that is right is not looked for otherwise
        ("biscui", "", ["chili", "oat"]),  # nor is one that begins right
    ],
)
async def test_what_is_misspelt_is_found_and_the_answer_says_what_was_looked_for(
    goods: Shop, said: str, meant: str, found: list[str]
) -> None:
    page = await goods.search(text=said)
    assert ([one.sku for one in page.items], page.spelled) == (found, meant)


async def test_misspelt_words_are_paged_like_others(goods: Shop) -> None:
    assert await goods.found(text="bisciuts", limit=1) == ["chili", "oat"]
    assert await goods.found(text="bisciuts", limit=1, attributes={"taste": "sweet"}) == ["oat"]


@pytest.mark.parametrize("said", ["assam biscuits", "zzzzzz", "tea tee"])
async def test_what_nothing_is_like_is_told_by_one_statement(
    goods: Shop, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await goods.search(text=said)
    sent: list[str] = []
    fetch = Reading.fetch

    async def noted(self: Reading, sql: str, *args: object) -> Any:
        sent.append(sql)
        return await fetch(self, sql, *args)

    monkeypatch.setattr(Reading, "fetch", noted)
    monkeypatch.setattr(Reading, "fetch_value", noted)
    assert not (await goods.search(text=said)).items
    assert len(sent) == 1


async def test_words_of_letters_alone_are_asked_for_as_words_in_any_form_are(database_url: str) -> None:
    """The shorter way through `catalog.asked` finds what the longer one does."""
    texts = ["soft drinks", "the running shoes", "the", "running running", "", "tee", "die Schuhe", "schuhe laufen"]
    connection = await asyncpg.connect(database_url)
    try:
        for text, language in itertools.product(texts, ["", "en", "de", "xx"]):
            found = [
                await connection.fetch(
                    f"""select text, kind, bool_and(to_tsvector('simple', text) @@ query) from {function}($1, $2)
                    cross join lateral (values ('whole', whole), ('wide', wide)) as one (kind, query)
                    cross join unnest($3::text[]) as text group by 1, 2 order by 1, 2""",
                    text,
                    language,
                    ["soft drinks", "drink", "the run", "running shoes", "schuh", "schuhe lauf", "tees", "die"],
                )
                for function in ("catalog.asked", "catalog.asked_in_any_form")
            ]
            assert found[0] == found[1], (text, language)
    finally:
        await connection.close()


async def test_what_is_found_is_counted_by_what_it_is(goods: Shop) -> None:
    count, by = await facets(goods)
    assert count == 4  # what is not offered here is not counted
    assert by["category"] == {"biscuits": 2, "tea": 2}
    assert by["brand"] == {"Leaf": 2, "Miller": 2}
    assert (by["origin"], by["taste"]) == ({"India": 1, "Japan": 1}, {"hot": 1, "sweet": 1})
    assert await facets(goods, text="tea", attributes={"origin": "Japan"}) == (
        1,
        {"category": {"tea": 1}, "brand": {"Leaf": 1}, "seller": {}, "origin": {"Japan": 1}},
    )
    assert (await facets(goods, text="bisciuts"))[0] == 2
    assert (await facets(goods, category="food"))[0] == 4  # with all below it
    assert (await facets(Shop(goods.platform, SOUTH)))[0] == 0


async def test_counts_are_of_the_same_goods_as_the_search_finds(goods: Shop) -> None:
    for text in ("", "tea", "biscuits", "leaf", "sench", "bisciuts", "none such"):
        for brand in (None, "Leaf"):
            assert (await facets(goods, text=text, brand=brand))[0] == len(await goods.found(text=text, brand=brand))


async def test_what_goes_with_goods_is_shown_where_it_is_offered(goods: Shop) -> None:
    async def put(sku: str, *relations: tuple[str, str, int]) -> api.RelationsPut:
        said = tuple(api.Relation(kind=kind, to_sku=to, quantity=count) for kind, to, count in relations)  # pyright: ignore[reportArgumentType]
        return await goods.platform.call(api.put_relations, api.PutRelations(sku=sku, relations=said), goods.caller)

    async def listed(sku: str, kind: api.RelationKind | None = None) -> list[tuple[str, str, int]]:
        ask = api.ListRelations(sku=sku, kind=kind)
        found = await goods.platform.call(api.list_relations, ask, goods.caller)
        return [(one.kind, one.item.sku, one.quantity) for one in found.items]

    said = [("bundle", "oat", 2), ("accessory", "chili", 1), ("accessory", "hidden", 1), ("replacement", "sencha", 1)]
    assert (await put("assam", *said)).relations == 4
    assert await listed("assam") == [said[0], said[1], said[3]]
    assert await listed("assam", "accessory") == [("accessory", "chili", 1)]
    await put("assam", ("accessory", "oat", 1))
    assert await listed("assam") == [("accessory", "oat", 1)]
    with pytest.raises(api.NoSuchSku, match=r"at \$\.relations\[0\]\.to_sku"):
        await put("assam", ("accessory", "nothing", 1))
