"""Jobs at their time: once over all servers, missed ones as declared, days with a changed clock. Clocks are given."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import Context, Effect, FrontEnd, Platform, Registry, Value, capability, encode, errors, implements
from isthmus.kernel.host import Release
from isthmus.manifest import After, Daily, Every, Job, Missed, job_problems
from isthmus.runtime.events import dead_letters, timers
from isthmus.runtime.events.subscriptions import called
from isthmus.runtime.events.timers import JobStatus, next_run, tick, timed
from isthmus.store import Database, Event
from tests import shipped

from . import own_line
from .own_line import BROKEN, Note, becomes, delivering, of, packed

NIGHT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 02:00 in Berlin


class Nightly(Value):
    """Ask for a night's work."""

    subject: str = "night"


def with_jobs(code: str, missed: Missed = "run") -> FrontEnd:
    """Return a front end with a job each night, and one that follows ten days after a parcel was packed."""
    line = own_line.line(code)
    packed_event = line.events[0]

    @capability(f"{code}.clean", version="1.0", effect=Effect.WRITE)
    def clean(ask: Nightly) -> Note:
        """Clean up."""
        ...

    @capability(f"{code}.remind", version="1.0", effect=Effect.WRITE)
    def remind(ask: packed_event) -> Note:  # pyright: ignore
        """Remind of a parcel."""
        ...

    async def write(subject: str, what: str, ctx: Context) -> Note:
        if what in BROKEN:
            raise errors.Fault(f"{what} is broken", remedy="fix it")
        await ctx.session.execute(f"insert into fe_{code}.note values ($1, $2)", subject, what)
        return Note(subject=subject)

    @implements(clean)
    async def do_clean(ask: Nightly, ctx: Context) -> Note:
        return await write(ask.subject, "cleaned", ctx)

    @implements(remind)
    async def do_remind(ask: packed_event, ctx: Context) -> Note:  # pyright: ignore
        return await write(ask.subject, "reminded", ctx)

    return replace(
        line,
        subscriptions={},
        capabilities=(*line.capabilities, clean, remind),
        implementations=(*line.implementations, do_clean, do_remind),
        jobs=(
            Job(name=f"{code}.clean", when=Daily(at="02:00", zone="Europe/Berlin", missed=missed), calls=clean),
            Job(name=f"{code}.remind", when=After(event=packed_event, days=10, missed=missed), calls=remind),
        ),
    )


async def served(database: Database, missed: Missed = "run") -> Platform:
    await own_line.platform_of(database)
    return Platform(shipped.build([with_jobs("north", missed), with_jobs("south", missed)]), database)


@pytest.fixture(autouse=True)
async def _all_is_well() -> AsyncIterator[None]:
    yield
    BROKEN.clear()


async def beats(platform: Platform, database: Database, now: datetime) -> int:
    return await tick(database, timed(platform.release), now)


async def notes(platform: Platform, subject: str) -> list[str]:
    found = await platform.call(of(platform, "north.notes"), Note(subject=subject), own_line.NORTH)
    return list(found.what)


async def statuses(platform: Platform, database: Database) -> dict[str, JobStatus]:
    async with database.platform() as session:
        found = await timers.overview(session, platform.release)
    return {one.name: one for one in found if one.front_end == "north"}


async def count(database: Database, table: str) -> int:
    async with database.platform() as session:
        return await session.fetch_value(f"select count(*) from runtime.{table}")


async def test_a_daily_job_runs_once_a_night_however_many_servers_look(database: Database) -> None:
    platform = await served(database)
    async with await Database.open(database.url) as other_database:
        other = Platform(platform.release, other_database)
        async with delivering(platform, database), delivering(other, other_database):
            await beats(platform, database, NIGHT - timedelta(hours=1))
            for night in range(7):
                now = NIGHT + timedelta(days=night, seconds=3)
                looks = [beats(platform, database, now) for _ in range(4)] + [
                    beats(other, other_database, now) for _ in range(4)
                ]
                assert sum(await asyncio.gather(*looks)) == 2, "one for each front end"
            await becomes(lambda: count(database, "delivery"), 0)
            assert await notes(platform, "night") == ["cleaned"] * 7


async def test_before_its_time_nothing_runs_and_a_job_that_is_new_waits_for_its_first_night(database: Database) -> None:
    platform = await served(database)
    assert await beats(platform, database, NIGHT + timedelta(hours=5)) == 0
    assert await beats(platform, database, NIGHT + timedelta(hours=23)) == 0
    assert await beats(platform, database, NIGHT + timedelta(hours=24)) == 2


@pytest.mark.parametrize(("missed", "runs"), [("run", 1), ("skip", 0)])
async def test_nights_that_no_server_saw_are_made_up_for_once_or_left_out_as_declared(
    database: Database, missed: Missed, runs: int
) -> None:
    platform = await served(database, missed)
    await beats(platform, database, NIGHT - timedelta(hours=1))
    back = NIGHT + timedelta(days=5, hours=3)
    assert await beats(platform, database, back) == 2
    assert await count(database, "delivery") == 2 * runs
    status = (await statuses(platform, database))["north.clean"]
    assert status.outcome == ("" if runs else "skipped: no server ran when it was due")
    assert status.next_at == NIGHT + timedelta(days=6)
    assert await beats(platform, database, back + timedelta(seconds=5)) == 0
    assert await beats(platform, database, NIGHT + timedelta(days=6, minutes=9)) == 2, "a bit late is not missed"
    assert await count(database, "delivery") == 2 * (runs + 1)


async def test_what_follows_an_event_comes_so_long_after_it_once_and_for_its_front_end(database: Database) -> None:
    platform = await served(database)
    async with await Database.open(database.url) as other_database:
        other = Platform(platform.release, other_database)
        async with delivering(platform, database), delivering(other, other_database):
            await packed(platform, "p1")
            await becomes(lambda: count(database, "pending_call"), 1)
            async with database.platform() as session:
                due: datetime = await session.fetch_value("select due_at from runtime.pending_call")
            assert await beats(platform, database, due - timedelta(seconds=1)) >= 0
            assert await notes(platform, "p1") == []
            looks = [beats(*at, due) for at in ((platform, database), (other, other_database)) for _ in range(4)]
            await asyncio.gather(*looks)
            await becomes(lambda: count(database, "delivery"), 0)
            assert await notes(platform, "p1") == ["reminded"]
            await becomes(lambda: outcome(platform, database, "north.remind"), "done")
            assert abs(due - timedelta(days=10) - datetime.now(UTC)) < timedelta(minutes=5)


async def outcome(platform: Platform, database: Database, name: str) -> str:
    return (await statuses(platform, database))[name].outcome


async def test_what_was_missed_after_an_event_is_left_out_where_it_is_declared_so(database: Database) -> None:
    platform = await served(database, "skip")
    async with delivering(platform, database):
        await packed(platform, "p1")
        await becomes(lambda: count(database, "pending_call"), 1)
        await beats(platform, database, datetime.now(UTC) + timedelta(days=11))
        assert (await statuses(platform, database))["north.remind"].outcome.startswith("skipped")
        assert (await statuses(platform, database))["north.remind"].waiting == 0


def parcel(at: datetime, subject: str = "p1") -> Event:
    """Return that a parcel of north was packed."""
    data = encode({"subject": subject})
    return Event(
        id=subject, type="north.packed", version="1.0", subject=subject, front_end="north", box="", time=at, trace="",
        data=data, position=1,
    )  # fmt: skip


def after(days: float, only: Callable[[Any, Mapping[str, str]], bool] | None = None, below: str = "") -> Release:
    """Return a release in which north is reminded so many days after a parcel was packed."""
    line = with_jobs("north")
    remind = replace(line.jobs[1], when=After(event=line.events[0], days=days, only=only, below=below))
    return Registry().add(*shipped.PACKS, replace(line, jobs=(remind,), settings={"remind": "big"})).freeze()


@pytest.mark.parametrize(
    ("days", "late", "is_now"),
    [(0, timedelta(), True), (0, timedelta(minutes=11), False), (0.001, timedelta(), False)],
)
def test_what_follows_at_once_is_delivered_without_a_timer_unless_it_was_missed(
    days: float, late: timedelta, is_now: bool
) -> None:
    followed = timers.following(after(days), [parcel(NIGHT)])
    made = timers.due_now(followed, NIGHT + late)
    assert [one[:4] for one in made] == [("north", "north.remind", "timer/north.remind/p1", "north.remind")] * is_now


@pytest.mark.parametrize(("below", "follows"), [("1.0", False), ("1.1", True), ("1.10", True), ("", True)])
def test_what_newer_servers_do_themselves_follows_only_events_of_older_versions(below: str, follows: bool) -> None:
    assert bool(timers.following(after(0, below=below), [parcel(NIGHT)])) is follows


async def test_what_was_put_down_at_once_is_called_and_its_outcome_is_seen(database: Database) -> None:
    await own_line.platform_of(database)
    platform = Platform(after(0), database)
    async with delivering(platform, database):
        await packed(platform, "p1")
        await becomes(lambda: notes(platform, "p1"), ["reminded"])
        await becomes(lambda: outcome(platform, database, "north.remind"), "done")
    assert await count(database, "pending_call") == 0


def test_nothing_is_put_down_after_an_event_that_cannot_matter_to_a_front_end() -> None:
    def is_of_size(moved: Any, settings: Mapping[str, str]) -> bool:
        return moved.subject.startswith(settings["remind"])

    events = [parcel(NIGHT, "big one"), parcel(NIGHT, "small one")]
    assert [event.subject for event, _, _ in timers.following(after(0, is_of_size), events)] == ["big one"]


def test_an_event_that_its_rule_cannot_read_is_put_down_so_that_it_becomes_a_dead_letter() -> None:
    old = parcel(NIGHT).replace(data=b'{"name": "p1"}')
    assert len(timers.following(after(0, lambda moved, settings: False), [old])) == 1


async def test_a_job_that_fails_is_tried_again_and_its_outcome_is_seen(database: Database) -> None:
    platform = await served(database)
    BROKEN.add("cleaned")
    await beats(platform, database, NIGHT - timedelta(hours=1))
    await beats(platform, database, NIGHT)
    async with delivering(platform, database):
        await becomes(lambda: outcome(platform, database, "north.clean"), "failed: cleaned is broken; fix it")
        await becomes(lambda: dead(database), ["north.clean", "south.clean"])
        BROKEN.clear()
        async with database.platform() as session:
            assert await dead_letters.send_again(session) == 2
        await becomes(lambda: outcome(platform, database, "north.clean"), "done")
    assert await notes(platform, "night") == ["cleaned"]


async def dead(database: Database) -> list[str]:
    async with database.platform() as session:
        return sorted(one.event_type for one in await dead_letters.listed(session))


async def test_a_job_at_another_time_than_before_moves_and_does_not_run_twice(database: Database) -> None:
    platform = await served(database)
    await beats(platform, database, NIGHT - timedelta(hours=1))
    jobs = [
        (code, replace(job, when=Daily(at="05:00"))) for code, job in timed(platform.release) if "clean" in job.name
    ]
    assert await tick(database, jobs, NIGHT + timedelta(minutes=1)) == 0
    assert await tick(database, jobs, NIGHT + timedelta(hours=4)) == 2


async def test_a_packs_jobs_run_for_every_front_end_that_may_call_them(database: Database) -> None:
    platform = await served(database)
    assert ("north", "north.clean") in called(platform.release)
    names = {(status.name, status.when) for status in (await statuses(platform, database)).values()}
    assert names == {
        ("north.clean", "daily at 02:00 Europe/Berlin"),
        ("north.remind", "10 days after north.packed"),
    }


@pytest.mark.parametrize(
    ("at", "zone", "now", "due"),
    [
        ("02:30", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:30Z"),  # does not exist: 03:30 in summer time
        ("02:30", "Europe/Berlin", "2026-03-29T12:00Z", "2026-03-30T00:30Z"),
        ("02:30", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z"),  # twice: the first
        ("02:30", "Europe/Berlin", "2026-10-25T00:30Z", "2026-10-26T01:30Z"),  # and not the second
        ("00:15", "America/Havana", "2026-03-08T04:59Z", "2026-03-08T05:15Z"),  # midnight itself is jumped over
        ("23:59", "Pacific/Kiritimati", "2026-01-01T00:00Z", "2026-01-01T09:59Z"),
        ("02:00", "UTC", "2026-01-01T02:00Z", "2026-01-02T02:00Z"),
    ],
)
def test_days_on_which_the_clock_changes_have_one_run(at: str, zone: str, now: str, due: str) -> None:
    assert next_run(Daily(at=at, zone=zone), datetime.fromisoformat(now)) == datetime.fromisoformat(due)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Tehran", "UTC"]),
)
def test_each_day_of_a_zone_has_one_run(now: datetime, at: object, zone: str) -> None:
    daily = Daily(at=str(at), zone=zone)
    first = next_run(daily, now)
    second = next_run(daily, first)
    assert now < first <= now + timedelta(hours=26)
    assert timedelta(hours=22) <= second - first <= timedelta(hours=26)


def test_jobs_that_cannot_run_are_refused_each_with_what_to_write() -> None:
    line = with_jobs("north")
    clean, remind = (job for job in line.jobs if isinstance(job, Job))
    event = line.events[0]
    jobs = (
        replace(clean, name="south.clean"),
        replace(clean, when=Daily(at="2 o'clock", zone="Europe/Berlin")),
        replace(clean, when=Daily(at="02:00", zone="Europe/Atlantis")),
        replace(clean, when=Every(seconds=5)),
        replace(clean, when=After(event=event, days=1)),
        replace(remind, when=After(event=Note, days=1)),
        replace(remind, when=Daily(at="02:00")),
        replace(clean, calls=of_line(line, "north.notes"), ask=Note(subject="x")),
        replace(clean, when=Daily(at="02:00", missed="never")),  # type: ignore[arg-type]
        replace(remind, when=After(event=event, days=1, only=lambda moved, settings: True)),
    )
    assert [problem.partition("of 'north' ")[2] for problem in job_problems(replace(line, jobs=jobs))] == [
        "is called as another's; call it north.clean",
        'is at "2 o\'clock" in \'Europe/Berlin\'; write at="02:00", zone="Europe/Berlin"',
        "is at '02:00' in 'Europe/Atlantis'; write at=\"02:00\", zone=\"Europe/Berlin\"",
        "runs every 5 s, which is for packs; use Daily or After",
        "calls 'north.clean', which asks with Nightly; make it Packed",
        "is after Note, which is not declared with @event",
        "calls 'north.remind' without subject; give ask=Packed(…)",
        "calls 'north.notes', which has no effect; declare it with Effect.WRITE or Effect.SAGA",
        "has missed='never'; say what becomes of a missed run: 'run' or 'skip'",
        "has only=…, which is for packs; look in 'north.remind' whether the event matters",
    ]


def of_line(line: FrontEnd, name: str):
    return next(one for one in line.capabilities if one.name == name)
