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
from isthmus.values import Code, Money, check_days

ROWS_MAX = 500  # front ends, each with what it used
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
    breakage: tuple[Money, ...]  # what of it is expected to lapse: as much as lapsed of what was owed no more so far
    taxes: tuple[Standing, ...]  # owed to tax offices, by jurisdiction and category


class Close(Value):
    """Close all days up to one. despite: why, where not everything is done."""

    closed_through: date
    despite: Annotated[str, Meta(max_length=200)] = ""


class GetTaxReturn(Value):
    """Ask for the figures of a tax return, by value date: from a day through another."""

    since: date
    until: date

    def __check__(self, path: str) -> None:
        check_days(self.since, self.until, path)


class TaxReturnLine(Value):
    """What was delivered, less what came back, that was taxed alike. base and tax together are what was charged.

    taxed_at: the rate in percent, or the code of why there is none; empty where it is not known.
    """

    jurisdiction: str
    category: str
    taxed_at: str
    base: Money
    tax: Money


class LeftOut(Value):
    """An entry of goods that keeps no taxable base."""

    reference: str
    subject: str
    value_date: date


class TaxReturn(Value):
    """The figures of a tax return, each from the memo accounts below `equity:turnover`, which lead to its entries.

    gross: what was charged in all, by currency. Each line is taxed as it was sold, so what comes back lessens the base
    and the tax of the rate that it was sold at. Left out is what has no base, and from when on all has: entries that
    were booked before there were any, or by a rule of one's own that keeps none.
    """

    since: date
    until: date
    lines: tuple[TaxReturnLine, ...]
    gross: tuple[Money, ...]
    left_out: tuple[LeftOut, ...]  # the latest; fifty where there are more
    complete_from: date  # from this day on no entry is without


class CostRow(Value):
    """A row of a bill as FOCUS has it (`isthmus cost`): what one front end used of one service.

    effective_cost: its share, in any unit that is the same for all rows: costs, seconds.
    """

    sub_account_id: Code
    service_name: Annotated[str, Meta(min_length=1, max_length=100)]
    effective_cost: Annotated[str, Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,18})?\Z")]


class AllocateCost(Value):
    """Have front ends bear what they used of a cost that this one was billed. since, until: the days it is for."""

    reference: Annotated[str, Meta(min_length=1, max_length=60)]
    billed: Money
    since: date
    until: date
    rows: Annotated[tuple[CostRow, ...], Meta(min_length=1, max_length=ROWS_MAX)]
    account: ledger.AccountCode = "expenses:platform"  # that the bill was booked on


class CostShare(Value):
    """What a row comes to; reference: of its entry, empty where it is one's own or comes to nothing."""

    sub_account_id: str
    service_name: str
    billed_cost: Money
    reference: str


class CostShares(Value):
    """The rows as they were booked: their costs add up to what was billed, to the cent."""

    items: tuple[CostShare, ...]


class NoShares(errors.RuleBroken):
    """Nothing was measured, or what was billed is nothing, so it cannot be divided."""

    slug = "closing.no-shares"

    def __init__(self, *, reference: str, reason: str) -> None:
        super().__init__(
            f"{reference!r} cannot be divided: {reason}",
            remedy="send an amount above zero, a row once for each front end and service, and one above zero",
            path="$.rows",
        )


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
    "closing.tax-return",
    version="1.0",
    effect=Effect.READ,
    uses=[ledger.trial_balance, ledger.list_entries],
    deadline_ms=30_000,
)
def tax_return(ask: GetTaxReturn) -> TaxReturn:
    """Return taxable base and tax by jurisdiction, category and rate, as a tax return asks for them.

    Tax counts on the day on which goods leave, and lessens on the day on which they come back. What is given back by
    hand, a fee for a cancelled order and a deposit that stays are no turnover here.
    """
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


@flow(
    "closing.allocate-cost",
    version="1.0",
    effect=Effect.WRITE,
    uses=[ledger.post, ledger.claim],
    raises=[NoShares, ledger.WrongLeg, ledger.ReferenceUsed, ledger.BoundExceeded, ledger.PeriodClosed],
    deadline_ms=30_000,
)
def allocate_cost(ask: AllocateCost) -> CostShares:
    """Book what each front end bears of a bill: an entry for each row, by largest remainder, all of them or none.

    What others bear leaves the account, and they book their side of it; one's own share stays. Safe to repeat; other
    rows or another amount under the same reference are refused.
    """
    ...
