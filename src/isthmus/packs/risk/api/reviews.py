"""Reviews, as others may name them: what waits for a person, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.markings import Pii
from isthmus.personal import Forget, Forgotten
from isthmus.values import Moment, PageSize

from .deciding import KeptDecision, UnknownDecision
from .model import Kind, Reference, SettledAs

ReviewState = Literal["open", "released", "rejected", "closed"]


class Review(Value):
    """Something that waits for a person, or did. otherwise: what is done at the deadline."""

    decision_id: UUID
    kind: Kind
    reference: str
    member_id: UUID | None
    deadline: Moment
    otherwise: SettledAs
    state: ReviewState
    opened_at: Moment
    ended_at: Moment | None
    ended_by: str
    why: Annotated[str, Pii("free-text")]


class GetReview(Value):
    """Ask for a review with its decision, and what else was decided of the same."""

    decision_id: UUID


class ReviewPage(Value):
    """A review with all that is known of it. alike: what else was decided here of the same marks."""

    review: Review
    decision: KeptDecision
    alike: tuple[KeptDecision, ...]


class ListReviews(Value):
    """List reviews, those first whose deadline is next."""

    state: ReviewState = "open"
    limit: PageSize = 50


class Reviews(Value):
    """Reviews, and how many are open."""

    items: tuple[Review, ...]
    open: int


class Settle(Value):
    """Release what waits, or reject it."""

    decision_id: UUID
    outcome: SettledAs
    why: Annotated[str, Pii("free-text"), Meta(min_length=1, max_length=240)]


class SettleDue(Value):
    """Do with reviews whose time is over what their scenario said."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Settled(Value):
    """How many were settled."""

    reviews: int


class CloseReview(Value):
    """Say that nothing waits any more of a reference and what is under it, such as an order that was cancelled."""

    kind: Kind
    reference: Reference


class NotOpen(errors.Conflict):
    """Somebody has settled this already."""

    slug = "risk.not-open"

    def __init__(self, *, decision_id: UUID, state: str) -> None:
        super().__init__(
            f"review {decision_id} is {state} already", remedy="look at it again", path="$.decision_id", state=state
        )


@event("risk.review-settled", version="1.0", subject="decision_id")
class ReviewSettled(Value):
    """A person, or the deadline, has settled a review."""

    decision_id: UUID
    kind: Kind
    reference: str
    outcome: SettledAs
    by: str


@capability("risk.list-reviews", version="1.0", effect=Effect.READ)
def list_reviews(ask: ListReviews) -> Reviews:
    """List what waits for a person."""
    ...


@capability("risk.get-review", version="1.0", effect=Effect.READ, raises=[UnknownDecision])
def get_review(ask: GetReview) -> ReviewPage:
    """Return a review with what it was decided by."""
    ...


@capability("risk.settle-review", version="1.0", effect=Effect.WRITE, raises=[UnknownDecision, NotOpen])
def settle_review(ask: Settle) -> Review:
    """Release or reject what waits; what follows for it is done in the same transaction, or nothing is."""
    ...


@capability("risk.settle-due", version="1.0", effect=Effect.WRITE)
def settle_due(ask: SettleDue) -> Settled:
    """Settle reviews whose deadline is over as their scenario declares."""
    ...


@capability("risk.close-review", version="1.0", effect=Effect.WRITE, is_internal=True)
def close_review(ask: CloseReview) -> Settled:
    """Close what waits of a reference without an outcome."""
    ...


@capability("risk.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Forget what was seen of persons, and take them out of decisions; what waits still is decided by what is left."""
    ...
