"""Accounts, as others may name them: what they are called, who owns them, what stands on them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import CurrencyCode, Minor, Moment, Money, PageSize

from .errors import AccountHasLegs, BadCursor, UnknownAccount, WrongLimits

ASSETS: Final = ("assets", "expenses")  # a debit makes more of them; of liabilities, income and equity a credit does

AccountCode = Annotated[
    str,
    Meta(
        pattern=r"^(assets|liabilities|income|expenses|equity)(:[a-z0-9][a-z0-9-]*)+\Z",
        max_length=160,
        description="what kind of account, and its place in the chart, such as assets:clearing:card",
    ),
]
Owner = Annotated[
    str,
    Meta(
        pattern=r"^((front-end|seller|member|provider)/[\x21-\x7e]+)?\Z",
        max_length=80,
        description="whose account of this code, such as seller/17; nobody's in particular where it is empty",
    ),
]


class AccountRef(Value):
    """An account: a code, whose it is, and a currency."""

    code: AccountCode
    currency: CurrencyCode
    owner: Owner = ""


class OpenAccount(AccountRef):
    """Open an account with a name, and with limits where it is to have any.

    least and greatest are in minor units and in the account's natural direction: what assets and expenses have, what
    liabilities, income and equity owe. 0 is never below zero, -5000 is a credit of 50.00.
    """

    name: Annotated[str, Meta(max_length=120)] = ""
    least: Minor | None = None
    greatest: Minor | None = None


class ChangeLimits(AccountRef):
    """Change the limits of an account that was opened with one."""

    least: Minor | None = None
    greatest: Minor | None = None


class Account(AccountRef):
    """An account as it was opened."""

    name: str
    is_limited: bool
    least: int | None
    greatest: int | None


class GetBalance(AccountRef):
    """Ask what stands on an account: now, at a moment as it was booked then, or at the end of a day by value date."""

    at: Moment | None = None
    on: date | None = None


class Balance(Value):
    """What stands on an account. posted is signed as legs are; available is in its natural direction.

    available is what can be taken: posted, less what pending entries will take, and nothing for what they may bring.
    """

    code: str
    owner: str
    posted: Money
    pending_debit: Money
    pending_credit: Money
    available: Money


class ListAccounts(Value):
    """List accounts with their balances, in the order of their codes: those below a code, or of an owner."""

    below: Annotated[str, Meta(max_length=160)] = ""
    owner: Owner | None = None
    limit: PageSize = 100
    cursor: str | None = None


class AccountPage(Value):
    """Some accounts, and how to go on."""

    items: tuple[Balance, ...]
    next_cursor: str | None


class Fold(Value):
    """Sum up what was booked since the last time."""


class Folded(Value):
    """How many legs were summed up."""

    legs: int


@capability("ledger.open-account", version="1.0", effect=Effect.WRITE, raises=[AccountHasLegs, WrongLimits])
def open_account(ask: OpenAccount) -> Account:
    """Open an account. Safe to repeat; other accounts open by themselves with their first leg, without limits."""
    ...


@capability("ledger.set-limits", version="1.0", effect=Effect.WRITE, raises=[UnknownAccount, WrongLimits])
def set_limits(ask: ChangeLimits) -> Account:
    """Change limits. They hold from here on; refused where the balance is outside of them."""
    ...


@capability("ledger.get-balance", version="1.0", effect=Effect.READ, raises=[UnknownAccount])
def get_balance(ask: GetBalance) -> Balance:
    """Return what stands on an account. It is the sum of its legs, whoever books at the same moment."""
    ...


@capability("ledger.list-accounts", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_accounts(ask: ListAccounts) -> AccountPage:
    """List accounts with what stands on them."""
    ...


@capability("ledger.fold", version="1.0", effect=Effect.WRITE, deadline_ms=30_000)
def fold(ask: Fold) -> Folded:
    """Sum legs up, so that a balance is found in a moment. Changes no balance; safe in several places at once."""
    ...
