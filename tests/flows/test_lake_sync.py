"""Each platform feeds the other: orders land, metrics are asked over HTTP, segments come back and change a price."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pytest
from msgspec import structs

from isthmus.app import process
from isthmus.app.lake_sync import LakeSync, landed_apart
from isthmus.data.checks import quality
from isthmus.data.errors import UnknownName
from isthmus.data.lake.lake import Lake
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
from isthmus.kernel import FrontEnd, answers, errors
from isthmus.markings import Segment
from isthmus.packs.member import api as member
from isthmus.packs.promotion import api as promotion
from isthmus.store import Outbox
from isthmus.store.relay import Relay
from isthmus.values import Buyer, money
from tests import shipped
from tests.waiting import until

from .conftest import ALL, SOUTH, Shop, in_flight

LAND = process.command("land")
REGULAR = Segment(code="regular", version=1, metric="order.orders", member="order.order.member_id", least=2)


@answers(promotion.extra_benefits)
def a_tenth_for_regulars(
    lines: tuple[promotion.PromotionLine, ...], buyer: Buyer, now: datetime
) -> tuple[promotion.ExtraBenefit, ...]:
    """Take a tenth off for who is in the segment that the lake keeps."""
    if "data:regular" not in buyer.segments:
        return ()
    shares = tuple(
        promotion.ExtraShare(line=at, amount=line.amount.times(Fraction(1, 10))) for at, line in enumerate(lines)
    )
    return (promotion.ExtraBenefit(code="regular", title="Regular", reason="two orders", shares=shares),)


@dataclass(frozen=True, slots=True)
class World:
    """A shop, its data platform, and what keeps the two in step."""

    shop: Shop
    data: DataPlatform
    sync: LakeSync

    async def joined(self, email: str) -> Any:
        identity = member.Identity(kind="email", value=email, is_verified=True)
        ask = member.Register(identities=(identity,))
        return (await self.shop.platform.call(member.register, ask, self.shop.north)).member_id

    async def buy(self, member_id: Any = None) -> checkout.PlacedOrder:
        ask = checkout.PlaceOrder(
            currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),), member_id=member_id, paid_at_till="cash"
        )
        return await self.shop.platform.call(checkout.place_order, ask, self.shop.north)


@pytest.fixture
async def world(shop: Shop, tmp_path: Path) -> World:
    """Give a shop in which regulars pay a tenth less."""
    north = FrontEnd(code="north", name="North", owner="n", uses=ALL, answers=(a_tenth_for_regulars,))
    shop.platform.release = shipped.build([north, SOUTH])
    data = open_platform(shipped.PACKS, tmp_path / "lake")
    sync = LakeSync(shop.platform, shop.database, data, segments=(REGULAR,))
    return World(shop, data, sync)


def asked(world: World, *metrics: str, by: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
    answer = world.data.metrics.ask(Ask(metrics=metrics, by=by), policy.owner())
    return [tuple(row.values()) for row in answer.rows]


async def test_what_was_bought_sorts_its_buyer_and_the_next_price_knows(world: World) -> None:
    ada, bob = await world.joined("ada@example.org"), await world.joined("bob@example.org")
    for member_id in (ada, ada, bob):
        assert (await world.buy(member_id)).bill.total == money(1000, "EUR")
    await world.shop.platform.call(
        member.set_segments, member.SetSegments(member_id=ada, segments=("reseller",)), world.shop.north
    )
    await world.sync.land()
    assert asked(world, "order.orders", "order.sales", by=("front_end",)) == [("north", 3, 3000)]
    learnt = await world.sync.refresh_segments()
    assert (learnt.delivered, learnt.joined, learnt.failures) == (1, 1, ())
    found = await world.shop.platform.call(member.get_member, member.GetMember(member_id=ada), world.shop.north)
    assert found.segments == ("data:regular", "reseller")
    ask = checkout.PreviewOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),), member_id=ada)
    bill = (await world.shop.platform.call(checkout.preview_order, ask, world.shop.north)).bill
    assert [(one.promotion, one.reason) for one in bill.discounts] == [("extra:regular", "two orders")]
    assert (await world.sync.refresh_segments()).delivered == 0


async def test_a_segment_with_a_purpose_has_whom_the_business_knows_to_consent_at_that_moment(world: World) -> None:
    bound = structs.replace(REGULAR, purpose="profiling")
    sync = LakeSync(world.shop.platform, world.shop.database, world.data, segments=(bound,))
    ada, bob = await world.joined("ada@example.org"), await world.joined("bob@example.org")
    for member_id in (ada, ada, bob, bob):
        await world.buy(member_id)
    await world.sync.land()

    async def consents(*purposes: str) -> tuple[str, ...]:
        """Have ada consent to these, and return the segments that she is in then."""
        ask = member.UpdateMember(member_id=ada, consents=purposes)
        await world.shop.platform.call(member.update_member, ask, world.shop.north)
        assert (await sync.refresh_segments()).failures == ()
        asked = member.GetMember(member_id=ada)
        return (await world.shop.platform.call(member.get_member, asked, world.shop.north)).segments

    assert await consents("news") == ()
    assert await consents("news", "profiling") == ("data:regular",)
    assert {one.member for one in sync._segments.members()} == {str(ada)}
    assert await consents("news") == ()


async def test_who_is_erased_in_the_business_is_erased_in_the_lake(world: World) -> None:
    ada = await world.joined("ada@example.org")
    await world.buy(ada)
    await world.sync.land()
    before = world.data.metrics.ask(Ask(metrics=("order.sales",)), policy.owner()).receipt
    assert world.data.metrics.rerun(before.id, world.data.policies).is_same
    async with in_flight(Relay(world.shop.database, world.sync.consumers()).run()):
        await world.shop.platform.call(member.erase, member.Erase(member_id=ada), world.shop.north)

        async def nobody_is_left() -> bool:
            return asked(world, "member.members") == [(0,)]

        await until(nobody_is_left, "that the lake forgets")
    assert world.data.metrics.rerun(before.id, world.data.policies).is_same
    assert asked(world, "order.sales") == [(1000,)]


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the metrics over HTTP, with a key of north."""
    shop = world.shop
    gateway = Gateway(shop.platform, Clients(shop.database), TraceStore(shop.database), Readiness(shop.database, []))
    gateway.mount("/data", MetricsService(shop.platform, world.data, gateway.admit))
    key = await auth.create_client(shop.database, "north", "analyst", ("data.ask",))
    transport = httpx.ASGITransport(app=gateway)  # type: ignore[arg-type]
    async with httpx.AsyncClient(
        transport=transport, base_url="http://shop", headers={"Authorization": f"Bearer {key}"}
    ) as client:
        yield client


async def test_metrics_are_asked_over_http_with_the_same_keys_and_show_ones_own_rows_only(
    world: World, client: httpx.AsyncClient
) -> None:
    for _ in range(6):
        await world.buy()
    south = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),), paid_at_till="cash")
    await world.shop.platform.call(checkout.place_order, south, world.shop.south)
    await world.sync.land()
    question = {"metrics": ["order.sales"], "by": ["front_end"]}
    answer = await client.post("/data/ask", json=question)
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"] == [["north", 6000]]
    receipt = (await client.get(f"/data/receipts/{answer.headers['isthmus-receipt']}")).json()
    assert receipt["policy"] == "front-end:north"
    arrow = await client.post("/data/ask", json=question, headers={"Accept": "application/vnd.apache.arrow.stream"})
    assert pa.ipc.open_stream(arrow.content).read_all().to_pylist() == [{"front_end": "north", "order.sales": 6000}]
    listed = (await client.get("/data/metrics", params={"words": "refunds"})).json()
    assert "order.net-sales" in {one["name"] for one in listed["metrics"]}
    described = (await client.get("/data/metrics/order.net-sales")).json()
    assert described["metric"]["name"] == "order.net-sales"
    assert described["usage"]["asked"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("POST", "/data/ask", {"metrics": ["order.salez"]}, 404, "data.unknown-name"),
        ("POST", "/data/ask", {"metrix": []}, 400, "bad-ask"),
        ("GET", "/data/ask", None, 405, "gateway.method-not-allowed"),
        ("GET", "/data/receipts/0123456789abcdef", None, 404, "not-found"),
        ("GET", "/data/nothing", None, 404, "gateway.no-such-path"),
    ],
)
async def test_a_wrong_question_is_a_problem_document(
    world: World, client: httpx.AsyncClient, method: str, path: str, body: object, status: int, slug: str
) -> None:
    await world.sync.land()
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["slug"]) == (status, slug)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_without_the_scope_may_not_ask(world: World, client: httpx.AsyncClient) -> None:
    for name, scopes in (("till", ("order.*",)), ("shop", None)):
        key = await auth.create_client(world.shop.database, "north", name, scopes)
        answer = await client.post("/data/ask", json={"metrics": []}, headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["slug"]) == (403, "not-permitted")


async def test_small_numbers_are_hidden_over_http(world: World, client: httpx.AsyncClient) -> None:
    await world.buy()
    await world.sync.land()
    answer = await client.post("/data/ask", json={"metrics": ["order.sales"], "by": ["front_end"]})
    assert answer.json()["rows"] in ([["north", None]], [])
    assert answer.json()["receipt"]["hidden_cells"] >= 1


async def test_a_business_gone_silent_is_logged_once_and_last_years_orders_are_not_late(
    world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    sync = LakeSync(world.shop.platform, world.shop.database, world.data, clock=lambda: now)
    rules = [one for one in quality.rules(world.data.model) if one.kind == "freshness"]
    history = quality.History(tmp_path / "history.jsonl")

    async def landed() -> list[str]:
        await sync.land()
        found = quality.examine(rules, world.data.lake.newest(), now, history)
        assert [record.getMessage() for record in caplog.records if record.name == "isthmus.data"] == said
        return [one.examples[0] for one in found if not one.holds and one.rule.startswith("order.order")]

    said: list[str] = []
    assert await landed() == []  # nothing has begun: nothing is late
    await world.buy()
    async with world.shop.database.platform() as session:
        await session.execute("update \"order\".orders set placed_at = placed_at - interval '8 years'")
    assert await landed() == []
    answer = world.data.metrics.ask(Ask(metrics=("order.orders",), is_fresh=True), policy.owner())
    assert (answer.rows, answer.receipt.stale) == ([{"order.orders": 1}], ())
    assert answer.receipt.lag_s is not None
    assert answer.receipt.lag_s > 7 * 365 * 86_400  # how old its rows are is said all the same
    now += timedelta(hours=49)
    quiet = "the newest row of order.order came 49.0 h ago, and may be 48 h"
    kinds = (
        "inventory.movement",
        "ledger.entry",
        "order.order",
        "payment.payment",
    )  # the till took cash: no provider was asked
    await sync.land()
    said = [record.getMessage() for record in caplog.records if record.name == "isthmus.data"]
    assert [next(kind for kind in kinds if kind in one) for one in sorted(said)] == list(kinds)
    assert any(one.startswith("the lake is too old: order.order: the newest row is at most 48 h old") for one in said)
    assert await landed() == [quiet]  # and it is logged once
    assert [one.holds for one in history.all() if one.rule.startswith("order.order")] == [True, True, False]
    now = datetime.now(UTC)
    await world.buy()
    assert await landed() == []


async def test_a_company_says_itself_how_long_it_may_be_quiet(tmp_path: Path) -> None:
    packs = shipped.PACKS
    limits = {"order.order": 4, "payment.leg": 0, "order.return": 720}
    model = open_platform(packs, tmp_path, settings={"fresh_hours": limits}).model
    assert {name: model.entity(name).fresh_hours for name in limits} == limits
    assert model.entity("payment.payment").fresh_hours == 48
    assert model.version == open_platform(packs, tmp_path).model.version  # no number depends on it
    for wrong, said in (({"order.ordr": 4}, "ordr"), ({"order.order": -1}, ">= 0"), ({"order.line": 4}, "no time")):
        with pytest.raises((errors.BadAsk, UnknownName), match=said):
            open_platform(packs, tmp_path, settings={"fresh_hours": wrong})
    with pytest.raises(errors.BadAsk, match="receipts.*count"):
        open_platform(packs, tmp_path, settings={"receipts": {"count": 0}})


async def test_a_landing_that_is_cancelled_ends_and_the_next_one_lands(world: World) -> None:
    await world.joined("ada@example.org")
    for at in range(30):  # at any moment of it: while it connects, copies, writes
        landing = asyncio.create_task(world.sync.land())
        await asyncio.sleep(at / 100)
        landing.cancel()
        await asyncio.wait([landing])
    await world.sync.land()
    assert asked(world, "member.members") == [(1,)]


async def test_a_job_that_keeps_up_lands_what_happened_and_nothing_twice(world: World) -> None:
    first = await world.sync.keep_up()
    assert first is not None
    assert await world.sync.keep_up() is None
    await world.buy()
    again = await world.sync.keep_up()
    assert again is not None
    assert again.changed["order.order"] == 1
    assert await world.sync.keep_up() is None


async def test_a_landing_in_a_process_of_its_own_says_what_it_did(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await world.buy()
    landing = await landed_apart(LAND, world.shop.database.url)
    assert landing.changed["order.order"] == 1
    assert not landing.alerts
    there = open_platform(shipped.PACKS, tmp_path / ".isthmus" / "lake").lake.head()
    assert (there.name, there.position) == (landing.snapshot, await Outbox(world.shop.database).newest())


async def test_a_server_opens_no_lake_of_its_own_to_learn_that_it_is_too_old(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    await world.buy()
    (tmp_path / "isthmus.toml").write_text('[fresh_hours]\n"inventory.movement" = 0.000001\n')
    sync = LakeSync(
        world.shop.platform, world.shop.database, world.data, land=partial(landed_apart, LAND, world.shop.database.url)
    )
    monkeypatch.setattr(Lake, "connect", lambda *_: pytest.fail("the event loop would wait while it opens"))
    landing = await sync.land()
    assert [one.split(":")[0] for one in landing.stale] == ["inventory.movement"]
    assert [record.getMessage() for record in caplog.records if record.name == "isthmus.data"] == [
        f"the lake is too old: {landing.stale[0]}"
    ]


async def test_a_landing_in_a_process_of_its_own_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.Unavailable, match="the database does not answer"):
        await landed_apart(LAND, "postgresql://nobody@127.0.0.1:1/nothing")


async def test_a_landing_in_a_process_of_its_own_ends_with_the_server(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = {child.pid for child in psutil.Process().children()}
    landing = asyncio.create_task(landed_apart(LAND, world.shop.database.url))

    async def look() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if child.pid not in known]

    begun = await until(look, "that its process begins")
    landing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await landing
    assert not any(child.is_running() for child in begun)
