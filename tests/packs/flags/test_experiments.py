"""Experiments: who met what is counted once, events that count land behind it, and the statistics are said."""

from __future__ import annotations

import random
import sys
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from scipy import stats

from isthmus.kernel import Context, Effect, FrontEnd, Pack, Value, capability, event, flow, implements
from isthmus.packs.flags import api
from isthmus.packs.flags.rules import statistics
from isthmus.packs.flags.rules.statistics import Seen
from isthmus.packs.flags.service.asked import statistics_of
from isthmus.packs.flags.service.store import subject_of
from isthmus.personal import Forget, Forgotten
from tests.packs.flags.conftest import Desk, MakeFlagDesk
from tests.waiting import until


class Buy(Value):
    """Buy something."""

    member_id: UUID
    cents: int


@event("till.bought", version="1.0", subject="member_id")
class Bought(Value):
    """Something was bought."""

    member_id: UUID
    total: dict[str, int]


@capability("till.buy", version="1.0", effect=Effect.WRITE)
def buy(ask: Buy) -> Buy:
    """Buy it."""
    ...


@implements(buy)
async def _buy(ask: Buy, ctx: Context) -> Buy:
    ctx.emit(Bought(member_id=ask.member_id, total={"minor": ask.cents}))
    return ask


@flow("till.leave", version="1.0", effect=Effect.WRITE, uses=[api.forget])
def leave(ask: Forget) -> Forgotten:
    """Forget whoever leaves."""
    ...


@implements(leave)
async def _leave(ask: Forget, ctx: Context) -> Forgotten:
    return await ctx.call(api.forget, ask)


till_api = ModuleType("till_api", "Sells things.")
till_api.buy, till_api.Bought, till_api.leave = buy, Bought, leave  # type: ignore[attr-defined]
TILL = Pack(name="till", owner="till team", api=till_api, service=(sys.modules[__name__],))
NORTH = FrontEnd(code="north", name="North", owner="north", uses=("flags.*", "till.*"))
HALVES = {"on": 50, "off": 50}


def experiment(**more: Any) -> api.Experiment:
    facts: dict[str, Any] = {"name": "first", "shares": HALVES, "control": "off", "goal": "till.bought", "planned": 10}
    return api.Experiment(**{**facts, **more})


async def test_who_meets_a_variant_counts_once_and_what_they_do_after_it_lands(make_desk: MakeFlagDesk) -> None:
    desk = await make_desk(TILL, NORTH)
    await desk.put("a", experiment=experiment(value="total.minor"), targeting={"if": [{"var": "is_staff"}, "on"]})
    ann, bob, staff = uuid4(), uuid4(), uuid4()
    async with desk.serving():
        await desk.call(buy, Buy(member_id=ann, cents=999))  # before she has met it: counts for nothing
        await until(lambda: _is_read(desk, 1))
        for who in (ann, ann, bob):
            found = await desk.ask("a", str(who))
            assert found.reason == "SPLIT"
        assert (await desk.ask("a", str(staff), is_staff=True)).reason == "TARGETING_MATCH"
        assert (await desk.ask("a")).error_code == "TARGETING_KEY_MISSING"
        answers = await desk.call(api.evaluate_all, api.EvaluateAll(context=api.Context(targeting_key=str(uuid4()))))
        assert answers.items[0].reason == "SPLIT"  # and counts as no exposure
        for cents in (100, 250):
            await desk.call(buy, Buy(member_id=ann, cents=cents))

        async def landed() -> bool:
            result = await desk.call(api.get_experiment, api.GetExperiment(key="a"))
            return sum(arm.reached for arm in result.arms) == 1

        await until(landed)
        await until(lambda: _is_read(desk, 3))
    result = await desk.call(api.get_experiment, api.GetExperiment(key="a"))
    assert sum(arm.exposed for arm in result.arms) == 2
    (arm,) = (arm for arm in result.arms if arm.reached)
    assert arm.mean * arm.exposed == 350
    assert (result.is_complete, result.verdict) == (False, "too early: each variant needs 10 subjects")
    assert all(arm.p_value is None for arm in result.arms)
    async with desk.database.platform() as session:
        kept = await session.fetch("select subject from flags.exposure")
    assert {row["subject"] for row in kept} == {subject_of("north", str(ann)), subject_of("north", str(bob))}
    await desk.call(leave, Forget(member_ids=(ann,)))
    result = await desk.call(api.get_experiment, api.GetExperiment(key="a"))
    assert sum(arm.exposed for arm in result.arms) == 1
    assert sum(arm.reached for arm in result.arms) == 0


async def _is_read(desk: Desk, events: int) -> bool:
    async with desk.database.platform() as session:
        sql = """select count(*) from isthmus.event e join isthmus.consumer c on c.name = 'flags'
                 where e.type = 'till.bought' and e.position <= c.position"""
        return await session.fetch_value(sql) >= events


async def test_a_client_says_who_has_seen_it(desk: Desk) -> None:
    await desk.put("a", experiment=experiment())
    await desk.put("plain")
    context = api.Context(targeting_key="ann")
    first = await desk.call(api.expose, api.Expose(key="a", context=context))
    again = await desk.call(api.expose, api.Expose(key="a", context=context))
    assert first == again
    result = await desk.call(api.get_experiment, api.GetExperiment(key="a"))
    assert {arm.variant: arm.exposed for arm in result.arms} == {first.variant: 1, **_other(first.variant)}
    nobody = await desk.call(api.expose, api.Expose(key="a", context=api.Context()))
    assert nobody.variant == ""
    with pytest.raises(api.NoExperiment):
        await desk.call(api.expose, api.Expose(key="plain", context=context))
    with pytest.raises(api.NoExperiment):
        await desk.call(api.get_experiment, api.GetExperiment(key="plain"))
    with pytest.raises(api.UnknownFlag):
        await desk.call(api.get_experiment, api.GetExperiment(key="none"))


def _other(variant: str) -> dict[str, int]:
    return {"off" if variant == "on" else "on": 0}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"control": "none"}, "$.flag.experiment"),
        ({"shares": {"on": 50, "of": 50}}, "$.flag.experiment"),
        ({"shares": {"on": 100, "off": 0}}, "$.flag.experiment.shares"),
    ],
)
async def test_an_experiment_needs_a_control_and_two_shares(desk: Desk, wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(api.WrongFlag) as refused:
        await desk.put("a", experiment=experiment(**wrong))
    assert refused.value.path == path


def test_shares_are_compared_by_two_proportions() -> None:
    found = statistics.proportions(Seen(exposed=1_000, reached=100), Seen(exposed=1_000, reached=130))
    # statsmodels.stats.proportion.proportions_ztest([130, 100], [1000, 1000]): z = 2.1027, p = 0.03550
    assert found.p_value == pytest.approx(0.0355, abs=1e-4)
    assert found.difference == pytest.approx(0.03)
    assert (found.low, found.high) == (pytest.approx(0.00207, abs=1e-4), pytest.approx(0.05793, abs=1e-4))
    assert statistics.proportions(Seen(exposed=10, reached=0), Seen(exposed=10, reached=0)).p_value == 1.0


def test_amounts_are_compared_by_welch() -> None:
    a, b = [1.0, 2.0, 3.0, 4.0, 10.0], [4.0, 5.0, 6.0, 9.0, 12.0, 20.0]
    found = statistics.means(_seen(a), _seen(b))
    ours: Any = stats.ttest_ind(b, a, equal_var=False)
    assert found.p_value == pytest.approx(ours.pvalue)
    interval = ours.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def _seen(values: list[float]) -> Seen:
    return Seen(exposed=len(values), reached=len(values), total=sum(values), squares=sum(one**2 for one in values))


def test_a_verdict_is_given_at_the_planned_size_and_not_before() -> None:
    own = experiment(planned=1_000)
    early = statistics_of("a", own, {"on": Seen(exposed=999, reached=400), "off": Seen(exposed=1_001, reached=1)})
    assert (early.is_complete, early.arms[0].p_value) == (False, None)
    done = statistics_of("a", own, {"on": Seen(exposed=1_000, reached=160), "off": Seen(exposed=1_000, reached=100)})
    assert (done.verdict, done.method) == ("on is better than off", "two proportions (z), fixed horizon")
    same = statistics_of("a", own, {"on": Seen(exposed=1_000, reached=101), "off": Seen(exposed=1_000, reached=100)})
    assert same.verdict == "no difference was found"


def test_a_split_that_is_not_as_declared_spoils_the_verdict() -> None:
    own = experiment(planned=10)
    found = statistics_of("a", own, {"on": Seen(exposed=1_200, reached=600), "off": Seen(exposed=1_000, reached=10)})
    assert found.is_split_wrong
    assert found.verdict.startswith("the split is not as declared")
    assert found.srm_p_value == pytest.approx(stats.chisquare([1_200, 1_000]).pvalue)


def test_several_variants_are_judged_together() -> None:
    assert statistics.significant([0.04, 0.03, 0.001]) == [False, False, True]
    assert statistics.significant([0.02, 0.01]) == [True, True]
    assert statistics.significant([]) == []


def test_nothing_is_found_where_nothing_is_and_seldom_missed_where_it_is() -> None:
    """2,000 experiments without a difference: about one in twenty finds one, as 5 % says."""
    source = random.Random(7)
    wrong = 0
    for _ in range(2_000):
        on, off = (sum(source.random() < 0.1 for _ in range(400)) for _ in range(2))
        wrong += statistics.proportions(Seen(exposed=400, reached=off), Seen(exposed=400, reached=on)).p_value < 0.05
    assert 60 <= wrong <= 140
