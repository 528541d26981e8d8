"""Cards to try: one that is half full, and one that was filled."""

from __future__ import annotations

from typing import Final

from isthmus.manifest import Demo

from . import api

SPENT_MINOR: Final = 1_200
CARDS: Final = (("demo-half", 5), ("demo-full", 12))  # and how many purchases each has seen


async def load_cards(demo: Demo) -> None:
    for card, purchases in CARDS:
        for number in range(purchases):
            ask = api.Stamp(card=card, spent_minor=SPENT_MINOR, reference=f"{card}-{number}")
            await demo.call(api.stamp, ask)
