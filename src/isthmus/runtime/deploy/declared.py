"""What is wrong with what a front end declares beside its answers: subscriptions, jobs, its own events and metrics."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from isthmus.data.model import front_end_events
from isthmus.data.query import front_end_data, front_end_metrics
from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.kernel.host import Answer, CompiledFrontEnd
from isthmus.manifest import FrontEndCheck, Rehearsal, brought, job_problems

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


def check_here(front_end: FrontEnd, packs: Iterable[Pack]) -> None:
    """Raise BadAsk where a version that others may run does not fit what this server has, such as its policies."""
    known = tuple(packs)
    asked = (one for one in brought(known, FrontEndCheck) if one.is_of_each_server)
    if wrong := [problem for one in asked for problem in one.problems(front_end, known)]:
        raise errors.BadAsk(
            f"this version of {front_end.code!r} does not fit this server: {'; '.join(wrong)}",
            remedy="give this server what the others have, or deploy a version that fits all",
        )


def rehearsed(line: CompiledFrontEnd, packs: Iterable[Pack]) -> Iterator[str]:
    """Ask what packs want to be tried before a front end is deployed, and yield what is wrong with its answers."""
    for one in brought(packs, Rehearsal):
        found = (node.candidates.get(one.point) for node in line.nodes)
        named = {name for candidates in found if candidates for answer in candidates.answers for name in answer.when}
        names = sorted({known.name for known in one.point.dimensions} | named)
        values = [line.dimensions[name].values for name in names]
        boxes = (line.plan(dict(zip(names, chosen, strict=True))) for chosen in itertools.product(*values))
        answered = dict.fromkeys(answer for plan in boxes for answer in plan.find(one.point))
        for answer in answered:
            yield from itertools.islice(_wrong_with(answer, one), 1)  # the others are most likely wrong alike


def _wrong_with(answer: Answer, rehearsal: Rehearsal) -> Iterator[str]:
    for sample in rehearsal.samples:
        try:
            wrong = rehearsal.check(answer(*sample))
        except Exception as error:
            wrong = f"it raised {error!r}"
        if wrong:
            asked = f"{sample!r:.100}"
            yield f"{answer.label} ({answer.source}) answers {rehearsal.point.name!r} wrongly: {wrong}; asked {asked} …"
