"""How often an order goes from one part of the house to another: whoever follows one in the code does so too."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import isthmus
from isthmus.flows.checkout import api as checkout

from .conftest import Shop

HOUSE = Path(isthmus.__file__).parent
HOPS_MAX = 217  # calls from one file into another, for an order of one line; 3 of risk: 0097, 1 of parts: 0139
BEGUN = 10  # bytes: a coroutine that has run further goes on after a pause, which is no call


async def test_an_order_goes_from_file_to_file_no_more_often_than_it_did(shop: Shop) -> None:
    hops = Counter[tuple[str, str]]()

    def seen(frame: FrameType, event: str, _: object) -> None:
        before = frame.f_back
        if event != "call" or before is None or frame.f_lasti > BEGUN or asyncio.current_task() is not placing:
            return  # what runs beside the order is no part of it
        here, there = Path(before.f_code.co_filename), Path(frame.f_code.co_filename)
        if here != there and HOUSE in there.parents and HOUSE in here.parents:
            hops[str(here.relative_to(HOUSE)), str(there.relative_to(HOUSE))] += 1

    ask = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),))
    await shop.platform.call(checkout.place_order, ask, shop.north, key="before")  # what is made once is no part of it
    placing = asyncio.current_task()
    sys.setprofile(seen)
    try:
        await shop.platform.call(checkout.place_order, ask, shop.north, key="counted")
    finally:
        sys.setprofile(None)
    assert hops.total() <= HOPS_MAX
