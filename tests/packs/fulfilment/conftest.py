"""Two shops that deliver, and short ways to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from isthmus.kernel import Caller, Capability, FrontEnd, Platform
from isthmus.packs.fulfilment import api
from isthmus.packs.fulfilment.pack import PACK
from isthmus.values import Address, LineAsk, money

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NORTH = Caller(front_end="north", client="north-office")
SOUTH = Caller(front_end="south", client="south-office")
OHIO = Address(country="US", region="OH", postcode="45202")


class Desk:
    """Short ways to ask fulfilment for one front end."""

    def __init__(self, platform: Platform, caller: Caller = NORTH) -> None:
        self.platform = platform
        self.caller = caller

    async def ask(self, capability: Capability[Any, Any], **fields: Any) -> Any:
        return await self.platform.call(capability, capability.ask(**fields), self.caller, now=NOW)

    async def methods(self, *items: api.Method) -> None:
        await self.ask(api.put_methods, items=items)

    async def quote(self, *, minor: int = 1_000, grams: int = 500, **fields: Any) -> api.DeliveryQuote:
        lines = (api.DeliveryLine(sku="apple", quantity=1, weight_grams=grams),)
        fields.setdefault("address", OHIO)
        return await self.ask(api.quote_delivery, lines=lines, amount=money(minor, "USD"), **fields)

    async def slot(self, capacity: int = 2, hour: int = 18, **fields: Any) -> api.Slot:
        new = api.NewSlot(
            method="van",
            starts_at=NOW.replace(hour=hour),
            ends_at=NOW.replace(hour=hour + 2),
            capacity=capacity,
            **fields,
        )
        return (await self.ask(api.open_slots, items=(new,))).items[0]

    async def plan(self, *lines: tuple[str, int, str], reference: str = "order-1") -> tuple[api.Shipment, ...]:
        planned = tuple(api.PlanLine(sku=sku, quantity=units, location=location) for sku, units, location in lines)
        answer = await self.ask(api.plan, reference=reference, lines=planned, method="van", address=OHIO)
        return answer.shipments


def asked(*lines: tuple[str, int]) -> tuple[LineAsk, ...]:
    return tuple(LineAsk(sku=sku, quantity=quantity) for sku, quantity in lines)


def rate(zone: str, minor: int, **fields: Any) -> api.Rate:
    return api.Rate(zone=zone, currency="USD", base_minor=minor, **fields)


def method(code: str, *rates: api.Rate, **fields: Any) -> api.Method:
    return api.Method(code=code, name=code.title(), rates=rates, **fields)


def front_end(code: str, answers: Sequence[Any] = ()) -> FrontEnd:
    return FrontEnd(code=code, name=code, owner=code, uses=("fulfilment.*",), answers=tuple(answers))


async def broken_conditions(url: str) -> dict[str, list[object]]:
    """Return the rows that break a condition of the pack, over all front ends."""
    connection = await asyncpg.connect(url)
    try:
        found = {one.name: [dict(row) for row in await connection.fetch(one.sql)] for one in PACK.conditions}
    finally:
        await connection.close()
    return {name: rows for name, rows in found.items() if rows}  # pyright: ignore[reportReturnType]


@pytest.fixture
async def desk(make_platform: Callable[..., Awaitable[Platform]]) -> Desk:
    return Desk(await make_platform(PACK, front_end("north"), front_end("south")))
