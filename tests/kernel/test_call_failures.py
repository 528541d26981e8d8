"""What comes of a call whose front end or capability raises, is too slow or is wrong."""

import asyncio

import pytest

from isthmus.kernel import (
    Context,
    Effect,
    answers,
    combine,
    errors,
    extension_point,
)

from .asking import asking
from .world import (
    NORTH,
    MemoryStore,
    Noted,
    Number,
    Refused,
    Said,
    a_front_end,
    a_platform,
    doing,
)


@extension_point("shop.risk", combine=combine.first_answer)
def risk(number: int) -> str:
    """Judge a risk; nobody may guess here."""
    return "low"


@extension_point("shop.guess", combine=combine.first_answer, on_failure="default")
def guess(number: int) -> str:
    """Guess; a wrong guess harms nobody."""
    return "default"


@extension_point("shop.far", combine=combine.first_answer, deadline_ms=20)
async def far(number: int) -> str:
    """Ask somebody far away."""
    return "default"


@extension_point("shop.far-guess", combine=combine.first_answer, deadline_ms=20, on_failure="default")
async def far_guess(number: int) -> str:
    """Ask somebody far away who may be missing."""
    return "default"


POINTS = (risk, guess, far, far_guess)


async def test_an_answer_that_raises_is_named_and_fails_the_call_where_nobody_may_guess():
    say, bound = asking(risk)

    @answers(risk)
    def broken(number) -> str:
        return str(1 // number)

    platform = a_platform(say, bound, points=POINTS, front_ends=[a_front_end("north", broken)])
    with pytest.raises(
        errors.AnswerFailed, match=r"north\.broken \(.*test_call_failures.py:\d+\) raised ZeroDivisionError"
    ):
        await platform.call(say, Number(), NORTH)


async def test_an_answer_that_raises_leaves_the_default_where_it_may(caplog):
    say, bound = asking(guess)

    @answers(guess)
    def broken(number) -> str:
        return str(1 // number)

    platform = a_platform(say, bound, points=POINTS, front_ends=[a_front_end("north", broken)])
    assert (await platform.call(say, Number(), NORTH)).text == "default"
    assert "shop.guess" in caplog.text
    assert (await platform.call(say, Number(number=1), NORTH)).text == "1"


async def test_a_slow_answer_costs_its_own_deadline_and_not_the_call():
    say, bound = asking(far)
    guess_say, guess_bound = asking(far_guess, name="guess-say")

    @answers(far)
    async def slow(number) -> str:
        await asyncio.sleep(number)
        return "far"

    @answers(far_guess)
    async def slow_guess(number) -> str:
        await asyncio.sleep(number)
        return "far"

    platform = a_platform(
        say, bound, guess_say, guess_bound, points=POINTS, front_ends=[a_front_end("north", slow, slow_guess)]
    )
    assert (await platform.call(say, Number(), NORTH)).text == "far"
    with pytest.raises(errors.Unavailable, match=r"no answer to 'shop.far' within 20 ms"):
        await platform.call(say, Number(number=5), NORTH)
    assert (await platform.call(guess_say, Number(number=5), NORTH)).text == "default"


async def test_a_call_that_is_too_slow_is_cut_and_undone():
    async def slow(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="a"))
        await asyncio.sleep(5)
        return Said(text="late")

    read, read_bound = doing("read", Effect.READ, slow_read, deadline_ms=20)
    write, write_bound = doing("write", Effect.WRITE, slow)
    store = MemoryStore()
    platform = a_platform(read, read_bound, write, write_bound, store=store)
    with pytest.raises(errors.DeadlineExceeded, match="within 20 ms"):
        await platform.call(read, Number(), NORTH, deadline_ms=60_000)
    with pytest.raises(errors.DeadlineExceeded, match="within 15 ms, and nothing was changed"):
        await platform.call(write, Number(), NORTH, deadline_ms=15, key="k")
    assert (store.open, store.commits, store.events) == (0, 0, [])
    assert asyncio.current_task().cancelling() == 0  # pyright: ignore[reportOptionalMemberAccess]


async def slow_read(ask, ctx: Context) -> Said:
    await asyncio.sleep(5)
    return Said(text="late")


async def test_a_timeout_of_its_own_is_not_taken_for_the_deadline():
    async def inner(ask, ctx: Context) -> Said:
        await asyncio.wait_for(asyncio.sleep(1), 0.001)
        return Said(text="")

    declared, bound = doing("inner", Effect.READ, inner)
    with pytest.raises(errors.Fault, match="TimeoutError"):
        await a_platform(declared, bound).call(declared, Number(), NORTH)


async def test_a_defect_is_a_fault_of_the_capability():
    async def broken(ask, ctx: Context) -> Said:
        return Said(text=str({}["missing"]))

    declared, bound = doing("broken", Effect.READ, broken)
    with pytest.raises(errors.Fault, match=r"'shop.broken' failed with KeyError\('missing'\); look at \S+\.py:\d+"):
        await a_platform(declared, bound).call(declared, Number(), NORTH)


async def test_an_undeclared_refusal_is_warned_of():
    async def refuse(ask, ctx: Context) -> Said:
        raise Refused("no", remedy="leave it")

    declared, bound = doing("refuse", Effect.READ, refuse)
    with pytest.warns(RuntimeWarning, match=r"'shop.refuse' does not declare Refused"), pytest.raises(Refused):
        await a_platform(declared, bound).call(declared, Number(), NORTH)
