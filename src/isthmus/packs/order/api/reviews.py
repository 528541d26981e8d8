"""Orders that somebody looks at before they are paid for, as others may name them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from isthmus.kernel import Effect, Value, capability
from isthmus.values import Moment

from .orders import GetGroup, HeldGroup

IN_REVIEW_MAX: Final = 10_000  # groups of one front end: more would be nobody's work any more


class HoldForReview(Value):
    """Keep a group as it is until somebody has looked at it. until: when that is decided at the latest."""

    group_id: UUID
    until: Moment


class ListInReview(Value):
    """Ask which groups are being looked at."""


class InReview(Value):
    """Groups that are being looked at, those first that have the least time left."""

    group_ids: tuple[UUID, ...]


@capability("order.hold-for-review", version="1.0", effect=Effect.WRITE, is_internal=True)
def hold_for_review(ask: HoldForReview) -> HeldGroup:
    """Have the orders of a group that are not paid wait for a person: they keep their goods and do not run out."""
    ...


@capability("order.end-review", version="1.0", effect=Effect.WRITE, is_internal=True)
def end_review(ask: GetGroup) -> HeldGroup:
    """Let the orders of a group go on. Safe to repeat."""
    ...


@capability("order.list-in-review", version="1.0", effect=Effect.READ, is_internal=True)
def list_in_review(ask: ListInReview) -> InReview:
    """List the groups that are being looked at."""
    ...
