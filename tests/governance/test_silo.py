"""Each term of the silo index moves with what it is about, and its evidence is exactly what was planted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.governance import silo
from isthmus.governance.exits.held import Hold
from isthmus.governance.silo import Term, TermName
from isthmus.governance.thin.alike import Alike, Found
from isthmus.store import Database
from tests.governance.planted import stall

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
NAMES: tuple[TermName, ...] = ("exits", "exported", "no-queue", "declinable", "unlike")


def terms(values: Mapping[TermName, float | None]) -> list[Term]:
    return [Term(name=name, value=value, said="", evidence=()) for name, value in values.items()]


async def run(database: Database, pack: str, ended: str, reason: str = "", at: datetime = NOW) -> None:
    async with database.platform() as session:
        await session.execute(
            "insert into governance.exit_run (pack, at, ended, calls, reason) values ($1, $2, $3, 10, $4)",
            pack, at - timedelta(days=1), ended, reason,
        )  # fmt: skip


def test_a_thin_platform_whose_exits_are_tried_is_none_and_a_fat_one_that_must_be_taken_is_one():
    thin = silo.index_of(terms(dict(zip(NAMES, (1.0, 0.9, 0.9, 0.8, 1.0), strict=True))))
    fat = silo.index_of(terms(dict(zip(NAMES, (0.0, 0.2, 0.4, 0.1, 0.6), strict=True))))
    assert thin is not None
    assert fat is not None
    assert thin < 0.12
    assert fat > 0.8
    assert silo.index_of(terms({"exits": None})) is None


@given(st.fixed_dictionaries({name: st.floats(0, 1) for name in NAMES}), st.sampled_from(NAMES), st.floats(0, 1))
def test_a_better_term_never_makes_it_more_of_a_silo(values: dict[TermName, float], name: TermName, better: float):
    was = silo.index_of(terms(values))
    now = silo.index_of(terms({**values, name: max(values[name], better)}))
    assert was is not None
    assert now is not None
    assert now <= was


async def test_a_red_exit_raises_the_index_and_an_exit_that_nobody_ran_is_none(database: Database):
    running = stall.release()
    never = await silo.measure(database, running, NOW)
    await run(database, "stall", "green", at=NOW - timedelta(days=40))
    old = await silo.measure(database, running, NOW)
    await run(database, "stall", "red", "2 of 10 calls differ", at=NOW - timedelta(days=2))
    red = await silo.measure(database, running, NOW)
    await run(database, "stall", "green")
    green = await silo.measure(database, running, NOW)
    assert never.value == old.value == red.value
    assert green.value is not None
    assert red.value is not None
    assert green.value < red.value
    exits = {one.name: one for one in red.terms}["exits"]
    assert [(one.what, one.why, one.next) for one in exits.evidence] == [
        ("pack stall", "its exit is red: 2 of 10 calls differ", "isthmus eject stall --check")
    ]
    assert {one.name: one.evidence for one in green.terms}["exits"] == ()
    assert await silo.last(database) == green
    assert "exits: 0.00" in "\n".join(silo.text(red))


def test_who_sells_cannot_decline_what_an_order_reaches_until_it_was_put_out_of_the_way():
    running = stall.release()
    forced = silo.declinable_term(running, set(), {})
    assert (forced.value, [one.what for one in forced.evidence]) == (0.0, ["pack stall"])
    assert silo.declinable_term(running, {"stall"}, {}).value == 1.0


def test_who_is_held_is_told_by_what_and_what_to_do_and_not_to_leave():
    hold = Hold(why="stall.sell is part of the transaction of fair.sell", next="make fair.sell go in steps")
    exits = silo.exits_term(
        ["fair", "shelf", "stall", "till"], {"fair"}, {"till": ("red", "differs")}, {"stall": [hold]}
    )
    assert exits.value == 0.25
    assert [(one.what, one.next) for one in exits.evidence] == [
        ("pack till", "isthmus eject till --check"),
        ("pack shelf", "isthmus eject shelf --check"),
        ("pack stall", "make fair.sell go in steps"),
    ]
    assert exits.evidence[-1].why == "stall.sell is part of the transaction of fair.sell"
    forced = silo.declinable_term(stall.release(), set(), {"stall": [hold]})
    assert [one.next for one in forced.evidence] == ["make fair.sell go in steps"]


def test_who_stands_alone_counts_half_until_it_was_not_tried_or_did_not_work():
    hold = Hold(why="stall.sell is part of the transaction of fair.sell", next="leave out fair", in_place=True)
    packs, held = ["fair", "stall"], {"stall": [hold]}
    alone = silo.exits_term(packs, {"fair"}, {"stall": ("alone", hold.why)}, held)
    assert alone.value == 0.75
    assert alone.said.endswith("; 1 more stand alone, and count half")
    assert [(one.why, one.next) for one in alone.evidence] == [
        (f"it stands alone, and nothing can stand in its place: {hold.why}", "leave out fair")
    ]
    for ended, why in (("", "its exit was not run in 30 days"), ("red", "its exit is red: differs")):
        tried = {"stall": (ended, "differs")} if ended else {}
        found = silo.exits_term(packs, {"fair"}, tried, held)
        assert found.value == 0.5
        assert [(one.why, one.next) for one in found.evidence] == [(why, "isthmus eject stall --check")]
    nothing = silo.exits_term(packs, {"fair"}, {"stall": ("alone", hold.why)}, {})
    assert [one.next for one in nothing.evidence] == ["isthmus eject stall --check"], "it can have its place now"


def test_bytes_that_no_entity_describes_cannot_be_taken_along():
    found = silo.exported_term([("till.sales", 300), ("till.notes", 60), ("till.index", 40)], {"till.sales"})
    assert found.value == 0.75
    assert [one.what for one in found.evidence] == ["table till.notes", "table till.index"]
    assert silo.exported_term([], set()).value is None


def test_what_is_there_twice_is_named_with_what_to_do():
    same = Alike(point="till.price", answers=("north.cheap", "south.low", "west.less"), low=0.99, questions=600)
    found = silo.unlike_term(Found(alike=(same,), pairs=(), idle=(("west.nothing", "till.allow", 40),)), 10)
    assert found.value == 0.7  # one of three would do, and one says nothing of its own
    assert [(one.what, one.next) for one in found.evidence] == [
        ("north.cheap, south.low, west.less", "isthmus thin sink till.price"),
        ("west.nothing", "isthmus thin delete west.nothing"),
    ]


async def test_waiting_is_what_thinness_saw_and_not_known_before(database: Database):
    found = await silo.measure(database, stall.release(), NOW)
    waiting = {one.name: one for one in found.terms}["no-queue"]
    assert (waiting.value, waiting.said) == (None, "run `isthmus thin` first")
    assert found.value == pytest.approx(silo.index_of(one for one in found.terms if one.name != "no-queue"))
