"""A service that stands alone ends when whoever tried it is done, also where it does not want to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import psutil
import pytest
from starlette.types import Message, Receive, Scope, Send

from isthmus.governance.exits import exercise
from tests.standing_alone import listening

STAYS = """
import http.server, signal, sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Ready).serve_forever()
"""


class Silent:
    """An application that takes calls and never answers one."""

    def __init__(self) -> None:
        self.called = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lived(receive, send)
            return
        self.called.set()
        await asyncio.Event().wait()


async def _lived(receive: Receive, send: Send) -> None:
    for said in ("startup", "shutdown"):
        await receive()
        message: Message = {"type": f"lifespan.{said}.complete"}
        await send(message)


async def test_a_test_that_fails_while_a_service_does_not_answer_ends_with_its_own_error() -> None:
    app = Silent()

    async def fails() -> None:
        async with listening(app, ends_within_s=0.2) as address, httpx.AsyncClient(timeout=60) as client:
            waiting.append(asyncio.create_task(client.get(address)))
            await app.called.wait()
            raise ValueError("what the test found")

    waiting: list[asyncio.Task[httpx.Response]] = []
    with pytest.raises(ValueError, match="what the test found"):
        await asyncio.wait_for(fails(), 30)
    waiting[0].cancel()


async def test_a_service_that_does_not_end_when_it_is_asked_to_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exercise, "END_LIMIT_S", 0.3)
    (tmp_path / "stays.py").write_text(STAYS)
    before = {one.pid for one in psutil.Process().children()}
    async with exercise.serving("stays", tmp_path, {"PYTHONPATH": str(tmp_path)}) as address:
        async with httpx.AsyncClient() as client:
            assert (await client.get(address)).status_code == 200
        (started,) = [one for one in psutil.Process().children() if one.pid not in before]
    assert not started.is_running()
