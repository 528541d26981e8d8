"""What comes off a basket, and how orders use it up and give it back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from isthmus.kernel import Context, Pass, encode, implements
from isthmus.kernel.host import AnswerFailed
from isthmus.values import CurrencyMismatch, Money, checked_attributes, distinct_codes

from .. import api
from ..rules import checks
from ..rules import promotions as rules
from ..rules.promotions import Basket, Offer
from ..storage import promotions as storage


@implements(api.evaluate)
async def evaluate(ask: api.Evaluate, ctx: Context) -> api.Evaluation:
    own = checked_attributes(ask.lines, "line_attributes", "order.line", ctx)
    ask = ask.replace(lines=checked_attributes(own, "order_attributes", "order.order", ctx))
    basket = _checked_basket(ask)
    stored = await storage.find_promotions(ctx.session, ctx.front_end, ask.buyer, ask.coupons, ctx.now)
    running = frozenset(promotion.code for promotion, _ in stored)
    named = distinct_codes(ask.coupons)
    found = await storage.find_coupons(ctx.session, ctx.front_end, ask.buyer, named) if named else {}
    asked = [found[code].code if code in found else code for code in named]
    coupons, missed = rules.usable_coupons(asked, {c.code: c for c in found.values()}, running, ask.buyer, ctx.now)
    floors, currency = ctx.answer(api.floor_amount)(ask.lines, ask.buyer), basket.currency
    state = rules.untouched(basket, [_floor(floor, currency) for floor in floors])
    meant = [
        (promotion, usage)
        for promotion, usage in stored
        if promotion.code in coupons or (not promotion.needs_coupon and rules.is_about(promotion, basket))
    ]
    verdicts = ctx.answer(api.judge_eligibility)([promotion for promotion, _ in meant], ask.lines, ask.buyer)
    offers = _extra_offers(basket, ctx)
    for (promotion, usage), verdict in zip(meant, verdicts, strict=True):
        coupon = coupons.get(promotion.code)
        lack = rules.lacking(promotion, usage, verdict, coupon, basket, state)
        if lack is None:
            offers.append(rules.offer_of(promotion, coupon, usage))
        else:
            missed.append(lack)
    ranked, left_out = _ranked(offers, basket, state, ctx)
    discounts, conflicts = rules.take(ranked, basket, state)
    return api.Evaluation(discounts=tuple(discounts), missed=tuple(rules.in_order([*missed, *left_out, *conflicts])))


@implements(api.redeem)
async def redeem(ask: api.Redeem, ctx: Context) -> api.Redeemed:
    if not ask.discounts:
        return api.Redeemed(reference=ask.reference, uses=0)
    uses = checks.merged_uses(ask.discounts)
    digest = _digest(ask, uses)
    is_free, held = await storage.begin_redemption(
        ctx.session, ctx.front_end, ask, digest, uses, ctx.now, ctx.caller.client
    )
    if not is_free:
        await _refuse_other(ask, digest, ctx)
        return api.Redeemed(reference=ask.reference, uses=len(uses))
    for ((code, coupon), (place, amount)), one in zip(uses.items(), held, strict=True):
        if not code.startswith(api.EXTRA):
            checks.refuse_use(code, coupon, place, amount, one, ask.buyer, ctx.now)
    await _count(ask, uses, held, ctx)
    _say_what_budgets_bear(ask.reference, uses, held, ctx)
    _say_who_bears(ask.reference, uses, held, ctx)
    ctx.emit(api.DiscountsRedeemed(reference=ask.reference, member_id=ask.buyer.member_id, discounts=ask.discounts))
    return api.Redeemed(reference=ask.reference, uses=len(uses))


@implements(api.return_uses)
async def return_uses(ask: api.ReturnUses, ctx: Context) -> api.UsesReturned:
    buyer, uses = await storage.end_redemption(ctx.session, ctx.front_end, ask.reference, ctx.now, ctx.caller.client)
    if uses:
        await storage.uncount(ctx.session, ctx.front_end, buyer, uses)
        ctx.emit(api.UsesWereReturned(reference=ask.reference, discounts=tuple(use for _, use in uses)))
    return api.UsesReturned(reference=ask.reference, returned=len(uses))


def _checked_basket(ask: api.Evaluate) -> Basket:
    currency = ask.lines[0].amount.currency
    amounts = [(f"$.lines[{place}].amount", line.amount) for place, line in enumerate(ask.lines)]
    if ask.delivery_fee is not None:
        amounts.append(("$.delivery_fee", ask.delivery_fee))
    for path, amount in amounts:
        if amount.minor < 0:
            raise api.NegativeAmount(amount=amount, path=path)
        if amount.currency != currency:
            raise CurrencyMismatch(
                f"{amount} is not in {currency}, as the first line is",
                remedy="evaluate a basket of one currency",
                path=path,
            )
    return Basket(ask.lines, ask.delivery_fee, ask.buyer, ask.order_kind, ask.channel)


def _floor(floor: Money | Pass, currency: str) -> int:
    if isinstance(floor, Pass):
        return 0
    if floor.currency != currency:
        raise AnswerFailed(
            f"promotion.floor-amount was answered with {floor} for a basket in {currency}",
            remedy="answer in the currency of the line",
        )
    return floor.minor


def _extra_offers(basket: Basket, ctx: Context) -> list[Offer]:
    said = ctx.answer(api.extra_benefits)(basket.lines, basket.buyer, ctx.now)
    extras = () if isinstance(said, Pass) else said
    codes = [extra.code for extra in extras]
    if twice := [code for code in codes if codes.count(code) > 1]:
        raise AnswerFailed(f"two extra benefits have the code {twice[0]!r}", remedy="give each a code of its own")
    return [rules.offer_of_extra(extra, basket) for extra in extras]


def _ranked(
    offers: Sequence[Offer], basket: Basket, state: rules.State, ctx: Context
) -> tuple[list[Offer], list[api.Missed]]:
    """Order the offers that take something off as the front end ranks them; tell of those that do not come to it."""
    by_code = {offer.code: offer for offer in offers}
    worth = {code: rules.worth(by_code[code], basket, state) for code in sorted(by_code)}
    candidates = tuple(rules.candidate(by_code[code], amount) for code, amount in worth.items() if amount.minor)
    said = ctx.answer(api.rank_candidates)(candidates, basket.buyer)
    known = {one.code for one in candidates}
    taken = [code for code in dict.fromkeys(() if isinstance(said, Pass) else said) if code in known]
    left_out = [rules.missed_offer(by_code[code], "the shop takes others first") for code in known - set(taken)]
    worthless = [
        rules.missed_worthless(offer, offer.promotion, basket, state)
        for code, offer in by_code.items()
        if offer.promotion is not None and code not in known
    ]
    return [by_code[code] for code in taken], [*left_out, *worthless]


def _digest(ask: api.Redeem, uses: storage.Uses) -> str:
    said = [[promotion, coupon, str(amount)] for (promotion, coupon), (_, amount) in uses.items()]
    return hashlib.sha256(encode([str(ask.buyer.member_id), said])).hexdigest()


async def _refuse_other(ask: api.Redeem, digest: str, ctx: Context) -> None:
    known, is_returned = await storage.find_redemption(ctx.session, ctx.front_end, ask.reference)
    if is_returned:
        raise api.ReferenceReused(reference=ask.reference, reason="has returned what it used")
    if known != digest:
        raise api.ReferenceReused(reference=ask.reference, reason="uses other discounts already")


async def _count(ask: api.Redeem, uses: storage.Uses, held: Sequence[checks.Held], ctx: Context) -> None:
    """Count what is limited, in the one order of locks; refused where nothing is left."""
    promotions = {one.promotion.code: one.promotion for one in held if one.promotion is not None}
    owners = [one.owner for one in held]
    places = {promotion: place for (promotion, _), (place, _) in uses.items()}
    if any(one.uses_max is not None or one.budget is not None for one in promotions.values()):
        for code, has_uses_left in (await storage.count_promotions(ctx.session, owners, uses)).items():
            _refuse_promotion(code, has_uses_left, places[code], uses)
    coupons = {one.coupon.code: one.coupon for one in held if one.coupon is not None}
    issuers = {one.coupon.code: one.owner for one in held if one.coupon is not None}
    if any(one.draft.uses_max is not None for one in coupons.values()):
        for code in await storage.count_coupons(ctx.session, issuers):
            place = places[coupons[code].promotion]
            raise api.LimitReached(what=f"coupon {code!r}", limit="is used up", path=f"$.discounts[{place}].coupon")
    if ask.buyer.member_id is None:
        return
    limits: dict[tuple[str, str], tuple[int, int | None]] = {}
    for key, count in storage.members_keys([key for key in uses if key[0] in promotions]).items():
        limits[key] = (
            count,
            coupons[key[1]].draft.uses_per_member_max if key[1] else promotions[key[0]].uses_per_member_max,
        )
    if limits:
        theirs = {one.promotion.code: one.owner for one in held if one.promotion is not None}
        for code, coupon in await storage.count_uses_of(ctx.session, ask.buyer, theirs, ctx.front_end, limits):
            what, field = (f"coupon {coupon!r}", "coupon") if coupon else (f"promotion {code!r}", "promotion")
            path = f"$.discounts[{places[code]}].{field}"
            raise api.LimitReached(what=what, limit="was used by this member as often as it may be", path=path)


def _say_what_budgets_bear(reference: str, uses: storage.Uses, held: Sequence[checks.Held], ctx: Context) -> None:
    """Tell once of each promotion with a budget, whatever coupons it was used with."""
    sums: dict[tuple[str, str], Money] = {}
    for (code, _), (_, amount), one in zip(uses.keys(), uses.values(), held, strict=True):
        if one.promotion is not None and one.promotion.budget is not None:
            before = sums.get((code, one.owner))
            sums[code, one.owner] = amount if before is None else before + amount
    for (code, owner), amount in sums.items():
        ctx.emit(api.BudgetUsed(reference=reference, promotion=code, owner=owner, amount=amount))


def _say_who_bears(reference: str, uses: storage.Uses, held: Sequence[checks.Held], ctx: Context) -> None:
    for (code, _), (_, amount), one in zip(uses.keys(), uses.values(), held, strict=True):
        if one.promotion is None or not (one.promotion.borne_by or one.owner != ctx.front_end):
            continue
        shares = checks.borne(one.promotion, one.owner, ctx.front_end, amount)
        ctx.emit(api.DiscountBorne(reference=reference, promotion=code, owner=one.owner, amount=amount, shares=shares))


def _refuse_promotion(code: str, has_uses_left: bool, place: int, uses: storage.Uses) -> None:
    if not has_uses_left:
        raise api.LimitReached(what=f"promotion {code!r}", limit="is used up", path=f"$.discounts[{place}].promotion")
    amount = next(amount for (promotion, _), (_, amount) in uses.items() if promotion == code)
    raise api.BudgetExhausted(code=code, amount=amount, path=f"$.discounts[{place}].amount")
