"""What a front end is told of by events, its API clients cannot claim: over HTTP, MCP and in the document."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from isthmus.app import platform as app_platform
from isthmus.gateway import auth
from isthmus.gateway.http import App, Gateway, asgi
from isthmus.gateway.mcp import Agents
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.kernel import Caller, errors
from isthmus.kernel.host import compile_front_ends
from isthmus.runtime.deploy.canary import beside
from isthmus.store import Database
from tests import shipped
from tests.runtime import own_line

from .conftest import serving
from .test_mcp import session

FORGED = {"subject": "p1"}


@pytest.fixture
async def served(database: Database) -> AsyncIterator[tuple[str, str]]:
    """Give the address of a server of two front ends with subscriptions, and a key of north."""

    @asynccontextmanager
    async def start() -> AsyncGenerator[App]:
        async with await Database.open(database.url) as own:
            platform = await own_line.platform_of(own)
            gateway = Gateway(
                platform,
                auth.Clients(own),
                TraceStore(own),
                Readiness(own, app_platform.migration_sources(shipped.PACKS)),
                mounts={},
            )
            gateway.mount("/mcp", Agents(platform, gateway.admit))
            yield gateway

    key = await auth.create_client(database, "north", "subscription")  # called as the platform's own client is
    with serving(asgi(start)) as address:
        yield address, key


async def test_a_client_cannot_call_what_is_called_with_events(served: tuple[str, str]) -> None:
    address, key = served
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {key}"}) as client:
        for name in ("north.remember", "north.send-off"):
            refused = await client.post(f"/v1/{name}", json=FORGED, headers={"Idempotency-Key": f"subscription/{name}"})
            assert refused.status_code == 403, refused.text
            assert refused.json()["detail"] == f"'{name}' is called by events or flows only"
        assert (await client.post("/v1/north.pack", json=FORGED)).status_code == 200
        assert (await client.post("/v1/north.notes", json=FORGED)).json() == {"what": []}
        paths = (await client.get("/v1/openapi.json")).json()["paths"]
        assert "/v1/north.pack" in paths
        assert not {"/v1/north.remember", "/v1/north.send-off"} & paths.keys()


async def test_an_agent_neither_sees_nor_calls_what_is_called_with_events(served: tuple[str, str]) -> None:
    address, key = served
    async with session(f"{address}/mcp", key) as agent:
        names = {tool.name for tool in (await agent.list_tools()).tools}
        assert "north_pack" in names
        assert not {"north_remember", "north_send-off"} & names
        refused = await agent.call_tool("north_remember", FORGED)
        assert refused.is_error
        assert "called by events or flows only" in str(refused.content)


async def test_what_tells_one_capability_may_call_no_other(database: Database) -> None:
    platform = await own_line.platform_of(database)
    subscriber = Caller(front_end="south", client="subscription", is_event_triggered=True)
    with pytest.raises(errors.NotPermitted, match=r"does not use 'member\.register'"):
        await platform.call_wire("member.register", b"{}", subscriber)


async def test_members_of_a_staged_version_are_told_by_events_and_by_nobody_else(database: Database) -> None:
    platform = await own_line.platform_of(database)
    (staged,), _ = compile_front_ends(shipped.build([]), [own_line.line("north")])
    platform.release = platform.release.replacing(beside(platform.release.lines["north"], staged, "2", 100))
    for name in ("remember", "send-off"):
        with pytest.raises(errors.NotPermitted):
            await platform.call_wire(f"north.{name}", b'{"subject": "p1"}', own_line.NORTH)
    subscriber = Caller(front_end="north", client="subscription", is_event_triggered=True)
    await platform.call_wire("north.remember", b'{"subject": "p1"}', subscriber, key="1")
    assert await own_line.notes(platform, "p1") == ["packed"]


async def test_what_only_flows_call_no_client_calls_where_it_is_a_front_ends_own_either(database: Database) -> None:
    mine = own_line.line("north")
    inner = dataclasses.replace(mine.capabilities[0], is_internal=True)
    kept = tuple(one for one in mine.implementations if one.capability is not mine.capabilities[0])
    changed = dataclasses.replace(
        mine,
        capabilities=(inner, *mine.capabilities[1:]),
        implementations=(dataclasses.replace(mine.implementations[0], capability=inner), *kept),
    )
    (line,), problems = compile_front_ends(shipped.build([]), [changed])
    assert not problems
    assert "north.pack" not in line.permitted
    assert "north.notes" in line.permitted
