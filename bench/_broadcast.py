"""A message to many: how fast it is queued against the same rows written by hand, and what it takes to push it.

The second is measured on servers of which the first is killed half way: each is a process of its own, and so is what
they push to. Times of processors are those of the servers and of PostgreSQL, so that other work on the machine does
not count. `ISTHMUS_BENCH_DEVICES` and `ISTHMUS_BENCH_PUSHED` say for how many devices.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import threading
import time
from array import array
from asyncio.subprocess import PIPE
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import psutil

from bench import _shop as shop
from bench._clock import Clock
from bench._pusher import CALLER, platform_on, pusher
from isthmus.kernel import Platform
from isthmus.packs.messaging import api
from isthmus.packs.messaging.pack import PACK
from isthmus.store import Database, MigrationSource, migrate

Row = dict[str, Any]
DEVICES = int(os.environ.get("ISTHMUS_BENCH_DEVICES", "50000"))
PUSHED = int(os.environ.get("ISTHMUS_BENCH_PUSHED", "4000"))
AIM_RATIO = 2.0  # what a campaign may take of the time that its bare rows take
LATER_S = 180  # by then what a killed server had taken is due again
DRAFT = api.Draft(purpose="service", title="Ripe now", body="Apricots from the valley", link="/fruit")

READERS = """
    insert into messaging.reader (front_end, member_id, zone)
    select 'bench', md5(n::text)::uuid, 'UTC' from generate_series(1, $1::int) n"""
ENDPOINTS = """
    insert into messaging.endpoint (front_end, endpoint_id, member_id, kind, address, p256dh, auth, device_id)
    select 'bench', md5('e' || n)::uuid, md5(n::text)::uuid, 'web', $2 || n, $3, $4, ''
    from generate_series(1, $1::int) n"""
FOLLOWERS = """
    insert into messaging.topic_reader (front_end, topic, member_id)
    select 'bench', 'fruit', md5(n::text)::uuid from generate_series(1, $1::int) n"""
BY_HAND = (
    """insert into messaging.message (front_end, message_id, member_id, campaign_id, purpose, collapse_key, expires_at,
           made_at)
       select 'bench', gen_random_uuid(), member_id, $1, 'service', '', now() + interval '1 day', now()
       from messaging.reader""",
    """insert into messaging.delivery (front_end, message_id, endpoint_id, campaign_id, due_at)
       select 'bench', m.message_id, e.endpoint_id, $1, now()
       from messaging.message m join messaging.endpoint e using (front_end, member_id) where m.campaign_id = $1""",
)


@dataclass
class PushService:
    """A push service of this machine, in a thread of its own: it takes everything, and counts it by device."""

    devices: int
    counts: array[int] = field(init=False)
    taken: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self.counts = array("I", bytes(4 * (self.devices + 1)))
        is_there = threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._take, "127.0.0.1", 0, backlog=500)
            self.port = server.sockets[0].getsockname()[1]
            is_there.set()
            await server.serve_forever()

        threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
        is_there.wait()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.partition(b":")[2]))
                self.counts[int(head.split(b" ", 2)[1][1:])] += 1
                self.taken += 1
                writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What came of a broadcast of which the server was killed half way, and how long processors took for a device."""

    at_the_kill: int  # pushes
    missed: int
    twice: int
    seconds: float
    server_us: float
    database_us: float


def rows(rounds: int) -> list[Row]:
    """Measure and return the table's rows."""
    return asyncio.run(_measured(rounds))


async def _measured(rounds: int) -> list[Row]:
    service = PushService(max(DEVICES, PUSHED))
    async with shop.database("broadcast") as url:
        await stocked(url, DEVICES, service.port)
        async with await Database.open(url) as database:
            platform = platform_on(database, pusher())
            found = [await _round(platform, url) for _ in range(rounds)]
    async with shop.database("broadcast_killed") as url:
        await stocked(url, PUSHED, service.port)
        pushed = await broadcast(url, service, PUSHED)
    queued, by_hand = (statistics.median(one[at] for one in found) for at in (0, 1))
    took = pushed.server_us + pushed.database_us
    return [
        {
            "name": f"a broadcast to {DEVICES:,} devices, queued",
            "value": queued,
            "unit": "µs of processors each",
            "against": f"{by_hand:.0f} µs, the rows by hand",
            "ratio": queued / by_hand,
            "aim": f"≤ {AIM_RATIO:g}×",
            "met": queued / by_hand <= AIM_RATIO,
        },
        {
            "name": f"a broadcast to {PUSHED:,} devices, killed after {pushed.at_the_kill:,}, and gone on with",
            "value": took,
            "unit": "µs of processors each",
            "against": f"{pushed.server_us:.0f} a server, {pushed.database_us:.0f} PostgreSQL; {pushed.twice} twice",
            "ratio": None,
            "aim": "nobody is missed",
            "met": pushed.missed == 0,
        },
        {
            "name": "a million devices at that",
            "value": took,  # µs each, so seconds for a million
            "unit": "s of processors",
            "against": f"{pushed.seconds:.0f} s by the clock for {PUSHED:,} here",
            "ratio": None,
            "aim": "",
            "met": None,
        },
    ]


async def stocked(url: str, devices: int, port: int) -> None:
    """Put down members with a browser each, who all follow a topic."""
    await migrate(url, [MigrationSource.of_pack("messaging", PACK.migrations)])
    connection = await asyncpg.connect(url)
    await connection.execute(READERS, devices, timeout=600)
    address, key = f"http://127.0.0.1:{port}/", pusher().public_key()
    await connection.execute(ENDPOINTS, devices, address, key, "c2l4dGVlbiBieXRlcyAgIQ", timeout=600)
    await connection.execute(FOLLOWERS, devices, timeout=600)
    await connection.execute("analyze")
    await connection.close()


async def broadcast(url: str, service: PushService, devices: int) -> Broadcast:
    """Have servers say something to all devices; kill the first half way, with what it is pushing just then."""
    async with await Database.open(url) as database:
        ask = api.StartCampaign(name="ripe", draft=DRAFT, topic="fruit")
        await platform_on(database, pusher()).call(api.start_campaign, ask, CALLER)
        began = time.perf_counter()
        first = await _server(url, 0)
        clock = await Clock.started(url)
        while service.taken < devices / 2:
            assert first.returncode is None, "it ended before it was killed"
            await asyncio.sleep(0.005)
        at_the_kill, server_s, database_s = service.taken, _took(first.pid), (await clock.stopped()).database
        first.kill()
        await first.wait()
        clock = await Clock.started(url)
        second = await _server(url, LATER_S)
        assert second.stdout is not None
        said = await second.stdout.readline()
        assert said == b"done\n", "it ended before all was pushed"
        server_s, database_s = server_s + _took(second.pid), database_s + (await clock.stopped()).database
        await second.communicate(b"")
        seconds = time.perf_counter() - began
    counts = service.counts[1 : devices + 1]
    each = 1e6 / devices
    return Broadcast(
        at_the_kill=at_the_kill,
        missed=sum(one == 0 for one in counts),
        twice=sum(one > 1 for one in counts),
        seconds=seconds,
        server_us=server_s * each,
        database_us=database_s * each,
    )


async def _server(url: str, later_s: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench._pusher", url, str(later_s), stdin=PIPE, stdout=PIPE
    )


def _took(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def _round(platform: Platform, url: str) -> tuple[float, float]:
    """Return how long processors take to queue a campaign for a device, and to write its rows by hand, in µs."""
    clock = await Clock.started(url)
    made = await platform.call(api.start_campaign, api.StartCampaign(name="ripe", draft=DRAFT), CALLER)
    while (await platform.call(api.run_campaigns, api.RunCampaigns(), CALLER)).is_more:
        pass
    took = await clock.stopped()
    connection = await asyncpg.connect(url)
    queued = await connection.fetchval(
        "select count(*) from messaging.delivery where campaign_id = $1", made.campaign_id
    )
    assert queued == DEVICES, queued
    other = await connection.fetchval(
        "insert into messaging.campaign (front_end, name, purpose, title, body, link, collapse_key, ttl_hours, author,"
        " state) values ('bench', 'x', 'service', 'x', '', '', '', 24, 'x', 'queued') returning campaign_id"
    )
    clock = await Clock.started(url)
    async with connection.transaction():
        for sql in BY_HAND:
            await connection.execute(sql, other)
    by_hand = await clock.stopped()
    await connection.execute("truncate messaging.delivery, messaging.message")
    await connection.close()
    queued_us, by_hand_us = ((one.own + one.database) / DEVICES * 1e6 for one in (took, by_hand))
    return queued_us, by_hand_us
