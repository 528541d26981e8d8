"""Why a call was answered as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest

from isthmus.gateway import auth
from isthmus.gateway.http import Gateway
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.gateway.wire.to_json import plain
from isthmus.kernel import PASS
from isthmus.kernel.host import Trace
from isthmus.store import Database

EXPLAIN = {"Isthmus-Explain": "true"}
Connect = Callable[..., httpx.AsyncClient]


async def test_a_told_call_says_who_answered_what_and_by_which_rule(north: httpx.AsyncClient) -> None:
    called = await north.post("/v1/shop.show-item", json={"sku": "tea", "kind": "presale"}, headers=EXPLAIN)
    trace = (await north.get(f"/v1/calls/{called.headers['isthmus-call']}")).json()
    assert trace["call_id"] == called.headers["isthmus-call"]
    assert (trace["capability"], trace["front_end"], trace["box"]) == ("shop.show-item", "north", "north?kind=presale")
    assert trace["ask"] == {"sku": "tea", "kind": "presale"}
    assert trace["answer"] == {"sku": "tea", "stock": 20, "price": 100}
    (asked,) = trace["asked"]
    assert (asked["point"], asked["rule"], asked["arguments"]) == ("shop.set-price", "first_answer", ["tea"])
    assert [(said["by"], said["value"]) for said in asked["said"]] == [("north.early_price", "PASS"), ("default", 100)]
    assert asked["result"] == 100


async def test_a_refused_call_has_a_story_too(north: httpx.AsyncClient) -> None:
    refused = await north.post("/v1/shop.show-item", json={"sku": "gold"}, headers=EXPLAIN)
    trace = (await north.get(f"/v1/calls/{refused.json()['call']}")).json()
    assert trace["error"].startswith("shop.no-such-item: no item 'gold'")


async def test_a_call_that_nobody_asked_to_explain_has_no_story(north: httpx.AsyncClient) -> None:
    called = await north.post("/v1/shop.show-item", json={"sku": "tea"})
    response = await north.get(f"/v1/calls/{called.headers['isthmus-call']}")
    assert (response.status_code, response.json()["slug"]) == (404, "gateway.no-such-story")
    assert (await north.get("/v1/calls/not-an-id")).status_code == 404


async def test_the_reason_of_a_failure_is_kept_for_its_front_end_alone_though_nobody_asked_to_explain(
    north: httpx.AsyncClient, south: httpx.AsyncClient
) -> None:
    failed = await south.post("/v1/shop.crash", json={})
    assert failed.status_code == 500
    assert "secret-of-the-shop" not in failed.text
    path = f"/v1/calls/{failed.json()['call']}"
    assert path in failed.json()["remedy"]
    trace = (await south.get(path)).json()
    assert trace["error"].startswith("fault: 'shop.crash' failed with RuntimeError('secret-of-the-shop')")
    assert re.search(r"look at /\S+/\w+\.py:\d+", trace["error"]), "the line that raised"
    assert (trace["capability"], trace["ask"]) == ("shop.crash", None)
    assert (await north.get(path)).status_code == 404


async def test_a_story_is_for_its_front_end_and_for_clients_who_may_make_the_call(
    gateway: Gateway, shop: Database, north: httpx.AsyncClient, south: httpx.AsyncClient, connect: Connect
) -> None:
    called = await north.post("/v1/shop.show-item", json={"sku": "tea"}, headers=EXPLAIN)
    path = f"/v1/calls/{called.headers['isthmus-call']}"
    limited = connect(gateway, await auth.create_client(shop, "north", "taker", ["shop.take-items"]))
    colleague = connect(gateway, await auth.create_client(shop, "north", "reader", ["shop.*"]))
    assert [(await client.get(path)).status_code for client in (south, limited, colleague)] == [404, 404, 200]


async def test_the_newest_stories_of_a_front_end_are_kept(shop: Database) -> None:
    traces = TraceStore(shop, kept=2)
    for number in range(4):
        for place, front_end in enumerate(("north", "south")):
            await traces.keep(trace(f"00000000-0000-7000-8000-0000000000{place}{number}", front_end))
    async with shop.platform() as session:
        rows = await session.fetch("select front_end, count(*) as kept from gateway.story group by 1 order by 1")
    assert [(row["front_end"], row["kept"]) for row in rows] == [("north", 2), ("south", 2)]


async def test_a_story_that_cannot_be_kept_does_not_take_the_answer_away(
    north: httpx.AsyncClient, shop: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with shop.platform() as session:
        await session.execute("drop table gateway.story")
    taken = await north.post("/v1/shop.take-items", json={"lines": [{"sku": "tea", "quantity": 1}]}, headers=EXPLAIN)
    assert taken.status_code == 200
    assert "is lost" in caplog.text


def test_every_value_has_a_plain_form() -> None:
    @dataclass
    class Thing:
        at: datetime
        inner: object

    endless: list[object] = []
    endless.append(endless)
    found = plain(Thing(datetime(2026, 1, 2, tzinfo=UTC), {("a", 1): {1}, None: PASS, 2: ValueError("bad")}))
    assert found == {"at": "2026-01-02T00:00:00Z", "inner": {"('a', 1)": [1], "None": "PASS", "2": "ValueError: bad"}}
    assert "…" in str(plain(endless))
    assert plain(lambda: 0).startswith("<function")


def trace(call_id: str, front_end: str) -> Trace:
    return Trace(call_id, "shop.show-item", "1.0", front_end, front_end, "", {}, "")
