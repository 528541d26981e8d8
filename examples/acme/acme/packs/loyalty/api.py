"""Loyalty, as others may name it: a card of a member is stamped, is full now and then, and forgets old stamps.

stamp ──▶ open card ──ten stamps──▶ card filled (event), the next card begins
              └──90 days without a stamp──▶ forgotten (nightly)
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, combine, errors, event, extension_point

CARD_STAMPS = 10  # a full card
STAMPS_MAX = 100  # of one purchase
FORGOTTEN_AFTER = timedelta(days=90)

Card = Annotated[str, Meta(min_length=1, max_length=64)]


class UnknownCard(errors.NotFound):
    """No stamp was ever put on this card."""

    slug = "loyalty.unknown-card"

    def __init__(self, *, card: str) -> None:
        super().__init__(
            f"card {card!r} has no stamps", remedy="stamp it with loyalty.stamp, or check its number", path="$.card"
        )


class Stamp(Value):
    """Ask to stamp a card for a purchase. reference: the same again stamps nothing twice."""

    card: Card
    spent_minor: Annotated[int, Meta(ge=0)]
    reference: Annotated[str, Meta(min_length=1, max_length=64)]


class Balance(Value):
    """The stamps on the open card, and how many cards were filled."""

    card: str
    stamps: int
    filled: int


class GetBalance(Value):
    """Ask what is on a card."""

    card: Card


class ForgetOld(Value):
    """Ask to forget the stamps of cards that nobody used for 90 days."""


class Forgotten(Value):
    """How many cards lost their stamps."""

    cards: int


@event("loyalty.card-filled", version="1.0", subject="card")
class CardFilled(Value):
    """A card got its last stamp."""

    card: str
    filled: int


@extension_point("loyalty.stamps-for", combine=combine.highest)
def stamps_for(ask: Stamp) -> int:
    """Say how many stamps a purchase earns. Must be pure: no clock, no store, no capability."""
    return 1


@capability("loyalty.stamp", version="1.0", effect=Effect.WRITE)
def stamp(ask: Stamp) -> Balance:
    """Stamp a card as often as the front end says, and return what is on it.

    The same reference again changes nothing. A card that another front end lets one use is stamped as one's own. A card
    that is full begins anew, and `loyalty.card-filled` says so.
    """
    ...


@capability("loyalty.get-balance", version="1.0", effect=Effect.READ, raises=[UnknownCard])
def get_balance(ask: GetBalance) -> Balance:
    """Return what is on a card: one's own, or one that another front end shares (`grants.give`)."""
    ...


@capability("loyalty.forget-old", version="1.0", effect=Effect.WRITE)
def forget_old(ask: ForgetOld) -> Forgotten:
    """Forget the stamps of cards that nobody used for 90 days; filled cards stay counted."""
    ...
