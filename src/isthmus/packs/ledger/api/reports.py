"""Reports, as others may name them: what the accounts came to over a time, and the journal as text."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import Money, check_days

from .errors import BadCursor


class GetTrialBalance(Value):
    """Ask what accounts came to, by value date: from a day on, through a day; both may be left out.

    by_front_end: what an account has of other front ends is a line for each of them.
    """

    since: date | None = None
    until: date | None = None
    by_front_end: bool = False

    def __check__(self, path: str) -> None:
        check_days(self.since, self.until, path)


class TrialLine(Value):
    """What an account came to, of all its owners together. opening and closing are signed: a debit is positive."""

    code: str
    opening: Money
    debit: Money
    credit: Money
    closing: Money
    owner: str = ""  # the other front end, where lines were asked for by it


class TrialBalance(Value):
    """Every account that moved, in the order of codes. difference: what all together come to, which is always zero."""

    lines: tuple[TrialLine, ...]
    difference: tuple[Money, ...]  # by currency


class StatementLine(Value):
    """What an account earned, cost, holds or owes."""

    code: str
    amount: Money


class Statement(Value):
    """Accounts of two or three kinds, each in its natural direction, and what is left of them by currency."""

    lines: tuple[StatementLine, ...]
    result: tuple[Money, ...]


class GetAges(Value):
    """Ask how old what stands on accounts below a code is at the end of a day: `liabilities:customers`, `assets`."""

    below: Annotated[str, Meta(min_length=1, max_length=160)]
    on: date | None = None


class AgedLine(Value):
    """What an account has open with an owner, in its natural direction, by the days since it began.

    What makes less of it settles the oldest first.
    """

    code: str
    owner: str
    total: Money
    until_30: Money
    until_60: Money
    until_90: Money
    older: Money
    oldest: date


class Ages(Value):
    """Accounts with something open, in the order of their codes and owners."""

    lines: tuple[AgedLine, ...]


class ExportJournal(Value):
    """Ask for posted entries as text, in the order in which they count: plain-text accounting, or CSV."""

    since: date | None = None
    until: date | None = None
    form: Literal["beancount", "csv"] = "beancount"
    limit: Annotated[int, Meta(ge=1, le=5_000)] = 1_000
    cursor: str | None = None

    def __check__(self, path: str) -> None:
        check_days(self.since, self.until, path)


class Journal(Value):
    """A part of the journal: put the parts together, the first with its heading."""

    text: str
    next_cursor: str | None


@capability("ledger.trial-balance", version="1.0", effect=Effect.READ)
def trial_balance(ask: GetTrialBalance) -> TrialBalance:
    """Return what every account came to, with what it opened with and what moved it."""
    ...


@capability("ledger.income-statement", version="1.0", effect=Effect.READ)
def income_statement(ask: GetTrialBalance) -> Statement:
    """Return what was earned and spent over a time; the result is what is left of it."""
    ...


@capability("ledger.balance-sheet", version="1.0", effect=Effect.READ)
def balance_sheet(ask: GetTrialBalance) -> Statement:
    """Return what is held and owed at the end of a day; the result is what all was earned until then."""
    ...


@capability("ledger.age-balances", version="1.0", effect=Effect.READ, deadline_ms=30_000)
def age_balances(ask: GetAges) -> Ages:
    """Return how old receivables and payables are: what is open of each account and owner, by its age in days."""
    ...


@capability("ledger.export-journal", version="1.0", effect=Effect.READ, raises=[BadCursor], deadline_ms=30_000)
def export_journal(ask: ExportJournal) -> Journal:
    """Return the journal as text that other programs check: `bean-check` of Beancount accepts it."""
    ...
