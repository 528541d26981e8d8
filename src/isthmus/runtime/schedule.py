"""Periodic work: letting orders run out, pruning, collecting. One loop a process, one task a job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

from isthmus.kernel import errors

log = logging.getLogger("isthmus.runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """Something to do every so often, first `after_s` after the start; safe to run in several processes at once."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]
    after_s: float = 0


async def keep_running(jobs: Sequence[Periodic]) -> None:
    """Run all jobs, each at its own pace, until cancelled; one that fails is logged and tried again in time."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_repeat(job), name=job.name)


async def _repeat(job: Periodic) -> None:
    if job.after_s:
        await asyncio.sleep(job.after_s)
    while True:
        try:
            await job.run()
        except Exception as error:
            shown = None if _is_known(error) else error
            log.error("%s failed; it runs again in %g s: %s", job.name, job.every_s, _said(error), exc_info=shown)
        await asyncio.sleep(job.every_s)


def _is_known(error: Exception) -> bool:
    """Return whether an error says what to do; a fault, and what nobody foresaw, has a place to look at instead."""
    return all(isinstance(one, errors.IsthmusError) and not isinstance(one, errors.Fault) for one in _parts(error))


def _said(error: Exception) -> str:
    return "; ".join(str(one) for one in _parts(error))


def _parts(error: Exception) -> tuple[Exception, ...]:
    """Return what failed at each front end, where a job runs for many."""
    return cast(ExceptionGroup[Exception], error).exceptions if isinstance(error, ExceptionGroup) else (error,)
