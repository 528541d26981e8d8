"""What comes off a basket, and how orders use it up, as others may name it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Pass,
    Value,
    Verdict,
    capability,
    combine,
    event,
    extension_point,
)
from isthmus.markings import Pii, Ref
from isthmus.values import (
    CHANNEL,
    LINES_MAX,
    ORDER_KIND,
    Buyer,
    Code,
    CurrencyMismatch,
    GivenCode,
    Money,
    Quantity,
    Sku,
    attributes_of,
)

from .definition import ExtraBenefit, Promotion
from .errors import (
    BudgetExhausted,
    CouponInvalid,
    CouponTaken,
    LimitReached,
    NegativeAmount,
    NotRunning,
    PromotionRefused,
    ReferenceReused,
    UnknownCoupon,
    UnknownPromotion,
)
from .keeping import (
    Coupon,
    CouponPage,
    CouponsIssued,
    CouponsRevoked,
    GetCoupon,
    GetPromotion,
    IssueCoupons,
    ListCoupons,
    ListPromotions,
    PromotionPage,
    PromotionState,
    PutPromotion,
    RevokeCoupons,
    StopPromotion,
)
from .sharing import CodeInUse

COUPONS_USED_MAX = 20  # per basket: more is a mistake
DISCOUNTS_MAX = 200  # per basket: more promotions at once nobody can explain
EXTRA = "extra:"  # how codes of what a front end's own rules give begin; no promotion has such a code

CouponCodes = Annotated[tuple[GivenCode, ...], Meta(max_length=COUPONS_USED_MAX)]


class PromotionLine(Value):
    """A line as it was priced, with what rules may select it by."""

    sku: Sku
    quantity: Quantity
    amount: Money
    category: str = ""
    brand: str = ""
    seller: str = ""
    attributes: dict[str, str] = {}
    categories: tuple[str, ...] = ()  # the way to its category from the top: it is in each of them
    # the front end's own, of the line and of its order; `attributes` are those of the goods
    line_attributes: Annotated[dict[str, Any], attributes_of("order.line")] = {}
    order_attributes: Annotated[dict[str, Any], attributes_of("order.order")] = {}


class Evaluate(Value):
    """Ask what comes off a basket."""

    lines: Annotated[tuple[PromotionLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    buyer: Buyer = Buyer()
    coupons: CouponCodes = ()
    delivery_fee: Money | None = None
    order_kind: str = "standard"
    channel: str = "online"


class Share(Value):
    """The part of a discount that falls on one line of the ask, and why."""

    line: int
    amount: Money
    reason: str = ""


class Discount(Value):
    """What one promotion takes off: `amount` is positive, and the sum of its shares where it aims at lines."""

    promotion: str
    coupon: Annotated[str | None, Pii("identifier")]
    title: str
    reason: str
    amount: Money
    target: Literal["lines", "delivery"]
    shares: tuple[Share, ...]


class Missed(Value):
    """What would have come off, and what is lacking; `promotion` is empty for a coupon that belongs to none."""

    promotion: str
    coupon: Annotated[str | None, Pii("identifier")]
    title: str
    reasons: tuple[str, ...]
    lacks_amount: Money | None = None
    lacks_quantity: int | None = None


class Evaluation(Value):
    """Discounts in the order in which they were taken, and what was missed."""

    discounts: tuple[Discount, ...]
    missed: tuple[Missed, ...]


class DiscountUse(Value):
    """A discount that an order uses."""

    promotion: Code
    amount: Money
    coupon: Annotated[Code | None, Pii("identifier")] = None


class Redeem(Value):
    """Use discounts for an order: `reference` is its group's id."""

    reference: Code
    discounts: Annotated[tuple[DiscountUse, ...], Meta(max_length=DISCOUNTS_MAX)]
    buyer: Buyer = Buyer()


class Redeemed(Value):
    """How many promotions the reference uses."""

    reference: str
    uses: int


class ReturnUses(Value):
    """Give back what an order used."""

    reference: Code


class UsesReturned(Value):
    """How many uses came back now; 0 where they had been returned before, or there were none."""

    reference: str
    returned: int


class Candidate(Value):
    """A promotion that applies to a basket, and what it would take off if it were alone."""

    code: str
    title: str
    amount: Money
    priority: int
    stacking: Literal["together", "alone"]
    exclusive_group: str | None


@event("promotion.promotion-changed", version="1.0", subject="code")
class PromotionChanged(Value):
    """A promotion was put or stopped."""

    code: str
    version: int
    is_running: bool
    by: str


@event("promotion.coupons-issued", version="1.1", subject="promotion")
class CouponsWereIssued(Value):
    """New coupons of a promotion exist: for everyone, or for one member."""

    promotion: str
    codes: Annotated[tuple[str, ...], Pii("identifier")]
    by: str
    member_id: Annotated[UUID | None, Ref("member.membership")] = None


@event("promotion.coupon-claimed", version="1.0", subject="member_id")
class CouponClaimed(Value):
    """A member is given a coupon of their own, and does not have it yet; said only where claims are judged.

    Not of several at once, which nobody claims.
    """

    member_id: Annotated[UUID, Ref("member.membership")]
    promotion: str


@event("promotion.discounts-redeemed", version="1.0", subject="reference")
class DiscountsRedeemed(Value):
    """An order uses these discounts."""

    reference: str
    member_id: UUID | None
    discounts: tuple[DiscountUse, ...]


@event("promotion.budget-used", version="1.0", subject="reference")
class BudgetUsed(Value):
    """An order uses so much of a promotion's budget; it comes back with `promotion.uses-returned`."""

    reference: str
    promotion: str
    owner: str  # whose promotion it is
    amount: Money


@event("promotion.uses-returned", version="1.0", subject="reference")
class UsesWereReturned(Value):
    """What an order used has come back."""

    reference: str
    discounts: tuple[DiscountUse, ...]


@capability("promotion.evaluate", version="1.0", effect=Effect.READ, raises=[NegativeAmount, CurrencyMismatch])
def evaluate(ask: Evaluate) -> Evaluation:
    """Say what comes off a basket, line by line and why, and what would have come off and is lacking.

    Nothing is used up: `redeem` does that, and is refused where a limit was reached meanwhile. A coupon that cannot be
    used, or comes to nothing, is no error, and is named in `missed`. The case of coupons and spaces around them say
    nothing; discounts name them as they were issued. The result does not depend on the order in which promotions were
    put, coupons are named or lines are written. At most two statements, however many lines.
    """
    ...


@capability(
    "promotion.redeem",
    version="1.0",
    effect=Effect.WRITE,
    raises=[
        UnknownPromotion,
        NotRunning,
        CouponInvalid,
        LimitReached,
        BudgetExhausted,
        ReferenceReused,
        NegativeAmount,
        CurrencyMismatch,
    ],
)
def redeem(ask: Redeem) -> Redeemed:
    """Use discounts for an order: all of them, or none.

    Limits per promotion, coupon and member, and budgets, hold whatever runs at once. The same reference with the
    same discounts again changes nothing; with others it is refused. Discounts of a front end's own code are on
    record and have no limits.
    """
    ...


@capability("promotion.return-uses", version="1.0", effect=Effect.WRITE)
def return_uses(ask: ReturnUses) -> UsesReturned:
    """Give back all that a reference used, so that limits and budgets have room again. Safe to repeat."""
    ...


@capability("promotion.put-promotion", version="1.0", effect=Effect.WRITE, raises=[PromotionRefused, CodeInUse])
def put_promotion(ask: PutPromotion) -> PromotionState:
    """Put a promotion, running from its `valid_from` on. Its former versions stay on record."""
    ...


@capability("promotion.stop-promotion", version="1.0", effect=Effect.WRITE, raises=[UnknownPromotion])
def stop_promotion(ask: StopPromotion) -> PromotionState:
    """Stop a promotion at once; orders that used it keep what they got. Stopping a stopped one changes nothing."""
    ...


@capability("promotion.get-promotion", version="1.0", effect=Effect.READ, raises=[UnknownPromotion])
def get_promotion(ask: GetPromotion) -> PromotionState:
    """Return a promotion with its uses, what it has cost, and who did what to it."""
    ...


@capability("promotion.hold-promotion", version="1.0", effect=Effect.WRITE, raises=[UnknownPromotion], is_internal=True)
def hold_promotion(ask: GetPromotion) -> PromotionState:
    """Return a promotion as `get-promotion` does; until the transaction ends nothing more of it is counted."""
    ...


@capability("promotion.list-promotions", version="1.0", effect=Effect.READ)
def list_promotions(ask: ListPromotions) -> PromotionPage:
    """List promotions in the order of their codes."""
    ...


@capability(
    "promotion.issue-coupons",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownPromotion, CouponTaken, PromotionRefused],
)
def issue_coupons(ask: IssueCoupons) -> CouponsIssued:
    """Issue up to 1,000 coupons, all or none. Issuing the same again changes nothing."""
    ...


@capability("promotion.revoke-coupons", version="1.0", effect=Effect.WRITE, raises=[UnknownCoupon])
def revoke_coupons(ask: RevokeCoupons) -> CouponsRevoked:
    """Revoke coupons at once; orders that used them keep what they got. Safe to repeat."""
    ...


@capability("promotion.get-coupon", version="1.0", effect=Effect.READ, raises=[UnknownCoupon])
def get_coupon(ask: GetCoupon) -> Coupon:
    """Return a coupon with its uses."""
    ...


@capability("promotion.list-coupons", version="1.0", effect=Effect.READ)
def list_coupons(ask: ListCoupons) -> CouponPage:
    """List coupons in the order of their codes."""
    ...


@extension_point("promotion.judge-eligibility", combine=combine.every, dimensions=[ORDER_KIND, CHANNEL], per_line=True)
def judge_eligibility(
    promotions: Sequence[Promotion], lines: Sequence[PromotionLine], buyer: Buyer
) -> Sequence[Verdict]:
    """Veto promotions for this basket and buyer; the reason is in `missed`. Default: none is vetoed."""
    return [ALLOW] * len(promotions)


@extension_point("promotion.rank-candidates", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def rank_candidates(candidates: Sequence[Candidate], buyer: Buyer) -> tuple[str, ...] | Pass:
    """Say in which order candidates are taken, by their codes; one that is left out is not taken.

    Default: higher priority, then what takes off more, then the code.
    """
    ranked = sorted(candidates, key=lambda one: (-one.priority, -one.amount.minor, one.code))
    return tuple(one.code for one in ranked)


@extension_point("promotion.extra-benefits", combine=combine.collect(), dimensions=[ORDER_KIND, CHANNEL])
def extra_benefits(lines: Sequence[PromotionLine], buyer: Buyer, now: datetime) -> tuple[ExtraBenefit, ...] | Pass:
    """Give discounts that no stored promotion can express; their codes are reported with "extra:" before them.

    Default: none.
    """
    return ()


@extension_point("promotion.floor-amount", combine=combine.highest, dimensions=[ORDER_KIND], per_line=True)
def floor_amount(lines: Sequence[PromotionLine], buyer: Buyer) -> Sequence[Money | Pass]:
    """Say what each line costs at least, whatever comes off: what a seller is owed, a price bound by law.

    Default: nothing.
    """
    return [Money(currency=line.amount.currency, minor=0) for line in lines]


@extension_point("promotion.validate-promotion", combine=combine.every)
def validate_promotion(promotion: Promotion) -> Verdict | Pass:
    """Refuse a promotion before it is put: more than the business allows to give. Default: all are allowed."""
    return ALLOW
