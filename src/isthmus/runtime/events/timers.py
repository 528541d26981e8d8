"""Jobs at their time: daily ones, and what follows so long after an event; each once over all servers.

    runtime.pending_call → due, claimed by one server → runtime.delivery → `durable` calls it until it succeeds

What follows an event at once is a delivery in the first place. A job that keeps failing is a dead letter, as an event
is. What is late by more than LATE_AFTER was missed: it runs once, or is left out, as its job says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from isthmus.kernel import Value, decode, encode, errors, ports
from isthmus.kernel.host import Release, event_kind
from isthmus.language import mark
from isthmus.manifest import After, Daily, Every, Job, brought
from isthmus.store import Database, Event

PREFIX: Final = "timer/"  # what the ids of deliveries begin with that no event made
LATE_AFTER: Final = timedelta(minutes=10)  # longer than servers take to restart, or a deploy to roll out
CLAIMED_MAX: Final = 500  # rows of one transaction: short enough that nobody waits for it
ROUNDS_MAX: Final = 20  # of one tick: the next comes in seconds

_ARM_DAILY: Final = """
    insert into runtime.pending_call as kept (front_end, job, key, schedule, due_at)
    select front_end, job, '', schedule, due_at
    from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as wanted (front_end, job, schedule, due_at)
    on conflict (front_end, job, key) do update set schedule = excluded.schedule, due_at = excluded.due_at
    where kept.schedule <> excluded.schedule"""
_ARM_AFTER: Final = """
    insert into runtime.pending_call (front_end, job, key, schedule, due_at, ask)
    select front_end, job, key, '', due_at, ask
    from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::json[])
        as wanted (front_end, job, key, due_at, ask)
    on conflict do nothing"""
# The row lock makes it once: who comes second skips the row, or sees it gone or moved on.
_CLAIM: Final = """
    with known as (
        select * from unnest($1::text[], $2::text[], $3::text[], $4::json[], $5::timestamptz[], $6::boolean[])
            as known (front_end, job, capability, ask, next_at, is_skipped)
    ), due as (
        select p.front_end, p.job, p.key, p.due_at, coalesce(p.ask, known.ask) as ask, capability, next_at,
               is_skipped and p.due_at < $7::timestamptz - $8::interval as is_missed
        from runtime.pending_call p join known on known.front_end = p.front_end and known.job = p.job
        where p.due_at <= $7::timestamptz order by p.due_at limit $9 for update of p skip locked
    ), gone as (
        delete from runtime.pending_call p using due
        where (p.front_end, p.job, p.key) = (due.front_end, due.job, due.key) and due.next_at is null
    ), moved as (
        update runtime.pending_call p set due_at = due.next_at from due
        where (p.front_end, p.job, p.key) = (due.front_end, due.job, due.key) and due.next_at is not null
    ), sent as (
        insert into runtime.delivery (front_end, capability, event_id, event_type, subject, ask)
        select front_end, capability, $10 || job || '/' ||
               coalesce(nullif(key, ''), to_char(due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
               job, job || '/' || key, ask
        from due where not is_missed on conflict (front_end, capability, event_id) do nothing
    ), skipped as (
        insert into runtime.job_run as run (front_end, job, ran_at, outcome)
        select distinct front_end, job, $7::timestamptz, 'skipped: no server ran when it was due'
        from due where is_missed
        on conflict (front_end, job) do update set ran_at = excluded.ran_at, outcome = excluded.outcome
    )
    select count(*)::int from due"""
_NOTE_RUN: Final = """
    insert into runtime.job_run (front_end, job, ran_at, outcome) values ($1, $2, now(), $3)
    on conflict (front_end, job) do update set ran_at = excluded.ran_at, outcome = excluded.outcome"""
_LAST: Final = "select front_end, job, ran_at, outcome from runtime.job_run"
_NEXT: Final = """
    select front_end, job, min(due_at) as next_at, count(*)::int as waiting from runtime.pending_call group by 1, 2"""
OUTCOME_MAX: Final = 500  # characters: a page has room for so much
GOOD: Final = "done"

Timed = tuple[str, Job]  # a front end, and a job that is called for it at its time
Following = tuple[Event, Job, After]  # an event, and the job that is called with it


class JobStatus(Value):
    """A job of a front end: when it runs, when it ran last and what came of it, when it runs next, how many wait."""

    name: str
    front_end: str
    capability: str
    when: str
    ran_at: datetime | None = None
    outcome: str = ""
    next_at: datetime | None = None
    waiting: int = 0


def all_jobs(release: Release) -> list[Timed]:
    """Return the jobs of packs for each front end that may call them, and those of front ends."""
    of_packs = brought(release.packs.values(), Job)
    return [
        (code, job)
        for code, line in sorted(release.lines.items())
        for job in (*of_packs, *(one for one in line.front_end.jobs if isinstance(one, Job)))
        if job.calls.name in line.permitted
    ]


def timed(release: Release) -> list[Timed]:
    """Return the jobs that have a time of their own, and do not merely recur."""
    return [(code, job) for code, job in all_jobs(release) if not isinstance(job.when, Every)]


def next_run(daily: Daily, now: datetime) -> datetime:
    """Return the first moment after `now` at which a daily job is due, in UTC."""
    zone, at = ZoneInfo(daily.zone), time.fromisoformat(daily.at)
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in (-1, 0, 1, 2))  # a jump over midnight belongs to its day
    moments = (datetime.combine(day, at, zone).astimezone(UTC) for day in days)
    return next(moment for moment in moments if moment > now)


def following(release: Release, events: Iterable[Event]) -> list[Following]:
    """Return what follows after events: each with the job that is called with it."""
    wanted: dict[tuple[str, str], list[tuple[Job, After]]] = {}
    for code, job in timed(release):
        if isinstance(job.when, After):
            wanted.setdefault((code, event_kind(job.when.event).name), []).append((job, job.when))
    return [
        (event, job, after)
        for event in events
        for job, after in wanted.get((event.front_end, event.type), ())
        if _matters(after, event, release.lines[event.front_end].front_end.settings)
    ]


def _matters(after: After, event: Event, settings: Mapping[str, str]) -> bool:
    if after.below and _version(event.version) >= _version(after.below):
        return False
    if after.only is None:
        return True
    try:
        return after.only(decode(event.data, after.event), settings)
    except Exception:  # what is called fails as well, where it is seen, and holds up nothing else
        return True


def _version(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _is_now(event: Event, after: After, now: datetime) -> bool:
    return not after.days and now - event.time < LATE_AFTER  # what is late may have to be left out: `tick` knows


def due_now(found: Iterable[Following], now: datetime) -> list[tuple[str, str, str, str, str, bytes]]:
    """Return the deliveries of what follows at once, as `tick` would make them."""
    return [
        (
            event.front_end,
            job.calls.name,
            f"{PREFIX}{job.name}/{event.id}",
            job.name,
            f"{job.name}/{event.id}",
            event.data,
        )
        for event, job, after in found
        if _is_now(event, after, now)
    ]


async def arm_after(database: Database, found: Iterable[Following], now: datetime) -> None:
    """Put down what follows later; an event that comes again changes nothing."""
    rows = [
        (event.front_end, job.name, event.id, event.time + timedelta(days=after.days), event.data)
        for event, job, after in found
        if not _is_now(event, after, now)
    ]
    if rows:
        async with database.platform() as session:
            await session.execute(_ARM_AFTER, *map(list, zip(*rows, strict=True)))


async def tick(database: Database, jobs: Sequence[Timed], now: datetime) -> int:
    """Hand what is due to the durable calls, and return how many; any number of servers may do so at once."""
    if not jobs:
        return 0
    daily = [
        (code, job.name, f"{job.when.at} {job.when.zone}", next_run(job.when, now))
        for code, job in jobs
        if isinstance(job.when, Daily)
    ]
    known = [_known(code, job, now) for code, job in jobs]
    claimed = 0
    async with database.platform() as session:
        if daily:
            await session.execute(_ARM_DAILY, *map(list, zip(*daily, strict=True)))
        for _ in range(ROUNDS_MAX):
            columns = map(list, zip(*known, strict=True))
            count = await session.fetch_value(_CLAIM, *columns, now, LATE_AFTER, CLAIMED_MAX, PREFIX)
            claimed += count
            if count < CLAIMED_MAX:
                break
    return claimed


def _known(code: str, job: Job, now: datetime) -> tuple[str, str, str, bytes | None, datetime | None, bool]:
    when = job.when
    is_daily = isinstance(when, Daily)
    ask, next_at = (encode(job.asked()), next_run(when, now)) if is_daily else (None, None)
    return code, job.name, job.calls.name, ask, next_at, not isinstance(when, Every) and when.missed == "skip"


async def note_run(session: ports.Session, front_end: str, job: str, error: Exception | None) -> None:
    """Write down what came of a run."""
    said = str(error) if isinstance(error, errors.IsthmusError) else repr(error)
    await session.execute(_NOTE_RUN, front_end, job, GOOD if error is None else f"failed: {said}"[:OUTCOME_MAX])


async def overview(session: ports.Session, release: Release) -> list[JobStatus]:
    """Return every job of the release, with its last run and its next."""
    last = {(row["front_end"], row["job"]): row for row in await session.fetch(_LAST)}
    waiting = {(row["front_end"], row["job"]): row for row in await session.fetch(_NEXT)}
    return [
        _status(code, job, last.get((code, job.name)), waiting.get((code, job.name))) for code, job in all_jobs(release)
    ]


def _status(code: str, job: Job, last: ports.Row | None, waiting: ports.Row | None) -> JobStatus:
    ran_at: datetime | None = last["ran_at"] if last else None
    next_at: datetime | None = waiting["next_at"] if waiting else None
    if isinstance(job.when, Every) and ran_at is not None:
        next_at = ran_at + timedelta(seconds=job.when.seconds)
    return JobStatus(
        name=job.name,
        front_end=code,
        capability=job.calls.name,
        when=in_words(job.when),
        ran_at=ran_at,
        outcome=last["outcome"] if last else "",
        next_at=next_at,
        waiting=waiting["waiting"] if waiting and isinstance(job.when, After) else 0,
    )


def in_words(when: Every | Daily | After) -> str:
    """Return when a job runs, as a page says it."""
    if isinstance(when, Every):
        return _every(when.seconds)
    if isinstance(when, Daily):
        return mark(f"daily at {when.at} {when.zone}")
    name = event_kind(when.event).name
    return mark(f"{when.days:g} days after {name}") if when.days else mark(f"at once after {name}")


def _every(seconds: float) -> str:
    if seconds % 3600 == 0:
        hours = round(seconds / 3600)
        return mark(f"every {hours} h")
    if seconds % 60 == 0:
        minutes = round(seconds / 60)
        return mark(f"every {minutes} min")
    return mark(f"every {seconds:g} s")
