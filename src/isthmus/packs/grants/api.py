"""Grants, as others may name them: an owner lets another front end read or use rows of its own.

    give ──▶ standing ──withdraw, another of the same, or its end──▶ past (kept as the history)

What can be shared, packs say in their migrations (`select isthmus.lend('…')`): a location of inventory, a programme of
members, a promotion. `read` shows it; `use` lets sell from it, redeem it, earn in it, within the bounds of the grant.
Without a grant a row is neither seen nor counted, and what is said of it is what is said of a row that is not there.
"""

# pyright: reportUnusedImport=false

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.store.sharing import (
    Choice,
    Draft,
    Grant,
    NothingToShare,
    SharedWithOneself,
    UnknownBound,
    UnknownGrant,
)


class WithdrawGrant(Value):
    """Take a grant back."""

    grant_id: UUID
    because: Annotated[str, Meta(max_length=240)] = ""


class Grants(Value):
    """Grants, the latest first."""

    items: tuple[Grant, ...]


@capability("grants.give", version="1.0", effect=Effect.WRITE, raises=[NothingToShare, UnknownBound, SharedWithOneself])
def give(ask: Draft) -> Grant:
    """Grant rows of one's own to another front end, from now on.

    A grant of the same to the same front end takes the place of the one before, which stays in the history. What a
    grant lets do is done by the pack whose rows they are: its documentation says what the bounds mean.
    """
    ...


@capability("grants.withdraw", version="1.0", effect=Effect.WRITE, raises=[UnknownGrant])
def withdraw(ask: WithdrawGrant) -> Grant:
    """Take a grant back at once. What was promised under it while it stood is kept. Safe to repeat."""
    ...


@capability("grants.list-grants", version="1.0", effect=Effect.READ)
def list_grants(ask: Choice) -> Grants:
    """List the grants that this front end gave, and those that it has from others."""
    ...
