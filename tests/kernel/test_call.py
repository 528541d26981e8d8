"""The pipeline: who may call, what a transaction holds, what comes out when something goes wrong."""

import asyncio
import threading
from datetime import timedelta

import pytest

from isthmus.kernel import (
    PASS,
    Caller,
    Context,
    Effect,
    Outcome,
    answers,
    combine,
    decode,
    errors,
    extension_point,
    flow,
    implements,
)

from .asking import asking
from .world import (
    CHANNEL,
    KIND,
    NORTH,
    NOW,
    MemoryStore,
    Noted,
    Number,
    Refused,
    Said,
    Situated,
    a_front_end,
    a_platform,
    doing,
)


@extension_point("shop.word", combine=combine.first_answer, dimensions=[KIND, CHANNEL])
def word(number: int) -> str:
    """Choose the word."""
    return "default"


POINTS = (word,)


async def test_the_front_end_answers_and_only_the_credential_says_which():
    say, bound = asking(word)

    @answers(word)
    def northern(number) -> str:
        return "north"

    platform = a_platform(say, bound, points=POINTS, front_ends=[a_front_end("north", northern), a_front_end("south")])
    assert (await platform.call(say, Number(), NORTH)).text == "north"
    assert (await platform.call(say, Number(), Caller(front_end="south"))).text == "default"
    for code in ("*", "", "NORTH", "north ", "nort", "north.outlet", "north?kind=gift"):
        with pytest.raises(errors.NotPermitted, match="is not known here"):
            await platform.call(say, Number(), Caller(front_end=code))


async def test_what_a_front_end_does_not_use_is_not_permitted():
    say, bound = asking(word)
    platform = a_platform(say, bound, points=POINTS, front_ends=[a_front_end("north", uses=())])
    with pytest.raises(errors.NotPermitted, match=r"add 'shop.say' to uses="):
        await platform.call(say, Number(), NORTH)


async def test_a_client_is_limited_to_its_scopes():
    say, bound = asking(word)
    platform = a_platform(say, bound, points=POINTS)
    for scopes in (None, ("shop.say",), ("shop.*",)):
        await platform.call(say, Number(), Caller(front_end="north", scopes=scopes))
    for scopes in ((), ("shop.sayer",), ("*",), ("shop",)):
        with pytest.raises(errors.NotPermitted, match="is not allowed"):
            await platform.call(say, Number(), Caller(front_end="north", client="till", scopes=scopes))


async def test_an_unknown_capability_is_told_the_nearest():
    say, bound = asking(word)
    with pytest.raises(errors.UnknownCapability, match=r"did you mean 'shop.say'\?"):
        await a_platform(say, bound, points=POINTS).call_wire("shop.sey", b"{}", NORTH)


async def test_dimension_values_of_the_ask_choose_the_box():
    async def say(ask, ctx: Context) -> Said:
        return Said(text=f"{ctx.box} {ctx.answer(word)(0)}")

    declared, bound = doing("say", Effect.READ, say, ask=Situated)

    @answers(word, when={"kind": "presale"})
    def early(number) -> str:
        return "early"

    platform = a_platform(declared, bound, points=POINTS, front_ends=[a_front_end("north", early)])

    async def text(**dims):
        return (await platform.call(declared, Situated(**dims), NORTH)).text

    assert await text() == "north default"
    assert await text(kind="plain", channel="web") == "north default"
    assert await text(kind="presale") == "north?kind=presale early"
    assert await text(kind="presale", channel="app") == "north?channel=app&kind=presale early"
    for _ in range(2):
        with pytest.raises(errors.UnknownDimensionValue, match=r"did you mean 'presale'\?") as found:
            await text(kind="presal")
        assert found.value.path == "$.kind"
    assert len(platform.release.line("north")._met) == 4, "unknown values must not fill the memory"


async def test_work_on_a_stored_entity_runs_in_its_box():
    async def say(ask, ctx: Context) -> Said:
        acting = ctx.acting_for("north?kind=presale")
        assert acting.now == ctx.now
        assert acting.new_id() != ctx.new_id()
        return Said(text=acting.answer(word)(0))

    declared, bound = doing("say", Effect.READ, say)

    @answers(word, when={"kind": "presale"})
    def early(number) -> str:
        return "early"

    platform = a_platform(declared, bound, points=POINTS, front_ends=[a_front_end("north", early)])
    assert (await platform.call(declared, Number(), NORTH)).text == "early"


async def test_no_call_acts_in_the_box_of_another_front_end():
    async def say(ask, ctx: Context) -> Said:
        return Said(text=ctx.acting_for("south").box)

    declared, bound = doing("say", Effect.READ, say)
    front_ends = [a_front_end("north"), a_front_end("south")]
    with pytest.raises(errors.Fault, match="is not of 'north'"):
        await a_platform(declared, bound, front_ends=front_ends).call(declared, Number(), NORTH)


async def test_a_call_keeps_the_release_that_it_began_with():
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def say(ask, ctx: Context) -> Said:
        entered.set()
        await go_on.wait()
        return Said(text=ctx.acting_for("north?kind=gift").answer(word)(0) + await_part(await ctx.call(part, Number())))

    def await_part(said: Said) -> str:
        return said.text

    declared, bound = doing("say", Effect.READ, say)
    part, part_bound = asking(word, name="part")

    def front_end(text):
        @answers(word)
        def speaks(number) -> str:
            return text

        return a_front_end("north", speaks)

    platform = a_platform(declared, bound, part, part_bound, points=POINTS, front_ends=[front_end("old")])
    newer = a_platform(declared, bound, part, part_bound, points=POINTS, front_ends=[front_end("new")])
    running = asyncio.create_task(platform.call(declared, Number(), NORTH))
    await entered.wait()
    platform.release = newer.release
    go_on.set()
    assert (await running).text == "oldold"
    go_on.set()
    assert (await platform.call(declared, Number(), NORTH)).text == "newnew"


async def test_a_refused_write_leaves_nothing():
    async def note(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="a"))
        raise Refused("no", remedy="leave it")

    declared, bound = doing("note", Effect.WRITE, note, raises=[Refused])
    store = MemoryStore()
    with pytest.raises(Refused):
        await a_platform(declared, bound, store=store).call(declared, Number(), NORTH, key="k")
    assert (store.events, store.answers, store.commits, store.open) == ([], {}, 0, 0)


@pytest.mark.parametrize("is_event_triggered", [False, True])
async def test_a_part_that_refused_and_was_caught_dooms_the_transaction(is_event_triggered):
    async def refuse(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="half"))
        raise Refused("no", remedy="leave it")

    part, part_bound = doing("part", Effect.WRITE, refuse, raises=[Refused])

    async def careless(ask, ctx: Context) -> Said:
        try:
            return await ctx.call(part, Number())
        except Refused:
            return Said(text="went on")

    async def careful(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="kept"))
        try:
            return await ctx.attempt(part, Number())
        except Refused:
            return Said(text="went on")

    one, one_bound = doing("careless", Effect.WRITE, careless)
    other, other_bound = doing("careful", Effect.WRITE, careful)
    store = MemoryStore()
    platform = a_platform(part, part_bound, one, one_bound, other, other_bound, store=store)
    on_trace = (lambda trace: None) if is_event_triggered else None
    with pytest.raises(errors.Fault, match=r"'shop.part' refused inside 'shop.careless', which went on"):
        await platform.call_wire("shop.careless", b"{}", NORTH, on_trace=on_trace)
    assert store.events == []
    await platform.call_wire("shop.careful", b"{}", NORTH, on_trace=on_trace)
    assert [row.subject for row in store.events] == ["kept"]


async def test_a_read_calls_no_write_and_emits_nothing():
    async def write(ask, ctx: Context) -> Said:
        return Said(text="written")

    part, part_bound = doing("part", Effect.WRITE, write)

    async def calls(ask, ctx: Context) -> Said:
        return await ctx.call(part, Number())

    async def emits(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="a"))
        return Said(text="")

    one, one_bound = doing("calls", Effect.READ, calls)
    other, other_bound = doing("emits", Effect.READ, emits)
    platform = a_platform(part, part_bound, one, one_bound, other, other_bound)
    with pytest.raises(errors.Fault, match="cannot run inside a read"):
        await platform.call(one, Number(), NORTH)
    with pytest.raises(errors.Fault, match="emit in a WRITE capability"):
        await platform.call(other, Number(), NORTH)


async def test_a_flow_calls_what_it_declares_and_nothing_else():
    say, bound = asking(word)
    other, other_bound = asking(word, name="other")

    @flow("shop.both", version="1.0", effect=Effect.READ, uses=[say])
    def both(ask: Number) -> Said:
        """Say it twice."""
        ...

    @implements(both)
    async def run(ask, ctx: Context) -> Said:
        said = await ctx.call(say, ask)
        if ask.number:
            await ctx.call(other, ask)
        return said

    platform = a_platform(say, bound, other, other_bound, both, run, points=POINTS)
    assert (await platform.call(both, Number(), NORTH)).text == "default"
    with pytest.raises(errors.Fault, match=r"does not declare 'shop.other'"):
        await platform.call(both, Number(number=1), NORTH)


async def test_a_front_end_calls_its_own_flow_and_nobody_else_does():
    say, bound = asking(word)

    @flow("north.greet", version="1.0", effect=Effect.READ, uses=[say])
    def greet(ask: Number) -> Said:
        """Greet as the north does."""
        ...

    @implements(greet)
    async def run(ask, ctx: Context) -> Said:
        return Said(text=f"moin, {(await ctx.call(say, ask)).text}")

    north = a_front_end("north", uses=(), capabilities=(greet,), implementations=(run,))
    platform = a_platform(say, bound, points=POINTS, front_ends=[north, a_front_end("south")])
    assert (await platform.call(greet, Number(), NORTH)).text == "moin, default"
    with pytest.raises(errors.UnknownCapability):
        await platform.call(greet, Number(), Caller(front_end="south"))


async def test_a_key_has_one_effect_and_one_answer_byte_for_byte():
    runs = []

    async def note(ask, ctx: Context) -> Said:
        runs.append(ask.number)
        await asyncio.sleep(0)
        ctx.emit(Noted(text="a"))
        return Said(text=str(ctx.new_id()))

    declared, bound = doing("note", Effect.WRITE, note)
    store = MemoryStore()
    platform = a_platform(declared, bound, store=store)
    replies = await asyncio.gather(*(platform.call_wire("shop.note", b"{}", NORTH, key="k") for _ in range(50)))
    assert len({body for body, _ in replies}) == 1
    assert sum(not is_replay for _, is_replay in replies) == 1
    assert (len(runs), len(store.events)) == (1, 1)
    assert await platform.call(declared, Number(), NORTH, key="k") == decode(replies[0][0], Said)
    with pytest.raises(errors.KeyReused):
        await platform.call(declared, Number(number=1), NORTH, key="k")


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\x00"])
async def test_a_key_that_cannot_be_one_is_refused(key):
    async def note(ask, ctx: Context) -> Said:
        return Said(text="")

    declared, bound = doing("note", Effect.WRITE, note)
    with pytest.raises(errors.BadAsk, match="Idempotency-Key") as found:
        await a_platform(declared, bound).call(declared, Number(), NORTH, key=key)
    assert found.value.path == "Idempotency-Key"


async def test_ids_and_chance_of_a_replay_are_those_of_the_call():
    async def draw(ask, ctx: Context) -> Said:
        ids = [ctx.new_id() for _ in range(3)]
        assert ids == sorted(ids)
        assert all(one.version == 7 for one in ids)
        return Said(text=f"{ids} {ctx.random.random()} {ctx.now}")

    declared, bound = doing("draw", Effect.READ, draw)
    platform = a_platform(declared, bound)
    call_id = platform.new_call_id()
    first, _ = await platform.call_wire("shop.draw", b"{}", NORTH, call_id=call_id)
    again, _ = await platform.call_wire("shop.draw", b"{}", NORTH, call_id=call_id)
    other, _ = await platform.call_wire("shop.draw", b"{}", NORTH)
    assert first == again != other


async def test_ids_are_ordered_and_never_the_same_however_many_a_call_makes():
    async def draw(ask, ctx: Context) -> Said:
        ids = [ctx.new_id() for _ in range(5_000)]
        assert ids == sorted(set(ids))
        return Said(text="")

    declared, bound = doing("draw", Effect.READ, draw)
    await a_platform(declared, bound).call(declared, Number(), NORTH)


async def test_now_may_be_given_for_work_that_happened_earlier():
    async def say(ask, ctx: Context) -> Said:
        return Said(text=ctx.now.isoformat())

    declared, bound = doing("say", Effect.READ, say)
    platform = a_platform(declared, bound)
    earlier = NOW - timedelta(days=30)
    assert (await platform.call(declared, Number(), NORTH, now=earlier)).text == earlier.isoformat()
    assert (await platform.call(declared, Number(), NORTH)).text == NOW.isoformat()


async def test_resources_come_from_the_composition_root_by_type():
    async def say(ask, ctx: Context) -> Said:
        return Said(text=ctx.resource(list)[0] + str(ctx.resource(dict)))

    declared, bound = doing("say", Effect.READ, say)
    with pytest.raises(errors.Fault, match="nothing provides dict; pass it in the resources"):
        await a_platform(declared, bound, resources={list: ["x"]}).call(declared, Number(), NORTH)


async def test_the_observer_is_told_of_each_call_however_it_ends():
    seen: list[Outcome] = []

    async def say(ask, ctx: Context) -> Said:
        if ask.number:
            raise Refused("no", remedy="leave it")
        return Said(text="")

    declared, bound = doing("say", Effect.READ, say, raises=[Refused])
    platform = a_platform(declared, bound, observe=seen.append)
    await platform.call(declared, Number(), NORTH)
    with pytest.raises(Refused):
        await platform.call(declared, Number(number=1), NORTH)
    assert [(one.capability, one.box, one.error) for one in seen] == [
        ("shop.say", "north", ""),
        ("shop.say", "north", "shop.refused"),
    ]
    assert all(one.took_ns > 0 for one in seen)


async def test_identity_is_not_lost_in_threads_or_tasks():
    async def say(ask, ctx: Context) -> Said:
        heard: list[str] = []
        thread = threading.Thread(target=lambda: heard.append(ctx.answer(word)(0)))
        thread.start()
        thread.join()
        heard.append(await asyncio.to_thread(lambda: ctx.answer(word)(0)))
        heard += await asyncio.gather(*(asyncio.to_thread(ctx.answer(word), 0) for _ in range(5)))
        return Said(text=" ".join(sorted(set(heard))))

    declared, bound = doing("say", Effect.READ, say)

    def speaking(text):
        @answers(word)
        def speaks(number) -> str:
            return text

        return speaks

    front_ends = [a_front_end("north", speaking("n")), a_front_end("south", speaking("s"))]
    platform = a_platform(declared, bound, points=POINTS, front_ends=front_ends)
    callers = [Caller(front_end=code) for code in ("north", "south") * 10]
    said = await asyncio.gather(*(platform.call(declared, Number(), caller) for caller in callers))
    assert [one.text for one in said] == ["n", "s"] * 10


async def test_swapping_releases_under_load_never_throws_and_never_gives_the_default():
    say, bound = asking(word)

    def front_end(text):
        @answers(word)
        def speaks(number) -> str:
            return text

        return a_front_end("north", speaks)

    releases = [a_platform(say, bound, points=POINTS, front_ends=[front_end(text)]).release for text in ("one", "two")]
    platform = a_platform(say, bound, points=POINTS, front_ends=[front_end("one")])
    heard: set[str] = set()

    async def load():
        for _ in range(200):
            heard.add((await platform.call(say, Number(), NORTH)).text)
            await asyncio.sleep(0)

    async def swap():
        for number in range(200):
            platform.release = releases[number % 2]
            await asyncio.sleep(0)

    await asyncio.gather(load(), load(), swap())
    assert heard == {"one", "two"}


async def test_a_passing_answer_leaves_the_default_and_none_is_a_value():
    say, bound = asking(word)

    @answers(word)
    def passes(number):
        return PASS if number else None

    platform = a_platform(say, bound, points=POINTS, front_ends=[a_front_end("north", passes)])
    assert (await platform.call(say, Number(number=1), NORTH)).text == "default"
    ask = platform.release.line("north").plan({}).answer(word)
    assert ask(0) is None
