"""An adopted service is told who was erased: a real one, that fails at first, that does not know everybody."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.app.config import FILE, WrongConfig, load_config
from isthmus.app.forgetting import PersonForgotten
from isthmus.kernel import FrontEnd, Platform, Registry
from isthmus.runtime.adopt.adopt import Adoption, adopted_pack
from isthmus.runtime.adopt.forgetting import consumer, exported_by, forgets_problems
from isthmus.store import Database
from isthmus.store.relay import Relay
from tests.flows.conftest import in_flight
from tests.waiting import until

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Till", "version": "1"},
    "paths": {
        "/buyers/{buyer}": {
            "delete": {
                "operationId": "dropBuyer",
                "parameters": [{"name": "buyer", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"204": {}},
            },
        },
        "/forget": {
            "post": {
                "operationId": "forget",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"buyer": {"type": "string"}, "receipt": {"type": "string"}},
                            }
                        }
                    },
                },
                "responses": {"200": {}},
            },
        },
    },
}
FORGETS = {"call": "forget", "member": "buyer", "reference": "receipt"}


@dataclass
class Till:
    """The service: it has people, and can be told to fail."""

    failing: int = 0
    people: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        if self.failing:
            self.failing -= 1
            return Response(status_code=503)
        said = request.path_params or await request.json()
        (who,) = said.values()
        if who not in self.people:
            return JSONResponse({"detail": "never heard of"}, status_code=404)
        self.people.discard(who)
        self.heard.append(f"{next(iter(said))}={who}")
        return JSONResponse({})


@pytest.fixture
def till() -> Iterator[tuple[Till, str]]:
    till = Till()
    routes = [
        Route("/buyers/{buyer}", till.answer, methods=["DELETE"]),
        Route("/forget", till.answer, methods=["POST"]),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off"))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield till, f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def _adopted(tmp_path: Path, url: str) -> Any:
    file = tmp_path / "till.json"
    file.write_text(json.dumps(DOCUMENT))
    return adopted_pack(Adoption(name="till", document=file, url=url))


@asynccontextmanager
async def delivering(platform: Platform, database: Database, forgets: dict[str, str]) -> AsyncIterator[None]:
    async with in_flight(Relay(database, [consumer(platform, "till", forgets, PersonForgotten)]).run()):
        yield


async def _emit(database: Database, front_end: str, member_id: str, *references: str) -> None:
    gone = {"subject": "s", "member_ids": [member_id], "references": references}
    async with database.platform_transaction() as session:
        await session.execute(
            """insert into isthmus.outbox (id, type, version, subject, front_end, box, time, trace, data)
               values ($1, 'privacy.person-forgotten', '1.0', 's', $2, $2, now(), '', $3)""",
            *(str(uuid4()), front_end, json.dumps(gone).encode()),
        )


def _platform(database: Database, tmp_path: Path, url: str) -> Platform:
    north = FrontEnd(code="north", name="North", owner="n", uses=("till.*",))
    south = FrontEnd(code="south", name="South", owner="s")
    return Platform(Registry().add(_adopted(tmp_path, url), north, south).freeze(), database)


async def test_a_service_is_told_of_members_and_references_until_it_takes_them(
    database: Database, tmp_path: Path, till: tuple[Till, str]
) -> None:
    service, url = till
    platform = _platform(database, tmp_path, url)
    ann, bob, stranger = (str(uuid4()) for _ in range(3))
    service.people, service.failing = {ann, bob, "order-1"}, 1
    async with delivering(platform, database, FORGETS):
        await _emit(database, "north", ann, "order-1", "order-2")
        await _emit(database, "north", stranger)
        await _emit(database, "south", bob)

        async def all_are_delivered() -> bool:
            async with database.platform() as session:
                behind = """select count(*) from isthmus.consumer, isthmus.event
                    where consumer.name = 'forgotten-by-till' and event.position > consumer.position"""
                left = await session.fetch_value("select count(*) from isthmus.outbox")
                return len(service.heard) == 2 and await session.fetch_value(behind) + left == 0

        await until(all_are_delivered, "that the service has forgotten them")
    assert sorted(service.heard) == [f"buyer={ann}", "receipt=order-1"]
    assert service.people == {bob}  # who does not use the service never gave it anybody


async def test_a_service_that_forgets_by_an_id_in_its_path_is_told_so(
    database: Database, tmp_path: Path, till: tuple[Till, str]
) -> None:
    service, url = till
    ann = str(uuid4())
    service.people = {ann}
    async with delivering(_platform(database, tmp_path, url), database, {"call": "drop-buyer", "member": "buyer"}):
        await _emit(database, "north", ann, "order-1")

        async def is_gone() -> bool:
            return service.people == set()

        await until(is_gone, "that it is forgotten")
    assert service.heard == [f"buyer={ann}"]


@pytest.mark.parametrize(
    ("forgets", "said"),
    [
        ({"call": "drop-nobody", "member": "buyer"}, "its operations are drop-buyer, forget"),
        ({"call": "forget"}, "sends nothing"),
        ({"call": "forget", "member": "customer"}, "it has the fields buyer, receipt"),
        ({"call": "forget", "members": "buyer"}, "has members; it has call, member and reference, or because"),
        ({"call": "forget", "member": "buyer", "because": "none"}, "and so nothing else"),
        ({"because": " "}, "and so nothing else"),
        (FORGETS, ""),
        ({"because": "it counts stock"}, ""),
    ],
)
def test_a_setting_that_cannot_be_followed_is_refused_at_start(
    tmp_path: Path, forgets: dict[str, str], said: str
) -> None:
    found = list(forgets_problems(forgets, _adopted(tmp_path, "http://till")))
    assert len(found) == bool(said)
    assert all(said in one for one in found)


def test_a_setting_of_another_shape_is_refused_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[adopted.till]\ndocument = "till.json"\nurl = "http://till"\nforgets = "forget"\n')
    with pytest.raises(WrongConfig, match=r"adopted\.till\.forgets = 'forget'"):
        load_config(tmp_path / FILE)


def test_what_a_service_gives_of_somebody_is_named_by_its_operation_and_field(tmp_path: Path) -> None:
    pack = _adopted(tmp_path, "http://till")
    (gives,) = exported_by({"call": "forget", "member": "buyer"}, pack)
    assert [ask.buyer for ask in gives.asks(["m-1"])] == ["m-1"]  # type: ignore[attr-defined]
    (said,) = forgets_problems({"call": "look", "member": "buyer"}, pack, "exports")
    assert said == "[adopted.till] exports calls 'look'; its operations are drop-buyer, forget"
