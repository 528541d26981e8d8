"""Events of a call: they go out with its transaction, keep to their contract, and what reacts to them may refuse."""

import pytest

from isthmus.kernel import Context, Effect, errors

from .world import NORTH, MemoryStore, Noted, Number, Refused, Said, a_front_end, a_platform, doing, problems


async def test_events_go_out_with_the_transaction_and_carry_the_box():
    async def note(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="a"))
        ctx.emit(Noted(text="b"))
        return Said(text=str(ctx.call_id))

    declared, bound = doing("note", Effect.WRITE, note)
    store = MemoryStore()
    call_id = (await a_platform(declared, bound, store=store).call(declared, Number(), NORTH)).text
    assert [(row.type, row.subject, row.front_end, row.trace) for row in store.events] == [
        ("shop.noted", "a", "north", call_id),
        ("shop.noted", "b", "north", call_id),
    ]
    assert len({row.id for row in store.events}) == 2
    assert store.open == 0


async def test_an_event_that_breaks_its_contract_is_never_committed():
    async def write(ask, ctx: Context) -> Said:
        ctx.emit(Noted(text="good"))
        ctx.emit(Noted(text=5))  # type: ignore[arg-type]
        return Said(text="")

    declared, bound = doing("write", Effect.WRITE, write)
    store = MemoryStore()
    with pytest.raises(errors.Fault, match="'shop.noted' breaks its contract") as fault:
        await a_platform(declared, bound, store=store).call(declared, Number(), NORTH)
    assert fault.value.path == "$.text"
    assert store.events == []


async def test_a_flow_reacts_to_an_event_in_the_transaction_that_emits_it_and_may_refuse_it():
    heard: list[str] = []

    async def note(ask: Number, ctx: Context) -> Said:
        ctx.emit(Noted(text=str(ask.number)))
        return Said(text="noted")

    async def react(ask: Noted, ctx: Context) -> Said:
        if ask.text == "13":
            raise Refused("not this number", remedy="note another")
        heard.append(ask.text)
        return Said(text="heard")

    say, bound = doing("note", Effect.WRITE, note, raises=[Refused])
    hear, hearing = doing("hear", Effect.WRITE, react, ask=Noted, is_internal=True, raises=[Refused])
    store = MemoryStore()
    platform = a_platform(say, bound, hear, hearing, store=store)
    assert (await platform.call(say, Number(number=7), NORTH)).text == "noted"
    assert (heard, store.commits) == (["7"], 1)
    with pytest.raises(Refused):
        await platform.call(say, Number(number=13), NORTH)
    assert (heard, store.commits, len(store.events)) == (["7"], 1, 1)


def test_what_reacts_to_an_event_runs_in_its_transaction():
    async def react(ask: Noted, ctx: Context) -> Said:
        return Said(text="heard")

    wrong = problems([], a_front_end(), parts=doing("hear", Effect.SAGA, react, ask=Noted, is_internal=True))
    assert any("declare it with Effect.WRITE" in one for one in wrong)
