"""Rows of orders as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert

from isthmus.kernel import decode, ports
from isthmus.sealing import Seals
from isthmus.values import Address, Applied, Money

from .. import api
from . import contacts


async def whole(rows: Sequence[ports.Row], session: ports.Session, seals: Seals) -> list[api.Order]:
    """Return the orders of rows that have their lines and history, opened where they are sealed."""
    found = await contacts.opened(rows, session, seals)
    return [_order(row, *contact) for row, contact in zip(rows, found, strict=True)]


def _order(row: ports.Row, email: str, address: Address | None) -> api.Order:
    currency = row["currency"]
    return api.Order(
        order_id=row["order_id"],
        group_id=row["group_id"],
        number=str(row["number"]),
        state=api.OrderState(row["state"]),
        part=row["part"],
        member_id=row["member_id"],
        contact_email=email,
        address=address,
        order_kind=row["order_kind"],
        channel=row["channel"],
        box=row["box"],
        plan=row["plan"],
        currency=currency,
        lines=tuple([_line(line, currency) for line in decode(row["lines"], list[dict[str, Any]])]),
        delivery_fee=Money(currency=currency, minor=row["delivery_fee_minor"]),
        delivery_method=row["delivery_method"],
        total=Money(currency=currency, minor=row["total_minor"]),
        refunded=Money(currency=currency, minor=row["refunded_minor"]),
        coupons=tuple(row["coupons"]),
        placed_at=row["placed_at"],
        pay_before=row["pay_before"],
        history=decode(row["history"] or b"[]", tuple[api.HistoryEntry, ...]),
        attributes=decode(row["attributes"], dict[str, Any]),
        supplements=row["supplements"],
        review_until=row["review_until"],
        delivery_tax=Money(currency=currency, minor=row["delivery_tax_minor"]),
        delivery_taxed=None if row["delivery_taxed"] is None else decode(row["delivery_taxed"], api.Taxed),
    )


def _line(row: Mapping[str, Any], currency: str) -> api.OrderLine:
    return api.OrderLine(
        line=row["line"],
        sku=row["sku"],
        title=row["title"],
        quantity=row["quantity"],
        unit=row["unit"],
        seller=row["seller"],
        location=row["location"],
        tax_category=row["tax_category"],
        list_amount=Money(currency=currency, minor=row["list_minor"]),
        amount=Money(currency=currency, minor=row["amount_minor"]),
        discount=Money(currency=currency, minor=row["discount_minor"]),
        tax=Money(currency=currency, minor=row["tax_minor"]),
        total=Money(currency=currency, minor=row["total_minor"]),
        is_returnable=row["is_returnable"],
        applied=convert(row["applied"], tuple[Applied, ...]),
        attributes=row["attributes"],
        taxed=None if row["taxed"] is None else convert(row["taxed"], api.Taxed),
        commission=Money(currency=currency, minor=row["commission_minor"]),
        shipped=row["shipped"],
        closed=row["closed"],
        returned=row["returned"],
        refunded=Money(currency=currency, minor=row["refunded_minor"]),
    )
