"""How promotions and coupons are kept: put, stop, issue, revoke, look at. Named by others through `api`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.values import Code, GivenCode, Money, PageSize

from .definition import Moment, Promotion, PromotionCode, UsesMax

COUPONS_MAX = 1_000  # per ask: one statement stays well under a second


class PutPromotion(Value):
    """Put a promotion: new, or in place of the one with its code. Its uses so far go on counting."""

    promotion: Promotion


class StopPromotion(Value):
    """Stop a promotion until it is put again."""

    code: PromotionCode
    reason: Annotated[str, Meta(min_length=1, max_length=240)]


class GetPromotion(Value):
    """Ask for one promotion, with its history."""

    code: PromotionCode


class Revision(Value):
    """Who did what to a promotion, and when."""

    version: int
    what: Literal["put", "stopped"]
    at: datetime
    by: str
    reason: str
    promotion: Promotion


class PromotionState(Value):
    """A promotion as it stands. `uses` and `spent` count uses that were not returned."""

    promotion: Promotion
    version: int
    is_running: bool
    uses: int
    spent: Money | None
    history: tuple[Revision, ...] = ()


class ListPromotions(Value):
    """List promotions in the order of their codes."""

    running_only: bool = False
    limit: PageSize = 50
    cursor: PromotionCode | None = None


class PromotionPage(Value):
    """Some promotions, and where to go on; without their histories and counts."""

    items: tuple[Promotion, ...]
    next_cursor: str | None


class CouponDraft(Value):
    """A coupon to issue: for everyone, or for one member; used once where nothing is said."""

    code: Annotated[Code, Pii("identifier")]
    uses_max: UsesMax | None = 1
    uses_per_member_max: UsesMax | None = None
    member_id: UUID | None = None
    valid_from: Moment | None = None
    valid_to: Moment | None = None


class IssueCoupons(Value):
    """Issue coupons of a promotion that needs one."""

    promotion: PromotionCode
    coupons: Annotated[tuple[CouponDraft, ...], Meta(min_length=1, max_length=COUPONS_MAX)]


class CouponsIssued(Value):
    """How many coupons are new; those that were issued before with the same content are not."""

    issued: int


class RevokeCoupons(Value):
    """Revoke coupons, so that they are not used from now on."""

    codes: Annotated[tuple[GivenCode, ...], Meta(min_length=1, max_length=COUPONS_MAX)]


class CouponsRevoked(Value):
    """How many could be used until now."""

    revoked: int


class GetCoupon(Value):
    """Ask how a coupon stands."""

    code: GivenCode


class Coupon(Value):
    """A coupon as it stands. `uses` counts uses that were not returned."""

    coupon: CouponDraft
    promotion: str
    uses: int
    issued_at: datetime
    issued_by: str
    revoked_at: datetime | None


class ListCoupons(Value):
    """List the coupons of a promotion, or those for one member, in the order of their codes."""

    promotion: PromotionCode | None = None
    member_id: UUID | None = None
    limit: PageSize = 50
    cursor: Code | None = None


class CouponPage(Value):
    """Some coupons, and where to go on."""

    items: tuple[Coupon, ...]
    next_cursor: str | None
