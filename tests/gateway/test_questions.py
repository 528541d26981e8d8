"""A question to the data platform is worked on for as long as somebody waits for its answer."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus.data.answers import serve
from isthmus.data.lake import stopping
from isthmus.data.lake.reader import DuckReader
from isthmus.data.lake.stopping import QuestionStopped
from isthmus.data.privacy import policy
from isthmus.gateway.auth import Principal
from isthmus.gateway.http import App, asgi
from isthmus.gateway.metrics import MetricsService
from isthmus.kernel import FrontEnd, Platform, Registry
from tests.data.conftest import World, trap_model
from tests.waiting import until

from .conftest import serving

QUESTION = json.dumps({"metrics": ["amount"], "by": ["orders.status"]}).encode()
# As many rows as take minutes to add up.
ENDLESS = """create view orders as select range::bigint as id, 1 as customer_id, (range % 7)::double as amount,
    date '2024-01-01' as d, case when range % 3 = 0 then 'done' else 'new' end as status from range(1000000000000);
    create table customers (id int, region text, ltv double);
    create table items (id int, order_id int, qty int, cat text); create table tickets (id int, customer_id int)"""


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give what has begun to be read."""
    begun, rows = list[str](), DuckReader.rows

    def noted(self: DuckReader, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        begun.append(sql)
        return rows(self, sql, parameters)

    monkeypatch.setattr(DuckReader, "rows", noted)
    return begun


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(trap_model(), ENDLESS, tmp_path / "receipts")


@pytest.fixture
def served(world: World) -> Iterator[tuple[str, list[str]]]:
    """Give the address of the questions' application, and what has become of each question."""
    happened: list[str] = []

    async def admit(credential: bytes | None) -> Principal:
        return Principal(name="analyst", front_end="north", scopes=("data.ask",), until=0)

    north = FrontEnd(code="north", name="North", owner="n")
    data: Any = SimpleNamespace(metrics=world.metrics, model=world.model)
    service = MetricsService(Platform(Registry().add(north).freeze(), None), data, admit)  # type: ignore[arg-type]
    service._policies["north"] = policy.owner()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        happened.append("begun")
        await service(scope, receive, send)
        happened.append("ended")

    @asynccontextmanager
    async def start() -> AsyncIterator[App]:
        yield app

    with serving(asgi(start)) as address:
        yield address, happened


async def test_a_client_that_hangs_up_frees_what_its_question_takes(
    served: tuple[str, list[str]], reads: list[str]
) -> None:
    address, happened = served
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port)) as one:
        head = "POST /data/ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        one.sendall(f"{head}Content-Length: {len(QUESTION)}\r\n\r\n".encode() + QUESTION)

        async def is_begun() -> bool:
            return happened == ["begun"] and bool(reads)

        await until(is_begun, "that the question is read")

    async def is_ended() -> bool:
        return happened == ["begun", "ended"]

    await until(is_ended, "that nothing is read for it any more")


async def test_a_question_that_takes_too_long_is_given_up_with_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "ANSWER_LIMIT_S", 0.2)
    with pytest.raises(QuestionStopped, match=r"it took over 0\.2 s.*narrow it by filters"):
        await serve.ask(world.metrics, policy.owner(), QUESTION)


async def test_work_whose_task_is_cancelled_ends_too(world: World, reads: list[str]) -> None:
    ended: list[str] = []

    def work() -> None:
        try:
            world.rows("amount")
        finally:
            ended.append("ended")

    asking = asyncio.create_task(stopping.while_wanted(work, asyncio.Event().wait))

    async def is_reading() -> bool:
        return bool(reads)

    await until(is_reading, "that the question is read")
    asking.cancel()

    async def is_ended() -> bool:
        return ended == ["ended"]

    await until(is_ended, "that it ends")
