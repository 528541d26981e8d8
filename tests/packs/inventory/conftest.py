"""Two shops with stock, and short ways to ask for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK
from isthmus.values import LineAsk

NORTH = Caller(front_end="north", client="north-till")
SOUTH = Caller(front_end="south", client="south-till")


class Shop:
    """Short ways to ask inventory for one front end."""

    def __init__(self, platform: Platform, caller: Caller = NORTH) -> None:
        self.platform = platform
        self.caller = caller
        self._references = 0

    async def stock(self, *lines: tuple[str, str, int]) -> None:
        self._references += 1
        receipts = tuple(api.Receipt(sku=sku, location=location, quantity=units) for sku, location, units in lines)
        ask = api.Receive(reference=f"note-{self.caller.front_end}-{self._references}", lines=receipts)
        await self.platform.call(api.receive, ask, self.caller)

    async def reserve(self, reference: str, *lines: tuple[str, int], **facts: object) -> api.Reservation:
        ask = api.Reserve(reference=reference, lines=asked(*lines), **facts)  # pyright: ignore[reportArgumentType]
        return await self.platform.call(api.reserve, ask, self.caller)

    async def at(self, sku: str, location: str = "shop") -> tuple[int, int]:
        """Return on hand and reserved."""
        page = await self.platform.call(api.list_stock, api.ListStock(sku=sku, location=location), self.caller)
        return (page.items[0].on_hand, page.items[0].reserved) if page.items else (0, 0)

    async def available(self, sku: str) -> int:
        answer = await self.platform.call(api.get_availability, api.GetAvailability(skus=(sku,)), self.caller)
        return answer.items[0].available


def asked(*lines: tuple[str, int]) -> tuple[LineAsk, ...]:
    return tuple(LineAsk(sku=sku, quantity=quantity) for sku, quantity in lines)


def front_end(code: str, answers: Sequence[object] = ()) -> FrontEnd:
    return FrontEnd(code=code, name=code, owner=code, uses=("inventory.*",), answers=tuple(answers))  # pyright: ignore[reportArgumentType]


async def broken_conditions(url: str) -> dict[str, list[object]]:
    """Return the rows that break a condition of the pack, over all front ends."""
    connection = await asyncpg.connect(url)
    try:
        found = {one.name: [dict(row) for row in await connection.fetch(one.sql)] for one in PACK.conditions}
    finally:
        await connection.close()
    return {name: rows for name, rows in found.items() if rows}  # pyright: ignore[reportReturnType]


@pytest.fixture
async def shop(make_platform: Callable[..., Awaitable[Platform]]) -> Shop:
    return Shop(await make_platform(PACK, front_end("north"), front_end("south")))
