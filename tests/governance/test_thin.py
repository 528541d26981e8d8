"""Planted faults are found, each and no other, and the index moves as it should."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isthmus.governance.thin import history, index, observe, report
from isthmus.governance.thin.findings import ALONE_DAYS, ALONE_MIN, weigh
from isthmus.governance.thin.probes import Probes, observing
from isthmus.kernel import Caller, FrontEnd, Pack, Platform, Registry, answers, errors
from isthmus.kernel.host import Release
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from tests.governance.planted import rules, till

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TODAY = NOW.date()
CODES = ("north", "south", "west")


def pack() -> Pack:
    api, service = ModuleType("api", "Sells."), ModuleType("service")
    for name in ("total", "label", "price", "unasked"):
        setattr(api, name, getattr(till, name))
    service.__dict__.update(add_up=till.add_up, printed=till.printed)
    return Pack(name="till", owner="till team", api=api, service=(service,))


def release(**settings: dict[str, str]) -> Release:
    prices: dict[str, Callable[..., Any]] = {"north": rules.half, "south": rules.never_says, "west": rules.third}
    front_ends = [
        FrontEnd(
            code=code,
            name=code,
            owner=code,
            uses=("till.*",),
            answers=(answers(till.price)(prices[code]),),
            settings=settings.get(code, {}),
        )
        for code in CODES
    ]
    return Registry().add(pack(), *front_ends).freeze()


async def record(database: Database, running: Release, calls: int) -> None:
    """Let each front end buy: all cheap and dear goods, one alone wine; a wrong ask from one, a label from another."""
    recorder = Recorder(database, running.points, Recording(share=1.0))
    platform = Platform(running, database, clock=lambda: NOW, recorder=recorder)
    for code in CODES:
        caller = Caller(front_end=code)
        for number in range(calls):
            goods = [till.Line(sku="bread", minor=50), till.Line(sku="cake", minor=300 if number % 2 else 0)]
            if code == "south" and number % 3 == 0:
                goods.append(till.Line(sku="wine", minor=900))
            rounding = "five" if number % 2 else "none"
            await platform.call(
                till.total,
                till.Buy(
                    lines=tuple(goods),
                    rounding=rounding,
                    bags=int(code != "south"),
                    voucher="" if code == "south" else "V1",
                    is_remote=code != "west",
                ),
                caller,
            )
    for _ in range(calls):
        await platform.call(till.label, till.Line(sku="bread", minor=1), Caller(front_end="north"))
        with pytest.raises(errors.BadAsk):
            await platform.call(till.total, till.Buy(lines=()), Caller(front_end="west"))
    await recorder.flush()


@pytest.fixture
async def observed(database: Database) -> tuple[observe.Observed, Release]:
    running = release(north={"receipt": "long"}, south={"bags": "paper"}, west={"bags": "none"})
    await record(database, running, 60)
    return await observe.observe(database, Platform(running, database)), running


async def test_what_serves_one_front_end_alone_is_found_and_nothing_else(observed: tuple[observe.Observed, Release]):
    found = weigh(observed[0], observed[1], date(2026, 5, 4)).findings
    source, first = inspect.getsourcelines(till.add_up.function)
    wine = first + next(at for at, text in enumerate(source) if "if any" in text)
    here = first + next(at for at, text in enumerate(source) if "if ask.is_remote" in text)
    named = first + next(at for at, text in enumerate(source) if 'ctx.front_end == "west"' in text)
    lifted = {(one.front_end, one.where.rpartition("planted/")[2]) for one in found if one.verdict == "lift"}
    assert lifted == {
        ("south", f"till.py:{wine}"),
        ("west", f"till.py:{named}"),
        ("west", f"till.py:{here}"),
        ("north", "till.label"),
        ("north", "front end north"),
    }
    deleted = {one.what for one in found if one.verdict == "delete"}
    assert deleted == {
        "extension point till.unasked has no answer",
        "answer south.never_says never had an opinion",
        "option till.total:$.is_gift has one value in use",
    }
    assert all(one.evidence and one.next for one in found)


async def test_what_one_front_end_calls_is_its_own_after_so_many_calls_and_days_only(
    observed: tuple[observe.Observed, Release],
):
    seen, running = observed

    def alone(over: timedelta) -> list[str]:
        found = weigh(seen, running, TODAY, over).findings
        return [one.evidence for one in found if one.kind == "capability" and one.verdict == "lift"]

    def shared(over: timedelta) -> index.Term:
        return next(one for one in weigh(seen, running, TODAY, over).terms if one.name == "surface-used")

    assert shared(ALONE_DAYS).value == 0.5
    assert shared(timedelta(hours=3)).value is None
    assert "calls of 3.0 h are too few" in shared(timedelta(hours=3)).evidence
    assert alone(ALONE_DAYS) == ["60 calls, of the calls and their parts of 3 front ends"]
    assert alone(ALONE_DAYS - timedelta(hours=1)) == []
    seen.used["north", "till.label"] = ALONE_MIN - 1
    assert alone(ALONE_DAYS) == []
    del seen.used["north", "till.label"]

    def nobody(over: timedelta) -> list[tuple[str, str]]:
        found = weigh(seen, running, TODAY, over).findings
        return [(one.verdict, one.name) for one in found if one.kind == "capability"]

    assert nobody(ALONE_DAYS) == [("delete", "till.label")]
    assert nobody(ALONE_DAYS - timedelta(hours=1)) == [], "a morning's calls say nothing of what is called weekly"


async def test_of_an_answer_that_some_have_it_is_said_who_and_what_for_and_nothing_is_written(database: Database):
    fronts = [
        FrontEnd(code=code, name=code, owner=code, uses=("till.*",), answers=given)
        for code, given in (("north", (answers(till.price)(rules.half),)), ("south", ()), ("west", ()))
    ]
    running = Registry().add(pack(), *fronts).freeze()
    await record(database, running, 60)
    seen = await observe.observe(database, Platform(running, database))
    (found,) = [one for one in weigh(seen, running, TODAY).findings if one.name == "till.price"]
    asked, opinions = seen.asked["north", "till.price"], seen.said["north.half", "till.price", True]
    assert 0 < opinions <= asked
    assert f", {asked:,} of them of north, who have north.half (" in found.evidence
    assert found.evidence.endswith(f"it had an opinion {opinions:,} times; the others take the default")
    assert found.kind == "point"
    assert found.next.startswith("decide: ")


@pytest.mark.parametrize("case", [{}, {"applies": rules.has_gold}])
async def test_an_answer_whose_case_never_came_is_not_dead(database: Database, case: dict[str, Any]):
    """A line of gold was never bought; nor was the answer ever asked, where it says itself that it is of gold."""
    given = answers(till.price, **case)(rules.never_says if case else rules.gold_is_dear)
    answering = FrontEnd(code="north", name="n", owner="n", uses=("till.*",), answers=(given,))
    running = Registry().add(pack(), answering).freeze()
    recorder = Recorder(database, running.points, Recording(share=1.0))
    platform = Platform(running, database, clock=lambda: NOW, recorder=recorder)

    for _ in range(60):
        await platform.call(till.total, till.Buy(lines=(till.Line(sku="bread", minor=5),)), Caller(front_end="north"))
    await recorder.flush()
    observed = await observe.observe(database, Platform(running, database))
    assert observed.asked["north", "till.price"] == 60
    assert not [one for one in weigh(observed, running, date(2026, 5, 4)).findings if one.kind == "answer"]


async def test_the_group_is_no_front_end_and_nothing_becomes_its_own(database: Database):
    running = release(north={"receipt": "long"})
    await record(database, running, 40)

    async def lifted(group: str) -> set[tuple[str, str]]:
        platform = Platform(running, database)
        found = await report.measure(database, platform, history.Past(()), NOW, group=group)
        return {
            (one.kind, one.front_end) for one in found.findings if one.verdict == "lift" and "names" not in one.what
        }

    label = ("capability", "north")
    assert await lifted("") == {("branch", "south"), ("branch", "west"), ("setting", "north"), label}
    assert await lifted("west") == {label}, "of two front ends each decision that tells them apart would be one's own"


async def test_a_setting_that_nobody_reads_is_to_go(database: Database):
    running = release(north={"colour-of-bags": "red"}, west={"receipt": "long"})
    await record(database, running, 40)
    observed = await observe.observe(database, Platform(running, database))
    found = weigh(observed, running, date(2026, 5, 4)).findings
    assert {(one.verdict, one.name) for one in found if one.kind == "setting"} == {
        ("delete", "colour-of-bags"),
        ("lift", "receipt"),
    }


async def test_what_is_read_by_its_beginning_says_who_a_front_end_is_and_is_no_option(database: Database):
    running = release(north={"invoicing.name": "North Ltd.", "invoicin.name": "North"})
    await record(database, running, 40)
    observed = await observe.observe(database, Platform(running, database))
    found = weigh(observed, running, date(2026, 5, 4))
    assert {(one.verdict, one.name) for one in found.findings if one.kind == "setting"} == {("delete", "invoicin.name")}
    (options,) = (one.evidence for one in found.terms if one.name == "options-live")
    assert options == "2 of 4 options have two values in use", "three of the asks, and the setting that nobody reads"


async def test_what_was_observed_leaves_the_code_as_it_was(observed: tuple[observe.Observed, Release]):
    before = till.rounded.__code__
    with observing([Path(till.__file__)], Probes()):
        assert till.rounded.__code__ is not before
        assert till.rounded(13, "five") == 15
    assert till.rounded.__code__ is before
    assert till.rounded(13, "none") == 13


def test_what_is_frozen_is_observed_too_and_stays_frozen():
    before = gc.get_freeze_count()
    gc.freeze()
    try:
        with observing([Path(till.__file__)], probes := Probes()):
            till.rounded(13, "five")
        assert probes.taken[""]
        assert gc.get_freeze_count() > 0
    finally:
        if not before:
            gc.unfreeze()


async def test_a_report_is_kept_and_its_index_over_time(database: Database):
    running = release()
    await record(database, running, 40)
    nothing = history.Past((index.Term(name="no-queue", value=None, evidence="no checkout"),))
    found = await report.measure(database, Platform(running, database), nothing, NOW)
    assert found.calls == {"north": 80, "south": 40, "west": 80}
    assert found.index.value is not None
    assert 0 < found.index.value < 60, "a platform that names a front end is fat"
    assert found.index.weakest == "neutrality"
    await report.keep(database, found)
    assert await report.last(database) == found
    assert await report.over_time(database) == [(NOW, found.index.value)]


async def test_what_came_with_a_release_is_set_apart_and_what_is_ours_comes_first(database: Database, tmp_path: Path):
    running = release()
    await record(database, running, 40)
    platform = Platform(running, database)
    ours, theirs = [
        await report.measure(database, platform, history.Past(()), NOW, root=root) for root in (None, tmp_path)
    ]
    assert {one.where for one in ours.findings} == {one.where for one in theirs.findings}
    assert not any(one.is_elsewhere for one in ours.findings)
    assert {one.next for one in theirs.findings if one.is_elsewhere} == {
        "it came with a release, and is not changed here"
    }
    assert {one.pack for one in theirs.findings if one.is_elsewhere} == {"till"}
    assert {one.what for one in theirs.findings if not one.is_elsewhere} == {
        "answer south.never_says never had an opinion"
    }
    assert not theirs.findings[0].is_elsewhere
    assert list(report.elsewhere_text(ours, is_all=False)) == []
    said = "\n".join(report.elsewhere_text(theirs, is_all=False))
    assert f"elsewhere: {len(theirs.findings) - 1} findings" in said


@pytest.mark.parametrize(
    ("planted", "term"), [("wine", "neutrality"), ("label", "surface-used"), ("knob", "options-live")]
)
async def test_what_is_planted_moves_its_term_down_and_the_index_with_it(database: Database, planted: str, term: str):
    """A branch that one front end alone takes, a capability that one alone calls, a knob that one alone turns."""

    async def measured(has: str) -> index.Index:
        running = release(south={"bags": "paper"}) if has == "knob" else release()
        recorder = Recorder(database, running.points, Recording(share=1.0))
        platform = Platform(running, database, clock=lambda: NOW, recorder=recorder)
        for code in CODES:
            for number in range(60):
                skus = ["bread", "wine"] if has == "wine" and code == "south" and number % 3 == 0 else ["bread"]
                lines = tuple(till.Line(sku=sku, minor=50 + 100 * (number % 2)) for sku in skus)
                rounding = "five" if number % 2 else "none"
                await platform.call(till.total, till.Buy(lines=lines, rounding=rounding), Caller(front_end=code))
                if has != "label" or code == "north":
                    await platform.call(till.label, till.Line(sku="bread", minor=1), Caller(front_end=code))
        await recorder.flush()
        found = await report.measure(database, Platform(running, database), history.Past(()), NOW)
        async with database.platform() as session:
            await session.execute("truncate runtime.recorded_call")
        return found.index

    clean, fat = await measured(""), await measured(planted)
    was, now = ({one.name: one.value for one in found.terms}[term] for found in (clean, fat))
    assert was is not None
    assert now is not None
    assert now < was
    assert clean.value is not None
    assert fat.value is not None
    assert fat.value < clean.value


async def test_where_nothing_was_recorded_the_index_is_not_known(database: Database):
    running = release()
    found = await report.measure(database, Platform(running, database), history.Past(()), NOW)
    assert (found.index.grade, found.index.value) == ("unknown", None)


def test_one_term_alone_is_no_index_and_of_few_options_that_none_is_used_is_not_known(
    observed: tuple[observe.Observed, Release],
):
    alone = index.index_of(terms(no_queue=0.5))
    assert (alone.value, alone.grade, [one.value for one in alone.terms]) == (None, "unknown", [0.5])
    assert index.index_of(terms(no_queue=0.5, options_live=0.5)).value == 50.0

    def used(*values: str) -> float | None:
        asked, running = observed
        asked.options = {f"till.total:$.{number}": {"north": {one}} for number, one in enumerate(values)}
        asked.options["till.total:$.0"]["south"] = set(values[:1])
        terms = weigh(asked, dataclasses.replace(running, lines={}), TODAY).terms
        return next(one.value for one in terms if one.name == "options-live")

    assert used("a", "b", "c", "d") is None
    assert used("a", "b", "c", "d", "e") == 0.0


def test_where_there_was_nothing_before_growth_is_not_known():
    assert index.sub_linear((0, 200), (0, 3), "May").value is None


def terms(**values: float | None) -> dict[str, index.Term]:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return {name: index.Term(name=name, value=value, evidence="") for name, value in named.items()}


GOOD = dict.fromkeys(("logic_out", "neutrality", "surface_used", "options_live", "no_queue", "sub_linear"), 0.9)


def test_one_bad_term_is_not_hidden_behind_good_ones():
    good = index.index_of(terms(**GOOD))
    bad = index.index_of(terms(**{**GOOD, "no_queue": 0.4}))
    assert (good.value, good.grade) == (90.0, "thin")
    assert bad.value is not None
    assert bad.value == pytest.approx(100 * (0.9**0.8 * 0.4**0.2) ** 0.75 * 0.4**0.25, abs=0.05)
    assert (bad.weakest, bad.grade) == ("no-queue", "watch")


@given(st.dictionaries(st.sampled_from(sorted(index.WEIGHTS)), st.floats(0, 1), min_size=1), st.data())
def test_a_better_term_never_makes_the_index_worse(values: dict[str, float], data: st.DataObject):
    assume(sum(index.WEIGHTS[name] for name in values) >= index.KNOWN_MIN)
    name = data.draw(st.sampled_from(sorted(values)))
    better = {**values, name: data.draw(st.floats(values[name], 1))}

    def at(of: dict[str, float]) -> float:
        found = index.index_of({key: index.Term(name=key, value=value, evidence="") for key, value in of.items()}).value
        assert found is not None
        return found

    assert at(better) >= at(values) - 0.051  # both are rounded


def test_the_platform_growing_faster_than_its_front_ends_lowers_the_term():
    level = index.sub_linear((100, 100), (2, 3), "May")
    along = index.sub_linear((100, 150), (2, 3), "May")
    ahead = index.sub_linear((100, 400), (2, 3), "May")
    assert level.value == along.value == 1.0
    assert ahead.value is not None
    assert ahead.value < 0.7


def test_changes_of_a_front_end_that_needed_the_platform_are_read_from_git(tmp_path: Path):
    def commit(message: str, **files: str) -> None:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", message],
            cwd=tmp_path,
            check=True,
        )

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    name, pack_file = "front_ends__north__front_end.py", "src__till__service.py"
    commit("both", **{name: "A = 1", pack_file: "def f(a):\n    return 1 if a else 2"})
    commit("alone", **{name: "A = 2"})
    commit("alone again", **{name: "A = 3"})
    commit("platform", **{pack_file: "def f(a, b):\n    return 1 if a and b else 2"})
    now = datetime.now(UTC) + timedelta(minutes=1)
    queue, growth = history.past(tmp_path, tmp_path / "front_ends", (tmp_path / "src",), now).terms
    assert (queue.name, round(queue.value or 0, 3)) == ("no-queue", 0.667)
    assert "1 → 2 decisions, 1 → 1 front ends since the day of the first commit" in growth.evidence
    outside = history.past(tmp_path, tmp_path.parent, (tmp_path / "src",), now)
    assert [term.value for term in outside.terms] == [None, None]
