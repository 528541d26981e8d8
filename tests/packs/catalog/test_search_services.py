"""A search service that a front end chose names goods; PostgreSQL decides what is shown, and stands in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import asyncpg
import pytest

from isthmus.kernel import Context, Effect, FrontEnd, Pack, Pass, Platform, answers, flow, implements
from isthmus.packs.catalog import api
from isthmus.packs.catalog.pack import PACK
from isthmus.store import Database

from .conftest import NORTH, NOW, SOUTH, Shop, category, front_end, product

MakePlatform = Callable[..., Awaitable[Platform]]


class Clock:
    """The time, which tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Service:
    """Names what it was given, and keeps what it was asked."""

    name = "shelf"

    def __init__(self) -> None:
        self.skus: Sequence[str] = ()
        self.is_down = False
        self.asked: list[api.Wanted] = []

    async def find(self, wanted: api.Wanted) -> Sequence[str]:
        self.asked.append(wanted)
        if self.is_down:
            raise ConnectionError("nobody there")
        return self.skus


@answers(api.choose_search)
def own_search(text: str) -> str | Pass:
    return "shelf"


@flow("tray.pick", version="1.0", effect=Effect.WRITE, uses=(api.search,))
def pick(ask: api.Search) -> api.FoundPage:
    """Search where rows may be locked already."""
    ...


@implements(pick)
async def pick_goods(ask: api.Search, ctx: Context) -> api.FoundPage:
    return await ctx.call(api.search, ask)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def shop(make_platform: MakePlatform, database: Database, service: Service, clock: Clock) -> Shop:
    """Give the north, whose goods the service finds; the south has chosen none."""
    from types import ModuleType

    module = ModuleType("api", "Trays.")
    module.pick = pick  # type: ignore[attr-defined]
    work = ModuleType("service")
    work.pick_goods = pick_goods  # type: ignore[attr-defined]
    tray = Pack(name="tray", owner="tray", api=module, service=(work,))
    north = FrontEnd(code="north", name="North", owner="north", uses=("catalog.*", "tray.*"), answers=(own_search,))
    resources = {api.SearchServices: api.SearchServices([service], database)}
    shop = Shop(await make_platform(PACK, tray, north, front_end("south"), resources=resources, clock=clock))
    await shop.categories(category("tea"), category("cups"))
    await shop.imports(
        product("green", title="Green tea"), product("black", title="Black tea"), product("cup", category="cups")
    )
    await shop.publish("green", "black", "cup")
    await Shop(shop.platform, SOUTH).publish("green", "black")
    return shop


async def test_goods_come_in_the_order_of_the_service_and_only_those_that_are_offered_and_let_through(
    shop: Shop, service: Service
) -> None:
    service.skus = ("none", "cup", "green", "black", "green")
    assert await shop.found(text="tea") == await shop.found(text="tea", limit=1) == ["cup", "green", "black"]
    assert await shop.found(text="tea", category="tea") == ["green", "black"]
    assert (await shop.search(text="tea")).found_by == "shelf"
    assert len(service.asked) == 2, "once for each question, however many pages it has"
    assert (service.asked[1].front_end, service.asked[1].text, service.asked[1].category) == ("north", "tea", "tea")
    south = Shop(shop.platform, SOUTH)
    assert await south.found(text="tea") == ["black", "green"]
    assert len(service.asked) == 2, "who did not choose it is not told of"


async def test_counts_are_of_the_goods_that_the_service_found(shop: Shop, service: Service) -> None:
    service.skus = ("cup", "green")
    counted = await shop.platform.call(api.count_facets, api.CountFacets(text="tea"), NORTH)
    assert counted.count == 2 == len(await shop.found(text="tea"))


async def test_postgresql_finds_where_the_service_does_not_and_it_is_left_alone_for_a_while(
    shop: Shop, service: Service, clock: Clock
) -> None:
    service.skus, service.is_down = ("cup",), True
    page = await shop.search(text="tea")
    assert ([one.sku for one in page.items], page.found_by) == (["black", "green"], "postgresql")
    assert await shop.found(text="green tea") == ["green"]
    assert len(service.asked) == 1
    service.is_down, clock.now = False, NOW + api.PAUSE
    assert await shop.found(text="tea") == ["cup"]


async def test_pages_go_on_in_the_list_that_the_first_was_of(shop: Shop, service: Service, clock: Clock) -> None:
    service.skus = ("cup", "green", "black")
    first = await shop.search(text="tea", limit=1)
    service.is_down = True
    assert [one.sku for one in (await shop.search(text="tea", limit=1, cursor=first.next_cursor)).items] == ["green"]
    clock.now = NOW + timedelta(hours=2)
    with pytest.raises(api.BadCursor):  # its order is known no more, and PostgreSQL has another
        await shop.search(text="tea", limit=1, cursor=first.next_cursor)


async def test_nobody_outside_is_waited_for_in_a_transaction(shop: Shop, service: Service) -> None:
    service.skus = ("cup",)
    page = await shop.platform.call(pick, api.Search(text="tea"), NORTH)
    assert ([one.sku for one in page.items], service.asked) == (["black", "green"], [])


async def test_what_was_found_is_forgotten_after_a_day_and_no_words_were_kept(
    shop: Shop, service: Service, clock: Clock, database_url: str
) -> None:
    service.skus = ("cup",)
    await shop.search(text="very secret wish")
    connection = await asyncpg.connect(database_url)
    try:
        kept = [bytes(row["answer"]) for row in await connection.fetch("select answer from catalog.search_answer")]
    finally:
        await connection.close()
    assert kept == [b'["cup"]']
    forget = api.ForgetSearches()
    assert (await shop.platform.call(api.forget_searches, forget, NORTH)).answers == 0
    clock.now = NOW + timedelta(days=1, seconds=1)
    assert (await shop.platform.call(api.forget_searches, forget, NORTH)).answers == 1
