"""What one benefit takes off, line by line: pure, exact until one rounding for each discount.

`left` is what each line still costs, `room` what may still come off it (down to its floor). A discount is the sum of
its cuts, and no cut is larger than the room of its line.
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


@dataclass(frozen=True, slots=True)
class State:
    """A basket in the middle of being discounted; indexes are those of the ask's lines."""

    lines: Sequence[api.PromotionLine]
    left: Sequence[int]
    room: Sequence[int]
    delivery_left: int


@dataclass(frozen=True, slots=True)
class Units:
    """Equal units of one line."""

    line: int
    count: int
    price: Fraction


def matching(lines: Sequence[api.PromotionLine], goods: api.Selector) -> list[int]:
    """Return which lines are of these goods."""
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
        found = [(at, line) for at, line in found if getattr(line, field) in names]
    for field, names in unwanted:
        found = [(at, line) for at, line in found if getattr(line, field) not in names]
    for name, value in goods.attributes.items():
        found = [(at, line) for at, line in found if line.attributes.get(name) == value]
    return [at for at, _ in found]


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


def bundles_of(benefit: api.Bundle, state: State) -> list[list[Units]]:
    """Return the units that make up as many bundles as there are, the dearest first, for each part."""
    pools = [_units(matching(state.lines, part.goods), state) for part in benefit.parts]
    most = min(
        sum(units.count for units in pool) // part.quantity for pool, part in zip(pools, benefit.parts, strict=True)
    )
    fewest, found = 0, [[] for _ in benefit.parts]
    most = min(most, benefit.times_max or most)
    while fewest < most:  # halving: a basket may hold a million units
        times = (fewest + most + 1) // 2
        filled = _filled(pools, [part.quantity * times for part in benefit.parts])
        if filled is None:
            most = times - 1
        else:
            fewest, found = times, filled
    return found


def times_of(benefit: api.Bundle, found: Sequence[Sequence[Units]]) -> int:
    """Return how many bundles these units make up."""
    return sum(units.count for units in found[0]) // benefit.parts[0].quantity


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


def spread(total: int, exact: Mapping[int, Fraction], room: Sequence[int], reason: str) -> list[Cut]:
    """Share out a total over lines in proportion to what is exactly due on each, and within the room of each.

    Where a line has too little room, the rest falls on the others; where all have, less than the total comes off.
    """
    lines = sorted(exact)
    rooms = [room[line] for line in lines]
    total = min(total, sum(rooms))
    if total <= 0:
        return []
    scale = lcm(*(part.denominator for part in exact.values()))
    parts = allocated(total, [int(exact[line] * scale) for line in lines])
    within = [min(part, most) for part, most in zip(parts, rooms, strict=True)]
    if rest := total - sum(within):
        more = allocated(rest, [most - part for part, most in zip(within, rooms, strict=True)])
        within = [part + one for part, one in zip(within, more, strict=True)]
    return [Cut(line, part, reason) for line, part in zip(lines, within, strict=True) if part]


def _percent_off(benefit: api.PercentOff, selected: Sequence[int], state: State) -> list[Cut]:
    exact = _share_of_left(benefit.basis_points, selected, state)
    total = rounded(sum(exact.values(), Fraction(0)))
    if benefit.at_most is not None:
        total = min(total, benefit.at_most.minor)
    return spread(total, exact, state.room, f"{benefit.basis_points / 100:g}% off")


def _amount_off(benefit: api.AmountOff, selected: Sequence[int], state: State) -> list[Cut]:
    if benefit.each == "order":
        return spread(benefit.amount.minor, _share_of_left(WHOLE, selected, state), state.room, f"{benefit.amount} off")
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
    return spread(total, exact, state.room, f"from {step.at_least} on")


def _bundle(benefit: api.Bundle, state: State) -> list[Cut]:
    found = bundles_of(benefit, state)
    exact: dict[int, Fraction] = {}
    for units in (one for part in found for one in part):
        exact[units.line] = exact.get(units.line, Fraction(0)) + units.count * units.price
    value = sum(exact.values(), Fraction(0))
    if benefit.price is not None:
        off = value - times_of(benefit, found) * benefit.price.minor
    else:
        off = value * Fraction(benefit.basis_points or 0, WHOLE)
    return spread(rounded(off), exact, state.room, f"{times_of(benefit, found)} bundle(s)") if off > 0 else []


def _share_of_left(basis_points: int, selected: Sequence[int], state: State) -> dict[int, Fraction]:
    return {line: Fraction(state.left[line] * basis_points, WHOLE) for line in selected}


def _also_selected(goods: api.Selector, selected: Sequence[int], state: State) -> list[int]:
    bought = set(selected)
    return [at for at in matching(state.lines, goods) if at not in bought]


def _units(lines: Sequence[int], state: State) -> list[Units]:
    """Return the units of lines, the dearest first."""
    units = [Units(at, state.lines[at].quantity, Fraction(state.left[at], state.lines[at].quantity)) for at in lines]
    return sorted(units, key=lambda one: (-one.price, one.line))


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


def _filled(pools: Sequence[Sequence[Units]], wanted: Sequence[int]) -> list[list[Units]] | None:
    """Fill each part from its pool, a unit for one part only; the part with the fewest units chooses first."""
    used: dict[int, int] = {}
    found: list[list[Units]] = [[] for _ in pools]
    for at in sorted(range(len(pools)), key=lambda at: (sum(units.count for units in pools[at]), at)):
        free = [Units(one.line, one.count - used.get(one.line, 0), one.price) for one in pools[at]]
        found[at], _ = _taken(free, wanted[at])
        if sum(units.count for units in found[at]) < wanted[at]:
            return None
        for units in found[at]:
            used[units.line] = used.get(units.line, 0) + units.count
    return found


def _off_units(taken: Sequence[Units], basis_points: int, state: State, reason: str) -> list[Cut]:
    """Take a share off some units of lines, and say on each line of how many."""
    exact = {one.line: one.count * one.price * Fraction(basis_points, WHOLE) for one in taken}
    counts = {one.line: one.count for one in taken}
    total = rounded(sum(exact.values(), Fraction(0)))
    return [
        Cut(cut.line, cut.minor, reason.format(counts[cut.line], state.lines[cut.line].quantity))
        for cut in spread(total, exact, state.room, reason)
    ]
