"""A service outside scores what begins: asked beforehand, with a deadline, and stood in for by what is declared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.app.config import load_config
from isthmus.app.resources import setting_problems
from isthmus.kernel import FrontEnd, Platform
from isthmus.manifest import Secret
from isthmus.packs.risk import api
from isthmus.packs.risk.pack import PACK
from isthmus.packs.risk.service.book import Book
from isthmus.packs.risk.service.http_score import HttpScorer, HttpSettings
from isthmus.personal import Forget
from isthmus.store import Database
from isthmus.store.watched import watched
from isthmus.testing import RiskScorerContract
from tests import shipped
from tests.packs.desk import at_desk, desk
from tests.packs.listening import listening

from .test_risk import ANN, NORTH, Hands, World

SECRET = "only for tests"
DESK = desk(api)
REMOTE = api.Remote(name="acme", kinds=("order",), otherwise=70, deadline_ms=300)
ASK = api.RequestScore(kind="order", marks=(ANN,))


class Service:
    """A service that scores by what it is told to: `score`, after `waits_s`; `breaks` makes it answer 502."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.score: Any = 120
        self.waits_s = 0.0
        self.breaks = False
        self.url = ""
        self.app = Starlette(routes=[Route("/score", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {SECRET}":
            return Response(status_code=401)
        self.asked.append(await request.json())
        await asyncio.sleep(self.waits_s)
        if self.breaks:
            return Response(status_code=502)
        return JSONResponse({"score": self.score, "reasons": ["new-device"]})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    one = Service()
    async with listening(one.app) as one.url:
        yield one


def scorer(service: Service) -> HttpScorer:
    return HttpScorer("acme", HttpSettings(url=service.url, secret=Secret("ACME", SECRET)))


@pytest.fixture
async def world(
    make_platform: Callable[..., Awaitable[Platform]], database: Database, tmp_path: Path, service: Service
) -> World:
    book, clock = Book(database=database, key_file=tmp_path / "key"), Hands()
    resources = {api.Watching: book, api.Scorers: api.Scorers([scorer(service)])}
    north = FrontEnd(code="north", name="North", owner="n", uses=("risk.*", "desk.*"))
    return World(await make_platform(PACK, DESK, north, resources=resources, clock=clock), clock, book)


class TestHttp(RiskScorerContract):
    @pytest.fixture(autouse=True)
    def running(self, service: Service) -> None:
        self.service = service

    async def scorer(self) -> api.Scorer:
        return scorer(self.service)


async def request(world: World) -> tuple[int, int]:
    found = await world.platform.call(api.request_score, ASK, NORTH)
    return found.asked, found.answered


async def reasons(world: World, found: api.Decision) -> list[tuple[str, int, str]]:
    assert found.decision_id is not None
    ask = api.GetDecision(decision_id=found.decision_id)
    kept = await world.platform.call(api.get_decision, ask, NORTH)
    return [(one.code, one.score, one.by) for one in kept.reasons]


async def test_what_a_service_says_counts_and_comes_out_again_without_asking_it(world: World, service: Service) -> None:
    await world.put(remote=REMOTE, reject_from=100)
    assert await request(world) == (1, 1)
    found = await world.decide(ANN)
    assert (found.outcome, found.score, found.reasons) == ("reject", 120, ("scored", "new-device"))
    assert await reasons(world, found) == [("scored", 120, "remote:acme"), ("new-device", 0, "remote:acme")]
    service.score, service.breaks = 0, True
    world.clock.on(days=3)
    assert found.decision_id is not None
    again = await world.platform.call(api.replay_decision, api.GetDecision(decision_id=found.decision_id), NORTH)
    assert (again.outcome, again.score, again.is_same) == ("reject", 120, True)
    assert len(service.asked) == 1


async def test_a_service_learns_no_address_and_knows_somebody_again(world: World, service: Service) -> None:
    await world.put(remote=REMOTE)
    await request(world)
    await request(world)
    first, second = service.asked
    assert first["marks"] == second["marks"]
    assert "ann@example.org" not in str(service.asked)


@pytest.mark.parametrize("how", ["late", "broken", "nonsense", "never asked"])
async def test_where_nothing_was_said_in_time_what_is_declared_counts(world: World, service: Service, how: str) -> None:
    await world.put(remote=REMOTE, review_from=70)
    service.waits_s, service.breaks = (2.0 if how == "late" else 0.0), how == "broken"
    service.score = 10**9 if how == "nonsense" else 0
    if how != "never asked":
        began = time.monotonic()
        assert await request(world) == (1, 0)
        assert time.monotonic() - began < service.waits_s or how != "late"
    found = await world.decide(ANN)
    assert (found.outcome, found.score, found.reasons) == ("review", 70, ("not-scored",))
    assert found.decision_id is not None
    again = await world.platform.call(api.replay_decision, api.GetDecision(decision_id=found.decision_id), NORTH)
    assert again.is_same


async def test_what_was_said_counts_for_as_long_as_is_declared(world: World) -> None:
    await world.put(remote=REMOTE.replace(valid_s=60))
    await request(world)
    world.clock.on(seconds=59)
    assert (await world.decide(ANN)).score == 120
    world.clock.on(seconds=1)
    assert (await world.decide(ANN)).score == 70


async def test_nobody_is_asked_for_what_no_scenario_names(world: World, service: Service) -> None:
    await world.put(remote=REMOTE.replace(kinds=("payment",)), watches=("order",))
    with watched() as found:
        assert await request(world) == (0, 0)
        assert (await world.decide(ANN)).reasons == ()
    assert service.asked == []
    assert not [one for one in found if "risk.score" in one.text]


async def test_a_shadow_may_try_a_service_without_effect(world: World) -> None:
    await world.put()
    await world.put(remote=REMOTE, reject_from=100, state="shadow")
    assert await request(world) == (1, 1)
    found = await world.decide(ANN)
    assert (found.outcome, found.score, found.decision_id is not None) == ("accept", 0, True)
    kept = (await world.platform.call(api.list_decisions, api.ListDecisions(), NORTH)).items[0]
    assert kept.shadows == {"2": "reject"}


async def test_who_is_forgotten_has_no_score_left(world: World) -> None:
    await world.put(remote=REMOTE)
    await request(world)
    await world.platform.call(at_desk(api.forget, DESK), Forget(emails=("ann@example.org",)), NORTH)
    assert (await world.decide(ANN)).reasons == ("not-scored",)


def test_a_service_is_chosen_by_the_settings_and_what_does_not_fit_is_said_at_start() -> None:
    def chosen(**table: object) -> list[str]:
        use = "isthmus.packs.risk.service.http_score:HTTP"
        providers = {"risk": {"acme": {"use": use, "secret": {"secret": "ACME"}, **table}}}
        return setting_problems(shipped.PACKS, replace(load_config(), providers=providers))

    assert chosen(url="https://score.example.org") == []
    (problem,) = chosen(url="score.example.org")
    assert "$.url" in problem
