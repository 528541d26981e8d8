"""Budgets of promotions are held in the books of whose promotion it is, and orders reserve on them.

    promotion.promotion-changed   ──▶ fund: an account that never goes below zero has the budget
    promotion.budget-used         ──▶ reserve: a pending entry, in the transaction of the order
    promotion.uses-returned       ──▶ release: voided, or reversed where it counts already
    every minute                  ──▶ settle: what is paid for is posted; uses at other front ends are brought over

    equity:budgets:…          what is left, and no less than nothing
    equity:budgets-given:…    what was given to the promotion
    equity:budgets-used:…     what orders used; pending until they are paid

All three are equity and add up to zero: a budget is a limit that was decided, and no expense. What a discount costs is
booked when goods leave.
"""

from __future__ import annotations

from typing import Annotated

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Effect, Meta, Value, flow
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.packs.promotion import api as promotion

SETTLED_MAX = 1_000
_ACCOUNTS = (ledger.open_account, ledger.get_balance, ledger.list_accounts, ledger.post)


class SettleBudgets(Value):
    """Post what is reserved for orders that are paid, and bring over what other front ends used."""

    limit: Annotated[int, Meta(ge=1, le=SETTLED_MAX)] = SETTLED_MAX


class SettledBudgets(Value):
    """How many reservations were posted, and how many budgets were brought to what other front ends used."""

    posted: int
    adjusted: int


@flow(
    "budgets.fund",
    version="1.0",
    effect=Effect.WRITE,
    uses=[promotion.get_promotion, *_ACCOUNTS],
    is_internal=True,
)
def fund(ask: promotion.PromotionChanged) -> bookkeeping.Booked:
    """Give a promotion its budget in the books, or what was raised or taken of it."""
    ...


@flow(
    "budgets.reserve",
    version="1.0",
    effect=Effect.WRITE,
    uses=[promotion.get_promotion, *_ACCOUNTS],
    raises=[promotion.BudgetExhausted],
    is_internal=True,
)
def reserve(ask: promotion.BudgetUsed) -> bookkeeping.Booked:
    """Reserve what an order uses of a budget; more than is left undoes the order.

    What another front end's promotion bears is its owner's to hold: the promotion itself stops it until that is known.
    """
    ...


@flow(
    "budgets.release",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.list_entries, ledger.void_pending, ledger.reverse],
    is_internal=True,
)
def release(ask: promotion.UsesWereReturned) -> bookkeeping.Booked:
    """Let go what an order had reserved, and undo what was posted of it."""
    ...


@flow(
    "budgets.true-up",
    version="1.0",
    effect=Effect.WRITE,
    uses=[promotion.hold_promotion, ledger.get_balance, ledger.post],
    is_internal=True,
)
def true_up(ask: promotion.GetPromotion) -> bookkeeping.Booked:
    """Bring the budget of a promotion to what all front ends used of it, while nobody uses more."""
    ...


@flow(
    "budgets.settle",
    version="1.0",
    effect=Effect.SAGA,
    uses=[
        promotion.list_promotions,
        promotion.get_promotion,
        order.get_group,
        ledger.list_entries,
        ledger.get_balance,
        ledger.post_pending,
        true_up,
    ],
    deadline_ms=30_000,
)
def settle(ask: SettleBudgets) -> SettledBudgets:
    """Post what is reserved for orders that are paid, and bring over what other front ends used. Safe to repeat."""
    ...
