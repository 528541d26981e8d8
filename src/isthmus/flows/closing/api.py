"""Closing the books of a front end: a checklist over ledger, settlement and reconciliation, and closing with it.

check ──▶ all done ──close──▶ days are closed
      └─▶ something open ──▶ do it, or close with `despite` and the reason, which is kept
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from isthmus.kernel import Effect, Meta, Value, errors, flow
from isthmus.packs.ledger import api as ledger
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement
from isthmus.values import Money

Check = Literal["books-balance", "pending-entries", "differences", "settlements-to-approve", "files-to-send"]


class GetChecklist(Value):
    """Ask what is still to be done before all days up to one are closed."""

    closed_through: date


class Checked(Value):
    """One thing that is looked at. open: how many there are; fifty where there are more."""

    check: Check
    is_done: bool
    open: int


class Standing(Value):
    """What stands at the end of the last day: what is paid and not delivered, what points are worth, tax by place."""

    code: str
    amount: Money


class Checklist(Value):
    """Everything that is looked at before days are closed, and what will stand in the books then."""

    closed_through: date
    items: tuple[Checked, ...]
    is_ready: bool
    deferred_revenue: tuple[Money, ...]  # paid and not delivered
    points: tuple[Money, ...]  # what members' points are worth
    taxes: tuple[Standing, ...]  # owed to tax offices, by jurisdiction and category


class Close(Value):
    """Close all days up to one. despite: why, where not everything is done."""

    closed_through: date
    despite: Annotated[str, Meta(max_length=200)] = ""


class NotReady(errors.RuleBroken):
    """Something is still to be done before the days are closed."""

    slug = "closing.not-ready"

    def __init__(self, *, closed_through: date, open: tuple[str, ...]) -> None:
        super().__init__(
            f"days through {closed_through} are not ready to be closed: {', '.join(open)}",
            remedy="see closing.get-checklist, or say in $.despite why they are closed all the same",
            path="$.closed_through",
            open=list(open),
        )


_USES = (
    ledger.trial_balance,
    ledger.list_entries,
    reconciliation.list_differences,
    settlement.list_settlements,
)


@flow("closing.get-checklist", version="1.0", effect=Effect.READ, uses=[*_USES], deadline_ms=30_000)
def get_checklist(ask: GetChecklist) -> Checklist:
    """Return what is still to be done before days are closed, and what stands in the books at their end."""
    ...


@flow(
    "closing.close",
    version="1.0",
    effect=Effect.WRITE,
    uses=[*_USES, ledger.close_period],
    raises=[NotReady],
    deadline_ms=30_000,
)
def close(ask: Close) -> ledger.Period:
    """Close days once everything is done; later bookings are refused, or go on the first open day."""
    ...
