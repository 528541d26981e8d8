"""Limits that hold before anybody is known: heads, time, connections; and what is nested deeper than anything."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from isthmus.gateway.http import App, asgi
from isthmus.gateway.wire import connections
from isthmus.gateway.wire.transport import WholeAnswers

from .conftest import serving

CLOSES_WITHIN_S = 30  # on a busy machine; a test that holds ends in one or two


class Narrow(WholeAnswers):
    """As the server's, with less patience and fewer places."""

    head_limit_s = 0.5
    per_address_max = 8


async def answer(scope: Any, receive: Any, send: Any) -> None:
    size, message = 0, await receive()
    while message["type"] == "http.request":
        size += len(message.get("body", b""))
        message = await receive() if message.get("more_body") else {"type": ""}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


@asynccontextmanager
async def start() -> AsyncIterator[App]:
    yield answer


@pytest.fixture
def address() -> Iterator[str]:
    """Give the address of a server that answers anything."""
    with serving(asgi(start)) as found:
        yield found


@pytest.fixture
def narrow() -> Iterator[str]:
    with serving(asgi(start), http=Narrow) as found:
        yield found


def connected(address: str) -> socket.socket:
    place = urlsplit(address)
    return socket.create_connection((place.hostname, place.port), timeout=CLOSES_WITHIN_S)


def rest(one: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    found = b""
    with suppress(ConnectionError):
        while part := one.recv(65_536):
            found += part
    return found


def send_much(one: socket.socket, piece: bytes, bytes_max: int) -> int:
    """Send pieces until the other side has had enough, and return how many bytes it took."""
    sent = 0
    with suppress(ConnectionError):
        while sent < bytes_max:
            one.sendall(piece)
            sent += len(piece)
    return sent


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET /", b"a" * 65_536),
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 65_536),
        (b"GET / HTTP/1.1\r\n", b"X: a\r\n" * 10_000),
        (b"", b"\r\n" * 30_000),
        (b"GET /", b"a" * 100),
    ],
)
def test_a_head_without_an_end_is_read_to_its_limit_only(address: str, begin: bytes, piece: bytes) -> None:
    with connected(address) as one:
        one.sendall(begin)
        assert send_much(one, piece, 64 << 20) < 32 << 20  # what the kernel keeps on both sides is in it
        found = rest(one)
    assert not found or b" 431 " in found.split(b"\r\n")[0]
    assert httpx.get(address).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * connections.HEAD_BYTES_MAX + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * connections.HEAD_BYTES_MAX + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * (connections.HEADERS_MAX + 1) + b"\r\n",
    ],
)
def test_a_whole_head_that_is_too_large_is_told_so(address: str, head: bytes) -> None:
    with connected(address) as one:
        one.sendall(head)
        status, _, body = rest(one).partition(b"\r\n")
    assert b" 431 " in status
    problem = json.loads(body.partition(b"\r\n\r\n")[2])
    assert (problem["slug"], problem["status"]) == ("gateway.head-too-large", 431)


def test_a_head_within_the_limit_is_answered_whatever_body_comes_with_it(address: str) -> None:
    headers = {f"X-{number}": "a" * 300 for number in range(80)}
    with httpx.Client(base_url=address, headers=headers) as client:
        for size in (0, 100_000, 10):
            assert client.post("/", content=b"b" * size).status_code == 200


@pytest.mark.parametrize("size", [20_000, 40_000, 300_000, 1_000_000])
def test_a_body_that_comes_after_its_head_is_none(address: str, size: int) -> None:
    """Also the next head on that connection begins at nothing."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
    with connected(address) as one:
        for _ in range(3):
            one.sendall(head)
            one.sendall(b"a" * size)
            found = b""
            while not found.endswith(b"\r\n0\r\n\r\n"):
                part = one.recv(65_536)
                assert part, found
                found += part
            assert b" 200 " in found.split(b"\r\n")[0], found
    with httpx.Client(base_url=address) as client:
        assert {client.post("/", content=b"a" * size).status_code for _ in range(3)} == {200}


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"1\r\na\r\n0\r\n", b"X-Trailer: " + b"t" * 1_000 + b"\r\n"),
        (b"1\r\na\r\n0\r\nX-Trailer: ", b"t" * 1_000),
        (b"1;", b"e" * 1_000),
        (b"", b"0" * 1_000),
    ],
)
def test_what_is_no_body_between_its_pieces_and_behind_it_is_read_to_its_limit_only(
    address: str, begin: bytes, piece: bytes
) -> None:
    with connected(address) as one:
        one.sendall(CHUNKED + begin)
        assert send_much(one, piece, 64 << 20) < 32 << 20
        found = rest(one)
    assert not found or b" 431 " in found.split(b"\r\n")[0]
    assert httpx.get(address).status_code == 200


def test_a_body_in_the_smallest_pieces_with_trailers_is_taken(address: str) -> None:
    with connected(address) as one:
        one.sendall(CHUNKED + b"1\r\na\r\n" * 50_000 + b"0\r\nX-Trailer: t\r\n\r\n")
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found = rest(one)
    assert found.count(b"HTTP/1.1 200") == 2
    assert b"\r\n50000\r\n" in found


@pytest.mark.parametrize("sent", [connections.PIPELINED_MAX, 20_000])
def test_requests_that_come_before_their_answers_are_answered_in_order_up_to_a_limit(address: str, sent: int) -> None:
    one_request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    asked = b"".join(one_request % (at % 50, b"a" * (at % 50)) for at in range(sent))
    with connected(address) as one:
        with suppress(OSError):
            one.sendall(asked)
        found = b""
        while found.count(b"HTTP/1.1 200") < sent and (part := _part(one)):
            found += part
    sizes = [int(answer.split(b"\r\n")[-4]) for answer in found.split(b"HTTP/1.1 200")[1:]]
    assert sizes == [at % 50 for at in range(len(sizes))]
    assert len(sizes) == sent if sent <= connections.PIPELINED_MAX else len(sizes) < sent
    assert httpx.get(address).status_code == 200


def _part(one: socket.socket) -> bytes:
    try:
        return one.recv(65_536)
    except OSError:  # it was closed with something unread
        return b""


def test_what_is_sent_in_halves_is_closed_and_others_are_answered(narrow: str) -> None:
    begun = [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n"]
    opened = [connected(narrow) for _ in begun]
    for one, sent in zip(opened, begun, strict=True):
        one.sendall(sent)
    assert httpx.get(narrow).status_code == 200
    for one, sent in zip(opened, begun, strict=True):
        found = rest(one)  # ends when the server closes
        assert (b" 408 " in found) == bool(sent)
        one.close()


def test_a_connection_that_was_answered_is_not_kept_by_half_of_the_next_head(narrow: str) -> None:
    with connected(narrow) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in one.recv(65_536)
        one.sendall(b"\r\n")
        rest(one)


def test_one_address_has_its_share_of_connections_and_gets_it_back(narrow: str) -> None:
    opened = [connected(narrow) for _ in range(Narrow.per_address_max)]
    one = connected(narrow)
    assert b" 503 " in rest(one).split(b"\r\n")[0]
    for each in (*opened, one):
        each.close()
    for _ in range(1_000):  # until the server has noticed
        with suppress(httpx.TransportError):
            if httpx.get(narrow).status_code == 200:
                return
    raise AssertionError("the address got nothing back")


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
@pytest.mark.parametrize("path", ["/v1/shop.show-item", "/v1/shop.write-note"])
@pytest.mark.parametrize("depth", [65, 900, 1_500])
def test_what_is_nested_too_deep_is_a_bad_ask(served: tuple[str, str], bracket: str, path: str, depth: int) -> None:
    address, key = served
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    found = httpx.post(f"{address}{path}", content=bracket * depth, headers=headers)
    assert (found.status_code, found.json()["slug"]) == (400, "gateway.body-too-deep")


def test_brackets_in_texts_and_many_beside_one_another_are_not_depth(served: tuple[str, str]) -> None:
    address, key = served
    note = {"body": '[{"\\' * 200, "number": 1, "tags": {str(number): "]}[" for number in range(100)}}
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.post(f"{address}/v1/shop.write-note", json=note, headers=headers).status_code == 200
