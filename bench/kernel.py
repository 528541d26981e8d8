"""Asking an extension point, and one call through the pipeline, without any store behind.

Peers: pluggy (what pytest dispatches with), zope.interface adapters, functools.singledispatch; the limit is a plain
call. Each figure is a median over rounds, and in each round all sides run one after the other on the same machine.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, cast

import pluggy
from zope.interface import Interface, implementer, providedBy
from zope.interface.adapter import AdapterRegistry

from isthmus.kernel import (
    Caller,
    Context,
    Effect,
    FrontEnd,
    Pack,
    Pass,
    Platform,
    Product,
    Registry,
    Value,
    answers,
    capability,
    combine,
    extension_point,
    implements,
)
from isthmus.kernel.host import BoundCapability, Call, CallContext, ExtensionPoint, Implementation, Release

CALLS = 20_000  # in one measurement of a call, each written out ten times so that the loop hardly counts
MANY = 10_000  # front ends
POINTS = 1_000
OWN = 20  # points that each of them answers itself; 5 more are answered by its products

Row = dict[str, Any]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return [*_asking(rounds), *_many(rounds), *_pipeline(rounds)]


class PriceLine(Value):
    """Ask what a line costs."""

    sku: str
    quantity: int


class LinePrice(Value):
    """What a line costs."""

    minor: int


@extension_point("bench.price", combine=combine.first_answer)
def price(minor: int, quantity: int) -> int:
    """Say what a line costs."""
    return minor


@answers(price)
def evening_price(minor: int, quantity: int) -> int:
    return minor


@answers(price)
def late_price(minor: int, quantity: int) -> int | Pass:
    return minor


def plain(minor: int, quantity: int) -> int:
    """What every other way of asking is measured against."""
    return minor


def _asking(rounds: int) -> list[Row]:
    context = _context(_release([price], [_front_end("north", evening_price)]))
    passing = _context(_release([price], [_front_end("north", late_price)]))
    one, hundred = _pluggy(1), _pluggy(100)
    registry, north = _zope(100)
    dispatching = _singledispatch(100)
    point = _IPrice
    found = _medians(
        rounds,
        plain=_loop("f(5, 2)", f=plain),
        ours=_loop("ctx.answer(point)(5, 2)", ctx=context, point=price),
        passing=_loop("ctx.answer(point)(5, 2)", ctx=passing, point=price),
        pluggy=_loop("hook.price(front_end='north0', minor=5, quantity=2)", hook=one),
        hundred=_loop("hook.price(front_end='north0', minor=5, quantity=2)", hook=hundred, times=1),
        zope=_loop("find(by(north), point)(5, 2)", find=registry.lookup1, by=providedBy, north=north, point=point),  # pyright: ignore[reportAttributeAccessIssue]
        single=_loop("f(north, 5, 2)", f=dispatching, north=_FRONT_ENDS[0]()),
    )
    ours = found["ours"]
    return [
        _row("ask an extension point", ours, "ns", "a plain call", ours / found["plain"], 2.5),
        _row(
            "ask one whose answer may pass", found["passing"], "ns", "a plain call", found["passing"] / found["plain"]
        ),
        _row("ask an extension point", ours, "ns", "pluggy, 1 front end", ours / found["pluggy"], 0.1),
        _row("ask an extension point", ours, "ns", "pluggy, 100 front ends", ours / found["hundred"], 0.1),
        _row("ask an extension point", ours, "ns", "zope.interface, 100 front ends", ours / found["zope"], 1),
        _row("ask an extension point", ours, "ns", "singledispatch, 100 front ends", ours / found["single"], 1),
    ]


def _many(rounds: int) -> list[Row]:
    points = [_point(number) for number in range(POINTS)]
    products = [_product(number, points) for number in range(10)]
    alone_release = _release(points, [_numbered(0, points, products)])
    gc.collect()
    tracemalloc.start()
    front_ends = [_numbered(number, points, products) for number in range(MANY)]
    declared = tracemalloc.get_traced_memory()[0]
    release = _release(points, front_ends)
    built = tracemalloc.get_traced_memory()[0] - declared
    tracemalloc.stop()
    seconds = _built_in(points, front_ends)  # once: it takes seconds, and is only reported
    asked = points[3]
    alone, among = _context(alone_release, "line0"), _context(release, "line0")
    found = _medians(
        rounds,
        alone=_loop("ctx.answer(point)(5, 2)", ctx=alone, point=asked),
        among=_loop("ctx.answer(point)(5, 2)", ctx=among, point=asked),
    )
    lines = random.Random(7).sample(sorted(release.lines), 2_000)
    hot = [points[number] for number in range(0, POINTS, POINTS // OWN)]
    requests = _medians(
        rounds,
        alone=lambda: _requests(alone_release, ["line0"] * len(lines), hot),
        among=lambda: _requests(release, lines, hot),
    )
    used = _plans_cost(release, lines, hot)
    world = f"{MANY:,} front ends × {POINTS:,} points"
    return [
        _row(f"ask, {world}", found["among"], "ns", "one front end", found["among"] / found["alone"], 1.1),
        _row(f"request of {OWN} questions, {world}, each another front end", requests["among"] / 1_000, "µs",
             "one front end", requests["among"] / requests["alone"]),
        _row(f"check and build {MANY:,} front ends of {OWN} answers", seconds, "s", "", None),
        _row("memory of a front end, built", built / MANY / 1_024, "KiB", "", None),
        _row(f"memory that its first request of {OWN} questions adds", used / 1_024, "KiB", "", None),
    ]  # fmt: skip


def _pipeline(rounds: int) -> list[Row]:
    return asyncio.run(_pipeline_rows(rounds))


async def _pipeline_rows(rounds: int) -> list[Row]:
    read, read_bound = _capability("bench.read", Effect.READ)
    write, write_bound = _capability("bench.write", Effect.WRITE)
    release = _release([price], [_front_end("north", evening_price)], read, read_bound, write, write_bound)
    platform = Platform(release, cast(Any, _NoStore()))
    ask, body, caller = PriceLine(sku="a", quantity=2), b'{"sku":"a","quantity":2}', Caller(front_end="north")

    async def bare() -> object:
        return await read_bound.function(ask, context)

    context = _context(release)
    kinds: dict[str, Callable[[], Awaitable[object]]] = {
        "bare": bare,
        "read": lambda: platform.call(read, ask, caller),
        "write": lambda: platform.call(write, ask, caller),
        "keyed": lambda: platform.call(write, ask, caller, key="k"),
        "wire": lambda: platform.call_wire("bench.read", body, caller),
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, call in kinds.items():
            began = time.perf_counter_ns()
            for _ in range(CALLS // 4):
                await call()
            taken[name].append((time.perf_counter_ns() - began) / (CALLS // 4) / 1_000)
    found = {name: statistics.median(times) for name, times in taken.items()}
    titles = {
        "read": "pipeline of a READ in process",
        "write": "pipeline of a WRITE in process, null store",
        "keyed": "pipeline of a WRITE with a key, null store",
        "wire": "pipeline of a READ from bytes to bytes",
    }
    return [
        {**_row(title, found[name] - found["bare"], "µs", "the bare function", found[name] / found["bare"]),
         "aim": "≤ 15 µs", "met": found[name] - found["bare"] <= 15}
        for name, title in titles.items()
    ]  # fmt: skip


class _NoSession:
    async def close(self) -> None: ...
    async def commit(self, events: object, answer: object) -> None: ...


class _NoStore:
    """Answers at once and keeps nothing: what is left is the pipeline."""

    def read(self, front_end: str, parts: str) -> Any:
        return _NoSession()

    async def write(self, front_end: str, claim: object, parts: str) -> Any:
        return _NoSession()


def _capability(name: str, effect: Effect) -> tuple[Any, Any]:
    @capability(name, version="1.0", effect=effect)
    def declared(ask: PriceLine) -> LinePrice:
        """Price one line."""
        ...

    @implements(declared)
    async def bound(ask: PriceLine, ctx: Context) -> LinePrice:
        return LinePrice(minor=ctx.answer(price)(5, ask.quantity))

    return declared, bound


def _release(points: list[Any], front_ends: list[FrontEnd], *parts: Any) -> Release:
    """Freeze packs of at most twelve points each, and the front ends."""
    registry = Registry()
    by_pack: dict[str, list[Any]] = {}
    for part in [*points, *parts]:
        by_pack.setdefault(getattr(part, "pack", "bench"), []).append(part)
    for name, members in by_pack.items():
        api, service = ModuleType(f"{name}.api", "A pack of the benchmark."), ModuleType(f"{name}.service")
        for number, member in enumerate(members):
            if isinstance(member, Implementation):
                setattr(service, f"bound_{number}", member)
            else:
                setattr(api, member.name.partition(".")[2].replace("-", "_"), member)
        registry.add(Pack(name=name, owner="bench", api=api, service=(service,)))
    return registry.add(*front_ends).freeze()


def _front_end(code: str, *given: Any, **more: Any) -> FrontEnd:
    fields: dict[str, Any] = {"uses": ("bench.*",), **more}
    return FrontEnd(code=code, name=code, owner="bench", answers=given, **fields)


def _point(number: int) -> ExtensionPoint[..., Any]:
    def question(minor: int, quantity: int) -> int:
        """Say what a line costs."""
        return minor

    return extension_point(f"pack{number // 10}.point-{number}", combine=combine.first_answer)(question)


def _made(point: ExtensionPoint[..., Any]) -> Any:
    def cheaper(minor: int, quantity: int) -> int:
        return minor

    return answers(point)(cheaper)


def _product(number: int, points: list[Any]) -> Product:
    given = tuple(_made(points[at * 97 + number]) for at in range(5))
    return Product(name=f"product-{number}", doc="A product.", owner="bench", answers=given)


def _numbered(number: int, points: list[Any], products: list[Product]) -> FrontEnd:
    given = (_made(points[(number + at * (POINTS // OWN)) % POINTS]) for at in range(OWN))
    return _front_end(f"line{number}", *given, uses=("pack0.*",), products=(products[number % len(products)],))


def _context(release: Release, code: str = "north") -> Context:
    """Return the context that an implementation would get, taken out of a call."""
    plan = release.line(code).plan({})
    read, bound = _capability("bench.read", Effect.READ)
    offered = BoundCapability(capability=read, implementation=bound, dimensions=(), read=None)
    platform = Platform(release, cast(Any, _NoStore()))
    call = Call(platform, offered, plan, None, Caller(front_end=code), datetime.now(UTC))
    return CallContext(call, plan, read)


def _built_in(points: list[Any], front_ends: list[FrontEnd]) -> float:
    gc.collect()
    began = time.perf_counter()
    _release(points, front_ends)
    return time.perf_counter() - began


def _requests(release: Release, codes: list[str], points: list[Any]) -> float:
    """Return the nanoseconds of one request: find the front end's plan, then ask it every question."""
    for code in set(codes):  # compiled on first use, and that is not what is measured
        for point in points:
            release.line(code).plan({}).answer(point)
    began = time.perf_counter_ns()
    for code in codes:
        plan = release.line(code).plan({})
        for point in points:
            plan.answer(point)(5, 2)
    return (time.perf_counter_ns() - began) / len(codes)


def _plans_cost(release: Release, codes: list[str], points: list[Any]) -> float:
    """Return the bytes that first requests add, each to a front end that had none."""
    fresh = [line for line in release.lines.values() if not line._plans][: len(codes)]
    tracemalloc.start()
    for line in fresh:
        for point in points:
            line.plan({}).answer(point)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used / len(fresh)


def _pluggy(front_ends: int) -> Any:
    """Register a plugin for each front end; pluggy asks them all, and the one that is meant answers."""
    spec, impl = pluggy.HookspecMarker("bench"), pluggy.HookimplMarker("bench")

    class Spec:
        @spec(firstresult=True)
        def price(self, front_end: str, minor: int, quantity: int) -> int | None: ...

    class Plugin:
        def __init__(self, code: str) -> None:
            self.code = code

        @impl
        def price(self, front_end: str, minor: int, quantity: int) -> int | None:
            return minor if front_end == self.code else None

    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(Spec)
    for number in range(front_ends):
        manager.register(Plugin(f"north{number}"))
    return manager.hook


class _IPrice(Interface):  # pyright: ignore[reportGeneralTypeIssues]
    """The question."""


def _zope(front_ends: int) -> tuple[AdapterRegistry, object]:
    registry = AdapterRegistry()
    made: list[object] = []
    for number in range(front_ends):
        interface = type(Interface)(f"IFrontEnd{number}", (Interface,))
        made.append(implementer(interface)(type(f"FrontEnd{number}", (), {}))())
        registry.register([interface], _IPrice, "", plain)
    return registry, made[0]


_FRONT_ENDS = [type(f"FrontEnd{number}", (), {}) for number in range(100)]


def _singledispatch(front_ends: int) -> Callable[..., int]:
    @functools.singledispatch
    def asked(front_end: object, minor: int, quantity: int) -> int:
        return minor

    for front_end in _FRONT_ENDS[:front_ends]:
        asked.register(front_end, lambda front_end, minor, quantity: minor)
    return asked


def _loop(statement: str, times: int = 10, **names: Any) -> Callable[[], float]:
    """Return what measures a statement in nanoseconds, written out so often that the loop around it hardly counts."""
    body = "\n        ".join([statement] * times)
    text = f"def run(turns, {', '.join(names)}):\n    for _ in range(turns):\n        {body}\n"
    space: dict[str, Any] = {}
    exec(text, space)

    def measure() -> float:
        turns = CALLS // 10
        began = time.perf_counter_ns()
        space["run"](turns, **names)
        return (time.perf_counter_ns() - began) / turns / times

    return measure


def _medians(rounds: int, **sides: Callable[[], float]) -> dict[str, float]:
    """Measure all sides in turn: the best of five short measurements in each round, and the median over rounds.

    The best of five, because another process on the same core can only make one of them slower.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        best: dict[str, float] = {}
        for _ in range(5):
            for name, measure in sides.items():
                best[name] = min(best.get(name, float("inf")), measure())
        for name, found in best.items():
            taken[name].append(found)
    return {name: statistics.median(times) for name, times in taken.items()}


def _row(name: str, value: float, unit: str, against: str, ratio: float | None, at_most: float | None = None) -> Row:
    met = None if at_most is None or ratio is None else ratio <= at_most
    aim = "reported" if at_most is None else f"≤ {at_most:g}×"
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio, "aim": aim, "met": met}
