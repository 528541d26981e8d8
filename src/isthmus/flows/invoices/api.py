"""Invoices of orders, and credit notes of what came back.

    order, and the rates it was taxed at ──issue-for-order──▶ invoicing.issue
    all orders of a member in a time     ──issue-for-period─▶ one invoice for each currency
    a return, or lines that never come   ──credit-return────▶ credit note of the invoice that has the order
    an invoice                           ──send─────────────▶ notification.send

With the setting `invoices.issue` of a front end on `on-shipping`, an invoice is issued once all of an order has left,
and a credit note once a return is refunded: both after the commit, so nobody waits for them. `on-request` is the
default. A reason that starts with a VATEX code, such as `VATEX-EU-AE: reverse charge` of `tax.exempt-line`, says the
VAT category; any other is exempt (E).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import PASS, Effect, Meta, Pass, Value, combine, errors, extension_point, flow
from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.tax import api as tax
from isthmus.values import ORDER_KIND, check_days

ISSUE = "invoices.issue"  # the setting that says when invoices are issued by themselves
ON_SHIPPING = "on-shipping"
PERIOD_ORDERS_MAX = 500


class IssueForOrder(Value):
    """Issue the invoice of an order. buyer: who it is written to, where that is not whom the order went to."""

    order_id: UUID
    buyer: invoicing.Party | None = None


class IssueForPeriod(Value):
    """Issue one invoice, for each currency, of what a member ordered from a day on, through a day.

    Orders that are not paid, or stand on an invoice already, are left out.
    """

    member_id: UUID
    since: date
    until: date
    buyer: invoicing.Party

    def __check__(self, path: str) -> None:
        check_days(self.since, self.until, path)


class CreditReturn(Value):
    """Issue the credit note of a return that was refunded, or of lines that will never come."""

    return_id: UUID


class SendInvoice(Value):
    """Send a buyer an invoice. address: where to, if not to the buyer's own. form: of the file that goes with it."""

    invoice_id: UUID
    address: Annotated[str, Meta(max_length=254)] = ""
    form: Literal["factur-x", "ubl", "cii", "none"] = "factur-x"


class IssuedInvoices(Value):
    """What was issued; nothing where there was nothing to invoice."""

    items: tuple[invoicing.InvoiceBrief, ...] = ()


class NotPaid(errors.RuleBroken):
    """An order is invoiced once it is paid."""

    slug = "invoices.not-paid"

    def __init__(self, *, number: str, state: str) -> None:
        super().__init__(
            f"order {number} is {state}: it is invoiced once it is paid",
            remedy="wait until it is paid; what was cancelled or has run out gets no invoice",
            path="$.order_id",
            state=state,
        )


class NotInvoiced(errors.Conflict):
    """What came back is credited once there is an invoice of it."""

    slug = "invoices.not-invoiced"

    def __init__(self, *, number: str) -> None:
        super().__init__(
            f"order {number} has no invoice that a credit note could correct",
            remedy="issue it first with invoices.issue-for-order; what was returned before is left out there",
            path="$.return_id",
        )


class NotSettled(errors.Conflict):
    """A return is credited once its money went back."""

    slug = "invoices.not-settled"

    def __init__(self, *, state: str) -> None:
        super().__init__(
            f"the return is {state}, and no money went back yet",
            remedy="refund it with after-sale.refund-return first",
            path="$.return_id",
            state=state,
        )


class BuyerNeeded(errors.BadAsk):
    """An invoice says who bought, by name and country."""

    slug = "invoices.buyer-needed"

    def __init__(self, *, number: str) -> None:
        super().__init__(
            f"order {number} went to no address, so it is not known who bought",
            remedy="send $.buyer, or answer invoices.buyer",
            path="$.buyer",
        )


class TooManyOrders(errors.BadAsk):
    """More orders lie in the time than are invoiced at once."""

    slug = "invoices.too-many-orders"

    def __init__(self, *, since: date, until: date) -> None:
        super().__init__(
            f"from {since} through {until} there are more than {PERIOD_ORDERS_MAX} orders",
            remedy="ask for a shorter time; what is invoiced once is left out later",
            path="$.until",
        )


class NobodyToWriteTo(errors.BadAsk):
    """No address is known to write to."""

    slug = "invoices.nobody-to-write-to"

    def __init__(self, *, number: str) -> None:
        super().__init__(
            f"no e-mail address is known of the buyer of {number}", remedy="send $.address", path="$.address"
        )


_USES = (
    order.get_order,
    order.list_returns,
    member.get_buyer,
    tax.calculate,
    invoicing.issue,
    invoicing.get_invoice,
    invoicing.list_invoices,
)


@extension_point("invoices.buyer", combine=combine.first_answer, dimensions=[ORDER_KIND], until=date(2027, 6, 30))
def buyer(sold: order.Order) -> invoicing.Party | Pass:
    """Say whom the invoice of an order is written to: a company with its VAT number. Default: who it went to."""
    return PASS


@flow(
    "invoices.issue-for-order",
    version="1.0",
    effect=Effect.WRITE,
    uses=[*_USES],
    raises=[NotPaid, BuyerNeeded],
)
def issue_for_order(ask: IssueForOrder) -> IssuedInvoices:
    """Issue the invoice of a paid order, less what will never come. Safe to repeat: an order is invoiced once."""
    ...


@flow(
    "invoices.issue-for-period",
    version="1.0",
    effect=Effect.WRITE,
    uses=[*_USES, order.list_orders],
    raises=[TooManyOrders],
    deadline_ms=60_000,
)
def issue_for_period(ask: IssueForPeriod) -> IssuedInvoices:
    """Issue invoices of what a member ordered in a time, one for each currency; what was invoiced is left out."""
    ...


@flow(
    "invoices.credit-return",
    version="1.0",
    effect=Effect.WRITE,
    uses=[*_USES, order.get_return],
    raises=[NotInvoiced, NotSettled],
)
def credit_return(ask: CreditReturn) -> IssuedInvoices:
    """Issue the credit note of a return. Safe to repeat; nothing where the invoice had left it out already."""
    ...


@flow(
    "invoices.send",
    version="1.0",
    effect=Effect.WRITE,
    uses=[invoicing.get_invoice, invoicing.get_document, notification.send],
    raises=[NobodyToWriteTo],
)
def send(ask: SendInvoice) -> notification.Message:
    """Send a buyer an invoice: its number and sums, and the document attached. The front end may write the words.

    `facts.invoice_id` is what a link to invoicing.get-document needs. A second call gives the same message.
    """
    ...


@flow("invoices.order-moved", version="1.0", effect=Effect.WRITE, uses=[*_USES], raises=[NotPaid, BuyerNeeded])
def order_moved(ask: order.OrderMoved) -> IssuedInvoices:
    """Issue the invoice of an order that has left, where the front end has them issued by themselves."""
    ...


@flow(
    "invoices.return-moved",
    version="1.0",
    effect=Effect.WRITE,
    uses=[*_USES, order.get_return],
    raises=[NotInvoiced, NotSettled],
)
def return_moved(ask: order.ReturnMoved) -> IssuedInvoices:
    """Issue the credit note of a return that was refunded, where the front end has them issued by themselves."""
    ...
