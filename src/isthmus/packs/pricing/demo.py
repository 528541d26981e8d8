"""Prices of the goods that a demo sells."""

from __future__ import annotations

from isthmus.manifest import Demo

from . import api


async def load_prices(demo: Demo) -> None:
    prices = tuple(
        api.PriceEntry(sku=one.sku, currency=one.price.currency, amount=one.price.minor, valid_from=demo.since)
        for one in demo.goods
    )
    await demo.call(api.put_prices, api.PutPrices(prices=prices))
