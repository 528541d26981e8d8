"""Desks, as others may name them: goods that were bought at one front end are handed in at another.

    ask ──▶ asked ──(its front end decides)──▶ agreed ──take──▶ taken ──(its front end pays back)──▶ refunded
                            └──▶ refused

A front end opens a desk and grants it (`order.desk`): to `read`, others show persons their orders; to `use`, they take
goods back. Whose order it is decides by its own rules and pays the buyer back; who took the goods keeps them, and owes
what the grant says for them (`worth`, in hundredths of a percent of what went back; all of it where nothing is said).
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import LINES_MAX, Code, Moment, Money, PageSize, Quantity, Sku

from .errors import IllegalTransition
from .model import OrderState

ANSWERED_MAX = 50  # hand-ins in one go: each is a return, with its refund

HandInState = Literal["asked", "agreed", "refused", "taken", "refunded"]


class PutDesk(Value):
    """Open a desk, or name it anew."""

    code: Code
    name: Annotated[str, Meta(max_length=120)] = ""


class HandInLine(Value):
    """So much of an SKU is handed in."""

    sku: Sku
    quantity: Quantity
    reason: Code = "unwanted"


class AskHandIn(Value):
    """Ask whose order it is whether goods of it can be taken back here."""

    owner: Code
    number: Annotated[str, Meta(pattern=r"^[0-9]{1,18}\Z")]
    lines: Annotated[tuple[HandInLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    desk: Code | None = None  # None: the one that is granted


class HandIn(Value):
    """Goods that are handed in, and how it stands: what goes back to the buyer, what the taker owes for the goods."""

    hand_in_id: UUID
    owner: str
    taker: str
    desk: str
    number: str
    lines: tuple[HandInLine, ...]
    state: HandInState
    refund: Money | None  # once it is agreed
    owes: Money | None
    note: str  # why it is refused
    asked_at: Moment
    return_id: UUID | None = None


class GetHandIn(Value):
    """Ask how a hand-in stands."""

    hand_in_id: UUID


class ListHandIns(Value):
    """List what was handed in here, or elsewhere of one's own orders; the latest first."""

    state: HandInState | None = None
    limit: PageSize = 50


class HandIns(Value):
    """Hand-ins, the latest first."""

    items: tuple[HandIn, ...]


class HoldHandIns(Value):
    """Hold hand-ins of one's own orders that wait for an answer, or for their money; those that others hold not."""

    state: Literal["asked", "taken"]
    limit: Annotated[int, Meta(ge=1, le=ANSWERED_MAX)] = ANSWERED_MAX


class AnswerHandIn(Value):
    """Agree to a hand-in, by the return that it is, or refuse it with a reason."""

    hand_in_id: UUID
    return_id: UUID | None = None
    refund: Money | None = None
    note: str = ""


class MarkHandIn(Value):
    """Record that the goods of a hand-in are taken, or that it is paid back."""

    hand_in_id: UUID
    state: Literal["taken", "refunded"]


class ShowOrders(Value):
    """Ask for the orders of memberships at several front ends, placed before a time."""

    owners: tuple[str, ...]
    member_ids: tuple[UUID, ...]  # one for each owner
    before: Moment
    limit: PageSize = 50


class ShownLine(Value):
    """What was bought."""

    sku: Sku
    title: str
    quantity: Quantity


class ShownOrder(Value):
    """An order as others may show it to the person: neither who, nor where it goes."""

    front_end: str
    order_id: UUID
    number: str
    state: OrderState
    placed_at: Moment
    total: Money
    lines: tuple[ShownLine, ...]


class ShownOrders(Value):
    """Orders at several front ends, the latest first."""

    items: tuple[ShownOrder, ...]


@event("order.hand-in-moved", version="1.0", subject="hand_in_id")
class HandInMoved(Value):
    """A hand-in is in another state. Taken: its taker owes its owner so much for the goods."""

    hand_in_id: UUID
    owner: str
    taker: str
    state: HandInState
    refund: Money | None
    owes: Money | None


class NoDesk(errors.NotFound):
    """No front end of this name lets its goods be taken back here."""

    slug = "order.no-desk"

    def __init__(self, *, owner: str) -> None:
        super().__init__(
            f"{owner!r} has no desk that you may use",
            remedy="ask it for a grant of order.desk; until then its goods go back to it",
            path="$.owner",
        )


class UnknownHandIn(errors.NotFound):
    """There is no such hand-in here."""

    slug = "order.unknown-hand-in"

    def __init__(self, *, hand_in_id: UUID) -> None:
        super().__init__(
            f"there is no hand-in {hand_in_id}", remedy="ask for one with order.ask-hand-in", path="$.hand_in_id"
        )


@capability("order.put-desk", version="1.0", effect=Effect.WRITE)
def put_desk(ask: PutDesk) -> PutDesk:
    """Open a desk that others can be granted, or name it anew."""
    ...


@capability("order.ask-hand-in", version="1.0", effect=Effect.WRITE, raises=[NoDesk])
def ask_hand_in(ask: AskHandIn) -> HandIn:
    """Ask another front end whether goods of an order of its can be taken back here; it answers within seconds."""
    ...


@capability("order.get-hand-in", version="1.0", effect=Effect.READ, raises=[UnknownHandIn])
def get_hand_in(ask: GetHandIn) -> HandIn:
    """Return how a hand-in stands, to who takes the goods and to whose order it is."""
    ...


@capability("order.list-hand-ins", version="1.0", effect=Effect.READ)
def list_hand_ins(ask: ListHandIns) -> HandIns:
    """List hand-ins that were asked for here, and those of one's own orders."""
    ...


@capability("order.hold-hand-ins", version="1.0", is_internal=True, effect=Effect.WRITE)
def hold_hand_ins(ask: HoldHandIns) -> HandIns:
    """Hold hand-ins of one's own orders until the transaction ends, the first asked first."""
    ...


@capability(
    "order.answer-hand-in",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownHandIn, IllegalTransition],
)
def answer_hand_in(ask: AnswerHandIn) -> HandIn:
    """Agree to a hand-in of one's own order, or refuse it."""
    ...


@capability(
    "order.mark-hand-in",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownHandIn, IllegalTransition],
)
def mark_hand_in(ask: MarkHandIn) -> HandIn:
    """Record a step of a hand-in: taken by who agreed to take it, refunded by whose order it is."""
    ...


@capability("order.show-orders", version="1.0", is_internal=True, effect=Effect.READ)
def show_orders(ask: ShowOrders) -> ShownOrders:
    """Return orders of memberships, one's own and those of front ends that granted their desk; of others none."""
    ...
