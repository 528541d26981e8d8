"""Data with which a pack is tried: loaded for a front end when somebody asks for it, by calls as anybody makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from isthmus.kernel import Capability, Pack, Value, errors
from isthmus.values import Money, money

A = TypeVar("A", bound=Value)
R = TypeVar("R", bound=Value)

CURRENCY: Final = "EUR"


class DemoGood(Value):
    """What a front end sells in a demo: packs name goods by SKU, so that what each brings fits what the others do."""

    sku: str
    title: str
    category: str
    price: Money
    stock: int


def demo_goods(currency: str = CURRENCY) -> tuple[DemoGood, ...]:
    """Return a small assortment, priced in a currency: prices are in minor units, 450 is 4.50 EUR or 450 JPY."""
    shelf = (
        ("demo-assam", "Assam, 100 g", "Tea", 450, 200),
        ("demo-sencha", "Sencha, 100 g", "Tea", 690, 80),
        ("demo-espresso", "Espresso beans, 250 g", "Coffee", 820, 120),
        ("demo-filter", "Filter roast, 500 g", "Coffee", 1_290, 60),
        ("demo-mug", "Mug, blue", "Kitchen", 1_150, 40),
        ("demo-teapot", "Teapot, 1 l", "Kitchen", 3_400, 12),
    )
    return tuple(
        DemoGood(sku=sku, title=title, category=category, price=money(minor, currency), stock=stock)
        for sku, title, category, minor, stock in shelf
    )


class Demo(Protocol):
    """What a function of demo data is given: the front end that it is loaded for, and how to call in its name."""

    @property
    def front_end(self) -> str:
        """Return the code of the front end that is loaded for, such as `north`: part of what has to be unique."""
        ...

    @property
    def goods(self) -> Sequence[DemoGood]:
        """Return what is sold, the same for all packs; all prices are in one currency."""
        ...

    @property
    def now(self) -> datetime:
        """Return when it is loaded, in UTC: the same for all that is loaded together."""
        ...

    @property
    def since(self) -> datetime:
        """Return since when the front end is said to have sold: a year before `now`, when goods and prices begin."""
        ...

    async def call(self, capability: Capability[A, R], ask: A, *, at: datetime | None = None) -> R:
        """Call a capability of the pack and return its answer.

        Loaded again, a write with the same ask answers as it did and has no second effect, for as long as keys are
        kept. at: when it is said to have happened; else `now`. Raises what the capability raises; left to pass, it
        ends this demo data, and the command says why.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoData:
    """Data with which a pack can be tried at once: `isthmus demo` loads it for each front end that may call `needs`.

    name: begins with the pack's, `loyalty.cards`. doc: what there is afterwards, a sentence. at: `module:function`, an
    async function of a `Demo`, imported when it is loaded. needs: all the capabilities that it calls. Data is loaded
    in the order in which packs are plugged in, flows last.
    """

    name: str
    doc: str
    at: str
    needs: tuple[Capability[Any, Any], ...]


def demo_problems(pack: Pack) -> Iterator[str]:
    """Say which demo data of a pack cannot be loaded, each with what to write."""
    own = {one.name for one in pack.capabilities().values()}
    for data in (one for one in pack.brings if isinstance(one, DemoData)):
        where = f"demo data {data.name!r} of {pack.name!r}"
        if not data.name.startswith(f"{pack.name}."):
            yield f"{where} is called as another's; call it {pack.name}.{data.name.rpartition('.')[2]}"
        if not data.needs:
            yield f"{where} needs no capability, so nothing can load it; name what it calls in needs=(…)"
        for name in (one.name for one in data.needs if one.name not in own):
            yield f"{where} needs {name!r}, which is none of its capabilities{errors.near(name, own)}; correct it"
