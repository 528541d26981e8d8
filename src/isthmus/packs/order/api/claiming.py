"""Orders of guests that turn out to be a member's, as others may name them."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.markings import Pii

CLAIMED_MAX: Final = 500  # orders in one call; who has more asks again
Address = Annotated[str, Pii("email"), Meta(min_length=3, max_length=254)]


class ClaimOrders(Value):
    """Give a member the orders that somebody placed as a guest, by addresses that are proved to be the member's."""

    member_id: UUID
    emails: Annotated[tuple[Address, ...], Meta(max_length=50)]


class Claimed(Value):
    """How many orders were given; fewer than 500 means that none is left."""

    orders: int


@event("order.orders-claimed", version="1.0", subject="member_id")
class OrdersClaimed(Value):
    """Orders that guests had placed are a member's from now on."""

    member_id: UUID
    order_ids: tuple[UUID, ...]


@capability("order.claim-orders", version="1.0", effect=Effect.WRITE, is_internal=True)
def claim_orders(ask: ClaimOrders) -> Claimed:
    """Give a member the orders of guests with these addresses, each once: what is somebody's stays theirs."""
    ...
