"""Promotions and coupons, kept: put, stop, issue, revoke, look at."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from isthmus.checks import NOBODY, Watching
from isthmus.kernel import Context, Pass, implements
from isthmus.values import folded

from .. import api
from ..rules import checks
from ..storage import keeping as storage
from ..storage import sharing as storage_sharing

REVISIONS_SHOWN_MAX = 100  # the latest; more than that nobody reads


@implements(api.put_promotion)
async def put_promotion(ask: api.PutPromotion, ctx: Context) -> api.PromotionState:
    promotion = checks.composed_promotion(ask.promotion)
    for path, reason in checks.promotion_faults(promotion):
        raise api.PromotionRefused(code=promotion.code, reason=reason, path=path)
    verdict = ctx.answer(api.validate_promotion)(promotion)
    if not isinstance(verdict, Pass) and not verdict.is_allowed:
        reason = "; ".join(f"{no.by} says: {no.reason}" for no in verdict.vetoes)
        raise api.PromotionRefused(code=promotion.code, reason=reason, path=verdict.vetoes[0].path or "$.promotion")
    known = await storage.hold(ctx.session, ctx.front_end, promotion.code)
    if known is None and await storage_sharing.is_switched(ctx.session, ctx.front_end, promotion.code):
        raise api.CodeInUse(code=promotion.code, path="$.promotion.code")
    if known is not None and known[2] and known[0] == promotion:
        return await _state(promotion, known[1], True, ctx)
    currency = promotion.budget.currency if promotion.budget is not None else None
    usage = await storage.used(ctx.session, promotion.code, currency)
    for path, reason in checks.limit_faults(promotion, usage):
        raise api.PromotionRefused(code=promotion.code, reason=reason, path=path)
    version = await storage.put(ctx.session, ctx.front_end, promotion, usage)
    return await _changed(promotion, version, "put", "", ctx)


@implements(api.stop_promotion)
async def stop_promotion(ask: api.StopPromotion, ctx: Context) -> api.PromotionState:
    known = await storage.hold(ctx.session, ctx.front_end, ask.code)
    if known is None:
        raise api.UnknownPromotion(code=ask.code, path="$.code")
    promotion, version, is_running = known
    if not is_running:
        return await _state(promotion, version, False, ctx)
    version = await storage.stop(ctx.session, ctx.front_end, ask.code)
    return await _changed(promotion, version, "stopped", ask.reason, ctx)


@implements(api.get_promotion)
async def get_promotion(ask: api.GetPromotion, ctx: Context) -> api.PromotionState:
    known = await storage.get(ctx.session, ctx.front_end, ask.code)
    if known is None:
        raise api.UnknownPromotion(code=ask.code, path="$.code")
    return await _state(*known, ctx)


@implements(api.hold_promotion)
async def hold_promotion(ask: api.GetPromotion, ctx: Context) -> api.PromotionState:
    known = await storage.hold(ctx.session, ctx.front_end, ask.code, storage.HOLD_COUNT)
    if known is None:
        raise api.UnknownPromotion(code=ask.code, path="$.code")
    return await _state(*known, ctx)


@implements(api.list_promotions)
async def list_promotions(ask: api.ListPromotions, ctx: Context) -> api.PromotionPage:
    found = await storage.list_promotions(ctx.session, ctx.front_end, ask.cursor or "", ask.running_only, ask.limit + 1)
    shown = tuple(found[: ask.limit])
    return api.PromotionPage(items=shown, next_cursor=shown[-1].code if len(found) > ask.limit else None)


@implements(api.issue_coupons)
async def issue_coupons(ask: api.IssueCoupons, ctx: Context) -> api.CouponsIssued:
    promotion = await storage.hold_for_issue(ctx.session, ctx.front_end, ask.promotion)
    if promotion is None:
        raise api.UnknownPromotion(code=ask.promotion, path="$.promotion")
    if not promotion.needs_coupon:
        reason = "it needs no coupon; put it with needs_coupon first"
        raise api.PromotionRefused(code=promotion.code, reason=reason, path="$.promotion")
    _refuse_wrong_drafts(ask)
    new = await storage.issue(ctx.session, ctx.front_end, ask, ctx.now, ctx.caller.client)
    await _refuse_taken(ask, new, ctx)
    owners = {one.code: one.member_id for one in ask.coupons}
    for member_id in dict.fromkeys(owners[code] for code in sorted(new)):  # an event of one person's names that person
        codes = tuple(code for code in sorted(new) if owners[code] == member_id)
        by = ctx.caller.client
        ctx.emit(api.CouponsWereIssued(promotion=promotion.code, codes=codes, by=by, member_id=member_id))
        if member_id is None or len(ask.coupons) > 1:
            continue
        if await ctx.resource(Watching, NOBODY).is_on(ctx.front_end, "coupon"):
            ctx.emit(api.CouponClaimed(member_id=member_id, promotion=promotion.code))
    return api.CouponsIssued(issued=len(new))


@implements(api.revoke_coupons)
async def revoke_coupons(ask: api.RevokeCoupons, ctx: Context) -> api.CouponsRevoked:
    known = await storage.revoke(ctx.session, ctx.front_end, ask.codes, ctx.now, ctx.caller.client)
    for place, code in enumerate(ask.codes):
        if code not in known:
            raise api.UnknownCoupon(code=code, path=f"$.codes[{place}]")
    return api.CouponsRevoked(revoked=sum({folded(code): known[code] for code in ask.codes}.values()))


@implements(api.get_coupon)
async def get_coupon(ask: api.GetCoupon, ctx: Context) -> api.Coupon:
    found = await storage.get_coupons(ctx.session, ctx.front_end, [ask.code])
    if ask.code not in found:
        raise api.UnknownCoupon(code=ask.code, path="$.code")
    return found[ask.code]


@implements(api.list_coupons)
async def list_coupons(ask: api.ListCoupons, ctx: Context) -> api.CouponPage:
    found = await storage.list_coupons(ctx.session, ctx.front_end, ask, ask.limit + 1)
    shown = tuple(found[: ask.limit])
    return api.CouponPage(items=shown, next_cursor=shown[-1].coupon.code if len(found) > ask.limit else None)


async def _changed(
    promotion: api.Promotion, version: int, what: Literal["put", "stopped"], reason: str, ctx: Context
) -> api.PromotionState:
    by, is_running = ctx.caller.client, what == "put"
    revision = api.Revision(version=version, what=what, at=ctx.now, by=by, reason=reason, promotion=promotion)
    await storage.record(ctx.session, ctx.front_end, revision)
    ctx.emit(api.PromotionChanged(code=promotion.code, version=version, is_running=is_running, by=by))
    return await _state(promotion, version, is_running, ctx)


async def _state(promotion: api.Promotion, version: int, is_running: bool, ctx: Context) -> api.PromotionState:
    currency = promotion.budget.currency if promotion.budget is not None else None
    usage = await storage.used(ctx.session, promotion.code, currency)
    return api.PromotionState(
        promotion=promotion,
        version=version,
        is_running=is_running,
        uses=usage.uses,
        spent=storage.spent_money(promotion, usage),
        history=await storage.history(ctx.session, ctx.front_end, promotion.code, REVISIONS_SHOWN_MAX),
    )


def _refuse_wrong_drafts(ask: api.IssueCoupons) -> None:
    codes = Counter(folded(draft.code) for draft in ask.coupons)
    for place, draft in enumerate(ask.coupons):
        path = f"$.coupons[{place}]"
        if codes[folded(draft.code)] > 1:
            raise api.PromotionRefused(
                code=ask.promotion, reason=f"coupon {draft.code!r} is issued twice", path=f"{path}.code"
            )
        if draft.valid_from is not None and draft.valid_to is not None and draft.valid_to <= draft.valid_from:
            reason = f"coupon {draft.code!r} ends before it begins"
            raise api.PromotionRefused(code=ask.promotion, reason=reason, path=f"{path}.valid_to")


async def _refuse_taken(ask: api.IssueCoupons, new: set[str], ctx: Context) -> None:
    """Refuse codes that exist for another promotion or with another content."""
    old = [draft.code for draft in ask.coupons if draft.code not in new]
    if not old:
        return
    found = await storage.get_coupons(ctx.session, ctx.front_end, old)
    taken = [
        {"path": f"$.coupons[{place}].code", "coupon": draft.code, "reason": _taken_as(found[draft.code], draft)}
        for place, draft in enumerate(ask.coupons)
        if draft.code in found and (found[draft.code].promotion, found[draft.code].coupon) != (ask.promotion, draft)
    ]
    if taken:
        raise api.CouponTaken(lines=taken)


def _taken_as(known: api.Coupon, draft: api.CouponDraft) -> str:
    issued = known.coupon.code
    return "it was issued with another content" if issued == draft.code else f"it was issued as {issued!r}"
