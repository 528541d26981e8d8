"""Periodic work: what fails is said once a run, with what to do, and is tried again."""

from __future__ import annotations

import asyncio
import logging

import pytest

from isthmus.kernel import errors
from isthmus.runtime.schedule import Periodic, keep_running
from tests.waiting import until

AWAY = errors.Unavailable("the provider is away", remedy="start it")


@pytest.mark.parametrize(
    ("error", "has_trace"),
    [
        (AWAY, False),
        (
            ExceptionGroup(
                "shop.look failed at 2 front ends", [AWAY, errors.Unavailable("so is the bank", remedy="wait")]
            ),
            False,
        ),
        (ExceptionGroup("shop.look failed at 2 front ends", [AWAY, RuntimeError("unforeseen")]), True),
        (errors.Fault("a defect", remedy="fix it"), True),
        (RuntimeError("unforeseen"), True),
    ],
    ids=["unavailable", "two of them", "one of two unforeseen", "fault", "unforeseen"],
)
async def test_a_job_that_fails_runs_again_and_only_a_defect_is_logged_with_its_trace(
    error: Exception, has_trace: bool, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(len(runs))
        raise error

    async def ran_again() -> bool:
        return len(runs) > 1

    with caplog.at_level(logging.ERROR):
        running = asyncio.create_task(keep_running([Periodic(name="shop.look", every_s=0.01, run=work)]))
        await until(ran_again, "that it runs again")
        running.cancel()
    first = caplog.records[0]
    assert "shop.look failed; it runs again in 0.01 s" in first.getMessage()
    assert bool(first.exc_info) is has_trace
    if not has_trace:
        assert "the provider is away; start it" in first.getMessage()
