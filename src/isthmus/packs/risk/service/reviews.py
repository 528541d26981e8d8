"""Reviews: what waits for a person, until somebody or the deadline settles it."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.language import mark
from isthmus.personal import Forget, Forgotten

from .. import api
from ..rules import marks
from ..storage import kept as storage
from .book import book_of

DEADLINE = "deadline"  # who settled it where nobody did


@implements(api.list_reviews)
async def list_reviews(ask: api.ListReviews, ctx: Context) -> api.Reviews:
    return await storage.reviews(ctx.session, ctx.front_end, ask)


@implements(api.get_review)
async def get_review(ask: api.GetReview, ctx: Context) -> api.ReviewPage:
    found = await storage.review(ctx.session, ctx.front_end, ask.decision_id)
    decision, _ = await storage.decision(ctx.session, ctx.front_end, ask.decision_id)
    alike = await storage.alike(ctx.session, ctx.front_end, ask.decision_id)
    return api.ReviewPage(review=found, decision=decision, alike=tuple(alike))


@implements(api.settle_review)
async def settle_review(ask: api.Settle, ctx: Context) -> api.Review:
    found = await storage.review(ctx.session, ctx.front_end, ask.decision_id, is_locked=True)
    if found.state != "open":
        raise api.NotOpen(decision_id=ask.decision_id, state=found.state)
    by = ctx.caller.person or ctx.caller.client
    return await _settled(found, ask.outcome, by, ask.why, ctx)


@implements(api.settle_due)
async def settle_due(ask: api.SettleDue, ctx: Context) -> api.Settled:
    due = await storage.due(ctx.session, ctx.front_end, ctx.now, ask.limit)
    for one in due:
        await _settled(one, one.otherwise, DEADLINE, mark("nobody decided in time"), ctx)
    return api.Settled(reviews=len(due))


async def _settled(found: api.Review, outcome: api.SettledAs, by: str, why: str, ctx: Context) -> api.Review:
    state = "released" if outcome == "release" else "rejected"
    ended = found.replace(state=state, ended_at=ctx.now, ended_by=by, why=why)
    await storage.end(ctx.session, ctx.front_end, ended, is_label=by != DEADLINE)
    if outcome == "reject":
        await storage.remember_rejection(ctx.session, ctx.front_end, found.decision_id)
    settled = api.ReviewSettled(
        decision_id=found.decision_id, kind=found.kind, reference=found.reference, outcome=outcome, by=by
    )
    ctx.emit(settled)
    return ended


@implements(api.close_review)
async def close_review(ask: api.CloseReview, ctx: Context) -> api.Settled:
    return api.Settled(reviews=await storage.close(ctx.session, ctx.front_end, ask, ctx.now))


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    people = [api.Mark(kind="person", value=one) for one in ask.emails]
    members = [api.Mark(kind="member", value=str(one)) for one in ask.member_ids]
    book = book_of(ctx)
    hashes = [marks.hash_of(one, book.key()) for one in (*people, *members) if book.is_kept]
    await storage.forget(ctx.session, ctx.front_end, hashes, ask.member_ids, ask.references)
    return Forgotten()
