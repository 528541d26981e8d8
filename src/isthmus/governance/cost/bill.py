"""The month's price divided: what each front end used, its part of the peak, and what is the platform's own. Pure.

The price has three parts. The processor's is divided by processor time of calls and replays; what machines have beyond
that and up to the busiest minutes is there because of these, so it is borne as the load of those minutes was. What the
platform itself used, and what even the busiest minutes left idle, is nobody's: it is the platform's own line, and so is
storage that all share. The database's part is divided by time in the database, the storage's by bytes of each pack;
what recorded calls take up, and replays of them, is their capability's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from .inputs import Inputs
from .used import Capacity, Use

Part = Literal["processor", "peak", "replay", "database", "storage", "overhead", "idle", "shared"]
OWN: Final = ""  # whose a charge is that is the platform's own
OWN_PARTS: Final[tuple[Part, ...]] = ("overhead", "idle", "shared")
METHODS: Final[Mapping[Part, str]] = {
    "processor": "processor-time-v1",
    "peak": "coincident-peak-v1",
    "replay": "recorded-processor-time-v1",
    "database": "database-time-v1",
    "storage": "stored-bytes-v1",
    "overhead": "not-allocated",
    "idle": "not-allocated",
    "shared": "not-allocated",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A part of the price: of the whole, from 0 to 1. quantity: seconds, or bytes of what is stored."""

    front_end: str
    capability: str  # empty where it is of no single one
    part: Part
    quantity: float
    share: float
    pack: str = ""  # whose tables; of a capability it is said already

    @property
    def service(self) -> str:
        """Return the pack that it is of; nothing where it is of none."""
        return self.capability.partition(".")[0] or self.pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """All charges; they come to 1."""

    charges: tuple[Charge, ...]

    def of(self, front_end: str, parts: Iterable[Part] = METHODS) -> float:
        """Return a front end's share of the price."""
        wanted = set(parts)
        return sum(one.share for one in self.charges if one.front_end == front_end and one.part in wanted)

    def of_capability(self, name: str) -> float:
        """Return a capability's share of the price."""
        return sum(one.share for one in self.charges if one.capability == name)

    @property
    def platform_tax(self) -> float:
        """Return the share that is the platform's own: overhead, idle, and storage that all share."""
        return self.of(OWN)


def bill(
    inputs: Inputs,
    uses: Mapping[tuple[str, str], Use],
    capacity: Capacity,
    peak: Mapping[str, float],
    replayed: Mapping[str, float],
    stored: Mapping[str, Mapping[str, int]],
    stored_in_all: int,
) -> Bill:
    """Divide the price of a month. peak: shares of the load in the busiest minutes.

    stored: bytes by front end and pack; those of no pack are the platform's tables, which recorded calls fill.
    """
    processor = list(_worked(uses, capacity, peak, replayed))
    database = list(_database(uses)) or [_own("overhead", 0.0, 1.0)]
    storage = list(_storage(uses, stored, max(stored_in_all, sum(sum(one.values()) for one in stored.values()))))
    parts = ((inputs.processor, processor), (inputs.database, database), (inputs.storage, storage))
    return Bill(charges=tuple(_weighed(one, weight) for weight, charges in parts for one in charges if one.share > 0))


def _worked(
    uses: Mapping[tuple[str, str], Use],
    capacity: Capacity,
    peak: Mapping[str, float],
    replayed: Mapping[str, float],
) -> Iterable[Charge]:
    calls, again = sum(one.cpu_us for one in uses.values()), sum(replayed.values())
    whole = max(capacity.ran_us, capacity.cpu_us, calls) + again  # replays run in processes of their own
    if not whole:
        yield _own("idle", 0.0, 1.0)
        return
    for (front_end, capability), one in uses.items():
        share = one.cpu_us / whole
        yield Charge(
            front_end=front_end, capability=capability, part="processor", quantity=one.cpu_us / 1e6, share=share
        )
    for front_end, cpu_us in replayed.items():
        for name, share in _divided(front_end, uses, lambda one: one.metered * one.cpu_us / max(1, one.calls)):
            quantity, of = cpu_us * share / 1e6, cpu_us * share / whole
            yield Charge(front_end=front_end, capability=name, part="replay", quantity=quantity, share=of)
    overhead = max(0.0, capacity.cpu_us - calls) / whole
    used = (calls + again) / whole
    reserved = max(0.0, min(1.0, capacity.peak) - used - overhead) if peak else 0.0
    for front_end, share in peak.items():
        seconds = reserved * share * whole / 1e6
        yield Charge(front_end=front_end, capability="", part="peak", quantity=seconds, share=reserved * share)
    yield _own("overhead", overhead * whole / 1e6, overhead)
    idle = max(0.0, 1.0 - used - overhead - reserved)
    yield _own("idle", idle * whole / 1e6, idle)


def _database(uses: Mapping[tuple[str, str], Use]) -> Iterable[Charge]:
    whole = sum(one.db_us for one in uses.values())
    for (front_end, capability), one in uses.items():
        if whole and one.db_us:
            yield Charge(
                front_end=front_end, capability=capability, part="database", quantity=one.db_us / 1e6,
                share=one.db_us / whole,
            )  # fmt: skip


def _storage(
    uses: Mapping[tuple[str, str], Use], stored: Mapping[str, Mapping[str, int]], whole: int
) -> Iterable[Charge]:
    if not whole:
        yield _own("shared", 0.0, 1.0)
        return
    for front_end, by_pack in stored.items():
        for pack, size in by_pack.items():
            parts = [("", 1.0)] if pack else _divided(front_end, uses, lambda one: one.recorded)
            for name, share in parts:
                yield Charge(
                    front_end=front_end, capability=name, part="storage", quantity=size * share,
                    share=size * share / whole, pack=pack,
                )  # fmt: skip
    shared = whole - sum(sum(one.values()) for one in stored.values())
    yield _own("shared", shared, shared / whole)


def _divided(
    front_end: str, uses: Mapping[tuple[str, str], Use], by: Callable[[Use], float]
) -> list[tuple[str, float]]:
    """Return each capability of a front end with its share of what its recorded calls used; if none, all as one."""
    parts = {name: by(one) for (code, name), one in uses.items() if code == front_end}
    whole = sum(parts.values())
    return [(name, part / whole) for name, part in parts.items() if part] if whole else [("", 1.0)]


def _own(part: Part, quantity: float, share: float) -> Charge:
    return Charge(front_end=OWN, capability="", part=part, quantity=quantity, share=share)


def _weighed(one: Charge, weight: float) -> Charge:
    return Charge(
        front_end=one.front_end, capability=one.capability, part=one.part, quantity=one.quantity,
        share=one.share * weight, pack=one.pack,
    )  # fmt: skip
