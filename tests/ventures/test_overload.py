"""A venture that is slow, sends without end, or does not run costs the platform so much and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from isthmus.app.jobs import periodic
from isthmus.flows.ventures import api as ventures
from isthmus.flows.ventures.service import wire
from isthmus.manifest import Job, brought

from .conftest import World
from .proxy import between


async def _byte_by_byte() -> AsyncIterator[bytes]:
    for _ in range(600):
        yield b" "
        await asyncio.sleep(0.05)


async def _without_end() -> AsyncIterator[bytes]:
    for _ in range(1_000):
        yield b" " * 100_000


def _drips(request: Request, _sent: httpx.Response) -> Response | None:
    return StreamingResponse(_byte_by_byte()) if request.url.path == "/obligations/journal" else None


def _pours(request: Request, _sent: httpx.Response) -> Response | None:
    return StreamingResponse(_without_end()) if request.url.path == "/obligations/journal" else None


async def test_a_page_that_comes_byte_by_byte_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "WHOLE_WITHIN_S", 0.3)
    async with between(world.box.url, _drips) as url:
        down = pytest.raises(ventures.VentureDown, match="its answer is not whole after 0.3 s")
        with world.charter_with("box", world.box.url, url), down:
            await world.call(ventures.pull, ventures.Pull())
    assert await world.call(ventures.pull, ventures.Pull())


async def test_a_page_without_end_is_read_no_further_than_a_page_may_be(world: World) -> None:
    async with between(world.box.url, _pours) as url:
        down = pytest.raises(ventures.VentureDown, match="it sends more than 2000000 bytes")
        with world.charter_with("box", world.box.url, url), down:
            await world.call(ventures.pull, ventures.Pull())


async def test_a_venture_that_does_not_run_is_said_once_with_its_address_and_what_to_do(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (job,) = (one for one in brought(world.running.packs, Job) if one.name == "ventures.pull")
    pull = periodic(world.running.platform, world.running.database, job)

    def said() -> list[str]:
        return [one.getMessage() for one in caplog.records if "of box" in one.getMessage()]

    with world.charter_with("box", world.box.url, "http://127.0.0.1:1"):
        await pull.run()
        await pull.run()
        (once,) = said()
    assert once.startswith("ventures.pull of box waits: GET http://127.0.0.1:1/obligations/journal")
    assert "start the venture, and see that url in its charter is where it listens" in once
    await pull.run()
    assert said() == [once, "ventures.pull of box goes on"]
