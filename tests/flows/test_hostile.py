"""Bad input over every capability that a front end may call, on a real server: never a 500, never half an effect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.gateway import auth
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.values import Address
from tests import shipped

from .conftest import ALL, Shop
from .serving import Server

FRONT_END = f"""
from isthmus.kernel import FrontEnd

FRONT_END = FrontEnd(code="north", name="North", owner="north team", uses={ALL!r})
"""
EXAMPLES = 2  # of each of some 380 capabilities; `make test-slow` takes more
EXAMPLES_SLOW = 150
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]
NOT_CHECKED = ("positive_data_acceptance",)  # 1.0 is no integer here, and an unknown id is refused


@dataclass(frozen=True, slots=True)
class Served:
    """The address of a server, a key for it, and what there is that an ask may name."""

    address: str
    key: str
    live: Mapping[str, str]


@pytest.fixture
async def served(shop: Shop, tmp_path: Path) -> AsyncIterator[Served]:
    """Give a server with every capability, a paid and shipped order, one that is open, a basket and a member."""
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "front_end.py").write_text(FRONT_END)
    server = Server(tmp_path, shop.database.url)
    await server.start()
    key = await auth.create_client(shop.database, "north", "hostile")
    yield Served(f"http://127.0.0.1:{server.port}", key, await _live(shop))
    server.kill()


async def _live(shop: Shop) -> dict[str, str]:
    call, north = shop.platform.call, shop.north
    identity = member.Identity(kind="email", value="ada@example.org", is_verified=True)
    joined = await call(member.register, member.Register(identities=(identity,)), north)
    tea = (checkout.BuyLine(sku="tea", quantity=1),)
    home = Address(country="DE", city="Kiel")
    bought = [
        await call(
            checkout.place_order,
            checkout.PlaceOrder(currency="EUR", lines=tea, member_id=joined.member_id, address=home),
            north,
        )
        for _ in range(2)
    ]
    pay = checkout.PayOrder(payment_id=bought[0].payment_id, method="card", token="ok")
    await call(checkout.pay_order, pay, north)
    sent = bought[0].orders[0].order_id
    await call(after_sale.ship_order, after_sale.ShipOrder(order_id=sent), north)
    wanted = order.RequestReturn(order_id=sent, lines=(order.ReturnLine(line=0, quantity=1),))
    back = await call(order.request_return, wanted, north)
    basket = await call(order.open_basket, order.OpenBasket(currency="EUR"), north)
    shipments = await call(fulfilment.list_shipments, fulfilment.ListShipments(), north)
    ids: dict[str, UUID] = {
        "member_id": joined.member_id,
        "order_id": sent,
        "group_id": bought[1].group_id,
        "payment_id": bought[1].payment_id,
        "return_id": back.return_id,
        "basket_id": basket.basket_id,
        "shipment_id": shipments.items[0].shipment_id,
    }
    return {name: str(one) for name, one in ids.items()} | {"sku": "tea", "currency": "EUR", "location": "main"}


def named(ask: Any, live: Mapping[str, str]) -> Any:
    """Return an ask that names what there is, so that it comes further than the first look-up."""
    if isinstance(ask, dict):
        fields = cast("dict[str, Any]", ask)
        return {
            name: live[name] if name in live and isinstance(value, str) else named(value, live)
            for name, value in fields.items()
        }
    return [named(one, live) for one in cast("list[Any]", ask)] if isinstance(ask, list) else ask


async def send_everything(served: Served, shop: Shop, examples: int) -> None:
    async with httpx.AsyncClient(base_url=served.address, headers={"Authorization": f"Bearer {served.key}"}) as client:
        schema = schemathesis.openapi.from_dict((await client.get("/v1/openapi.json")).json())
    schema.config.generation.allow_x00 = False  # the document says so in words
    schema.config.checks.negative_data_rejection.expected_statuses = REFUSED
    excluded = [schemathesis.checks.CHECKS.get_one(name) for name in NOT_CHECKED]  # pyright: ignore[reportAttributeAccessIssue]
    limits = settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    seen: set[str] = set()
    session = requests.Session()  # one connection for all of them
    for found in schema.get_all_operations():
        operation = found.ok()  # pyright: ignore[reportAttributeAccessIssue]
        assert operation is not None
        seen.add(operation.label)
        wrong = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @limits
        @given(case=operation.as_strategy() | wrong, is_named=st.booleans())
        def send(case: Any, is_named: bool) -> None:
            assume(all(str(one) == str(one).strip() for one in (case.headers or {}).values()))  # HTTP takes blanks off
            if is_named and not case.meta.generation.mode.is_negative:
                case.body = named(case.body, served.live)
            case.call_and_validate(
                base_url=served.address,
                session=session,
                headers={
                    "Isthmus-Deadline-Ms": "60000",
                    **(case.headers or {}),
                    "Authorization": f"Bearer {served.key}",
                },
                excluded_checks=excluded,
            )

        send()
    offered = {found.name for pack in shipped.PACKS for found in pack.capabilities().values() if not found.is_internal}
    assert {f"POST /v1/{name}" for name in offered} <= seen
    assert await shop.broken() == []


async def test_bad_input_to_every_capability_is_a_problem_document_and_breaks_no_condition(
    served: Served, shop: Shop
) -> None:
    await send_everything(served, shop, EXAMPLES)


@pytest.mark.slow
async def test_a_great_deal_of_bad_input_breaks_no_condition_either(served: Served, shop: Shop) -> None:
    await send_everything(served, shop, EXAMPLES_SLOW)
