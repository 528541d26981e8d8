"""Ways of delivery to try: by post, and by van in windows of the next days that are booked."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from isthmus.manifest import Demo

from . import api

DAYS: Final = 7  # of slots, from tomorrow
WINDOWS: Final = ((8, 10), (10, 12), (16, 18), (18, 20))  # hours, UTC
VANS: Final = 12  # deliveries in one window
DAY_MINUTES: Final = 1_440


async def load_post(demo: Demo) -> None:
    post = api.Rate(
        zone="everywhere",
        currency=_currency(demo),
        base_minor=499,
        free_from_minor=7_500,
        after_minutes=DAY_MINUTES,
        within_minutes=3 * DAY_MINUTES,
    )
    await demo.call(api.put_methods, api.PutMethods(items=(api.Method(code="post", name="By post", rates=(post,)),)))


async def load_van(demo: Demo) -> None:
    rate = api.Rate(zone="everywhere", currency=_currency(demo), base_minor=299, free_from_minor=5_000)
    van = api.Method(code="van", name="By our van", needs_slot=True, rates=(rate,))
    today = demo.now.replace(hour=0, minute=0, second=0, microsecond=0)
    slots = tuple(
        api.NewSlot(
            method=van.code,
            starts_at=today + timedelta(days=day, hours=begins),
            ends_at=today + timedelta(days=day, hours=ends),
            capacity=VANS,
        )
        for day in range(1, DAYS + 1)
        for begins, ends in WINDOWS
    )
    await demo.call(api.put_methods, api.PutMethods(items=(van,)))
    await demo.call(api.open_slots, api.OpenSlots(items=slots))


def _currency(demo: Demo) -> str:
    return demo.goods[0].price.currency
