"""A version is judged by what it causes, and a deploy of the same rules says that nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.kernel import Outcome, errors
from isthmus.runtime.deploy.changes import compared
from isthmus.runtime.deploy.check import TestsFailed, run_tests
from isthmus.runtime.deploy.deploy import checked
from isthmus.runtime.deploy.guardrails import REMEMBERED_S, TROUBLED_S, Bounds, RolloutMonitor
from isthmus.runtime.isolation.breaker import FrontEndAway
from isthmus.runtime.isolation.isolate import load_isolated
from isthmus.runtime.isolation.limits import Isolation
from tests import shipped

from .deployed import write
from .isolated import POINTS


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> RolloutMonitor:
    return RolloutMonitor(clock)


def seen(
    watch: RolloutMonitor, error: str, *, by: str = "north", capability: str = "checkout.place-order", ms: int = 1
) -> None:
    watch.see(
        Outcome(capability=capability, box=f"{by}?kind=x", client="c", took_ns=ms * 10**6, error=error, version="new")
    )


def faults(watch: RolloutMonitor) -> int:
    return watch.in_flight()["north"].tallies.get("new", [0, 0, 0])[1]


@pytest.mark.parametrize("error", [errors.AnswerFailed.slug, "runtime.worker-failed", FrontEndAway.slug])
def test_what_its_own_answers_do_counts_whoever_else_fails(watch: RolloutMonitor, error: str) -> None:
    seen(watch, error, by="south")
    watch.begin("north", 1, "new", Bounds())
    seen(watch, error)
    assert faults(watch) == 1


def test_a_fault_of_its_own_flow_counts_and_of_a_shared_pack_where_it_is_new(watch: RolloutMonitor) -> None:
    watch.begin("north", 1, "new", Bounds())
    seen(watch, errors.Fault.slug, capability="north.pick")
    seen(watch, errors.Fault.slug)  # nobody else has it: a wrong answer may well have caused it
    assert faults(watch) == 2


def test_a_fault_that_others_have_as_well_or_that_was_there_before_is_not_the_versions(
    watch: RolloutMonitor, clock: Clock
) -> None:
    seen(watch, errors.Fault.slug, capability="stock.count")
    watch.begin("north", 1, "new", Bounds())
    seen(watch, errors.Fault.slug, capability="stock.count")
    seen(watch, errors.DeadlineExceeded.slug, by="south")
    seen(watch, errors.DeadlineExceeded.slug)
    assert faults(watch) == 0
    clock.now += REMEMBERED_S + 1
    watch.begin("north", 2, "new", Bounds())
    seen(watch, errors.Fault.slug, capability="stock.count")
    assert faults(watch) == 1


def test_a_database_that_restarts_is_held_against_nobody(watch: RolloutMonitor, clock: Clock) -> None:
    watch.begin("north", 1, "new", Bounds())
    for _ in range(100):
        seen(watch, errors.Unavailable.slug, ms=9_000)
        seen(watch, errors.DeadlineExceeded.slug, ms=9_000)  # it waited for the same
        seen(watch, "", ms=9_000)
    assert watch.in_flight()["north"].tallies == {}
    clock.now += TROUBLED_S + 1
    seen(watch, errors.AnswerFailed.slug)
    assert watch.in_flight()["north"].tallies == {"new": [1, 1, 0]}


@pytest.mark.parametrize("mode", ["inline", "process"])
def test_the_same_rules_elsewhere_are_the_same_rules(tmp_path: Path, mode: str) -> None:
    lines = []
    for place in ("here", "there"):
        folder = write(tmp_path / place, "first")
        if mode == "process":  # flows of its own stay inline
            (folder / "flows.py").unlink()
            manifest = (
                (folder / "front_end.py").read_text().replace("from . import answers, flows", "from . import answers")
            )
            lines_kept = [one for one in manifest.splitlines() if "flows." not in one]
            (folder / "front_end.py").write_text("\n".join(lines_kept))
        front_end = load_isolated(folder, Isolation(mode=mode), POINTS)  # type: ignore[arg-type]
        lines.append(checked(shipped.build([]), front_end))
    assert compared(*lines) == []
    assert lines[0].fingerprint == lines[1].fingerprint


async def test_a_test_without_an_end_is_named_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.runtime.deploy.check.TESTS_LIMIT_S", 20)
    monkeypatch.setattr("isthmus.runtime.deploy.check.TEST_LIMIT_S", 1)
    folder = write(tmp_path / "front_ends", "first")
    passing = "def test_before():\n    assert True\n\n\n"  # it has left a dot on the line where the report begins
    (folder / "test_answers.py").write_text(f"{passing}def test_it():\n    while True:\n        pass  # for ever\n")
    with pytest.raises(
        TestsFailed,
        match=r"test of north does not end within 1 s: test_it \(test_answers.py:\d\)",
    ):
        await run_tests(folder)
