"""The demo on a slow machine: what is past its deadline is tried again, in halves, and done once."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

from demo import patience
from isthmus.kernel import (
    Caller,
    Context,
    Effect,
    FrontEnd,
    Pack,
    Platform,
    Registry,
    Value,
    capability,
    errors,
    implements,
)
from isthmus.store import Database

AT_NORTH = Caller(front_end="north", client="demo")
AN_ITEM_S, DEADLINE_MS = 0.05, 320  # five items fit, eight do not


class Load(Value):
    """Load items."""

    items: tuple[int, ...]


class Loaded(Value):
    """How many there are."""

    items: int


@capability("shelf.load", version="1.0", effect=Effect.WRITE, deadline_ms=DEADLINE_MS)
def load(ask: Load) -> Loaded:
    """Load items, each of which takes its time."""
    ...


class Machine:
    """A shelf, what was called on it, and whatever else keeps the machine busy."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.loaded: list[int] = []
        self.busy: list[Exception | float] = []

    def platform(self, database: Database) -> Platform:
        @implements(load)
        async def loads(ask: Load, ctx: Context) -> Loaded:
            self.asked.append(len(ask.items))
            if self.busy:
                wrong = self.busy.pop(0)
                if isinstance(wrong, Exception):
                    raise wrong
                await asyncio.sleep(wrong)
            await asyncio.sleep(AN_ITEM_S * len(ask.items))
            self.loaded += ask.items
            return Loaded(items=len(ask.items))

        api, service = ModuleType("api", "Shelves."), ModuleType("service")
        api.__dict__["load"], service.__dict__["loads"] = load, loads
        north = FrontEnd(code="north", name="north", owner="north", uses=("shelf.*",))
        return Platform(
            Registry().add(Pack(name="shelf", owner="us", api=api, service=(service,)), north).freeze(), database
        )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS_S", (0.0,))


@pytest.mark.usefixtures("quick")
async def test_what_takes_longer_than_a_call_may_is_loaded_in_halves(database: Database) -> None:
    machine = Machine()
    platform = machine.platform(database)
    whole = tuple(range(8))
    await patience.in_parts(lambda part: platform.call(load, Load(items=part), AT_NORTH), whole)
    assert machine.asked[0] == 8
    assert sorted(machine.loaded) == list(whole), "each once"
    assert max(machine.asked[1:]) <= 4


@pytest.mark.usefixtures("quick")
async def test_a_call_is_tried_until_the_machine_has_time_for_it_and_done_once(database: Database) -> None:
    machine = Machine()
    machine.busy = [1.0, errors.Unavailable("the database does not answer", remedy="wait"), 1.0]
    platform = machine.platform(database)
    for _ in range(2):  # with the same key it is done once, also where its answer was lost
        assert await patience.call(platform, load, Load(items=(1,)), AT_NORTH, key="basket-1") == Loaded(items=1)
    assert machine.asked == [1, 1, 1, 1]
    assert machine.loaded == [1]


async def test_what_never_has_an_answer_ends_with_its_error(
    database: Database, monkeypatch: pytest.MonkeyPatch, quick: Any
) -> None:
    monkeypatch.setattr(patience, "GIVES_UP_AFTER_S", 0.0)
    machine = Machine()
    machine.busy = [1.0]
    with pytest.raises(errors.DeadlineExceeded):
        await patience.call(machine.platform(database), load, Load(items=(1,)), AT_NORTH)


@pytest.mark.usefixtures("quick")
async def test_a_refusal_is_an_answer_and_is_not_tried_again(database: Database) -> None:
    machine = Machine()
    machine.busy = [errors.BadAsk("no such item", remedy="choose another")]
    with pytest.raises(errors.BadAsk):
        await patience.call(machine.platform(database), load, Load(items=(1,)), AT_NORTH)
    assert machine.asked == [1]
