"""What is declared of costs in `[cost]` of the settings, with a default for each: prices are nobody's to observe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Self, cast

from isthmus.kernel import errors
from isthmus.values import decimals

_AMOUNT: Final = re.compile(r"\d{1,12}(\.\d{1,4})? [A-Z]{3}")


class WrongCosts(errors.BadAsk):
    """What the settings say of costs cannot be read."""

    slug = "governance.wrong-costs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """An amount in the currency's minor unit: what the whole platform costs in a month."""

    currency: str
    minor: int

    @property
    def whole(self) -> float:
        """Return the amount in whole units."""
        return self.minor / 10 ** decimals(self.currency)

    def part(self, share: float) -> dict[str, Any]:
        """Return a share of it, as amounts are written."""
        return {"currency": self.currency, "minor": round(self.minor * share)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What is declared; `assumed` names those that have their default.

    month: what the platform costs, or nothing. processor, database, storage: parts of it, together 1: what clouds bill
    a database-bound service is about so. team_day: what a day of a team costs. lines_per_day: lines of code that a team
    brings to production a day, tests and all else included; 10 to 50 is reported, and 25 is kind to building alone.
    upkeep: of what something cost to build, a year; 15 to 20 % is usual. years: after which it is built anew.
    rented_month: what a shop system for rent costs a front end a month; rented_order: and an order.
    """

    month: Price | None = None
    processor: float = 0.5
    database: float = 0.3
    storage: float = 0.2
    team_day: float = 600.0
    lines_per_day: float = 25.0
    upkeep: float = 0.2
    years: float = 3.0
    rented_month: float = 2_300.0
    rented_order: float = 0.0
    assumed: frozenset[str] = field(default_factory=frozenset[str])

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """Read the section. Raises WrongCosts."""
        month = price(said["month"]) if said.get("month") else None
        amounts = {name: _amount(name, said[name], month) for name in _AMOUNTS if said.get(name)}
        numbers = {name: _number(name, said[name]) for name in _NUMBERS if name in said}
        found = cls(month=month, **amounts, **numbers, assumed=frozenset(set(NAMES) - set(said)))
        if abs(found.processor + found.database + found.storage - 1) > 0.001:
            whole = found.processor + found.database + found.storage
            raise WrongCosts(f"cost.processor, database and storage come to {whole:g}", remedy="make it 1")
        return found

    @property
    def currency(self) -> str:
        """Return the currency that amounts are in."""
        return self.month.currency if self.month else "EUR"

    def amount(self, value: float) -> dict[str, Any]:
        """Return an amount in the currency, as amounts are written."""
        return {"currency": self.currency, "minor": round(value * 10 ** decimals(self.currency))}


NAMES: Final = ("month", "team_day", "rented_month", "rented_order", "processor", "database", "storage",
    "lines_per_day", "upkeep", "years")  # fmt: skip
_AMOUNTS: Final = ("team_day", "rented_month", "rented_order")
_NUMBERS: Final = ("processor", "database", "storage", "lines_per_day", "upkeep", "years")


def price(text: str, name: str = "month") -> Price:
    """Read an amount as it stands in the settings: `1200 EUR`. Raises WrongCosts."""
    if not (isinstance(cast(object, text), str) and _AMOUNT.fullmatch(text)):
        remedy = 'give an amount and a currency of ISO 4217, such as "1200 EUR"'
        raise WrongCosts(f"cost.{name} = {text!r}", remedy=remedy)
    amount, _, currency = text.partition(" ")
    return Price(currency=currency, minor=int(Decimal(amount).scaleb(decimals(currency))))


def _amount(name: str, text: Any, month: Price | None) -> float:
    """Return an amount in whole units of the month's currency."""
    found = price(text, name)
    if month is not None and found.currency != month.currency:
        remedy = "give all amounts in one currency"
        raise WrongCosts(f"cost.{name} is in {found.currency}, and cost.month in {month.currency}", remedy=remedy)
    return float(text.partition(" ")[0])


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (name in _POSITIVE and not value):
        raise WrongCosts(f"cost.{name} = {value!r}", remedy="give a number above 0")
    return float(value)


_POSITIVE: Final = ("lines_per_day", "years")
