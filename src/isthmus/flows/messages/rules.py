"""Messages to buyers, decided: what each is about, and what it says where the front end writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from isthmus.language import ENGLISH, LANGUAGES, Catalogue, choose, mark
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order

TOPIC: Final = "order"
_TEXTS: Final = {one: Catalogue(("isthmus.flows.messages",), one.locale) for one in LANGUAGES if one is not ENGLISH}

# What is said of each kind by itself; a kind that is not here has no text of its own.
SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "order.placed": (mark("Your order {number}"), mark("Thank you for your order {number}. It comes to {total}.")),
    "order.paid": (mark("Order {number} is paid"), mark("We have received your payment for order {number}.")),
    "order.cancelled": (mark("Order {number} is cancelled"), mark("Your order {number} is cancelled.")),
    "order.expired": (
        mark("Order {number} has run out"),
        mark("Your order {number} was not paid in time and has run out."),
    ),
    "parcel.shipped": (mark("Order {number} is on its way"), mark("A parcel of your order {number} is on its way.")),
    "parcel.delivered": (
        mark("Order {number} has arrived"),
        mark("A parcel of your order {number} has been delivered."),
    ),
    "return.approved": (mark("Your return for order {number}"), mark("You can send the goods of order {number} back.")),
    "return.rejected": (
        mark("Your return for order {number}"),
        mark("We cannot take the goods of order {number} back."),
    ),
    "return.refunded": (mark("Refund for order {number}"), mark("We give you {refund} back for order {number}.")),
}


def order_draft(kind: str, sold: order.Order, language: str, facts: Mapping[str, str]) -> notification.Draft:
    """Return what a message about an order is composed of, in a language that texts are kept in, else in English."""
    known = {"number": sold.number, "total": str(sold.total), **facts}
    subject, sentence = (written(part, language).format_map(known) for part in SENTENCES.get(kind, ("", "")))
    items = tuple(notification.Item(title=one.title, quantity=one.quantity, amount=one.total) for one in sold.lines)
    listed = [f"{one.quantity} × {one.title}: {one.amount}" for one in items] if kind == "order.placed" else []
    tracked = [f"{facts['carrier']} {facts['tracking']}".strip()] if facts.get("tracking") else []
    text = "\n".join([sentence, *(["", *listed, *tracked] if listed or tracked else [])]) if sentence else ""
    return notification.Draft(
        kind=kind, topic=TOPIC, language=language, subject=subject, text=text, facts=known, items=items
    )


def written(text: str, language: str) -> str:
    """Return a text in a language, by its tag such as `zh-CN`; in English where there is none of it."""
    found = _TEXTS.get(choose(None, language))
    return found.get(text) if found and text else text


def parcel_facts(moved: fulfilment.ParcelMoved) -> dict[str, str]:
    """Return what is said of a parcel."""
    return {"parcel": moved.parcel, "carrier": moved.carrier or "", "tracking": moved.tracking or ""}
