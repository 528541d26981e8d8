"""Sales to try: baskets of the last days, paid at the till, so that lists, books and metrics have something."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from isthmus.manifest import Demo

from . import api

BASKETS: Final = 12
TILL: Final = "cash"  # paid there: no payment provider is asked


async def load_sales(demo: Demo) -> None:
    noon = demo.now.replace(hour=12, minute=0, second=0, microsecond=0)
    for number in range(BASKETS):
        goods = [demo.goods[(number + step) % len(demo.goods)] for step in range(1 + number % 3)]
        lines = tuple(api.BuyLine(sku=one.sku, quantity=1 + number % 2) for one in goods)
        ask = api.PlaceOrder(lines=lines, currency=goods[0].price.currency, paid_at_till=TILL, channel="store")
        await demo.call(api.place_order, ask, at=noon - timedelta(days=BASKETS - number))
