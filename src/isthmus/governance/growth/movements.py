"""Who is new to the group and who only moved within it, front end by front end: growth beside cannibalisation.

Accounts of different front ends are one person where One ID, or the business, has joined them. Of those who bought at a
front end in the last quarter: who had bought there before, who had bought in the group but not there (came from
another), and who is new to the group. Of those who had bought there in the quarter before and not in the last: who
bought at another front end instead, and who bought nowhere.
"""

from __future__ import annotations

from datetime import date

from isthmus.kernel import Value
from isthmus.manifest import Movements
from isthmus.markings import Filter, Has, Where

from .asked import QUARTER, Asking, Numbers


class Moved(Value):
    """People of one kind, and what they came to: in the last quarter; of those who left, in the quarter before."""

    people: int
    sales: float


class Movement(Value):
    """Where the buyers of a front end's last quarter came from, and where those of the quarter before went.

    known, came, new, guests: add up to its sales. moved, gone: who left it for another front end, or altogether.
    cannibalised: which share of what members who are new here came to had been the group's own; None without any.
    receipts: of the answers that the numbers are from.
    """

    code: str
    metric: str
    known: Moved
    came: Moved
    new: Moved
    guests: Moved
    moved: Moved
    gone: Moved
    cannibalised: float | None
    receipts: tuple[str, ...]


def movements(asking: Asking, chain: tuple[str, ...], until: date, people: Movements) -> tuple[Movement, ...]:
    """Return each front end's movement in the quarter before a day."""
    is_member = Where(people.member, "is not null")
    account, person = people.account, people.person
    later: dict[str, tuple[Filter, ...]] = {
        "known": (is_member, Has(account, people.earlier, ">=", 1)),
        "came": (is_member, Has(account, people.earlier, "=", 0), Has(person, people.earlier, ">=", 1)),
        "new": (is_member, Has(person, people.earlier, "=", 0)),
        "guests": (Where(people.member, "is null"),),
    }
    left: dict[str, tuple[Filter, ...]] = {
        "moved": (is_member, Has(account, people.recent, "=", 0), Has(person, people.recent, ">=", 1)),
        "gone": (is_member, Has(person, people.recent, "=", 0)),
    }
    names = (chain[0], chain[-1])
    found = {name: asking.numbers(names, until - QUARTER, until, *filters) for name, filters in later.items()}
    found |= {name: _left(asking, names, until, filters) for name, filters in left.items()}
    receipts = tuple(one.receipt for one in found.values())
    lines = sorted({code for one in found.values() for code in one.by_line})
    return tuple(_of(code, chain[-1], found, receipts) for code in lines)


def _of(code: str, metric: str, found: dict[str, Numbers], receipts: tuple[str, ...]) -> Movement:
    kinds = {name: Moved(people=round(one.of(code)[0]), sales=one.of(code)[1]) for name, one in found.items()}
    gained = kinds["came"].sales + kinds["new"].sales
    cannibalised = kinds["came"].sales / gained if gained > 0 else None
    return Movement(code=code, metric=metric, receipts=receipts, cannibalised=cannibalised, **kinds)


def _left(asking: Asking, names: tuple[str, str], until: date, filters: tuple[Filter, ...]) -> Numbers:
    """Return what those had come to in the quarter before whom the later quarter tells apart."""
    return asking.numbers(names, until - 2 * QUARTER, until - QUARTER, *filters, as_of=until)
