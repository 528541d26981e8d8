"""Which promotions apply, how they meet, and what is missed: pure, and free of any order in which rules were put."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from isthmus.kernel import Verdict
from isthmus.kernel.host import AnswerFailed
from isthmus.values import Buyer, Money, money

from .. import api
from . import benefits
from .benefits import Cut
from .benefits import State as State


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a promotion's or coupon's limits is used up."""

    uses: int = 0
    spent: int = 0
    member_uses: int = 0


@dataclass(frozen=True, slots=True)
class HeldCoupon:
    """A coupon that the buyer names."""

    code: str
    promotion: str
    usage: Usage
    draft: api.CouponDraft
    is_revoked: bool


@dataclass(frozen=True, slots=True)
class Basket:
    """What is to be discounted, for whom."""

    lines: Sequence[api.PromotionLine]
    delivery_fee: Money | None
    buyer: Buyer
    order_kind: str
    channel: str
    selected: dict[str, list[int]] = field(
        default_factory=dict[str, list[int]]
    )  # by code of promotion, for one evaluation

    @property
    def currency(self) -> str:
        return self.lines[0].amount.currency


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that may come off: a stored promotion, or what a front end's own code gives."""

    code: str
    title: str
    priority: int
    stacking: Literal["together", "alone"]
    group: str | None
    group_per: Literal["order", "line"]
    promotion: api.Promotion | None = None
    extra: tuple[Cut, ...] = ()
    coupon: str | None = None
    budget_left: int | None = None


@dataclass(slots=True)
class _Taking:
    """The basket while discounts are taken."""

    left: list[int]
    room: list[int]
    delivery_left: int
    groups: dict[str, set[int] | None] = field(default_factory=dict[str, "set[int] | None"])  # None: the whole order
    is_closed: bool = False


def usable_coupons(
    asked: Sequence[str], found: Mapping[str, HeldCoupon], running: frozenset[str], buyer: Buyer, now: datetime
) -> tuple[dict[str, str], list[api.Missed]]:
    """Return the coupon to use for each promotion, the first by its code, and why others are not used."""
    usable: dict[str, str] = {}
    missed: list[api.Missed] = []
    for code in sorted(set(asked)):
        coupon = found.get(code)
        promotion = coupon.promotion if coupon else ""
        reason = "there is no such coupon" if coupon is None else coupon_fault(coupon, buyer, now)
        if not reason and promotion not in running:
            reason = "its promotion is not running now"
        if not reason and promotion in usable:
            reason = f"coupon {usable[promotion]} of the same promotion is used"
        if reason:
            missed.append(api.Missed(promotion=promotion, coupon=code, title="", reasons=(reason,)))
        else:
            usable[promotion] = code
    return usable, missed


def coupon_fault(coupon: HeldCoupon, buyer: Buyer, now: datetime) -> str:
    """Say why a coupon cannot be used; nothing where it can."""
    draft, usage = coupon.draft, coupon.usage
    if coupon.is_revoked:
        return "it was revoked"
    if draft.valid_from is not None and now < draft.valid_from:
        return f"it begins {draft.valid_from:%Y-%m-%d %H:%M} UTC"
    if draft.valid_to is not None and now >= draft.valid_to:
        return f"it ended {draft.valid_to:%Y-%m-%d %H:%M} UTC"
    if draft.member_id is not None and draft.member_id != buyer.member_id:
        return "it is somebody else's"
    if draft.uses_max is not None and usage.uses >= draft.uses_max:
        return "it is used up"
    return _member_fault(draft.uses_per_member_max, usage, buyer)


def offer_of(promotion: api.Promotion, coupon: str | None, usage: Usage) -> Offer:
    """Make an offer of a stored promotion."""
    return Offer(
        code=promotion.code,
        title=promotion.title,
        priority=promotion.priority,
        stacking=promotion.stacking,
        group=promotion.exclusive_group,
        group_per=promotion.exclusive_per,
        promotion=promotion,
        coupon=coupon,
        budget_left=None if promotion.budget is None else promotion.budget.minor - usage.spent,
    )


def offer_of_extra(extra: api.ExtraBenefit, basket: Basket) -> Offer:
    """Make an offer of what a front end's own code gives.

    Raises AnswerFailed where a share is below zero, in another currency, or off a line that is not there.
    """
    off: dict[int, int] = {}
    for share in extra.shares:
        is_sound = share.amount.minor >= 0 and share.amount.currency == basket.currency
        if not is_sound or not 0 <= share.line < len(basket.lines):
            raise AnswerFailed(
                f"extra benefit {extra.code!r} takes {share.amount} off line {share.line} of {len(basket.lines)}",
                remedy=f"answer with amounts in {basket.currency} that are not below zero, off lines of the ask",
            )
        off[share.line] = off.get(share.line, 0) + share.amount.minor
    return Offer(
        code=api.EXTRA + extra.code,
        title=extra.title,
        priority=extra.priority,
        stacking=extra.stacking,
        group=extra.exclusive_group,
        group_per=extra.exclusive_per,
        extra=tuple(Cut(line, minor, extra.reason) for line, minor in sorted(off.items())),
    )


def untouched(basket: Basket, floors: Sequence[int]) -> State:
    """Return the basket as it was priced."""
    amounts = [line.amount.minor for line in basket.lines]
    room = [max(0, amount - floor) for amount, floor in zip(amounts, floors, strict=True)]
    fee = basket.delivery_fee.minor if basket.delivery_fee is not None else 0
    return State(basket.lines, amounts, room, fee, benefits.Ranks(basket.lines, floors))


def lacking(
    promotion: api.Promotion, usage: Usage, verdict: Verdict, coupon: str | None, basket: Basket, state: State
) -> api.Missed | None:
    """Say why a promotion does not apply to a basket; None where it does."""
    lacks = list(_lacks(promotion, usage, verdict, basket, state))
    if not lacks:
        return None
    return api.Missed(
        promotion=promotion.code,
        coupon=coupon,
        title=promotion.title,
        reasons=tuple(lack.reason for lack in lacks),
        lacks_amount=next((lack.amount for lack in lacks if lack.amount is not None), None),
        lacks_quantity=next((lack.quantity for lack in lacks if lack.quantity is not None), None),
    )


def is_about(promotion: api.Promotion, basket: Basket) -> bool:
    """Say whether a promotion has to do with a basket at all; without a coupon, only then does it stand in `missed`."""
    if isinstance(promotion.benefit, api.DeliveryOff) and basket.delivery_fee is None:
        return False
    if isinstance(promotion.benefit, api.Bundle):
        return any(benefits.matching(basket.lines, part.goods) for part in promotion.benefit.parts)
    return bool(selected_lines(promotion, basket))


def selected_lines(promotion: api.Promotion, basket: Basket) -> list[int]:
    """Return which lines are a promotion's goods."""
    found = basket.selected.get(promotion.code)
    if found is None:
        found = basket.selected[promotion.code] = benefits.matching(basket.lines, promotion.goods)
    return found


def worth(offer: Offer, basket: Basket, state: State) -> Money:
    """Return what an offer takes off a basket when it is alone."""
    cuts, delivery = _cuts(offer, basket, state, frozenset())
    return money(sum(cut.minor for cut in cuts) + delivery, basket.currency)


def candidate(offer: Offer, amount: Money) -> api.Candidate:
    """Tell of an offer what ranking may know."""
    return api.Candidate(
        code=offer.code,
        title=offer.title,
        amount=amount,
        priority=offer.priority,
        stacking=offer.stacking,
        exclusive_group=offer.group,
    )


def missed_offer(offer: Offer, reason: str) -> api.Missed:
    """Tell why an offer that applies was not taken."""
    return api.Missed(promotion=offer.code, coupon=offer.coupon, title=offer.title, reasons=(reason,))


def missed_worthless(offer: Offer, promotion: api.Promotion, basket: Basket, state: State) -> api.Missed:
    """Tell why an offer that applies takes nothing off this basket."""
    return missed_offer(offer, benefits.why_worthless(promotion.benefit, selected_lines(promotion, basket), state))


def in_order(missed: Sequence[api.Missed]) -> list[api.Missed]:
    """Put what was missed in an order that does not depend on where it comes from."""
    return sorted(missed, key=lambda one: (one.promotion, one.coupon or "", one.reasons))


def take(offers: Sequence[Offer], basket: Basket, state: State) -> tuple[list[api.Discount], list[api.Missed]]:
    """Take offers in this order, each off what those before it have left."""
    taking = _Taking(list(state.left), list(state.room), state.delivery_left)
    discounts: list[api.Discount] = []
    missed: list[api.Missed] = []
    for offer in offers:
        reason = _conflict(offer, taking, bool(discounts))
        if not reason:
            now = replace(state, left=taking.left, room=taking.room, delivery_left=taking.delivery_left)
            cuts, delivery = _cuts(offer, basket, now, _closed_lines(offer, taking))
            amount = sum(cut.minor for cut in cuts) + delivery
            reason = _unpaid(offer, amount)
            if not reason:
                discounts.append(_discount(offer, cuts, delivery, basket.currency))
                _settle(offer, cuts, delivery, taking)
        if reason:
            missed.append(missed_offer(offer, reason))
    return discounts, missed


@dataclass(frozen=True, slots=True)
class _Lack:
    reason: str
    amount: Money | None = None
    quantity: int | None = None


def _member_fault(uses_max: int | None, usage: Usage, buyer: Buyer) -> str:
    if uses_max is None:
        return ""
    if buyer.member_id is None:
        return "it is for members"
    return f"a member has it {uses_max} time(s)" if usage.member_uses >= uses_max else ""


def _lacks(promotion: api.Promotion, usage: Usage, verdict: Verdict, basket: Basket, state: State) -> Iterator[_Lack]:
    if not is_about(promotion, basket):
        is_of_delivery = isinstance(promotion.benefit, api.DeliveryOff) and basket.delivery_fee is None
        yield _Lack("nothing is delivered" if is_of_delivery else "none of its goods are in the basket")
        return
    if promotion.uses_max is not None and usage.uses >= promotion.uses_max:
        yield _Lack("it is used up")
    if promotion.budget is not None and usage.spent >= promotion.budget.minor:
        yield _Lack("its budget is used up")
    if fault := _member_fault(promotion.uses_per_member_max, usage, basket.buyer):
        yield _Lack(fault)
    if any(amount.currency != basket.currency for amount in benefits.amounts_in(promotion)):
        yield _Lack(f"it is not for {basket.currency}")
        return
    yield from _buyers_lacks(promotion.conditions, basket)
    for no in verdict.vetoes:
        yield _Lack(f"{no.by} says: {no.reason}")
    yield from _goods_lacks(promotion, basket, state)


def _buyers_lacks(conditions: api.Conditions, basket: Basket) -> Iterator[_Lack]:
    buyer = basket.buyer
    if conditions.members_only and buyer.member_id is None:
        yield _Lack("it is for members")
    if conditions.tiers and buyer.tier not in conditions.tiers:
        yield _Lack(f"it is for tier {' or '.join(conditions.tiers)}")
    if conditions.segments and not set(conditions.segments) & set(buyer.segments):
        yield _Lack("it is for certain members")
    if conditions.order_kinds and basket.order_kind not in conditions.order_kinds:
        yield _Lack(f"it is for orders of kind {' or '.join(conditions.order_kinds)}")
    if conditions.channels and basket.channel not in conditions.channels:
        yield _Lack(f"it is for channel {' or '.join(conditions.channels)}")


def _goods_lacks(promotion: api.Promotion, basket: Basket, state: State) -> Iterator[_Lack]:
    selected = selected_lines(promotion, basket)
    value = sum(basket.lines[line].amount.minor for line in selected)
    count = sum(basket.lines[line].quantity for line in selected)
    conditions = promotion.conditions
    if conditions.min_amount is not None and value < conditions.min_amount.minor:
        yield _short_of(conditions.min_amount, value)
    if count < conditions.min_quantity:
        more = conditions.min_quantity - count
        yield _Lack(f"{more} more of its goods are needed", quantity=more)
    match promotion.benefit:
        case api.Threshold() as benefit if benefits.reached_step(benefit, value) is None:
            yield _short_of(min((step.at_least for step in benefit.steps), key=lambda one: one.minor), value)
        case api.BuyGet() as benefit if not benefits.sets_of(benefit, selected, state):
            more = (benefit.buy + benefit.get if benefit.gets is None else benefit.buy) - count
            yield _Lack(f"{more} more of its goods are needed", quantity=more)
        case api.Bundle() as benefit if not benefits.bundles_there(benefit, state):
            yield _Lack("not all parts of the bundle are there")
        case _:
            pass


def _short_of(needed: Money, value: int) -> _Lack:
    more = money(needed.minor - value, needed.currency)
    return _Lack(f"goods for {more} more are needed", amount=more)


def _cuts(offer: Offer, basket: Basket, state: State, closed: frozenset[int]) -> tuple[list[Cut], int]:
    """Return what an offer takes off lines, none of them closed to it, and off delivery."""
    open_state = replace(state, room=[0 if at in closed else room for at, room in enumerate(state.room)])
    if offer.promotion is None:
        return [
            replace(cut, minor=least) for cut in offer.extra if (least := min(cut.minor, open_state.room[cut.line]))
        ], 0
    benefit = offer.promotion.benefit
    if isinstance(benefit, api.DeliveryOff):
        return [], benefits.delivery_cut(benefit, state)
    selected = [line for line in selected_lines(offer.promotion, basket) if line not in closed]
    return benefits.cuts(benefit, selected, open_state), 0


def _conflict(offer: Offer, taking: _Taking, has_discounts: bool) -> str:
    if taking.is_closed:
        return "another promotion that stands alone is taken"
    if offer.stacking == "alone" and has_discounts:
        return "it stands alone, and another promotion is taken"
    if offer.group in taking.groups:
        taken = taking.groups[offer.group]
        if taken is None or offer.group_per == "order":
            return f"another promotion of group {offer.group!r} is taken"
    return ""


def _closed_lines(offer: Offer, taking: _Taking) -> frozenset[int]:
    return frozenset(taking.groups.get(offer.group or "") or ())


def _unpaid(offer: Offer, amount: int) -> str:
    if not amount:
        return "others have left nothing for it to come off"
    if offer.budget_left is not None and amount > offer.budget_left:
        return "its budget is used up"
    return ""


def _discount(offer: Offer, cuts: Sequence[Cut], delivery: int, currency: str) -> api.Discount:
    reasons = tuple(dict.fromkeys(cut.reason for cut in cuts)) or ("off delivery",)
    return api.Discount(
        promotion=offer.code,
        coupon=offer.coupon,
        title=offer.title,
        reason="; ".join(reasons),
        amount=money(sum(cut.minor for cut in cuts) + delivery, currency),
        target="delivery" if delivery else "lines",
        shares=tuple(api.Share(line=cut.line, amount=money(cut.minor, currency), reason=cut.reason) for cut in cuts),
    )


def _settle(offer: Offer, cuts: Sequence[Cut], delivery: int, taking: _Taking) -> None:
    for cut in cuts:
        taking.left[cut.line] -= cut.minor
        taking.room[cut.line] -= cut.minor
    taking.delivery_left -= delivery
    taking.is_closed = offer.stacking == "alone"
    if offer.group is not None:
        lines = taking.groups.get(offer.group, set())
        is_whole = offer.group_per == "order" or lines is None
        taking.groups[offer.group] = None if is_whole else (lines or set()) | {cut.line for cut in cuts}
