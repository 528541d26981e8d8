"""A message to many: how fast it is queued against the same rows written by hand, and how fast it is pushed."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from typing import Any

import asyncpg

from bench import _shop as shop
from isthmus.kernel import Caller, FrontEnd, Platform, Registry
from isthmus.manifest.public_calls import Caller as PublicCaller
from isthmus.packs.messaging import api
from isthmus.packs.messaging.pack import PACK
from isthmus.packs.messaging.service.pushers import Pushers
from isthmus.packs.messaging.service.web import WebPusher
from isthmus.store import Database, MigrationSource, migrate

Row = dict[str, Any]
DEVICES = int(os.environ.get("ISTHMUS_BENCH_DEVICES", "50000"))
PUSHED = 2_000
AIM_RATIO = 2.0  # what a campaign may take of the time that its bare rows take
CALLER = Caller(front_end="bench", client="bench")
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


def rows(rounds: int) -> list[Row]:
    """Measure and return the table's rows."""
    return asyncio.run(_measured(rounds))


async def _measured(rounds: int) -> list[Row]:
    async with shop.database("broadcast") as url:
        await migrate(url, [MigrationSource.of_pack("messaging", PACK.migrations)])
        async with await Database.open(url) as database:
            front_end = FrontEnd(code="bench", name="Bench", owner="bench", uses=("messaging.*",))
            platform = Platform(Registry().add(PACK, front_end).freeze(), database)
            answering = await asyncio.start_server(_take, "127.0.0.1", 0)
            web = WebPusher(_key, "mailto:ops@example.org", PublicCaller(_networks()))
            resources: dict[type, object] = {Pushers: Pushers([web], api.MessagingSettings())}
            platform.resources = resources
            await _stocked(url, f"http://127.0.0.1:{answering.sockets[0].getsockname()[1]}/")
            found = [await _round(platform, url) for _ in range(rounds)]
            pushed = await _pushed(platform, url)
            await web.close()
            answering.close()
    queued, by_hand = (statistics.median(one[at] for one in found) for at in (0, 1))
    return [
        {
            "name": f"a broadcast to {DEVICES:,} devices, queued",
            "value": queued,
            "unit": "devices/s",
            "against": f"{by_hand:,.0f}/s, the rows by hand",
            "ratio": by_hand / queued,
            "aim": f"≤ {AIM_RATIO:g}×",
            "met": by_hand / queued <= AIM_RATIO,
        },
        {
            "name": "web pushes, encrypted and sent",
            "value": pushed,
            "unit": "/s of one process",
            "against": "",
            "ratio": None,
            "aim": "",
            "met": None,
        },
    ]


async def _stocked(url: str, address: str) -> None:
    web = WebPusher(_key, "mailto:ops@example.org", PublicCaller(()))
    connection = await asyncpg.connect(url)
    await connection.execute(READERS, DEVICES)
    await connection.execute(ENDPOINTS, DEVICES, address, web.public_key(), "c2l4dGVlbiBieXRlcyAgIQ")
    await connection.execute("analyze")
    await connection.close()


async def _round(platform: Platform, url: str) -> tuple[float, float]:
    """Return how many devices a second a campaign is queued for, and how many rows a second are written by hand."""
    began = time.perf_counter()
    made = await platform.call(api.start_campaign, api.StartCampaign(name="ripe", draft=DRAFT), CALLER)
    while (await platform.call(api.run_campaigns, api.RunCampaigns(), CALLER)).is_more:
        pass
    took = time.perf_counter() - began
    connection = await asyncpg.connect(url)
    queued = await connection.fetchval(
        "select count(*) from messaging.delivery where campaign_id = $1", made.campaign_id
    )
    assert queued == DEVICES, queued
    other = await connection.fetchval(
        "insert into messaging.campaign (front_end, name, purpose, title, body, link, collapse_key, ttl_hours, author,"
        " state) values ('bench', 'x', 'service', 'x', '', '', '', 24, 'x', 'queued') returning campaign_id"
    )
    began = time.perf_counter()
    async with connection.transaction():
        for sql in BY_HAND:
            await connection.execute(sql, other)
    by_hand = time.perf_counter() - began
    await connection.execute("truncate messaging.delivery, messaging.message")
    await connection.close()
    return DEVICES / took, DEVICES / by_hand


async def _pushed(platform: Platform, url: str) -> float:
    """Return how many pushes a second leave one process, that has nothing else to do."""
    connection = await asyncpg.connect(url)
    await connection.execute(FOLLOWERS, PUSHED)
    await connection.execute("analyze")
    await connection.close()
    await platform.call(api.start_campaign, api.StartCampaign(name="ripe", draft=DRAFT, topic="fruit"), CALLER)
    await platform.call(api.run_campaigns, api.RunCampaigns(), CALLER)
    began = time.perf_counter()
    ended = 0
    while ended < PUSHED:
        done = await platform.call(api.deliver, api.Deliver(limit=api.CLAIM_MAX), CALLER)
        assert done.tried, "nothing was due"
        ended += done.ended
    return PUSHED / (time.perf_counter() - began)


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).lower():
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(20_260_101, ec.SECP256R1())


def _networks() -> Any:
    import ipaddress

    return (ipaddress.ip_network("127.0.0.0/8"),)
