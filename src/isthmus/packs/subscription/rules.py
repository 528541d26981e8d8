"""When a subscription is ordered next: pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from isthmus.values import Money

from . import api


def next_after(due_at: datetime, every_days: int, now: datetime) -> datetime:
    """Return the period after one; of those that went by meanwhile, as while servers were down, none is made up for."""
    every = timedelta(days=every_days)
    if due_at + every > now:
        return due_at + every
    return due_at + every * ((now - due_at) // every + 1)


def resumed_at(next_at: datetime, every_days: int, now: datetime) -> datetime:
    """Return which period a subscription goes on with: the next that is still to come."""
    return next_at if next_at > now else next_after(next_at, every_days, now)


def kept_lines(wanted: api.SubscribedLines, agreed: tuple[Money, ...]) -> tuple[api.KeptLine, ...]:
    """Return lines as they are kept, with what was agreed for each where it was."""
    prices = agreed or (None,) * len(wanted)
    return tuple(
        api.KeptLine(sku=one.sku, quantity=one.quantity, attributes=one.attributes, agreed=price)
        for one, price in zip(wanted, prices, strict=True)
    )


def end_of(outcome: str, *, is_tried_again: bool) -> api.PeriodState:
    """Return how a period stands after its payment was tried."""
    return api.PeriodState.PLACED if outcome == "refused" and is_tried_again else api.PeriodState(outcome)
