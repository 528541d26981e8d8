"""Copies under other names are found, and look-alikes are told apart, by what they say to recorded questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from isthmus.governance.thin import alike
from isthmus.kernel import PASS, Caller, FrontEnd, Pass, Platform, Product, Registry, answers
from isthmus.kernel.host import Release
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from tests.governance.planted import till

from .test_thin import NOW, pack

Lines = Sequence[till.Line]
CALLS = 250  # of each: the bound of an agreement without exception is then above 98 %


def half(lines: Lines) -> Sequence[int | Pass]:
    return [line.minor // 2 if line.minor > 100 else PASS for line in lines]


def cheap_evenings(lines: Lines) -> Sequence[int | Pass]:
    found: list[int | Pass] = []
    for line in lines:
        found.append((line.minor - line.minor % 2) // 2 if line.minor >= 101 else PASS)
    return found


def for_members(lines: Lines) -> Sequence[int | Pass]:
    return [PASS if one.minor <= 100 else int(one.minor / 2) for one in lines]


def half_of_dear_goods(lines: Lines) -> Sequence[int | Pass]:  # as `half`, but for the dearest
    return [(line.minor // 2 if line.minor < 900 else line.minor // 3) if line.minor > 100 else PASS for line in lines]


def as_listed(lines: Lines) -> Sequence[int | Pass]:  # what the default says
    return [line.minor for line in lines]


def silent(lines: Lines) -> Sequence[int | Pass]:
    return [PASS for _ in lines]


def release(**rules: Callable[..., Any]) -> Release:
    front_ends = [
        FrontEnd(code=code, name=code, owner=code, uses=("till.*",), answers=(answers(till.price)(rule),))
        for code, rule in rules.items()
        if code != "product"
    ]
    if "product" in rules:  # which a front end of its own switches on
        product = Product(
            name="half-price", doc="Half.", owner="till", answers=(answers(till.price)(rules["product"]),)
        )
        front_ends.append(FrontEnd(code="shop", name="shop", owner="shop", uses=("till.*",), products=(product,)))
    return Registry().add(pack(), *front_ends).freeze()


async def found(database: Database, calls: int = CALLS, **rules: Callable[..., Any]) -> alike.Found:
    running = release(**rules)
    recorder = Recorder(database, running.points, Recording(share=1.0))
    platform = Platform(running, database, clock=lambda: NOW, recorder=recorder)
    for code in running.lines:
        for number in range(calls):
            line = till.Line(sku="goods", minor=number * 7 % 1_000)
            await platform.call(till.total, till.Buy(lines=(line,)), Caller(front_end=code))
    await recorder.flush()
    return await alike.look(database, running)


async def test_copies_under_other_names_are_proved_and_a_look_alike_is_not(database: Database):
    said = await found(database, north=half, south=cheap_evenings, west=for_members, east=half_of_dear_goods)
    (group,) = said.alike
    assert group.answers == ("north.half", "south.cheap_evenings", "west.for_members")
    assert group.is_to_sink
    assert group.low > alike.ALIKE
    assert {one.one for one in said.pairs} == {"east.half_of_dear_goods"}
    assert {one.other for one in said.pairs} == set(group.answers)
    assert all(0.8 < one.agreed.share < 0.98 and one.differs for one in said.pairs)
    printed = "\n".join(alike.lines(said))
    assert (
        "sink: 3 front ends answer till.price the same: north.half, south.cheap_evenings, west.for_members" in printed
    )


async def test_two_that_do_the_same_wait_for_a_third(database: Database):
    said = await found(database, north=half, south=for_members)
    assert [one.is_to_sink for one in said.alike] == [False]


async def test_few_questions_prove_nothing(database: Database):
    said = await found(database, 40, north=half, south=for_members)
    assert not said.alike
    assert [(one.agreed.share, one.differs) for one in said.pairs] == [(1.0, "")]
    assert "not proved: north.half and south.for_members" in "\n".join(alike.lines(said))


async def test_to_have_no_opinion_is_not_to_agree(database: Database):
    said = await found(database, north=silent, south=silent, west=as_listed)
    assert not said.alike
    assert not said.pairs
    assert said.idle == (("west.as_listed", "till.price", CALLS),)


def dear_only(lines: Sequence[till.Line]) -> Sequence[int | Pass]:
    return [line.minor // 2 if line.minor > 5_000 else line.minor for line in lines]


async def test_an_answer_whose_case_never_came_is_not_idle(database: Database):
    said = await found(database, north=dear_only, west=as_listed)
    assert said.idle == (("west.as_listed", "till.price", CALLS),)
    assert said.untried == (("north.dear_only", "till.price", CALLS, "if line.minor > 5000"),)
    printed = "\n".join(alike.lines(said))
    assert "untried: north.dear_only says what the default of till.price says" in printed
    assert "`if line.minor > 5000` never came one way" in printed


async def test_what_a_product_says_already_is_told_and_what_only_looks_like_it_is_not(database: Database):
    said = await found(database, north=cheap_evenings, south=half_of_dear_goods, product=half)
    (known,) = said.known
    assert (known.answer, known.product, known.point) == ("north.cheap_evenings", "half-price.half", "till.price")
    assert known.low > alike.ALIKE
    assert not said.alike
    differing = {(one.one, one.other) for one in said.pairs if one.differs}
    assert ("south.half_of_dear_goods", "half-price.half") in differing
    assert "sink: north.cheap_evenings says what half-price.half says on till.price" in "\n".join(alike.lines(said))


async def test_few_questions_do_not_prove_that_a_product_says_it_already(database: Database):
    said = await found(database, 40, north=cheap_evenings, product=half)
    assert not said.known
    assert [(one.one, one.other, one.differs) for one in said.pairs] == [
        ("north.cheap_evenings", "half-price.half", "")
    ]
