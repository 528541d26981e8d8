"""What enters the platform is what it can carry: moments within bounds, places that are known, members of the shop."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from isthmus.kernel import encode, errors
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.values import cursor_at

from .conftest import Shop

END, BEGINNING = "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"
TEA = {"sku": "tea", "quantity": 1}
SLOT = {"method": "post", "zone": "all", "capacity": 1}
MOMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("catalog.publish", {"listings": [{"sku": "tea", "offered_to": "{}"}]}, "$.listings[0].offered_to"),
    ("catalog.publish", {"listings": [{"sku": "tea", "offered_from": "{}"}]}, "$.listings[0].offered_from"),
    ("fulfilment.open-slots", {"items": [{**SLOT, "starts_at": "{}", "ends_at": END}]}, "$.items[0].starts_at"),
    ("fulfilment.list-slots", {"starts_from": "{}"}, "$.starts_from"),
    ("inventory.reserve", {"reference": "r", "lines": [TEA], "expires_at": "{}"}, "$.expires_at"),
    ("order.list-orders", {"placed_until": "{}"}, "$.placed_until"),
    (
        "pricing.put-prices",
        {"prices": [{"sku": "tea", "currency": "EUR", "amount": 1, "valid_from": "{}"}]},
        "$.prices[0].valid_from",
    ),
    (
        "tax.put-rates",
        {"rates": [{"jurisdiction": "DE", "name": "vat", "rate_ppm": 1, "valid_from": "{}"}]},
        "$.rates[0].valid_from",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ask", "path"), MOMENTS)
@pytest.mark.parametrize("moment", [END, BEGINNING, "1799-12-31T23:59:59Z", "2200-01-01T00:00:00Z"])
async def test_a_moment_out_of_bounds_is_refused_with_its_path_by_every_pack(
    shop: Shop, name: str, ask: dict[str, Any], path: str, moment: str
) -> None:
    body = json.dumps(ask).replace("{}", moment).encode()
    with pytest.raises(errors.BadAsk) as found:
        await shop.platform.call_wire(name, body, shop.north)
    assert found.value.path == path


@pytest.mark.parametrize(
    "place",
    [
        (datetime.max.replace(tzinfo=UTC), UUID(int=1)),
        (datetime.min.replace(tzinfo=UTC), UUID(int=1)),
        (datetime(2026, 1, 1), UUID(int=1)),
        ("nonsense", UUID(int=1)),
    ],
)
async def test_a_cursor_with_a_moment_out_of_bounds_is_none_of_its_list(shop: Shop, place: object) -> None:
    joined = await _joined(shop)
    cursor = cursor_at(place)
    asks: list[tuple[Any, Any]] = [
        (order.list_orders, order.ListOrders(cursor=cursor)),
        (member.list_points, member.ListPoints(member_id=joined, cursor=cursor)),
        (fulfilment.list_shipments, fulfilment.ListShipments(cursor=cursor)),
        (fulfilment.list_slots, fulfilment.ListSlots(cursor=cursor)),
    ]
    for capability, ask in asks:
        with pytest.raises(errors.BadAsk) as found:
            await shop.platform.call_wire(capability.name, encode(ask), shop.north)
        assert found.value.path == "$.cursor"


async def test_a_basket_is_opened_for_members_of_its_own_front_end_only(shop: Shop) -> None:
    northern = await _joined(shop)
    ask = order.OpenBasket(currency="EUR", member_id=northern)
    assert (await shop.platform.call(order.open_basket, ask, shop.north)).member_id == northern
    with pytest.raises(order.UnknownMember) as refused:
        await shop.platform.call(order.open_basket, ask, shop.south)
    assert refused.value.path == "$.member_id"
    async with shop.database.platform() as session:
        assert await session.fetch_value("select count(*) from \"order\".basket where front_end = 'south'") == 0


async def _joined(shop: Shop) -> UUID:
    identity = member.Identity(kind="email", value="ada@example.org", is_verified=True)
    joined = await shop.platform.call(member.register, member.Register(identities=(identity,)), shop.north)
    return joined.member_id
