"""Baskets that households fill in the app before they buy: a part of the real ones, so that some are seen to be left.

What lies in them, who fills them and when is the source's; that somebody looks in the app first is made up. The app
says what the goods cost online. Where that is no more than at the till, the basket is what is bought there; else it is
left, and the goods are bought without it. So what is sold stays the source's to the cent.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from demo import patience
from demo.load import CURRENCY, Members, caller
from demo.source import Basket, Line
from isthmus.app.platform import Running
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import errors
from isthmus.packs.order import api as order

EVERY: Final = 5  # of so many baskets one was filled before: each is three calls more
APP: Final = "app"


def is_filled(basket: Basket) -> bool:
    """Say whether a basket was filled in the app first: goods of one SKU are one line there, and no goods are none."""
    skus = [line.sku for line in basket.lines if line.quantity]
    return int(basket.basket_id) % EVERY == 0 and len(set(skus)) == len(basket.lines)


async def filled(running: Running, basket: Basket, members: Members) -> UUID | None:
    """Fill a basket in the app; return its id where it is bought, or nothing where it is left."""
    platform, at = running.platform, basket.at
    by = caller(basket.front_end)
    member_id = members[basket.front_end, basket.household_id]
    try:
        opened = await patience.call(
            platform, order.open_basket, order.OpenBasket(currency=CURRENCY, member_id=member_id), by, now=at
        )
        lines = tuple(order.SetLine(sku=line.sku, quantity=line.quantity) for line in basket.lines)
        ask = order.SetLines(basket_id=opened.basket_id, lines=lines)
        await patience.call(platform, order.set_lines, ask, by, now=at)
        look = checkout.PreviewOrder(
            currency=CURRENCY, basket_id=opened.basket_id, member_id=member_id, channel=APP, location=basket.location
        )
        shown = await patience.call(platform, checkout.preview_order, look, by, now=at)
    except errors.Refusal:  # goods that nobody knows, or none of them: the app says so
        return None
    return opened.basket_id if shown.bill.total.minor <= _paid(basket.lines) else None


def _paid(lines: tuple[Line, ...]) -> int:
    return sum(line.paid for line in lines)
