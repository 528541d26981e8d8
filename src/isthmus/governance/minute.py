"""What the platform costs and saves, where it is too fat, and what to do on Monday: what was measured, in short.

Every step is one that a measurement gives a reason for, the most urgent first: what people suffer from now, who waits,
who pays too much, what does not belong where it is, what could not leave. Pure, but for `gather`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from isthmus.governance import experience, silo
from isthmus.governance.cost import moved
from isthmus.governance.cost.report import Costs
from isthmus.governance.lead import report as lead_time
from isthmus.governance.thin import report as thinness
from isthmus.governance.thin.findings import Finding
from isthmus.kernel import Value
from isthmus.language import mark
from isthmus.store import Database

Where = Literal["experience", "thinness", "cost", "silo"]
STEPS_MAX: Final = 5  # more than that is no plan for a Monday
TAX_MAX: Final = 0.25
REUSE_MAX: Final = 0.8  # of what building alone would cost


class Act(Value):
    """One thing to do: what, why (what was measured), the page with the evidence, and the command that begins it."""

    what: str
    why: str
    where: Where
    command: str = ""


class Measured(Value):
    """What was measured last; None where it was not."""

    thin: thinness.Report | None
    lead: lead_time.Report | None
    silo: silo.Silo | None
    answers: moved.Moved | None
    met: experience.Report


async def gather(database: Database, met: experience.Report) -> Measured:
    """Return the reports that were kept last, beside what people meet now."""
    return Measured(
        thin=await thinness.last(database),
        lead=await lead_time.last(database),
        silo=await silo.last(database),
        answers=await moved.last(database),
        met=met,
    )


class Worst(Value):
    """The step with most refusals, and the slowest one: where, and how much."""

    refused: float
    where: str
    slow: int
    slow_where: str


def worst(met: experience.Report) -> Worst | None:
    """Return where people fare worst, among steps with enough calls; None where none has."""
    steps = [
        (one.front_end, step) for one in met.experiences for step in one.steps if step.calls >= experience.CALLS_MIN
    ]
    if not steps:
        return None
    refused, slow = (max(steps, key=lambda pair, by=by: getattr(pair[1], by)) for by in ("refused", "p95_us"))
    return Worst(
        refused=refused[1].refused, where=f"{refused[0]}, {refused[1].step}", slow=slow[1].p95_us,
        slow_where=f"{slow[0]}, {slow[1].step}",
    )  # fmt: skip


def monday(costs: Costs, found: Measured) -> list[Act]:
    """Return what to do, the most urgent first."""
    acts = [
        *_worse(found.met),
        *_queueing(found.lead),
        *_dear(costs),
        *_fat(found.thin),
        *_held(found.silo),
        *_unmeasured(found),
    ]
    return acts[:STEPS_MAX]


def _worse(met: experience.Report) -> Iterator[Act]:
    seen: set[str] = set()
    for one in met.changes:
        if one.worse and one.front_end not in seen and one.kind in ("deploy", "promote"):
            seen.add(one.front_end)
            yield Act(
                what=mark(f"look at the last change of {one.front_end}, and take it back if need be"),
                why=mark(f"its step {one.step} is worse since: {', '.join(one.worse)}"),
                where="experience",
            )


def _queueing(lead: lead_time.Report | None) -> Iterator[Act]:
    for one in lead.leads if lead else ():
        if one.is_queueing:
            yield Act(
                what=mark(f"let {one.front_end} ask its own question instead of waiting"),
                why=mark(f"{one.wait_days:.1f} days of its {one.changes} changes were waiting for the platform"),
                where="thinness",
                command=f"isthmus seam {one.front_end}",
            )


def _dear(costs: Costs) -> Iterator[Act]:
    if costs.bill.platform_tax > TAX_MAX:
        yield Act(
            what=mark("buy less, or let the platform do less for itself"),
            why=mark(f"{costs.bill.platform_tax:.0%} of the price is overhead, idle or shared; a quarter is enough"),
            where="cost",
        )
    for one in costs.alternatives:
        if costs.inputs.month and one.make_or_reuse is not None and one.make_or_reuse > REUSE_MAX:
            yield Act(
                what=mark(f"look whether {one.front_end} is better off alone"),
                why=mark(f"it pays {one.make_or_reuse:.0%} of what building alone would cost"),
                where="cost",
            )


def _fat(thin: thinness.Report | None) -> Iterator[Act]:
    findings = [one for one in thin.findings if not one.is_elsewhere] if thin else []
    lift = [one for one in findings if one.verdict == "lift"]
    for one in lift[:2]:
        yield Act(what=one.next, why=one.what, where="thinness", command=f"isthmus thin lift {one.name or one.where}")
    unused = [one for one in findings if one.verdict == "delete"]
    if unused:
        first = next((one for one in unused if _is_by_rule(one)), unused[0])
        yield Act(
            what=mark(f"take out what nobody needs: {len(unused)} things, one by one"),
            why=first.what,
            where="thinness",
            command=f"isthmus thin delete {first.name}" if _is_by_rule(first) else "",
        )
    if thin is not None and thin.index.value is None:
        yield Act(
            what=mark("have more calls recorded, and measure again"),
            why=mark("too little was seen to say how thin the platform is"),
            where="thinness",
            command="isthmus thin",
        )


def _is_by_rule(one: Finding) -> bool:
    """Tell whether a command takes out what nobody needs; of an answer that some have, somebody decides."""
    return one.kind != "option" and not one.next.startswith("decide:")


def _held(found: silo.Silo | None) -> Iterator[Act]:
    if found is None or not found.is_alarming or not found.terms[0].evidence:
        return
    weakest = found.terms[0]
    first = weakest.evidence[0]
    is_command = first.next.startswith("isthmus ")
    yield Act(
        what=mark(f"see whether it could leave: {first.what}") if is_command else first.next,
        why=weakest.said or first.why,
        where="silo",
        command=first.next if is_command else "",
    )


def _unmeasured(found: Measured) -> Iterator[Act]:
    commands: tuple[tuple[object, str, str, Where], ...] = (
        (found.thin, mark("measure how thin the platform is"), "isthmus thin", "thinness"),
        (found.silo, mark("measure how much of a silo it is"), "isthmus silo", "silo"),
        (found.lead, mark("measure how long changes take"), "isthmus lead-time", "thinness"),
        (found.answers, mark("measure what answers cost and move"), "isthmus answers", "cost"),
    )
    for report, what, command, where in commands:
        if report is None:
            why = mark("it was not measured yet; let a timer run it every night")
            yield Act(what=what, why=why, where=where, command=command)
