"""Flags are asked: what they are for somebody, why, and who was exposed to an experiment."""

from __future__ import annotations

from typing import Any

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten

from .. import api, storage
from ..rules import explaining, statistics
from ..rules.evaluation import Found, Snapshot
from ..rules.statistics import Seen
from ..rules.targeting import SEGMENTS
from .store import FlagStore, exposure, subject_of


@implements(api.evaluate_flag)
async def evaluate_flag(ask: api.EvaluateFlag, ctx: Context) -> api.FlagEvaluation:
    snapshot, found, _ = await _found(ask.key, ask.context, ctx)
    ctx.resource(FlagStore).note(snapshot, found, ask.context.targeting_key, ctx.now)
    return found.value


@implements(api.evaluate_all)
async def evaluate_all(ask: api.EvaluateAll, ctx: Context) -> api.Evaluations:
    store = ctx.resource(FlagStore)
    snapshot = await store.snapshot(ctx.front_end)
    context = await store.context(snapshot, ask.context.targeting_key, ask.context.attributes, ctx.now)
    return api.Evaluations(items=tuple(one.value for one in snapshot.find_all(context)), version=snapshot.version)


@implements(api.explain_flag)
async def explain_flag(ask: api.ExplainFlag, ctx: Context) -> api.Explanation:
    snapshot, found, context = await _found(ask.key, ask.context, ctx)
    if (flag := snapshot.flags.get(ask.key)) is None:
        raise api.UnknownFlag(key=ask.key, known=snapshot.flags)
    looked = explaining.looked(flag.flag, context)
    return api.Explanation(
        evaluation=found.value,
        version=snapshot.version,
        looked=tuple(looked),
        segments=tuple(sorted(context[SEGMENTS])),
        bucket=explaining.bucket(flag.flag, ask.context.targeting_key),
        sentence=explaining.sentence(flag.flag, found.value, snapshot, context),
    )


@implements(api.expose)
async def expose(ask: api.Expose, ctx: Context) -> api.Exposed:
    snapshot, found, _ = await _found(ask.key, ask.context, ctx)
    if (flag := snapshot.flags.get(ask.key)) is None:
        raise api.UnknownFlag(key=ask.key, known=snapshot.flags)
    if flag.flag.experiment is None:
        raise api.NoExperiment(key=ask.key)
    if not found.is_split:
        return api.Exposed(variant="")
    await storage.expose(ctx.session, [(*exposure(snapshot, found, ask.context.targeting_key), ctx.now)])
    return api.Exposed(variant=found.value.variant)


@implements(api.get_experiment)
async def get_experiment(ask: api.GetExperiment, ctx: Context) -> api.ExperimentResult:
    states = await storage.states(ctx.session, ctx.front_end, ask.key)
    if not states:
        raise api.UnknownFlag(key=ask.key)
    if (own := states[0].flag.experiment) is None:
        raise api.NoExperiment(key=ask.key)
    seen, first_at = await storage.seen(ctx.session, ctx.front_end, ask.key, own.name)
    return statistics_of(ask.key, own, seen).replace(first_at=first_at)


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    subjects = [subject_of(ctx.front_end, str(one)) for one in ask.member_ids]
    await storage.forget(ctx.session, ctx.front_end, subjects)
    return Forgotten()


def statistics_of(key: str, own: api.Experiment, seen: dict[str, Seen]) -> api.ExperimentResult:
    """Return the result of an experiment: counts at any time, tests when each variant has its planned size."""
    nobody = Seen(exposed=0, reached=0)
    control = seen.get(own.control, nobody)
    others = [name for name, share in own.shares.items() if share and name != own.control]
    is_complete = all(seen.get(name, nobody).exposed >= own.planned for name in (own.control, *others))
    split = statistics.split_p_value({name: one.exposed for name, one in seen.items()}, own.shares)
    is_wrong = split is not None and split < statistics.SPLIT_WRONG_BELOW
    test = statistics.proportions if own.value is None else statistics.means
    compared = {name: test(control, seen[name]) for name in others} if is_complete else {}
    return api.ExperimentResult(
        key=key,
        name=own.name,
        goal=own.goal,
        method="two proportions (z), fixed horizon" if own.value is None else "Welch's t-test, fixed horizon",
        planned=own.planned,
        is_complete=is_complete,
        srm_p_value=split,
        is_split_wrong=is_wrong,
        first_at=None,
        arms=tuple(_arm(name, share, seen.get(name, nobody), compared.get(name)) for name, share in own.shares.items()),
        verdict=_verdict(own, compared, is_complete=is_complete, is_wrong=is_wrong),
    )


def _arm(name: str, share: int, seen: Seen, found: statistics.Compared | None) -> api.Arm:
    arm = api.Arm(
        variant=name,
        share=share,
        exposed=seen.exposed,
        reached=seen.reached,
        rate=seen.reached / seen.exposed if seen.exposed else 0.0,
        mean=seen.mean,
    )
    if found is None:
        return arm
    return arm.replace(difference=found.difference, low=found.low, high=found.high, p_value=found.p_value)


def _verdict(
    own: api.Experiment, compared: dict[str, statistics.Compared], *, is_complete: bool, is_wrong: bool
) -> str:
    if is_wrong:
        return "the split is not as declared: find out why, and believe no number of it"
    if not is_complete:
        return f"too early: each variant needs {own.planned} subjects"
    names = list(compared)
    holds = statistics.significant([compared[name].p_value for name in names])
    said = [
        f"{name} is {'better' if compared[name].difference > 0 else 'worse'} than {own.control}"
        for name, is_sure in zip(names, holds, strict=True)
        if is_sure
    ]
    return "; ".join(said) or "no difference was found"


async def _found(key: str, given: api.Context, ctx: Context) -> tuple[Snapshot, Found, dict[str, Any]]:
    store = ctx.resource(FlagStore)
    snapshot = await store.snapshot(ctx.front_end)
    context = await store.context(snapshot, given.targeting_key, given.attributes, ctx.now)
    return snapshot, snapshot.find(key, context), context
