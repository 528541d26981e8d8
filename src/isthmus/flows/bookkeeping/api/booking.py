"""The rules of booking, and what reacts to what happens."""

from __future__ import annotations

from datetime import date

from isthmus.kernel import PASS, Effect, Pass, combine, extension_point, flow
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.inventory import api as inventory
from isthmus.packs.ledger import api as ledger
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.values import CHANNEL, ORDER_KIND, Money, money

from .. import rules
from .model import Booked, Happening, Owed


@extension_point(
    "bookkeeping.postings", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL], on_failure="default"
)
def postings(happening: Happening) -> tuple[ledger.EntryLeg, ...] | Pass:
    """Say which accounts a happening moves, as legs that add up to zero: the chart of accounts and its rules.

    A rule that does not balance is refused when it is deployed; should one slip through, the default is booked instead,
    and the entry says so (`metadata.refused`): nothing that happens is lost by it. Default: the chart of this module.
    """
    return default_postings(happening)


def default_postings(happening: Happening) -> tuple[ledger.EntryLeg, ...]:
    """Return the legs of the default chart, for a rule that changes some of them."""
    return rules.postings(happening)


@extension_point("bookkeeping.payment-fee", combine=combine.first_answer, until=date(2027, 6, 30))
def payment_fee(method: str, provider: str, amount: Money) -> Money | Pass:
    """Say what a provider keeps of a payment. Default: nothing; its file says so later."""
    return money(0, amount.currency)


@extension_point("bookkeeping.chargeback-bearers", combine=combine.first_answer, until=date(2027, 6, 30))
def chargeback_bearers(lost: Happening) -> tuple[Owed, ...] | Pass:
    """Say who bears a lost chargeback: sellers of its `lines` their parts (`seller/17`), or an account of one's own.

    `Owed.account` is where a part is booked; of a seller it is what the seller is due. What is left, and all of it
    where the parts come to more than the chargeback, bears the front end. Default: the front end bears all.
    """
    return ()


@extension_point("bookkeeping.points-worth", combine=combine.first_answer, until=date(2027, 6, 30))
def points_worth(points: int) -> Money | Pass:
    """Say what so many points are worth, at least one. Default: nothing, and they are not booked."""
    return PASS


@flow(
    "bookkeeping.book-payment",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, order.get_group, order.get_order, order.list_refunds],
    is_internal=True,
)
def book_payment(ask: payment.PaymentMoved) -> Booked:
    """Book money that a provider took or gave back, or a till received."""
    ...


@flow("bookkeeping.book-sale", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_sale(ask: order.OrderPlaced) -> Booked:
    """Book an order that was handed over where it was placed."""
    ...


@flow(
    "bookkeeping.book-order",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, order.get_order, order.list_returns, payment.list_payments],
    is_internal=True,
)
def book_order(ask: order.OrderMoved) -> Booked:
    """Book what left for a buyer, what is kept of a cancelled order, and a deposit that ran out."""
    ...


@flow(
    "bookkeeping.book-return",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, order.get_order, order.get_return],
    is_internal=True,
)
def book_return(ask: order.ReturnMoved) -> Booked:
    """Book goods that came back: less income, less tax, and the customer is owed."""
    ...


@flow(
    "bookkeeping.book-closing",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, order.get_order, order.list_returns],
    is_internal=True,
)
def book_closing(ask: order.LinesClosed) -> Booked:
    """Book what rounding moves where the rest of a line never comes: what was delivered of it is then settled."""
    ...


@flow(
    "bookkeeping.book-chargeback",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, order.get_group_orders],
    is_internal=True,
)
def book_chargeback(ask: chargeback.ChargebackMoved) -> Booked:
    """Book what a payer's bank took, what came back of it, and who bears what was lost."""
    ...


@flow("bookkeeping.book-points", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_points(ask: member.PointsWereMoved) -> Booked:
    """Book what points are worth when they are earned, spent or taken back."""
    ...


@flow(
    "bookkeeping.book-honoured",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, ledger.claim],
    is_internal=True,
)
def book_honoured(ask: member.PointsHonoured) -> Booked:
    """Book what another front end owes for points that it gave and that were spent here."""
    ...


@flow("bookkeeping.book-lapsed", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_lapsed(ask: member.PointsLapsed) -> Booked:
    """Book that points which were given here are owed no more."""
    ...


@flow("bookkeeping.book-spent-elsewhere", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_spent_elsewhere(ask: member.PointsSpentElsewhere) -> Booked:
    """Book that points which were given here, and taken by others, are owed to members no more."""
    ...


@flow("bookkeeping.book-credit", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_credit(ask: payment.CreditMoved) -> Booked:
    """Book what moved on gift cards and store credit: here, and elsewhere on cards of one's own programmes."""
    ...


@flow("bookkeeping.book-hand-in", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_hand_in(ask: order.HandInMoved) -> Booked:
    """Book goods that were sold at one front end and taken back at another: what its desk owes for what it keeps."""
    ...


@flow(
    "bookkeeping.book-stock",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, ledger.claim],
    is_internal=True,
)
def book_stock(ask: inventory.StockSold) -> Booked:
    """Book goods that changed their owner: what the other front end owes for them, or is owed."""
    ...


@flow(
    "bookkeeping.book-borne",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.record, ledger.claim],
    is_internal=True,
)
def book_borne(ask: promotion.DiscountBorne) -> Booked:
    """Book what others bear of a discount, which is so much less of an expense here."""
    ...


@flow("bookkeeping.book-claim", version="1.0", effect=Effect.WRITE, uses=[ledger.record], is_internal=True)
def book_claim(ask: ledger.ClaimMade) -> Booked:
    """Book the other side of what another front end has booked on accounts of this one."""
    ...


@flow(
    "bookkeeping.book-unborne",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.list_entries, ledger.reverse, ledger.claim],
    is_internal=True,
)
def book_unborne(ask: promotion.UsesWereReturned) -> Booked:
    """Undo what was booked of others' shares of a discount whose use came back."""
    ...
