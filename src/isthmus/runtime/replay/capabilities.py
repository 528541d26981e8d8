"""Run recorded calls again, whole, by two versions on the same state: which answers change?

Each call runs inside one transaction: by the old version, the new one and, where they differ, the old one again, each
under a savepoint that is rolled back. So all three meet the same rows, nothing stays, and no event leaves. What the old
version answers otherwise the second time is noise, and so is what others changed meanwhile. Time and ids are those of
the recording; a write has ids of its own, the same in all three runs, since the rows of the recorded call are there.

A call whose effects have happened (the stock is sold, the member registered) is refused by both versions, or answered
without a question. What it had asked when it was recorded is asked again then, of both; of one that had asked nothing,
nothing is proved.

A run's rows are locked until its savepoint is rolled back. Constraints that are checked at the commit only
are not. Calls in steps ask the outside world, so they are not run.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from isthmus.kernel import Caller, Effect, Platform, decode, errors
from isthmus.kernel.host import (
    SWITCH,
    BoundCapability,
    Call,
    DeadlinePassed,
    Release,
    Trace,
    new_call_id,
    trace_now,
    within,
)
from isthmus.store import Database

from . import recorded
from .answers import Comparison, Count, Raised, cause_of, example, raised
from .differences import Difference, differences, is_equal, plain
from .recorded import RecordedAsk, RecordedCall
from .report import Example, FrontEndReport, Report, report

CALLS: Final = 1_000  # each takes three runs and some round trips
CLIENT: Final = "replay"


class _Undone(Exception):
    """Leaves the savepoint, so that what was written inside is undone."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Two versions of one front end: each on a platform of its own, and both side by side to be asked questions."""

    before: Platform
    after: Platform
    questions: Comparison

    @classmethod
    def of(cls, before: Platform, after: Platform, front_end: str) -> Self:
        return cls(before, after, Comparison(before.release.line(front_end), after.release.line(front_end)))


async def replay_capabilities(
    database: Database,
    old: Release,
    new: Release,
    front_end: str,
    *,
    limit: int = CALLS,
    capability: str = "",
    platform: Platform | None = None,
) -> Report:
    """Run a front end's recorded calls by both releases, and report where answers or errors differ.

    platform: gives what implementations need from outside. The database may be a copy of the one running.
    """
    resources = platform.resources if platform else {}
    before, after = (Platform(release, database, resources=resources) for release in (old, new))
    versions = Versions.of(before, after, front_end)
    began = time.process_time_ns()
    counts: dict[str, Count] = {}
    calls = changed = 0
    async for call in recorded.recent(database, front_end, limit=limit, capability=capability):
        calls += 1
        count = counts.setdefault(call.capability, Count())
        changed += not await compared(database, versions, call, count)
    tallies = sorted(
        (count.tally(name) for name, count in counts.items()), key=lambda one: (-one.changed.low, one.name)
    )
    await recorded.note_replay(database, front_end, calls, time.process_time_ns() - began)
    found = FrontEndReport(front_end=front_end, calls=calls, changed_calls=changed, tallies=tuple(tallies))
    return report("capabilities", [found])


async def run_again(database: Database, platform: Platform, call: RecordedCall) -> tuple[Any, Trace]:
    """Run a recorded call once more and return what it said, with its trace; what it wrote is undone.

    A write has an id of its own, the same in each process that runs it again: the rows of the recorded call are there.
    Raises Refusal where it cannot be run: it goes in steps, or its ask is of another version.
    """
    ready = _ready(platform, call)
    as_id = call.call_id if _reads([ready]) else str(uuid.uuid5(uuid.NAMESPACE_OID, call.call_id))
    writing = await database.write(call.front_end, None)
    try:
        return await _run(writing, platform, call, ready, as_id, None)
    finally:
        await writing.close()


async def compared(
    database: Database,
    versions: Versions,
    call: RecordedCall,
    count: Count,
    *,
    as_id: str = "",
    limit_ms: int | None = None,
) -> bool:
    """Return whether both answer the same; also where they cannot be asked, which is counted apart.

    as_id: the id that the runs have; without it the recorded one, and one of their own where they write. limit_ms: for
    each run, where that is shorter than its deadline.
    """
    try:
        asked = [_ready(platform, call) for platform in (versions.before, versions.after)]
    except errors.Refusal as refused:
        count.unreadable += 1
        count.note(f"{call.capability} {call.version}: {refused}")
        return True
    call_id = as_id or (call.call_id if _reads(asked) else new_call_id(call.now))
    runs = await _runs(database, versions, call, asked, call_id, limit_ms)
    if _is_away(runs.now) and not _is_away(runs.was):  # a moment's lock, or the version itself: once more tells
        runs = await _runs(database, versions, call, asked, call_id, limit_ms)
    if _is_away(runs.was):
        count.unreadable += 1
        count.note(f"{call.capability}: not compared, {runs.was}")
        return True
    return _counted(count, call, runs, versions.questions)


def _reads(asked: list[tuple[BoundCapability, Any]]) -> bool:
    return all(offered.capability.effect is Effect.READ for offered, _ in asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """What came of one call by the old version and the new one, and by the old one again where they differ."""

    was: Any
    now: Any
    again: Any
    traced: Trace
    traced_now: Trace


async def _runs(
    database: Database,
    versions: Versions,
    call: RecordedCall,
    asked: list[tuple[BoundCapability, Any]],
    call_id: str,
    limit_ms: int | None,
) -> _Runs:
    before, after = versions.before, versions.after
    writing = await database.write(call.front_end, None)
    try:
        was, traced = await _run(writing, before, call, asked[0], call_id, limit_ms)
        now, traced_now = await _run(writing, after, call, asked[1], call_id, limit_ms)
        again = was
        if not is_equal(was, now) and not _is_away(now):
            again, _ = await _run(writing, before, call, asked[0], call_id, limit_ms)
    finally:
        await writing.close()
    return _Runs(was=was, now=now, again=again, traced=traced, traced_now=traced_now)


def _counted(count: Count, call: RecordedCall, runs: _Runs, questions: Comparison) -> bool:
    was, now = runs.was, runs.now
    found: Sequence[Difference] = ()
    if not is_equal(was, now):
        found = count.quiet(differences(plain(was), plain(now)), differences(plain(was), plain(runs.again)))
    is_gone = isinstance(was, Raised) and not call.error
    if found and not is_gone:
        count.differ(
            example(call, found, cause=_cause(runs.traced, runs.traced_now)), is_failing=isinstance(now, Raised)
        )
        return False
    then = questions.of_one(call, call.asked if is_gone else _unreached(call, runs.traced))
    is_proved = not is_gone or bool(found) or any(tally.compared for tally in then.tallies)
    if is_gone:
        count.unrepeatable(was.slug, is_proved=is_proved)
    if found or not then.is_same:
        shown = example(call, found, cause=_cause(runs.traced, runs.traced_now)) if then.is_same else _asked(call, then)
        count.differ(shown, is_failing=then.failing > 0)
        return False
    count.same += is_proved
    count.refused += isinstance(was, Raised) and not is_gone
    return True


def _unreached(call: RecordedCall, traced: Trace) -> tuple[RecordedAsk, ...]:
    """Return what a call had asked when it was recorded, and does not ask today."""
    reached = Counter(one.point for one in traced.asked)
    unreached: list[RecordedAsk] = []
    for one in call.asked:
        if reached[one.point]:
            reached[one.point] -= 1
        else:
            unreached.append(one)
    return tuple(unreached)


def _asked(call: RecordedCall, then: FrontEndReport) -> Example:
    """Return the differences of a call's questions as one example: which question, and where in its result."""
    examples = [(tally.name, one) for tally in then.tallies for one in tally.examples]
    found = [
        Difference(path=f"{point} {one.path}", old=one.old, new=one.new)
        for point, shown in examples
        for one in shown.differences
    ]
    return example(call, found, cause=examples[0][1].cause)


def _is_away(said: Any) -> bool:
    """Tell whether the database broke a run off: a row that was locked, or a transaction that idled too long."""
    return isinstance(said, Raised) and said.slug == errors.Unavailable.slug


def _ready(platform: Platform, call: RecordedCall) -> tuple[BoundCapability, Any]:
    """Return a recorded ask as the contract of today reads it. Raises Refusal where that does not fit any more."""
    line = platform.release.line(call.front_end)
    offered = line.find(call.capability)
    now = offered.capability.version
    if now.partition(".")[0] != call.version.partition(".")[0]:
        raise errors.Conflict(f"it was recorded in version {call.version}, and is {now}", remedy="record it anew")
    if offered.capability.effect is Effect.SAGA:
        raise errors.RuleBroken("it asks the outside world, so it is not run again", remedy="replay its parts")
    ask = decode(bytes(call.ask), offered.capability.ask)
    line.plan_for(offered, ask, switched_in(call.box))
    return offered, ask


async def _run(
    session: Any,
    platform: Platform,
    recorded_call: RecordedCall,
    ready: tuple[BoundCapability, Any],
    call_id: str,
    limit_ms: int | None,
) -> tuple[Any, Trace]:
    """Return the answer or the error of one run, and its trace; what it wrote is undone."""
    offered, ask = ready
    plan = platform.release.line(recorded_call.front_end).plan_for(offered, ask, switched_in(recorded_call.box))
    caller = Caller(front_end=recorded_call.front_end, client=CLIENT, is_event_triggered=True)
    trace = Trace(call_id, recorded_call.capability, "", plan.front_end, plan.box, "", ask, "")
    call = Call(platform, offered, plan, ask, caller, recorded_call.now, given_id=call_id, trace=trace)
    call.asked_ms = limit_ms
    call.session = session
    token = trace_now.set(trace)
    said: Any = None
    try:
        async with session.savepoint():
            said = await within(call.limit_ms / 1000, call.answering())
            raise _Undone
    except _Undone:
        if call.rollback_only:
            said = Raised(f"raised fault: {call.rollback_only!r} refused inside, and it went on")
    except DeadlinePassed:
        said = Raised(f"raised deadline-exceeded: no answer within {call.limit_ms} ms")
    except Exception as error:
        said = raised(error)
    finally:
        trace_now.reset(token)
    return said, trace


def switched_in(box: str) -> tuple[tuple[str, str], ...]:
    """Return what flags were in a recorded call: its box says so, whatever they are now."""
    return tuple(sorted(pair for pair in parse_qsl(box.partition("?")[2]) if pair[0].startswith(SWITCH)))


def _cause(before: Trace, after: Trace) -> str:
    """Return the first rule that spoke otherwise, over all questions of the call."""
    for was, now in zip(before.asked, after.asked, strict=False):
        if was.point != now.point:
            return f"{now.point} is asked where {was.point} was"
        if not is_equal(was.result, now.result):
            return f"{now.point}: {cause_of(was, now)}"
    return "" if len(before.asked) == len(after.asked) else "another number of questions is asked"
