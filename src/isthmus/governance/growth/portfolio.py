"""The portfolio for who pays: money and people by horizon, what must come from where, what stops, and what if.

All lines are summed as they are forecast, each by its own curve. What the group needs to keep its growth is what it had
grown by over as long a time as is seen, up to a year; what its lines do not bring must come from something new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from isthmus.kernel import Value, errors
from isthmus.language import mark

from .asked import QUARTER_WEEKS, WEEK
from .launches import Begun, Budget, Lead
from .lines import HORIZONS, Line
from .movements import Movement
from .reading import Stage

YEAR_WEEKS: Final = 52
NEVER_SEEN: Final = mark("every line was there in the first weeks that are seen: how a new one grows is not known")
BEGAN_LATER: Final = 4  # weeks after the first that is seen: a line was not there before


class Holding(Value):
    """What one horizon holds: its lines, what they came to in the last quarter, what they are forecast to, and people.

    share: of the group's sales. ahead: what the lines come to in a quarter a year on. buyers: who bought in the last
    quarter; one who buys at two front ends counts at both. makers: who deployed the lines within a year. budgets: what
    lines may spend by their charters and have spent, by currency.
    """

    horizon: str
    lines: tuple[str, ...]
    sales: float
    share: float
    ahead: float
    buyers: int
    makers: int
    budgets: tuple[Budget, ...] = ()


class Part(Value):
    """What a line is forecast to bring to the change of the group until then, in a quarter's sales."""

    code: str
    now: float
    ahead: float
    adds: float


class Needed(Value):
    """What the group's growth needs: a quarter's sales now, and so many weeks on.

    grew: by which share the group's quarter grew over as many weeks. ahead: what all lines together are forecast to.
    gap: what must come from something new; less than nothing where lines bring more.
    """

    weeks: int
    grew: float
    now: float
    target: float
    ahead: float
    gap: float
    parts: tuple[Part, ...]


class Path(Value):
    """What a venture comes to that begins so many weeks from now: by the week over two years, in all, by the target."""

    starts_in: int
    first_revenue: date
    weeks: tuple[float, ...]
    at_target: float
    total: float


class WhatIf(Value):
    """A venture that grows as a line did that was seen to begin: now, or in a year. costs: sales that waiting costs."""

    like: str
    now: Path
    later: Path
    costs: float


class Portfolio(Value):
    """All of it in one metric. stops: lines that ended or shrink, with what they still come to in a quarter."""

    metric: str
    unit: str
    holdings: tuple[Holding, ...]
    needed: Needed | None
    stops: tuple[Part, ...]
    what_if: WhatIf | None
    why_not: str = ""


def portfolio(
    lines: Sequence[Line],
    metric: str,
    movements: Sequence[Movement],
    begun: Mapping[str, Begun],
    lead: Lead,
    like: str = "",
    buyers: Mapping[str, int] = {},
) -> Portfolio | None:
    """Return the portfolio of one metric; None where no whole week of it has landed.

    like: the line that a venture is assumed to grow as; the one that began last where nobody says. buyers: who bought
    at lines that movements do not tell of. Raises BadAsk where that line was not seen to begin.
    """
    group = next((one for one in lines if one.metric == metric and not one.code), None)
    if group is None:
        return None
    own = [one for one in lines if one.code and one.cut == "front_end" and (one.metric == metric or _is_sales(one))]
    bought = {**buyers} | {one.code: one.known.people + one.came.people + one.new.people for one in movements}
    needed = _needed([one for one in own if not one.is_venture], group)
    imagined = what_if(lines, metric, lead, needed, like)
    return Portfolio(
        metric=metric,
        unit=group.unit,
        holdings=tuple(_holding(horizon, own, bought, begun) for horizon in HORIZONS),
        needed=needed,
        stops=tuple(_part(one) for one in own if one.growth.stage in (Stage.SHRINKING, Stage.ENDED)),
        what_if=imagined,
        why_not="" if imagined else NEVER_SEEN,
    )


def _is_sales(one: Line) -> bool:
    """Return whether a venture's line is money: of others packs say how many."""
    return one.is_venture and one.unit.isupper()


def _holding(horizon: str, own: Sequence[Line], bought: Mapping[str, int], begun: Mapping[str, Begun]) -> Holding:
    whole = sum(one.late() for one in own)
    found = [one for one in own if one.horizon == horizon]
    sales = sum(one.late() for one in found)
    made = [begun[one.code] for one in found if one.code in begun]
    return Holding(
        horizon=horizon,
        lines=tuple(one.code for one in found),
        sales=sales,
        share=sales / whole if whole > 0 else 0.0,
        ahead=sum(_ahead(one, YEAR_WEEKS) for one in found),
        buyers=sum(bought.get(one.code, 0) for one in found),
        makers=sum(one.people for one in made),
        budgets=_added([one.budget for one in made if one.budget]),
    )


def _added(budgets: Sequence[Budget]) -> tuple[Budget, ...]:
    """Return budgets added up, one for each currency."""
    return tuple(
        Budget(
            currency=currency,
            granted=sum(one.granted for one in budgets if one.currency == currency),
            spent=sum(one.spent for one in budgets if one.currency == currency),
        )
        for currency in sorted({one.currency for one in budgets})
    )


def _ahead(one: Line, weeks: int) -> float:
    """Return what a line is forecast to come to in the quarter that ends so many weeks on."""
    return sum(one.growth.ahead[weeks - QUARTER_WEEKS : weeks])


def _part(one: Line, weeks: int = YEAR_WEEKS) -> Part:
    now, ahead = one.late(), _ahead(one, weeks)
    return Part(code=one.code, now=now, ahead=ahead, adds=ahead - now)


def _needed(own: Sequence[Line], group: Line) -> Needed | None:
    """Return what the group needs; None where less than two quarters are seen."""
    weeks = min(YEAR_WEEKS, len(group.values) - QUARTER_WEEKS)
    then, now = group.late(before=weeks), group.late()
    if weeks < QUARTER_WEEKS or then <= 0:
        return None
    target, parts = now * max(now / then, 1.0), tuple(_part(one, weeks) for one in own)
    ahead = sum(one.ahead for one in parts)
    return Needed(
        weeks=weeks, grew=now / then - 1, now=now, target=target, ahead=ahead, gap=target - ahead, parts=parts
    )


def what_if(lines: Sequence[Line], metric: str, lead: Lead, needed: Needed | None, like: str = "") -> WhatIf | None:
    """Return what a venture comes to that grows as a line did; the one that began last where nobody says which.

    None where no line was seen to begin. Raises BadAsk where that one was not.
    """
    group = next(one for one in lines if one.metric == metric and not one.code)
    seen = {one.code: one for one in seen_to_begin(lines, metric)}
    if like and like not in seen:
        raise errors.BadAsk(
            f"line {like!r} was not seen to begin{errors.near(like, seen)}",
            remedy=f"choose {', '.join(seen)}" if seen else "leave it out: all lines were there from the first week on",
        )
    if not seen:
        return None
    latest = max(seen.values(), key=lambda one: (one.first + _first(one) * WEEK, one.code))
    return _what_if(seen[like] if like else latest, group, lead, needed)


def seen_to_begin(lines: Sequence[Line], metric: str) -> list[Line]:
    """Return the lines that began after the first weeks that are seen: how they grew from nothing is known."""
    group = next(one for one in lines if one.metric == metric and not one.code)
    own = [one for one in lines if one.code and one.cut == "front_end" and (one.metric == metric or _is_sales(one))]
    late = [one for one in own if _first(one) + (one.first - group.first) // WEEK >= BEGAN_LATER]
    return [one for one in late if any(one.values)]


def _first(one: Line) -> int:
    return next((at for at, value in enumerate(one.values) if value > 0), 0)


def _what_if(like: Line, group: Line, lead: Lead, needed: Needed | None) -> WhatIf:
    grown = (*like.values[_first(like) :], *like.growth.ahead)
    target = needed.weeks if needed else YEAR_WEEKS
    today = group.first + len(group.values) * WEEK

    def path(starts_in: int) -> Path:
        silent = starts_in + -(-lead.days // WEEK.days)
        weeks = ((0.0,) * silent + grown)[: len(group.growth.ahead)]
        return Path(
            starts_in=starts_in, first_revenue=today + silent * WEEK, weeks=weeks,
            at_target=sum(weeks[max(target - QUARTER_WEEKS, 0) : target]), total=sum(weeks),
        )  # fmt: skip

    now, later = path(0), path(YEAR_WEEKS)
    return WhatIf(like=like.code, now=now, later=later, costs=now.total - later.total)
