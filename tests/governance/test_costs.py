"""The month's price is divided by what was used, the peak by who was there, and what is the platform's own is said."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.governance.cost import moved, used
from isthmus.governance.cost.avoided import alternatives, avoided, monthly
from isthmus.governance.cost.bill import OWN, Bill, bill
from isthmus.governance.cost.inputs import Inputs, WrongCosts
from isthmus.governance.cost.report import Code, count_code, lines_in, measure, ordered, used_packs
from isthmus.governance.cost.used import Capacity, ProcessTime, Use
from isthmus.governance.counters import CallCount, Counters
from isthmus.governance.traffic import Traffic
from isthmus.kernel import Caller, Outcome, Platform
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from tests.governance.planted import stall, till
from tests.governance.test_thin import NOW, record, release

DAY_US = 86_400 * 1e6


def use(cpu_us: float, db_us: float = 0.0) -> Use:
    return Use(calls=1, took_us=round(cpu_us + db_us), cpu_us=cpu_us, db_us=db_us, rows=0.0, events=0.0, metered=1)


def divided(
    uses: Mapping[tuple[str, str], Use],
    capacity: Capacity | None = None,
    peak: Mapping[str, float] | None = None,
    stored: Mapping[str, Mapping[str, int]] | None = None,
    stored_in_all: int = 0,
    replayed: Mapping[str, float] | None = None,
) -> Bill:
    return bill(Inputs(), uses, capacity or Capacity(), peak or {}, replayed or {}, stored or {}, stored_in_all)


def test_each_resource_is_divided_by_what_was_used_of_it():
    found = divided(
        {("north", "till.total"): use(30.0, 10.0), ("south", "till.total"): use(10.0, 30.0)},
        stored={"north": {"till": 25}, "south": {"till": 20, "stock": 5}},
        stored_in_all=100,
    )
    assert found.of("north") == pytest.approx(0.5 * 0.75 + 0.3 * 0.25 + 0.2 * 0.25)
    assert found.of("south") == pytest.approx(0.5 * 0.25 + 0.3 * 0.75 + 0.2 * 0.25)
    assert found.platform_tax == pytest.approx(0.1)  # half of the storage is all front ends'
    kept = {(one.front_end, one.service): one.share for one in found.charges if one.part == "storage"}
    assert kept == pytest.approx({("north", "till"): 0.05, ("south", "till"): 0.04, ("south", "stock"): 0.01})


def test_what_recorded_calls_are_kept_in_and_replayed_by_is_their_capabilitys():
    sold = Use(calls=4, took_us=8, cpu_us=8.0, db_us=0.0, rows=0.0, events=0.0, metered=3, recorded=300)
    seen = Use(calls=1, took_us=2, cpu_us=2.0, db_us=0.0, rows=0.0, events=0.0, metered=1, recorded=100)
    uses = {("north", "till.total"): sold, ("north", "till.label"): seen, ("south", "till.total"): use(1.0)}
    found = divided(uses, replayed={"north": 8.0, "south": 0.0}, stored={"north": {"": 40}}, stored_in_all=100)
    shares = {(one.part, one.capability): one.share for one in found.charges if one.front_end == "north"}
    assert shares["storage", "till.total"] == pytest.approx(0.2 * 0.3)
    assert shares["storage", "till.label"] == pytest.approx(0.2 * 0.1)
    assert shares["replay", "till.total"] == pytest.approx(
        3 * shares["replay", "till.label"]
    )  # three calls of its cost
    assert sum(share for (part, _), share in shares.items() if part == "replay") == pytest.approx(0.5 * 8 / 19)


def test_what_is_kept_ready_is_borne_by_who_was_there_in_the_busiest_minutes():
    """A machine that is used to a tenth, for itself to a twentieth, and to a half in the busiest minutes."""
    uses = {("giant", "till.total"): use(0.09 * DAY_US), ("small", "till.total"): use(0.01 * DAY_US)}
    capacity = Capacity(ran_us=DAY_US, cpu_us=0.15 * DAY_US, peak=0.5)
    found = divided(uses, capacity, {"small": 0.9, "giant": 0.1})
    assert found.of("giant", ["processor"]) == pytest.approx(0.5 * 0.09)
    assert found.of("small", ["peak"]) == pytest.approx(0.5 * 0.35 * 0.9)
    assert found.of("small", ["peak"]) > found.of("giant", ["peak"]) + found.of("giant", ["processor"])
    assert found.of(OWN, ["overhead"]) == pytest.approx(0.5 * 0.05 + 0.3)  # no time in a database is nobody's
    assert found.of(OWN, ["idle"]) == pytest.approx(0.5 * 0.5)


def test_a_replay_is_borne_by_whose_calls_it_ran():
    found = divided({("north", "till.total"): use(DAY_US)}, replayed={"south": DAY_US})
    assert found.of("south") == pytest.approx(0.25)


@given(
    st.dictionaries(st.sampled_from("abcde"), st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)), max_size=5),
    st.floats(0, 1e13), st.floats(0, 1e13), st.floats(0, 1), st.lists(st.integers(0, 10**12), max_size=3),
    st.integers(0, 10**13), st.floats(0, 1e12),
)  # fmt: skip
def test_whatever_was_used_the_charges_come_to_the_whole_and_none_is_below_zero(
    times: dict[str, tuple[float, float]],
    ran: float,
    worked: float,
    busy: float,
    kept: list[int],
    all_: int,
    again: float,
):
    uses = {(name, "till.total"): use(*pair) for name, pair in times.items()}
    peak = {name: 1 / len(times) for name in times}
    stored = {f"f{at}": {"": size, "till": size} for at, size in enumerate(kept)}
    found = divided(uses, Capacity(ran_us=ran, cpu_us=worked, peak=busy), peak, stored, all_, {"a": again})
    assert sum(one.share for one in found.charges) == pytest.approx(1.0)
    assert all(one.share >= 0 for one in found.charges)


def test_building_alone_is_the_lines_that_calls_reach_and_the_group_saves_them_for_each_beyond_the_first():
    inputs = Inputs.of({"team_day": "500 EUR", "lines_per_day": 50, "upkeep": 0.12, "years": 5})
    lines = {"till": 6_000, "stock": 3_000, "unused": 9_000}
    reached = {"north": frozenset({"till", "stock"}), "south": frozenset({"till"})}
    of_till = 6_000 / 50 * 500 * (1 / 60 + 0.01)
    assert monthly(inputs, 6_000) == pytest.approx(of_till)
    north, south = alternatives(inputs, {"north": 100.0}, {"north": 50}, reached, lines, {"north": 300, "south": 0})
    assert north.alone == pytest.approx(1.5 * of_till)
    assert (north.unit_cost, south.unit_cost) == (2.0, None)
    assert north.make_or_reuse == pytest.approx((100 + of_till / 20) / (1.5 * of_till))
    assert south.avoided == pytest.approx(min(of_till, inputs.rented_month))
    upkeep = 9_000 / 50 * 500 * 0.01  # of what somebody uses
    assert avoided(inputs, [north, south], reached, lines) == pytest.approx(of_till - of_till / 20 - upkeep)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"month": "100 EUR", "team_day": "100 USD"}, "cost.team_day is in USD"),
        ({"processor": 0.9}, "come to 1.4"),
        ({"years": 0}, "cost.years = 0"),
        ({"upkeep": "much"}, "cost.upkeep = 'much'"),
    ],
)
def test_costs_that_cannot_be_are_refused(said: dict[str, object], wrong: str):
    with pytest.raises(WrongCosts, match=wrong):
        Inputs.of(said)


async def test_what_calls_used_is_their_number_times_what_metered_ones_used(database: Database):
    await record(database, release(), 3)
    async with database.platform() as session:
        await session.execute(
            "update runtime.recorded_call set cpu_us = case front_end when 'north' then 100 else 400 end,"
            " db_us = 1_000, rows = 2, events = 1 where capability = 'till.total'"
        )
        await session.execute("update runtime.recorded_call set cpu_us = null where front_end = 'west'")
    counted = {(code, "till.total"): CallCount(calls=1_000, took_us=10) for code in ("north", "west")}
    found = await used.uses(database, counted | {("west", "till.other"): CallCount(calls=1, took_us=50)})
    assert found["north", "till.total"].cpu_us == 100_000
    assert (found["north", "till.total"].rows, found["north", "till.total"].events) == (2_000, 1_000)
    assert found["west", "till.total"].metered == 0
    assert 100_000 < found["west", "till.total"].cpu_us < 400_000  # as other front ends' calls of it
    assert found["west", "till.other"].cpu_us + found["west", "till.other"].db_us > 0


async def test_the_busiest_minutes_say_who_was_there(database: Database):
    figures = Counters()
    for minute, (north, south) in enumerate([(10, 0), (100, 300), (5, 0)]):
        for box, took_ms in (("north", north), ("south.outlet", south)):
            if took_ms:
                figures.see(Outcome(capability="a.b", box=box, client="", took_ns=took_ms * 10**6, error=""))
        await Traffic(database, figures, clock=lambda at=minute: NOW + timedelta(minutes=at)).keep()
    assert await used.peak(database, NOW) == pytest.approx({"north": (1 + 0.25 + 1) / 3, "south": 0.25})
    assert await used.peak(database, NOW + timedelta(days=31)) == {}


async def test_a_process_says_what_it_had_of_a_processor_and_used(database: Database):
    clock = [NOW]
    process = ProcessTime(database, clock=lambda: clock[0])
    sum(range(2_000_000))
    await process.note()
    found = await used.capacity(database, NOW + timedelta(days=1))
    assert 0 < found.cpu_us <= found.ran_us * 8  # threads work beside each other
    assert found.peak == pytest.approx(found.cpu_us / found.ran_us, rel=0.01)
    clock[0] = NOW + timedelta(days=31)
    await process.prune()
    assert (await used.capacity(database, NOW)).ran_us == 0


async def test_what_answers_cost_and_move_is_what_is_planted(database: Database):
    """North takes ten cents off each tea, keeps a tenth of a sale, and sells no knives; one call in two is recorded."""
    running = stall.release(answers=(stall.ten_cents_off_tea, stall.no_knives, stall.a_tenth_for_us, stall.five_for_us))
    figures = Counters()
    recorder = Recorder(database, running.points, Recording(share=1.0))
    platform = Platform(running, database, recorder=recorder, observe=figures.see)
    for code in ("north", "south"):
        for bought in ([stall.goods("tea", 3), stall.goods("jam")], [stall.goods("knife")], [stall.goods("jam")]):
            with suppress(stall.Refused):
                await platform.call(stall.sell, stall.Sell(goods=tuple(bought)), Caller(front_end=code))
            with suppress(stall.Refused):
                await platform.call(stall.look, bought[0], Caller(front_end=code))
    await recorder.flush()
    traffic = Traffic(database, figures)
    await traffic.keep()
    async with database.platform() as session:
        await session.execute("update console.traffic set calls = 2 * calls")
    found = await moved.measure(database, running, traffic, datetime.now(UTC))
    assert {(one.front_end, one.by, one.point) for one in found.answers} == {
        ("north", "north.ten_cents_off_tea", "stall.price"),
        ("north", "north.no_knives", "stall.allow"),
        ("north", "north.a_tenth_for_us", "stall.commission"),
        ("north", "north.five_for_us", "stall.keep"),
    }
    by_point = {one.point: one for one in found.answers}
    assert (by_point["stall.price"].moved, by_point["stall.price"].vetoed) == ({"EUR": -60}, 0)
    assert (by_point["stall.allow"].moved, by_point["stall.allow"].vetoed) == ({}, 2)
    assert (by_point["stall.price"].decided, by_point["stall.allow"].refused) == ({}, 2), "who looks at a knife"
    ours = by_point["stall.commission"]
    assert (ours.moved, ours.decided) == ({}, {"EUR": 2 * (370 // 10 + 100 // 10)}), "it is no price"
    assert by_point["stall.keep"].decided == {"EUR": 2 * 3 * 5}, "of three lines, whatever their quantities"
    assert all(one.took_us > 0 for one in found.answers)
    assert found.orders == 6
    assert (await moved.last(database)) == found
    said = "\n".join(moved.text(found))
    assert "north.ten_cents_off_tea on stall.price" in said
    assert "moves -0.60 EUR" in said
    assert "2 orders refused" in said
    assert "2 other calls refused" in said
    assert "decides 0.94 EUR that is no price" in said


async def test_the_group_is_charged_and_would_not_be_built_alone(database: Database):
    running = stall.release(answers=())
    figures = Counters()
    platform = Platform(running, database, observe=figures.see)
    for code in ("north", "south"):
        await platform.call(stall.look, stall.goods("tea"), Caller(front_end=code))
    traffic, now, code = Traffic(database, figures), datetime.now(UTC), Code(packs={"stall": 100}, own={})
    await traffic.keep()

    async def compared(group: str) -> tuple[list[str], bool]:
        found = await measure(database, traffic, running, Inputs.of({"month": "100 EUR"}), now, code, group)
        return sorted(one.front_end for one in found.alternatives), found.bill.of("south") > 0

    assert await compared("") == (["north", "south"], True)
    assert await compared("south") == (["north"], True)


def test_packs_are_reached_through_flows_and_orders_are_what_ends_a_basket():
    running = release()
    tallies = {("north", "till.total"): CallCount(calls=5), ("gone", "till.total"): CallCount(calls=5)}
    assert used_packs(tallies, running) == {"north": frozenset({"till"})}
    assert ordered(tallies, running) == {}  # no pack here says what ends a basket
    sold = {("north", "stall.sell"): CallCount(calls=5, errors=Counter({"stall.refused": 2}))}
    assert ordered(sold, stall.release()) == {"north": 3}


def test_lines_of_code_are_neither_blank_nor_comments(tmp_path: Path):
    file = tmp_path / "a.py"
    file.write_text("# why\n\nx = 1\n    # more\ny = 2  # here\n")
    assert lines_in([file]) == 2
    assert count_code(release()).packs["till"] >= len(inspect.getsource(till.add_up.function).splitlines())
