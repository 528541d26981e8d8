"""Closed days, as others may name them: what is closed stays as it is."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.values import Moment

from .errors import NothingToReopen

Reason = Annotated[str, Meta(min_length=1, max_length=240)]


class GetPeriod(Value):
    """Ask which days are closed."""


class ClosePeriod(Value):
    """Close all days up to one, and with it."""

    closed_through: date
    reason: Reason


class ReopenPeriod(Value):
    """Open the days after one again; none: all of them."""

    closed_through: date | None
    reason: Reason


class Closing(Value):
    """Who closed or opened what, and why."""

    closed_through: date | None
    at: Moment
    by: str
    reason: str


class Period(Value):
    """Which days are closed, and how that came about, the latest first."""

    closed_through: date | None
    history: tuple[Closing, ...]


@event("ledger.period-moved", version="1.0", subject="reason")
class PeriodMoved(Value):
    """Days were closed, or opened again."""

    closed_through: date | None
    reason: str


@capability("ledger.get-period", version="1.0", effect=Effect.READ)
def get_period(ask: GetPeriod) -> Period:
    """Return which days are closed."""
    ...


@capability("ledger.close-period", version="1.0", effect=Effect.WRITE, raises=[NothingToReopen])
def close_period(ask: ClosePeriod) -> Period:
    """Close days. Whoever is booking on them comes first; whoever comes later is refused, or books on the next day."""
    ...


@capability("ledger.reopen-period", version="1.0", effect=Effect.WRITE, raises=[NothingToReopen])
def reopen_period(ask: ReopenPeriod) -> Period:
    """Open days again; who did it and why is kept."""
    ...
