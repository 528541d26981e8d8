"""What orders refuse. Named through `order.api`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from isthmus.kernel import errors


class UnknownOrder(errors.NotFound):
    """There is no such order here."""

    slug = "order.unknown-order"

    def __init__(self, *, what: str, path: str) -> None:
        super().__init__(f"there is no order {what}", remedy="find it with order.list-orders", path=path)


class UnknownBasket(errors.NotFound):
    """There is no such basket here."""

    slug = "order.unknown-basket"

    def __init__(self, *, basket_id: UUID, path: str = "$.basket_id") -> None:
        super().__init__(f"there is no basket {basket_id}", remedy="open one with order.open-basket", path=path)


class UnknownReturn(errors.NotFound):
    """There is no such return here."""

    slug = "order.unknown-return"

    def __init__(self, *, return_id: UUID) -> None:
        super().__init__(
            f"there is no return {return_id}", remedy="ask for one with order.request-return", path="$.return_id"
        )


class UnknownMember(errors.NotFound):
    """Who a basket is opened for is no member of this front end."""

    slug = "order.unknown-member"

    def __init__(self, *, member_id: UUID) -> None:
        super().__init__(
            f"{member_id} is no active member here",
            remedy="register them with member.register, or open the basket for a guest",
            path="$.member_id",
        )


class BasketFull(errors.TooMany):
    """The basket would have more lines than an order may have."""

    slug = "order.basket-full"

    def __init__(self, *, lines: int, most: int) -> None:
        super().__init__(f"{lines} lines, and a basket holds {most}", remedy="place two orders", path="$.lines")


class BasketsDiffer(errors.Conflict):
    """What is to come together is of two currencies, or of two members."""

    slug = "order.baskets-differ"

    def __init__(self, *, what: str, one: object, other: object, path: str) -> None:
        super().__init__(f"the {what} of the basket is {one}, not {other}", remedy="use a basket for each", path=path)


class LineUnclear(errors.Conflict):
    """A SKU stands in several lines of the basket, and the ask does not say which of them it means."""

    slug = "order.line-unclear"

    def __init__(self, *, sku: str, lines: int, path: str) -> None:
        super().__init__(
            f"SKU {sku!r} stands in {lines} lines of the basket",
            remedy="send the attributes of the line that is meant; order.get-basket shows them",
            path=path,
        )


class QuantityTooLarge(errors.TooMany):
    """Two quantities of the same line come to more than a line may hold."""

    slug = "order.quantity-too-large"

    def __init__(self, *, sku: str, quantity: int, most: int, path: str) -> None:
        super().__init__(
            f"SKU {sku!r} would be {quantity} in one line, and a line holds {most}",
            remedy="set a smaller quantity in one of the baskets with order.set-lines",
            path=path,
        )


class TooManyCoupons(errors.TooMany):
    """More coupons come together than a purchase may have."""

    slug = "order.too-many-coupons"

    def __init__(self, *, coupons: int, most: int, path: str) -> None:
        super().__init__(
            f"{coupons} coupons come together, and a purchase has at most {most}",
            remedy="choose those to keep with order.set-coupons",
            path=path,
        )


class OrderRefused(errors.RuleBroken):
    """The front end does not accept the order."""

    slug = "order.order-refused"

    def __init__(self, *, reasons: Sequence[str], path: str | None) -> None:
        super().__init__(
            f"the order is refused: {'; '.join(reasons)}",
            remedy="change what the reasons name, and preview it again",
            path=path or "$.lines",
            reasons=list(reasons),
        )


class CancelRefused(errors.RuleBroken):
    """The front end does not let the order be cancelled."""

    slug = "order.cancel-refused"

    def __init__(self, *, reasons: Sequence[str]) -> None:
        super().__init__(
            f"the order cannot be cancelled: {'; '.join(reasons)}",
            remedy="wait for the goods and return them",
            path="$.order_id",
            reasons=list(reasons),
        )


class TransitionRefused(errors.RuleBroken):
    """The front end holds the order where it is."""

    slug = "order.transition-refused"

    def __init__(self, *, number: str, wanted: str, reasons: Sequence[str], path: str) -> None:
        super().__init__(
            f"order {number} cannot become {wanted} now: {'; '.join(reasons)}",
            remedy="settle what the reasons name, and send it again",
            path=path,
            reasons=list(reasons),
        )


class IllegalTransition(errors.Conflict):
    """The order or return is in a state from which this does not lead on."""

    slug = "order.illegal-transition"

    def __init__(self, *, what: str, state: str, wanted: str, path: str = "$.order_id") -> None:
        super().__init__(
            f"{what} is {state} and cannot become {wanted}",
            remedy="read it again with order.get-order; its history says what happened",
            path=path,
            state=state,
        )


class NotReturnable(errors.RuleBroken):
    """These goods cannot come back, or not so many of them."""

    slug = "order.not-returnable"

    def __init__(self, *, reason: str, path: str) -> None:
        super().__init__(reason, remedy="return what the order allows; order.get-order tells", path=path)


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "order.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )
