"""What the platform costs each front end and what it saves it, over the last 30 days of counted and metered calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from isthmus.governance.ladder.facts import reaches
from isthmus.governance.thin import observe
from isthmus.governance.traffic import BY_HOUR, Tallies, Traffic
from isthmus.kernel.host import Release
from isthmus.manifest import Step, brought
from isthmus.store import Database

from . import used
from .avoided import Alternative, alternatives, avoided
from .bill import OWN, Bill, bill
from .inputs import Inputs
from .stored import Stored, stored, stored_in_all
from .used import Capacity, Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """How many lines of code each pack has, and each front end of its own."""

    packs: Mapping[str, int]
    own: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The month's bill with what it was divided by, and the alternatives of each front end that called something.

    saved: what the group saves a month, in whole units of the currency; None where no price is set.
    """

    inputs: Inputs
    uses: Mapping[tuple[str, str], Use]
    bill: Bill
    capacity: Capacity
    stored: Mapping[str, Stored]
    orders: Mapping[str, int]
    alternatives: tuple[Alternative, ...]
    saved: float | None

    @property
    def avoided(self) -> float:
        """Return what the group saves a month: for each front end the cheaper of building alone and renting.

        What front ends wrote is taken off, and the whole price, with the platform's own part that none is charged.
        """
        return sum(one.cheapest - one.written for one in self.alternatives) - self.month

    @property
    def month(self) -> float:
        """Return the price of the month in whole units of the currency; 0 where none is set."""
        return self.inputs.month.whole if self.inputs.month else 0.0


async def measure(
    database: Database,
    traffic: Traffic,
    release: Release,
    inputs: Inputs,
    now: datetime,
    code: Code | None = None,
    group: str = "",
) -> Costs:
    """Divide the month's price, and compare.

    code: where it was counted before, since it takes a moment. group: who owns what front ends share; who built alone
    would have none, so it is charged and not compared.
    """
    tallies = await traffic.of(over=BY_HOUR)
    uses = await used.uses(database, tallies)
    kept = await stored(database)
    capacity = await used.capacity(database, now)
    divided = bill(
        inputs,
        uses,
        capacity,
        await used.peak(database, now),
        await used.replayed(database, now),
        {name: _by_pack(one, release) for name, one in kept.items()},
        await stored_in_all(database),
    )
    orders = ordered(tallies, release)
    code = code or await asyncio.to_thread(count_code, release)
    reached = {code: packs for code, packs in used_packs(tallies, release).items() if code != group}
    month = inputs.month.whole if inputs.month else 0.0
    charged = {name: month * divided.of(name) for name in {one.front_end for one in divided.charges} - {OWN}}
    found = alternatives(inputs, charged, orders, reached, code.packs, code.own)
    saved = avoided(inputs, found, reached, code.packs) if inputs.month else None
    return Costs(
        inputs=inputs, uses=uses, bill=divided, capacity=capacity, stored=kept, orders=orders,
        alternatives=tuple(sorted(found, key=lambda one: -one.charged)), saved=saved,
    )  # fmt: skip


def _by_pack(kept: Stored, release: Release) -> dict[str, int]:
    """Return bytes by pack; those of the platform's own tables stand under no name."""
    schemas = {name.replace("-", "_"): name for name in release.packs}
    found: dict[str, int] = {}
    for schema, size in kept.by_schema.items():
        name = schemas.get(schema, "")
        found[name] = found.get(name, 0) + size
    return found


def ordered(tallies: Tallies, release: Release) -> dict[str, int]:
    """Return how many orders each front end took: answered calls of what ends a basket."""
    ends = {one.name for step in brought(release.packs.values(), Step) if step.name == "basket" for one in step.ends}
    found: dict[str, int] = {}
    for (front_end, capability), tally in tallies.items():
        if capability in ends:
            found[front_end] = found.get(front_end, 0) + tally.calls - sum(tally.errors.values())
    return found


def used_packs(tallies: Tallies, release: Release) -> dict[str, frozenset[str]]:
    """Return the packs that each front end's calls reach, those that flows use included."""
    reach = reaches(release)
    found: dict[str, frozenset[str]] = {}
    for front_end, capability in tallies:
        if front_end in release.lines:
            found[front_end] = found.get(front_end, frozenset()) | reach.get(capability, frozenset())
    return found


def count_code(release: Release) -> Code:
    """Count lines of code: blank ones and comments are none."""
    shared, own = observe.files(release)
    return Code(packs=_lines(shared), own={code: _lines(own).get(code, 0) for code in release.lines})


def _lines(files: observe.Files) -> dict[str, int]:
    found: dict[str, int] = {}
    for file, whose in files.items():
        found[whose] = found.get(whose, 0) + lines_in([file])
    return found


def lines_in(files: Iterable[Path]) -> int:
    """Return how many lines of these files are neither blank nor a comment."""
    texts = (file.read_text(errors="replace").splitlines() for file in files)
    return sum(1 for lines in texts for line in lines if (text := line.strip()) and not text.startswith("#"))
