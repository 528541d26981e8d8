"""A server of a broadcast, in a process of its own that may be killed: it queues and pushes until nothing is due.

`python -m bench._pusher URL LATER_S`: as of so many seconds later, when what a killed one had taken is due again. It
says when nothing is left, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import ipaddress
import sys
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from isthmus.kernel import Caller, FrontEnd, Platform, Registry
from isthmus.manifest.public_calls import Caller as PublicCaller
from isthmus.packs.messaging import api
from isthmus.packs.messaging.pack import PACK
from isthmus.packs.messaging.service.pushers import Pushers
from isthmus.packs.messaging.service.web import WebPusher
from isthmus.store import Database

CALLER = Caller(front_end="bench", client="bench")


def pusher() -> WebPusher:
    """Return what pushes to browsers, with a key of its own, and may call this machine."""
    key = ec.derive_private_key(20_260_101, ec.SECP256R1())
    return WebPusher(lambda: key, "mailto:ops@example.org", PublicCaller((ipaddress.ip_network("127.0.0.0/8"),)))


def platform_on(database: Database, web: WebPusher) -> Platform:
    """Return a platform with nothing but messages."""
    front_end = FrontEnd(code="bench", name="Bench", owner="bench", uses=("messaging.*",))
    platform = Platform(Registry().add(PACK, front_end).freeze(), database)
    resources: dict[type, object] = {Pushers: Pushers([web], api.MessagingSettings())}
    platform.resources = resources
    return platform


async def run(url: str, later: timedelta) -> None:
    """Queue and push until nothing is due."""
    async with await Database.open(url) as database:
        web = pusher()
        platform = platform_on(database, web)
        while True:
            now = datetime.now(UTC) + later
            queued = await platform.call(api.run_campaigns, api.RunCampaigns(batches=1), CALLER, now=now)
            done = await platform.call(api.deliver, api.Deliver(limit=api.CLAIM_MAX), CALLER, now=now)
            if not (queued.is_more or done.tried):
                break
        await web.close()
        print("done", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], timedelta(seconds=int(sys.argv[2]))))
