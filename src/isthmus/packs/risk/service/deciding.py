"""Deciding: what is known of marks, in one statement with this call's transaction, and what rules make of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from isthmus.kernel import Context, decode, implements

from .. import api
from ..rules import judging, marks
from ..storage import kept as storage
from ..storage import scenarios
from . import scoring
from .book import Book, book_of

GOES_ON: Final = timedelta(days=1)  # so long what was released or rejected is not judged anew


@implements(api.decide)
async def decide(ask: api.Decide, ctx: Context) -> api.Decision:
    book = book_of(ctx)
    running = await book.of(ctx.front_end)
    scenario = running.live
    if ask.kind not in running.kinds:
        return api.Decision(outcome="accept")
    reference = ask.reference or _named(ask, book)
    if not ctx.is_new(reference):
        row = await storage.known(ctx.session, ctx.front_end, ask.kind, reference)
        if row is not None and (stands := _standing(row, ask, ctx)):
            return _again(row).replace(outcome=stands)
    kinds, hashes = marks.hashes(ask.marks, book.key())
    seen, lists = await storage.see(ctx.session, ask.kind, kinds, hashes, ctx.now)
    facts = api.Facts(kind=ask.kind, hour=ctx.now.hour, amount=ask.amount, seen=seen, lists=lists, about=ask.about)
    said, content = _answered(facts, ctx), scenario.content if scenario else api.Content()
    answers = (*said, *await scoring.reasons(content, ask.kind, hashes, ctx))
    found = judging.judged(content, facts, answers)
    shadows: dict[str, api.Outcome] = {}
    for one in running.shadows:
        scored = await scoring.reasons(one.content, ask.kind, hashes, ctx)
        shadows[str(one.version)] = judging.judged(one.content, facts, (*said, *scored)).outcome
    made: dict[str, Any] = {
        "front_end": ctx.front_end, "decision_id": ctx.new_id(), "at": ctx.now, "kind": ask.kind,
        "reference": reference, "version": scenario.version if scenario else 0, "facts": facts,
        "answers": answers, "score": found.score, "outcome": found.outcome, "reasons": found.reasons,
        "shadows": shadows, "hashes": hashes,
    }  # fmt: skip
    deadline = ctx.now + timedelta(seconds=content.decide_within_s) if found.outcome == "review" else None
    review = (ask.member_id, deadline, content.otherwise)
    if _is_beside(ask, found.outcome):
        await book.note_refused(storage.row_of(made), *review, is_rejected=found.outcome == "reject")
    else:
        await storage.write(ctx.session, storage.row_of(made), *review)
        if found.outcome == "reject":
            await storage.remember_rejection(ctx.session, ctx.front_end, made["decision_id"])
    return api.Decision(
        outcome=found.outcome,
        score=found.score,
        reasons=tuple(one.code for one in found.reasons),
        decision_id=made["decision_id"],
        deadline=deadline,
        is_watched=True,
    )


def _named(ask: api.Decide, book: Book) -> str:
    """Return by what something is known that has no reference of its own. Raises NothingNamed."""
    if not ask.marks:
        raise api.NothingNamed
    return marks.reference_of(ask.marks[0], book.key())


def _standing(row: Any, ask: api.Decide, ctx: Context) -> api.Outcome | None:
    """Return what was decided before and holds still; None where it is to be decided anew."""
    if not ask.comes_again:
        return row["outcome"] if row["outcome"] in ("accept", "review") else None
    if row["outcome"] != "review":
        return None
    if row["state"] == "open":
        return "review"
    is_fresh = row["ended_at"] is not None and row["ended_at"] > ctx.now - GOES_ON
    if not is_fresh:
        return None
    return "reject" if row["state"] == "rejected" else "accept"


def _is_beside(ask: api.Decide, outcome: api.Outcome) -> bool:
    """Say whether a decision is written beside a call that is undone for it."""
    return ask.is_undone and (outcome in ("reject", "challenge") or (outcome == "review" and ask.comes_again))


def _answered(facts: api.Facts, ctx: Context) -> tuple[api.Reason, ...]:
    found = ctx.answer(api.judge)(facts)
    return tuple(one.replace(by="front-end") for one in found)


def _again(row: Any) -> api.Decision:
    reasons = decode(row["reasons"], tuple[api.Reason, ...])
    return api.Decision(
        outcome=row["outcome"],
        score=row["score"],
        reasons=tuple(one.code for one in reasons),
        decision_id=row["decision_id"],
        deadline=row["deadline"],
        is_watched=True,
    )


@implements(api.pass_challenge)
async def pass_challenge(ask: api.PassChallenge, ctx: Context) -> api.Listed:
    found = marks.hashes(ask.marks, book_of(ctx).key())
    until = ctx.now + timedelta(minutes=ask.minutes)
    facts = (until, "they proved who they are", ctx.caller.client, ctx.now)
    return api.Listed(entries=await storage.put_on_list(ctx.session, ctx.front_end, api.PASSED, found, *facts))


@implements(api.put_listed)
async def put_listed(ask: api.PutListed, ctx: Context) -> api.Listed:
    found = marks.hashes((ask.mark,), book_of(ctx).key())
    facts = (ask.until, ask.why, ctx.caller.person or ctx.caller.client, ctx.now)
    return api.Listed(entries=await storage.put_on_list(ctx.session, ctx.front_end, ask.list, found, *facts))


@implements(api.take_off_list)
async def take_off_list(ask: api.TakeOffList, ctx: Context) -> api.Listed:
    _, hashes = marks.hashes((ask.mark,), book_of(ctx).key())
    return api.Listed(entries=await storage.take_off_list(ctx.session, ctx.front_end, ask.list, hashes))


@implements(api.label)
async def label(ask: api.Label, ctx: Context) -> api.Labelled:
    return api.Labelled(decisions=await storage.label(ctx.session, ctx.front_end, ask))


@implements(api.get_decision)
async def get_decision(ask: api.GetDecision, ctx: Context) -> api.KeptDecision:
    return (await storage.decision(ctx.session, ctx.front_end, ask.decision_id))[0]


@implements(api.list_decisions)
async def list_decisions(ask: api.ListDecisions, ctx: Context) -> api.KeptDecisions:
    return api.KeptDecisions(items=tuple(await storage.decisions(ctx.session, ctx.front_end, ask)))


@implements(api.replay_decision)
async def replay_decision(ask: api.GetDecision, ctx: Context) -> api.Replayed:
    was, row = await storage.decision(ctx.session, ctx.front_end, ask.decision_id)
    content = api.Content()
    if was.version:
        content = (await scenarios.get(ctx.session, ctx.front_end, was.version)).content
    found = judging.judged(content, was.facts, storage.answers_of(row))
    return api.Replayed(
        outcome=found.outcome,
        score=found.score,
        reasons=tuple(one.code for one in found.reasons),
        is_same=(found.outcome, found.score, found.reasons) == (was.outcome, was.score, was.reasons),
    )


def stops(outcome: api.Outcome) -> bool:
    """Say whether an outcome keeps something from going on by itself."""
    return outcome != "accept"


def tried(content: api.Content, rows: Sequence[Any], ask: api.BackTest) -> api.Tried:
    """Return what rules would have made of decisions."""
    outcomes: dict[str, int] = {}
    failed: dict[str, int] = {}
    count = {"changed": 0, "fraud": 0, "caught": 0, "honest": 0, "hurt": 0}
    taken = rows[: api.TRIED_MAX]
    for row in taken:
        was = storage.kept(row)
        found = judging.judged(content, was.facts, storage.answers_of(row))
        outcomes[found.outcome] = outcomes.get(found.outcome, 0) + 1
        for code in found.failed:
            failed[code] = failed.get(code, 0) + 1
        count["changed"] += found.outcome != was.outcome
        if was.label is not None:
            count[was.label] += 1
            count["caught" if was.label == "fraud" else "hurt"] += stops(found.outcome)
    return api.Tried(
        since=ask.since, until=ask.until, decisions=len(taken), outcomes=outcomes, failed=failed,
        is_cut=len(rows) > len(taken), **count,
    )  # fmt: skip
