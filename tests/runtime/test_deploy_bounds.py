"""A version that fails or is slow is taken back by itself, with the reason on record, and others are left alone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from isthmus.kernel import errors
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy.guardrails import CALLS_MIN, Bounds, Count, WrongBounds, bounds_of, judged
from tests.waiting import until

from .deployed import REQUEST, deploy_context, said, write

RAISES = 'if location == "x": raise ValueError(location)'
REFUSES = """from isthmus.kernel import errors
    if location == "x": raise errors.RuleBroken("the shop is shut", remedy="wait")"""
SLOW = 'import time; time.sleep(0.01 if location == "x" else 0)'


async def _deploy(database, tmp_path, version, *, percent=100, **more) -> None:
    folder = write(tmp_path / "work", version, **more)
    await deploys.deploy(
        deploy_context(database, tmp_path / "own"), folder, msgspec.structs.replace(REQUEST, percent=percent)
    )


async def _taken_back(database) -> switches.Rollout:
    """Return the switch that takes a version back, as soon as both nodes have put it in place."""

    async def look() -> switches.Rollout | None:
        held = await switches.current(database, "north")
        is_back = held is not None and held.kind == "automatic-rollback" and await _is_in_place(database, held)
        return held if is_back else None

    held = await until(look, "that it is taken back")
    assert held is not None
    return held


async def _is_in_place(database, held: switches.Rollout) -> bool:
    async with database.platform() as session:
        applied = "select count(*) from runtime.applied where front_end = $1 and switch >= $2 and trouble = ''"
        return await session.fetch_value(applied, held.front_end, held.id) == 2


async def _judged(database, calls: int) -> None:
    """Wait until the nodes have looked at how so many calls fared: they add them up when they judge them."""

    async def are_judged() -> bool:
        async with database.platform() as session:
            return (await session.fetch_value("select sum(calls) from runtime.watched") or 0) >= calls

    await until(are_judged, f"that {calls} calls are judged")


async def test_a_version_that_fails_is_taken_back_with_the_reason_on_record(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second", body=RAISES)
    for number in range(CALLS_MIN):  # half of them in each node: alone, neither has enough to judge by
        with pytest.raises(errors.AnswerFailed):
            await nodes[number % 2].which()
    held = await _taken_back(database)
    assert held.reason == "20 of 20 calls failed (100.0 %), and 5 % may"
    assert held.made_by == "isthmus"
    assert [await node.which() for node in nodes] == [said("first")] * 2
    assert [one.kind for one in await switches.history(database, "north")].count("automatic-rollback") == 1


async def test_a_version_slower_than_its_bound_is_taken_back(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second", body=SLOW, settings='{"deploy.p99-max-ms": "5"}')
    for _ in range(CALLS_MIN):
        await nodes[0].which()
    assert (await _taken_back(database)).reason == "20 of 20 calls took longer than 5 ms, and 1 in 100 may"


async def test_a_staged_version_that_fails_goes_and_the_stable_one_stays(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second", body=RAISES, percent=50)
    failed = 0
    for number in range(4 * CALLS_MIN):
        try:
            assert await nodes[0].which(client=str(number)) == said("first")
        except errors.AnswerFailed:
            failed += 1
    held = await _taken_back(database)
    assert held.reason.startswith(f"{failed} of {failed} calls failed")
    assert {await nodes[0].which(client=str(number)) for number in range(40)} == {said("first")}


async def test_refusals_are_no_faults(database, nodes, tmp_path):
    await _deploy(database, tmp_path, "first")
    await _deploy(database, tmp_path, "second", body=REFUSES)
    for _ in range(2 * CALLS_MIN):
        with pytest.raises(errors.RuleBroken):
            await nodes[0].which()
    await _judged(database, 2 * CALLS_MIN)
    with pytest.raises(errors.RuleBroken):
        await nodes[0].which()
    await _judged(database, 2 * CALLS_MIN + 1)  # by then the first of them have been judged, and acted upon
    held = await switches.current(database, "north")
    assert held is not None
    assert held.kind == "deploy"


def test_what_fails_beside_it_as_well_is_not_the_versions_fault():
    bad, good = Count(calls=100, faults=50), Count(calls=100)
    assert judged(bad, Bounds(), [bad]) == ""
    assert judged(bad, Bounds(), [good])
    assert judged(good, Bounds(), [bad]) == ""


@given(some.integers(0, CALLS_MIN - 1), some.integers(0, 100))
def test_few_calls_decide_nothing(calls, faults):
    assert judged(Count(calls=calls, faults=min(calls, faults)), Bounds()) == ""


@given(some.integers(CALLS_MIN, 10_000), some.integers(0, 10_000), some.floats(0.1, 99))
def test_a_share_above_the_bound_goes_and_one_within_stays(calls, faults, bound):
    count = Count(calls=calls, faults=min(calls, faults))
    assert bool(judged(count, Bounds(faults_max_percent=bound))) == (100 * count.faults / calls > bound)


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf"])
def test_a_bound_that_is_no_number_above_zero_is_refused(text):
    with pytest.raises(WrongBounds, match="deploy.p99-max-ms"):
        bounds_of({"deploy.p99-max-ms": text})
