"""What one benefit takes off, line by line: pure, exact until one rounding for each discount.

`left` is what each line still costs, `room` what may still come off it (down to its floor). A discount is the sum of
its cuts, and no cut is larger than the room of its line. Where lines are equal in price, what they are decides and
never where they stand: `ranks` puts them in an order of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from isthmus.values import Money, allocated, rounded

from .. import api

WHOLE = 10_000  # basis points


@dataclass(frozen=True, slots=True)
class Cut:
    """So many minor units off a line, and why."""

    line: int
    minor: int
    reason: str


class Ranks:
    """The place of each line in an order that depends on what the lines are and not on where they stand.

    Made when it is first asked for: most baskets have no discount to share out.
    """

    __slots__ = ("_floors", "_lines", "_ranks")

    def __init__(self, lines: Sequence[api.PromotionLine], floors: Sequence[int]) -> None:
        self._lines, self._floors = lines, floors
        self._ranks: dict[int, int] = {}

    def __getitem__(self, at: int) -> int:
        if not self._ranks:
            self._ranks = {line: rank for rank, line in enumerate(sorted(range(len(self._lines)), key=self._said))}
        return self._ranks[at]

    def _said(self, at: int) -> tuple[object, ...]:
        line = self._lines[at]
        attributes = sorted(line.attributes.items())
        what = (line.sku, line.quantity, line.amount.minor, line.category, line.brand, line.seller)
        return *what, attributes, self._floors[at]


@dataclass(frozen=True, slots=True)
class State:
    """A basket in the middle of being discounted; indexes are those of the ask's lines."""

    lines: Sequence[api.PromotionLine]
    left: Sequence[int]
    room: Sequence[int]
    delivery_left: int
    ranks: Ranks


@dataclass(frozen=True, slots=True)
class Units:
    """Equal units of one line."""

    line: int
    count: int
    price: Fraction


Kind = tuple[int, ...]  # the parts of a bundle that a unit fits


@dataclass(slots=True)
class Places:
    """Places of the parts of bundles: how many are free in each, and by kind how many units stand in each."""

    free: list[int]
    held: dict[Kind, list[int]]

    def take(self, kind: Kind, count: int) -> int:
        """Take in up to so many units of a kind, moving others to parts that they fit as well; return how many."""
        taken = 0
        while taken < count and (way := self._way(kind)):
            moved = min(count - taken, self.free[way[-1][2]], *(self.held[one][at] for one, at, _ in way[1:]))
            for one, at, to in way:
                held = self.held.setdefault(one, [0] * len(self.free))
                held[to] += moved
                if at >= 0:
                    held[at] -= moved
            self.free[way[-1][2]] -= moved
            taken += moved
        return taken

    def _way(self, kind: Kind) -> list[tuple[Kind, int, int]]:
        """Return the shortest row of moves (kind, from, to) that ends in a free place, the first from outside."""
        came: dict[int, tuple[Kind, int]] = dict.fromkeys(kind, (kind, -1))
        reached = list(kind)
        for part in reached:
            if self.free[part]:
                way: list[tuple[Kind, int, int]] = []
                while part >= 0:
                    one, at = came[part]
                    way.append((one, at, part))
                    part = at
                return way[::-1]
            for one, held in self.held.items():
                for to in one if held[part] else ():
                    if to not in came:
                        came[to] = (one, part)
                        reached.append(to)
        return []


def matching(lines: Sequence[api.PromotionLine], goods: api.Selector) -> list[int]:
    """Return which lines are of these goods; a category means itself and all below it."""
    wanted = [
        (field, frozenset(names))
        for field, names in (
            ("sku", goods.skus),
            ("category", goods.categories),
            ("brand", goods.brands),
            ("seller", goods.sellers),
        )
        if names
    ]
    unwanted = [
        (field, frozenset(names))
        for field, names in (
            ("sku", goods.except_skus),
            ("category", goods.except_categories),
            ("brand", goods.except_brands),
        )
        if names
    ]
    found = [(at, line) for at, line in enumerate(lines)]
    for field, names in wanted:
        found = [(at, line) for at, line in found if not names.isdisjoint(_said(line, field))]
    for field, names in unwanted:
        found = [(at, line) for at, line in found if names.isdisjoint(_said(line, field))]
    for name, value in goods.attributes.items():
        found = [(at, line) for at, line in found if line.attributes.get(name) == value]
    return [at for at, _ in found]


def _said(line: api.PromotionLine, field: str) -> tuple[str, ...]:
    return (line.category, *line.categories) if field == "category" else (getattr(line, field),)


def cuts(benefit: object, selected: Sequence[int], state: State) -> list[Cut]:
    """Return what a benefit takes off lines; those of delivery are in `delivery_cut`."""
    match benefit:
        case api.PercentOff():
            return _percent_off(benefit, selected, state)
        case api.AmountOff():
            return _amount_off(benefit, selected, state)
        case api.BuyGet():
            return _buy_get(benefit, selected, state)
        case api.Threshold():
            return _threshold(benefit, selected, state)
        case api.Bundle():
            return _bundle(benefit, state)
        case _:
            return []


def delivery_cut(benefit: api.DeliveryOff, state: State) -> int:
    """Return what comes off the delivery fee."""
    return rounded(Fraction(state.delivery_left * benefit.basis_points, WHOLE))


def reached_step(benefit: api.Threshold, value: int) -> api.Step | None:
    """Return the highest step that goods of this value reach."""
    reached = [step for step in benefit.steps if step.at_least.minor <= value]
    return max(reached, key=lambda step: step.at_least.minor) if reached else None


def sets_of(benefit: api.BuyGet, selected: Sequence[int], state: State) -> int:
    """Return how often the goods are enough for what is to be bought, and got with it where it is of the same goods."""
    bought = sum(state.lines[line].quantity for line in selected)
    size = benefit.buy + benefit.get if benefit.gets is None else benefit.buy
    return min(bought // size, benefit.times_max or bought)


def bundles_there(benefit: api.Bundle, state: State) -> int:
    """Return how many bundles the goods are enough for, whatever they cost."""
    pool = _pool(benefit, state)
    wanted = sum(part.quantity for part in benefit.parts)
    fewest, most = 0, sum(units.count for units, _ in pool) // wanted
    most = min(most, benefit.times_max or most)
    while fewest < most:  # halving: a basket may hold a million units
        times = (fewest + most + 1) // 2
        fewest, most = (fewest, times - 1) if _dearest(benefit, times, pool) is None else (times, most)
    return fewest


def bundles_of(benefit: api.Bundle, state: State) -> tuple[int, list[Units]]:
    """Return as many bundles as take most off together, and the units that make them up.

    It is the best there is, however parts share goods. For so many bundles the dearest units count that fill their
    places (taken dearest first, moving others aside, no other choice is worth more); and each further bundle is worth
    no more than the one before, so that the first that does not pay is where to stop.
    """
    pool = _pool(benefit, state)
    fewest, most = 0, bundles_there(benefit, state)
    while benefit.price is not None and fewest < most:
        times = (fewest + most) // 2
        one_more = _worth(_dearest(benefit, times + 1, pool)) - _worth(_dearest(benefit, times, pool))
        fewest, most = (times + 1, most) if one_more > benefit.price.minor else (fewest, times)
    return most, _dearest(benefit, most, pool) or []


def amounts_in(promotion: api.Promotion) -> Iterator[Money]:
    """Yield every amount that a promotion names: all have to be in one currency."""
    benefit = promotion.benefit
    named: list[Money | None] = [promotion.budget, promotion.conditions.min_amount]
    match benefit:
        case api.PercentOff():
            named.append(benefit.at_most)
        case api.AmountOff():
            named.append(benefit.amount)
        case api.Threshold():
            named += [amount for step in benefit.steps for amount in (step.at_least, step.off)]
        case api.Bundle():
            named.append(benefit.price)
        case _:
            pass
    yield from (amount for amount in named if amount is not None)


def spread(total: int, exact: Mapping[int, Fraction], state: State, reason: str) -> list[Cut]:
    """Share out a total over lines in proportion to what is exactly due on each, and within the room of each.

    Where a line has too little room, the rest falls on the others; where all have, less than the total comes off.
    """
    lines = sorted(exact, key=state.ranks.__getitem__)
    rooms = [state.room[line] for line in lines]
    total = min(total, sum(rooms))
    if total <= 0:
        return []
    scale = lcm(*(part.denominator for part in exact.values()))
    parts = allocated(total, [int(exact[line] * scale) for line in lines])
    within = [min(part, most) for part, most in zip(parts, rooms, strict=True)]
    if rest := total - sum(within):
        more = allocated(rest, [most - part for part, most in zip(within, rooms, strict=True)])
        within = [part + one for part, one in zip(within, more, strict=True)]
    return [Cut(line, part, reason) for line, part in sorted(zip(lines, within, strict=True)) if part]


def why_worthless(benefit: object, selected: Sequence[int], state: State) -> str:
    """Say why a benefit takes nothing off goods that it is about."""
    if isinstance(benefit, api.DeliveryOff):
        return "what it takes off delivery comes to nothing" if state.delivery_left else "delivery is free already"
    if isinstance(benefit, api.Bundle):
        return "its goods cost no more one by one" if any(state.room) else "its goods may not cost less"
    if isinstance(benefit, api.BuyGet) and benefit.gets is not None:
        selected = _also_selected(benefit.gets, selected, state)
        if not selected:
            return "none of what comes with it is in the basket"
    if not any(state.left[line] for line in selected):
        return "its goods cost nothing already"
    if not any(state.room[line] for line in selected):
        return "its goods may not cost less"
    return "what it takes off comes to nothing"


def _percent_off(benefit: api.PercentOff, selected: Sequence[int], state: State) -> list[Cut]:
    exact = _share_of_left(benefit.basis_points, selected, state)
    total = rounded(sum(exact.values(), Fraction(0)))
    if benefit.at_most is not None:
        total = min(total, benefit.at_most.minor)
    return spread(total, exact, state, f"{benefit.basis_points / 100:g}% off")


def _amount_off(benefit: api.AmountOff, selected: Sequence[int], state: State) -> list[Cut]:
    if benefit.each == "order":
        return spread(benefit.amount.minor, _share_of_left(WHOLE, selected, state), state, f"{benefit.amount} off")
    reason = f"{benefit.amount} off each"
    found = [
        Cut(line, min(benefit.amount.minor * state.lines[line].quantity, state.room[line]), reason) for line in selected
    ]
    return [cut for cut in found if cut.minor]


def _buy_get(benefit: api.BuyGet, selected: Sequence[int], state: State) -> list[Cut]:
    got = selected if benefit.gets is None else _also_selected(benefit.gets, selected, state)
    wanted = sets_of(benefit, selected, state) * benefit.get
    taken, _ = _taken(list(reversed(_units(got, state))), wanted)
    reason = f"{benefit.basis_points / 100:g}% off {{}} of {{}}, for {benefit.buy} bought"
    return _off_units(taken, benefit.basis_points, state, reason)


def _threshold(benefit: api.Threshold, selected: Sequence[int], state: State) -> list[Cut]:
    step = reached_step(benefit, sum(state.lines[line].amount.minor for line in selected))
    if step is None:
        return []
    exact = _share_of_left(step.basis_points or WHOLE, selected, state)
    total = rounded(sum(exact.values(), Fraction(0))) if step.off is None else step.off.minor
    return spread(total, exact, state, f"from {step.at_least} on")


def _bundle(benefit: api.Bundle, state: State) -> list[Cut]:
    times, found = bundles_of(benefit, state)
    exact = {units.line: units.count * units.price for units in found}
    value = _worth(found)
    if benefit.price is not None:
        off = value - times * benefit.price.minor
    else:
        off = value * Fraction(benefit.basis_points or 0, WHOLE)
    return spread(rounded(off), exact, state, f"{times} bundle(s)") if off > 0 else []


def _share_of_left(basis_points: int, selected: Sequence[int], state: State) -> dict[int, Fraction]:
    return {line: Fraction(state.left[line] * basis_points, WHOLE) for line in selected}


def _also_selected(goods: api.Selector, selected: Sequence[int], state: State) -> list[int]:
    bought = set(selected)
    return [at for at in matching(state.lines, goods) if at not in bought]


def _units(lines: Sequence[int], state: State) -> list[Units]:
    """Return the units of lines, the dearest first."""
    units = [Units(at, state.lines[at].quantity, Fraction(state.left[at], state.lines[at].quantity)) for at in lines]
    return sorted(units, key=lambda one: (-one.price, state.ranks[one.line]))


def _taken(pool: Sequence[Units], wanted: int) -> tuple[list[Units], list[Units]]:
    """Take so many units off the front of a pool; return them, and what is left of the pool."""
    taken: list[Units] = []
    rest: list[Units] = []
    for units in pool:
        count = min(units.count, wanted)
        wanted -= count
        if count:
            taken.append(Units(units.line, count, units.price))
        if count < units.count:
            rest.append(Units(units.line, units.count - count, units.price))
    return taken, rest


def _pool(benefit: api.Bundle, state: State) -> list[tuple[Units, Kind]]:
    """Return the units that fit a part of a bundle, the dearest first, each with the parts that it fits."""
    fits: dict[int, list[int]] = {}
    for part, one in enumerate(benefit.parts):
        for line in matching(state.lines, one.goods):
            fits.setdefault(line, []).append(part)
    return [(units, tuple(fits[units.line])) for units in _units(list(fits), state)]


def _dearest(benefit: api.Bundle, times: int, pool: Sequence[tuple[Units, Kind]]) -> list[Units] | None:
    """Return the dearest units that make up so many bundles; None where there are too few."""
    places = Places([part.quantity * times for part in benefit.parts], {})
    found: list[Units] = []
    for units, kind in pool:
        if count := places.take(kind, units.count):
            found.append(Units(units.line, count, units.price))
    return None if any(places.free) else found


def _worth(units: Sequence[Units] | None) -> Fraction:
    return sum((one.count * one.price for one in units or ()), Fraction(0))


def _off_units(taken: Sequence[Units], basis_points: int, state: State, reason: str) -> list[Cut]:
    """Take a share off some units of lines, and say on each line of how many."""
    exact = {one.line: one.count * one.price * Fraction(basis_points, WHOLE) for one in taken}
    counts = {one.line: one.count for one in taken}
    total = rounded(sum(exact.values(), Fraction(0)))
    return [
        Cut(cut.line, cut.minor, reason.format(counts[cut.line], state.lines[cut.line].quantity))
        for cut in spread(total, exact, state, reason)
    ]
