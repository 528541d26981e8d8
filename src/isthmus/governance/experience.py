"""What people meet at each front end, step by step: how long it takes, who leaves, what is refused, who complains.

Told from counted calls, by what packs say of their steps, and compared before and after each change that went live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from isthmus.kernel import Value
from isthmus.kernel.host import Release
from isthmus.manifest import Step, brought
from isthmus.manifest.steps import STEPS, StepName
from isthmus.store import Database

from .counters import CallCount
from .traffic import BY_HOUR, Tallies, Traffic, together

Shares = Mapping[tuple[str, str], float]  # from 0 to 1, by front end and capability

AROUND: Final = timedelta(days=7)  # before and after a change: a week has every kind of day
CALLS_MIN: Final = 30  # in a step, before and after: fewer say nothing of a share
REASONS_MAX: Final = 5
CHANGES_MAX: Final = 20

# Of orders that were answered, the share that names what was begun: most are made at tills, where nothing begins.
_BEGUN: Final = """
    select front_end, capability, avg((story -> 'ask' ->> $2 is not null)::int)::float as share
    from (
        select front_end, capability, story from runtime.recorded_call
        where capability = any($1::text[]) and error = '' order by recorded_at desc limit 500) latest
    group by 1, 2 having count(*) >= $3"""
_CHANGES: Final = """
    select front_end, kind, made_at from runtime.switch where made_at > $1 and kind <> 'stage'
    order by made_at desc limit $2"""


class Met(Value):
    """One step at one front end. Shares are from 0 to 1, times upper bounds in microseconds, None where not known.

    left: of those who began, who did not end it. complaints: of an ended one, or of an order where the step ends none.
    """

    step: StepName
    calls: int
    p50_us: int
    p95_us: int
    refused: float
    reasons: dict[str, int]
    begun: int
    ended: int
    left: float | None
    complaints: int
    complained: float | None


class Experience(Value):
    """The steps of one front end in which something was called."""

    front_end: str
    steps: tuple[Met, ...]


class Changed(Value):
    """How a step fared before and after something went live; `worse` names what is worse for people since."""

    front_end: str
    kind: str
    at: datetime
    step: StepName
    before: Met
    after: Met
    worse: tuple[str, ...]


class Report(Value):
    """What people meet now, over 30 days, and what each change did to it."""

    at: datetime
    experiences: tuple[Experience, ...]
    changes: tuple[Changed, ...]


async def measure(database: Database, traffic: Traffic, release: Release, now: datetime) -> Report:
    """Tell every front end's steps, and each change of 30 days that enough calls lie around."""
    steps = steps_of(release)
    tallies = await traffic.of(over=BY_HOUR)
    shares = await begun_here(database, steps)
    experiences = [
        Experience(front_end=code, steps=tuple(found))
        for code in release.lines
        if (found := met(tallies, steps, code, shares))
    ]
    async with database.platform() as session:
        rows = await session.fetch(_CHANGES, now - BY_HOUR, CHANGES_MAX)
    changes: list[Changed] = []
    for row in rows:
        others = [one["made_at"] for one in rows if one["front_end"] == row["front_end"]]
        changes += await _around(traffic, steps, row["front_end"], row["kind"], row["made_at"], others, now, shares)
    return Report(at=now, experiences=tuple(experiences), changes=tuple(changes))


async def begun_here(database: Database, steps: Mapping[StepName, Step]) -> Shares:
    """Return which share of what ends a step names what was begun, as recorded calls show it."""
    found: dict[tuple[str, str], float] = {}
    async with database.platform() as session:
        for step in (one for one in steps.values() if one.by):
            for row in await session.fetch(_BEGUN, [one.name for one in step.ends], step.by, CALLS_MIN):
                found[row["front_end"], row["capability"]] = row["share"]
    return found


def steps_of(release: Release) -> dict[StepName, Step]:
    """Return each step as all packs together say it."""
    found: dict[StepName, Step] = {}
    for one in brought(release.packs.values(), Step):
        was = found.get(one.name)
        if was is None:
            found[one.name] = one
            continue
        found[one.name] = Step(
            name=one.name, calls=was.calls + one.calls, begins=was.begins + one.begins, ends=was.ends + one.ends,
            complaints=was.complaints + one.complaints, by=was.by or one.by,
        )  # fmt: skip
    return {name: found[name] for name in STEPS if name in found}


def met(tallies: Tallies, steps: Mapping[StepName, Step], front_end: str, shares: Shares) -> list[Met]:
    """Return the steps of a front end in which something was called, began, ended or was complained of.

    shares: of what ends a step with `by`, those that name what was begun, by front end and capability.
    """
    own = {capability: tally for (code, capability), tally in tallies.items() if code == front_end}
    orders = _answered(own, (one.name for one in steps["basket"].ends)) if "basket" in steps else 0
    mine = {name: share for (code, name), share in shares.items() if code == front_end}
    found = [_met(own, step, orders, mine) for step in steps.values()]
    return [one for one in found if one.calls or one.begun or one.ended or one.complaints]


def _met(own: Mapping[str, CallCount], step: Step, orders: int, shares: Mapping[str, float]) -> Met:
    names = {one.name for one in step.calls}
    whole = together({("", name): tally for name, tally in own.items() if name in names})
    refused = sum(whole.errors.values())
    begun = _called(own, (one.name for one in step.begins))
    ended = _answered(own, (one.name for one in step.ends))
    complaints = _answered(own, (one.name for one in step.complaints))
    of = ended if step.name == "deliver" else orders
    return Met(
        step=step.name,
        calls=whole.calls,
        p50_us=whole.percentile_us(0.5) if whole.calls else 0,
        p95_us=whole.percentile_us(0.95) if whole.calls else 0,
        refused=refused / whole.calls if whole.calls else 0.0,
        reasons=dict(whole.errors.most_common(REASONS_MAX)),
        begun=begun,
        ended=ended,
        left=_left(own, step, begun, ended, shares),
        complaints=complaints,
        complained=complaints / of if of else None,
    )


def _left(
    own: Mapping[str, CallCount], step: Step, begun: int, ended: int, shares: Mapping[str, float]
) -> float | None:
    """Return the share of who began and did not end; None where that is not known."""
    if not step.ends or not begun:
        return None
    if not step.by:
        return 1 - ended / begun if begun >= ended else None
    known = [one.name for one in step.ends if one.name in own]
    if any(name not in shares for name in known):
        return None
    return max(0.0, 1 - sum(_answered(own, [name]) * shares[name] for name in known) / begun)


def _called(own: Mapping[str, CallCount], names: Iterable[str]) -> int:
    return sum(own[name].calls for name in names if name in own)


def _answered(own: Mapping[str, CallCount], names: Iterable[str]) -> int:
    found = [own[name] for name in names if name in own]
    return sum(one.calls - sum(one.errors.values()) for one in found)


async def _around(
    traffic: Traffic,
    steps: Mapping[StepName, Step],
    front_end: str,
    kind: str,
    at: datetime,
    others: Sequence[datetime],
    now: datetime,
    shares: Shares,
) -> list[Changed]:
    """Compare whole hours before and after a change, up to the changes beside it; its own hour has both in it."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    begin = max([at - AROUND, *(other for other in others if other < at)])
    end = min([at + AROUND, now, *(other for other in others if other > at)])
    before = await traffic.of(front_end=front_end, since=begin, until=hour)
    after = await traffic.of(front_end=front_end, since=hour, until=end)
    was = {one.step: one for one in met(before, steps, front_end, shares)}
    return [
        Changed(
            front_end=front_end, kind=kind, at=at, step=one.step, before=was[one.step], after=one,
            worse=tuple(worse(was[one.step], one)),
        )
        for one in met(after, steps, front_end, shares)
        if one.step in was and min(one.calls, was[one.step].calls) >= CALLS_MIN
    ]  # fmt: skip


def worse(before: Met, after: Met) -> Iterator[str]:
    """Name what is worse by more than chance would make it: two standard errors, or twice the time."""
    if after.p95_us > 2 * before.p95_us:
        yield "slower"
    shares = (
        ("refused more", before.refused, before.calls, after.refused, after.calls),
        ("left more", before.left, before.begun, after.left, after.begun),
        ("complained of more", before.complained, before.calls, after.complained, after.calls),
    )
    for name, was, of, now, of_now in shares:
        if was is not None and now is not None and _is_more(was, of, now, of_now):
            yield name


def _is_more(was: float, of: int, now: float, of_now: int) -> bool:
    share = (was * of + now * of_now) / (of + of_now)
    spread = (max(0.0, share * (1 - share)) * (1 / of + 1 / of_now)) ** 0.5
    return now - was > 2 * spread and now > was


def refusals(found: Experience) -> Counter[str]:
    """Return what a front end's people were refused most, over all steps."""
    return sum((Counter(one.reasons) for one in found.steps), Counter[str]())


def text(report: Report) -> Iterator[str]:
    """Return what people meet in lines."""
    if not report.experiences:
        yield "nothing was called in 30 days"
    for one in report.experiences:
        yield one.front_end
        for step in one.steps:
            yield f"  {step.step}: {said_of(step)}"
    for one in report.changes:
        at = f"{one.at:%Y-%m-%d %H:%M}"
        yield f"{one.front_end} since {one.kind} of {at}, {one.step}: {', '.join(one.worse) or 'no worse'}"
        yield f"  before: {said_of(one.before)}"
        yield f"  after: {said_of(one.after)}"


def said_of(one: Met) -> str:
    """Return a step in a sentence."""
    parts = [f"{one.calls:,} calls"]
    if one.calls:
        parts.append(f"half within {one.p50_us / 1_000:g} ms, 95 of 100 within {one.p95_us / 1_000:g} ms")
        why = ", ".join(f"{slug} {times}" for slug, times in one.reasons.items())
        parts.append(f"{one.refused:.1%} refused" + (f" ({why})" if why else ""))
    if one.left is not None:
        parts.append(f"{one.left:.1%} of {one.begun:,} left")
    if one.complaints:
        parts.append(f"{one.complaints:,} complaints" + (f" ({one.complained:.1%})" if one.complained else ""))
    return "; ".join(parts)
