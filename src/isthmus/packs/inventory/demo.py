"""Stock of the goods that a demo sells, in one warehouse."""

from __future__ import annotations

from typing import Final

from isthmus.manifest import Demo

from . import api

WAREHOUSE: Final = "demo-warehouse"


async def load_stock(demo: Demo) -> None:
    lines = tuple(api.Receipt(sku=one.sku, quantity=one.stock, location=WAREHOUSE) for one in demo.goods)
    place = api.Location(code=WAREHOUSE, name="Warehouse")
    await demo.call(api.put_locations, api.PutLocations(items=(place,)))
    await demo.call(api.receive, api.Receive(reference="demo-stock", lines=lines), at=demo.since)
