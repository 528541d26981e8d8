"""A deadline cuts what waits, leaves the task as it was, and never mistakes other errors for its own."""

import asyncio

import pytest

from isthmus.kernel.deadline import DeadlinePassed, within


async def value(result, *, wait=None):
    if wait is not None:
        await asyncio.sleep(wait)
    return result


async def test_what_does_not_wait_runs_to_its_end():
    assert await within(0, value(1)) == 1


async def test_what_waits_shortly_gives_its_value():
    assert await within(60, value(1, wait=0)) == 1
    assert await within(60, value(1, wait=0.001)) == 1


async def test_what_waits_too_long_is_cut_and_cleans_up():
    cleaned = []

    async def slow():
        try:
            await asyncio.sleep(5)
        finally:
            await asyncio.sleep(0)
            cleaned.append(1)

    with pytest.raises(DeadlinePassed):
        await within(0.01, slow())
    assert cleaned == [1]
    assert asyncio.current_task().cancelling() == 0  # pyright: ignore[reportOptionalMemberAccess]
    await asyncio.sleep(0)  # the task goes on as if nothing had been


async def test_errors_come_through_before_and_after_waiting():
    async def breaks(wait):
        if wait:
            await asyncio.sleep(0)
        raise TimeoutError("its own")

    for wait in (False, True):
        with pytest.raises(TimeoutError, match="its own"):
            await within(60, breaks(wait))


async def test_a_cancel_from_outside_is_not_the_deadline():
    async def waiting():  # a task takes what `within` gives up to Python 3.11 only
        return await within(5, value(1, wait=5))

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_swallows_the_cut_is_too_late_all_the_same():
    async def stubborn():
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "late"

    with pytest.raises(DeadlinePassed):
        await within(0.01, stubborn())
    assert asyncio.current_task().cancelling() == 0  # pyright: ignore[reportOptionalMemberAccess]


async def test_what_turns_the_cut_into_its_own_error_keeps_it_and_the_task_is_free():
    async def turns():
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise ValueError("turned") from None

    with pytest.raises(ValueError, match="turned"):
        await within(0.01, turns())
    assert asyncio.current_task().cancelling() == 0  # pyright: ignore[reportOptionalMemberAccess]


async def test_the_inner_of_two_deadlines_is_the_one_that_passes():
    async def outer():
        try:
            await within(0.01, value(1, wait=5))
        except DeadlinePassed:
            return "inner"

    assert await within(5, outer()) == "inner"
    with pytest.raises(DeadlinePassed):
        await within(0.01, within(5, value(1, wait=5)))


async def test_it_works_together_with_asyncio_timeout():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await within(5, value(1, wait=5))
    with pytest.raises(DeadlinePassed):
        async with asyncio.timeout(5):
            await within(0.01, value(1, wait=5))


async def test_gathered_parts_are_cut_too():
    async def many():
        return await asyncio.gather(*(value(number, wait=5) for number in range(3)))

    with pytest.raises(DeadlinePassed):
        await within(0.01, many())
