"""Agents: a real client of the protocol, on a real server, sees and calls what its key allows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

from isthmus.gateway import auth
from isthmus.gateway.http import App, Limits, asgi
from isthmus.gateway.mcp import Agents
from isthmus.gateway.wire.rate import Rate
from isthmus.store import Database

from .conftest import FreshDatabase, gateway_on, prepared, serving

Shop = tuple[str, str, str]


@pytest.fixture(scope="module")
async def for_agents(fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    """Give the address of the shop's endpoint, a key of north, and one that may only show items."""
    async with fresh_database() as url:
        await prepared(url)
        async with await Database.open(url) as database:
            key = await auth.create_client(database, "north", "agent")
            narrow = await auth.create_client(database, "north", "reader", ("shop.show-item",))

        @asynccontextmanager
        async def start() -> AsyncIterator[App]:
            async with await Database.open(url) as database:
                gateway = gateway_on(database, limits=Limits(rate=Rate(per_s=1, burst=60)))
                gateway.mount("/mcp", Agents(gateway.platform, gateway.admit))
                yield gateway

        with serving(asgi(start)) as address:
            yield f"{address}/mcp", key, narrow


@asynccontextmanager
async def session(address: str, key: str) -> AsyncIterator[ClientSession]:
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client,
        streamable_http_client(address, http_client=client) as streams,
        ClientSession(streams[0], streams[1]) as agent,
    ):
        await agent.initialize()
        yield agent


async def test_an_agent_sees_what_its_front_end_may_use_and_its_key_allows(for_agents: Shop) -> None:
    address, key, narrow = for_agents
    async with session(address, key) as agent:
        tools = {one.name: one for one in (await agent.list_tools()).tools}
    assert sorted(tools) == ["shop_show-item", "shop_take-items", "shop_write-note"]
    taking = tools["shop_take-items"]
    assert taking.input_schema["properties"].keys() == {"lines", "idempotency_key"}
    assert taking.output_schema is not None
    assert taking.annotations is not None
    assert taking.annotations.read_only_hint is False
    assert "idempotency_key" not in tools["shop_show-item"].input_schema["properties"]
    async with session(address, narrow) as agent:
        assert [one.name for one in (await agent.list_tools()).tools] == ["shop_show-item"]


async def test_a_tool_answers_as_the_capability_does(for_agents: Shop) -> None:
    address, key, _ = for_agents
    async with session(address, key) as agent:
        shown = await agent.call_tool("shop_show-item", {"sku": "jam", "kind": "presale"})
    assert shown.structured_content == {"sku": "jam", "stock": 20, "price": 80}


async def test_a_key_sent_again_takes_effect_once(for_agents: Shop) -> None:
    address, key, _ = for_agents
    ask: dict[str, Any] = {"lines": [{"sku": "tea", "quantity": 2}], "idempotency_key": "one-purchase"}
    async with session(address, key) as agent:
        answers = await asyncio.gather(*(agent.call_tool("shop_take-items", ask) for _ in range(5)))
        left = await agent.call_tool("shop_show-item", {"sku": "tea"})
    assert len({json.dumps(one.structured_content) for one in answers}) == 1
    assert left.structured_content is not None
    assert left.structured_content["stock"] == 18


@pytest.mark.parametrize(
    ("tool", "ask", "slug", "path"),
    [
        ("shop_show-item", {"sku": "milk"}, "shop.no-such-item", "$.sku"),
        ("shop_show-item", {"skü": "tea"}, "bad-ask", "$.skü"),
        ("shop_wait", {}, "not-permitted", "$"),
        ("shop_nothing", {}, "unknown-capability", "$"),
        ("shop_write-note", {"body": "x", "number": 1, "idempotency_key": 7}, "bad-ask", "$.idempotency_key"),
    ],
)
async def test_a_refusal_is_an_answer_that_says_what_to_do(
    for_agents: Shop, tool: str, ask: dict[str, Any], slug: str, path: str
) -> None:
    address, key, _ = for_agents
    async with session(address, key) as agent:
        refused = await agent.call_tool(tool, ask)
    assert refused.is_error
    said = json.loads(refused.content[0].text)  # pyright: ignore[reportAttributeAccessIssue]
    assert (said["slug"], said["path"]) == (slug, path)
    assert said["remedy"]


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (b"[" * 100_000 + b"]" * 100_000, 400, "gateway.body-too-deep"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":' + b'{"a":' * 90_000, 400,
         "gateway.body-too-deep"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\u0000"}}', 400, "bad-ask"),
    ],
)  # fmt: skip
async def test_a_body_is_bounded_before_the_protocol_reads_it(
    for_agents: Shop, body: bytes, status: int, slug: str
) -> None:
    address, _, narrow = for_agents
    headers = {"Authorization": f"Bearer {narrow}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(headers=headers) as client:
        refused = await client.post(address, content=body, headers={"Accept": "application/json, text/event-stream"})
    assert (refused.status_code, refused.json()["slug"]) == (status, slug)


async def test_a_wrong_key_and_too_many_calls_are_refused_as_over_http(for_agents: Shop) -> None:
    address, _, narrow = for_agents
    async with httpx.AsyncClient() as client:
        refused = await client.post(address, json={}, headers={"Authorization": "Bearer nonsense"})
        assert (refused.status_code, refused.json()["slug"]) == (401, "not-authenticated")
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        headers = {"Authorization": f"Bearer {narrow}", "Accept": "application/json, text/event-stream"}
        answers = await asyncio.gather(*(client.post(address, json=call, headers=headers) for _ in range(80)))
    assert {one.status_code for one in answers} == {200, 429}
