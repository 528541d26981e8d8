"""Baskets that are paid by card in the market's app, and what buyers' banks take back of them.

What lies in them is the source's. That they are paid so is made up, and that two buyers then tell their banks that
nothing came: the market answers each with what its orders say of the goods, wins one and loses the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

from demo import patience
from demo.load import CURRENCY, caller
from demo.source import Basket
from isthmus.app.platform import Running
from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.flows.disputes import api as disputes
from isthmus.kernel import encode
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import money

MARKET: Final = "market"
PAID: Final = 2  # baskets, the first of the year that are worth a bank's while
WORTH_MINOR: Final = 500
FEE: Final = money(1_500, CURRENCY)  # what providers keep of each chargeback, won or lost
OPENED: Final = chargeback.ChargebackState.OPENED
ENDS: Final = (  # of the first and the second, and why the bank decided so
    (chargeback.ChargebackState.WON, "the goods were taken along"),
    (chargeback.ChargebackState.LOST, "nobody signed for the goods"),
)
RECORDED: Final = dict.fromkeys((disputes.receive_chargeback.name, chargeback.list_chargebacks.name), 1.0)


def chosen(running: Running, baskets: Iterable[Basket]) -> Callable[[Basket], bool]:
    """Return what says of a basket whether it is paid by card in the app; none where a service takes cards."""
    if _bank(running) is None:
        return lambda _: False
    worth = (one for one in baskets if one.front_end == MARKET and sum(line.paid for line in one.lines) >= WORTH_MINOR)
    first = {one.basket_id for one, _ in zip(worth, range(PAID), strict=False)}
    return lambda basket: basket.front_end == MARKET and basket.basket_id in first


async def pay(running: Running, basket: Basket, placed: checkout.PlacedOrder) -> None:
    """Pay for an order in the app, and hand its goods over."""
    by, platform = caller(basket.front_end), running.platform
    card = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="ok")
    await patience.call(platform, checkout.pay_order, card, by, key=f"{placed.group_id}/paid", now=basket.at)
    for one in placed.orders:
        goods = after_sale.ShipOrder(order_id=one.order_id)
        await patience.call(platform, after_sale.ship_order, goods, by, key=f"{one.order_id}/taken", now=basket.at)


async def dispute(running: Running) -> list[dict[str, Any]]:
    """Have banks take back what was paid by card, answer them, and return how each dispute ended."""
    bank = _bank(running)
    if bank is None:
        return []
    by, platform = caller(MARKET), running.platform

    async def said(notice: chargeback.ChargebackNotice) -> chargeback.Chargeback:
        payload = encode(disputes.Disputed(chargeback=notice)).decode()
        bank.said.add(payload)
        signed = payment.Notify(provider=bank.name, payload=payload)
        return await patience.call(platform, disputes.receive_chargeback, signed, by)

    found: list[dict[str, Any]] = []
    taken = [(key, amount) for key, kind, amount, _ in bank.moved if kind == "capture"]
    for (key, amount), (end, why) in zip(taken, ENDS, strict=False):
        notice = chargeback.ChargebackNotice(
            reference=f"dispute-{len(found) + 1}", key=key, state=OPENED, amount=amount, fee=FEE, reason="nothing came"
        )
        await said(notice)
        await _answer(running)
        ended = await said(notice.replace(state=end, fee=None, reason=why))
        one = {"reference": ended.reference, "state": ended.state.value, "minor": ended.amount.minor}
        found.append({**one, "fee_minor": ended.fee.minor})
    return found


async def _answer(running: Running) -> None:
    """Write to the provider what became of goods that somebody disputes, as their orders say."""
    by, platform = caller(MARKET), running.platform
    waiting = await patience.call(platform, chargeback.list_chargebacks, chargeback.ListChargebacks(state=OPENED), by)
    for one in waiting.items:
        group = await patience.call(platform, order.get_group, order.GetGroup(group_id=UUID(one.paid_for)), by)
        sold = [
            await patience.call(platform, order.get_order, order.GetOrder(order_id=brief.order_id), by)
            for brief in group.orders
        ]
        steps = [f"order {each.number}: {step.what}, {step.at:%Y-%m-%d}" for each in sold for step in each.history]
        letter = notification.Send(
            kind="dispute-answer", subject=f"What became of {one.reference}", text="\n".join(steps),
            reference=f"answer-{one.reference}", address="disputes@bank.example",
        )  # fmt: skip
        await patience.call(platform, notification.send, letter, by)


def _bank(running: Running) -> payment.TestProvider | None:
    """Return the provider in memory where nobody else takes payments: it does as it is told."""
    first, *others = running.resource(payment.Providers).by_name.values()
    return first if isinstance(first, payment.TestProvider) and not others else None
