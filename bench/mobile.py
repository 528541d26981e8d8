"""What apps ask for: flags, one call for a screen, what was changed offline, and a message to many.

The server runs in a thread of its own, and what it needs is that thread's processor time: what a client of the same
machine needs beside it does not count, so that a figure is of one core however busy the other is.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
import uvloop

from bench import _broadcast, _sync
from bench._screen import screen_rows
from isthmus.kernel import Caller, FrontEnd, Platform, Registry
from isthmus.manifest.sites import Door
from isthmus.packs.flags import api
from isthmus.packs.flags.pack import PACK
from isthmus.packs.flags.pages.ofrep import Ofrep
from isthmus.packs.flags.rules.evaluation import CompiledFlag, Snapshot
from isthmus.packs.flags.service.store import FlagStore

Row = dict[str, Any]
EVALUATIONS = 20_000
FLAGS = 50
REQUESTS = 2_000
CONNECTIONS = 8
AIM_US = 5.0
AIM_PER_S = 5_000
CONTEXT = {"targetingKey": "01890a5d-ac96-774b-bcce-b302099a8057", "country": "DE", "version": "2.1.0", "tier": "gold"}
RULES: dict[str, Any] = {
    "static": {},
    "share": {"fractional": [["on", 20], ["off", 80]]},
    "semver": {"if": [{"sem_ver": [{"var": "version"}, ">=", "2.0.0"]}, "on", "off"]},
    "three conditions and a share": {
        "if": [
            {
                "and": [
                    {"in": [{"var": "country"}, ["DE", "FR"]]},
                    {"sem_ver": [{"var": "version"}, ">=", "2.0.0"]},
                    {"starts_with": [{"var": "tier"}, "g"]},
                ]
            },
            {"fractional": [["on", 20], ["off", 80]]},
            "off",
        ]
    },
}


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return [
        *_evaluations(rounds),
        _bulk(rounds),
        *screen_rows(rounds),
        *_sync.rows(rounds),
        *_broadcast.rows(rounds),
    ]


def _flag(key: str, targeting: dict[str, Any]) -> api.Flag:
    return api.Flag(key=key, variants={"on": True, "off": False}, default_variant="off", targeting=targeting)


def _evaluations(rounds: int) -> list[Row]:
    found: list[Row] = []
    for name, rule in RULES.items():
        find = CompiledFlag(_flag("new-checkout", rule), {}).find
        took = statistics.median(_timed(find) for _ in range(rounds))
        found.append(
            {
                "name": f"a flag, {name}",
                "value": took,
                "unit": "µs",
                "against": "",
                "ratio": None,
                "aim": f"≤ {AIM_US:g} µs",
                "met": took <= AIM_US,
            }
        )
    return found


def _timed(find: Callable[[Any], object]) -> float:
    began = time.thread_time()
    for _ in range(EVALUATIONS):
        find(CONTEXT)
    return (time.thread_time() - began) / EVALUATIONS * 1e6


def _bulk(rounds: int) -> Row:
    rates = [_rate() for _ in range(rounds)]
    value = statistics.median(rates)
    return {
        "name": f"all of {FLAGS} flags over HTTP",
        "value": value,
        "unit": "/s of one core",
        "against": "",
        "ratio": None,
        "aim": f"≥ {AIM_PER_S:,}/s",
        "met": value >= AIM_PER_S,
    }


def _rate() -> float:
    """Return how many bulk evaluations a second of the server thread's processor time gives."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(_app(), lifespan="off", log_level="warning", access_log=False))
    thread = threading.Thread(target=lambda: uvloop.run(server.serve([listening])))  # as a server's process does
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = listening.getsockname()[1]
    clock = time.pthread_getcpuclockid(cast(int, thread.ident))
    try:
        asyncio.run(_asked(port, REQUESTS // 10))
        began = time.clock_gettime(clock)
        asyncio.run(_asked(port, REQUESTS))
        return REQUESTS / (time.clock_gettime(clock) - began)
    finally:
        server.should_exit = True
        thread.join()


async def _asked(port: int, requests: int) -> None:
    body = b'{"context":{"targetingKey":"%06d","country":"DE","version":"2.1.0","tier":"gold"}}'
    head = b"POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: %d\r\n\r\n"

    async def ask(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, requests, CONNECTIONS):
            said = body % number
            writer.write(head % len(said) + said)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()

    await asyncio.gather(*(ask(one) for one in range(CONNECTIONS)))


def _app() -> Ofrep:
    front_end = FrontEnd(code="bench", name="Bench", owner="bench", uses=("flags.*",))
    platform = Platform(Registry().add(PACK, front_end).freeze(), cast(Any, None))
    store = FlagStore(cast(Any, None))
    kinds = list(RULES.values())
    flags = [_flag(f"flag-{number:02}", kinds[number % len(kinds)]) for number in range(FLAGS)]
    store._snapshots["bench"] = Snapshot("bench", 1, "0" * 64, flags)
    store._is_following = True
    caller = Caller(front_end="bench", client="app")
    client = SimpleNamespace(front_end=caller.front_end, name=caller.client, scopes=None, may=lambda name: True)

    async def admit(key: bytes | None) -> Any:
        return client

    door = Door(admit=cast("Callable[[bytes | None], Awaitable[Any]]", admit), closing=asyncio.Event)
    return Ofrep(platform, store, door)
