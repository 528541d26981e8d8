"""Periodic work: letting orders run out, pruning, collecting. One loop a process, one task a job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from isthmus.kernel import errors

log = logging.getLogger("isthmus.runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """Something to do every so often; it must be safe to run in several processes at once."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


async def keep_running(jobs: Sequence[Periodic]) -> None:
    """Run all jobs, each at its own pace, until cancelled; one that fails is logged and tried again in time."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_repeat(job), name=job.name)


async def _repeat(job: Periodic) -> None:
    while True:
        try:
            await job.run()
        except errors.IsthmusError as error:  # it says what is wrong and what to do; a fault has a place to look at
            shown = error if isinstance(error, errors.Fault) else None
            log.error("%s failed; it runs again in %g s: %s", job.name, job.every_s, error, exc_info=shown)
        except Exception:
            log.exception("%s failed; it runs again in %g s", job.name, job.every_s)
        await asyncio.sleep(job.every_s)
