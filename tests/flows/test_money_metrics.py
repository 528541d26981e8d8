"""Metrics of money that went back, beside what is computed by hand and what the tables say in SQL of the test's own."""

from __future__ import annotations

from pathlib import Path

from isthmus.app.lake_sync import LakeSync
from isthmus.data.model.ask import Ask
from isthmus.data.platform import open_platform
from isthmus.data.privacy import policy
from isthmus.markings import Where
from tests import shipped

from .conftest import UNITS, Shop
from .test_money_back import a_tenth, bought, by_hand, cancel, close, over, returned, sent

NORTH = (Where("front_end", "=", "north"),)
BOOKS = """
    select (select sum(amount_minor) from payment.leg),
           (select -sum(amount_minor) from payment.leg where kind = 'refund'),
           (select sum(l.commission_minor - l.commission_returned_minor) from "order".lines l
            join "order".orders o using (front_end, order_id) where o.state not in ('cancelled', 'expired'))"""


async def test_refunds_by_hand_and_commission_are_what_the_books_say(shop: Shop, tmp_path: Path) -> None:
    """Tea costs 10.00 and jam 4.00; a tenth of each line is commission.

    first   2 tea, 1 jam = 24.00   10.00 by hand, then all of it comes back: 14.00 more
    second  3 tea        = 30.00   7.00 by hand, nothing comes back: the commission of 3.00 stays
    third   1 jam        =  4.00   kept
    fourth  4 tea, 1 jam = 44.00   the jam never comes: 4.00 back, with its commission
    fifth   1 tea        = 10.00   cancelled: no order that stands
    """
    shop = over(shop, shop.provider, a_tenth)
    first, second = await bought(shop, ("tea", 2), ("jam", 1)), await bought(shop, ("tea", 3))
    await bought(shop, ("jam", 1))
    fourth, fifth = await bought(shop, ("tea", 4), ("jam", 1)), await bought(shop, ("tea", 1))
    await sent(shop, first.orders[0].order_id)
    await by_hand(shop, first.payment_id, 1000)
    await returned(shop, first.orders[0].order_id, (0, 2), (1, 1))
    await by_hand(shop, second.payment_id, 700, "late")
    await close(shop, fourth.orders[0].order_id, (1, 1))
    await cancel(shop, fifth.orders[0].order_id)

    data = open_platform(shipped.PACKS, tmp_path / "lake")
    await LakeSync(shop.platform, shop.database, data, segments=()).land()
    names = ("order.sales", "order.refunds", "order.net-sales", "order.commission-agreed", "order.commission")
    (row,) = data.metrics.ask(Ask(metrics=names), policy.owner()).rows
    assert {name: int(row[name]) for name in names} == {
        "order.sales": 2400 + 3000 + 400 + 4400,
        "order.refunds": 2400 + 700 + 400,
        "order.net-sales": 0 + 2300 + 400 + 4000,
        "order.commission-agreed": 240 + 300 + 40 + 440,
        "order.commission": 0 + 300 + 40 + 400,
    }
    async with shop.database.platform() as session:
        kept, gone, commission = tuple(await session.fetch_row(BOOKS))
    paid = ("payment.net", "payment.refunded")
    (money,) = data.metrics.ask(Ask(metrics=paid), policy.owner()).rows
    assert (int(money["payment.net"]), int(money["payment.refunded"])) == (int(kept), int(gone)) == (6700, 4500)
    assert int(row["order.net-sales"]) == int(kept)  # a cancelled order gave all of it back
    assert int(row["order.commission"]) == int(commission)

    stock = Ask(metrics=("inventory.stock-by-date",), by=("catalog.sku.sku", "time:day"), where=NORTH)
    now = Ask(metrics=("inventory.on-hand",), by=("catalog.sku.sku",), where=NORTH)
    by_date, on_hand = (data.metrics.ask(one, policy.owner()).rows for one in (stock, now))
    last = {one["catalog.sku.sku"]: int(one["inventory.stock-by-date"]) for one in by_date}
    assert last == {one["catalog.sku.sku"]: int(one["inventory.on-hand"]) for one in on_hand}
    assert last["tea"] == UNITS  # two were sent, and came back
