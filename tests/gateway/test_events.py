"""The feed of events over HTTP: at once, as server-sent events, and for groups of readers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Annotated
from uuid import uuid4

import httpx
import pytest

from isthmus.gateway import auth
from isthmus.gateway.events import PATH, EventService, NewEvents
from isthmus.gateway.http import App, Gateway, asgi
from isthmus.gateway.ready import Readiness
from isthmus.gateway.server import SHUTDOWN_S
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.kernel import Context, Effect, FrontEnd, Pack, Platform, Registry, Value, capability, event, implements
from isthmus.markings import Pii
from isthmus.store import Database, Feed, know_streams, sharing
from isthmus.store.feed import ALL, STREAM
from tests.waiting import until

from .conftest import Connect, serving


class Say(Value):
    """Say something of somebody."""

    name: str
    email: Annotated[str, Pii("email")] = "ann@example.org"


@event("desk.said", version="1.0", subject="name")
class Said(Value):
    """Something was said."""

    name: str
    email: Annotated[str, Pii("email")]


@capability("desk.say", version="1.0", effect=Effect.WRITE)
def say(ask: Say) -> Say:
    """Say it."""
    ...


@implements(say)
async def _say(ask: Say, ctx: Context) -> Say:
    ctx.emit(Said(name=ask.name, email=ask.email))
    return ask


api = ModuleType("desk_api", "Says things.")
api.say, api.Said = say, Said  # type: ignore[attr-defined]
PACK = Pack(name="desk", owner="desk team", api=api, service=(sys.modules[__name__],))
NORTH, SOUTH = (FrontEnd(code=code, name=code, owner=code, uses=("desk.*",)) for code in ("north", "south"))


def desk_on(database: Database, new: NewEvents | None = None) -> Gateway:
    platform = Platform(Registry().add(PACK, NORTH, SOUTH).freeze(), database)
    made = Gateway(platform, auth.Clients(database), TraceStore(database), Readiness(database))
    made.mount(PATH, EventService(platform, database, made.admit, new or NewEvents(database)))
    return made


Reader = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def reader(database: Database, connect: Connect) -> Reader:
    """Give what makes clients of the desk: for a front end, with these scopes."""
    gateway = desk_on(database)

    async def make(code: str, scopes: list[str] | None = None) -> httpx.AsyncClient:
        return connect(gateway, await auth.create_client(database, code, f"{code}-{len(scopes or ())}", scopes))

    return make


async def test_a_front_end_reads_its_events_page_by_page(reader: Reader) -> None:
    north, south = await reader("north"), await reader("south")
    for name in ("a", "b", "c"):
        await north.post("/v1/desk.say", json={"name": name})
    first = (await north.get("/v1/events", params={"limit": 2})).json()
    assert [one["subject"] for one in first["events"]] == ["a", "b"]
    assert first["has_more"]
    assert {**first["events"][0], "id": "", "time": "", "dataschema": "", "trace": ""} == {
        "specversion": "1.0",
        "id": "",
        "source": "/front-ends/north",
        "type": "desk.said",
        "subject": "a",
        "time": "",
        "datacontenttype": "application/json",
        "dataschema": "",
        "frontend": "north",
        "box": "north",
        "trace": "",
        "position": first["events"][0]["position"],
        "data": {"name": "a", "email": "ann@example.org"},
    }
    rest = (await north.get("/v1/events", params={"after": first["cursor"], "types": "desk.*"})).json()
    assert ([one["subject"] for one in rest["events"]], rest["has_more"]) == (["c"], False)
    assert (await north.get("/v1/events", params={"after": rest["cursor"]})).json()["events"] == []
    assert (await north.get("/v1/events", params={"after": "now"})).json() == {**rest, "events": []}
    assert (await south.get("/v1/events")).json()["events"] == []


async def test_personal_data_is_masked_by_its_contract_for_who_may_not_see_it(
    reader: Reader, database: Database
) -> None:
    north, south = await reader("north"), await reader("south")
    plain, trusted = await reader("north", ["events.read"]), await reader("north", ["events.read", "events.personal"])
    await north.post("/v1/desk.say", json={"name": "a"})
    await know_streams(database, [("north", ALL)])
    async with database.platform_transaction() as session:
        draft = sharing.Draft(kind=STREAM, name=ALL, to="south", can="read")
        await sharing.give(session, "north", uuid4(), draft, datetime.now(UTC), "test")
    seen = {
        name: (await client.get("/v1/events")).json()["events"][0]["data"]["email"]
        for name, client in {"own": north, "trusted": trusted, "plain": plain, "granted": south}.items()
    }
    masked = "masked@example.invalid"
    assert seen == {"own": "ann@example.org", "trusted": "ann@example.org", "plain": masked, "granted": masked}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("after=-1", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=5000", "limit"),
        ("wait=99", "wait"),
        ("types=order", "types"),
        ("types=" + ",".join(["a.b"] * 51), "types"),
        ("group=a%20b", "group"),
        ("group=a&after=1", "after"),
        ("afer=1", "afer"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_its_name(reader: Reader, query: str, path: str) -> None:
    refused = await (await reader("north")).get(f"/v1/events?{query}")
    assert (refused.status_code, refused.json()["slug"], refused.json()["path"]) == (
        400,
        "events.wrong-parameter",
        path,
    )


async def test_a_key_reads_where_its_scopes_say_so(reader: Reader, connect: Connect) -> None:
    refused = await (await reader("north", ["desk.say"])).get("/v1/events")
    assert (refused.status_code, refused.json()["slug"]) == (403, "not-permitted")
    assert (await (await reader("north", ["events.*"])).get("/v1/events")).status_code == 200
    stranger = await reader("north")
    stranger.headers["Authorization"] = "Bearer nothing"
    assert (await stranger.get("/v1/events")).status_code == 401


async def test_a_cursor_of_another_time_is_refused_with_where_to_go_on(reader: Reader) -> None:
    refused = await (await reader("north")).get("/v1/events?after=99")
    assert (refused.status_code, refused.json()["slug"], refused.json()["newest"]) == (409, "events.cursor-ahead", "0")


async def test_a_group_goes_on_after_its_reader_has_died(reader: Reader, database: Database) -> None:
    north, south = await reader("north"), await reader("south")
    for name in ("a", "b"):
        await north.post("/v1/desk.say", json={"name": name})
    one, two = ({"group": "books", "reader": name, "limit": 1} for name in ("one", "two"))
    first = (await north.get("/v1/events", params=one)).json()
    held = await north.get("/v1/events", params=two)
    assert (held.status_code, held.json()["slug"]) == (409, "events.group-held")
    done = await north.put("/v1/events/groups/books", json={"cursor": first["cursor"], "reader": "one"})
    assert (done.status_code, done.content) == (204, b"")
    async with database.platform() as session:  # it dies, and its time runs out
        await session.execute("update isthmus.event_group set held_until = now()")
    assert [e["subject"] for e in (await north.get("/v1/events", params=two)).json()["events"]] == ["b"]
    (group,) = (await north.get("/v1/events/groups")).json()["groups"]
    assert (group["name"], group["behind"], str(group["position"])) == ("books", 1, first["cursor"])
    assert (await south.get("/v1/events/groups")).json()["groups"] == []
    assert (await south.delete("/v1/events/groups/books")).status_code == 404
    assert (await north.delete("/v1/events/groups/books")).status_code == 204
    assert (await north.patch("/v1/events/groups/books")).status_code == 405
    assert (await north.get("/v1/events/nothing")).status_code == 404


class Served:
    """The desk on a real server in a thread, as long as a block runs; `stop` stops it before."""

    def __init__(self, database: Database) -> None:
        @asynccontextmanager
        async def start() -> AsyncIterator[App]:
            async with await Database.open(database.url) as own:
                new = NewEvents(own)
                looking = asyncio.create_task(new.run())
                yield desk_on(own, new)
                looking.cancel()

        self._server = serving(asgi(start))
        self._database = database

    async def __aenter__(self) -> Served:
        key = await auth.create_client(self._database, "north", "till")
        address = await asyncio.to_thread(self._server.__enter__)
        self.client = httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60)
        return self

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.__exit__)

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        await self.stop()


@pytest.fixture
async def served(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of north, of the desk on a real server."""
    async with Served(database) as desk:
        yield desk.client


def parsed(lines: list[str]) -> tuple[list[tuple[str, str]], str]:
    """Return what server-sent events say, as (type, subject), and the last id that a browser would remember."""
    found: list[tuple[str, str]] = []
    last, kind, data = "", "", ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            last = value
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif not line and data:
            found.append((kind, json.loads(data)["subject"]))
            kind = data = ""
    return found, last


async def test_events_come_as_they_happen_and_a_new_connection_goes_on_where_the_last_one_was(
    served: httpx.AsyncClient,
) -> None:
    stream = {"Accept": "text/event-stream"}
    await served.post("/v1/desk.say", json={"name": "before"})
    lines: list[str] = []
    async with served.stream("GET", "/v1/events", headers=stream) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        reading = answer.aiter_lines()
        while len(parsed(lines)[0]) < 1:
            lines.append(await anext(reading))
        await served.post("/v1/desk.say", json={"name": "while"})
        while len(parsed(lines)[0]) < 2:
            lines.append(await anext(reading))
    found, last = parsed(lines)
    assert found == [("desk.said", "before"), ("desk.said", "while")]
    await served.post("/v1/desk.say", json={"name": "missed"})
    async with served.stream("GET", "/v1/events", headers={**stream, "Last-Event-ID": last}) as answer:
        more: list[str] = []
        async for line in answer.aiter_lines():
            more.append(line)
            if parsed(more)[0]:
                break
    assert parsed(more)[0] == [("desk.said", "missed")]


async def test_who_waits_is_answered_when_something_happens(served: httpx.AsyncClient) -> None:
    waiting = asyncio.create_task(served.get("/v1/events", params={"wait": 30}))
    await asyncio.sleep(0.05)
    await served.post("/v1/desk.say", json={"name": "now"})
    assert [one["subject"] for one in (await waiting).json()["events"]] == ["now"]


async def test_a_stream_ends_when_the_server_stops_and_gives_its_group_back(database: Database) -> None:
    async def is_free() -> bool:
        return not (await Feed(database).groups("north"))[0].is_held

    async with Served(database) as desk:
        asked = desk.client.stream(
            "GET", "/v1/events", params={"group": "books"}, headers={"Accept": "text/event-stream"}
        )
        async with asked as answer:
            lines = answer.aiter_lines()  # the answer is closed when nobody has it any more
            await anext(lines)
            assert not await is_free()
            async with asyncio.timeout(SHUTDOWN_S - 1):  # a server that waited for the stream would take all of it
                await desk.stop()
            await until(is_free)
