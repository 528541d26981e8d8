"""Two shops that take orders, and short ways to ask for it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import Caller, Capability, FrontEnd, Platform
from isthmus.packs.order import api
from isthmus.packs.order.pack import PACK
from isthmus.values import Money, money
from tests.packs.desk import at_desk, desk

NORTH = Caller(front_end="north", client="north-site")
SOUTH = Caller(front_end="south", client="south-site")

DESK = desk(api)
MakePlatform = Callable[..., Awaitable[Platform]]


class Shop:
    """Short ways to ask about orders for one front end."""

    def __init__(self, platform: Platform, caller: Caller = NORTH) -> None:
        self.platform = platform
        self.caller = caller

    async def call(self, capability: Capability[Any, Any], ask: object, now: datetime | None = None) -> Any:
        return await self.platform.call(at_desk(capability, DESK), ask, self.caller, now=now)

    async def place(self, *lines: api.DraftLine, **facts: Any) -> api.PlacedGroup:
        return await self.call(api.place_order, draft(*lines, **facts))

    async def sold(self, *lines: api.DraftLine, **facts: Any) -> api.Order:
        """Place an order that is handed over at once, and return it."""
        placed = await self.place(*lines, is_handed_over=True, **facts)
        return await self.order(placed.orders[0].order_id)

    async def order(self, order_id: UUID) -> api.Order:
        return await self.call(api.get_order, api.GetOrder(order_id=order_id))

    async def cancel(self, order_id: UUID, reason: str = "changed my mind") -> api.CancelledOrder:
        return await self.call(api.cancel_order, api.Cancel(order_id=order_id, reason=reason))

    async def ask_back(self, order_id: UUID, *lines: tuple[int, int], reason: str = "unwanted") -> api.Return:
        wanted = tuple(api.ReturnLine(line=line, quantity=quantity, reason=reason) for line, quantity in lines)
        return await self.call(api.request_return, api.RequestReturn(order_id=order_id, lines=wanted))

    async def decide(self, return_id: UUID, is_approved: bool = True) -> api.Return:
        return await self.call(api.decide_return, api.DecideReturn(return_id=return_id, is_approved=is_approved))

    async def give_back(self, return_id: UUID) -> api.Return:
        """Approve, receive and settle a return."""
        await self.decide(return_id)
        await self.call(api.receive_return, api.ReceiveReturn(return_id=return_id))
        return await self.call(api.settle_return, api.SettleReturn(return_id=return_id))


def eur(minor: int) -> Money:
    return money(minor, "EUR")


def line(sku: str, quantity: int = 1, paid: int = 1000, *, discount: int = 0, tax: int = 0, **facts: Any) -> Any:
    """Return a line for which `paid` is paid, after a discount."""
    given: dict[str, Any] = {
        "title": sku,
        "unit": "piece",
        "seller": "",
        "location": "main",
        "tax_category": "standard",
        "list_amount": eur(paid + discount),
        "amount": eur(paid + discount),
        "discount": eur(discount),
        "tax": eur(tax),
        "total": eur(paid),
    }
    return api.DraftLine(sku=sku, quantity=quantity, **{**given, **facts})


def draft(*lines: api.DraftLine, fee: int = 0, group_id: UUID | None = None, **facts: Any) -> api.PlaceOrder:
    given: dict[str, Any] = {"currency": "EUR", "delivery_fee": eur(fee)}
    total = eur(sum(one.total.minor for one in lines) + fee)
    return api.PlaceOrder(group_id=group_id or uuid.uuid4(), lines=lines, **{**given, "total": total, **facts})


def front_end(code: str, answers: Sequence[object] = (), products: Sequence[Any] = ()) -> FrontEnd:
    return FrontEnd(
        code=code,
        name=code,
        owner=code,
        uses=("order.*", "desk.*"),
        answers=tuple(answers),  # pyright: ignore[reportArgumentType]
        products=tuple(products),
    )


async def broken_conditions(url: str) -> dict[str, list[object]]:
    """Return the rows that break a condition of the pack, over all front ends."""
    connection = await asyncpg.connect(url)
    try:
        found = {one.name: [dict(row) for row in await connection.fetch(one.sql)] for one in PACK.conditions}
    finally:
        await connection.close()
    return {name: rows for name, rows in found.items() if rows}  # pyright: ignore[reportReturnType]


@pytest.fixture
async def make_shop(make_platform: MakePlatform) -> Callable[..., Awaitable[Shop]]:
    """Give what opens the shop `north` with answers, beside `south` without any."""

    async def make(*answers: object) -> Shop:
        platform = await make_platform(PACK, DESK, front_end("north", answers), front_end("south"))
        platform.resources[api.Numbers] = api.Numbers(platform.store)  # pyright: ignore[reportArgumentType]
        return Shop(platform)

    return make


@pytest.fixture
async def shop(make_shop: Callable[..., Awaitable[Shop]]) -> Shop:
    return await make_shop()
