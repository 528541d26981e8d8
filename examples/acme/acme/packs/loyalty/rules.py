"""Loyalty, decided."""

from __future__ import annotations

from . import api


def stamped(card: api.Balance, stamps: int) -> api.Balance:
    """Return a card after so many more stamps: what is over begins the next card."""
    filled, left = divmod(card.stamps + stamps, api.CARD_STAMPS)
    return api.Balance(card=card.card, stamps=left, filled=card.filled + filled)
