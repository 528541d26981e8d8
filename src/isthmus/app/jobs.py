"""Periodic work of one server: what the platform does for itself, and the jobs that packs bring."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from isthmus.governance import served as served_contracts
from isthmus.governance.contracts import contracts_of
from isthmus.governance.cost.used import ProcessTime
from isthmus.kernel import Caller, Platform, errors
from isthmus.manifest import Every, Job, Upkeep, brought
from isthmus.runtime import left_flows
from isthmus.runtime.events import dead_letters, timers
from isthmus.runtime.events.contracts import EventContracts
from isthmus.runtime.events.subscriptions import called
from isthmus.runtime.schedule import Periodic
from isthmus.store import Database, know_streams, prune_answers, prune_events

from .platform import HOUSEKEEPING, Running

if TYPE_CHECKING:
    from .lake_sync import LakeSync

log = logging.getLogger("isthmus.app")
TRAFFIC_EVERY_S: Final = 5
CONTRACTS_EVERY_S: Final = 600  # so that what was served last is known, also where two versions were served at once
PROCESS_TIME_EVERY_S: Final = 60  # how fine the busiest minutes are seen
TIMERS_EVERY_S: Final = 5  # how late a job at its time starts at most
PRUNE_EVERY_S: Final = 3_600
JOBS_AFTER_S: Final = 1  # a server that has just started answers first
LAND_EVERY_S: Final = 60  # how far the lake is behind the business at most, when nothing is wrong
SEGMENTS_EVERY_S: Final = 900  # segments are for the next visit, not for the next click
_WAITS: Final = "%s of %s waits: %s; it is tried every %g s, and the next word of it is that it goes on"


def jobs(running: Running, lake_sync: LakeSync | None = None) -> list[Periodic]:
    """Return the periodic work of one server, for every front end of the release."""

    process_time = ProcessTime(running.database)

    async def remember_contracts() -> None:
        contracts = await asyncio.to_thread(contracts_of, running.platform.release)
        await served_contracts.remember(running.database, contracts)
        await know_streams(running.database, [*EventContracts(lambda: running.platform.release).streams()])

    async def run_timers() -> None:
        await timers.tick(running.database, timers.timed(running.platform.release), datetime.now(UTC))

    async def prune() -> None:
        await prune_events(running.database)
        await prune_answers(running.database)
        await running.recorder.prune()
        await dead_letters.prune(running.database, called(running.platform.release))
        await running.traffic.prune()
        await process_time.prune()

    return [
        *(
            periodic(running.platform, running.database, job)
            for job in brought(running.packs, Job)
            if isinstance(job.when, Every)
        ),
        *(
            Periodic(name=one.name, every_s=one.every_s, run=partial(one.run, running.resource(one.of)))
            for one in brought(running.packs, Upkeep)
        ),
        Periodic(name="timers", every_s=TIMERS_EVERY_S, run=run_timers),
        Periodic(
            name="left flows",
            every_s=left_flows.EVERY_S,
            run=partial(left_flows.go_on, running.platform, running.database),
        ),
        Periodic(name="contracts", every_s=CONTRACTS_EVERY_S, run=remember_contracts),
        Periodic(name="traffic", every_s=TRAFFIC_EVERY_S, run=running.traffic.keep),
        Periodic(name="process time", every_s=PROCESS_TIME_EVERY_S, run=process_time.note),
        Periodic(name="prune", every_s=PRUNE_EVERY_S, run=prune),
        *_exit_jobs(running),
        *_lake_jobs(lake_sync),
    ]


def periodic(platform: Platform, database: Database, job: Job) -> Periodic:
    """Return a pack's job as periodic work: its capability called for each front end that may call it.

    What is away, as a venture that does not run, is said when that begins and when it is back; each run is noted.
    """
    if not isinstance(job.when, Every):
        raise errors.Fault(f"{job.name} has its own time", remedy="runtime.events.timers runs it")
    every_s, waiting = job.when.seconds, set[str]()

    async def run() -> None:
        failed = list[Exception]()
        for code, line in platform.release.lines.items():
            if job.calls.name not in line.permitted:
                continue
            caller = Caller(front_end=code, client=HOUSEKEEPING, via="job")
            try:
                await _noted(database, code, job, platform.call(job.calls, job.asked(), caller))
            except errors.Unavailable as away:
                if code not in waiting:
                    waiting.add(code)
                    log.warning(_WAITS, job.name, code, away, every_s)
            except Exception as error:  # those after it have nothing to do with it
                failed.append(error)
            else:
                if code in waiting:
                    waiting.remove(code)
                    log.warning("%s of %s goes on", job.name, code)
        if failed:
            raise ExceptionGroup(f"{job.name} failed at {len(failed)} front ends", failed)

    return Periodic(name=job.name, every_s=every_s, run=run, after_s=JOBS_AFTER_S)


async def _noted(database: Database, code: str, job: Job, run: Awaitable[object]) -> None:
    """Wait for a run and write down what came of it. Raises what it raises."""
    failed: Exception | None = None
    try:
        await run
    except Exception as error:
        failed = error
        raise
    finally:
        async with database.platform() as session:
            await timers.note_run(session, code, job.name, failed)


def _exit_jobs(running: Running) -> list[Periodic]:
    if not running.config.exit_days:
        return []
    from . import exits  # here: few servers exercise any

    return [Periodic(name="exits", every_s=exits.EVERY_S, run=partial(exits.try_next_exit, running))]


def _lake_jobs(lake_sync: LakeSync | None) -> list[Periodic]:
    if lake_sync is None:
        return []
    return [
        Periodic(name="land", every_s=LAND_EVERY_S, run=lake_sync.keep_up),
        Periodic(name="questions", every_s=LAND_EVERY_S, run=lake_sync.ask_due),
        Periodic(
            name="segments",
            every_s=SEGMENTS_EVERY_S,
            run=lake_sync.refresh_segments,
            after_s=LAND_EVERY_S,  # what DuckDB takes to load is not taken from the first calls
        ),
    ]
