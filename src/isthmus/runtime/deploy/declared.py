"""What is wrong with what a front end declares beside its answers: subscriptions, jobs, its own events and metrics."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.data.model import front_end_events
from isthmus.data.query import front_end_data, front_end_metrics
from isthmus.kernel import FrontEnd, Pack
from isthmus.manifest import FrontEndCheck, brought, job_problems

from ..events import subscriptions


def problems_of(front_end: FrontEnd, packs: Iterable[Pack]) -> list[str]:
    """Return every problem, each with the line to write."""
    return [
        *subscriptions.problems_of(front_end),
        *job_problems(front_end),
        *front_end_events.problems_of(front_end),
        *front_end_metrics.problems_of(packs, front_end),
        *front_end_data.problems_of(packs, front_end),
        *(wrong for check in brought(packs, FrontEndCheck) for wrong in check.problems(front_end, tuple(packs))),
    ]
