"""Orders by agreement, as other flows may name them: at prices that were agreed, of what is there."""

from __future__ import annotations

from isthmus.kernel import Effect, Value, errors, flow
from isthmus.packs.order import api as order
from isthmus.values import Moment, Money

from .bill import BasketChanged
from .checkout import PLACES, NothingToBuy, PlacedOrder, PlaceOrder, PriceChanged, SlotNeeded


class PlaceAgreed(Value):
    """Order these lines. agreed: what each costs, whatever it costs now; none, and with none at all: what it costs now.

    skips_short: what is short, and has no substitute, is left out. pay_before: until when its goods are held.
    """

    order: PlaceOrder
    pay_before: Moment
    agreed: tuple[Money | None, ...] = ()
    skips_short: bool = False


class NothingInStock(errors.Conflict):
    """All of what is to be ordered is short."""

    slug = "checkout.nothing-in-stock"

    def __init__(self, *, skus: list[str]) -> None:
        super().__init__(
            f"of {', '.join(repr(one) for one in skus)} there is too little",
            remedy="order it again when there is more, or something else",
            path="$.order.lines",
            skus=skus,
        )


@flow(
    "checkout.place-agreed",
    version="1.0",
    effect=Effect.WRITE,
    uses=PLACES,
    raises=[
        NothingToBuy,
        NothingInStock,
        BasketChanged,
        order.BasketsDiffer,
        order.TooManyCoupons,
        PriceChanged,
        SlotNeeded,
    ],
    is_internal=True,
)
def place_agreed(ask: PlaceAgreed) -> PlacedOrder:
    """Place an order as `place_order` does, at prices that were agreed and without what is short."""
    ...
