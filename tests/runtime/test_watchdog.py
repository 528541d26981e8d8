"""The watchdog of answers in this process: what it stops is the call that ran too long, and never anything else."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path

import pytest

from isthmus.packs.member import api as member
from isthmus.runtime.isolation.watchdog import BudgetPassed, TooSlow, Watchdog

from .isolated import asked, front_end_folder, loaded

ROOT = Path(__file__).resolve().parents[2]
BUDGET_MS = 2
NEAR = 0.001  # seconds around the moment at which the watchdog decides
LONG = 41  # each such call is long past it, however late the watchdog comes to look
SWITCH_S = 0.0001  # threads take turns so often that the watchdog looks as often as it would with a longer budget


def spin(until: float) -> None:
    while time.perf_counter() < until:
        pass


def guard_of(dog: Watchdog, function):
    return dog.make(function, tuple(inspect.signature(function).parameters), "north.rule", str, lambda value, _: value)


@pytest.mark.parametrize("threads", [1, 3])
def test_what_stops_a_call_lands_in_no_other_call_and_in_nothing_between(threads: int) -> None:
    dog = Watchdog(BUDGET_MS)
    outcomes = {"answered": 0, "stopped": 0}
    wrong: list[str] = []

    def rule(number: int, until: float) -> str:
        spin(until)
        return f"answer {number}"

    guarded = guard_of(dog, rule)

    def call(number: int) -> None:
        # Ends when the watchdog is about to decide: some a little earlier, some a little later.
        lasts_s = BUDGET_MS / 1000 * 1.25 + (number % LONG - 20) / 20 * NEAR
        until = time.perf_counter() + (lasts_s if number % LONG else 20 * BUDGET_MS / 1000)
        try:
            if guarded(number, until) != f"answer {number}":
                wrong.append("another call's answer")
            outcomes["answered"] += 1
        except TooSlow:
            outcomes["stopped"] += 1

    def work() -> None:
        try:
            for number in range(1_500 // threads):
                call(number)
                spin(time.perf_counter() + 0.0001)  # here, between two calls, nothing may come
        except BudgetPassed:
            wrong.append("it came between two calls")

    in_flight = [threading.Thread(target=work) for _ in range(threads)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        for one in in_flight:
            one.start()
        for one in in_flight:
            one.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
    assert all(outcomes.values()), outcomes
    assert dog.running == {}


AFTERWARDS = """
import sys
from tests.runtime.test_watchdog import BUDGET_MS, guard_of
from isthmus.runtime.isolation.watchdog import TooSlow, Watchdog

def rule(ends: bool) -> str:
    while not ends:
        pass
    return "done"

guarded = guard_of(Watchdog(BUDGET_MS), rule)
try:
    guarded(False)
except TooSlow:
    print("stopped")
sys.settrace(lambda *_: None)
print(rule(True))
"""


def test_a_thread_whose_call_was_stopped_has_nothing_on_its_way_any_more() -> None:
    """CPython 3.11 looks for what is on its way at each call, and with a trace function it never comes back."""
    command = [sys.executable, "-c", AFTERWARDS]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.split() == ["stopped", "done"], ran.stderr


def test_a_call_within_a_call_is_stopped_and_so_is_what_called_it() -> None:
    dog = Watchdog(20)

    def loop(number: int) -> str:
        while number == 0:
            pass
        return "inner"

    inner = guard_of(dog, loop)

    def outer(number: int) -> str:
        return inner(number)

    with pytest.raises(TooSlow):
        guard_of(dog, outer)(0)
    assert guard_of(dog, outer)(1) == "inner"


def test_an_answer_that_is_no_plain_function_is_guarded_as_well() -> None:
    @lru_cache
    def rule(number: int) -> str:
        while number == 0:
            pass
        return "gold"

    guarded = guard_of(Watchdog(20), rule)
    assert guarded(1) == "gold"
    with pytest.raises(TooSlow):
        guarded(0)


def test_an_answer_may_be_asked_by_name_as_by_place(tmp_path: Path) -> None:
    body = """
        @answers(member.tier_for)
        def tier(earned: int) -> str:
            return f"tier {earned}"
    """
    tier = asked(loaded(front_end_folder(tmp_path, body, "tier"), "inline"), member.tier_for)
    assert tier(3) == tier(points=3) == "tier 3"


def test_a_thread_that_waits_long_outside_of_answers_is_left_alone() -> None:
    dog = Watchdog(BUDGET_MS)
    guarded = guard_of(dog, lambda number: f"answer {number}")
    assert guarded(1) == "answer 1"
    spin(time.perf_counter() + 10 * BUDGET_MS / 1000)
    assert guarded(2) == "answer 2"


def test_a_worker_whose_answer_computes_long_lets_others_go_first(tmp_path: Path) -> None:
    body = """
        import os, time
        @answers(member.tier_for)
        def tier(points: int) -> str:
            while time.process_time() < points:
                pass
            return str(os.getpriority(os.PRIO_PROCESS, 0))
    """
    tier = asked(loaded(front_end_folder(tmp_path, body, "tier"), deadline_ms=30_000), member.tier_for)
    assert tier(0) == str(os.getpriority(os.PRIO_PROCESS, 0))
    assert tier(2) == "19"
