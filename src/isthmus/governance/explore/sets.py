"""For a front end, every set of products: which fit, which one explicit order would allow, which were tried and earned.

Each set is compiled as a deploy would compile it, so what is said to fit does. A set that was tried is one that was
switched on while an order was recorded. Of versions that are gone it is the products whose answers were asked: every
word is recorded, also where it was no opinion.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from isthmus.governance.cost.moved import order_calls, paid, totals
from isthmus.kernel import FrontEnd, Product, Value
from isthmus.kernel.host import CompiledFrontEnd, Release, compile_front_ends
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.recorded import RecordedCall
from isthmus.store import Database

Fit = Literal["fits", "one order away", "conflicts"]
PRODUCTS_MAX: Final = 8  # 256 sets: each is compiled, in some milliseconds
CALLS: Final = 1_000
_ORDER: Final = re.compile(r"order=\{.*\}")


class Earned(Value):
    """What recorded orders under a set came to: how many, and what was paid, in minor units by currency."""

    orders: int = 0
    paid: dict[str, int] = {}


class Combined(Value):
    """A set of products at a front end. needs: the one order that would allow it. witness: where it conflicts."""

    products: tuple[str, ...]
    fit: Fit
    is_live: bool
    earned: Earned | None  # None where it was never tried
    needs: str = ""
    witness: str = ""


def known_products(release: Release, more: Iterable[Product] = ()) -> dict[str, Product]:
    """Return every product that a front end switches on, and more, by name."""
    lines = [line.front_end for line in release.lines.values()]
    parts = [part for line in lines for part in (line, *line.children)]
    found = {product.name: product for part in parts for product in part.products}
    return dict(sorted({**{one.name: one for one in more}, **found}.items())[:PRODUCTS_MAX])


def combined(
    release: Release, code: str, products: Mapping[str, Product], tried: Mapping[frozenset[str], Earned]
) -> list[Combined]:
    """Return every set of products, those that fit first, the larger ones first among them."""
    front_end = release.line(code).front_end
    live = frozenset(one.name for one in front_end.products)
    sets = (names for size in range(len(products) + 1) for names in itertools.combinations(products, size))
    variants = {names: with_products(front_end, [products[name] for name in names]) for names in sets}
    found: list[Combined] = []
    for names, variant in variants.items():
        _, problems = compile_front_ends(release, [variant])
        fit, needs = _fit(problems)
        found.append(
            Combined(
                products=names, fit=fit, is_live=frozenset(names) == live, earned=tried.get(frozenset(names)),
                needs=needs, witness=problems[0] if problems else "",
            )
        )  # fmt: skip
    rank: dict[Fit, int] = {"fits": 0, "one order away": 1, "conflicts": 2}
    return sorted(found, key=lambda one: (not one.is_live, one.earned is None, rank[one.fit], -len(one.products)))


def with_products(front_end: FrontEnd, products: Sequence[Product]) -> FrontEnd:
    """Return the front end with these products, and its orders without the answers that go with others."""
    declared = {answer.declaration for answer in front_end.answers}
    declared |= {answer.declaration for product in products for answer in product.answers}
    order = {
        point: tuple(answer for answer in answers if answer.declaration in declared)
        for point, answers in front_end.order.items()
    }
    return replace(front_end, products=tuple(products), order={point: said for point, said in order.items() if said})


def _fit(problems: Sequence[str]) -> tuple[Fit, str]:
    """Tell whether a set fits; where each problem is one order that is not written, and it is one, that order."""
    if not problems:
        return "fits", ""
    orders = {found.group() for one in problems if (found := _ORDER.search(one))}
    if len(orders) == 1 and all(_ORDER.search(one) for one in problems):
        return "one order away", orders.pop()
    return "conflicts", ""


async def tried(
    database: Database, line: CompiledFrontEnd, release: Release, products: Iterable[str], limit: int = CALLS
) -> dict[frozenset[str], Earned]:
    """Return what each set earned that was switched on while the front end's recorded orders were placed."""
    looking = Tried(release, frozenset(products), line)
    async for call in recorded.recent(database, line.front_end.code, limit=limit):
        looking.see(call)
    return looking.earned()


class Tried:
    """Sums up recorded orders by the version that answered, and each version's products by whose word was recorded."""

    def __init__(self, release: Release, products: frozenset[str], line: CompiledFrontEnd) -> None:
        self._ends = order_calls(release)
        self._totals = totals(release)
        self._known = products
        self._live = line.fingerprint, frozenset(one.name for one in line.front_end.products)
        self._sets: dict[str, set[str]] = {}
        self._earned: dict[str, Earned] = {}

    def see(self, call: RecordedCall) -> None:
        """Look at one call."""
        said = {one.by.partition(".")[0] for ask in call.asked for one in ask.said}
        self._sets.setdefault(call.fingerprint, set()).update(said & self._known)
        if call.capability in self._ends and not call.error:
            was = self._earned.get(call.fingerprint, Earned())
            more = Earned(orders=1, paid=paid(call, self._totals.get(call.capability, ("total",))))
            self._earned[call.fingerprint] = _together(was, more)

    def earned(self) -> dict[frozenset[str], Earned]:
        """Return the sets that were tried; of the version that is live, its set is known and need not be told."""
        found: dict[frozenset[str], Earned] = {}
        for fingerprint, names in self._sets.items():
            of = self._live[1] if fingerprint == self._live[0] else frozenset(names)
            found[of] = _together(found.get(of, Earned()), self._earned.get(fingerprint, Earned()))
        return found


def _together(one: Earned, other: Earned) -> Earned:
    currencies = {*one.paid, *other.paid}
    summed = {currency: one.paid.get(currency, 0) + other.paid.get(currency, 0) for currency in currencies}
    return Earned(orders=one.orders + other.orders, paid=summed)
