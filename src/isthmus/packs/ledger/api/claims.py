"""Claims, as others may name them: what an entry of one front end has on accounts of another, for the other to book."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.values import Code

from .entries import EntryLeg, Reference
from .errors import UnknownEntry


class ClaimEntry(Value):
    """Have other front ends book their side of an entry; `kind_shown` none: they see its kind."""

    reference: Reference
    kind_shown: Code | None = None


class Claimed(Value):
    """How many legs of the entry are on accounts of other front ends."""

    legs: int


class TakeClaims(Value):
    """Take notice of what others booked on accounts of this front end."""

    limit: Annotated[int, Meta(ge=1, le=1_000)] = 200


class TakenClaims(Value):
    """How many entries of others were taken notice of."""

    claims: int


@event("ledger.claim-made", version="1.0", subject="claim")
class ClaimMade(Value):
    """Another front end booked something on accounts that it has for this one.

    The legs are its own, so a debit of `assets:front-ends` is owed here. What it was about stays there: `kind` says of
    what sort it was, and `claim` tells it apart.
    """

    claim: str
    from_front_end: str
    kind: str
    value_date: date
    legs: tuple[EntryLeg, ...]  # of one currency


@capability("ledger.claim", version="1.0", effect=Effect.WRITE, raises=[UnknownEntry])
def claim(ask: ClaimEntry) -> Claimed:
    """Have other front ends book their side of a posted entry, by its legs with an owner `front-end/…`.

    Safe to repeat: each leg is claimed once.
    """
    ...


@capability("ledger.take-claims", version="1.0", effect=Effect.WRITE, deadline_ms=30_000)
def take_claims(ask: TakeClaims) -> TakenClaims:
    """Take notice of claims, the first first, each once: `ledger.claim-made` tells of each. Safe in several places."""
    ...
