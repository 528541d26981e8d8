"""What was refunded before there was a book is in it, and what comes back after is worth what is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from isthmus.app import platform as app_platform
from isthmus.flows.after_sale import api as after_sale
from isthmus.governance import doctor
from isthmus.kernel import Caller
from isthmus.packs.order import api as order

from .test_upgrade import settings

# Orders that were paid at once and handed over, each with its payment and its only line, the dearest first.
_SALES = """
    select orders.front_end, order_id, orders.group_id, total_minor, payment_id, quantity
    from "order".orders
    join payment.payment on payment.front_end = orders.front_end and payment.reference = orders.group_id::text
    join lateral (select sum(quantity) as quantity, count(*) as lines from "order".lines
        where lines.front_end = orders.front_end and lines.order_id = orders.order_id) goods on goods.lines = 1
    where orders.front_end = 'market' and orders.state = 'completed'
      and payment.state = 'captured' and payment.captured_minor = total_minor
      and exists (select from "order".lines where lines.front_end = orders.front_end
          and lines.order_id = orders.order_id and is_returnable)
    order by total_minor desc, order_id limit 6"""
_GROUPS = """
    select orders.front_end, orders.group_id, payment_id, captured_minor,
        array_agg(order_id order by total_minor desc, order_id) as orders,
        array_agg(total_minor order by total_minor desc, order_id) as totals
    from "order".orders
    join payment.payment on payment.front_end = orders.front_end and payment.reference = orders.group_id::text
    where payment.state = 'captured' group by 1, 2, 3, 4
    having count(*) > 1 and sum(total_minor) = captured_minor limit 1"""
_GIVE = (
    """insert into payment.attempt (front_end, attempt_id, payment_id, kind, key, provider, method, amount_minor, state,
           begun_at, ended_at) values ($1, $2, $3, 'refund', $4, 'test', 'card', $5, 'done', now(), now())""",
    """insert into payment.leg (front_end, leg_id, payment_id, kind, amount_minor, method, at)
       values ($1, $2, $3, 'refund', -$4::bigint, 'card', now())""",
    """update payment.payment set refunded_minor = refunded_minor + $3,
           state = case when refunded_minor + $3 = captured_minor then 'refunded' else 'part-refunded' end
       where front_end = $1 and payment_id = $2""",
)
_RETURNED = (
    """insert into "order".return (front_end, return_id, order_id, state, refund_minor, note, asked_at)
       values ($1, $2, $3, $4, $5, '', now())""",
    """insert into "order".return_line (front_end, return_id, at, order_id, line, quantity, reason, worth_minor,
           worth_tax_minor, worth_discount_minor, refund_minor, refund_tax_minor)
       select $1, $2, 0, order_id, line, $4::int, 'unwanted', $5::bigint, 0, 0, $5::bigint, 0 from "order".lines
       where front_end = $1 and order_id = $3""",
    """update "order".lines set returned = returned + $3::int, refunded_minor = refunded_minor + $4
       where front_end = $1 and order_id = $2""",
    """update "order".orders set refunded_minor = refunded_minor + $3 where front_end = $1 and order_id = $2""",
)


@dataclass(frozen=True, slots=True)
class Before:
    """The release before, as it wrote refunds and returns."""

    connection: asyncpg.Connection

    async def give(self, sold: Any, minor: int, cause: str) -> None:
        """Give money back, by hand or for what the cause names: no book knew of it."""
        key = f"{sold['payment_id']}/refund/{cause}"
        await self.connection.execute(_GIVE[0], sold["front_end"], uuid4(), sold["payment_id"], key, minor)
        await self.connection.execute(_GIVE[1], sold["front_end"], uuid4(), sold["payment_id"], minor)
        await self.connection.execute(_GIVE[2], sold["front_end"], sold["payment_id"], minor)

    async def taken_back(self, sold: Any, quantity: int, minor: int, state: str) -> UUID:
        """Have goods come back, worth so much; `received`: they are in stock again, and the money has not gone yet."""
        given = sold["front_end"], (return_id := uuid4()), sold["order_id"]
        await self.connection.execute(_RETURNED[0], *given, state, minor)
        await self.connection.execute(_RETURNED[1], *given, quantity, minor)
        is_done = state == "refunded"
        await self.connection.execute(_RETURNED[2], given[0], given[2], quantity, minor if is_done else 0)
        if is_done:
            await self.connection.execute(_RETURNED[3], given[0], given[2], minor)
            await self.give(sold, minor, str(return_id))
        return return_id


@pytest.fixture
async def before(previous: str) -> Any:
    connection = await asyncpg.connect(previous)
    yield Before(connection)
    await connection.close()


async def test_refunds_by_hand_and_returns_of_the_release_before_are_one_book(
    before: Before, previous: str, tmp_path: Path
) -> None:
    by_hand, whole, both, stuck, cancelled, untouched = await before.connection.fetch(_SALES)
    (several,) = await before.connection.fetch(_GROUPS)
    await before.give(by_hand, 10, "an apology")
    await before.give(whole, whole["total_minor"], "lost in the post")
    await before.taken_back(both, 1, both["total_minor"] // 2, "refunded")
    await before.give(both, 5, "a scratch")
    await before.give(stuck, 10, "an apology")
    waiting = await before.taken_back(stuck, stuck["quantity"], stuck["total_minor"], "received")
    await before.give(cancelled, 7, str(cancelled["order_id"]))
    of_first = several["totals"][0]
    await before.give(several, of_first + 3, "more than one of them came to")
    wanted = {
        by_hand["order_id"]: 10,
        whole["order_id"]: whole["total_minor"],
        both["order_id"]: both["total_minor"] // 2 + 5,
        stuck["order_id"]: 10,
        cancelled["order_id"]: 7,
        untouched["order_id"]: 0,
        several["orders"][0]: of_first,
        several["orders"][1]: 3,
    }
    async with app_platform.running(settings(previous, tmp_path), allowed="migrate") as running:

        async def read(sold: Any) -> order.Order:
            asked = order.GetOrder(order_id=sold["order_id"])
            return await running.platform.call(order.get_order, asked, Caller(front_end=sold["front_end"]))

        async def broken() -> list[str]:
            async with running.database.platform() as session:
                findings = await doctor.examine(session, running.platform.release.packs.values(), 5)
            return [found.name for found in findings if not found.holds]

        booked = await before.connection.fetch('select order_id, refunded_minor from "order".orders')
        assert {one: {row["order_id"]: row["refunded_minor"] for row in booked}[one] for one in wanted} == wanted
        assert await broken() == []
        for sold, left in ((by_hand, by_hand["total_minor"] - 10), (whole, 0)):
            caller = Caller(front_end=sold["front_end"], client="back-office")
            back = order.RequestReturn(
                order_id=sold["order_id"], lines=(order.ReturnLine(line=0, quantity=sold["quantity"]),)
            )
            asked = await running.platform.call(order.request_return, back, caller)
            if asked.state == order.ReturnState.REQUESTED:
                decided = order.DecideReturn(return_id=asked.return_id, is_approved=True)
                await running.platform.call(order.decide_return, decided, caller)
            refund = after_sale.RefundReturn(return_id=asked.return_id)
            settled = await running.platform.call(after_sale.refund_return, refund, caller)
            assert settled.state == order.ReturnState.REFUNDED
            assert settled.refund.minor == left
            assert (await read(sold)).refunded.minor == sold["total_minor"]
        caller = Caller(front_end=stuck["front_end"], client="back-office")
        settled = await running.platform.call(
            after_sale.refund_return, after_sale.RefundReturn(return_id=waiting), caller
        )
        assert (settled.state, settled.refund.minor) == (order.ReturnState.REFUNDED, stuck["total_minor"] - 10)
        assert (await read(stuck)).refunded.minor == stuck["total_minor"]
        assert await broken() == []
