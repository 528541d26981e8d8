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
from isthmus.packs.tax import api as tax
from isthmus.values import cursor_at, money

from .conftest import LONG_AGO, Shop

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
    """`checkout.check-basket` reacts to the basket in its transaction."""
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


async def _taxed_ohio(shop: Shop) -> None:
    """Have the northern shop charge 7.25 % in Ohio and nothing elsewhere in the country, and more to send far away."""
    call, north = shop.platform.call, shop.north
    places = (tax.Jurisdiction(code="US"), tax.Jurisdiction(code="US-OH"))
    await call(tax.put_jurisdictions, tax.PutJurisdictions(jurisdictions=places), north)
    rates = tuple(
        tax.RateEntry(jurisdiction=code, name="sales", rate_ppm=ppm, valid_from=LONG_AGO)
        for code, ppm in (("US", 0), ("US-OH", 72_500))
    )
    await call(tax.put_rates, tax.PutRates(rates=rates), north)
    zones = (
        fulfilment.Rate(zone="all", currency="EUR", base_minor=500),
        fulfilment.Rate(zone="islands", currency="EUR", country="US", region="Hawaii", base_minor=4_000),
        fulfilment.Rate(zone="hebrides", currency="EUR", country="GB", postcode_prefix="hs", base_minor=3_000),
    )
    methods = (fulfilment.Method(code="post", name="Post", rates=zones),)
    await call(fulfilment.put_methods, fulfilment.PutMethods(items=methods), north)


async def _preview(shop: Shop, **address: str) -> dict[str, Any]:
    ask = {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 10}], "address": address}
    answer, _ = await shop.platform.call_wire("checkout.preview-order", json.dumps(ask).encode(), shop.north)
    return json.loads(answer)["bill"]


@pytest.mark.parametrize("region", ["OH", "oh", "Ohio", " OH", "US-OH", "OHIO "])
async def test_a_region_is_taxed_as_what_it_is_however_it_is_typed(shop: Shop, region: str) -> None:
    await _taxed_ohio(shop)
    bill = await _preview(shop, country="US", region=region)
    assert bill["tax"]["minor"] == 761  # 7.25 % of 100.00 and of 5.00 delivery, each rounded
    assert bill["total"]["minor"] == 10_000 + 500 + 761


@pytest.mark.parametrize(
    ("address", "fee"),
    [
        ({"country": "US", "region": "hi"}, 4_000),
        ({"country": "US", "region": "Hawai‘i"}, 4_000),
        ({"country": "GB", "postcode": "hs1 2aa"}, 3_000),
        ({"country": "GB", "postcode": " HS12AA"}, 3_000),
        ({"country": "GB", "postcode": "sw1a 1aa"}, 500),
        ({"country": "FR"}, 500),
    ],
)
async def test_a_zone_is_found_however_the_address_is_typed(shop: Shop, address: dict[str, str], fee: int) -> None:
    await _taxed_ohio(shop)
    ask = {
        "lines": [{"sku": "tea", "quantity": 1}],
        "amount": {"currency": "EUR", "minor": 1000},
        "address": address,
    }
    answer, _ = await shop.platform.call_wire("fulfilment.quote-delivery", json.dumps(ask).encode(), shop.north)
    assert json.loads(answer)["fee"]["minor"] == fee


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ({"country": "US", "region": "Ohoi"}, "$.address.region"),
        ({"country": "US", "region": "XX"}, "$.address.region"),
        ({"country": "ZZ"}, "$.address.country"),
        ({"country": "US"}, "$.address"),  # the fee depends on the region
        ({"country": "GB", "region": "SCT"}, "$.address"),  # on the postcode
    ],
)
async def test_what_is_not_understood_or_left_out_is_refused_and_never_taken_for_something_broader(
    shop: Shop, address: dict[str, str], path: str
) -> None:
    await _taxed_ohio(shop)
    with pytest.raises(errors.IsthmusError) as refused:
        await _preview(shop, **address)
    assert refused.value.path == path


async def test_tax_that_depends_on_the_region_needs_one(shop: Shop) -> None:
    await _taxed_ohio(shop)
    rate = fulfilment.Rate(zone="all", currency="EUR", base_minor=500)
    methods = (fulfilment.Method(code="post", name="Post", rates=(rate,)),)
    await shop.platform.call(fulfilment.put_methods, fulfilment.PutMethods(items=methods), shop.north)
    with pytest.raises(tax.RegionNeeded) as refused:
        await _preview(shop, country="US", city="Oxford")
    assert refused.value.path == "$.address.region"


async def test_a_jurisdiction_whose_region_is_none_is_not_taxed_as_its_country(shop: Shop) -> None:
    await _taxed_ohio(shop)
    line = tax.TaxLine(sku="tea", quantity=1, tax_category="", amount=money(1000, "EUR"))
    for code, minor in (("US-OH", 73), ("US-NY", 0), ("US-OH-CUYAHOGA", 73)):
        quote = await shop.platform.call(tax.calculate, tax.Calculate(lines=(line,), jurisdiction=code), shop.north)
        assert quote.tax.minor == minor
    with pytest.raises(tax.UnknownJurisdiction):
        await shop.platform.call(tax.calculate, tax.Calculate(lines=(line,), jurisdiction="US-OHIO"), shop.north)
