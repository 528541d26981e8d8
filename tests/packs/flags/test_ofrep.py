"""Flags over OFREP on a real server: as the protocol writes them, and by the OpenFeature SDK of PyPI as it is."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
from openfeature import api as openfeature
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from isthmus.gateway import auth
from isthmus.gateway.http import App, Gateway
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.gateway.wire.connections import closing
from isthmus.manifest.sites import Door
from isthmus.packs.flags import api
from isthmus.packs.flags.pages.ofrep import BODY_BYTES_MAX, site
from tests.packs.flags.conftest import Desk

ALL = "/ofrep/v1/evaluate/flags"


class Server:
    """A server of flags on a port, and a client with a key of north."""

    def __init__(self, desk: Desk, address: str, key: str, client: httpx.AsyncClient) -> None:
        self.desk = desk
        self.address = address
        self.key = key
        self.client = client

    async def all(self, context: dict[str, Any] | None = None, etag: str = "", query: str = "") -> httpx.Response:
        headers = {"If-None-Match": etag} if etag else {}
        return await self.client.post(f"{ALL}{query}", json={"context": context or {}}, headers=headers)


@asynccontextmanager
async def serving(desk: Desk) -> AsyncIterator[str]:
    """Serve a desk's flags, and give the address."""
    gateway = Gateway(
        desk.platform, auth.Clients(desk.database), TraceStore(desk.database), Readiness(desk.database, (), Path())
    )
    gateway.mount("/ofrep", cast(App, site(desk.platform, Door(admit=gateway.admit, closing=closing))))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(gateway, lifespan="off", log_level="warning"))
    running = asyncio.create_task(server.serve([listening]))
    async with desk.serving():
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        closing().set()
        server.should_exit = True
        await running
        closing().clear()


@pytest.fixture
async def server(desk: Desk) -> AsyncIterator[Server]:
    key = await auth.create_client(desk.database, "north", "app")
    async with serving(desk) as address:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
            yield Server(desk, address, key, client)


async def test_one_flag_is_as_the_protocol_writes_it(server: Server) -> None:
    await server.desk.put("a", metadata={"team": "mobile"}, targeting={"if": [{"var": "is_staff"}, "on"]})
    await server.desk.put("gone", is_enabled=False)
    await server.desk.put("wrong", targeting={"var": "which"})
    answer = await server.client.post(f"{ALL}/a", json={"context": {"targetingKey": "ann", "is_staff": True}})
    assert (answer.status_code, answer.json()) == (
        200,
        {"key": "a", "reason": "TARGETING_MATCH", "variant": "on", "metadata": {"team": "mobile"}, "value": True},
    )
    gone = await server.client.post(f"{ALL}/gone", json={})
    assert (gone.status_code, gone.json()["reason"], "value" in gone.json()) == (200, "DISABLED", False)
    unknown = await server.client.post(f"{ALL}/unknown")
    assert (unknown.status_code, unknown.json()["key"], unknown.json()["errorCode"]) == (
        404,
        "unknown",
        "FLAG_NOT_FOUND",
    )
    wrong = await server.client.post(f"{ALL}/wrong", json={"context": {"which": "none"}})
    assert (wrong.status_code, wrong.json()["errorCode"]) == (400, "GENERAL")


async def test_all_flags_have_an_etag_that_goes_by_what_they_are_for_this_context(server: Server) -> None:
    await server.desk.put("a", targeting={"if": [{"==": [{"var": "plan"}, "pro"]}, "on"]})
    free = await server.all({"targetingKey": "ann", "plan": "free"})
    assert [one["value"] for one in free.json()["flags"]] == [False]
    again = await server.all({"targetingKey": "ann", "plan": "free"}, etag=free.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    pro = await server.all({"targetingKey": "ann", "plan": "pro"}, etag=free.headers["etag"])
    assert (pro.status_code, [one["value"] for one in pro.json()["flags"]]) == (200, [True])
    await server.desk.call(api.kill_flag, api.FlagNamed(key="a"))
    later = await server.all({"plan": "free"}, etag=free.headers["etag"], query='?flagConfigEtag="2"')
    assert (later.status_code, later.json()["metadata"], later.json()["flags"][0]["reason"]) == (
        200, {"version": 2}, "DISABLED",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", 400), (b"[]", 400), (b'{"context": 5}', 400), (b'{"a": "' + b"x" * BODY_BYTES_MAX + b'"}', 400),
     (b'{"context": ' + b"[" * 400, 400), (b"\xff", 400), (b"", 200), (b'{"context": null, "later": 1}', 200)],
)  # fmt: skip
async def test_a_context_that_cannot_be_read_is_refused_as_the_protocol_says(
    server: Server, body: bytes, code: int
) -> None:
    answer = await server.client.post(ALL, content=body)
    assert answer.status_code == code, answer.text
    assert code == 200 or answer.json()["errorCode"] == "INVALID_CONTEXT"


async def test_a_key_says_whose_flags_they_are_and_may_ask_what_its_scopes_say(server: Server) -> None:
    await server.desk.put("a")
    database = server.desk.database
    keys = {
        "south": await auth.create_client(database, "south", "app"),
        "one": await auth.create_client(database, "north", "one", scopes=("flags.evaluate-flag",)),
    }

    async def status(path: str, headers: dict[str, str]) -> int:
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            return (await client.post(path, json={}, headers=headers)).status_code

    assert await status(f"{ALL}/a", {"Authorization": f"Bearer {keys['south']}"}) == 404
    assert await status(f"{ALL}/a", {"X-API-Key": keys["one"]}) == 200
    assert await status(ALL, {"X-API-Key": keys["one"]}) == 403
    assert await status(ALL, {"Authorization": "Bearer none"}) == 401
    assert await status(ALL, {}) == 401
    assert await status("/ofrep/v2/evaluate", {"X-API-Key": keys["one"]}) == 404
    configuration = await server.client.get("/ofrep/v1/configuration")
    assert configuration.json()["capabilities"]["cacheInvalidation"]["polling"]["enabled"] is True


async def test_a_change_is_said_on_the_stream_whose_address_comes_with_the_flags(server: Server) -> None:
    await server.desk.put("a")
    (stream,) = (await server.all()).json()["eventStreams"]
    assert stream["type"] == "sse"
    assert stream["url"].startswith(f"{server.address}/ofrep/v1/events?channel=")
    async with httpx.AsyncClient(timeout=30) as anybody, anybody.stream("GET", stream["url"]) as events:
        assert events.headers["content-type"] == "text/event-stream"
        lines = events.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        await server.desk.put("a", "south")  # another front end's
        await server.desk.put("b")
        said = [line async for line in _until_data(lines)]
        assert said == ["", "id: 2", 'data: {"type": "refetchEvaluation", "etag": "2"}']
    async with httpx.AsyncClient(timeout=30) as anybody:
        missed = {"Last-Event-ID": "1"}
        async with anybody.stream("GET", stream["url"], headers=missed) as events:
            said = [line async for line in _until_data(events.aiter_lines())]
            assert json.loads(said[-1].removeprefix("data: "))["etag"] == "2"
        for wrong in ("", "?channel=x", f"?channel={'0' * 64}"):
            assert (await anybody.get(f"{server.address}/ofrep/v1/events{wrong}")).status_code in (400, 404)


async def _until_data(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if not line.startswith(":"):
            yield line
        if line.startswith("data:"):
            return


async def test_the_sdk_of_openfeature_connects_as_it_is(server: Server) -> None:
    await server.desk.put("a", targeting={"if": [{"sem_ver": [{"var": "version"}, ">=", "2.0.0"]}, "on"]})
    text = {"kind": api.FlagKind.STRING, "variants": {"hi": "Hi"}, "default_variant": "hi"}
    number = {"kind": api.FlagKind.NUMBER, "variants": {"n": 2.5, "i": 7}}
    await server.desk.put("greeting", **text)
    await server.desk.put("rate", **number, default_variant="n")
    await server.desk.put("count", **number, default_variant="i")
    await server.desk.put("grid", kind=api.FlagKind.OBJECT, variants={"w": {"columns": [1, 2]}}, default_variant="w")
    await server.desk.put("off", is_enabled=False)
    await server.desk.put("codes-own", default_variant=None)
    await server.desk.put("wrong", targeting={"var": "version"})

    def ask() -> None:
        provider = OFREPProvider(server.address, headers_factory=lambda: {"Authorization": f"Bearer {server.key}"})
        openfeature.set_provider(provider, "north")
        client = openfeature.get_client("north")
        context = EvaluationContext(targeting_key="ann", attributes={"version": "2.1.0"})
        found = client.get_boolean_details("a", False, context)
        assert (found.value, found.variant, found.reason) == (True, "on", "TARGETING_MATCH")
        assert client.get_string_value("greeting", "none", context) == "Hi"
        assert client.get_float_value("rate", 0.0, context) == 2.5
        assert client.get_integer_value("count", 0, context) == 7
        assert client.get_object_value("grid", {}, context) == {"columns": [1, 2]}
        for default in (True, False):
            off = client.get_boolean_details("off", default, context)
            assert (off.value, off.reason, off.error_code) == (default, "DISABLED", None)
            own = client.get_boolean_details("codes-own", default, context)
            assert (own.value, own.reason, own.error_code) == (default, "DEFAULT", None)
            gone = client.get_boolean_details("gone", default, context)
            assert (gone.value, gone.reason, gone.error_code) == (default, "ERROR", "FLAG_NOT_FOUND")
            wrong = client.get_boolean_details("wrong", default, context)
            assert (wrong.value, wrong.reason, wrong.error_code) == (default, "ERROR", "GENERAL")
            other = client.get_boolean_details("greeting", default, context)
            assert (other.value, other.error_code) == (default, "TYPE_MISMATCH")

    await asyncio.to_thread(ask)
