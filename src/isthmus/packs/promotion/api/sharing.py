"""Promotions of others that a front end takes part in. Named by others through `api`.

A promotion is shared by a grant of `promotion.promotion` (`grants.give`). Whoever has it switches it on; from then on
it is evaluated and used there as the front end's own are. Uses, budget and coupons are counted once, over all who use
it. A limit per member counts each front end's memberships.
"""

from __future__ import annotations

from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import Code, Moment, Money

from .definition import Promotion, PromotionCode

OWNER = "owner"  # the word for whose promotion it is, among those who bear it
SHARED_MAX = 500


class SwitchOn(Value):
    """Take part in a promotion of another."""

    owner: Code
    code: PromotionCode


class SwitchOff(Value):
    """Take part in it no more; orders that used it keep what they got."""

    code: PromotionCode


class Switched(Value):
    """Whether the front end takes part in the promotion now."""

    code: str
    is_on: bool


class ListShared(Value):
    """Ask which promotions of others this front end may take part in."""

    limit: Annotated[int, Meta(ge=1, le=SHARED_MAX)] = 100


class SharedPromotion(Value):
    """A promotion of another, and whether the front end takes part in it."""

    owner: str
    promotion: Promotion
    is_running: bool
    switched_on_at: Moment | None


class SharedPromotions(Value):
    """In the order of owner and code."""

    items: tuple[SharedPromotion, ...]


class Borne(Value):
    """A part of a discount, and who bears it."""

    bearer: str
    amount: Money


@event("promotion.discount-borne", version="1.0", subject="reference")
class DiscountBorne(Value):
    """An order uses a discount that others bear in part, or that is another's; the shares add up to the amount."""

    reference: str
    promotion: str
    owner: str
    amount: Money
    shares: tuple[Borne, ...]


class CodeInUse(errors.Conflict):
    """The front end has a promotion of this code already."""

    slug = "promotion.code-in-use"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(
            f"you have another promotion {code!r}",
            remedy="give yours another code, or ask the owner to give theirs one",
            path=path,
            code=code,
        )


class NotShared(errors.NotFound):
    """No such promotion is shared with the front end."""

    slug = "promotion.not-shared"

    def __init__(self, *, code: str) -> None:
        super().__init__(
            f"no promotion {code!r} is shared with you",
            remedy="ask its owner for a grant of promotion.promotion, or look at promotion.list-shared",
            path="$.code",
            code=code,
        )


@capability("promotion.switch-on", version="1.0", effect=Effect.WRITE, raises=[NotShared, CodeInUse])
def switch_on(ask: SwitchOn) -> Switched:
    """Take part in a promotion of another from now on. Safe to repeat."""
    ...


@capability("promotion.switch-off", version="1.0", effect=Effect.WRITE)
def switch_off(ask: SwitchOff) -> Switched:
    """Take part no more in a promotion of another. Safe to repeat."""
    ...


@capability("promotion.list-shared", version="1.0", effect=Effect.READ)
def list_shared(ask: ListShared) -> SharedPromotions:
    """List promotions that others share with this front end."""
    ...
