"""Stores of one front end where goods of another are picked up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from isthmus.kernel import FrontEnd, Platform
from isthmus.packs.fulfilment import api
from isthmus.packs.fulfilment.pack import PACK
from isthmus.packs.grants import api as grants
from isthmus.packs.grants.pack import PACK as GRANTS
from isthmus.store.sharing import Draft

from .conftest import NORTH, SOUTH, Desk, rate

STORE = api.Method(code="store-7", name="At the store 7", kind=api.MethodKind.PICKUP, rates=(rate("store", 0),))
LENT = STORE.replace(lent_by="north")


@pytest.fixture
async def platform(make_platform: Callable[..., Awaitable[Platform]]) -> Platform:
    """Give a north that has a store, and a south that has none."""
    uses = ("fulfilment.*", "grants.*")
    ends = [FrontEnd(code=code, name=code, owner=code, uses=uses) for code in ("north", "south")]
    made = await make_platform(PACK, GRANTS, *ends)
    await Desk(made).methods(STORE)
    return made


async def lend(platform: Platform) -> grants.Grant:
    return await platform.call(grants.give, Draft(kind="fulfilment.method", name="store-7", to="south"), NORTH)


async def test_goods_are_picked_up_at_a_store_of_another_as_long_as_it_is_lent(platform: Platform) -> None:
    south = Desk(platform, SOUTH)
    with pytest.raises(api.PlaceNotLent, match="'store-7' is not lent to you"):
        await south.methods(LENT)
    grant = await lend(platform)
    await south.methods(LENT)
    quote = await south.quote(address=None, method="store-7")
    assert (quote.method, quote.fee.minor) == ("store-7", 0)
    await platform.call(grants.withdraw, grants.WithdrawGrant(grant_id=grant.grant_id), NORTH)
    with pytest.raises(api.UnknownMethod):
        await south.quote(address=None, method="store-7")


async def test_who_lends_a_store_sees_how_much_waits_there_and_not_for_whom(platform: Platform) -> None:
    south = Desk(platform, SOUTH)
    await lend(platform)
    await south.methods(LENT)
    for number in (1, 2):
        lines = (api.PlanLine(sku="apple", quantity=1, location="main"),)
        await south.ask(api.plan, reference=f"order-{number}", lines=lines, method="store-7")
    guests = await Desk(platform).ask(api.list_guests)
    assert guests.items == (api.Guest(method="store-7", seller="south", waiting=2, collected=0),)
    assert (await south.ask(api.list_guests)).items == ()
