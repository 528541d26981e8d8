"""Periodic work of one server: what the platform does for itself, and the jobs that packs bring."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from isthmus.governance import served as served_contracts
from isthmus.governance.contracts import contracts_of
from isthmus.kernel import Caller, Platform
from isthmus.manifest import Job, brought
from isthmus.runtime import left_flows
from isthmus.runtime.events import dead_letters
from isthmus.runtime.events.subscriptions import called
from isthmus.runtime.schedule import Periodic
from isthmus.store import prune_answers, prune_events

from .platform import HOUSEKEEPING, Running

if TYPE_CHECKING:
    from .lake_sync import LakeSync

TRAFFIC_EVERY_S: Final = 5
CONTRACTS_EVERY_S: Final = 600  # so that what was served last is known, also where two versions were served at once
PRUNE_EVERY_S: Final = 3_600
LAND_EVERY_S: Final = 60  # how far the lake is behind the business at most, when nothing is wrong
SEGMENTS_EVERY_S: Final = 900  # segments are for the next visit, not for the next click


def jobs(running: Running, lake_sync: LakeSync | None = None) -> list[Periodic]:
    """Return the periodic work of one server, for every front end of the release."""

    async def remember_contracts() -> None:
        contracts = await asyncio.to_thread(contracts_of, running.platform.release)
        await served_contracts.remember(running.database, contracts)

    async def prune() -> None:
        await prune_events(running.database)
        await prune_answers(running.database)
        await running.recorder.prune()
        await dead_letters.prune(running.database, called(running.platform.release))
        await running.traffic.prune()

    return [
        *(periodic(running.platform, job) for job in brought(running.packs, Job)),
        Periodic(
            name="left flows",
            every_s=left_flows.EVERY_S,
            run=partial(left_flows.go_on, running.platform, running.database),
        ),
        Periodic(name="contracts", every_s=CONTRACTS_EVERY_S, run=remember_contracts),
        Periodic(name="traffic", every_s=TRAFFIC_EVERY_S, run=running.traffic.keep),
        Periodic(name="prune", every_s=PRUNE_EVERY_S, run=prune),
        *_lake_jobs(lake_sync),
    ]


def periodic(platform: Platform, job: Job) -> Periodic:
    """Return a pack's job as periodic work: its capability called for each front end that may call it."""
    ask = job.calls.ask() if job.ask is None else job.ask

    async def run() -> None:
        for code, line in platform.release.lines.items():
            if job.calls.name in line.permitted:
                await platform.call(job.calls, ask, Caller(front_end=code, client=HOUSEKEEPING))

    return Periodic(name=job.name, every_s=job.when.seconds, run=run)


def _lake_jobs(lake_sync: LakeSync | None) -> list[Periodic]:
    if lake_sync is None:
        return []
    return [
        Periodic(name="land", every_s=LAND_EVERY_S, run=lake_sync.keep_up),
        Periodic(name="segments", every_s=SEGMENTS_EVERY_S, run=lake_sync.refresh_segments),
    ]
