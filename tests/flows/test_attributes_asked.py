"""Attributes of front ends come into the lake with what they are of, and are asked over HTTP by whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import httpx
import pytest

from isthmus.app import platform as app_platform
from isthmus.data.lake.erasure import erase
from isthmus.data.model.ask import Ask
from isthmus.data.platform import DataPlatform, open_platform
from isthmus.data.privacy import policy
from isthmus.flows.checkout import api as checkout
from isthmus.gateway import auth
from isthmus.gateway.auth import Clients
from isthmus.gateway.http import Gateway
from isthmus.gateway.metrics import MetricsService
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.kernel import Caller, FrontEnd, Value, errors
from isthmus.markings import Derived, Measure, Metric, Pii, Ratio, Where
from isthmus.packs.member import api as member
from tests import shipped

from .conftest import ALL, LONG_AGO, SOUTH, Shop

WRAP = "order.order.attributes.wrap"


class Gift(Value):
    """How an order is given away."""

    wrap: Literal["none", "paper", "box"] = "none"
    ribbons: Annotated[int, Measure(unit="ribbon")] = 0
    note: Annotated[str, Pii("free-text", why="to know it")] = ""


class Taste(Value):
    """What a member likes."""

    tea: str = ""


class LaterGift(Value):
    """The next version: wrap is dropped."""

    colour: str = "red"


BOXED = Derived(name="north.boxed", of="order.orders", where=Where(WRAP, "=", "box"), doc="Orders in a box.")
BOXED_SHARE = Ratio(name="north.boxed-share", numerator="north.boxed", denominator="order.orders")


def north(gift: type[Value] = Gift, *metrics: Metric) -> FrontEnd:
    attributes = {"order.order": gift, "member.membership": Taste}
    return FrontEnd(code="north", name="North", owner="n", uses=ALL, attributes=attributes, metrics=metrics)


@dataclass(frozen=True, slots=True)
class World:
    """A shop in which north has attributes and south has none, with its lake and the metrics over HTTP."""

    shop: Shop
    data: DataPlatform
    client: httpx.AsyncClient
    keys: dict[str, dict[str, str]]

    async def buy(self, caller: Caller, **attributes: object) -> None:
        lines = (checkout.BuyLine(sku="tea", quantity=1),)
        ask = checkout.PlaceOrder(currency="EUR", lines=lines, paid_at_till="cash", attributes=attributes)
        await self.shop.platform.call(checkout.place_order, ask, caller)

    async def joined(self, name: str, **attributes: object) -> UUID:
        identity = member.Identity(kind="email", value=f"{name}@example.org", is_verified=True)
        ask = member.Register(identities=(identity,), attributes=attributes)
        return (await self.shop.platform.call(member.register, ask, self.shop.north)).member_id

    async def land(self) -> None:
        landing = await self.data.lander(self.shop.database).land()
        assert (landing.alerts, landing.quarantined) == ((), {})

    async def ask(self, front_end: str, *metrics: str, **ask: object) -> httpx.Response:
        return await self.client.post("/data/ask", json={"metrics": metrics, **ask}, headers=self.keys[front_end])


@pytest.fixture
async def world(shop: Shop, tmp_path: Path) -> AsyncIterator[World]:
    platform = shop.platform
    platform.release = shipped.build([north(), SOUTH])
    packs, lake = shipped.PACKS, tmp_path / "lake"
    data = open_platform(packs, lake, declared=lambda: app_platform.declared(platform.release))
    gateway = Gateway(platform, Clients(shop.database), TraceStore(shop.database), Readiness(shop.database, []))
    gateway.mount("/data", MetricsService(platform, data, gateway.admit))
    keys = {
        code: {"Authorization": f"Bearer {await auth.create_client(shop.database, code, 'analyst', ('data.ask',))}"}
        for code in ("north", "south")
    }
    transport = httpx.ASGITransport(app=gateway)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield World(shop, data, client, keys)


@pytest.fixture
async def sold(world: World) -> World:
    """Give a world that sold six orders in boxes, six in paper and six of south."""
    for _ in range(6):
        await world.buy(world.shop.north, wrap="box", ribbons=2, note="for Ada")
        await world.buy(world.shop.north, wrap="paper", ribbons=1)
        await world.buy(world.shop.south)
    await world.land()
    return world


async def test_a_front_end_asks_by_what_it_declares_over_http(sold: World) -> None:
    answer = await sold.ask("north", "order.sales", by=[WRAP])
    assert answer.json()["rows"] == [["box", 6000], ["paper", 6000]], answer.text
    where = [{"type": "where", "field": WRAP, "op": "=", "value": "box"}]
    answer = await sold.ask("north", "order.orders", "order.order.attributes.ribbons", where=where)
    assert answer.json()["rows"] == [[6, 12]], answer.text
    answer = await sold.ask("north", "order.orders", by=["order.order.attributes.note"])
    assert answer.json()["receipt"]["masked"] == ["order.order.attributes.note"]
    assert "Ada" not in answer.text


async def test_what_a_key_was_answered_is_computed_again_by_the_name_of_its_policy(sold: World) -> None:
    receipt = (await sold.ask("north", "order.sales", by=[WRAP])).json()["receipt"]
    keys = sold.data.policy(receipt["policy"])
    assert sold.data.metrics.rerun(receipt["id"], {keys.name: keys}).is_same
    with pytest.raises(errors.NotFound, match=r"no policy 'front-end:nroth' \(did you mean 'north'\?\)"):
        sold.data.policy("front-end:nroth")


async def test_another_front_end_neither_sees_it_listed_nor_may_ask_by_it(sold: World) -> None:
    listed = {
        code: (await sold.client.get("/data/metrics", headers=sold.keys[code])).json() for code in ("north", "south")
    }
    own = {one["name"]: (one["kind"], one["values"]) for one in listed["north"]["attributes"]}
    assert own == {
        WRAP: ("text", ["none", "paper", "box"]),
        "order.order.attributes.note": ("text", []),
        "member.membership.attributes.tea": ("text", []),
    }
    assert "order.order.attributes.ribbons" in {one["name"] for one in listed["north"]["metrics"]}
    assert listed["south"]["attributes"] == []
    for code, is_named in (("north", True), ("south", False)):
        said = await sold.client.get("/data/metrics/order.sales", headers=sold.keys[code])
        assert (WRAP in said.json()["by"]) is is_named
    assert "attributes" not in str(listed["south"]["metrics"])
    for ask in ({"by": [WRAP]}, {"where": [{"type": "where", "field": WRAP, "op": "is null"}]}):
        refused = await sold.ask("south", "order.sales", **ask)
        assert (refused.status_code, refused.json()["slug"]) == (404, "data.no-attribute")
    refused = await sold.ask("south", "order.order.attributes.ribbons")
    assert refused.status_code == 404


async def test_a_version_that_is_switched_to_is_asked_at_once_and_the_lake_is_as_it_was(sold: World) -> None:
    snapshot = sold.data.lake.head().name
    sold.shop.platform.release = shipped.build([north(LaterGift), SOUTH])
    answer = await sold.ask("north", "order.orders", by=["order.order.attributes.colour"])
    assert answer.json()["rows"] == [[None, 12]], answer.text
    assert (await sold.ask("north", "order.orders", by=[WRAP])).json()["slug"] == "data.no-attribute"
    assert sold.data.lake.head().name == snapshot


async def test_metrics_of_a_front_end_are_asked_from_the_deploy_on_by_itself_and_by_the_group(sold: World) -> None:
    assert (await sold.ask("north", "north.boxed")).status_code == 404
    sold.shop.platform.release = shipped.build([north(Gift, BOXED, BOXED_SHARE), SOUTH])
    answer = await sold.ask("north", "north.boxed", "north.boxed-share", "order.orders")
    assert answer.json()["rows"] == [[6, 0.5, 12]], answer.text
    every = sold.data.metrics.ask(Ask(metrics=("north.boxed-share", "order.orders")), policy.owner())
    assert [tuple(row.values()) for row in every.rows] == [(0.5, 18)]  # of north's twelve, and not of all
    described = (await sold.client.get("/data/metrics/north.boxed", headers=sold.keys["north"])).json()
    assert (described["metric"]["doc"], described["owner"]) == ("Orders in a box.", "n")
    refused = await sold.ask("south", "north.boxed")
    assert (refused.status_code, refused.json()["slug"]) == (404, "data.unknown-name")
    listed = await sold.client.get("/data/metrics", headers=sold.keys["south"])
    assert "north" not in listed.text


async def test_who_is_erased_leaves_nothing_in_the_lake_of_what_the_front_end_said_of_them(world: World) -> None:
    ada, _ = [await world.joined(name, tea=tea) for name, tea in (("ada", "green"), ("bob", "black"))]
    await world.land()
    by = ("member.membership.attributes.tea",)
    every = Ask(metrics=("member.members",), by=by)
    assert [tuple(row.values()) for row in world.data.metrics.ask(every, policy.owner()).rows] == [
        ("black", 1),
        ("green", 1),
    ]
    await world.shop.platform.call(member.erase, member.Erase(member_id=ada), world.shop.north)
    await world.land()
    await asyncio.to_thread(
        erase, world.data.lake, "member.membership", {"front_end": "north", "member_id": str(ada)}, LONG_AGO
    )
    reader = world.data.lake.newest()
    for table in ("membership", "membership_history"):
        kept = {row["attributes"] for row in reader.read(f"select attributes from member.{table}").to_pylist()}
        assert kept == {"{}", '{"tea": "black"}'}
