"""What people meet is told by steps, and a change that makes it worse is named with what is worse."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.governance import experience
from isthmus.governance.counters import CallCount, Counters
from isthmus.governance.traffic import Traffic
from isthmus.kernel import Caller, Outcome, Platform
from isthmus.manifest import Step
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from tests.governance.planted import stall

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
LIVE = NOW - timedelta(days=3, minutes=20)


async def met(database: Database, at: datetime, calls: int, took_ms: int, refused: int = 0) -> None:
    """Have south sell so often, beside one call of another front end and one that is of no step."""
    figures = Counters()
    for number in range(calls):
        error = "stall.refused" if number < refused else ""
        figures.see(Outcome(capability="stall.sell", box="south", client="", took_ns=took_ms * 10**6, error=error))
    figures.see(Outcome(capability="stall.sell", box="north", client="", took_ns=10**9, error=""))
    figures.see(Outcome(capability="stall.other", box="south", client="", took_ns=10**9, error="stall.broken"))
    await Traffic(database, figures, clock=lambda: at).keep()


async def changed(database: Database, at: datetime, kind: str = "deploy") -> None:
    async with database.platform() as session:
        await session.execute(
            "insert into runtime.switch (front_end, kind, made_by, made_at) values ('south', $1, 'somebody', $2)",
            kind,
            at,
        )


async def measured(database: Database) -> experience.Report:
    traffic = Traffic(database, Counters(), clock=lambda: NOW)
    return await experience.measure(database, traffic, stall.release(), NOW)


async def test_a_step_says_how_long_it_takes_and_what_was_refused_for_which_reason(database: Database):
    await met(database, NOW - timedelta(hours=2), 40, 4, refused=10)
    found = await measured(database)
    south = next(one for one in found.experiences if one.front_end == "south")
    (basket,) = south.steps
    assert (basket.step, basket.calls, basket.p95_us) == ("basket", 40, 5_000)
    assert (basket.refused, basket.reasons) == (0.25, {"stall.refused": 10})
    assert (basket.ended, basket.left) == (30, None)  # nobody says what begins it
    assert "  basket: 40 calls; half within 5 ms" in "\n".join(experience.text(found))


async def test_a_change_that_makes_it_worse_is_named_with_what_is_worse(database: Database):
    await met(database, LIVE - timedelta(days=1), 100, 4, refused=2)
    await met(database, LIVE, 500, 900, refused=500)  # the hour in which it went live has both in it
    await met(database, LIVE + timedelta(days=1), 100, 40, refused=30)
    await changed(database, LIVE)
    (found,) = (await measured(database)).changes
    assert (found.front_end, found.step, found.worse) == ("south", "basket", ("slower", "refused more"))
    assert (found.before.calls, found.after.calls) == (100, 100)
    assert "south since deploy of 2026-05-17 11:40, basket: slower, refused more" in "\n".join(
        experience.text(await measured(database))
    )


async def test_a_change_that_chance_explains_is_no_worse_and_one_is_compared_up_to_the_next(database: Database):
    back = LIVE + timedelta(days=1)
    await met(database, LIVE - timedelta(days=1), 100, 4, refused=2)
    await met(database, LIVE + timedelta(hours=5), 100, 4, refused=60)
    await met(database, back + timedelta(hours=5), 100, 4, refused=4)
    await changed(database, LIVE)
    await changed(database, back, "rollback")
    late, early = (await measured(database)).changes
    assert (early.worse, early.after.refused) == (("refused more",), 0.6)
    assert (late.kind, late.worse, late.before.refused, late.after.refused) == ("rollback", (), 0.6, 0.04)


async def test_few_calls_say_nothing_of_a_change(database: Database):
    await met(database, LIVE - timedelta(days=1), 100, 4)
    await met(database, LIVE + timedelta(days=1), experience.CALLS_MIN - 1, 400)
    await changed(database, LIVE)
    assert (await measured(database)).changes == ()


@pytest.mark.parametrize(("begun", "ended", "left"), [(40, 30, 0.25), (0, 30, None), (30, 40, None), (4, 0, 1.0)])
def test_who_began_and_did_not_end_has_left(begun: int, ended: int, left: float | None):
    step = Step(
        name="basket", calls=(stall.sell,), begins=(stall.look,), ends=(stall.sell,), complaints=(stall.grumble,)
    )
    tallies = {
        ("south", name): CallCount(calls=calls, took_us=1)
        for name, calls in (("stall.look", begun), ("stall.sell", ended), ("stall.grumble", 6))
        if calls
    }
    (found,) = experience.met(tallies, {"basket": step}, "south", {})
    assert found.left == left
    assert (found.complaints, found.complained) == (6, 6 / ended if ended else None)


@pytest.mark.parametrize(("share", "left"), [(0.25, 0.5), (0.0, 1.0), (0.9, 0.0), (None, None)])
def test_orders_that_were_begun_elsewhere_do_not_hide_who_left(share: float | None, left: float | None):
    """Twenty baskets were filled and forty orders placed, most of them at tills: how many of these were baskets?"""
    step = Step(name="basket", calls=(stall.sell,), begins=(stall.look,), ends=(stall.sell,), by="member_id")
    calls = {"stall.look": 20, "stall.sell": 40}
    tallies = {("south", name): CallCount(calls=count, took_us=1) for name, count in calls.items()}
    shares = {} if share is None else {("south", "stall.sell"): share, ("north", "stall.sell"): 0.5}
    (found,) = experience.met(tallies, {"basket": step}, "south", shares)
    assert (found.left, found.ended) == (left, 40)


async def test_recorded_orders_say_how_many_of_them_were_begun_here(database: Database):
    running = stall.release()
    recorder = Recorder(database, running.points, Recording(share=1.0))
    platform = Platform(running, database, recorder=recorder)
    for member in ("ada", None, None, None) * 8:
        ask = stall.Sell(goods=(stall.goods("tea"),), member_id=member)
        await platform.call(stall.sell, ask, Caller(front_end="north"))
    for _ in range(experience.CALLS_MIN - 1):  # too few to say anything
        await platform.call(stall.sell, stall.Sell(goods=(stall.goods("tea"),)), Caller(front_end="south"))
    await recorder.flush()
    step = Step(name="basket", calls=(stall.sell,), begins=(stall.look,), ends=(stall.sell,), by="member_id")
    assert await experience.begun_here(database, {"basket": step}) == {("north", "stall.sell"): 0.25}
    assert await experience.begun_here(database, {"basket": dataclasses.replace(step, by="")}) == {}
