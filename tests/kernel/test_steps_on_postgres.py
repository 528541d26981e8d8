"""The saga log of a flow on the real store: what the double in memory promises is what PostgreSQL keeps."""

import asyncio

import pytest

from isthmus.kernel import errors

from .test_steps import Shop, no
from .world import NORTH, Number, Refused


@pytest.fixture
def shop(database):
    shop = Shop(deadline_ms=30_000)  # a busy machine is no reason to give up
    shop.platform.store = database
    return shop


async def test_a_flow_that_was_undone_begins_anew_with_the_same_key(shop):
    shop.charge_fails = [no(), no()]
    for _ in range(2):
        with pytest.raises(Refused):
            await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    answer = await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "release", "reserve", "release", "reserve", "charge", "confirm"]
    assert await shop.platform.call(shop.buy, Number(), NORTH, key="k") == answer


async def test_an_undoing_that_fails_is_finished_by_the_next_run(shop):
    shop.charge_fails = [no()]
    shop.release_fails = [errors.Unavailable("the stock is away", remedy="wait")]
    with pytest.raises(errors.Fault, match="is not wholly undone"):
        await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "release", "reserve", "charge", "confirm"]


async def test_many_runs_at_once_have_one_effect(shop):
    replies = await asyncio.gather(
        *(shop.platform.call_wire("shop.buy", b"{}", NORTH, key="k") for _ in range(30)), return_exceptions=True
    )
    assert len({reply[0] for reply in replies if isinstance(reply, tuple)}) == 1
    assert all(isinstance(reply, tuple) for reply in replies), replies
    assert (shop.happened.count("reserve"), shop.happened.count("confirm")) == (1, 1)


async def test_a_run_without_a_key_leaves_no_trail(shop, database):
    await shop.platform.call(shop.buy, Number(), NORTH)
    async with database.platform() as session:
        assert await session.fetch_value("select count(*) from isthmus.idempotency") == 0
