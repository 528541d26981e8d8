"""A screen of five calls over HTTP, against the same five calls by themselves in the same run.

One server process, connections that are kept alive, one asker. In each turn every call is asked once by itself, then
all five in turn, then all five at once over five connections, then the screen; figures are medians over turns.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import _shop as shop

GOODS = [f"good-{number:05}" for number in range(500)]
UNITS = 10_000
LINES = 20
TURNS = 60  # in one round
WARM = 300  # turns before: PostgreSQL plans a statement anew until each connection has had it some times
AIM = 1.3
SOURCE = """
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import FrontEnd
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.order import api as order
from isthmus.packs.promotion import api as promotion
from isthmus.screens import AskScreen, Part, Screen, screen


class AskHome(AskScreen):
    basket_id: UUID


class Home(Screen):
    goods: catalog.FoundPage | None = None
    slots: fulfilment.SlotPage | None = None
    basket: order.Basket | None = None
    offers: promotion.PromotionPage | None = None
    bill: checkout.OrderPreview | None = None


@screen(
    "north.home",
    version="1.0",
    bill=Part(checkout.preview_order, lambda ask: checkout.PreviewOrder(currency="EUR", basket_id=ask.basket_id)),
    goods=Part(catalog.search, lambda ask: catalog.Search(limit=24)),
    slots=Part(fulfilment.list_slots, lambda ask: fulfilment.ListSlots(limit=3)),
    basket=Part(order.get_basket, lambda ask: order.GetBasket(basket_id=ask.basket_id)),
    offers=Part(promotion.list_promotions, lambda ask: promotion.ListPromotions(running_only=True, limit=5)),
)
def home(ask: AskHome) -> Home:
    "Show the first page."


FRONT_END = FrontEnd(
    code="north", name="North", owner="north team", uses={uses!r},
    capabilities=(home.capability,), implementations=(home,),
)
"""

Row = dict[str, Any]
Ask = Callable[[], Awaitable[object]]


def screen_rows(rounds: int) -> list[Row]:
    """Measure, and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("screen") as url:
        key = await shop.stocked(url, GOODS, UNITS)
        async with shop.serving(url, SOURCE.format(uses=shop.USES)) as server:
            connections = [await shop.Buyer.connect(server.port, key) for _ in range(5)]
            basket_id = await _filled(connections[0])
            await shop.analyse(url)
            singles = {
                "checkout.preview-order": {"currency": shop.CURRENCY, "basket_id": basket_id},
                "catalog.search": {"limit": 24},
                "fulfilment.list-slots": {"limit": 3},
                "order.get-basket": {"basket_id": basket_id},
                "promotion.list-promotions": {"running_only": True, "limit": 5},
            }
            took = await _taken(connections, singles, basket_id, rounds * TURNS)
            for one in connections:
                one.close()
    slowest = max(singles, key=lambda name: statistics.median(took[name]))
    ratio = statistics.median(took["screen"]) / statistics.median(took[slowest])
    return [
        _row("a screen of five calls", took, "screen", slowest, f"≤ {AIM:g} x its slowest", ratio <= AIM),
        _row("the five calls, each over a connection of its own", took, "at once", slowest, "reported", None),
        _row("the five calls, one after the other", took, "in turn", slowest, "reported", None),
    ]


def _row(name: str, took: dict[str, list[float]], which: str, slowest: str, aim: str, met: bool | None) -> Row:
    value, limit = (statistics.median(took[one]) * 1000 for one in (which, slowest))
    against = f"its slowest, {slowest}: {limit:.1f} ms"
    return {
        "name": name,
        "value": value,
        "unit": "ms",
        "against": against,
        "ratio": value / limit,
        "aim": aim,
        "met": met,
    }


async def _taken(
    connections: Sequence[shop.Buyer], singles: dict[str, Any], basket_id: str, turns: int
) -> dict[str, list[float]]:
    first, asks = connections[0], {name: json.dumps(ask).encode() for name, ask in singles.items()}
    home = json.dumps({"basket_id": basket_id}).encode()

    async def in_turn() -> None:
        for name, ask in asks.items():
            await _answer(first, name, ask)

    async def at_once() -> None:
        pairs = zip(connections, asks.items(), strict=True)
        await asyncio.gather(*(_answer(one, name, ask) for one, (name, ask) in pairs))

    ways: dict[str, Ask] = {name: lambda name=name, ask=ask: _answer(first, name, ask) for name, ask in asks.items()}
    ways |= {"in turn": in_turn, "at once": at_once, "screen": lambda: _answer(first, "north.home", home)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + WARM):
        for name, way in ways.items():
            began = time.perf_counter()
            await way()
            if turn >= WARM:
                found[name].append(time.perf_counter() - began)
    return found


async def _answer(connection: shop.Buyer, name: str, ask: bytes, key: str = "") -> Any:
    status, body = await connection.call(name, ask, key)
    answer = json.loads(body)
    if status != 200 or answer.get("missing"):
        raise RuntimeError(f"{name} was refused: {body[:400]!r}")
    return answer


async def _filled(connection: shop.Buyer) -> str:
    """Return a basket of some lines; there are slots to choose from, and promotions that run."""
    now = datetime.now(UTC)
    method = {"code": "van", "name": "Van", "needs_slot": True}
    rates = [{"zone": "all", "currency": shop.CURRENCY, "base_minor": 499}]
    await _write(connection, "fulfilment.put-methods", {"items": [{**method, "rates": rates}]})
    slots = [
        {"method": "van", "starts_at": _text(now, hours), "ends_at": _text(now, hours + 2), "capacity": 9}
        for hours in range(24, 72, 2)
    ]
    await _write(connection, "fulfilment.open-slots", {"items": slots})
    opened = await _write(connection, "order.open-basket", {"currency": shop.CURRENCY})
    lines = [{"sku": sku, "quantity": 2} for sku in GOODS[:LINES]]
    await _write(connection, "order.set-lines", {"basket_id": opened["basket_id"], "lines": lines})
    return opened["basket_id"]


async def _write(connection: shop.Buyer, name: str, ask: dict[str, Any]) -> Any:
    return await _answer(connection, name, json.dumps(ask).encode(), str(uuid.uuid4()))


def _text(now: datetime, hours: int) -> str:
    return (now + timedelta(hours=hours)).isoformat()
