"""Isolation: what one front end's code does wrong stays its own trouble, wherever its answers run."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from isthmus.governance.explain import explain
from isthmus.kernel import PASS, errors
from isthmus.packs.member import api as member
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.tax import api as tax
from isthmus.runtime.deploy.loading import front_end_folders, load_front_end
from isthmus.runtime.isolation.manifest import WrongManifest
from isthmus.runtime.isolation.waiting import can_wait, wait, waitable
from isthmus.runtime.isolation.watchdog import TooSlow
from isthmus.runtime.isolation.wire import WrongAnswer
from isthmus.runtime.isolation.workers import CannotLoad, WorkerFailed
from isthmus.values import Buyer, Money
from tests import shipped
from tests.runtime.isolated import POINTS, asked, front_end_folder, loaded

EUR = Money(minor=1_000, currency="EUR")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
BOTH = pytest.mark.parametrize("mode", ["inline", "process"])

TIER = """
    @answers(member.tier_for)
    def tier(points: int) -> str:
        return "gold" if points > 100 else "silver"
"""
LOOP = """
    @answers(member.tier_for)
    def tier(points: int) -> str:
        while points == 0:
            pass
        return "gold"
"""


def line(sku: str) -> pricing.ListedLine:
    return pricing.ListedLine(
        sku=sku,
        quantity=1,
        location="",
        price_list="shelf",
        amount=EUR,
        sale_amount=None,
        per=1,
        valid_from=NOW,
        valid_to=None,
        now=NOW,
    )


@BOTH
def test_an_answer_says_the_same_wherever_it_runs(tmp_path: Path, mode: str):
    front_end = loaded(front_end_folder(tmp_path, TIER, "tier"), mode)
    tier = asked(front_end, member.tier_for)
    assert (tier(101), tier(1), tier(points=500)) == ("gold", "silver", "gold")


@BOTH
def test_pass_is_no_opinion_wherever_it_is_said(tmp_path: Path, mode: str):
    body = """
        @answers(member.tier_for)
        def tier(points: int) -> str | Pass:
            return PASS
    """
    assert asked(loaded(front_end_folder(tmp_path, body, "tier"), mode), member.tier_for)(7) == member.tier_for(7)


def test_process_answers_are_compiled_like_those_of_the_same_folder_inline():
    folders = front_end_folders(ROOT / "front_ends")
    apart_too = [folder for folder in folders if not load_front_end(folder).implementations]  # own flows stay inline
    assert apart_too
    for folder in apart_too:
        apart, here = (shipped.build([loaded(folder, mode)]) for mode in ("process", "inline"))
        for point in POINTS:
            seen = [explain(apart, folder.name, point), explain(here, folder.name, point)]
            assert [(one.by, one.when, one.has_predicate, one.is_total, one.fate) for one in seen[0].candidates] == [
                (one.by, one.when, one.has_predicate, one.is_total, one.fate) for one in seen[1].candidates
            ]


def test_the_code_of_a_process_front_end_is_never_imported_here(tmp_path: Path):
    folder = front_end_folder(tmp_path, TIER, "tier")
    manifest = folder / "front_end.py"
    manifest.write_text("import sys\nsys.was_here = True\n" + manifest.read_text())
    asked(loaded(folder), member.tier_for)(3)
    assert not hasattr(sys, "was_here")


def test_a_worker_has_nothing_of_the_platforms_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", "postgres://secret")
    body = """
        import os
        @answers(member.tier_for)
        def tier(points: int) -> str:
            return " ".join(sorted(os.environ))
    """
    seen = asked(loaded(front_end_folder(tmp_path, body, "tier")), member.tier_for)(1).split()
    assert set(seen) <= {"LANG", "LC_CTYPE", "PATH", "PYTHONPATH"}


@BOTH
def test_a_loop_without_an_end_is_stopped_and_the_next_ask_is_answered(tmp_path: Path, mode: str):
    front_end = loaded(front_end_folder(tmp_path, LOOP, "tier"), mode, budget_ms=300, deadline_ms=300)
    tier = asked(front_end, member.tier_for)
    with pytest.raises((TooSlow, WorkerFailed), match=r"north\.tier.* 300 ms"):
        tier(0)
    assert tier(1) == "gold"


def test_the_watchdog_stops_a_loop_that_catches_everything(tmp_path: Path):
    body = """
        @answers(member.tier_for)
        def tier(points: int) -> str:
            for _ in range(3):
                try:
                    while points == 0:
                        pass
                except:
                    pass
            return "gold"
    """
    tier = asked(loaded(front_end_folder(tmp_path, body, "tier"), "inline", budget_ms=40), member.tier_for)
    with pytest.raises(TooSlow):
        tier(0)
    for _ in range(2_000):
        assert tier(1) == "gold"  # and nothing of what stopped the loop is left over for others


def test_the_watchdog_stops_only_the_thread_that_loops(tmp_path: Path):
    tier = asked(loaded(front_end_folder(tmp_path, LOOP, "tier"), "inline", budget_ms=50), member.tier_for)
    stopped: list[BaseException] = []

    def loop() -> None:
        try:
            tier(0)
        except BaseException as error:
            stopped.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    while thread.is_alive():
        assert tier(1) == "gold"
    assert [type(error) for error in stopped] == [TooSlow]


@BOTH
def test_what_an_answer_raises_is_told_with_its_name(tmp_path: Path, mode: str):
    body = """
        @answers(member.tier_for)
        def tier(points: int) -> str:
            return {1: "one"}[points]
    """
    tier = asked(loaded(front_end_folder(tmp_path, body, "tier"), mode), member.tier_for)
    with pytest.raises(errors.AnswerFailed, match=r"north\.tier.* raised KeyError\(9\)"):
        tier(9)
    assert tier(1) == "one"


@BOTH
def test_a_wrong_type_is_refused_with_its_path(tmp_path: Path, mode: str):
    body = """
        @answers(payment.methods)
        def methods(offered, amount):
            return (*offered, amount.minor)

        @answers(payment.deposit)
        def deposit(amount):
            return Money(minor=amount.minor * 0.33, currency="EUR")
    """
    front_end = loaded(front_end_folder(tmp_path, body, "methods", "deposit"), mode)
    with pytest.raises(WrongAnswer, match=r"north\.methods.*expected `str`, got `int` at \$\[1\]") as refused:
        asked(front_end, payment.methods)(("card",), EUR)
    assert refused.value.path == "$[1]"
    with pytest.raises(WrongAnswer, match=r"expected `int`, got `float` at \$\.minor"):
        asked(front_end, payment.deposit)(EUR)


@BOTH
def test_a_point_that_may_fall_back_does_so_whatever_went_wrong(tmp_path: Path, mode: str):
    assert pricing.adjust_unit_price.on_failure == "default"
    body = """
        @answers(pricing.adjust_unit_price)
        def price(lines: Sequence[pricing.ListedLine], buyer: Buyer):
            what = lines[0].sku
            if what == "loop":
                while True:
                    pass
            if what == "raise":
                raise ValueError(what)
            if what == "memory":
                return bytearray(10_000_000_000)
            return ["cheap"] * len(lines)
    """
    front_end = loaded(front_end_folder(tmp_path, body, "price"), mode, budget_ms=60, deadline_ms=60)
    price = asked(front_end, pricing.adjust_unit_price)
    for trouble in ("loop", "raise", "wrong type", *(["memory"] if mode == "process" else [])):
        assert list(price([line(trouble)], Buyer())) == [PASS]


def test_a_worker_that_takes_too_much_memory_is_replaced(tmp_path: Path):
    body = """
        @answers(member.tier_for)
        def tier(points: int) -> str:
            return str(len(bytearray(points)))
    """
    tier = asked(loaded(front_end_folder(tmp_path, body, "tier"), memory_mb=64, deadline_ms=2_000), member.tier_for)
    with pytest.raises(WorkerFailed, match="more memory than the 64 MB"):
        tier(200_000_000)
    assert tier(1_000_000) == "1000000"


def test_a_worker_that_ends_in_the_middle_of_an_answer_is_replaced(tmp_path: Path):
    body = """
        import os
        LOADED = os.urandom(8).hex()
        @answers(member.tier_for)
        def tier(points: int) -> str:
            if points == 0:
                os.kill(os.getpid(), 9)
            return f"{LOADED} {os.getpid()}"
    """
    front_end = loaded(front_end_folder(tmp_path, body, "tier"), deadline_ms=5_000)
    tier = asked(front_end, member.tier_for)
    first = {tier(2)}
    assert tier(2) in first  # who answered last is warm
    with pytest.raises(WorkerFailed, match=r"worker of north\.tier ended in the middle"):
        tier(0)
    assert tier(2) not in first  # the other copy
    first.add(tier(2))
    started = front_end.answering._process  # type: ignore[attr-defined]
    started.kill()  # the process that makes copies: its copies go with it
    started.wait()
    for _ in range(600):
        try:
            if tier(2) not in first:
                break
        except (WorkerFailed, errors.Unavailable):
            pass
        threading.Event().wait(0.1)
    else:
        pytest.fail("no worker came back")


@pytest.mark.parametrize("size", [100, 65_536, 3_000_000])
def test_an_answer_of_any_size_comes_back_whole(tmp_path: Path, size: int):
    body = """
        @answers(member.tier_for)
        def tier(points: int) -> str:
            return "".join(chr(97 + place % 26) for place in range(points))
    """
    tier = asked(loaded(front_end_folder(tmp_path, body, "tier"), deadline_ms=5_000), member.tier_for)
    assert tier(size) == "".join(chr(97 + place % 26) for place in range(size))


def test_the_same_folder_is_loaded_once_and_its_next_version_apart(tmp_path: Path):
    body = """
        import os
        LOADED = os.urandom(8).hex()
        @answers(member.tier_for)
        def tier(points: int) -> str:
            return LOADED
    """
    folder = front_end_folder(tmp_path, body, "tier")
    first, again = (asked(loaded(folder), member.tier_for) for _ in range(2))
    assert first(1) == again(1)
    folder.joinpath("front_end.py").write_text(folder.joinpath("front_end.py").read_text() + "\n")
    assert asked(loaded(folder), member.tier_for)(1) != first(1)


def test_workers_end_with_the_front_end_that_they_belong_to(tmp_path: Path):
    front_end = loaded(front_end_folder(tmp_path, TIER, "tier"))
    assert asked(front_end, member.tier_for)(1) == "silver"
    starter = psutil.Process(front_end.answering._process.pid)  # type: ignore[attr-defined]
    processes = [starter, *starter.children(recursive=True)]
    assert len(processes) > 2  # it and its copies
    del front_end
    gc.collect()
    assert psutil.wait_procs(processes, 60)[1] == []


def test_a_front_end_that_keeps_failing_is_not_asked_for_a_while(tmp_path: Path):
    tier = asked(loaded(front_end_folder(tmp_path, LOOP, "tier"), deadline_ms=30), member.tier_for)
    for _ in range(3):
        with pytest.raises(WorkerFailed):
            tier(0)
    with pytest.raises(errors.Unavailable, match="failed 3 times in a row and is not asked"):
        tier(1)


@BOTH
async def test_an_async_point_is_answered_and_falls_back_to_its_default(tmp_path: Path, mode: str):
    body = """
        import asyncio
        @answers(tax.choose_rates)
        async def rates(lines, jurisdiction, buyer):
            await asyncio.sleep(0.001)
            while jurisdiction == "loop":
                pass
            return ("no rates",) if jurisdiction == "wrong" else ()
    """
    front_end = loaded(front_end_folder(tmp_path, body, "rates"), mode, deadline_ms=3_000)
    rates = asked(front_end, tax.choose_rates)
    assert await rates((), "de", Buyer()) == ()
    assert await rates((), "loop", Buyer()) is PASS  # the default's word: the platform's own rates
    assert await rates((), "wrong", Buyer()) is PASS
    assert await rates((), "de", Buyer()) == ()


async def test_while_one_front_end_loops_others_are_answered_first(tmp_path: Path):
    looping = asked(loaded(front_end_folder(tmp_path, LOOP, "tier"), deadline_ms=60_000), member.tier_for)
    quick = asked(loaded(front_end_folder(tmp_path, TIER, "tier", code="south")), member.tier_for)
    ended: list[str] = []

    async def ask(name: str, tier: Any, points: int) -> None:
        tier(points)
        ended.append(name)

    slow = asyncio.create_task(waitable(ask("looping", looping, 0)))
    await asyncio.sleep(0)  # it is under way
    await asyncio.gather(*(waitable(ask("quick", quick, 1)) for _ in range(50)))
    assert ended == ["quick"] * 50
    assert not slow.done()
    slow.cancel()
    await asyncio.wait([slow])


async def test_a_call_that_is_cut_while_it_waits_gives_its_worker_up(tmp_path: Path):
    tier = asked(loaded(front_end_folder(tmp_path, LOOP, "tier"), deadline_ms=60_000), member.tier_for)

    async def ask(points: int) -> str:
        return tier(points)

    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await waitable(ask(0))
    assert await waitable(ask(1)) == "gold"


async def test_plain_functions_wait_only_inside_a_call_that_can():
    assert not can_wait()

    def plain() -> str:
        assert can_wait()
        return wait(asyncio.sleep(0.01, "slept"))

    async def call() -> str:
        await asyncio.sleep(0)
        said = plain()
        with pytest.raises(ValueError, match="told"):
            wait(fails())
        return said

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("told")

    assert await asyncio.gather(waitable(call()), waitable(call())) == ["slept", "slept"]


def test_a_folder_that_a_worker_cannot_load_says_why(tmp_path: Path):
    with pytest.raises(CannotLoad, match=r"ZeroDivisionError"):
        loaded(front_end_folder(tmp_path, "1 / 0"))
    with pytest.raises(CannotLoad, match=r"has no front_end\.py"):
        loaded(tmp_path / "nothing")


def test_what_cannot_run_apart_is_refused_with_what_to_do(tmp_path: Path):
    body = """
        from isthmus.kernel import Product
        OWN = Product(name="own", doc="Its own.", owner="its team", answers=())
    """
    with pytest.raises(CannotLoad, match="product 'own' is defined by the front end itself"):
        loaded(front_end_folder(tmp_path, body, more="products=(OWN,),"))
    twice = TIER + TIER.replace("member.tier_for", "member.tier_for, when={}").replace("def tier", "def tier")
    body = twice.replace("def tier", "def other", 1) + "\n    other.function.__name__ = 'tier'\n"
    with pytest.raises(WrongManifest, match="two answers 'tier'"):
        loaded(front_end_folder(tmp_path, body, "tier", "other"))


def test_predicates_and_orders_of_a_process_front_end_hold(tmp_path: Path):
    body = """
        @answers(member.tier_for, applies=lambda points: points < 10)
        def small(points: int) -> str:
            return "small"

        @answers(member.tier_for)
        def large(points: int) -> str:
            return "large"
    """
    more = "order={member.tier_for: (small, large)},"
    tier = asked(loaded(front_end_folder(tmp_path, body, "small", "large", more=more)), member.tier_for)
    assert (tier(1), tier(10)) == ("small", "large")
