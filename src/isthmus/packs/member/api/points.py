"""Points and tiers of members, as others may name them.

Points are a ledger that is only added to: the balance is the sum of its movements and never below zero. A tier
follows what was earned, not what is left: who spends points keeps it.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.values import CHANNEL, ORDER_KIND, Code, Moment, Money, PageSize

POINTS_MAX = 10**9

Points = Annotated[int, Meta(ge=1, le=POINTS_MAX)]
Reference = Annotated[str, Meta(min_length=1, max_length=128)]


class EarnPoints(Value):
    """Credit what an order is worth; `points` none: as many as the front end gives for the amount."""

    member_id: UUID
    reference: Reference
    reason: Code = "order"
    points: Points | None = None
    amount: Money | None = None
    order_kind: str = "standard"
    channel: str = "online"


class SpendPoints(Value):
    """Take points off."""

    member_id: UUID
    reference: Reference
    points: Points
    reason: Code = "spent"


class Share(Value):
    """A part of an amount, such as what was refunded of what was paid."""

    amount: Money
    out_of: Money


class ReversePoints(Value):
    """Take back what was credited for a reference, as far as the balance goes: all that is left of it, or a share."""

    member_id: UUID
    reference: Reference
    reason: Code = "order"
    share: Share | None = None
    part: Reference | None = None  # names the share, such as the return that it is for; each is taken back once


class PointsMoved(Value):
    """What was moved, and the balance and tier after it."""

    member_id: UUID
    moved: int
    balance: int
    tier: str


class ListPoints(Value):
    """List movements of points, the latest first."""

    member_id: UUID
    limit: PageSize = 50
    cursor: str | None = None


class PointsMovement(Value):
    """One movement."""

    points: int
    reason: str
    reference: str
    at: Moment
    by: str


class PointsPage(Value):
    """Some movements, and how to go on."""

    items: tuple[PointsMovement, ...]
    next_cursor: str | None


@event("member.tier-changed", version="1.0", subject="member_id")
class TierChanged(Value):
    """A member has another tier."""

    member_id: UUID
    before: str
    after: str


@event("member.points-moved", version="1.0", subject="member_id")
class PointsWereMoved(Value):
    """A member's points are other than before."""

    member_id: UUID
    points: int
    reason: str
    reference: str
    balance: int


class NotAMember(errors.NotFound):
    """There is no such active member of this front end."""

    slug = "member.not-a-member"

    def __init__(self, *, what: str, path: str = "$.member_id") -> None:
        super().__init__(
            f"{what} is no active member here", remedy="register with member.register, or buy as a guest", path=path
        )


class PointsShort(errors.RuleBroken):
    """The member has fewer points than are to be spent."""

    slug = "member.points-short"

    def __init__(self, *, balance: int, points: int) -> None:
        super().__init__(
            f"{points} points are to be spent, and the balance is {balance}",
            remedy="spend no more than the balance",
            path="$.points",
            balance=balance,
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "member.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


@capability("member.earn-points", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def earn_points(ask: EarnPoints) -> PointsMoved:
    """Credit points, once for each reference and reason; the tier follows what was earned.

    Who was erased has no use for points: nothing is moved.
    """
    ...


@capability("member.spend-points", version="1.0", effect=Effect.WRITE, raises=[NotAMember, PointsShort])
def spend_points(ask: SpendPoints) -> PointsMoved:
    """Take points off, once for each reference and reason; never below zero."""
    ...


@capability("member.reverse-points", version="1.0", effect=Effect.WRITE, raises=[NotAMember])
def reverse_points(ask: ReversePoints) -> PointsMoved:
    """Take back what was credited for a reference, or a share of it, as far as the balance goes. Safe to repeat.

    What all shares so far stand for is rounded once, of halves up, and what went before is taken off it: so the parts
    come to the whole, however small they are. Who was erased keeps what stands: nothing is moved.
    """
    ...


@capability("member.list-points", version="1.0", effect=Effect.READ, raises=[NotAMember, BadCursor])
def list_points(ask: ListPoints) -> PointsPage:
    """List a member's movements of points, the latest first."""
    ...


@extension_point("member.tier-for", combine=combine.first_answer)
def tier_for(points: int) -> str | Pass:
    """Say which tier a member has who earned so many points in all. Default: there are no tiers."""
    return ""


@extension_point("member.points-earned", combine=combine.total, dimensions=[ORDER_KIND, CHANNEL])
def points_earned(amount: Money) -> int | Pass:
    """Say how many points an order of this amount earns; the answers add up. Default: none."""
    return 0
