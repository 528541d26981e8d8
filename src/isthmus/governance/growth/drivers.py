"""What drives a line: a quarter against the one before, divided exactly between people, frequency, basket and price.

Sales are the buyers of a group times orders a buyer times units an order times sales a unit, added up over three
groups: who is new to the front end, who had bought there before, and guests, of whom only orders are known. The change
of each product is divided by logarithmic means (Ang 2004, LMDI-I): the parts add up to it exactly and do not depend on
the order of the factors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Final, Literal

from isthmus.kernel import Value
from isthmus.manifest import Movements
from isthmus.markings import Filter, Has, Where

from .asked import GROUP, QUARTER, Asking, Numbers

People = Literal["all", "new", "known", "guests"]
SMALL: Final = 1e-9  # of a number: what is left of it where parts are added up


class Step(Value):
    """What one factor adds to the change of a metric, in its unit and as a share of the whole change.

    of: whose number it is, and `all` where it is a ratio or nobody tells people apart. name: a metric, or one divided
    by another, as `order.orders / order.buyers`.
    """

    of: People
    name: str
    adds: float
    share: float


class Drivers(Value):
    """Why the last quarter of a line is not the one before: the change divided between the factors exactly.

    code: of the front end; nothing for all together. receipts: of the answers that the numbers are from.
    """

    metric: str
    before: float
    after: float
    steps: tuple[Step, ...]
    code: str = GROUP
    receipts: tuple[str, ...] = ()


def drivers(asking: Asking, chain: Sequence[str], until: date, people: Movements | None = None) -> tuple[Drivers, ...]:
    """Return what the last metric of a chain changed by between two quarters, line by line.

    chain: people, what they did, how much, what it came to. until: the day after the later quarter. people: how those
    who are new are told apart, where they are. A line without sales in one of both quarters is left out.
    """
    groups: dict[People, tuple[Filter, ...]] = {"all": ()}
    if people:
        is_member = Where(people.member, "is not null")
        groups = {
            "new": (is_member, Has(people.account, people.earlier, "=", 0)),
            "known": (is_member, Has(people.account, people.earlier, ">=", 1)),
            "guests": (Where(people.member, "is null"),),
        }
    spans = [(until - QUARTER, until), (until - 2 * QUARTER, until - QUARTER)]
    found: dict[People, tuple[Numbers, ...]] = {
        group: tuple(asking.numbers(chain, *span, *filters) for span in spans) for group, filters in groups.items()
    }
    totals = tuple(asking.numbers(chain[-1:], *span) for span in spans)
    receipts = tuple(one.receipt for both in (*found.values(), totals) for one in both)
    lines = sorted({code for one in totals for code in one.by_line})
    return tuple(
        _of(code, chain, tuple(one.of(code)[0] for one in totals), found, receipts)
        for code in lines
        if all(one.of(code)[0] for one in totals)
    )


def _of(
    code: str,
    chain: Sequence[str],
    totals: tuple[float, ...],
    found: dict[People, tuple[Numbers, ...]],
    receipts: tuple[str, ...],
) -> Drivers:
    after, before = totals
    added = dict[tuple[People, str], float]()
    for group, (later, sooner) in found.items():
        for key, adds in _parts(group, chain, later.of(code), sooner.of(code)):
            added[key] = added.get(key, 0.0) + adds
    change = after - before
    steps = tuple(
        Step(of=of, name=name, adds=adds, share=adds / change if abs(change) > SMALL * before else 0.0)
        for (of, name), adds in sorted(added.items(), key=_place(chain))
    )
    return Drivers(metric=chain[-1], before=before, after=after, steps=steps, code=code, receipts=receipts)


def _parts(
    group: People, chain: Sequence[str], later: Sequence[float], sooner: Sequence[float]
) -> Iterator[tuple[tuple[People, str], float]]:
    """Return what each factor of one group adds: of guests nothing is known before their orders."""
    first = 1 if group == "guests" else 0
    now, then, names = later[first:], sooner[first:], [*_factors(chain[first:])]
    whole = (group, names[0])
    if not any((*now, *then)):
        return
    if not all((*now, *then)):  # nobody in one of both quarters, or nothing that came to something: all is people's
        yield whole, now[-1] - then[-1]
        return
    mean = _log_mean(now[-1], then[-1])
    for name, new, old in zip(names, _ratios(now), _ratios(then), strict=True):
        yield (whole if name == names[0] else ("all", name)), mean * math.log(new / old)


def _place(chain: Sequence[str]) -> Callable[[tuple[tuple[People, str], float]], tuple[int, int]]:
    groups = ("new", "known", "guests", "all")
    names = [*_factors(chain)]

    def place(part: tuple[tuple[People, str], float]) -> tuple[int, int]:
        (of, name), _ = part
        return groups.index(of), names.index(name) if name in names else -1

    return place


def _factors(chain: Sequence[str]) -> Iterator[str]:
    yield chain[0]
    yield from (f"{later} / {sooner}" for sooner, later in itertools.pairwise(chain))


def _ratios(numbers: Sequence[float]) -> Iterator[float]:
    yield numbers[0]
    yield from (later / sooner for sooner, later in itertools.pairwise(numbers))


def _log_mean(one: float, other: float) -> float:
    return one if one == other else (one - other) / math.log(one / other)
