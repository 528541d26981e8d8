"""For a front end, sets of products, and of what answers one question: which fit, which were tried, what they earned.

Each set is compiled as a deploy would compile it, so what is said to fit does. A set that was tried is one that was
switched on while an order was recorded. Of versions that are gone it is the products whose answers were asked: every
word is recorded, also where it was no opinion.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
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
SAID_MAX: Final = 6  # of what may answer one question: 64 sets, beside those of products
CALLS: Final = 1_000
_ORDER: Final = re.compile(r"order=\{.*\}")


class Earned(Value):
    """What recorded orders under a set came to: how many, and what was paid, in minor units by currency."""

    orders: int = 0
    paid: dict[str, int] = {}


class Combined(Value):
    """A set at a front end. needs: the one order that would allow it. witness: where it conflicts.

    products: or, of a set that answers a question, the front end's own answers by their names, then products.
    """

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
    return _compiled(release, variants, live, tried)


def saying(front_end: FrontEnd, products: Mapping[str, Product]) -> dict[str, list[str]]:
    """Return what may answer each question: the front end's own answers by name, then products that answer it."""
    found: dict[str, list[str]] = {}
    for one in front_end.answers:
        found.setdefault(one.point.name, []).append(one.name)
    for name, product in products.items():
        for point in dict.fromkeys(one.point.name for one in product.answers):
            found.setdefault(point, []).append(name)
    return {point: names[:SAID_MAX] for point, names in sorted(found.items())}


def answered(
    release: Release, code: str, point: str, products: Mapping[str, Product], tried: Mapping[frozenset[str], Earned]
) -> list[Combined]:
    """Return every set of what may answer a question, in the order of `combined`."""
    front_end = release.line(code).front_end
    may = saying(front_end, products).get(point, [])
    sets = (names for size in range(len(may) + 1) for names in itertools.combinations(may, size))
    variants = {names: with_said(front_end, point, names, products) for names in sets}
    return _compiled(release, variants, said_now(front_end, point, products), tried)


def said_now(front_end: FrontEnd, point: str, products: Mapping[str, Product]) -> frozenset[str]:
    """Return what answers a question as the front end is."""
    own = {one.name for one in front_end.answers}
    on = {one.name for one in front_end.products}
    return frozenset(saying(front_end, products).get(point, [])) & (own | on)


def with_said(front_end: FrontEnd, point: str, said: Collection[str], products: Mapping[str, Product]) -> FrontEnd:
    """Return the front end with these alone answering a question; a product that is switched off is off for all."""
    may = set(saying(front_end, products).get(point, []))
    own = tuple(one for one in front_end.answers if one.point.name != point or one.name in {*said} - {*products})
    kept = [one.name for one in front_end.products if one.name not in may or one.name in said]
    more = [name for name in said if name in products and name not in kept]
    return with_products(replace(front_end, answers=own), [products[name] for name in (*kept, *more)])


def _compiled(
    release: Release,
    variants: Mapping[tuple[str, ...], FrontEnd],
    live: frozenset[str],
    tried: Mapping[frozenset[str], Earned],
) -> list[Combined]:
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
    database: Database,
    line: CompiledFrontEnd,
    release: Release,
    products: Mapping[str, Product],
    point: str = "",
    limit: int = CALLS,
) -> dict[frozenset[str], Earned]:
    """Return what each set earned that was switched on, or answered a question, while recorded orders were placed."""
    looking = Tried(release, products, line, point)
    async for call in recorded.recent(database, line.front_end.code, limit=limit):
        looking.see(call)
    return looking.earned()


class Tried:
    """Sums up recorded orders by the version that answered, and each version's set by whose word was recorded."""

    def __init__(self, release: Release, products: Mapping[str, Product], line: CompiledFrontEnd, point: str) -> None:
        self._ends = order_calls(release)
        self._totals = totals(release)
        self._point = point
        front_end = line.front_end
        self._known = frozenset(saying(front_end, products).get(point, []) if point else products)
        on = frozenset(one.name for one in front_end.products)
        self._live = line.fingerprint, said_now(front_end, point, products) if point else on
        self._sets: dict[str, set[str]] = {}
        self._earned: dict[str, Earned] = {}

    def see(self, call: RecordedCall) -> None:
        """Look at one call."""
        words = [one.by for ask in call.asked if self._point in ("", ask.point) for one in ask.said]
        said = {name for by in words for name in (by.partition(".")[0], by.rpartition(".")[2] if self._point else "")}
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
