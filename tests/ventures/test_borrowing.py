"""A venture borrows single capabilities, with limits of its own: it can be cut off, and hurts nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import httpx

from isthmus.gateway import auth
from isthmus.gateway.wire.rate import Limit
from isthmus.packs.tax import api as tax
from tests.waiting import until

from .conftest import World

LIMIT = Limit(per_second=20, at_once=2)
BURST = 40
FLOOD = 400
ASK = {
    "jurisdiction": "DE",
    "lines": [{"sku": "box", "quantity": 1, "tax_category": "food", "amount": {"currency": "EUR", "minor": 1990}}],
}


async def _taxed(world: World) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for code in ("box", "liar"):
        place = tax.Jurisdiction(code="DE", prices_include_tax=True)
        await world.call(tax.put_jurisdictions, tax.PutJurisdictions(jurisdictions=(place,)), code)
        rate = tax.RateEntry(jurisdiction="DE", name="vat", rate_ppm=70_000, valid_from=begin, tax_category="food")
        await world.call(tax.put_rates, tax.PutRates(rates=(rate,)), code)


def _calling(world: World, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=50)
    return httpx.AsyncClient(base_url=world.address, headers=headers, limits=limits, timeout=60)


async def test_a_venture_that_outgrows_its_limits_is_refused_and_others_are_not(world: World) -> None:
    await _taxed(world)
    database = world.running.database
    own = await auth.create_client(database, "box", "flood", ("tax.calculate",), limit=LIMIT)
    others = await auth.create_client(database, "liar", "shop")
    async with _calling(world, own) as venture, _calling(world, others) as shop:
        began = asyncio.get_running_loop().time()
        flood = asyncio.gather(*(venture.post("/v1/tax.calculate", json=ASK) for _ in range(FLOOD)))
        answers = [await shop.post("/v1/tax.calculate", json=ASK) for _ in range(50)]
        flooded = await flood
        took = asyncio.get_running_loop().time() - began
    assert {one.status_code for one in answers} == {200}, "nobody else is refused anything"
    found = Counter(one.status_code for one in flooded)
    assert set(found) == {200, 429}
    assert found[200] <= BURST + 20 * took + 1, "it had its share, and no more"
    refused = next(one for one in flooded if one.status_code == 429)
    assert refused.headers["retry-after"]
    assert refused.json()["remedy"]


async def test_a_key_for_one_capability_calls_no_other(world: World) -> None:
    await _taxed(world)
    key = await auth.create_client(world.running.database, "box", "narrow", ("tax.calculate",), limit=LIMIT)
    async with _calling(world, key) as client:
        assert (await client.post("/v1/tax.calculate", json=ASK)).status_code == 200
        assert (await client.post("/v1/ledger.trial-balance", json={})).status_code == 403
        assert (await client.post("/v1/venture.get-standing", json={})).status_code == 403


async def test_a_venture_that_is_cut_off_goes_on_by_itself(world: World) -> None:
    await _taxed(world)
    database = world.running.database
    world.box.kill()
    world.box.environment["BOX_PLATFORM_KEY"] = await auth.create_client(
        database, "box", "borrows", ("tax.calculate",), limit=LIMIT
    )
    await world.box.start()
    try:
        async with httpx.AsyncClient(base_url=world.box.url) as client:

            async def quoted() -> dict[str, object]:
                return (await client.get("/api/quote?plan=season")).json()

            borrowed = await quoted()
            assert borrowed["by"] == "platform"
            assert await auth.revoke_client(database, "box", "borrows") == 1

            async def alone() -> dict[str, object] | None:
                found = await quoted()
                return found if found["by"] == "own" else None

            own = await until(alone, "that the box reckons by itself")
            assert own is not None
        assert own == {**borrowed, "by": "own"}, "to the cent"
    finally:
        world.box.kill()
        del world.box.environment["BOX_PLATFORM_KEY"]
        await world.box.start()
