"""Orders run again in the shadow: both versions can place them, and the whole database stays as it was."""

from __future__ import annotations

from isthmus.app import resources as app_resources
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Platform
from isthmus.kernel.host import new_call_id
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Count
from isthmus.runtime.replay.capabilities import Versions, compared
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.runtime.shadow.run import SETTINGS
from isthmus.store import Database

from .conftest import Shop
from .test_checkout import HOME, tea

TABLES = """
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema') order by 1"""


async def everything(database: Database) -> dict[str, str]:
    """Return a digest of each table's rows."""
    async with database.platform() as session:
        names = [row["name"] for row in await session.fetch(TABLES)]
        digest = "select md5(coalesce(string_agg(one::text, ' ' order by one::text), '')) from {} one"
        return {name: await session.fetch_value(digest.format(name)) for name in names}


async def test_what_was_ordered_is_ordered_again_by_both_versions_and_no_row_of_any_table_is_another(
    shop: Shop,
) -> None:
    recorder = Recorder(shop.database, shop.platform.release.points, Recording(share=1.0))
    shop.platform.recorder = recorder
    preview = checkout.PreviewOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=2),), address=HOME)
    await shop.platform.call(checkout.preview_order, preview, shop.north)
    for quantity in (1, 2):
        await shop.platform.call(checkout.place_order, tea(quantity, address=HOME), shop.north)
    await recorder.flush()
    before = await everything(shop.database)
    counts: dict[str, Count] = {}
    async with await Database.open(shop.database.url, settings=SETTINGS) as database:
        platform = Platform(shop.platform.release, database, resources=app_resources.shadow_resources(shop.platform))
        async for call in recorded.recent(shop.database, "north", limit=10):
            count = counts.setdefault(call.capability, Count())
            assert await compared(
                database, Versions.of(platform, platform, "north"), call, count, as_id=new_call_id(call.now)
            )
    assert {name: (one.same, one.refused, one.unreadable) for name, one in counts.items()} == {
        "checkout.place-order": (2, 0, 0),
        "checkout.preview-order": (1, 0, 0),
    }
    assert await everything(shop.database) == before


async def test_what_asks_the_outside_world_is_left_out_and_named(shop: Shop) -> None:
    recorder = Recorder(shop.database, shop.platform.release.points, Recording(share=1.0))
    bought = await shop.platform.call(checkout.place_order, tea(1), shop.north)
    shop.platform.recorder = recorder
    assert bought.payment_id is not None
    paying = checkout.PayOrder(payment_id=bought.payment_id, method="card", token="tok-1")
    await shop.platform.call(checkout.pay_order, paying, shop.north)
    await recorder.flush()
    before, count = await everything(shop.database), Count()
    platform = Platform(shop.platform.release, shop.database, resources=app_resources.shadow_resources(shop.platform))
    async for call in recorded.recent(shop.database, "north", limit=10, capability="checkout.pay-order"):
        assert await compared(shop.database, Versions.of(platform, platform, "north"), call, count)
    assert (count.same, count.unreadable) == (0, 1)
    assert "asks the outside world" in next(iter(count.notes))
    assert await everything(shop.database) == before
