"""What comes off a price, and why: promotions, coupons, their limits and budgets.

    promotion   put ──▶ running ──▶ stopped        (put again: running; counts only within its period)
    coupon      issued ──▶ usable ──▶ used up      (counts only within its period)
                   └──▶ revoked
    use         redeemed ──▶ returned              (once: the order that used it was cancelled)

How promotions meet: candidates are those whose conditions hold on the basket as it was priced. They are taken in the
order of `rank_candidates`: higher `priority` first, then what takes off more, then the code; never the order in which
they were put. One that stands `alone` is taken only as the first, and nothing after it. Of an `exclusive_group` one is
taken: per order, or per line. Each takes its benefit off what those before it have left, and never below
`floor_amount`. The shares of a discount add up to it exactly, and never to more than their line.
"""

# pyright: reportUnusedImport=false

from .definition import (
    NAMED_MAX,
    AmountOff,
    BasisPoints,
    Bearer,
    Benefit,
    Bundle,
    BundlePart,
    BuyGet,
    Conditions,
    Count,
    DeliveryOff,
    ExtraBenefit,
    ExtraShare,
    Moment,
    Name,
    Names,
    PercentOff,
    Promotion,
    PromotionCode,
    Selector,
    Step,
    Threshold,
    UsesMax,
)
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
from .forgetting import forget
from .joining import JoinMembers, MembersJoined, join_members
from .keeping import (
    COUPONS_MAX,
    Coupon,
    CouponDraft,
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
    Revision,
    RevokeCoupons,
    StopPromotion,
)
from .promotions import (
    COUPONS_USED_MAX,
    DISCOUNTS_MAX,
    EXTRA,
    BudgetUsed,
    Candidate,
    CouponClaimed,
    CouponCodes,
    CouponsWereIssued,
    Discount,
    DiscountsRedeemed,
    DiscountUse,
    Evaluate,
    Evaluation,
    Missed,
    PromotionChanged,
    PromotionLine,
    Redeem,
    Redeemed,
    ReturnUses,
    Share,
    UsesReturned,
    UsesWereReturned,
    evaluate,
    extra_benefits,
    floor_amount,
    get_coupon,
    get_promotion,
    hold_promotion,
    issue_coupons,
    judge_eligibility,
    list_coupons,
    list_promotions,
    put_promotion,
    rank_candidates,
    redeem,
    return_uses,
    revoke_coupons,
    stop_promotion,
    validate_promotion,
)
from .sharing import (
    OWNER,
    Borne,
    CodeInUse,
    DiscountBorne,
    ListShared,
    NotShared,
    SharedPromotion,
    SharedPromotions,
    Switched,
    SwitchOff,
    SwitchOn,
    list_shared,
    switch_off,
    switch_on,
)
