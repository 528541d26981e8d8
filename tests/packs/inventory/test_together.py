"""Many who want one SKU are answered in one transaction: each on its own, and as if they had come one by one."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.kernel import PASS, Pass, Platform, answers, errors
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK
from isthmus.store import Database

from .conftest import NORTH, Shop, asked, broken_conditions, front_end
from .test_concurrency import kill_during, outcome

MakePlatform = Callable[..., Awaitable[Platform]]
numbers = itertools.count()


async def events(url: str, reference: str = "%") -> list[str]:
    """Return the references of which it was told that goods are reserved."""
    connection = await asyncpg.connect(url)
    try:
        sql = "select subject from isthmus.outbox where type = 'inventory.goods-reserved' and subject like $1"
        return [row[0] for row in await connection.fetch(sql, reference)]
    finally:
        await connection.close()


class Counting:
    """A store that counts transactions."""

    def __init__(self, store: Database) -> None:
        self.store = store
        self.transactions = 0

    async def write(self, *facts: object) -> object:
        self.transactions += 1
        return await self.store.write(*facts)  # pyright: ignore[reportArgumentType]

    def read(self, code: str, parts: str) -> object:
        return self.store.read(code, parts)


async def test_64_who_want_one_sku_take_a_few_transactions_and_each_has_its_own_answer(
    shop: Shop, database_url: str
) -> None:
    await shop.stock(("apple", "shop", 100))
    counting = Counting(shop.platform.store)  # pyright: ignore[reportArgumentType]
    shop.platform.store = counting  # pyright: ignore[reportAttributeAccessIssue]
    held = await asyncio.gather(*(shop.reserve(f"order-{n}", ("apple", 1)) for n in range(64)))
    shop.platform.store = counting.store
    assert counting.transactions <= 2
    assert [one.reference for one in held] == [f"order-{n}" for n in range(64)]
    assert sorted(await events(database_url)) == sorted(one.reference for one in held)
    assert await shop.at("apple") == (100, 64)
    assert not await broken_conditions(database_url)


quantities = st.integers(1, 6)
baskets = st.one_of(
    st.lists(st.tuples(st.just("apple"), quantities), min_size=1, max_size=1),
    st.lists(st.tuples(st.sampled_from(["apple", "pear"]), quantities), min_size=2, max_size=3),
)
asks = st.lists(st.tuples(st.integers(0, 25), baskets, st.sampled_from([None, "shop", "store"])), max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mix=asks, units=st.integers(1, 40), back_order=st.integers(0, 5))
async def test_any_mix_at_once_oversells_nothing_and_refuses_nobody_who_could_have_had_it(
    shop: Shop,
    database_url: str,
    mix: Sequence[tuple[int, Sequence[tuple[str, int]], str | None]],
    units: int,
    back_order: int,
) -> None:
    run = next(numbers)
    names = {"apple": f"apple-{run}", "pear": f"pear-{run}"}
    places = [(sku, place) for sku in names.values() for place in ("shop", "store")]
    await shop.stock(*((*place, units) for place in places))
    limits = tuple(api.Limits(sku=sku, location=place, back_order_limit=back_order) for sku, place in places)
    await shop.platform.call(api.set_limits, api.SetLimits(items=limits), NORTH)

    async def buy(number: int, basket: Sequence[tuple[str, int]], place: str | None) -> str:
        lines = [(names[sku], quantity) for sku, quantity in basket]
        return await outcome(shop, f"order-{run}-{number}", *lines, location=place)

    came = await asyncio.gather(*(buy(*one) for one in mix))
    assert set(came) <= {"held", "inventory.stock-short", "inventory.reference-used"}
    held = {f"order-{run}-{number}" for (number, _, _), one in zip(mix, came, strict=True) if one == "held"}
    assert sorted(await events(database_url, f"order-{run}-%")) == sorted(held)
    available = {sku: await shop.available(sku) for sku in names.values()}
    for (_, basket, place), one in zip(mix, came, strict=True):
        if one == "inventory.stock-short" and len(basket) == 1 and place is None and not back_order:
            assert available[names[basket[0][0]]] < basket[0][1]  # stock only went down: there was too little then
    assert not await broken_conditions(database_url)


async def test_a_repetition_among_others_takes_nothing_away_from_them(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 3))
    first = await shop.reserve("order-1", ("apple", 2))
    again, other, refused = await asyncio.gather(
        shop.reserve("order-1", ("apple", 2)),
        shop.reserve("order-2", ("apple", 1)),
        outcome(shop, "order-3", ("apple", 1)),
    )
    assert (again, other.reference, refused) == (first, "order-2", "inventory.stock-short")
    assert sorted(await events(database_url)) == ["order-1", "order-2"]


async def test_one_reference_with_two_asks_at_once_holds_one_of_them(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 9))
    came = await asyncio.gather(*(outcome(shop, "order-1", ("apple", quantity)) for quantity in (1, 2)))
    assert came == ["held", "inventory.reference-used"]
    assert await shop.at("apple") == (9, 1)


async def test_a_reference_short_at_first_and_held_after_is_told_of(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 3))
    asks = [("order-1", 4), ("order-1", 2), ("order-2", 1)]
    came = await asyncio.gather(*(outcome(shop, reference, ("apple", quantity)) for reference, quantity in asks))
    assert came[1:] == ["held", "held"]
    assert came[0] in ("inventory.stock-short", "inventory.reference-used")
    assert sorted(await events(database_url)) == ["order-1", "order-2"]
    assert await shop.at("apple") == (3, 3)


async def test_groups_with_the_same_references_the_other_way_round_never_wait_in_a_circle(
    shop: Shop, database_url: str
) -> None:
    await shop.stock(("apple", "shop", 90), ("apple", "store", 90))
    references = [f"order-{number}" for number in range(9)]
    other = await asyncpg.connect(database_url)
    between = other.transaction()
    await between.start()  # both groups have written half of theirs when they come to this one
    await other.execute("insert into inventory.reservation values ('north', 'order-4', 'held', null, '')")
    there = (outcome(shop, reference, ("apple", 1), location="shop") for reference in references)
    back = (outcome(shop, reference, ("apple", 2), location="store") for reference in reversed(references))
    asking = asyncio.gather(*there, *back)
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(20):
        while await other.fetchval(waits) < 2:
            await other.execute("select pg_stat_clear_snapshot()")
    await between.rollback()
    await other.close()
    assert Counter(await asking) == {"held": 9, "inventory.reference-used": 9}


async def test_what_is_sold_out_is_refused_to_all_and_told_to_nobody(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 1))
    await shop.reserve("order-0", ("apple", 1))
    came = await asyncio.gather(*(outcome(shop, f"order-{n}", ("apple", 1)) for n in range(16)))
    assert came == ["held", *["inventory.stock-short"] * 15]
    assert await events(database_url) == ["order-0"]


async def test_an_answer_that_fails_fails_its_own_ask_and_no_other(
    make_platform: MakePlatform, database_url: str
) -> None:
    @answers(api.source_lines)
    def breaks_on_seven(lines: Sequence[api.SourcingLine], destination: object) -> Sequence[api.Sourcing | Pass]:
        if lines[0].quantity == 7:
            raise ZeroDivisionError
        return [PASS] * len(lines)

    shop = Shop(await make_platform(PACK, front_end("north", [breaks_on_seven]), front_end("south")))
    await shop.stock(("apple", "shop", 90))

    async def buy(number: int, quantity: int) -> str:
        try:
            await shop.reserve(f"order-{number}", ("apple", quantity))
        except errors.IsthmusError as error:
            return error.slug
        return "held"

    came = await asyncio.gather(*(buy(number, 7 if number == 5 else 1) for number in range(20)))
    assert came.count("held") == 19
    assert came[5] == "answer-failed"
    assert sorted(await events(database_url)) == sorted(f"order-{n}" for n in range(20) if n != 5)
    assert await shop.at("apple") == (90, 19)


async def test_another_front_ends_asks_are_no_part_of_a_group(shop: Shop, database_url: str) -> None:
    south = Shop(shop.platform, NORTH.__class__(front_end="south", client="south-till"))
    await shop.stock(("apple", "shop", 8))
    await south.stock(("apple", "shop", 8))
    norths = (shop.reserve(f"order-{n}", ("apple", 1)) for n in range(8))
    souths = (south.reserve(f"order-{n}", ("apple", 1)) for n in range(8))
    await asyncio.gather(*norths, *souths)
    assert (await shop.at("apple"), await south.at("apple")) == ((8, 8), (8, 8))
    assert not await broken_conditions(database_url)


async def test_a_keyed_ask_among_others_is_answered_once(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 40))
    ask = api.Reserve(reference="keyed", lines=asked(("apple", 1)))
    others = (shop.reserve(f"order-{n}", ("apple", 1)) for n in range(12))
    keyed = (shop.platform.call(api.reserve, ask, NORTH, key="key-1") for _ in range(4))
    came = await asyncio.gather(*keyed, *others)
    assert len(set(came[:4])) == 1
    assert await shop.at("apple") == (40, 13)


async def test_an_asker_who_goes_away_takes_nobody_along(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 40))
    buying = [asyncio.create_task(shop.reserve(f"order-{n}", ("apple", 1))) for n in range(20)]
    await asyncio.sleep(0)
    for one in buying[::2]:
        one.cancel()
    came = await asyncio.gather(*buying, return_exceptions=True)
    assert [type(one) for one in came[1::2]] == [api.Reservation] * 10
    assert not await broken_conditions(database_url)


async def test_connections_killed_under_a_group_lose_no_reservation_and_double_none(
    shop: Shop, database_url: str
) -> None:
    await shop.stock(("apple", "shop", 150))
    answered: dict[str, str] = {}

    async def client(number: int) -> None:
        for turn in range(10):
            reference, came = f"order-{number}-{turn}", "unavailable"
            while came == "unavailable":
                came = await outcome(shop, reference, ("apple", 1))
            answered[reference] = came

    assert await kill_during(lambda: asyncio.gather(*map(client, range(24))), database_url) > 0
    held = sorted(reference for reference, came in answered.items() if came == "held")
    assert len(held) == 150
    assert sorted(await events(database_url)) == held
    assert await shop.at("apple") == (150, 150)
    assert not await broken_conditions(database_url)


@pytest.mark.parametrize("clients", [8, 64])
async def test_baskets_and_single_buyers_of_the_same_goods_never_wait_in_a_circle(
    shop: Shop, database_url: str, clients: int
) -> None:
    await shop.stock(("apple", "shop", 60), ("pear", "shop", 60))

    async def client(number: int) -> list[str]:
        baskets = [(("apple", 1),), (("pear", 1), ("apple", 1)), (("pear", 1),), (("apple", 1), ("pear", 1))]
        return [await outcome(shop, f"order-{number}-{n}", *baskets[(number + n) % 4]) for n in range(4)]

    came = [one for done in await asyncio.gather(*map(client, range(clients))) for one in done]
    assert set(came) <= {"held", "inventory.stock-short"}
    assert not await broken_conditions(database_url)
