"""What is asked of an adopted service arrives as it was given, or is refused; and only its own failures count."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import Caller, FrontEnd, Platform, Registry, errors
from isthmus.runtime.adopt import service as adopt_service
from isthmus.runtime.adopt.adopt import Adoption, adopted_pack
from isthmus.runtime.adopt.request import CannotCarry, Operation, filled
from isthmus.store import Database

TEXT = {"type": "string"}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "old", "version": "1"},
    "paths": {
        "/items/{id}": {
            "get": {
                "operationId": "getItem",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": TEXT},
                    {"name": "X-Note", "in": "header", "schema": TEXT},
                    {"name": "authorization", "in": "header", "schema": TEXT},
                    {"name": "Host", "in": "header", "schema": TEXT},
                    {"name": "tags", "in": "query", "explode": False, "schema": {"type": "array", "items": TEXT}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": {}}}}},
            }
        }
    },
}
ITEM = Operation(
    method="GET",
    path="/items/{id}",
    places={"id": "path", "X-Note": "header", "tags": "query", "q": "query"},
    joined=frozenset({"tags"}),
    body="",
    is_wrapped=False,
)


@dataclass
class Old:
    """A service of few words: it keeps the heads that it was sent, and answers with the bytes that it is told to."""

    heads: list[str] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
    sent: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                if "endless" in head:
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    while True:
                        writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
                        self.sent += 0x100000
                        await writer.drain()
                writer.write(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n" if "broken" in head else self.answer)
                await writer.drain()
        writer.close()


@pytest.fixture
async def old() -> AsyncIterator[tuple[Old, str]]:
    """Give the service and its address."""
    one = Old()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    yield one, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture
def shop(database: Database, old: tuple[Old, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Give a platform on which two front ends use the service."""
    monkeypatch.setenv("OLD_KEY", "s3cret")
    file = tmp_path / "old.json"
    file.write_text(json.dumps(DOCUMENT))
    pack = adopted_pack(Adoption(name="old", document=file, url=old[1], secret="OLD_KEY"))
    both = [FrontEnd(code=code, name=code, owner="n", uses=("old.*",)) for code in ("north", "south")]
    return Platform(Registry().add(pack, *both).freeze(), database)


async def ask(shop: Platform, front_end: str = "north", **body: Any) -> Any:
    caller = Caller(front_end=front_end, client="n")
    answer, _ = await shop.call_wire("old.get-item", json.dumps(body).encode(), caller)
    return json.loads(answer)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"id": ".."}, "$.id"),
        ({"id": "."}, "$.id"),
        ({"id": ""}, "$.id"),
        ({"id": "../admin"}, "$.id"),
        ({"id": "a/b"}, "$.id"),
        ({"id": "a\\b"}, "$.id"),
        ({"id": "a\r\nb"}, "$.id"),
        ({"id": "1", "X-Note": "a\r\nX-Admin: 1"}, "$.X-Note"),
        ({"id": "1", "X-Note": "caf\u00e9"}, "$.X-Note"),
        ({"id": "1", "X-Note": " padded "}, "$.X-Note"),
        ({"id": "1", "X-Note": "a\0b"}, "$.X-Note"),
        ({"id": "1", "tags": ["a,b"]}, "$.tags"),
        ({"id": "x" * 70_000}, "$"),
    ],
)
async def test_what_cannot_be_carried_exactly_is_refused_and_nobody_elses_trouble(
    shop: Platform, old: tuple[Old, str], body: dict[str, Any], path: str
) -> None:
    for _ in range(adopt_service.FAILURES_MAX + 1):
        with pytest.raises(errors.BadAsk) as refused:
            await ask(shop, **body)
        assert refused.value.path == path
    assert old[0].heads == []
    assert await ask(shop, "south", id="1") == {"value": 1}


async def test_what_is_carried_arrives_as_it_was_given(shop: Platform, old: tuple[Old, str]) -> None:
    await ask(shop, id="\u00e9 ?#%2e{id}..", tags=["a", "\u00e9&"], **{"X-Note": "plain, and visible"})
    line = old[0].heads[0].split("\r\n")[0].split(" ")[1]
    assert unquote(line.partition("?")[0]) == "/items/\u00e9 ?#%2e{id}.."
    assert unquote(line.partition("?")[2]) == "tags=a,\u00e9&"
    assert "X-Note: plain, and visible\r\n" in old[0].heads[0]


async def test_no_caller_sets_a_header_that_signs_or_frames_the_call(shop: Platform) -> None:
    fields = shop.release.offered["old.get-item"].capability.ask.__struct_fields__
    assert sorted(fields) == ["X_Note", "id", "tags"]


@given(st.text(min_size=1, max_size=8))
def test_a_value_in_a_path_is_one_step_of_it_or_refused(value: str) -> None:
    try:
        path = filled(ITEM, {"id": value}).path
    except (CannotCarry, UnicodeEncodeError):
        return
    assert path.count("/") == 2
    assert unquote(path.rpartition("/")[2]) == value
    assert value not in (".", "..")


@pytest.mark.parametrize("value", [None, {"a": 1}, [["a"]], [None]])
@pytest.mark.parametrize("name", ["id", "q", "X-Note"])
def test_what_is_no_single_value_stands_in_no_path_query_or_header(name: str, value: object) -> None:
    if value is None and name != "id":
        assert filled(ITEM, {"id": "1", name: value}).query == {}
        return
    with pytest.raises(CannotCarry) as refused:
        filled(ITEM, {"id": "1", name: value})
    assert refused.value.path == f"$.{name}"


async def test_an_answer_without_an_end_is_read_to_its_limit_only(shop: Platform, old: tuple[Old, str]) -> None:
    with pytest.raises(adopt_service.ServiceDown, match="answered more than"):
        await ask(shop, id="endless")
    assert old[0].sent < 4 * adopt_service.ANSWER_BYTES_MAX


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"[" * 100_000, "otherwise than its document says"),
        (b'"\xff"', "otherwise than its document says"),
        (b"{" * 100_000, "otherwise than its document says"),
    ],
)
async def test_an_answer_that_no_reader_bears_is_trouble_and_no_defect(
    shop: Platform, old: tuple[Old, str], answer: bytes, words: str
) -> None:
    old[0].answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
    with pytest.raises(adopt_service.ServiceDown, match=words):
        await ask(shop, id="1")
    old[0].answer = b"HTTP/1.1 422 no\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
    with pytest.raises(adopt_service.ServiceRefused):
        await ask(shop, id="1")


async def test_an_answer_that_is_compressed_unasked_is_refused_before_it_grows(
    shop: Platform, old: tuple[Old, str]
) -> None:
    old[0].answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    with pytest.raises(adopt_service.ServiceDown, match="compressed"):
        await ask(shop, id="1")
    assert "accept-encoding: identity" in old[0].heads[0].lower()


async def test_a_breaker_opens_for_the_front_end_whose_calls_fail_and_for_all_where_nobody_listens(
    shop: Platform, old: tuple[Old, str]
) -> None:
    for _ in range(2):
        with pytest.raises(adopt_service.ServiceDown):
            await ask(shop, "north", id="broken")
    with pytest.raises(adopt_service.ServiceDown, match="for calls of 'north' and is left alone"):
        await ask(shop, "north", id="1")
    assert await ask(shop, "south", id="1") == {"value": 1}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    gone = adopt_service.Service(name="gone", url=nobody, auth=adopt_service.Auth(kind="none"))
    for _ in range(2):
        with pytest.raises(adopt_service.ServiceDown):
            await gone.call(ITEM, {"id": "1"}, "key", 5, "north")
    with pytest.raises(adopt_service.ServiceDown, match="in a row and is left alone"):
        await gone.call(ITEM, {"id": "1"}, "key", 5, "south")
