"""Who may call: keys, scopes, revocation, rate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from isthmus.gateway import auth, listed
from isthmus.gateway.events import EventService
from isthmus.gateway.http import Gateway, Limits
from isthmus.gateway.mcp import Agents
from isthmus.gateway.metrics import MetricsService
from isthmus.gateway.telemetry.prometheus import MetricsPage
from isthmus.gateway.wire.rate import Bucket, Limit, Rate
from isthmus.kernel import errors
from isthmus.store import Database

Connect = Callable[..., httpx.AsyncClient]
SHOW = ("/v1/shop.show-item", {"sku": "tea"})


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_is_kept_as_a_hash_only(shop: Database) -> None:
    key = await auth.create_client(shop, "north", "till")
    async with shop.platform() as session:
        rows = await session.fetch("select client::text as everything from gateway.client as client")
    assert key.startswith("isth_")
    assert len(key) == 48
    assert key.removeprefix("isth_") not in str([row["everything"] for row in rows])


async def test_no_call_can_read_the_clients(shop: Database) -> None:
    session = shop.read("north")
    try:
        with pytest.raises(errors.Fault, match="does not let packs"):
            await session.fetch("select * from gateway.client")
    finally:
        await session.close()


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Basic aXN0aA==", "Bearer isth_short", "Bearer isth_" + "x" * 43]
)
async def test_without_a_valid_key_nobody_is_let_in(
    gateway: Gateway, connect: Connect, authorization: str | None
) -> None:
    client = connect(gateway)
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in (("POST", "/v1/shop.show-item"), ("GET", "/v1/openapi.json"), ("GET", "/v1/calls/1")):
        response = await client.request(method, path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="isthmus"'
        assert (response.json()["slug"], response.json()["path"]) == ("not-authenticated", "Authorization")


async def test_only_the_key_decides_the_front_end(north: httpx.AsyncClient, south: httpx.AsyncClient) -> None:
    await north.post("/v1/shop.take-items", json={"lines": [{"sku": "tea", "quantity": 5}]})
    headers = {"X-Front-End": "north", "Front-End": "north"}
    answers = [(await client.post(SHOW[0], json=SHOW[1], headers=headers)).json() for client in (north, south)]
    assert [answer["stock"] for answer in answers] == [15, 20]


async def test_a_key_for_a_front_end_that_is_not_deployed_says_so(
    gateway: Gateway, shop: Database, connect: Connect
) -> None:
    client = connect(gateway, await auth.create_client(shop, "west", "till"))
    response = await client.post(SHOW[0], json=SHOW[1])
    assert (response.status_code, response.json()["slug"]) == (403, "not-permitted")
    assert (await client.get("/v1/openapi.json")).status_code == 403


async def test_scopes_limit_a_client(gateway: Gateway, shop: Database, connect: Connect) -> None:
    reader = connect(gateway, await auth.create_client(shop, "north", "reader", ["shop.show-item"]))
    assert (await reader.post(SHOW[0], json=SHOW[1])).status_code == 200
    refused = await reader.post("/v1/shop.take-items", json={"lines": []})
    assert (refused.status_code, refused.json()["slug"]) == (403, "not-permitted")
    nothing = connect(gateway, await auth.create_client(shop, "north", "nothing", []))
    assert (await nothing.post(SHOW[0], json=SHOW[1])).status_code == 403


@pytest.mark.parametrize(("name", "scopes"), [("", None), (" ", None), ("a\0b", None), ("a", ["*"]), ("a", ["Shop"])])
async def test_a_client_that_cannot_be_is_refused(shop: Database, name: str, scopes: list[str] | None) -> None:
    with pytest.raises(auth.WrongClient):
        await auth.create_client(shop, "north", name, scopes)


async def test_a_revoked_key_stops_within_seconds(shop: Database) -> None:
    clock = Hands()
    clients = auth.Clients(shop, clock=clock)
    keys = [await auth.create_client(shop, "north", "till") for _ in range(2)]
    headers = [f"Bearer {key}".encode() for key in keys]
    assert {(await clients.of(header)).name for header in headers} == {"till"}
    assert await auth.revoke_client(shop, "north", "till") == 2
    assert await auth.revoke_client(shop, "north", "till") == 0
    clock.now += auth.TRUSTED_S
    for header in headers:
        with pytest.raises(errors.NotAuthenticated):
            await clients.of(header)
    assert [one.revoked_at is not None for one in await listed.list_clients(shop)] == [True, True]


async def test_many_requests_with_one_new_key_ask_the_database_once(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    platform = shop.platform
    monkeypatch.setattr(shop, "platform", lambda: asked.append(1) or platform())
    clients = auth.Clients(shop)
    header = f"Bearer {await auth.create_client(shop, 'north', 'till')}".encode()
    asked.clear()
    await asyncio.gather(*(clients.of(header) for _ in range(50)))
    assert len(asked) == 1


async def test_guessing_keys_is_slowed_down_and_known_clients_go_on(shop: Database) -> None:
    clock = Hands()
    clients = auth.Clients(shop, clock=clock)
    header = f"Bearer {await auth.create_client(shop, 'north', 'till')}".encode()
    await clients.of(header)
    for number in range(auth.UNKNOWN_KEYS.burst - 1):
        with pytest.raises(errors.NotAuthenticated):
            await clients.of(b"Bearer isth_%043d" % number)
    with pytest.raises(errors.TooMany):
        await clients.of(b"Bearer isth_" + b"z" * 43)
    clock.now += auth.TRUSTED_S
    assert (await clients.of(header)).name == "till"


async def test_a_client_over_its_rate_is_told_when_to_come_again(
    shop: Database, make_gateway: Callable[..., Gateway], connect: Connect
) -> None:
    clock = Hands()
    gateway = make_gateway(shop, limits=Limits(rate=Rate(per_s=0.5, burst=2)), clock=clock)
    keys = [await auth.create_client(shop, "north", name) for name in ("till", "till", "other")]
    first, second, other = (connect(gateway, key) for key in keys)
    answers = [await client.post(SHOW[0], json=SHOW[1]) for client in (first, second, first, other)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]  # two keys of one client share
    assert answers[0].headers["ratelimit-policy"] == '"client";q=2;w=4'
    assert answers[0].headers["ratelimit"] == '"client";r=1;t=2'
    assert answers[2].headers["ratelimit"] == '"client";r=0;t=4'
    assert (answers[2].headers["retry-after"], answers[2].json()["retry_after_s"]) == ("2", 2)
    clock.now += 2
    assert (await first.post(SHOW[0], json=SHOW[1])).status_code == 200


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    bucket = Bucket(Rate(per_s=2, burst=3), now=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_s == 1
    assert [bucket.take(0.6), bucket.take(0.6)] == [True, False]
    assert bucket.field == b'"client";r=0;t=2'
    bucket.take(100)
    assert bucket.field == b'"client";r=2;t=1'


async def test_a_key_that_has_ended_is_none_and_one_that_is_rotated_works_for_the_overlap(shop: Database) -> None:
    clock = Hands()
    clients = auth.Clients(shop, clock=clock)
    old = await auth.create_client(shop, "north", "till", ["shop.*"], lasts=timedelta(days=30))
    new = await auth.rotate_client(shop, "north", "till", overlap=timedelta(hours=1))
    for key in (old, new):
        assert (await clients.of(f"Bearer {key}".encode())).scopes == ("shop.*",)
    async with shop.platform() as session:
        await session.execute("update gateway.client set expires_at = expires_at - interval '61 minutes'")
    clock.now += auth.TRUSTED_S + 1
    with pytest.raises(errors.NotAuthenticated):
        await clients.of(f"Bearer {old}".encode())
    assert (await clients.of(f"Bearer {new}".encode())).name == "till"
    newest = max(await listed.list_clients(shop), key=lambda one: one.created_at)
    assert newest.used_at is not None
    assert newest.expires_at is None
    await auth.revoke_client(shop, "north", "till")
    with pytest.raises(auth.WrongClient, match="no key that stands"):
        await auth.rotate_client(shop, "north", "till", overlap=timedelta())


@pytest.mark.parametrize("days", [0, -1, 4_000])
async def test_a_key_lasts_for_some_time_or_for_good(shop: Database, days: int) -> None:
    with pytest.raises(auth.WrongClient, match="a key that lasts"):
        await auth.create_client(shop, "north", "till", lasts=timedelta(days=days))


async def test_a_key_that_ends_in_a_moment_is_trusted_no_longer(shop: Database) -> None:
    clock = Hands()
    clients = auth.Clients(shop, clock=clock)
    key = await auth.create_client(shop, "north", "till", lasts=timedelta(seconds=1))
    assert (await clients.of(f"Bearer {key}".encode())).until <= clock.now + 1


async def test_a_key_has_limits_of_its_own(
    shop: Database, make_gateway: Callable[..., Gateway], connect: Connect
) -> None:
    clock = Hands()
    gateway = make_gateway(shop, clock=clock)
    limit = Limit(per_second=1, at_once=3)
    narrow = await auth.create_client(shop, "north", "narrow", limit=limit)
    wide = await auth.create_client(shop, "north", "wide")
    client = connect(gateway)

    async def ask(key: str) -> int:
        reply = await client.post(SHOW[0], json=SHOW[1], headers={"Authorization": f"Bearer {key}"})
        return reply.status_code

    assert [await ask(narrow) for _ in range(3)] == [200, 200, 429]
    assert await ask(wide) == 200
    clock.now += 1
    assert await ask(narrow) == 200
    rotated = await auth.rotate_client(shop, "north", "narrow", overlap=timedelta())
    assert await ask(rotated) == 429, "a new key has the limits of the one before, and what is left of them"
    assert {one.limit for one in await listed.list_clients(shop) if one.name == "narrow"} == {limit}


@pytest.mark.parametrize("limit", [Limit(per_second=0), Limit(per_second=-1), Limit(at_once=0)])
async def test_a_key_that_may_call_nothing_is_not_made(shop: Database, limit: Limit) -> None:
    with pytest.raises(auth.WrongClient, match="may call nothing"):
        await auth.create_client(shop, "north", "none", limit=limit)


async def test_a_key_of_a_part_calls_as_that_part_and_does_nothing_else(shop: Database) -> None:
    key = await auth.create_client(shop, "north", "erp", part="seller/17")
    later = await auth.rotate_client(shop, "north", "erp", overlap=timedelta(hours=1))
    clients = auth.Clients(shop)
    for header in (f"Bearer {one}".encode() for one in (key, later)):
        with pytest.raises(errors.NotPermitted, match="calls capabilities alone"):  # nothing here holds it to the part
            await clients.of(header, "shop.show-item")
        clients.confines = True
        found = await clients.of(header, "shop.show-item")
        assert found.caller("http", {}).relations == ("operator seller/17",)
        for _ in range(2):  # looked up, and remembered
            with pytest.raises(errors.NotPermitted, match="'erp' is of a part of 'north'"):
                await clients.of(header)
        clients.confines = False
    assert {one.part for one in await listed.list_clients(shop)} == {"seller/17"}


async def test_a_key_of_a_part_reads_no_page_no_events_and_no_figures(
    gateway: Gateway, shop: Database, connect: Connect
) -> None:
    mine = connect(gateway, await auth.create_client(shop, "north", "erp", part="seller/17"))
    for path in ("/v1", "/v1/openapi.json", "/v1/traces/1", "/v1/shop.show-item"):
        assert (await mine.get(path)).status_code in (403, 404, 405), path
    assert (await mine.post("/v1/shop.show-item", json={"sku": "tea"})).status_code == 403  # no policies here


@pytest.mark.parametrize("path", ["/mcp", "/v1/events", "/v1/events/stream", "/data/metrics", "/data/ask", "/metrics"])
async def test_a_key_of_a_part_is_refused_clearly_by_all_that_is_no_call_though_calls_are_walled(
    gateway: Gateway, shop: Database, connect: Connect, path: str
) -> None:
    gateway._clients.confines = True
    nothing: Any = None
    for prefix, service in (
        ("/mcp", Agents(gateway.platform, gateway.admit)),
        ("/v1/events", EventService(gateway.platform, shop, gateway.admit, nothing)),
        ("/data", MetricsService(gateway.platform, nothing, gateway.admit)),
        ("/metrics", MetricsPage(gateway.platform, shop, gateway.admit, nothing)),
    ):
        gateway.mount(prefix, service)
    mine = connect(gateway, await auth.create_client(shop, "north", "erp", part="seller/17"))
    answer = await mine.get(path)
    assert answer.status_code == 403
    assert "client 'erp' is of a part of 'north' and calls capabilities alone" in answer.json()["detail"]
    assert "take a key of the whole front end" in answer.json()["remedy"]
    assert (await mine.post(path, json={})).status_code in (403, 404)


@pytest.mark.parametrize(
    ("part", "role"),
    [
        ("seller", None),
        ("seller/", None),
        ("seller/1 seller/2", None),
        ("seller/'1", None),
        ("seller/1", "support"),
        ("", None),
    ],
)
async def test_a_key_is_of_one_part_or_of_none(shop: Database, part: str, role: str | None) -> None:
    with pytest.raises(auth.WrongClient, match="no part for a key"):
        await auth.create_client(shop, "north", "erp", part=part, role=role)
