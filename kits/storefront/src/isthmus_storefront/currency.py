"""The one currency that a shop sells in, and how amounts of it are written."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency with its sign; yen have no decimals, dinars three."""

    code: str = "USD"
    sign: str = "$"
    decimals: int = 2

    def amount(self, money: dict[str, Any]) -> str:
        """Return money as people write it: `$3.49`."""
        minus = "−" if money["minor"] < 0 else ""
        return minus + self.written(Decimal(abs(money["minor"])))

    def written(self, minor: Decimal) -> str:
        """Return an amount of minor units with the sign and decimals, rounded to them."""
        return f"{self.sign}{minor.scaleb(-self.decimals):,.{self.decimals}f}"


DOLLARS = Currency()
