"""Writes of a pack whose place a service has: each is done once, and says the same where its call comes again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from isthmus.governance.exits.remote import in_place
from isthmus.kernel import Context, Effect, FrontEnd, Pack, Platform, Registry, Value, encode, errors, flow, implements
from isthmus.manifest import Idempotent
from isthmus.packs.pricing import api
from isthmus.packs.pricing.pack import PACK
from isthmus.store import Database, MigrationSource, migrate
from tests.standing_alone import SECRET, TOKEN, served

from .test_exits import MONDAY, NORTH, priced

CALL = "01890a5d-ac96-774b-bcce-b302099a8057"
STAYING = replace(
    PACK, brings=(*PACK.brings, Idempotent(calls=(api.put_prices,), because="a price that is there stays as it is"))
)
TEA, MILK = priced("tea", 500), priced("milk", 90)


class Fill(Value):
    """What is put on the shelf, one after the other."""

    puts: tuple[api.PutPrices, ...]


class Filled(Value):
    """How many prices each of them has changed."""

    changed: tuple[int, ...]


@flow("north.fill", version="1.0", effect=Effect.WRITE, uses=[api.put_prices])
def fill(ask: Fill) -> Filled:
    """Put prices on the shelf."""
    ...


@flow("north.fill-slowly", version="1.0", effect=Effect.SAGA, uses=[api.put_prices])
def fill_slowly(ask: Fill) -> Filled:
    """Put prices on the shelf, each in a step of its own."""
    ...


async def put_each(ask: Fill, ctx: Context) -> Filled:
    ctx.new_id()  # the flow makes ids of its own, which are nobody else's
    return Filled(changed=tuple([(await ctx.call(api.put_prices, one)).changed for one in ask.puts]))


def release(pack: Pack, lost: list[Exception]) -> Registry:
    """Give a shop that fills its shelf by a flow. lost: what each run of it ends with, the first one first."""

    @implements(fill)
    async def do_fill(ask: Fill, ctx: Context) -> Filled:
        said = await put_each(ask, ctx)
        if lost:
            raise lost.pop(0)
        return said

    @implements(fill_slowly)
    async def do_fill_slowly(ask: Fill, ctx: Context) -> Filled:
        return await put_each(ask, ctx)

    front_end = FrontEnd(
        code="north", name="North", owner="n", uses=("pricing.*",), capabilities=(fill, fill_slowly),
        implementations=(do_fill, do_fill_slowly),
    )  # fmt: skip
    return Registry().add(pack, front_end)


@pytest.fixture
async def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Platform]]:
    """Give platforms whose pricing is a service on the same database."""
    monkeypatch.setenv(TOKEN, SECRET)
    async with served(PACK, database.url) as address:

        def made(*lost: Exception) -> Platform:
            pack = in_place(STAYING, address, TOKEN)
            return Platform(release(pack, list(lost)).freeze(), database, clock=lambda: MONDAY)

        yield made


async def prices(database: Database) -> list[tuple[str, str]]:
    async with database.platform() as session:
        rows = await session.fetch("select price_id, sku from pricing.price order by price_id")
    return [(str(row["price_id"]), row["sku"]) for row in rows]


async def sent(database: Database) -> int:
    async with database.platform() as session:
        return len(await session.fetch("select from isthmus.outbox where type = 'pricing.prices-changed'"))


@pytest.mark.parametrize("capability", [fill, fill_slowly])
async def test_each_write_of_a_flow_is_done_and_equal_ones_are_done_as_often_as_they_are_meant(
    database: Database, shop: Callable[..., Platform], capability: object
) -> None:
    said = await shop().call(capability, Fill(puts=(TEA, MILK, TEA)), NORTH)  # type: ignore[arg-type]
    assert said == Filled(changed=(1, 1, 0)), "the second of tea found the first"
    assert {sku for _, sku in await prices(database)} == {"tea", "milk"}
    assert len(await prices(database)) == 2
    assert await sent(database) == 2


async def test_a_flow_that_the_store_undid_finds_its_writes_done_and_they_say_what_they_said(
    database: Database, shop: Callable[..., Platform]
) -> None:
    platform = shop(errors.Undone("another was first", remedy="try again"))
    said = await platform.call(fill, Fill(puts=(TEA, MILK, TEA)), NORTH)
    assert said == Filled(changed=(1, 1, 0))
    assert len(await prices(database)) == 2
    assert await sent(database) == 2


async def test_a_flow_that_is_sent_again_with_its_key_finds_its_writes_done_and_their_events_are_sent(
    database: Database, shop: Callable[..., Platform]
) -> None:
    platform, ask = shop(errors.Conflict("not now", remedy="try again")), Fill(puts=(TEA, MILK, TEA))
    with pytest.raises(errors.Conflict):
        await platform.call(fill, ask, NORTH, key="k")
    assert (len(await prices(database)), await sent(database)) == (2, 0)
    assert await platform.call(fill, ask, NORTH, key="k") == Filled(changed=(1, 1, 0))
    assert (len(await prices(database)), await sent(database)) == (2, 2)
    assert await platform.call(fill, ask, NORTH, key="other") == Filled(changed=(0, 0, 0))


async def test_a_service_makes_the_ids_that_the_pack_would(
    database: Database, shop: Callable[..., Platform], empty_url: str
) -> None:
    ask = encode(Fill(puts=(TEA, MILK)))
    await shop().call_wire("north.fill", ask, NORTH, call_id=CALL)
    await migrate(empty_url, [MigrationSource.of_pack("pricing", PACK.migrations)])
    async with await Database.open(empty_url) as other:
        here = Platform(release(PACK, []).freeze(), other, clock=lambda: MONDAY)
        await here.call_wire("north.fill", ask, NORTH, call_id=CALL)
        assert await prices(other) == await prices(database)


class OfOneSeller:
    """Confines whoever calls to the goods of one seller."""

    async def check(self, caller: object, capability: object, settings: object, ask: object = None) -> str:
        return "seller/17"


async def test_who_is_confined_to_a_sellers_goods_is_so_in_the_service(
    database: Database, shop: Callable[..., Platform]
) -> None:
    platform, asked = shop(), api.ListPriceHistory(sku="tea")
    await platform.call(api.put_prices, TEA, NORTH)
    assert len((await platform.call(api.list_price_history, asked, NORTH)).items) == 1
    platform.guard = OfOneSeller()
    assert (await platform.call(api.list_price_history, asked, NORTH)).items == ()
    with pytest.raises(errors.Refusal):
        await platform.call(api.put_prices, priced("tea", 1), NORTH)
