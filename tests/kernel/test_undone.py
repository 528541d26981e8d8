"""A transaction that the database undoes for another's sake is run once more, and leaves one effect."""

import asyncio

import pytest

from isthmus.kernel import Context, Effect, Value, flow, implements
from isthmus.kernel.trace import Trace

from .world import NORTH, Noted, Said, a_platform, doing

LOCK = "select pg_advisory_xact_lock($1::bigint)"


class Both(Value):
    """An ask for two locks, in an order."""

    first: int
    then: int


class Shop:
    """Each call takes a lock, waits until somebody has taken another, and wants that one."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.traces: list[Trace] = []
        self.made: dict[int, list[str]] = {1: [], 2: []}
        self.taken = asyncio.Barrier(2)

        async def take(ask: Both, ctx: Context) -> Said:
            self.runs.append(ask.first)
            self.made[ask.first].append(str(ctx.new_id()))
            ctx.emit(Noted(text=str(ask.first)))
            await ctx.session.execute(LOCK, ask.first)
            if len(self.runs) <= 2:  # a second run finds the locks free, sooner or later
                await self.taken.wait()
            await ctx.session.execute(LOCK, ask.then)
            return Said(text=f"{ask.first} {ask.then}")

        self.take, take_bound = doing("take", Effect.WRITE, take, ask=Both, deadline_ms=60_000)

        @flow(
            "shop.buy", version="1.0", effect=Effect.SAGA, uses=[self.take], deadline_ms=60_000,
        )  # fmt: skip
        def buy(ask: Both) -> Said:
            """Buy."""
            ...

        @implements(buy)
        async def run(ask: Both, ctx: Context) -> Said:
            return await ctx.call(self.take, ask)

        self.buy = buy
        self.platform = a_platform(self.take, take_bound, buy, run, Noted)


async def both(shop: Shop, flow: bool) -> list[tuple[bytes, bool]]:
    wire = shop.platform.call_wire
    name = "shop.buy" if flow else "shop.take"
    asks = (b'{"first": 1, "then": 2}', b'{"first": 2, "then": 1}')
    return await asyncio.gather(*(wire(name, ask, NORTH, on_trace=shop.traces.append) for ask in asks))


@pytest.mark.parametrize("flow", [False, True], ids=["alone", "a step of a flow"])
async def test_of_two_calls_that_wait_for_each_other_both_are_answered(database, flow: bool) -> None:
    shop = Shop()
    shop.platform.store = database
    assert await both(shop, flow) == [(b'{"text":"1 2"}', False), (b'{"text":"2 1"}', False)]
    assert len(shop.runs) == 3
    assert [len(set(made)) for made in shop.made.values()] == [1, 1], "the second run makes the same ids"
    assert [len(trace.events) for trace in shop.traces] == [1, 1]
    async with database.platform() as session:
        assert await session.fetch_value("select count(*) from isthmus.outbox") == 2
