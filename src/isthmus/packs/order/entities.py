"""What the data platform may read of orders: orders, their lines, returns. No contact and no address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import (
    Atomic,
    Combined,
    Conversion,
    Count,
    Derived,
    Dimension,
    Distinct,
    Key,
    Measure,
    Percentile,
    Period,
    PeriodOverPeriod,
    Ratio,
    Ref,
    Time,
    Where,
    entity,
)

Minor = Annotated[int, Meta(ge=0), Measure(unit="minor", currency="order.order.currency")]


@entity("order.order", table="order.orders", fresh_hours=48)
class Order(Value):
    """A basket that was bought, at one front end."""

    front_end: Annotated[str, Key(), Dimension()]
    order_id: Annotated[UUID, Key()]
    group_id: Annotated[UUID, Dimension()]
    state: Annotated[
        Literal["placed", "paid", "part-shipped", "shipped", "completed", "cancelled", "expired"], Dimension()
    ]
    member_id: Annotated[UUID | None, Ref("member.membership")]
    order_kind: Annotated[str, Dimension()]
    channel: Annotated[str, Dimension()]
    currency: Annotated[str, Dimension()]
    delivery_method: Annotated[str, Dimension()]
    delivery_fee_minor: Minor
    total_minor: Minor
    refunded_minor: Minor
    placed_at: Annotated[datetime, Time()]
    attributes: dict[str, Any]


@entity("order.line", table="order.lines", time="order.order.placed_at")
class Line(Value):
    """So much of one SKU in an order, with what it came to."""

    front_end: Annotated[str, Key(), Dimension()]
    order_id: Annotated[UUID, Key(), Ref("order.order")]
    line: Annotated[int, Key()]
    sku: Annotated[str, Ref("catalog.sku")]
    seller: Annotated[str, Dimension()]
    location: Annotated[str, Dimension()]
    quantity: Annotated[int, Meta(ge=1), Measure(unit="unit")]
    list_minor: Minor
    amount_minor: Minor
    discount_minor: Minor
    tax_minor: Minor
    total_minor: Minor
    commission_minor: Minor
    commission_returned_minor: Minor
    refunded_minor: Minor
    attributes: dict[str, Any]


@entity("order.return", table="order.return")
class Return(Value):
    """Goods that a buyer wants to give back."""

    front_end: Annotated[str, Key(), Dimension()]
    return_id: Annotated[UUID, Key()]
    order_id: Annotated[UUID, Ref("order.order")]
    state: Annotated[Literal["requested", "approved", "rejected", "received", "refunded"], Dimension()]
    kind: Annotated[Literal["return", "closing"], Dimension()]
    refund_minor: Minor
    asked_at: Annotated[datetime, Time()]


ENTITIES = (Order, Line, Return)

_STANDS = Where("order.order.state", "not in", ("cancelled", "expired"))

METRICS = (
    Count(name="order.orders", of="order.order", where=_STANDS,
        doc="Orders that stand: not cancelled or expired.", unit="order"),
    Atomic(name="order.sales", measure="order.order.total_minor", where=_STANDS,
        doc="What orders that stand come to.", unit="minor"),
    Atomic(name="order.line-sales", measure="order.line.total_minor", where=_STANDS,
        doc="What lines of orders that stand come to, delivery not included.", unit="minor"),
    Atomic(name="order.units", measure="order.line.quantity", where=_STANDS, doc="Units sold.", unit="unit"),
    Atomic(name="order.discounts", measure="order.line.discount_minor", where=_STANDS,
        doc="Taken off lines.", unit="minor"),
    Atomic(name="order.commission-agreed", measure="order.line.commission_minor", where=_STANDS,
        doc="Commission on what was sold, whatever came back since.", unit="minor"),
    Atomic(name="order.commission-returned", measure="order.line.commission_returned_minor", where=_STANDS,
        doc="Commission on goods that came back, or never came.", unit="minor"),
    Combined(name="order.commission", plus=("order.commission-agreed",), minus=("order.commission-returned",),
        doc="Kept from those whose goods were sold, less what went back with goods.", unit="minor"),
    Atomic(name="order.refunds", measure="order.order.refunded_minor", where=_STANDS,
        doc="Paid back of orders that stand: for goods, for what never came, and by hand.", unit="minor"),
    Combined(name="order.net-sales", plus=("order.sales",), minus=("order.refunds",),
        doc="Sales less refunds.", unit="minor"),
    Distinct(name="order.buyers", field="order.order.member_id", where=_STANDS,
        doc="Members who bought; guests are not known apart.", unit="member"),
    Distinct(name="order.baskets", field="order.order.group_id", where=_STANDS, unit="basket",
        doc="What was paid at once, of however many sellers."),
    Ratio(name="order.basket-value", numerator="order.sales", denominator="order.baskets", unit="minor",
        doc="What is paid at once comes to on average, of however many sellers."),
    Atomic(name="order.list-sales", measure="order.line.list_minor", where=_STANDS, unit="minor",
        doc="What lines would have come to by the price list."),
    Atomic(name="order.ruled-sales", measure="order.line.amount_minor", where=_STANDS, unit="minor",
        doc="What lines came to by the price rules, before discounts."),
    Combined(name="order.below-list", plus=("order.list-sales", "order.discounts"), minus=("order.ruled-sales",),
        doc="What price rules and discounts together took off the price list.", unit="minor"),
    Ratio(name="order.discount-share", numerator="order.below-list", denominator="order.list-sales",
        doc="The share of the price list that price rules and discounts took off."),
    Percentile(name="order.median-value", measure="order.order.total_minor", share=0.5, where=_STANDS, unit="minor",
        doc="What an order in the middle comes to: as many come to more as to less."),
    Ratio(name="order.refund-rate", numerator="order.refunds", denominator="order.sales",
        doc="The share of sales that was paid back."),
    Conversion(name="order.returning-buyers", start="order.buyers", goal="order.orders", within_days=365, show="count",
        by=("order.order.member_id", "order.order.member_id"), apart="order.order.group_id", unit="member",
        doc="Members who bought, and bought again within a year of it; parts of one basket are one purchase."),
    Ratio(name="order.returning-share", numerator="order.returning-buyers", denominator="order.buyers",
        doc="The share of the members who bought that bought again within a year."),
    PeriodOverPeriod(name="order.sales-growth", of="order.sales", period="week", doc="Sales against the week before."),
    Derived(name="order.orders-so-far", of="order.orders", period=Period(last=100, unit="year"), unit="order",
        doc="Orders up to the moment of the question."),
    Derived(name="order.orders-13-weeks", of="order.orders", period=Period(last=91, unit="day"), unit="order",
        doc="Orders of the last 13 weeks."),
    Derived(name="order.orders-26-weeks", of="order.orders", period=Period(last=182, unit="day"), unit="order",
        doc="Orders of the last 26 weeks."),
    Combined(name="order.orders-earlier", plus=("order.orders-so-far",), minus=("order.orders-13-weeks",),
        doc="Orders longer ago than 13 weeks: who has none and orders now is new.", unit="order"),
    Combined(name="order.orders-quarter-before", plus=("order.orders-26-weeks",), minus=("order.orders-13-weeks",),
        doc="Orders of the 13 weeks before the last 13.", unit="order"),
    Count(name="order.returns", of="order.return", where=Where("order.return.kind", "=", "return"),
        doc="Returns asked for.", unit="return"),
)  # fmt: skip
