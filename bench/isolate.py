"""What isolation costs one call, and what a front end that misbehaves costs the others.

A call to a worker is compared with a bare pipe to a warm process, a guarded answer with the bare function. For the
others, the same calls are measured beside a front end that is well and beside one that loops, hogs memory, raises, ends
its worker or is slow, in turns: what counts is the ratio of their 99th percentiles.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from isthmus.app import server as app_server
from isthmus.app.config import load_config
from isthmus.app.packs import plugged
from isthmus.kernel import Caller, Context, Effect, FrontEnd, Pack, Registry, Value, capability, implements
from isthmus.packs.member import api as member
from isthmus.runtime.isolation.isolate import load_isolated, points_of
from isthmus.runtime.isolation.limits import Isolation
from isthmus.runtime.isolation.waiting import IsolatingPlatform

PACKS = plugged(load_config())
ASKS = 3_000
WATCHED = 100  # turns of so many asks in a round, half a millisecond each: on a busy machine few are left alone
TURNS = 8  # of each kind in a round, one after the other, so that what else the machine does meets both alike
CALLS = 50  # of the others, in each turn
PACE_S = 0.004  # between two calls, for the others and for the front end beside them
WELL = 1
TROUBLES = {"raises": 2, "hogs memory": 3, "ends": 4, "loops": 5, "is slow": 6}

ANSWERS = """
import os, time
from isthmus.kernel import FrontEnd, answers
from isthmus.packs.member import api as member


@answers(member.tier_for)
def tier(points: int) -> str:
    if points == 2:
        raise ValueError(points)
    if points == 3:
        return str(len(bytearray(10**12)))
    if points == 4:
        os._exit(1)
    while points == 5:
        pass
    if points == 6:
        time.sleep(0.05)
    return "gold"


FRONT_END = FrontEnd(code="{code}", name="{code}", owner="bench", uses=("probe.*",), answers=(tier,))
"""
ECHO = "import os\nwhile data := os.read(0, 65536): os.write(1, data)"

Row = dict[str, Any]


class Ask(Value):
    """Ask for a tier."""

    points: int


class Tier(Value):
    """The tier."""

    tier: str


@capability("probe.tier", version="1.0", effect=Effect.READ)
def tier(ask: Ask) -> Tier:
    """Tell a tier."""
    ...


@implements(tier)
async def read_tier(ask: Ask, ctx: Context) -> Tier:
    return Tier(tier=str(ctx.answer(member.tier_for)(ask.points)))


class NoStore:
    """Enough for what reads nothing."""

    def read(self, front_end: str, parts: str) -> NoStore:
        return self

    async def close(self) -> None: ...


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_one_call(Path(folder), rounds), *_inline(Path(folder), rounds), *_others(Path(folder), rounds)]


def _front_end(parent: Path, code: str, isolation: Isolation) -> FrontEnd:
    folder = parent / code
    folder.mkdir(exist_ok=True)
    (folder / "front_end.py").write_text(ANSWERS.replace("{code}", code))
    return load_isolated(folder, isolation, points_of(PACKS))


def _platform(*front_ends: FrontEnd) -> IsolatingPlatform:
    api, service = ModuleType("api", "Tells tiers."), ModuleType("service")
    api.tier, service.read_tier = tier, read_tier  # pyright: ignore[reportAttributeAccessIssue]
    probe = Pack(name="probe", owner="bench", api=api, service=(service,))
    return IsolatingPlatform(Registry().add(*PACKS, probe, *front_ends).freeze(), NoStore())  # pyright: ignore[reportArgumentType]


def _one_call(folder: Path, rounds: int) -> list[Row]:
    platform = _platform(_front_end(folder, "north", Isolation(mode="process", deadline_ms=5_000)))
    ask = platform.release.line("north").plan({}).answer(member.tier_for)
    pipe = subprocess.Popen([sys.executable, "-S", "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert pipe.stdin is not None
    assert pipe.stdout is not None
    given, taken = pipe.stdin.fileno(), pipe.stdout.fileno()

    def echo() -> None:
        os.write(given, b"0123456789")
        os.read(taken, 65_536)

    found = [(_median_us(echo), _median_us(lambda: ask(1))) for _ in range(rounds)]
    pipe.kill()
    pipe.wait()
    bare, asked = (statistics.median(side) for side in zip(*found, strict=True))
    return [
        {
            "name": "isolate: one ask of a worker process",
            "value": asked,
            "unit": "µs",
            "against": f"a bare pipe to a warm process: {bare:.1f} µs",
            "ratio": asked / bare,
            "aim": "at most 60 µs",
            "met": asked <= 60,
        }
    ]


def _inline(folder: Path, rounds: int) -> list[Row]:
    platform = _platform(front_end := _front_end(folder, "inline", Isolation()))
    guarded = platform.release.line("inline").plan({}).answer(member.tier_for)
    plain: Callable[[int], str] = front_end.answers[0].function.__wrapped__  # pyright: ignore[reportFunctionMemberAccess]
    found = [(_each_ns(plain), _each_ns(guarded)) for _ in range(WATCHED * rounds)]
    bare, watched = (min(side) for side in zip(*found, strict=True))  # of so few instructions, all above it is noise
    return [
        {
            "name": "isolate: watchdog and type check of an inline answer",
            "value": watched - bare,
            "unit": "ns",
            "against": f"the bare function: {bare:.0f} ns",
            "ratio": watched / bare,
            "aim": "about 80 ns",
            "met": watched - bare <= 100,
        }
    ]


def _others(folder: Path, rounds: int) -> list[Row]:
    return [asyncio.run(_p99_beside(folder, name, points, rounds)) for name, points in TROUBLES.items()]


async def _p99_beside(folder: Path, name: str, points: int, rounds: int) -> Row:
    """Measure calls of `south` in short turns, beside a front end that is well and beside the same one in trouble."""
    code = name.replace(" ", "-")
    platform = _platform(
        *(_front_end(folder, one, Isolation(mode="process", deadline_ms=100)) for one in (code, "well")),
        _front_end(folder, "south", Isolation(mode="process", deadline_ms=5_000)),  # a busy machine is no failure
    )
    app_server.settle_memory()  # as a server does
    p99s: dict[int, list[float]] = {WELL: [], points: []}
    for _ in range(rounds):
        took: dict[int, list[float]] = {WELL: [], points: []}
        for _ in range(TURNS):
            for beside in took:
                took[beside] += await _turn(platform, "well" if beside == WELL else code, beside)
        for beside in took:
            p99s[beside].append(statistics.quantiles(took[beside], n=100)[98])
    # of each round: one p99 over all would be that of the few rounds in which something else had the machine
    well, beside = (statistics.median(figures) for figures in p99s.values())
    return {
        "name": f"isolate: p99 of others while a front end {name}",
        "value": beside,
        "unit": "µs",
        "against": f"beside one that is well: {well:.0f} µs",
        "ratio": beside / well,
        "aim": "at most 1.10",
        "met": beside / well <= 1.10,
    }


async def _turn(platform: IsolatingPlatform, code: str, points: int) -> list[float]:
    """Return what each call of `south` took, every result checked, while another front end does `points`."""

    async def beside() -> None:
        caller = Caller(front_end=code)
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(_swallowed(platform, points, caller))
                await asyncio.sleep(PACE_S)

    neighbour = asyncio.create_task(beside())
    took: list[float] = []
    for _ in range(CALLS):
        await asyncio.sleep(PACE_S)
        began = time.perf_counter()
        found = await platform.call(tier, Ask(points=1), Caller(front_end="south"))
        took.append((time.perf_counter() - began) * 1e6)
        if found.tier != "gold":
            raise AssertionError(f"another front end's answer came: {found}")
    neighbour.cancel()
    await asyncio.wait([neighbour])
    return took


async def _swallowed(platform: IsolatingPlatform, points: int, caller: Caller) -> None:
    with suppress(Exception):  # that it fails is the point
        await platform.call(tier, Ask(points=points), caller)


def _median_us(ask: Callable[[], object]) -> float:
    took: list[int] = []
    for _ in range(ASKS):
        began = time.perf_counter_ns()
        ask()
        took.append(time.perf_counter_ns() - began)
    return statistics.median(took) / 1_000


def _each_ns(ask: Callable[[int], object]) -> float:
    began = time.perf_counter_ns()
    for _ in range(ASKS):
        ask(1)
    return (time.perf_counter_ns() - began) / ASKS
