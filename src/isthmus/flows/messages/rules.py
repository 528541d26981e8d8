"""Messages to buyers, decided: what each is about, and what it says where the front end writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order

TOPIC: Final = "order"

# What is said of each kind by itself; a kind that is not here has no text of its own.
_SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "order.placed": ("Your order {number}", "Thank you for your order {number}. It comes to {total}."),
    "order.paid": ("Order {number} is paid", "We have received your payment for order {number}."),
    "order.cancelled": ("Order {number} is cancelled", "Your order {number} is cancelled."),
    "order.expired": ("Order {number} has run out", "Your order {number} was not paid in time and has run out."),
    "parcel.shipped": ("Order {number} is on its way", "A parcel of your order {number} is on its way."),
    "parcel.delivered": ("Order {number} has arrived", "A parcel of your order {number} has been delivered."),
    "return.approved": ("Your return for order {number}", "You can send the goods of order {number} back."),
    "return.rejected": ("Your return for order {number}", "We cannot take the goods of order {number} back."),
    "return.refunded": ("Refund for order {number}", "We give you {refund} back for order {number}."),
}


def order_draft(kind: str, sold: order.Order, language: str, facts: Mapping[str, str]) -> notification.Draft:
    """Return what a message about an order is composed of."""
    known = {"number": sold.number, "total": str(sold.total), **facts}
    subject, sentence = (part.format_map(known) for part in _SENTENCES.get(kind, ("", "")))
    items = tuple(notification.Item(title=one.title, quantity=one.quantity, amount=one.total) for one in sold.lines)
    listed = [f"{one.quantity} × {one.title}: {one.amount}" for one in items] if kind == "order.placed" else []
    tracked = [f"{facts['carrier']} {facts['tracking']}".strip()] if facts.get("tracking") else []
    text = "\n".join([sentence, *(["", *listed, *tracked] if listed or tracked else [])]) if sentence else ""
    return notification.Draft(
        kind=kind, topic=TOPIC, language=language, subject=subject, text=text, facts=known, items=items
    )


def parcel_facts(moved: fulfilment.ParcelMoved) -> dict[str, str]:
    """Return what is said of a parcel."""
    return {"parcel": moved.parcel, "carrier": moved.carrier or "", "tracking": moved.tracking or ""}
