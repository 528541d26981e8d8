"""Order numbers: no duplicate, every gap explained, and no order waits for another."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from isthmus.packs.order import api
from isthmus.store import Database

from .conftest import SOUTH, Shop, broken_conditions, line


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(shop: Shop) -> Database:
    return shop.platform.store  # pyright: ignore[reportReturnType]


async def leases(url: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            """select front_end, first, last, closed_at is null as is_open, unused::text from "order".number_lease
               order by front_end, first"""
        )
        return [dict(row) for row in rows]
    finally:
        await connection.close()


async def age(url: str, seconds: int) -> None:
    """Let all leases be older."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        'update "order".number_lease set leased_at = leased_at - make_interval(secs => $1)', seconds
    )
    await connection.close()


async def test_each_front_end_counts_from_one(shop: Shop):
    south = Shop(shop.platform, SOUTH)
    assert [(await shop.place(line("a"))).orders[0].number for _ in range(3)] == ["1", "2", "3"]
    assert (await south.place(line("a"))).orders[0].number == "1"


async def test_processes_that_take_at_once_never_get_the_same_number(store: Database):
    processes = [api.Numbers(store, block=7) for _ in range(3)]
    taken = await asyncio.gather(*(one.take("north", count) for count in (1, 2, 3, 10) for one in processes * 3))
    numbers = [number for part in taken for number in part]
    assert len(numbers) == len(set(numbers)) == 3 * 3 * 16
    assert all(part == sorted(part) for part in taken)


async def test_many_orders_at_once_have_many_numbers_and_every_gap_is_in_a_lease(shop: Shop, database_url: str):
    placed = await asyncio.gather(*(shop.place(line("a")) for _ in range(60)))
    numbers = sorted(int(one.orders[0].number) for one in placed)
    assert numbers == list(range(1, 61))
    assert await broken_conditions(database_url) == {}


async def test_a_lease_that_is_over_is_closed_with_what_no_order_has(shop: Shop, store: Database, database_url: str):
    clock = Clock()
    numbers = shop.platform.resources[api.Numbers] = api.Numbers(store, block=5, lasts_s=60, grace_s=10, clock=clock)
    await shop.place(line("a"))
    with pytest.raises(api.OrderRefused):
        await shop.place(line("a"), total=line("b", 1, 7).total)  # refused before it takes a number
    await numbers.take("north", 1)  # as an order that was rolled back: number 2 is nobody's
    await shop.place(line("a"))
    clock.now += 61
    assert (await shop.place(line("a"))).orders[0].number == "6"  # 4 and 5 were not handed out in time
    assert [one["is_open"] for one in await leases(database_url)] == [True, True]  # others may hold a number still
    await age(database_url, 71)
    clock.now += 61
    await shop.place(line("a"))
    found = await leases(database_url)
    assert [(one["first"], one["is_open"], one["unused"]) for one in found] == [
        (1, False, "{[2,3),[4,6)}"),
        (6, False, "{[7,11)}"),
        (11, True, "{}"),
    ]
    assert await broken_conditions(database_url) == {}


async def test_a_number_that_is_missing_from_a_closed_lease_is_found(shop: Shop, store: Database, database_url: str):
    clock = Clock()
    shop.platform.resources[api.Numbers] = api.Numbers(store, block=2, lasts_s=60, grace_s=10, clock=clock)
    order_id = (await shop.place(line("a"))).orders[0].order_id
    await shop.place(line("a"))
    await age(database_url, 71)
    await shop.place(line("a"))
    connection = await asyncpg.connect(database_url)
    for table in ("history", "lines", "orders"):
        await connection.execute(f'delete from "order".{table} where order_id = $1', order_id)
    await connection.close()
    broken = await broken_conditions(database_url)
    assert broken == {"order.gaps-are-written-down": [{"front_end": "north", "number": 1, "is_used": False}]}


async def test_a_number_outside_every_lease_is_found(shop: Shop, database_url: str):
    await shop.place(line("a"))
    connection = await asyncpg.connect(database_url)
    await connection.execute('update "order".orders set number = 12345')
    await connection.close()
    assert list(await broken_conditions(database_url)) == ["order.numbers-are-explained"]
