"""Flows in steps: each step once, undone when a later one fails, and gone on with after a kill."""

import asyncio

import pytest

from isthmus.kernel import Caller, Context, Effect, errors, flow, implements

from .world import NORTH, NOW, Killed, MemoryStore, Noted, Number, Refused, Said, a_platform, doing


class Shop:
    """Reserve, charge outside, confirm; release undoes reserve. Everything that happens is written down."""

    def __init__(self, deadline_ms: int = 200) -> None:
        self.happened: list[str] = []
        self.charge_fails: list[BaseException] = []
        self.release_fails: list[BaseException] = []
        self.times = iter(range(1_000))

        async def reserve(ask, ctx: Context) -> Said:
            await ctx.session.execute("select 1")  # a step begins with its first statement
            self.happened.append("reserve")
            ctx.emit(Noted(text="reserve"))
            return Said(text=f"{ask.number} {ctx.new_id()}")

        async def release(ask, ctx: Context) -> Said:
            if self.release_fails:
                raise self.release_fails.pop(0)
            await ctx.session.execute("select 1")
            self.happened.append("release")
            return Said(text="")

        async def confirm(ask, ctx: Context) -> Said:
            await ctx.session.execute("select 1")
            self.happened.append("confirm")
            return Said(text=f"confirmed {ctx.call_id}")

        async def look(ask, ctx: Context) -> Said:
            return Said(text=str(ctx.new_id()))

        self.reserve, reserve_bound = doing("reserve", Effect.WRITE, reserve)
        self.release, release_bound = doing("release", Effect.WRITE, release)
        self.confirm, confirm_bound = doing("confirm", Effect.WRITE, confirm)
        self.look, look_bound = doing("look", Effect.READ, look)

        @flow(
            "shop.buy",
            version="1.0",
            effect=Effect.SAGA,
            uses=[self.reserve, self.release, self.confirm, self.look],
            raises=[Refused],
            deadline_ms=deadline_ms,
        )
        def buy(ask: Number) -> Said:
            """Buy."""
            ...

        @implements(buy)
        async def run(ask, ctx: Context) -> Said:
            looked = await ctx.call(self.look, ask)
            reserved = await ctx.call(self.reserve, ask)
            ctx.compensate_with(self.release, ask)
            await self.charge()
            confirmed = await ctx.call(self.confirm, ask)
            return Said(
                text=f"{looked.text} {reserved.text} {confirmed.text} {ctx.new_id()} {ctx.now} {ctx.random.random()}"
            )

        self.buy = buy
        self.store = MemoryStore()
        self.parts = (self.reserve, reserve_bound, self.release, release_bound, self.confirm, confirm_bound)
        self.parts += (self.look, look_bound, buy, run)
        self.platform = a_platform(
            *self.parts, store=self.store, clock=lambda: NOW.replace(second=next(self.times) % 60)
        )

    async def charge(self) -> None:
        if self.charge_fails:
            raise self.charge_fails.pop(0)
        await asyncio.sleep(0)
        self.happened.append("charge")


def no() -> Refused:
    return Refused("declined", remedy="pay otherwise")


async def test_each_step_is_a_transaction_with_its_events():
    shop = Shop()
    await shop.platform.call(shop.buy, Number(), NORTH)
    assert shop.happened == ["reserve", "charge", "confirm"]
    assert len(shop.store.events) == 1
    assert shop.store.open == 0
    assert not shop.store.answers, "without a key nobody can send it again"
    assert not shop.store.sagas, "what has ended is forgotten"


async def test_a_failed_flow_is_undone_last_first():
    shop = Shop()
    shop.charge_fails = [no()]
    with pytest.raises(Refused, match="declined"):
        await shop.platform.call(shop.buy, Number(), NORTH)
    assert shop.happened == ["reserve", "release"]


@pytest.mark.parametrize("commits", range(1, 4))
async def test_a_commit_that_went_through_unheard_counts(commits):
    """The connection breaks right after the n-th commit; run again with the same key, every step happened once."""
    shop = Shop()
    shop.store.dies_after_commit = commits
    body = b'{"number": 3}'
    with pytest.raises((Killed, errors.Unavailable)):
        await shop.platform.call_wire("shop.buy", body, NORTH, key="k")
    answer, _ = await shop.platform.call_wire("shop.buy", body, NORTH, key="k")
    again, is_replay = await shop.platform.call_wire("shop.buy", body, NORTH, key="k")
    assert (again, is_replay) == (answer, True)
    assert shop.happened.count("confirm") == 1
    assert shop.happened.count("reserve") - shop.happened.count("release") == 1


class KilledStore(MemoryStore):
    """Nothing more reaches this store once its process is dead: no undoing either."""

    def step(self, front_end, saga, version):
        if self.is_dead:
            raise Killed
        return super().step(front_end, saga, version)

    is_dead = False


@pytest.mark.parametrize("dies_at", range(3))
async def test_a_process_that_dies_undoes_nothing_and_the_next_one_finishes(dies_at):
    shop = Shop()
    store = shop.platform.store = KilledStore()  # pyright: ignore[reportAttributeAccessIssue]
    steps = 0

    def step(front_end, saga, version):
        nonlocal steps
        steps += 1
        if steps > dies_at:
            raise Killed
        return MemoryStore.step(store, front_end, saga, version)

    store.step = step
    with pytest.raises(Killed):
        await shop.platform.call(shop.buy, Number(number=3), NORTH, key="k")
    del store.step
    first = await shop.platform.call(shop.buy, Number(number=3), NORTH, key="k")
    assert await shop.platform.call(shop.buy, Number(number=3), NORTH, key="k") == first
    assert (shop.happened.count("reserve"), shop.happened.count("confirm")) == (1, 1)
    assert "release" not in shop.happened


async def test_a_second_run_has_the_time_ids_and_chance_of_the_first():
    shop = Shop()
    store = shop.platform.store = KilledStore()  # pyright: ignore[reportAttributeAccessIssue]
    ids: list[str] = []

    async def charge():
        ids.append("charged")
        if len(ids) == 1:
            store.is_dead = True
            raise Killed

    shop.charge = charge
    with pytest.raises(Killed):
        await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    store.is_dead = False
    second = await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    alone = Shop()
    undisturbed = await alone.platform.call(alone.buy, Number(), NORTH, key="k")
    assert second == undisturbed


async def test_a_flow_that_was_undone_begins_anew_with_the_same_key():
    """The undone reservation must not be given again as if it still stood."""
    shop = Shop()
    shop.charge_fails = [no(), no()]
    for _ in range(2):
        with pytest.raises(Refused):
            await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    answer = await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "release", "reserve", "release", "reserve", "charge", "confirm"]
    assert await shop.platform.call(shop.buy, Number(), NORTH, key="k") == answer


async def test_an_undoing_that_fails_is_told_and_finished_by_the_next_run():
    shop = Shop()
    shop.charge_fails = [no()]
    shop.release_fails = [errors.Unavailable("the stock is away", remedy="wait")]
    with pytest.raises(errors.Fault, match=r"'shop.buy' is not wholly undone: 'shop.release' failed") as found:
        await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert isinstance(found.value.__context__, Refused)
    await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "release", "reserve", "charge", "confirm"]


async def test_a_killed_undoing_is_finished_before_anything_begins_anew():
    shop = Shop()
    store = shop.platform.store = KilledStore()  # pyright: ignore[reportAttributeAccessIssue]
    shop.charge_fails = [no()]
    shop.release_fails = [Killed()]
    with pytest.raises(Killed):
        await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert shop.happened == ["reserve"]
    assert store.open == 0
    await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "release", "reserve", "charge", "confirm"]


async def test_two_runs_at_once_have_one_effect():
    shop = Shop()
    replies = await asyncio.gather(
        *(shop.platform.call_wire("shop.buy", b"{}", NORTH, key="k") for _ in range(20)), return_exceptions=True
    )
    assert len({reply[0] for reply in replies if isinstance(reply, tuple)}) == 1
    assert (shop.happened.count("reserve"), shop.happened.count("confirm")) == (1, 1)


async def test_a_run_that_fails_does_not_undo_what_another_has_gone_on_with():
    shop = Shop()
    first_waits, second_done = asyncio.Event(), asyncio.Event()
    runs = []

    async def charge():
        runs.append(1)
        if len(runs) == 1:
            first_waits.set()
            await second_done.wait()
            raise no()

    shop.charge = charge
    first = asyncio.create_task(shop.platform.call(shop.buy, Number(), NORTH, key="k"))
    await first_waits.wait()
    answer = await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    second_done.set()
    with pytest.raises(errors.Unavailable, match="another run of 'shop.buy' with this key has gone on"):
        await first
    assert "release" not in shop.happened
    assert await shop.platform.call(shop.buy, Number(), NORTH, key="k") == answer


async def test_a_run_that_goes_on_meets_the_mark_of_one_that_gave_up():
    shop = Shop()
    first_waits, second_waits, first_done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    runs = []

    async def charge():
        runs.append(1)
        if len(runs) == 1:
            first_waits.set()
            await second_waits.wait()
            raise no()
        if len(runs) == 2:
            second_waits.set()
            await first_done.wait()

    shop.charge = charge
    first = asyncio.create_task(shop.platform.call(shop.buy, Number(), NORTH, key="k"))
    await first_waits.wait()
    second = asyncio.create_task(shop.platform.call(shop.buy, Number(), NORTH, key="k"))
    with pytest.raises(Refused):
        await first
    first_done.set()
    await second
    assert shop.happened == ["reserve", "release", "reserve", "confirm"]


async def test_a_flow_that_is_too_slow_is_undone():
    shop = Shop()

    async def charge():
        await asyncio.sleep(5)

    shop.charge = charge
    with pytest.raises(errors.DeadlineExceeded, match="within 200 ms, and its steps are undone"):
        await shop.platform.call(shop.buy, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "release"]


async def test_keys_of_two_front_ends_have_nothing_to_do_with_each_other():
    shop = Shop()
    from .world import a_front_end

    shop.platform = a_platform(*shop.parts, store=shop.store, front_ends=[a_front_end("north"), a_front_end("south")])
    for code in ("north", "south"):
        await shop.platform.call(shop.buy, Number(), Caller(front_end=code), key="k")
    assert shop.happened.count("confirm") == 2


async def test_a_flow_in_steps_has_no_transaction_and_emits_nothing_itself():
    async def wrong(ask, ctx: Context) -> Said:
        if ask.number:
            ctx.emit(Noted(text="a"))
        return Said(text=await ctx.session.fetch_value("select 1"))

    declared, bound = doing("wrong", Effect.SAGA, wrong)
    platform = a_platform(declared, bound)
    with pytest.raises(errors.Fault, match="no transaction of its own"):
        await platform.call(declared, Number(), NORTH)
    with pytest.raises(errors.Fault, match="emitted outside a transaction"):
        await platform.call(declared, Number(number=1), NORTH)


async def test_only_steps_are_undone_by_a_capability():
    async def write(ask, ctx: Context) -> Said:
        ctx.compensate_with(declared, ask)
        return Said(text="")

    declared, bound = doing("write", Effect.WRITE, write)
    with pytest.raises(errors.Fault, match="a transaction undoes itself"):
        await a_platform(declared, bound).call(declared, Number(), NORTH)


async def test_a_refused_step_may_be_caught():
    async def refuse(ask, ctx: Context) -> Said:
        raise Refused("no", remedy="leave it")

    part, part_bound = doing("part", Effect.WRITE, refuse, raises=[Refused])

    async def steps(ask, ctx: Context) -> Said:
        try:
            return await ctx.attempt(part, ask)
        except Refused:
            return Said(text="without")

    declared, bound = doing("steps", Effect.SAGA, steps)
    platform = a_platform(part, part_bound, declared, bound)
    assert (await platform.call(declared, Number(), NORTH, key="k")).text == "without"


async def test_what_a_flow_went_on_without_is_refused_again_when_it_is_gone_on_with():
    shop, store = Shop(), KilledStore()
    refusals = [Refused("sold out", remedy="take another", path="$.number", left=3)]

    async def wrap(ask, ctx: Context) -> Number:
        await ctx.session.execute("select 1")
        if refusals:
            raise refusals.pop()
        shop.happened.append("wrap")
        return Number(number=7)

    part, part_bound = doing("wrap", Effect.WRITE, wrap, answer=Number, raises=[Refused])
    caught: list[Refused] = []

    async def steps(ask, ctx: Context) -> Said:
        try:
            await ctx.call(part, ask)
        except Refused as refused:
            caught.append(refused)
        said = await ctx.call(shop.reserve, ask)
        await shop.charge()
        await ctx.call(shop.confirm, ask)
        return said

    declared, bound = doing("steps", Effect.SAGA, steps, raises=[Refused])
    platform = a_platform(*shop.parts, part, part_bound, declared, bound, store=store)
    shop.charge_fails = [Killed()]
    with pytest.raises(Killed):
        await platform.call(declared, Number(), NORTH, key="k")
    store.is_dead = False
    await platform.call(declared, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "charge", "confirm"], "it is not wrapped now that it could be"
    first, again = caught
    assert (again.message, again.remedy, again.path, again.facts) == (
        "sold out",
        "take another",
        "$.number",
        {"left": 3},
    )
    assert type(again) is type(first)


async def test_a_flow_that_fails_inside_another_is_nobody_elses_way():
    shop = Shop()

    @flow("shop.buy-otherwise", version="1.0", effect=Effect.SAGA, uses=[shop.buy], raises=[Refused])
    def buy_otherwise(ask: Number) -> Said:
        """Buy, and buy again where that was declined."""
        ...

    @implements(buy_otherwise)
    async def run(ask, ctx: Context) -> Said:
        try:
            return await ctx.call(shop.buy, ask)
        except Refused:
            return await ctx.call(shop.buy, ask)

    platform = a_platform(*shop.parts, buy_otherwise, run)
    shop.charge_fails = [no()]
    first = await platform.call(buy_otherwise, Number(), NORTH, key="k")
    assert shop.happened == ["reserve", "release", "reserve", "charge", "confirm"]
    assert await platform.call(buy_otherwise, Number(), NORTH, key="k") == first


async def test_a_flow_inside_a_flow_keeps_its_own_trail():
    shop = Shop()

    @flow("shop.buy-twice", version="1.0", effect=Effect.SAGA, uses=[shop.buy])
    def buy_twice(ask: Number) -> Said:
        """Buy twice."""
        ...

    @implements(buy_twice)
    async def run(ask, ctx: Context) -> Said:
        one = await ctx.call(shop.buy, ask)
        return Said(text=one.text + (await ctx.call(shop.buy, ask)).text)

    store = KilledStore()
    platform = a_platform(*shop.parts, buy_twice, run, store=store)
    shop.charge_fails = [Killed()]
    runs = 0

    async def charge():
        nonlocal runs
        runs += 1
        if runs == 2:
            store.is_dead = True
            raise Killed

    shop.charge = charge
    with pytest.raises(Killed):
        await platform.call(buy_twice, Number(), NORTH, key="k")
    store.is_dead = False
    await platform.call(buy_twice, Number(), NORTH, key="k")
    assert (shop.happened.count("reserve"), shop.happened.count("confirm"), runs) == (2, 2, 3)


async def test_a_flow_that_takes_another_way_is_told_so():
    async def text(ask, ctx: Context) -> Said:
        return Said(text="a")

    async def number(ask, ctx: Context) -> Number:
        return Number(number=1)

    one, one_bound = doing("one", Effect.WRITE, text)
    other, other_bound = doing("other", Effect.WRITE, number, answer=Number)
    ways = [one]

    async def fickle(ask, ctx: Context) -> Said:
        await ctx.call(ways[-1], ask)
        if len(ways) == 1:
            ways.append(other)
            raise no()
        return Said(text="")

    declared, bound = doing("fickle", Effect.SAGA, fickle, raises=[Refused])
    platform = a_platform(one, one_bound, other, other_bound, declared, bound)
    with pytest.raises(Refused):
        await platform.call(declared, Number(), NORTH, key="k")
    with pytest.raises(errors.Fault, match="took another way at step 1 than in its first run"):
        await platform.call(declared, Number(), NORTH, key="k")
