"""Answers leave in one write, and nothing of them is lost or held back by that."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus.gateway.http import App, asgi

from .conftest import serving

ASK = b"GET /%s HTTP/1.1\r\nhost: x\r\n%s\r\n"
LARGE = 3_000_000
SEGMENTS_AT = 152  # tcpi_data_segs_in in the structure tcp_info, tcp(7)


async def _app(scope: Any, receive: Any, send: Any) -> None:
    async def start(length: int) -> None:
        headers = [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    if scope["path"] == "/small":
        await start(4)
        await send({"type": "http.response.body", "body": b"done"})
    elif scope["path"] == "/in-pieces":
        await start(8)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        while (await receive())["type"] != "http.disconnect":  # the rest never comes before the client has gone
            pass
    else:
        await start(LARGE)
        for _ in range(LARGE // 1_000):
            await send({"type": "http.response.body", "body": b"x" * 1_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _start() -> AsyncGenerator[App]:
    yield _app


def _connected(address: str) -> socket.socket:
    url = urlsplit(address)
    return socket.create_connection((url.hostname or "", url.port or 0), timeout=10)


def _received(client: socket.socket) -> bytes:
    parts: list[bytes] = []
    while part := client.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many segments have come")
def test_head_and_body_of_an_answer_arrive_in_one_segment() -> None:
    with serving(asgi(_start)) as address, _connected(address) as client:
        for answers in range(1, 21):
            client.sendall(ASK % (b"small", b""))
            assert client.recv(1 << 16).endswith(b"\r\n\r\ndone")
            info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SEGMENTS_AT + 4)
            assert struct.unpack_from("=I", info, SEGMENTS_AT) == (answers,)


def test_a_body_in_pieces_is_not_held_back_until_its_end() -> None:
    with serving(asgi(_start)) as address, _connected(address) as client:
        client.sendall(ASK % (b"in-pieces", b""))
        assert client.recv(1 << 16).endswith(b"\r\n\r\nhalf")


def test_a_large_body_arrives_whole_also_where_the_connection_closes_after_it() -> None:
    with serving(asgi(_start)) as address, _connected(address) as client:
        client.sendall(ASK % (b"large", b"connection: close\r\n"))
        _, _, body = _received(client).partition(b"\r\n\r\n")
        assert body == b"x" * LARGE


def test_a_request_that_is_no_http_is_told_so_before_the_connection_closes() -> None:
    with serving(asgi(_start)) as address, _connected(address) as client:
        client.sendall(b"no http at all\r\n\r\n")
        assert _received(client).startswith(b"HTTP/1.1 400 ")
