"""The trace of a call: every point asked, who said what, and nothing of another call's."""

import asyncio

import pytest

from isthmus.governance.explain import explain
from isthmus.kernel import PASS, Caller, Context, Effect, Pass, answers, combine, extension_point
from isthmus.kernel.trace import Trace

from .world import NORTH, Noted, Number, Refused, Said, a_front_end, a_platform, doing


@extension_point("shop.fee", combine=combine.total)
def fee(number: int, factor: int) -> int:
    """Add a fee."""
    return 0


@extension_point("shop.word", combine=combine.first_answer, on_failure="default")
async def word(number: int) -> str:
    """Choose the word."""
    return "default"


@answers(fee)
def packing(number, factor) -> int:
    return number * factor


@answers(fee)
def carrying(number, factor) -> int | Pass:
    return PASS


@answers(word)
async def broken(number) -> str:
    await asyncio.sleep(0)
    raise ValueError(number)


class Recorder:
    def __init__(self, share=True) -> None:
        self.kept: list[Trace] = []
        self.share = share

    def wants(self, capability: str, front_end: str) -> bool:
        return self.share

    def metered(self, trace, running):
        return running

    def keep(self, trace: Trace) -> None:
        self.kept.append(trace)


def a_shop(**more):
    async def part(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="a"))
        if ask.number > 10:
            raise Refused("too many", remedy="take fewer")
        return Said(text=await ctx.answer(word)(ask.number))

    async def sell(ask, ctx: Context) -> Said:
        await asyncio.sleep(0)
        cost = ctx.answer(fee)(factor=2, number=ask.number)
        said = await ctx.call(part_declared, ask)
        return Said(text=f"{said.text} {cost}")

    part_declared, part_bound = doing("part", Effect.WRITE, part, raises=[Refused])
    declared, bound = doing("sell", Effect.WRITE, sell, raises=[Refused])
    more.setdefault("front_ends", [a_front_end("north", packing, carrying, broken), a_front_end("south")])
    return a_platform(part_declared, part_bound, declared, bound, points=[fee, word], **more), declared


async def test_a_story_tells_who_said_what_by_which_rule():
    platform, _ = a_shop()
    traces: list[Trace] = []
    await platform.call_wire("shop.sell", b'{"number": 3}', NORTH, on_trace=traces.append)
    [trace] = traces
    assert (trace.capability, trace.front_end, trace.box, trace.answer) == (
        "shop.sell", "north", "north", Said(text="default 6"),
    )  # fmt: skip
    asked_fee, asked_word = trace.asked
    assert (asked_fee.point, asked_fee.rule, asked_fee.arguments, asked_fee.result) == ("shop.fee", "total", (3, 2), 6)
    assert {(said.by, said.value) for said in asked_fee.said} == {("north.packing", 6), ("north.carrying", PASS)}
    assert "test_trace.py:" in asked_fee.said[0].source
    assert asked_word.result == "default"
    assert [(said.by, said.raised) for said in asked_word.said] == [("north.broken", True), ("default", False)]
    assert [(part.capability, part.answer) for part in trace.parts] == [("shop.part", Said(text="default"))]
    assert trace.events == [("shop.noted", Noted(text="a"))]
    assert trace.took_us > 0
    assert trace.fingerprint == platform.release.line("north").fingerprint


async def test_a_refused_call_has_a_story_too():
    platform, _ = a_shop()
    traces: list[Trace] = []
    with pytest.raises(Refused):
        await platform.call_wire("shop.sell", b'{"number": 11}', NORTH, on_trace=traces.append)
    assert traces[0].error == "shop.refused: too many; take fewer"
    assert traces[0].parts[0].error == traces[0].error


async def test_calls_at_once_never_tell_in_each_others_story():
    recorder = Recorder()
    platform, declared = a_shop(recorder=recorder)
    callers = [Caller(front_end=code) for code in ("north", "south")] * 20
    await asyncio.gather(*(platform.call(declared, Number(number=at % 7), who) for at, who in enumerate(callers)))
    assert len(recorder.kept) == 40
    for trace in recorder.kept:
        assert [one.arguments for one in trace.asked] == [(trace.ask.number, 2), (trace.ask.number,)]  # pyright: ignore[reportAttributeAccessIssue]
        assert all(said.by.startswith(("default", trace.front_end)) for one in trace.asked for said in one.said)
        assert len(trace.parts) == 1


async def test_answers_asked_at_once_keep_their_own_words():
    async def sell(ask, ctx: Context) -> Said:
        said = await asyncio.gather(*(ctx.answer(slow)(number) for number in range(5)))
        return Said(text=" ".join(said))

    @extension_point("shop.slow", combine=combine.first_answer)
    async def slow(number: int) -> str:
        """Say it slowly."""
        return ""

    @answers(slow)
    async def says(number) -> str:
        await asyncio.sleep(0.001 * (5 - number))
        return str(number)

    declared, bound = doing("sell", Effect.READ, sell)
    recorder = Recorder()
    front_ends = [a_front_end("north", says)]
    platform = a_platform(declared, bound, points=[slow], recorder=recorder, front_ends=front_ends)
    await platform.call(declared, Number(), NORTH)
    assert [(one.arguments, [said.value for said in one.said]) for one in recorder.kept[0].asked] == [
        ((number,), [str(number)]) for number in range(5)
    ]


async def test_a_call_inside_a_call_tells_its_own_story():
    """A front end's answer that calls the platform for another front end must not write into the outer trace."""
    recorder = Recorder()
    platform, declared = a_shop(recorder=recorder)

    async def outer(ask, ctx: Context) -> Said:
        return await platform.call(declared, ask, Caller(front_end="south"))

    outer_declared, outer_bound = doing("outer", Effect.READ, outer)
    outside = a_platform(outer_declared, outer_bound, recorder=recorder)
    await outside.call(outer_declared, Number(number=1), NORTH)
    assert [(trace.capability, len(trace.asked)) for trace in recorder.kept] == [("shop.sell", 2), ("shop.outer", 0)]


async def test_a_call_that_nobody_wants_to_hear_is_not_told():
    recorder = Recorder(share=False)
    platform, declared = a_shop(recorder=recorder)
    await platform.call(declared, Number(), NORTH)
    assert recorder.kept == []
    assert platform.release.line("north").plan({})._traced is None


async def test_the_steps_of_a_flow_are_parts_of_its_story():
    async def part(ask, ctx: Context) -> Said:
        return Said(text="done")

    part_declared, part_bound = doing("part", Effect.WRITE, part)

    async def steps(ask, ctx: Context) -> Said:
        return await ctx.call(part_declared, ask)

    declared, bound = doing("steps", Effect.SAGA, steps)
    recorder = Recorder()
    platform = a_platform(part_declared, part_bound, declared, bound, recorder=recorder)
    await platform.call(declared, Number(), NORTH, key="k")
    assert [(one.capability, one.answer) for one in recorder.kept[0].parts] == [("shop.part", Said(text="done"))]


def test_explain_says_who_answers_in_which_order_and_why():
    @extension_point("shop.price", combine=combine.first_answer)
    def price(number: int) -> int:
        """Say what it costs."""
        return 0

    @answers(price, applies=lambda number: number > 1)
    def many(number) -> int:
        return 1

    @answers(price)
    def plain(number) -> int:
        return 2

    north = a_front_end("north", many, plain, order={price: [many, plain]})
    found = explain(a_platform(points=[price], front_ends=[north]).release, "north", "shop.price")
    assert [(one.by, one.place, one.fate, one.has_predicate) for one in found.candidates] == [
        ("north.many", 1, "asked, may pass", True),
        ("north.plain", 2, "answers", False),
    ]
    assert found.rule == "first_answer"
    assert found.default.startswith("Say what it costs. (")
