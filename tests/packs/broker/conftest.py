"""A real NATS server with JetStream, and a desk whose events it carries."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import nats
import pytest
from nats.aio.client import Client

from isthmus.app.outlets import LeavingEvents
from isthmus.kernel import Caller, Context, Effect, FrontEnd, Pack, Platform, Value, capability, event, implements
from isthmus.manifest import Place
from isthmus.markings import Pii
from isthmus.packs.broker.pack import PACK
from isthmus.packs.broker.service.jetstream import Broker, BrokerSettings
from isthmus.store import Database
from tests import debian
from tests.packs.conftest import MakePlatform
from tests.waiting import PATIENCE_S

MISSING = "the broker was NOT tried: no nats-server is here; on Debian, apt-get install nats-server"
STARTS_WITHIN_S = 60


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


desk_api = ModuleType("desk_api", "Says things.")
desk_api.say, desk_api.Said = say, Said  # type: ignore[attr-defined]
DESK = Pack(name="desk", owner="desk team", api=desk_api, service=(sys.modules[__name__],))
NORTH = FrontEnd(code="north", name="north", owner="north", uses=("desk.*", "broker.*"))
SOUTH = FrontEnd(code="south", name="south", owner="south", uses=("desk.*",))


class Server:
    """A NATS server of this machine, which can be stopped and started again with what it stored."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._port = -1
        self._running: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        log = self._folder / "log"
        log.unlink(missing_ok=True)
        self._running = subprocess.Popen(
            [self._program, "-js", "-sd", self._folder, "-a", "127.0.0.1", "-p", str(self._port), "-l", log],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ends = time.monotonic() + STARTS_WITHIN_S
        while not (log.exists() and "Server is ready" in log.read_text()):
            assert time.monotonic() < ends, log.read_text() if log.exists() else "no log"
            time.sleep(0.02)
        found = re.search(r"client connections on 127\.0\.0\.1:(\d+)", log.read_text())
        assert found is not None
        self._port = int(found[1])

    def stop(self) -> None:
        assert self._running is not None
        self._running.kill()
        self._running.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = shutil.which("nats-server")
    if program is None and debian.install("nats-server"):
        program = shutil.which("nats-server")
    if program is None:
        pytest.skip(MISSING)
    server = Server(program, tmp_path_factory.mktemp("nats"))
    yield server
    server.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """Give a client from outside, on a broker without any stream."""
    client = await nats.connect(server.url)
    stream = client.jetstream()
    for one in await stream.streams_info():
        await stream.delete_stream(one.config.name or "")
    yield client
    with suppress(Exception):
        await client.close()


class Desk:
    """The platform, and the broker that one server process runs."""

    def __init__(self, platform: Platform, database: Database) -> None:
        self.platform, self.database = platform, database

    async def say(self, *names: str, front_end: str = "north") -> None:
        for name in names:
            await self.platform.call(say, Say(name=name), Caller(front_end=front_end, client="till"))

    def broker(self, settings: BrokerSettings) -> Broker:
        return Broker(Place(database=self.database, settings=settings))

    @asynccontextmanager
    async def carrying(self, settings: BrokerSettings) -> AsyncIterator[asyncio.Task[None]]:
        """Run it as a server does as long as a block runs: what fails is started again."""

        async def run() -> None:
            while True:
                with suppress(Exception):
                    await self.broker(settings).run(LeavingEvents(self.platform, self.database))
                await asyncio.sleep(0.05)

        working = asyncio.create_task(run())
        try:
            yield working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def emitted(self, kind: str) -> list[Any]:
        async with self.database.platform() as session:
            await session.execute("select isthmus.collect(1000)")
            rows = await session.fetch(
                "select front_end, data from isthmus.event where type = $1 order by position", kind
            )
        return [(row["front_end"], json.loads(bytes(row["data"]))) for row in rows]


@pytest.fixture
async def desk(make_platform: MakePlatform) -> Desk:
    platform = await make_platform(PACK, DESK, NORTH, SOUTH)
    database: Any = platform.store
    return Desk(platform, database)


async def stored(client: Client, count: int, subject: str = "isthmus.>", stream: str = "ISTHMUS") -> list[Any]:
    """Return so many messages of a stream, in their order, as an outside consumer reads them."""
    context = client.jetstream()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(Exception):
                if (await context.stream_info(stream)).state.messages >= count:
                    break
            await asyncio.sleep(0.02)
        waiting = await context.subscribe(subject, stream=stream, ordered_consumer=True)
        found = [await waiting.next_msg(timeout=PATIENCE_S) for _ in range(count)]
        await waiting.unsubscribe()
        return found
