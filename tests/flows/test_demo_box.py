"""The demo's venture where something is in its way: the demo says so at once, and waits for nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from demo.box import Box
from isthmus.gateway.server import CannotListen
from isthmus.kernel import errors

HERE = Path(__file__).resolve().parents[2]


def a_box(at: Path, port: int) -> Box:
    return Box(root=HERE, data=at, port=port)


async def test_a_box_does_not_sell_on_a_port_where_another_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as another:
        port: int = another.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port} cannot be listened on"):
            await a_box(tmp_path, port).start()


@asynccontextmanager
async def a_desk_that_answers(status: str) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 8\r\nconnection: close\r\n\r\nnot here".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_what_the_desk_refuses_is_not_sent_again(tmp_path: Path) -> None:
    async with a_desk_that_answers("401 Unauthorized") as port:
        with pytest.raises(errors.Fault, match="the box refuses renewals with 401: not here"):
            await a_box(tmp_path, port).at_desk("renewals")
