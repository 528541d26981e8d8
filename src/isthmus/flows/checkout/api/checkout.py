"""Previewing, placing, paying and cancelling, as others may name them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, errors, flow
from isthmus.markings import Pii
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import LINES_MAX, Address, Code, CurrencyCode, GivenCode, LineAsk, Moment, Money

from .bill import BasketChanged, Bill, OrderPreview
from .carrying import Paid, carry_on

COUPONS_MAX = order.COUPONS_MAX  # those of the basket and those of the ask together
SUBSTITUTED_MAX = 10  # lines for which substitutes are looked for
OFFERS_MAX = 20  # goods of one category that a front end chooses a substitute from
EXPIRE_MAX = 200
PAY_WITHIN = timedelta(minutes=30)  # stock is held so long for an unpaid order
PREVIEW_DEADLINE_MS = 25_000  # two services outside may be asked, ten seconds each at most

CouponCodes = Annotated[tuple[GivenCode, ...], Meta(max_length=COUPONS_MAX)]


class BuyLine(LineAsk):
    """So much of one SKU, with what the front end says of the line."""

    attributes: order.LineAttributes = {}


BuyLines = Annotated[tuple[BuyLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


class PreviewOrder(Value):
    """Ask what ordering these goods, or what is in a basket, would do."""

    currency: CurrencyCode
    lines: BuyLines | None = None
    basket_id: UUID | None = None
    member_id: UUID | None = None
    address: Address | None = None
    delivery_method: Code | None = None
    slot_id: UUID | None = None
    location: Code | None = None  # the shop that sells, where it is one
    coupons: CouponCodes = ()
    accepts_substitutes: bool = False  # True: what is short is replaced, and the bill says by what
    order_kind: str = "standard"
    channel: str = "online"
    attributes: order.OrderAttributes = {}


class PlaceOrder(Value):
    """Order these goods, or what is in a basket."""

    currency: CurrencyCode
    lines: BuyLines | None = None
    basket_id: UUID | None = None
    member_id: UUID | None = None
    contact_email: Annotated[str, Pii("email"), Meta(max_length=254)] = ""
    address: Address | None = None
    delivery_method: Code | None = None
    slot_id: UUID | None = None
    location: Code | None = None
    coupons: CouponCodes = ()
    accepts_substitutes: bool = False
    expected_total: Money | None = None  # what the buyer was shown; another total is refused
    paid_at_till: Code | None = None  # how it was paid on the spot (cash, card); None: payment is still to come
    order_kind: str = "standard"
    channel: str = "online"
    attributes: order.OrderAttributes = {}


class PlacedOrder(Value):
    """One group of orders, with the payments that are open for all of them: what is due now, and a balance."""

    group_id: UUID
    orders: tuple[order.OrderBrief, ...]
    payment_id: UUID
    due_now: Money
    balance_payment_id: UUID | None  # none: all is due now
    bill: Bill
    pay_before: Moment | None


class PayOrder(Value):
    """Pay for a group of orders."""

    payment_id: UUID
    method: Code
    token: Annotated[
        str, Pii("identifier"), Meta(max_length=255)
    ]  # from the provider's own form; no card number passes here


class ConfirmPayment(Value):
    """Carry out what follows from a payment that has been authorised or captured. Safe to repeat."""

    payment_id: UUID


class CancelOrder(Value):
    """Cancel one order before it is shipped."""

    order_id: UUID
    reason: Annotated[str, Pii("free-text"), Meta(min_length=1, max_length=240)]


class Cancelled(Value):
    """What cancelling gave back."""

    order: order.OrderBrief
    refunded: Money  # by this call: nothing where all of it went back before
    fee: Money  # kept by the shop's cancellation policy


class ExpireOrders(Value):
    """Let unpaid orders run out whose time is over."""

    limit: Annotated[int, Meta(ge=1, le=EXPIRE_MAX)] = EXPIRE_MAX


class Expired(Value):
    """How many orders ran out; fewer than the limit means that none is left."""

    orders: int


class PriceChanged(errors.Conflict):
    """The total, or a line of the basket, costs something else than the buyer was shown."""

    slug = "checkout.price-changed"

    def __init__(self, *, shown: Money, now: Money, what: str = "the total", path: str = "$.expected_total") -> None:
        super().__init__(
            f"{what} is {now}, and {shown} was shown",
            remedy="show the new total with checkout.preview-order, and send it as expected_total if the buyer agrees",
            path=path,
            shown=str(shown),
            now=str(now),
        )


class SlotNeeded(errors.RuleBroken):
    """Goods are brought at a time that was booked, and none was chosen."""

    slug = "checkout.slot-needed"

    def __init__(self, *, method: str) -> None:
        super().__init__(
            f"delivery by {method!r} is at a booked time, and no slot was chosen",
            remedy="choose one with fulfilment.list-slots, or another method of delivery",
            path="$.slot_id",
        )


class NothingToBuy(errors.BadAsk):
    """Neither lines nor a basket with lines."""

    slug = "checkout.nothing-to-buy"

    def __init__(self) -> None:
        super().__init__(
            "there is nothing to buy", remedy="send lines, or the basket_id of a basket that has some", path="$.lines"
        )


@flow(
    "checkout.preview-order",
    version="1.0",
    effect=Effect.READ,
    uses=[
        order.get_basket,
        member.get_buyer,
        catalog.check_lines,
        catalog.search,
        catalog.describe_skus,
        pricing.quote,
        fulfilment.request_quote,
        promotion.evaluate,
        tax.assess,
        inventory.get_availability,
        order.check_draft,
    ],
    raises=[NothingToBuy, order.BasketsDiffer, order.TooManyCoupons],
    deadline_ms=PREVIEW_DEADLINE_MS,
)
def preview_order(ask: PreviewOrder) -> OrderPreview:
    """Say what placing an order would do: its bill with every reason, what is short, what refuses it, how it splits.

    The bill is prepared by the same code as when it is placed; nothing is written or held.
    """
    ...


PLACES: Final = (
    order.get_basket, order.set_lines, order.set_coupons, member.get_buyer, member.earn_points, catalog.check_lines,
    catalog.search, catalog.describe_skus, pricing.quote, fulfilment.quote_delivery, fulfilment.book_slot,
    promotion.evaluate, promotion.redeem, tax.calculate, inventory.get_availability, inventory.reserve,
    inventory.ship, order.place_order, payment.open_payment,
)  # fmt: skip


@flow(
    "checkout.place-order",
    version="1.0",
    effect=Effect.WRITE,
    uses=PLACES,
    raises=[NothingToBuy, BasketChanged, order.BasketsDiffer, order.TooManyCoupons, PriceChanged, SlotNeeded],
)
def place_order(ask: PlaceOrder) -> PlacedOrder:
    """Place an order: number, stock, coupons, slot, receivable and events in one transaction, or nothing at all.

    Sold in a shop (`paid_at_till`), it is paid and handed over in the same transaction. Otherwise stock is held
    until `pay_before`. A basket that is ordered is empty then.
    """
    ...


@flow(
    "checkout.check-basket",
    version="1.0",
    effect=Effect.WRITE,
    uses=[member.get_buyer],
    raises=[order.UnknownMember],
    is_internal=True,
)
def check_basket(ask: order.BasketOpened) -> order.BasketOpened:
    """Refuse a basket that is opened for somebody who is no member of this front end."""
    ...


@flow(
    "checkout.confirm-payment",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        payment.get_payment,
        payment.list_payments,
        order.mark_paid,
        order.record_deposit,
        order.hold_group,
        order.get_group_orders,
        inventory.keep,
        inventory.confirm,
        fulfilment.plan,
        member.earn_points,
    ],
)
def confirm_payment(ask: ConfirmPayment) -> Paid:
    """Mark orders as paid, keep their stock for good, plan their shipments and credit points.

    Where it is a deposit, the orders stay placed, with 30 days to pay the balance.

    Does nothing where the payment is neither authorised nor captured, or where it was done before.
    """
    ...


@flow(
    "checkout.give-back",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        order.cancel_order,
        order.get_group,
        payment.list_payments,
        payment.expect_less,
        inventory.release,
        promotion.return_uses,
        fulfilment.cancel,
        fulfilment.release_slot,
        member.reverse_points,
    ],
    is_internal=True,
)
def give_back(ask: CancelOrder) -> order.CancelledOrder:
    """Cancel an order and give back its goods, coupons, slot and points, in one transaction."""
    ...


# What carrying a payment through may come to.
TAKING: Final = (
    carry_on,
    payment.ask_provider,
    payment.settle_attempt,
    payment.end_attempt,
    payment.list_payments,
    payment.void,
    payment.refund_from,
    order.get_group,
    confirm_payment,
    give_back,
)


@flow(
    "checkout.pay-order",
    version="1.0",
    effect=Effect.SAGA,
    uses=[payment.begin_authorisation, *TAKING],
    deadline_ms=60_000,
)
def pay_order(ask: PayOrder) -> Paid:
    """Pay: hold the money, confirm the orders, take the money. Where confirming fails the money is let go.

    Where nobody knows yet whether it was taken the answer says `authorised`, and `settle_payments` looks it up.
    Where the provider refuses it at last the orders are cancelled, and the answer says `voided`.
    """
    ...


@flow(
    "checkout.receive-notification",
    version="1.0",
    effect=Effect.SAGA,
    uses=[payment.read_notification, payment.get_attempt, payment.get_payment, *TAKING],
    deadline_ms=60_000,
)
def receive_notification(ask: payment.Notify) -> Paid:
    """Take in what a payment provider says, and carry out what follows, whether or not the buyer came back."""
    ...


@flow(
    "checkout.settle-payments",
    version="1.0",
    effect=Effect.SAGA,
    uses=[payment.list_open_attempts, payment.list_held, payment.look_up, payment.get_payment, *TAKING],
    deadline_ms=60_000,
)
def settle_payments(ask: payment.Reconcile) -> payment.Reconciled:
    """Look up payments without an outcome, and carry out what follows from what their providers say.

    For a job that recurs: who paid while a provider was silent has their order, without paying twice. Payments
    that are held while nobody goes on with them are taken, or let go where their orders are gone.
    """
    ...


@flow(
    "checkout.cancel-order",
    version="1.0",
    effect=Effect.SAGA,
    uses=[give_back, order.get_group, order.get_order, payment.list_payments, payment.void, payment.refund_from],
    deadline_ms=60_000,
)
def cancel_order(ask: CancelOrder) -> Cancelled:
    """Cancel an order before it leaves: goods, coupons and points go back at once, then the money, less the fee.

    Safe to repeat: where the money could not go back yet, since a provider owes an answer, it does when asked again.
    A coupon goes back with the last order of its group, unless another was carried out with it.

    Of a deposit, what the other orders of the group do not come to goes back.
    """
    ...


@flow(
    "checkout.expire-orders",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        order.expire_due,
        order.get_group,
        inventory.release,
        promotion.return_uses,
        fulfilment.release_slot,
    ],
)
def expire_orders(ask: ExpireOrders) -> Expired:
    """Let unpaid orders run out, with their stock, coupons and slots. Safe to run in several places at once.

    A deposit stays with the shop: it is what the goods waited for.
    """
    ...
