"""Rules are tried on what was decided: on the command line, and with the buttons of the page Reviews."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from isthmus.console.client import Client
from isthmus.kernel import FrontEnd, Platform
from isthmus.packs.risk import api, pages
from isthmus.packs.risk.commands import sentences, tried_version
from isthmus.packs.risk.pack import PACK
from isthmus.packs.risk.service.book import Book
from isthmus.pages import Asked
from isthmus.store import Database

from .test_risk import ANN, NORTH, Hands, World

LARGE = api.PutScenario(rules=(api.Rule(code="large", when="amount >= 8500", outcome="reject"),))
USES = ("risk.*",)


@dataclass
class Opened:
    """What commands are given: a platform, as the command line opens one."""

    platform: Platform


@pytest.fixture
async def world(make_platform: Callable[..., Awaitable[Platform]], database: Database, tmp_path: Path) -> World:
    book, clock = Book(database=database, key_file=tmp_path / "key"), Hands()
    north = FrontEnd(code="north", name="North", owner="n", uses=USES)
    platform = await make_platform(PACK, north, resources={api.Watching: book}, clock=clock)
    made = World(platform, clock, book)
    await made.put()
    for amount, label in ((9000, "fraud"), (8700, "honest"), (100, "honest"), (200, None)):
        found = await made.decide(ANN, amount=amount)
        kept = await platform.call(api.get_decision, api.GetDecision(decision_id=cast(Any, found.decision_id)), NORTH)
        if label:
            ask = api.Label(kind="order", reference=kept.reference, label=cast(Any, label))
            await platform.call(api.label, ask, NORTH)
    clock.on(minutes=1)
    return made


async def test_the_command_says_what_rules_would_have_caught_and_hurt(world: World) -> None:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Any]:
        yield Opened(world.platform)

    found = await tried_version(opening, "north", 0, LARGE, 30)
    assert sentences(found) == [
        "version 2 (draft) on 4 decision(s): accept 2, reject 2",
        "fraud: 1 of 1 caught; honest: 1 of 2 hurt; of 1 nobody has said what they were",
        "otherwise than it was decided: 2",
    ]
    world.clock.on(days=40)
    again = await tried_version(opening, "north", 2, None, 30)
    assert sentences(again)[0] == "version 2 (draft) on 0 decision(s): nothing to try it on"


async def test_with_the_buttons_of_the_page_a_version_is_tried_shadowed_and_has_effect(world: World) -> None:
    await world.platform.call(api.put_scenario, LARGE, NORTH)
    client = Client(world.platform)
    for act, state in (("try", "draft"), ("shadow", "shadow"), ("live", "live")):
        form = {"front_end": "north", "act": act, "version": "2"}
        led = await pages.act(Asked(form=form), client)
        assert led.query == {"front_end": "north"}
        shown = (await pages.show_list(Asked(query_params=led.query), client))["versions"][0]
        assert (shown["state"], shown["tried"]["caught"], shown["tried"]["hurt"]) == (state, 1, 1)
    assert (await world.decide(ANN, amount=9000)).outcome == "reject"


async def test_a_button_runs_nothing_that_was_not_tried(world: World) -> None:
    await world.platform.call(api.put_scenario, LARGE, NORTH)
    with pytest.raises(api.NotTried):
        await pages.act(Asked(form={"front_end": "north", "act": "live", "version": "2"}), Client(world.platform))
