"""What promotion refuses, and what to do about it. Named by others through `api`."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import errors
from isthmus.values import Money


class NegativeAmount(errors.BadAsk):
    """An amount that something should come off is below zero."""

    slug = "promotion.negative-amount"

    def __init__(self, *, amount: Money, path: str) -> None:
        super().__init__(
            f"an amount of {amount} is below zero",
            remedy="send what the goods cost; what was taken off is returned with promotion.return-uses",
            path=path,
        )


class PromotionRefused(errors.RuleBroken):
    """A promotion or its coupons contradict themselves, their use so far, or a rule of the front end."""

    slug = "promotion.promotion-refused"

    def __init__(self, *, code: str, reason: str, path: str) -> None:
        super().__init__(
            f"promotion {code!r} is refused: {reason}", remedy="correct it and put it again", path=path, reason=reason
        )


class UnknownPromotion(errors.NotFound):
    """This front end has no such promotion."""

    slug = "promotion.unknown-promotion"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(
            f"there is no promotion {code!r}", remedy="take codes from promotion.list-promotions", path=path
        )


class UnknownCoupon(errors.NotFound):
    """This front end has no such coupon."""

    slug = "promotion.unknown-coupon"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(f"there is no coupon {code!r}", remedy="take codes from promotion.list-coupons", path=path)


class NotRunning(errors.RuleBroken):
    """The promotion is stopped, or it is not its time."""

    slug = "promotion.not-running"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(
            f"promotion {code!r} is not running now",
            remedy="evaluate the basket again with promotion.evaluate",
            path=path,
        )


class CouponInvalid(errors.RuleBroken):
    """A coupon cannot be used: not there, revoked, not of the promotion, somebody else's, or not its time."""

    slug = "promotion.coupon-invalid"

    def __init__(self, *, coupon: str, reason: str, path: str) -> None:
        super().__init__(
            f"coupon {coupon!r} cannot be used: {reason}",
            remedy="leave it out, or evaluate the basket again with promotion.evaluate",
            path=path,
            reason=reason,
        )


class LimitReached(errors.Conflict):
    """A promotion or coupon has been used as often as it may be, by all or by this member."""

    slug = "promotion.limit-reached"

    def __init__(self, *, what: str, limit: str, path: str) -> None:
        super().__init__(
            f"{what} {limit}",
            remedy="leave it out, or evaluate the basket again with promotion.evaluate",
            path=path,
        )


class BudgetExhausted(errors.Conflict):
    """What the promotion may still cost is less than this discount."""

    slug = "promotion.budget-exhausted"

    def __init__(self, *, code: str, amount: Money, path: str) -> None:
        super().__init__(
            f"the budget of promotion {code!r} has no {amount} left",
            remedy="evaluate the basket again with promotion.evaluate, or raise the budget",
            path=path,
        )


class ReferenceReused(errors.Conflict):
    """The reference has used other discounts, or has returned its uses."""

    slug = "promotion.reference-reused"

    def __init__(self, *, reference: str, reason: str) -> None:
        super().__init__(
            f"reference {reference!r} {reason}", remedy="use a reference of its own for each order", path="$.reference"
        )


class CouponTaken(errors.Conflict):
    """Codes of coupons are taken by others; none was issued."""

    slug = "promotion.coupon-taken"

    def __init__(self, *, lines: Sequence[dict[str, str]]) -> None:
        super().__init__(
            f"{len(lines)} coupon code(s) are taken, the first is {lines[0]['coupon']!r}: {lines[0]['reason']}",
            remedy="choose other codes and issue all again",
            path=lines[0]["path"],
            lines=list(lines),
        )
