"""Price lists of the group: granted, switched on before or behind own prices, and seen by nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.grants import api as grants
from isthmus.packs.grants.pack import PACK as GRANTS
from isthmus.packs.pricing import api
from isthmus.packs.pricing.pack import PACK
from isthmus.store.sharing import Draft, Grant

from .test_prices import DAY, NOW

HOUSE, NORTH, SOUTH = (Caller(front_end=code, client=code) for code in ("house", "north", "south"))


@pytest.fixture
async def group(make_platform: Callable[..., Awaitable[Platform]]) -> Platform:
    uses = ("pricing.*", "grants.*")
    ends = [FrontEnd(code=one.front_end, name=one.front_end, owner="o", uses=uses) for one in (HOUSE, NORTH, SOUTH)]
    made = await make_platform(PACK, GRANTS, *ends, clock=lambda: NOW)
    await put(made, HOUSE, tea=900, cup=400, price_list="season")
    await put(made, NORTH, tea=1000)
    return made


async def put(platform: Platform, caller: Caller, price_list: str = "standard", **amounts: int) -> None:
    prices = tuple(
        api.PriceEntry(sku=sku, currency="EUR", amount=amount, valid_from=NOW - DAY, price_list=price_list)
        for sku, amount in amounts.items()
    )
    await platform.call(api.put_prices, api.PutPrices(prices=prices), caller)


async def share(platform: Platform, to: str = "north") -> Grant:
    return await platform.call(grants.give, Draft(kind="pricing.price", name="season", to=to, can="read"), HOUSE)


async def switch(platform: Platform, caller: Caller = NORTH, **facts: object) -> api.Switched:
    ask = api.SwitchOn(owner="house", price_list="season", **facts)  # pyright: ignore[reportArgumentType]
    return await platform.call(api.switch_on, ask, caller)


async def costs(platform: Platform, caller: Caller, *skus: str) -> dict[str, int]:
    lines = tuple(api.QuoteLine(sku=sku, quantity=1) for sku in skus)
    ask = api.QuoteLines(lines=lines, currency="EUR", is_partial=True)
    quote = await platform.call(api.quote, ask, caller)
    return {one.sku: one.amount.minor for one in quote.lines}


async def test_a_front_end_sells_by_a_list_of_the_group_where_it_has_no_price_of_its_own(group: Platform) -> None:
    await share(group)
    assert await costs(group, NORTH, "tea", "cup") == {"tea": 1000}, "shared is not switched on"
    assert (await switch(group)).is_on
    assert await costs(group, NORTH, "tea", "cup") == {"tea": 1000, "cup": 400}
    await put(group, HOUSE, cup=450, price_list="season")
    assert await costs(group, NORTH, "cup") == {"cup": 450}, "what the group puts holds at once"
    off = api.SwitchOff(owner="house", price_list="season")
    assert not (await group.call(api.switch_off, off, NORTH)).is_on
    assert await costs(group, NORTH, "tea", "cup") == {"tea": 1000}


async def test_a_campaign_of_the_group_goes_before_a_front_ends_own_prices_where_it_says_so(group: Platform) -> None:
    await share(group)
    await switch(group, goes_first=True)
    assert await costs(group, NORTH, "tea", "cup") == {"tea": 900, "cup": 400}
    listed = await group.call(api.list_shared, api.ListShared(), NORTH)
    assert [(one.owner, one.price_list, one.as_list, one.goes_first) for one in listed.items] == [
        ("house", "season", "standard", True)
    ]
    await switch(group, as_list="wholesale")
    assert await costs(group, NORTH, "tea", "cup") == {"tea": 1000}, "only who is sold to by that list gets it"


async def test_without_a_grant_nothing_is_seen_and_with_its_end_the_prices_end(
    group: Platform, database_url: str
) -> None:
    with pytest.raises(api.NotShared, match="'house' shares no price list 'season' with you") as unshared:
        await switch(group)
    assert unshared.value.path == "$.price_list"
    given = await share(group)
    await switch(group)
    assert await costs(group, SOUTH, "tea", "cup") == {}
    alone = api.QuoteLines(lines=(api.QuoteLine(sku="tea", quantity=1),), currency="EUR")
    with pytest.raises(api.CurrencyNotSold, match="it has no prices yet"):
        await group.call(api.quote, alone, SOUTH)
    connection = await asyncpg.connect(database_url)
    try:
        for code, seen in (("north", 3), ("south", 0)):
            async with connection.transaction():
                await connection.execute("set local role isthmus_app")
                await connection.execute("select set_config('isthmus.front_end', $1, true)", code)
                assert await connection.fetchval("select count(*) from pricing.price") == seen, code
                changed = await connection.execute("update pricing.price set ended_by = 'x' where front_end = 'house'")
                assert changed == "UPDATE 0", "prices that are lent are read, and not changed"
    finally:
        await connection.close()
    await group.call(grants.withdraw, grants.WithdrawGrant(grant_id=given.grant_id, because="over"), HOUSE)
    assert await costs(group, NORTH, "tea", "cup") == {"tea": 1000}
    assert (await group.call(api.list_shared, api.ListShared(), NORTH)).items == ()
