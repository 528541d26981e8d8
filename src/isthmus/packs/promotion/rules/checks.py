"""What makes a promotion, and the use of one, wrong: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from isthmus.values import Buyer, CurrencyMismatch, Money, composed, composed_pairs

from .. import api
from . import benefits
from . import promotions as rules
from .promotions import HeldCoupon, Usage


@dataclass(frozen=True, slots=True)
class Held:
    """A promotion and coupon as they stand while the transaction holds them; nothing where they are not there."""

    promotion: api.Promotion | None
    is_running: bool
    coupon: HeldCoupon | None
    owner: str = ""


def promotion_faults(promotion: api.Promotion) -> Iterator[tuple[str, str]]:
    """Yield path and reason of what contradicts itself in a promotion."""
    if promotion.valid_to is not None and promotion.valid_to <= promotion.valid_from:
        yield "$.promotion.valid_to", "it ends before it begins"
    amounts = list(benefits.amounts_in(promotion))
    if len({amount.currency for amount in amounts}) > 1:
        yield "$.promotion", "its amounts are in several currencies"
    if sum(one.basis_points for one in promotion.borne_by) > 10_000:
        yield "$.promotion.borne_by", "its bearers bear more than all of it"
    if any(amount.minor < 0 for amount in amounts):
        yield "$.promotion", "an amount is below zero"
    match promotion.benefit:
        case api.Threshold() as benefit if any(
            (one.off is None) == (one.basis_points is None) for one in benefit.steps
        ):
            yield "$.promotion.benefit.steps", "each step needs either off or basis_points"
        case api.Bundle() as benefit if (benefit.price is None) == (benefit.basis_points is None):
            yield "$.promotion.benefit", "a bundle needs either price or basis_points"
        case _:
            pass


def borne(promotion: api.Promotion, owner: str, front_end: str, amount: Money) -> tuple[api.Borne, ...]:
    """Return who bears how much of a discount, to the cent: as the promotion says, and the rest whoever sold."""
    weights = [one.basis_points for one in promotion.borne_by]
    bearers = [owner if one.bearer == api.OWNER else one.bearer for one in promotion.borne_by]
    amounts = amount.allocate([*weights, 10_000 - sum(weights)])
    found = zip([*bearers, front_end], amounts, strict=True)
    return tuple(api.Borne(bearer=bearer, amount=part) for bearer, part in found if part.minor)


def composed_promotion(promotion: api.Promotion) -> api.Promotion:
    """Return a promotion with names as the catalogue and members keep them; SKUs and codes stay."""
    benefit = promotion.benefit
    if isinstance(benefit, api.BuyGet) and benefit.gets is not None:
        benefit = benefit.replace(gets=_composed_goods(benefit.gets))
    if isinstance(benefit, api.Bundle):
        parts = tuple(one.replace(goods=_composed_goods(one.goods)) for one in benefit.parts)
        benefit = benefit.replace(parts=parts)
    conditions = promotion.conditions.replace(tiers=tuple(map(composed, promotion.conditions.tiers)))
    return promotion.replace(goods=_composed_goods(promotion.goods), benefit=benefit, conditions=conditions)


def _composed_goods(goods: api.Selector) -> api.Selector:
    fields = ("categories", "brands", "sellers", "except_categories", "except_brands")
    lists = {name: tuple(map(composed, getattr(goods, name))) for name in fields}
    return goods.replace(attributes=composed_pairs(goods.attributes), **lists)


def limit_faults(promotion: api.Promotion, usage: Usage) -> Iterator[tuple[str, str]]:
    """Yield which limits are below what was used already."""
    if promotion.uses_max is not None and promotion.uses_max < usage.uses:
        yield "$.promotion.uses_max", f"{promotion.uses_max} uses are below the {usage.uses} that there are"
    if promotion.budget is not None and promotion.budget.minor < usage.spent:
        yield "$.promotion.budget", f"a budget of {promotion.budget} is below what was spent"


def merged_uses(discounts: Sequence[api.DiscountUse]) -> dict[tuple[str, str], tuple[int, Money]]:
    """Return place and amount of each use, by promotion and coupon, in the order in which rows are locked.

    Raises NegativeAmount, and CurrencyMismatch where the amounts are not in one currency.
    """
    uses: dict[tuple[str, str], tuple[int, Money]] = {}
    for place, use in enumerate(discounts):
        path = f"$.discounts[{place}].amount"
        if use.amount.minor < 0:
            raise api.NegativeAmount(amount=use.amount, path=path)
        if use.amount.currency != discounts[0].amount.currency:
            raise CurrencyMismatch(
                f"{use.amount} is not in {discounts[0].amount.currency}, as the first discount is",
                remedy="redeem discounts of one currency",
                path=path,
            )
        key = (use.promotion, use.coupon or "")
        first, sum_before = uses.get(key, (place, None))
        uses[key] = (first, use.amount if sum_before is None else sum_before + use.amount)
    return dict(sorted(uses.items()))


def refuse_use(code: str, coupon: str, place: int, amount: Money, held: Held, buyer: Buyer, now: datetime) -> None:
    """Raise where a promotion or coupon cannot be used now; its counted limits are left to the database."""
    path = f"$.discounts[{place}]"
    promotion = held.promotion
    if promotion is None:
        raise api.UnknownPromotion(code=code, path=f"{path}.promotion")
    is_its_time = promotion.valid_from <= now and (promotion.valid_to is None or now < promotion.valid_to)
    if not (held.is_running and is_its_time):
        raise api.NotRunning(code=code, path=f"{path}.promotion")
    if promotion.budget is not None and promotion.budget.currency != amount.currency:
        raise CurrencyMismatch(
            f"promotion {code!r} has a budget in {promotion.budget.currency}, not in {amount.currency}",
            remedy="leave the discount out",
            path=f"{path}.amount",
        )
    if promotion.uses_per_member_max is not None and buyer.member_id is None:
        raise api.LimitReached(what=f"promotion {code!r}", limit="is for members", path=f"{path}.promotion")
    if reason := _coupon_fault(coupon, held, buyer, now):
        raise api.CouponInvalid(coupon=coupon, reason=reason, path=f"{path}.coupon")


def _coupon_fault(coupon: str, held: Held, buyer: Buyer, now: datetime) -> str:
    if not coupon:
        return "the promotion needs one" if held.promotion is not None and held.promotion.needs_coupon else ""
    if held.coupon is None:
        return "there is no such coupon"
    if held.promotion is not None and held.coupon.promotion != held.promotion.code:
        return "it is of another promotion"
    return rules.coupon_fault(held.coupon, buyer, now)
