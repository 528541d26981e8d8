"""Risk: counts that are exact at their edges, rules that are tried before they count, decisions that come out again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from isthmus.kernel import Caller, FrontEnd, Platform, answers, errors
from isthmus.packs.risk import api
from isthmus.packs.risk.pack import PACK
from isthmus.packs.risk.rules import judging
from isthmus.packs.risk.service.book import Book, unseeing
from isthmus.personal import Forget
from isthmus.store import Database
from isthmus.values import money
from tests.packs.desk import at_desk, desk

NORTH, SOUTH = Caller(front_end="north", client="staff"), Caller(front_end="south", client="staff")
BEGIN = datetime(2026, 5, 1, 12, tzinfo=UTC)
DESK = desk(api)
ANN = api.Mark(kind="person", value="ann@example.org")


class Hands:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def on(self, **passes: float) -> None:
        self.now += timedelta(**passes)


class World:
    """A platform with two front ends, and what tests do with it."""

    def __init__(self, platform: Platform, clock: Hands, book: Book) -> None:
        self.platform, self.clock, self.book = platform, clock, book
        self._next = 0

    async def put(self, *rules: api.Rule, caller: Caller = NORTH, state: str = "live", **more: Any) -> api.Scenario:
        made = await self.platform.call(api.put_scenario, api.PutScenario(rules=rules, **more), caller)
        if rules and state == "live":
            await self.back_test(made.version, caller)
            beside = api.RunScenario(version=made.version, state="shadow")
            await self.platform.call(api.run_scenario, beside, caller)
        run = api.RunScenario(version=made.version, state=state)  # type: ignore[arg-type]
        return await self.platform.call(api.run_scenario, run, caller)

    async def back_test(self, version: int, caller: Caller = NORTH) -> api.Tried:
        until = self.clock.now + timedelta(days=1)
        ask = api.BackTest(version=version, since=BEGIN - timedelta(days=40), until=until)
        return await self.platform.call(api.back_test, ask, caller)

    async def decide(
        self, *marks: api.Mark, caller: Caller = NORTH, amount: int = 1000, kind: api.Kind = "order", **more: Any
    ) -> api.Decision:
        self._next += 1
        ask = {"kind": kind, "reference": f"o-{self._next}", "marks": marks, "amount": money(amount, "EUR"), **more}
        return await self.platform.call(api.decide, api.Decide(**ask), caller)

    async def facts(self, decision: api.Decision, caller: Caller = NORTH) -> api.Facts:
        assert decision.decision_id is not None
        ask = api.GetDecision(decision_id=decision.decision_id)
        return (await self.platform.call(api.get_decision, ask, caller)).facts


@answers(api.judge)
def no_tea_at_night(facts: api.Facts) -> Sequence[api.Reason]:
    """Think little of orders with a code of ours."""
    return (api.Reason(code="own-doubt", score=40),) if facts.about.get("code") == "odd" else ()


@pytest.fixture
async def world(make_platform: Any, database: Database, tmp_path: Path) -> World:
    clock, book = Hands(), Book(database=database, key_file=tmp_path / "key")
    north = FrontEnd(code="north", name="North", owner="n", uses=("risk.*", "desk.*"), answers=(no_tea_at_night,))
    south = FrontEnd(code="south", name="South", owner="s", uses=("risk.*", "desk.*"))
    platform = await make_platform(PACK, DESK, north, south, resources={api.Watching: book}, clock=clock)
    return World(platform, clock, book)


async def test_where_no_scenario_runs_nothing_is_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.book.refresh()
    found = await world.decide(ANN)
    assert (found.outcome, found.is_watched, found.decision_id) == ("accept", False, None)
    assert (await world.platform.call(api.list_decisions, api.ListDecisions(), NORTH)).items == ()


async def test_a_window_ends_at_its_edge(world: World) -> None:
    await world.put()
    await world.decide(ANN)
    for passes, expected in (
        ({"minutes": 10, "microseconds": -1}, (2, 2, 2)),  # ten minutes less a moment: still within
        ({"microseconds": 1}, (2, 3, 3)),  # the first one is exactly ten minutes old, and out; the second is not
        ({"minutes": 50, "microseconds": -1}, (1, 4, 4)),
        ({"microseconds": 1}, (2, 4, 5)),
    ):
        world.clock.on(**passes)
        known = (await world.facts(await world.decide(ANN))).seen["person"]
        assert (known.m10, known.h1, known.d1) == expected
    world.clock.on(hours=720)
    assert (await world.facts(await world.decide(ANN))).seen["person"].d30 == 1


async def test_who_does_the_same_at_the_same_moment_is_counted_one_after_the_other(world: World) -> None:
    await world.put(api.Rule(code="many", when="seen.person.h1 > 3", outcome="reject"))
    found = await asyncio.gather(*(world.decide(ANN, api.Mark(kind="card", value="c")) for _ in range(10)))
    assert sorted(one.outcome for one in found) == ["accept"] * 3 + ["reject"] * 7


async def test_a_front_end_knows_what_others_saw_as_counts_and_no_row(world: World) -> None:
    await world.put()
    await world.put(api.Rule(code="all", when="true", outcome="reject"), caller=SOUTH)
    other = await world.decide(api.Mark(kind="person", value="  ANN@Example.ORG "), caller=SOUTH)
    known = (await world.facts(await world.decide(ANN))).seen["person"]
    assert (known.h1, known.rejected, known.front_ends) == (2, 1, 2)
    assert len((await world.platform.call(api.list_decisions, api.ListDecisions(), NORTH)).items) == 1
    assert other.decision_id is not None
    with pytest.raises(api.UnknownDecision):
        await world.platform.call(api.get_decision, api.GetDecision(decision_id=other.decision_id), NORTH)
    assert world.book.database is not None
    reading = world.book.database.read("north")
    with pytest.raises(Exception, match="permission denied"):
        await reading.fetch("select * from risk.sighting")
    await reading.close()


@pytest.mark.parametrize(
    ("about", "amount", "outcome", "score", "reasons"),
    [
        ({}, 1000, "accept", 0, ()),
        ({}, 6000, "challenge", 30, ("large",)),
        ({"code": "odd"}, 6000, "review", 70, ("own-doubt", "large")),
        ({"code": "odd", "bad": True}, 6000, "reject", 70, ("own-doubt", "large", "bad")),
        ({"code": "odd", "bad": True, "vip": True}, 6000, "accept", 40, ("own-doubt", "vip")),
    ],
)
async def test_the_hardest_of_rules_and_score_decides_and_who_is_let_in_first_is_in(
    world: World, about: dict[str, Any], amount: int, outcome: str, score: int, reasons: tuple[str, ...]
) -> None:
    await world.put(
        api.Rule(code="vip", when="has(about.vip) && about.vip", outcome="accept"),
        api.Rule(code="large", when="amount > 5000 && currency == 'EUR'", score=30),
        api.Rule(code="bad", when="has(about.bad) && about.bad == true", outcome="reject"),
        api.Rule(code="only-payouts", when="true", kinds=("payout",), outcome="reject"),
        challenge_from=30, review_from=60,
    )  # fmt: skip
    found = await world.decide(ANN, amount=amount, about=about)
    assert (found.outcome, found.score, found.reasons) == (outcome, score, reasons)


async def test_who_has_passed_a_challenge_is_challenged_no_more_for_a_while(world: World) -> None:
    await world.put(api.Rule(code="new", when="true", outcome="challenge"))
    assert (await world.decide(ANN)).outcome == "challenge"
    await world.platform.call(api.pass_challenge, api.PassChallenge(marks=(ANN,)), NORTH)
    assert (await world.decide(ANN)).outcome == "accept"
    world.clock.on(minutes=15)
    assert (await world.decide(ANN)).outcome == "challenge"


async def test_a_list_is_looked_at_until_its_end(world: World) -> None:
    await world.put(api.Rule(code="listed", when="'blocked' in lists.card", outcome="reject"))
    card = api.Mark(kind="card", value="tok_1")
    until = BEGIN + timedelta(hours=1)
    listed = api.PutListed(list="blocked", mark=card, why="chargeback", until=until)
    assert (await world.platform.call(api.put_listed, listed, NORTH)).entries == 1
    assert (await world.decide(card)).outcome == "reject"
    world.clock.on(hours=1)
    assert (await world.decide(card)).outcome == "accept"
    await world.platform.call(api.put_listed, listed.replace(until=None), NORTH)
    assert (await world.decide(card)).outcome == "reject"
    gone = api.TakeOffList(list="blocked", mark=card)
    assert (await world.platform.call(api.take_off_list, gone, NORTH)).entries == 1
    assert (await world.decide(card)).outcome == "accept"


async def test_a_call_that_is_rolled_back_may_list_somebody_and_reads_no_key(world: World) -> None:
    world.platform.resources[api.Watching] = unseeing()
    listed = api.PutListed(list="blocked", mark=api.Mark(kind="card", value="tok_1"), why="chargeback")
    assert (await world.platform.call(api.put_listed, listed, NORTH)).entries == 1
    world.platform.resources[api.Watching] = world.book
    assert not world.book.key_file.exists()


async def test_a_version_with_rules_counts_only_once_it_was_tried(world: World) -> None:
    await world.put()
    for amount, label in ((9000, "fraud"), (8000, "honest"), (8500, "fraud"), (100, "honest"), (200, None)):
        found = await world.decide(ANN, amount=amount)
        if label:
            ask = api.Label(kind="order", reference=f"o-{world._next}", label=label)  # type: ignore[arg-type]  # pyright: ignore[reportPrivateUsage]
            assert (await world.platform.call(api.label, ask, NORTH)).decisions == 1
        assert found.outcome == "accept"
    rules = (api.Rule(code="large", when="amount >= 8500", outcome="review"), api.Rule(code="odd", when="about.x > 1"))
    made = await world.platform.call(api.put_scenario, api.PutScenario(rules=rules), NORTH)
    with pytest.raises(api.NotTried):
        await world.platform.call(api.run_scenario, api.RunScenario(version=made.version, state="live"), NORTH)
    tried = await world.back_test(made.version)
    assert (tried.decisions, tried.outcomes) == (5, {"review": 2, "accept": 3})
    assert (tried.fraud, tried.caught, tried.honest, tried.hurt, tried.changed) == (2, 2, 2, 0, 2)
    assert tried.failed == {"odd": 5}
    with pytest.raises(api.NotTried, match="has not run in the shadow"):
        await world.platform.call(api.run_scenario, api.RunScenario(version=made.version, state="live"), NORTH)
    beside = await world.platform.call(api.run_scenario, api.RunScenario(version=2, state="shadow"), NORTH)
    assert (beside.state, beside.is_shadowed) == ("shadow", True)
    running = await world.platform.call(api.run_scenario, api.RunScenario(version=made.version, state="live"), NORTH)
    assert running.state == "live"
    versions = (await world.platform.call(api.list_scenarios, api.ListScenarios(), NORTH)).items
    assert [(one.version, one.state) for one in versions] == [(2, "live"), (1, "ended")]
    assert (await world.decide(ANN, amount=9000)).outcome == "review"


async def test_a_version_in_the_shadow_judges_beside_and_changes_nothing(world: World) -> None:
    await world.put()
    strict = await world.put(api.Rule(code="all", when="true", outcome="reject"), state="shadow")
    found = await world.decide(ANN)
    assert found.outcome == "accept"
    assert found.decision_id is not None
    kept = await world.platform.call(api.get_decision, api.GetDecision(decision_id=found.decision_id), NORTH)
    assert kept.shadows == {str(strict.version): "reject"}


@pytest.mark.parametrize(
    ("when", "because"),
    [
        ("amount >", "parse"),
        ("wallet > 3", "there is no 'wallet'"),
        ("seen.wallet.h1 > 3", "there is no 'wallet'"),
        ("amount + 1", "it comes to 1"),
        ("'a'", "it comes to 'a'"),
    ],
)
async def test_a_rule_that_cannot_be_read_is_refused_when_it_is_written(world: World, when: str, because: str) -> None:
    with pytest.raises(api.WrongRule, match=because) as refused:
        await world.put(api.Rule(code="wrong", when=when))
    assert refused.value.path == "$.rules[0].when"


async def test_a_rule_that_fails_on_facts_refuses_nobody(world: World) -> None:
    await world.put(api.Rule(code="broken", when="about.ratio / amount > 1", outcome="reject"))
    assert (await world.decide(ANN, amount=0, about={"ratio": 5})).outcome == "accept"


async def test_without_the_library_that_reads_rules_nobody_is_accepted_for_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.put(api.Rule(code="all", when="amount > 0", outcome="reject"))
    monkeypatch.setitem(sys.modules, "cel", None)  # as where it is not installed
    judging.compiled.cache_clear()
    with pytest.raises(errors.Fault):
        await world.decide(ANN)


async def test_a_decision_comes_out_the_same_from_what_was_recorded(world: World) -> None:
    await world.put(api.Rule(code="many", when="seen.person.h1 > 1 && hour == 12", score=50), review_from=90)
    first = await world.decide(ANN, about={"code": "odd"})
    second = await world.decide(ANN, about={"code": "odd"})
    assert (first.outcome, second.outcome, second.score) == ("accept", "review", 90)
    await world.put(api.Rule(code="none", when="false", outcome="reject"))  # other rules, and later
    world.clock.on(days=20)
    for one in (first, second):
        assert one.decision_id is not None
        again = await world.platform.call(api.replay_decision, api.GetDecision(decision_id=one.decision_id), NORTH)
        assert (again.outcome, again.score, again.is_same) == (one.outcome, one.score, True)


async def test_what_is_decided_of_a_reference_stays_so(world: World) -> None:
    await world.put(api.Rule(code="again", when="seen.person.h1 > 1", outcome="reject"))
    first = await world.decide(ANN, reference="one")
    assert await world.decide(ANN, reference="one") == first


async def review(world: World, **more: Any) -> api.Decision:
    await world.put(api.Rule(code="look", when="true", outcome="review"), **more)
    return await world.decide(ANN)


async def test_a_review_is_settled_once_and_says_who_did(world: World) -> None:
    found = await review(world)
    assert found.decision_id is not None
    listed = await world.platform.call(api.list_reviews, api.ListReviews(), NORTH)
    assert (listed.open, listed.items[0].deadline) == (1, BEGIN + timedelta(days=1))
    settle = api.Settle(decision_id=found.decision_id, outcome="reject", why="stolen card")
    ended = await world.platform.call(api.settle_review, settle, NORTH)
    assert (ended.state, ended.ended_by, ended.why) == ("rejected", "staff", "stolen card")
    with pytest.raises(api.NotOpen):
        await world.platform.call(api.settle_review, settle.replace(outcome="release"), NORTH)
    page = await world.platform.call(api.get_review, api.GetReview(decision_id=found.decision_id), NORTH)
    assert page.decision.label == "fraud"
    assert (await world.facts(await world.decide(ANN))).seen["person"].rejected == 1
    page = await world.platform.call(api.get_review, api.GetReview(decision_id=found.decision_id), NORTH)
    assert [one.outcome for one in page.alike] == ["review"]


@pytest.mark.parametrize(("otherwise", "state"), [("release", "released"), ("reject", "rejected")])
async def test_what_nobody_decides_in_time_is_settled_as_declared(world: World, otherwise: Any, state: str) -> None:
    await review(world, decide_within_s=600, otherwise=otherwise)
    world.clock.on(seconds=599)
    assert (await world.platform.call(api.settle_due, api.SettleDue(), NORTH)).reviews == 0
    world.clock.on(seconds=1)
    assert (await world.platform.call(api.settle_due, api.SettleDue(), NORTH)).reviews == 1
    listed = (await world.platform.call(api.list_reviews, api.ListReviews(state=state), NORTH)).items  # type: ignore[arg-type]
    assert [(one.state, one.ended_by) for one in listed] == [(state, "deadline")]


async def test_a_person_who_is_erased_is_known_again_by_nothing(world: World) -> None:
    found = await review(world)
    assert found.decision_id is not None
    forget = Forget(emails=("ann@example.org",))
    await world.platform.call(at_desk(api.forget, DESK), forget, NORTH)
    page = await world.platform.call(api.get_review, api.GetReview(decision_id=found.decision_id), NORTH)
    assert (page.review.state, page.decision.facts.about) == ("open", {})
    assert (await world.facts(await world.decide(ANN))).seen["person"].d30 == 1
    settle = api.Settle(decision_id=found.decision_id, outcome="release", why="nothing against it")
    assert (await world.platform.call(api.settle_review, settle, NORTH)).state == "released"


async def test_a_person_is_erased_also_where_nothing_is_noted_of_anybody(make_platform: Any) -> None:
    north = FrontEnd(code="north", name="North", owner="n", uses=("risk.*", "desk.*"))
    platform = await make_platform(PACK, DESK, north)  # as in a shadow or a replay, which have no key
    await platform.call(at_desk(api.forget, DESK), Forget(emails=("ann@example.org",)), NORTH)


async def test_a_review_of_what_is_gone_is_closed(world: World) -> None:
    await review(world)
    close = api.CloseReview(kind="order", reference="o-1")
    closed = await world.platform.call(at_desk(api.close_review, DESK), close, NORTH)
    assert closed.reviews == 1
    assert (await world.platform.call(api.list_reviews, api.ListReviews(), NORTH)).open == 0
