"""Many at once: nothing is sold twice, no reservation is lost, nobody waits in a circle, whatever is killed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import pytest

from isthmus.kernel import errors
from isthmus.packs.inventory import api
from isthmus.store import Database

from .conftest import Shop, asked, broken_conditions

UNITS = 20


async def outcome(shop: Shop, reference: str, *lines: tuple[str, int], **facts: object) -> str:
    """Reserve, and return what came of it."""
    try:
        await shop.reserve(reference, *lines, **facts)
    except errors.IsthmusError as refused:
        return refused.slug
    return "held"


@pytest.mark.parametrize("clients", [1, 8, 32, 64])
async def test_no_more_is_sold_than_there_is_however_many_buy_at_once(
    shop: Shop, database_url: str, clients: int
) -> None:
    await shop.stock(("apple", "shop", UNITS))
    waiting = iter(range(100))
    shop.platform.store = await Database.open(database_url, connections_max=clients)

    async def client() -> list[str]:
        return [await outcome(shop, f"order-{number}", ("apple", 1)) for number in waiting]

    outcomes = Counter(one for done in await asyncio.gather(*(client() for _ in range(clients))) for one in done)
    assert outcomes == {"held": UNITS, "inventory.stock-short": 80}
    assert await shop.at("apple") == (UNITS, UNITS)
    await shop.platform.store.close()
    assert not await broken_conditions(database_url)


@pytest.mark.parametrize("clients", [8, 64])
async def test_baskets_in_opposite_order_neither_deadlock_nor_leak(shop: Shop, database_url: str, clients: int) -> None:
    skus = [f"sku-{n}" for n in range(6)]
    await shop.stock(*((sku, "shop", 40) for sku in skus), ("scarce", "shop", 7))

    async def client(number: int) -> list[str]:
        randomness = random.Random(number)
        done: list[str] = []
        for turn in range(5):
            basket = randomness.sample([*skus, "scarce"], k=4)
            done.append(await outcome(shop, f"order-{number}-{turn}", *((sku, 1) for sku in basket)))
        return done

    outcomes = Counter(one for done in await asyncio.gather(*map(client, range(clients))) for one in done)
    assert set(outcomes) <= {"held", "inventory.stock-short"}
    assert not await broken_conditions(database_url)
    assert await shop.at("scarce") <= (7, 7)


async def test_one_reference_asked_fifty_times_at_once_is_reserved_once(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 3))
    answers = await asyncio.gather(*(shop.reserve("order-1", ("apple", 3)) for _ in range(50)))
    assert len(set(answers)) == 1
    assert await shop.at("apple") == (3, 3)
    assert not await broken_conditions(database_url)


async def test_a_parcel_sent_twenty_times_at_once_leaves_once(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 9))
    await shop.reserve("order-1", ("apple", 8))
    parcel = api.Ship(reference="order-1", parcel="a", lines=asked(("apple", 2)))
    await asyncio.gather(*(shop.platform.call(api.ship, parcel, shop.caller) for _ in range(20)))
    assert await shop.at("apple") == (7, 6)
    assert not await broken_conditions(database_url)


async def test_different_parcels_at_once_take_no_more_than_is_held(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 50))
    await shop.reserve("order-1", ("apple", 5))

    async def ship(parcel: str) -> str:
        try:
            ask = api.Ship(reference="order-1", parcel=parcel, lines=asked(("apple", 1)))
            await shop.platform.call(api.ship, ask, shop.caller)
        except (api.NotHeld, api.ReservationEnded):
            return "refused"
        return "shipped"

    outcomes = Counter(await asyncio.gather(*(ship(f"p-{n}") for n in range(16))))
    assert outcomes == {"shipped": 5, "refused": 11}
    assert await shop.at("apple") == (45, 0)
    assert not await broken_conditions(database_url)


async def test_confirming_and_expiring_at_once_ends_in_one_of_both(shop: Shop, database_url: str) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    await shop.stock(("apple", "shop", 60))
    for number in range(30):
        await shop.reserve(f"order-{number}", ("apple", 2), expires_at=long_ago)

    async def confirm(number: int) -> str:
        try:
            return (await shop.platform.call(api.confirm, api.Confirm(reference=f"order-{number}"), shop.caller)).state
        except api.ReservationEnded:
            return "expired"

    sweeps = (shop.platform.call(api.expire, api.Expire(limit=4), shop.caller) for _ in range(12))
    states, expired = await asyncio.gather(asyncio.gather(*map(confirm, range(30))), asyncio.gather(*sweeps))
    outcomes = Counter(states)
    assert outcomes["confirmed"] + outcomes["expired"] == 30
    assert sum(len(one.references) for one in expired) >= outcomes["expired"]
    assert await shop.at("apple") == (60, 2 * outcomes["confirmed"])
    assert not await broken_conditions(database_url)


async def test_killed_connections_lose_no_reservation_and_keep_none_that_was_not_answered(
    shop: Shop, database_url: str
) -> None:
    await shop.stock(("apple", "shop", 30), ("pear", "shop", 500))
    answered: dict[str, str] = {}

    async def client(number: int) -> None:
        """Buy until every order has a definite answer, as a buyer does who sends again what broke off."""
        for turn in range(4):
            reference = f"order-{number}-{turn}"
            came = "unavailable"
            while came == "unavailable":
                came = await outcome(shop, reference, ("pear", 1), ("apple", 1))
            answered[reference] = came

    assert await kill_during(lambda: asyncio.gather(*map(client, range(16))), database_url) > 0
    outcomes = Counter(answered.values())
    assert outcomes == {"held": 30, "inventory.stock-short": 34}
    assert (await shop.at("apple"), await shop.at("pear")) == ((30, 30), (500, 30))
    assert not await broken_conditions(database_url)


async def kill_during(work: Callable[[], Awaitable[object]], database_url: str) -> int:
    """Do work while connections of calls are ended in their transactions; return how many were, at least one.

    Stock is locked until the first has been ended: work that is done in a moment would be missed else.
    """
    connection, holding = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    killed = 0
    try:
        await holding.execute("begin; lock table inventory.stock in exclusive mode")
        done = asyncio.ensure_future(work())
        while not done.done():
            killed += await connection.fetchval(
                """select count(pg_terminate_backend(pid)) from (
                       select pid from pg_stat_activity
                       where datname = current_database() and application_name = 'isthmus' and xact_start is not null
                       order by random() limit 2) victim"""
            )
            if killed and holding.is_in_transaction():
                await holding.execute("rollback")
            await asyncio.sleep(0.02)
        await done
    finally:
        await holding.close()
        await connection.close()
    return killed


async def test_reserving_takes_two_statements_however_many_lines(shop: Shop) -> None:
    await shop.stock(*((f"sku-{n}", "shop", 9) for n in range(50)))
    for lines in (1, 50):
        session = _Counting()
        store = shop.platform.store
        shop.platform.store = session.around(store)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            await shop.reserve(f"order-{lines}", *((f"sku-{n}", 1) for n in range(lines)))
        finally:
            shop.platform.store = store
        assert session.statements == 2


class _Counting:
    """A store that counts the statements of packs."""

    def __init__(self) -> None:
        self.statements = 0

    def around(self, store: object) -> object:
        counting = self

        class Counted:
            async def write(self, *facts: object) -> object:
                session = await store.write(*facts)  # pyright: ignore
                send = session._run

                async def run(*statement: object) -> object:
                    counting.statements += 1
                    return await send(*statement)

                session._run = run
                return session

        return Counted()
