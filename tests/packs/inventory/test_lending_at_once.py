"""Stock is lent between front ends that sell at once: no more is sold than there is, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.packs.grants import api as grants
from isthmus.packs.inventory import api
from isthmus.store import Database
from isthmus.store.sharing import Draft

from . import test_lending
from .conftest import asked, broken_conditions
from .test_concurrency import kill_during, outcome
from .test_lending import HALL, NAMES, Group

group = test_lending.group


@pytest.mark.parametrize("clients", [2, 64])
async def test_no_more_is_sold_than_there_is_over_all_front_ends(group: Group, database_url: str, clients: int) -> None:
    await group["house"].stock(("tea", HALL, 20))
    await group.lend("north")
    await group.lend("south", most=8)
    waiting = iter(range(120))
    store = group.platform.store
    group.platform.store = await Database.open(database_url, connections_max=32)

    async def client() -> list[tuple[str, str]]:
        done: list[tuple[str, str]] = []
        for number in waiting:
            code = ("house", "north", "south")[number % 3]
            done.append((code, await outcome(group[code], f"{code}-{number}", ("tea", 1))))
        return done

    outcomes = Counter(one for done in await asyncio.gather(*(client() for _ in range(clients))) for one in done)
    assert sum(count for (_, what), count in outcomes.items() if what == "held") == 20
    assert outcomes["south", "held"] <= 8
    assert await group["house"].at("tea", HALL) == (20, 20)
    await group.platform.store.close()
    group.platform.store = store
    assert not await broken_conditions(database_url)


async def test_quotas_hold_when_connections_are_killed_and_grants_come_and_go(group: Group, database_url: str) -> None:
    await group["house"].stock(("tea", HALL, 40), ("cup", HALL, 500))
    await group["north"].stock(("cup", "shop", 10))
    await group.lend("north", most=15)
    await group.lend("south", aside=5)
    answered: dict[str, str] = {}

    async def client(number: int) -> None:
        code = ("house", "north", "south")[number % 3]
        for turn in range(2):
            reference, came = f"{code}-{number}-{turn}", "unavailable"
            while came in (
                "unavailable",
                "deadline-exceeded",
            ):  # a busy machine: asked again
                came = await outcome(group[code], reference, ("cup", 2), ("tea", 1))
            answered[reference] = came

    async def work() -> None:
        await asyncio.gather(*map(client, range(64)))

    assert await kill_during(work, database_url) > 0
    outcomes = Counter((reference.partition("-")[0], came) for reference, came in answered.items())
    held = {code: outcomes[code, "held"] for code in NAMES}
    assert sum(held.values()) <= 40
    assert held["north"] <= 15
    assert held["south"] >= 5
    assert set(answered.values()) <= {"held", "inventory.stock-short"}
    assert await group["house"].at("tea", HALL) == (40, sum(held.values()))
    assert not await broken_conditions(database_url)


async def test_the_last_unit_wanted_by_two_front_ends_at_once_is_sold_once(group: Group, database_url: str) -> None:
    await group["house"].stock(*((f"sku-{n}", HALL, 1) for n in range(20)))
    await group.lend("north")
    await group.lend("south")
    for number in range(20):
        both = await asyncio.gather(
            *(outcome(group[code], f"{code}-{number}", (f"sku-{number}", 1)) for code in ("north", "south"))
        )
        assert sorted(both) == ["held", "inventory.stock-short"]
    assert not await broken_conditions(database_url)


async def test_shops_that_lend_to_each_other_do_not_wait_in_a_circle(group: Group, database_url: str) -> None:
    for owner, other in (("north", "south"), ("south", "north")):
        place = api.PutLocations(items=(api.Location(code=f"{owner}-store"),))
        await group.platform.call(api.put_locations, place, group[owner].caller)
        await group[owner].stock(*((f"sku-{n}", f"{owner}-store", 30) for n in range(6)))
        ask = Draft(kind="inventory.location", name=f"{owner}-store", to=other)
        await group.platform.call(grants.give, ask, group[owner].caller)
    await group.take_on("south", "north-store", "north")
    await group.take_on("north", "south-store", "south")

    async def client(number: int) -> list[str]:
        randomness, code = random.Random(number), ("north", "south")[number % 2]
        baskets = (randomness.sample([f"sku-{n}" for n in range(6)], k=4) for _ in range(5))
        return [
            await outcome(group[code], f"{code}-{number}-{turn}", *((sku, 1) for sku in basket))
            for turn, basket in enumerate(baskets)
        ]

    outcomes = Counter(one for done in await asyncio.gather(*map(client, range(24))) for one in done)
    assert set(outcomes) <= {"held", "inventory.stock-short"}
    assert not await broken_conditions(database_url)


async def test_units_set_aside_that_come_back_at_the_moment_they_are_used_are_sold_once(
    group: Group, database_url: str
) -> None:
    over = datetime.now(UTC) + timedelta(minutes=5)
    await group["house"].stock(("tea", HALL, 10))
    await group.lend("north", aside=6, aside_until=over)
    await group.lend("south")

    async def buy(code: str, number: int, now: datetime) -> bool:
        ask = api.Reserve(reference=f"{code}-{number}", lines=asked(("tea", 1)))
        try:
            await group.platform.call(api.reserve, ask, group[code].caller, now=now)
        except api.StockShort:
            return False
        return True

    sides = [("north", over - timedelta(seconds=1)), ("south", over + timedelta(seconds=1))]
    sold = await asyncio.gather(*(buy(code, number, now) for number in range(9) for code, now in sides))
    assert sum(sold) == 10
    assert await group["house"].at("tea", HALL) == (10, 10)
    assert not await broken_conditions(database_url)
