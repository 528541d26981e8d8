"""What front ends would pay without the platform: building alone, or renting, beside what they are charged. Pure.

Building alone costs a front end the lines of the packs that it uses, at what a team brings to production a day, spread
over the years until it is built anew, and upkeep. What it wrote to use the platform is the cost of reuse. Of the whole
group, the first front end of each pack would have had to build it anyway: those beyond it count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .inputs import Inputs

MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What a front end pays a month, and what it would: in whole units of the currency.

    charged: its part of the platform. written: what it wrote itself to use it. alone: what it would cost to build what
    it uses. rented: to rent a shop system. packs: how many it uses; lines: in how many lines of code.
    """

    front_end: str
    charged: float
    written: float
    alone: float
    rented: float
    orders: int
    packs: int
    lines: int

    @property
    def cheapest(self) -> float:
        """Return the cheaper of building alone and renting."""
        return min(self.alone, self.rented)

    @property
    def avoided(self) -> float:
        """Return what it saves a month against the cheaper of the two."""
        return self.cheapest - self.charged - self.written

    @property
    def make_or_reuse(self) -> float | None:
        """Return what it pays of what building alone would cost; above 0.8 for long, building alone is worth a look."""
        return (self.charged + self.written) / self.alone if self.alone else None

    @property
    def unit_cost(self) -> float | None:
        """Return what the platform charges for an order, or None where there was none."""
        return self.charged / self.orders if self.orders else None


def alternatives(
    inputs: Inputs,
    charged: Mapping[str, float],
    orders: Mapping[str, int],
    used: Mapping[str, frozenset[str]],
    pack_lines: Mapping[str, int],
    own_lines: Mapping[str, int],
) -> list[Alternative]:
    """Compare, for each front end. used: the packs that its calls reach. Lines are lines of code."""
    return [
        Alternative(
            front_end=code,
            charged=charged.get(code, 0.0),
            written=monthly(inputs, own_lines.get(code, 0)),
            alone=monthly(inputs, lines := sum(pack_lines.get(pack, 0) for pack in packs)),
            rented=inputs.rented_month + inputs.rented_order * orders.get(code, 0),
            orders=orders.get(code, 0),
            packs=len(packs),
            lines=lines,
        )
        for code, packs in used.items()
    ]


def monthly(inputs: Inputs, lines: int) -> float:
    """Return what lines of code cost a month: built over the years until they are built anew, and kept up."""
    built = lines / inputs.lines_per_day * inputs.team_day
    return built * (1 / (MONTHS * inputs.years) + inputs.upkeep / MONTHS)


def avoided(
    inputs: Inputs, found: list[Alternative], used: Mapping[str, frozenset[str]], lines: Mapping[str, int]
) -> float:
    """Return what the group saves a month: each pack once for each front end beyond its first, less what reuse costs.

    The platform's own upkeep is taken off too: somebody keeps the one copy up.
    """
    users = {pack: sum(pack in packs for packs in used.values()) for pack in lines}
    saved = sum((count - 1) * monthly(inputs, lines[pack]) for pack, count in users.items() if count > 1)
    upkeep = sum(lines[pack] for pack, count in users.items() if count) / inputs.lines_per_day * inputs.team_day
    return saved - sum(one.written for one in found) - upkeep * inputs.upkeep / MONTHS
