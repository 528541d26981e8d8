"""Screens: what one call shows, what it is without, and that it is never more than its parts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

from isthmus.gateway import auth
from isthmus.gateway.http import Gateway, Limits
from isthmus.gateway.mcp import Agents
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.gateway.wire.rate import Limit, Rate
from isthmus.kernel import Caller, FrontEnd, Outcome, Platform, Registry, Value, errors
from isthmus.kernel.host import compile_front_ends
from isthmus.screens import AskScreen, Gaps, Gone, Part, Screen, screen
from isthmus.store import Database

from .conftest import PACK, SOURCES, Item, ShowItem, TakeItems, Wait, crash, doze, early_price, pay, take_items, wait
from .conftest import show_item as show

Connect = Callable[..., httpx.AsyncClient]


class AskHome(AskScreen):
    """Ask for the shop's first page."""

    sku: str = "tea"
    kind: str = "standard"
    seconds: float = 0
    crashes: bool = False


class Priced(Value):
    """What something costs."""

    price: int


class Home(Screen):
    """The shop's first page."""

    item: Item | None = None
    price: Priced | None = None
    again: Item | None = None
    dozed: Wait | None = None
    slow: Wait | None = None
    bought: Wait | None = None
    broken: Wait | None = None
    news: Wait | None = None


PART_MS = 1_000  # of the slow part of a page: a busy machine answers the others in less


def _item(ask: AskHome) -> ShowItem:
    return ShowItem(sku=ask.sku)


def _again(ask: AskHome, item: Item) -> ShowItem:
    return ShowItem(sku=item.sku, kind="presale")


def _dozed(ask: AskHome, item: Item | None = None) -> Wait:
    return Wait(seconds=item.stock / 10 if item else 5)


def _priced(item: Item) -> Priced:
    return Priced(price=item.price)


HOME: dict[str, Part[Any, Any] | Gone] = {
    "item": Part(show, _item),
    "price": Part(show, _item, shows=_priced),
    "again": Part(show, _again),
    "dozed": Part(doze, _dozed),
    "slow": Part(wait, lambda ask: Wait(seconds=ask.seconds), within_ms=PART_MS),
    "bought": Part(pay, lambda ask: Wait() if ask.crashes else None),
    "broken": Part(crash, lambda ask: Wait() if ask.crashes else None),
    "news": Gone("read the shop's letter"),
}


@screen("west.home", version="1.0", **HOME)
def home(ask: AskHome) -> Home:  # pyright: ignore[reportReturnType]
    """Show the first page."""


class Small(Screen):
    """One item."""

    item: Item | None = None


class Waits(Screen):
    """Five waits."""

    w0: Wait | None = None
    w1: Wait | None = None
    w2: Wait | None = None
    w3: Wait | None = None
    w4: Wait | None = None


@screen("west.small", version="1.0", item=Part(show, _item))
def small(ask: AskHome) -> Small:  # pyright: ignore[reportReturnType]
    """Show one item."""


WEST = FrontEnd(
    code="west",
    name="West",
    owner="w",
    uses=("shop.show-item", "shop.wait", "shop.pay", "shop.doze", "shop.crash"),
    answers=(early_price,),
    capabilities=(home.capability,),
    implementations=(home,),
)
PLAIN = {"item": {"sku": "tea", "stock": 20, "price": 100}, "price": {"price": 100}}


@dataclass(slots=True)
class West:
    """A gateway of the shop with a front end that has a screen, and what was seen of its calls."""

    gateway: Gateway
    database: Database
    seen: list[Outcome]
    gaps: Gaps
    connect: Connect

    async def client(self, *scopes: str, limit: Limit = Limit()) -> httpx.AsyncClient:
        key = await auth.create_client(self.database, "west", "app", scopes or None, limit=limit)
        return self.connect(self.gateway, key)

    def deploy(self, front_end: FrontEnd) -> None:
        platform = self.gateway.platform
        lines, problems = compile_front_ends(platform.release, [front_end])
        assert not problems
        platform.release = platform.release.replacing(*lines)


def west_on(database: Database, connect: Connect, **options: Any) -> West:
    seen, gaps = list[Outcome](), Gaps()
    release = Registry().add(PACK, WEST).freeze()
    platform = Platform(release, database, observe=seen.append, resources={Gaps: gaps})
    readiness = Readiness(database, SOURCES)
    gateway = Gateway(platform, auth.Clients(database), TraceStore(database), readiness, **options)
    return West(gateway, database, seen, gaps, connect)


@pytest.fixture
async def west(shop: Database, connect: Connect) -> West:
    async with shop.platform_transaction() as session:
        await session.execute("insert into shop.item (front_end, sku, stock) values ('west', 'tea', 20)")
    return west_on(shop, connect)


async def ask(client: httpx.AsyncClient, name: str = "west.home", headers: Any = None, **facts: Any) -> httpx.Response:
    return await client.post(f"/v1/{name}", json=facts, headers=headers)


async def shown(client: httpx.AsyncClient, **facts: Any) -> dict[str, Any]:
    response = await ask(client, **facts)
    assert response.status_code == 200, response.text
    return response.json()


def missing(found: dict[str, Any]) -> dict[str, str]:
    return {one["part"]: one["slug"] for one in found["missing"]}


async def test_one_call_shows_all_parts_each_as_its_own_call_answers(west: West) -> None:
    client = await west.client()
    found = await shown(client)
    single = (await client.post("/v1/shop.show-item", json={"sku": "tea"})).json()
    presale = (await client.post("/v1/shop.show-item", json={"sku": "tea", "kind": "presale"})).json()
    assert (found["item"], found["again"], found["missing"]) == (single, presale, [])
    assert found["price"] == {"price": 100}
    assert found["dozed"] == {"seconds": 2.0}, "it was asked with what another part answered"
    assert (found["bought"], found["broken"], found["news"]) == (None, None, None)


async def test_each_part_is_a_call_of_its_own_in_its_own_box(west: West) -> None:
    await shown(await west.client())
    boxes = {(one.capability, one.box) for one in west.seen}
    assert ("shop.show-item", "west") in boxes
    assert ("shop.show-item", "west?kind=presale") in boxes
    assert {one.client for one in west.seen} == {"app"}
    assert [one.capability for one in west.seen].count("shop.show-item") == 3
    assert west.seen[-1].capability == "west.home"


async def test_parts_run_at_once(west: West) -> None:
    @screen("west.waits", version="1.0", **{f"w{n}": Part(wait, lambda _: Wait(seconds=0.2)) for n in range(5)})
    def waits(ask: AskHome) -> Waits:  # pyright: ignore[reportReturnType]
        """Wait five times."""

    west.deploy(replace(WEST, capabilities=(waits.capability,), implementations=(waits,)))
    client = await west.client()
    began = time.monotonic()
    assert (await ask(client, "west.waits")).json()["w4"] == {"seconds": 0.2}
    assert time.monotonic() - began < 0.6, "one after the other they take a second"


async def test_a_part_that_is_slow_is_left_out_and_said_so(west: West) -> None:
    began = time.monotonic()
    found = await shown(await west.client(), seconds=8)
    assert time.monotonic() - began < 4
    assert missing(found) == {"slow": "deadline-exceeded"}
    assert f"had no answer within {PART_MS} ms" in found["missing"][0]["detail"]
    assert {name: found[name] for name in PLAIN} == PLAIN


async def test_who_has_less_time_gets_what_came_by_then(west: West) -> None:
    headers = {"Isthmus-Deadline-Ms": "1500"}  # enough for all other parts on a busy machine
    response = await ask(await west.client(), headers=headers, seconds=20)
    assert response.status_code == 200
    assert missing(response.json()) == {"slow": "deadline-exceeded"}


async def test_parts_that_fail_are_told_without_what_is_nobodys_business(west: West) -> None:
    found = await shown(await west.client(), crashes=True)
    assert missing(found) == {"bought": "shop.till-down", "broken": "fault"}
    assert "secret-of-the-shop" not in str(found)
    assert "till 3" not in str(found)
    assert {name: found[name] for name in PLAIN} == PLAIN


async def test_what_a_missing_part_was_needed_for_is_missing_too_and_says_for_want_of_what(west: West) -> None:
    found = await shown(await west.client(), sku="lost")
    assert missing(found) == {"item": "shop.no-such-item", "price": "shop.no-such-item", "again": "part-missing"}
    by_part = {one["part"]: one for one in found["missing"]}
    assert "'item'" in by_part["again"]["detail"]
    assert by_part["item"]["remedy"] == "ask for one of the shelf"
    assert found["dozed"] == {"seconds": 5.0}, "it can do without"


async def test_a_screen_shows_no_more_than_its_caller_could_ask_for(west: West) -> None:
    client = await west.client("west.home", "shop.doze")
    found = await shown(client)
    assert missing(found) == dict.fromkeys(("item", "price", "slow"), "not-permitted") | {"again": "part-missing"}
    single = await client.post("/v1/shop.show-item", json={"sku": "tea"})
    assert (single.status_code, single.json()["slug"]) == (403, "not-permitted")


async def test_what_the_front_end_does_not_use_its_screen_does_not_show(west: West) -> None:
    west.deploy(replace(WEST, uses=("shop.doze", "shop.wait")))
    found = await shown(await west.client())
    assert missing(found)["item"] == "not-permitted"
    assert "does not use 'shop.show-item'" in found["missing"][0]["detail"]


async def test_a_policy_forbids_a_part_as_it_forbids_its_call(west: West) -> None:
    class Guard:
        async def check(self, caller: Any, capability: Any, settings: Any, ask: Any = None) -> str:
            if capability.name == "shop.doze":
                raise errors.NotPermitted("nobody dozes", remedy="stay awake")
            return ""

    west.gateway.platform.guard = Guard()
    assert missing(await shown(await west.client())) == {"dozed": "not-permitted"}


async def test_only_what_is_selected_is_asked_for_with_what_it_needs(west: West) -> None:
    found = await shown(await west.client(), fields=["again"])
    assert (found["item"], found["price"], found["again"]["sku"]) == (None, None, "tea")
    assert [one.capability for one in west.seen] == ["shop.show-item", "shop.show-item", "west.home"]


async def test_an_unknown_field_is_refused_with_the_nearest(west: West) -> None:
    response = await ask(await west.client(), fields=["item", "prise"])
    problem = response.json()
    assert (response.status_code, problem["slug"], problem["path"]) == (400, "bad-ask", "$.fields[1]")
    assert "did you mean 'price'?" in problem["detail"]


async def test_an_older_app_that_asks_for_a_part_that_is_gone_gets_the_rest(west: West) -> None:
    found = await shown(await west.client(), fields=["price", "news"])
    assert found["price"] == {"price": 100}
    assert missing(found) == {"news": "part-gone"}
    assert found["missing"][0]["remedy"] == "read the shop's letter"


async def test_a_screen_deployed_meanwhile_does_not_change_one_that_is_asked(west: West) -> None:
    client = await west.client()
    asking = asyncio.create_task(shown(client, seconds=0.2))
    await asyncio.sleep(0.05)
    west.deploy(replace(WEST, answers=(), capabilities=(small.capability,), implementations=(small,)))
    found = await asking
    assert found["missing"] == []
    assert found["again"]["price"] == 100
    assert (await ask(client)).status_code == 404
    assert (await ask(client, "west.small")).json()["item"]["sku"] == "tea"


async def test_an_answer_is_kept_by_its_tag_until_it_changes_for_its_asker_alone(west: West) -> None:
    client = await west.client()
    first = await ask(client, fields=["item"])
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "authorization"
    again = await ask(client, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'}, fields=["item"])
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-length" not in again.headers
    other = await ask(await west.client("west.home"), headers={"If-None-Match": first.headers["etag"]}, fields=["item"])
    assert (other.status_code, missing(other.json())) == (200, {"item": "not-permitted"})
    async with west.database.platform_transaction() as session:
        await session.execute("update shop.item set stock = 19 where front_end = 'west'")
    changed = await ask(client, headers={"If-None-Match": first.headers["etag"]}, fields=["item"])
    assert (changed.status_code, changed.json()["item"]["stock"]) == (200, 19)
    single = await client.post("/v1/shop.show-item", json={"sku": "tea"})
    assert single.headers["cache-control"] == "no-store"


async def test_a_screen_takes_as_many_calls_from_the_rate_as_it_has_parts(west: West, connect: Connect) -> None:
    limited = west_on(west.database, connect, limits=Limits(rate=Rate(per_s=0.001, burst=10)))
    client = await limited.client()
    assert (await ask(client)).headers["ratelimit"].startswith('"client";r=3;')
    assert (await ask(client)).status_code == 200
    refused = await ask(client, fields=["item"])
    assert (refused.status_code, refused.json()["slug"]) == (429, "gateway.rate-exceeded")
    assert refused.headers["ratelimit"].startswith('"client";r=0;')


async def test_a_screen_of_more_parts_than_a_key_may_call_at_once_is_asked_alone(west: West) -> None:
    client = await west.client(limit=Limit(at_once=3))
    first = asyncio.create_task(ask(client, seconds=0.2))
    await asyncio.sleep(0.05)
    second = await client.post("/v1/shop.doze", json={})
    assert (await first).status_code == 200
    assert (second.status_code, second.json()["slug"]) == (429, "gateway.rate-exceeded")
    assert (await client.post("/v1/shop.doze", json={})).status_code == 200


async def test_what_was_missing_is_counted_by_screen_and_reason(west: West) -> None:
    client = await west.client()
    for _ in range(2):
        await shown(client, sku="lost", fields=["price"])
    assert west.gaps.take() == {("west", "west.home", "price", "shop.no-such-item"): 2}
    assert west.gaps.take() == {}


async def test_the_trace_of_a_screen_has_its_parts(west: West) -> None:
    client = await west.client()
    response = await ask(client, headers={"Isthmus-Explain": "true"}, fields=["again"])
    trace = (await client.get(f"/v1/calls/{response.headers['isthmus-call']}")).json()
    assert [one["capability"] for one in trace["parts"]] == ["shop.show-item", "shop.show-item"]


async def test_the_api_document_has_a_screen_as_any_capability_and_its_tag(west: West) -> None:
    document = (await (await west.client()).get("/v1/openapi.json")).json()
    operation = document["paths"]["/v1/west.home"]["post"]
    assert "304" in operation["responses"]
    assert {"$ref": "#/components/parameters/IfNoneMatch"} in operation["parameters"]
    assert "ETag" in operation["responses"]["200"]["headers"]
    assert "304" not in document["paths"]["/v1/shop.doze"]["post"]["responses"]
    assert document["components"]["schemas"]["Home"]["properties"]["missing"]["items"]["$ref"].endswith("Missing")


async def test_agents_have_a_screen_as_a_tool_that_takes_as_many_calls(west: West, connect: Connect) -> None:
    limited = west_on(west.database, connect, limits=Limits(rate=Rate(per_s=0.001, burst=20)))
    limited.gateway.mount("/mcp", Agents(limited.gateway.platform, limited.gateway.admit))
    client = await limited.client()
    async with (
        streamable_http_client("http://shop/mcp", http_client=client) as streams,
        ClientSession(*streams) as agent,
    ):
        await agent.initialize()
        tools = {one.name: one for one in (await agent.list_tools()).tools}
        assert tools["west_home"].description == "Show the first page."
        shown = await agent.call_tool("west_home", {"fields": ["price"]})
        assert shown.structured_content == {**dict.fromkeys(HOME), "missing": [], "price": {"price": 100}}
    left = (await ask(client, "shop.doze")).headers["ratelimit"]
    assert int(left.partition("r=")[2].partition(";")[0]) < 20 - 7 - 3


async def test_who_goes_away_leaves_no_part_running(west: West) -> None:
    caller = Caller(front_end="west", client="app")
    asking = asyncio.create_task(west.gateway.platform.call(home.capability, AskHome(seconds=4), caller))
    await asyncio.sleep(0.05)
    parts = [one for one in asyncio.all_tasks() if "_asked" in str(one.get_coro())]
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert parts
    assert all(one.done() for one in parts)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"item": Part(take_items, lambda _: TakeItems(lines=()))}, "'shop.take-items' as 'item', which writes"),
        ({}, "has 'item' in its answer only"),
        ({"item": Part(show, _item), "more": Part(show, _item)}, "has 'more' in its parts only"),
        ({"item": Part(wait, lambda _: Wait())}, "declare it `Wait | None`, or say what it shows"),
        ({"item": Part(show, lambda ask, tea: None)}, "with 'tea', which is none of its parts"),
        ({"item": Part(show, lambda ask, item: None)}, "wait for each other: item, item"),
        ({"item": Part(show, _item, within_ms=9_000)}, "waits up to 9000 ms for its parts, and has 5000 ms"),
    ],
)
def test_a_screen_that_does_not_fit_together_is_refused_where_it_is_declared(
    parts: dict[str, Part[Any, Any]], said: str
) -> None:
    def wrong(ask: AskHome) -> Small:  # pyright: ignore[reportReturnType]
        """Be wrong."""

    with pytest.raises(TypeError) as refused:
        screen("west.wrong", version="1.0", **parts)(wrong)
    assert said in str(refused.value)
    assert "test_screens.py:" in str(refused.value)


def test_a_screen_has_the_types_of_a_screen() -> None:
    def wrong(ask: ShowItem) -> Item:  # pyright: ignore[reportReturnType]
        """Be wrong."""

    with pytest.raises(TypeError, match=r"write `class ShowItem\(AskScreen\)`; .*write `class Item\(Screen\)`"):
        screen("west.wrong", version="1.0")(wrong)
