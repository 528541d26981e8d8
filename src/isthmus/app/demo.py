"""Demo data of packs, loaded: each for the front ends that may call what it needs, in the order of the packs."""

from __future__ import annotations

import hashlib
import importlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from isthmus.kernel import Caller, Capability, Effect, Platform, Value, encode, errors
from isthmus.manifest import brought
from isthmus.manifest.demo import DemoData, DemoGood, demo_goods

from .platform import Running

A = TypeVar("A", bound=Value)
R = TypeVar("R", bound=Value)

CLIENT = "demo"
SINCE_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of demo data at a front end: how many calls it made, and why it ended early, where it did."""

    front_end: str
    name: str
    doc: str
    calls: int
    refused: str = ""


@dataclass(slots=True, kw_only=True)
class _Loading:
    """A `manifest.demo.Demo`."""

    platform: Platform
    front_end: str
    name: str
    goods: Sequence[DemoGood]
    now: datetime
    calls: int = 0
    seen: Counter[str] = field(default_factory=Counter[str])

    @property
    def since(self) -> datetime:
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=SINCE_DAYS)

    async def call(self, capability: Capability[A, R], ask: A, *, at: datetime | None = None) -> R:
        caller = Caller(front_end=self.front_end, client=CLIENT, via="cli")
        said = hashlib.sha256(f"{self.name} {capability.name} ".encode() + encode(ask)).hexdigest()[:40]
        self.seen[said] += 1  # the same ask twice in one load is two calls
        key = None if capability.effect is Effect.READ else f"demo-{said}-{self.seen[said]}"
        answer = await self.platform.call(capability, ask, caller, key=key, now=at or self.now)
        self.calls += 1
        return answer


def demo_data(running: Running, front_end: str) -> Iterator[DemoData]:
    """Yield the demo data that a front end can be given, in order. Raises NotFound for one that is not there."""
    permitted = running.platform.release.line(front_end).permitted
    for data in brought(running.packs, DemoData):
        if permitted.issuperset(one.name for one in data.needs):
            yield data


async def load_demo(
    running: Running,
    *,
    front_ends: Sequence[str] = (),
    only: Sequence[str] = (),
    goods: Sequence[DemoGood] | None = None,
    now: datetime | None = None,
) -> list[Loaded]:
    """Load demo data for front ends, or for all; of all packs, or what `only` names; return what came of each.

    What was loaded before is not loaded twice: a call with the same ask has one effect. Where a capability refuses,
    that data ends there, with its reason, and the rest goes on. Raises NotFound for a front end, and BadAsk for demo
    data, that is not there.
    """
    known = [one.name for one in brought(running.packs, DemoData)]
    for name in (name for name in only if name not in known):
        has = f"packs here have {', '.join(known)}" if known else "no pack here brings any"
        raise errors.BadAsk(f"there is no demo data {name!r}{errors.near(name, known)}", remedy=has)
    codes = front_ends or sorted(running.platform.release.lines)
    wanted = [(code, one) for code in codes for one in demo_data(running, code) if not only or one.name in only]
    return [await _loaded(running, code, one, goods or demo_goods(), now or datetime.now(UTC)) for code, one in wanted]


async def _loaded(running: Running, code: str, data: DemoData, goods: Sequence[DemoGood], now: datetime) -> Loaded:
    module, _, function = data.at.partition(":")
    demo = _Loading(platform=running.platform, front_end=code, name=data.name, goods=goods, now=now)
    refused = ""
    try:
        await getattr(importlib.import_module(module), function)(demo)
    except errors.IsthmusError as wrong:
        refused = str(wrong)
    return Loaded(front_end=code, name=data.name, doc=data.doc, calls=demo.calls, refused=refused)
