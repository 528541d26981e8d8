"""A front end shipped alone: from a changed rule to live traffic, and 250 switches under full load.

Lead time is that of a person: the rule's file is written, `isthmus deploy` runs (a new Python that packs, loads, tests,
replays 10,000 recorded answers and switches), and the clock stops with the first answer of the new rule that a buyer
gets from a server with two workers. The limit is 5 s.

Switches: buyers of two front ends keep the server busy; one of the two is switched to and fro, a moment
after the last worker has followed. A call asks its rule before, inside and after another call, so an answer of two
versions would show. What the other front end notices is its p99 with switches over its p99 without, taken in turns.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus.app import platform as app_platform
from isthmus.gateway import auth
from isthmus.kernel import Caller
from isthmus.kernel.host import Trace
from isthmus.manifest.actions import Doer
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy import versions
from isthmus.runtime.replay import recorded

from . import _shop

SWITCHES = 250
WORKERS = 2
BUYERS = 12  # more than two workers serve at once
LEAD_S = 5.0
ANSWERS = 10_000
QUIET_S = 4.0
PAUSE_S = 0.05  # still hundreds of times as often as a team deploys
PLACE = _shop.FOLDER / "deploy"

Row = dict[str, Any]

_MANIFEST = '''
import asyncio
from isthmus.kernel import Context, Effect, FrontEnd, Value, answers, capability, flow, implements
from isthmus.packs.pricing import api as pricing

class Ask(Value):
    """Ask which version answers."""

class Told(Value):
    """What the rule said, each time."""
    said: tuple[str, ...]

@answers(pricing.choose_locations)
def where(location: str) -> tuple[str, ...]:
    """Look for the price of this version."""
    return ("{version}",)

@capability("{code}.part", version="1.0", effect=Effect.READ)
def part(ask: Ask) -> Told:
    """Tell it inside another call."""
    ...

@flow("{code}.which", version="1.0", effect=Effect.READ, uses=[part])
def which(ask: Ask) -> Told:
    """Tell it before, inside and after another call."""
    ...

@implements(part)
async def tell_part(ask: Ask, ctx: Context) -> Told:
    await asyncio.sleep(0)
    return Told(said=ctx.answer(pricing.choose_locations)("x"))

@implements(which)
async def tell_which(ask: Ask, ctx: Context) -> Told:
    first = ctx.answer(pricing.choose_locations)("x")
    inside = await ctx.call(part, ask)
    last = ctx.acting_for(ctx.box).answer(pricing.choose_locations)("x")
    return Told(said=(*first, *inside.said, *last))

FRONT_END = FrontEnd(code="{code}", name="{code}", owner="bench", uses=("pricing.*",), answers=(where,),
    capabilities=(which, part), implementations=(tell_which, tell_part))
'''
_TEST = """
from front_ends.{code} import front_end

def test_it_says_its_version():
    assert front_end.where.function("x") == ("{version}",)
"""


@dataclass
class Traffic:
    """What buyers of one front end were answered while they could."""

    code: str
    took_ms: list[float] = field(default_factory=list)
    answers: dict[bytes, int] = field(default_factory=dict)
    failed: int = 0
    is_over: bool = False

    def p99_ms(self) -> float:
        return statistics.quantiles(self.took_ms, n=100)[98]


def rows(rounds: int) -> list[Row]:
    """Measure both and return the table's rows."""
    return _shop.run(_measured(rounds))


async def _measured(rounds: int) -> list[Row]:
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    async with _shop.database("deploy") as url, app_platform.running(_shop.config(url), [], allowed="migrate") as shop:
        context = deploys.DeployContext(
            database=shop.database, release=app_platform.build(_shop.PACKS, []), cache=PLACE / "own"
        )
        keys = {
            code: [await auth.create_client(shop.database, code, f"bench {number}") for number in range(BUYERS)]
            for code in ("north", "south")
        }  # a key for each buyer: what one client may do is limited
        for code in keys:
            await deploys.deploy(context, _written(code, "v0"), deploys.DeployRequest(made_by="bench"))
        await _recorded(shop)
        async with _serving(url) as port:
            await _until_live(shop)
            lead = [await _lead_s(url, port, keys["north"][0], f"lead{number}") for number in range(min(rounds, 3))]
            return [_lead_row(lead), *await _switched(context, port, keys)]


async def _recorded(shop: app_platform.Running) -> None:
    """Record calls with 10,000 answers of the rule, as the recorder keeps them."""
    await shop.follower.catch_up()
    traces: list[Trace] = []
    north = Caller(front_end="north", client="bench")
    await shop.platform.call_wire("north.which", b"{}", north, on_trace=traces.append)
    first = recorded.recorded(traces[0], shop.platform.release.points)
    calls = [first.replace(call_id=f"{first.call_id}-{number}") for number in range(ANSWERS)]
    for at in range(0, ANSWERS, _shop.BATCH):
        await recorded.write(shop.database, calls[at : at + _shop.BATCH])


def _lead_row(lead: Sequence[float]) -> Row:
    seconds = statistics.median(lead)
    name = f"deploy: from a changed rule to its first answer, {ANSWERS:,} answers replayed"
    ratio = seconds / LEAD_S
    return _row(name, seconds, "s", f"{LEAD_S:g} s, two workers", ratio, "< 1", ratio < 1)


async def _switched(context: deploys.DeployContext, port: int, keys: dict[str, list[str]]) -> list[Row]:
    """Switch to and fro under load, with quiet times between for the other front end to be compared with."""
    await deploys.deploy(context, _written("north", "v1"), deploys.DeployRequest(made_by="bench"))
    kept = await versions.versions(
        context.database,
        "north",
    )
    hashes = [one.hash for one in kept[:2]]
    north, quiet, busy = Traffic("north"), Traffic("south"), Traffic("south")
    took: list[float] = []
    parts = 5
    for _ in range(parts):
        await _under_load(port, keys, [north, quiet], asyncio.sleep(QUIET_S))
        await _under_load(port, keys, [north, busy], _to_and_fro(context, hashes, SWITCHES // parts, took))
    pure = {b'{"said":["%s","%s","%s"]}' % ((one.encode(),) * 3) for one in _said(north.answers)}
    mixed = sum(count for answer, count in north.answers.items() if answer not in pure)
    calls, load = len(north.took_ms), f"{SWITCHES} switches, {len(north.took_ms):,} calls"
    ratio = busy.p99_ms() / quiet.p99_ms()
    return [
        _row("deploy: failed requests", north.failed + busy.failed, "requests", load, None, "0", not north.failed),
        _row("deploy: requests of two versions", mixed, "requests", load, None, "0", mixed == 0 and calls > SWITCHES),
        _row("deploy: until every worker has switched", statistics.median(took), "ms", load, None, "", None),
        _row(
            "deploy: p99 of another front end",
            busy.p99_ms(),
            "ms",
            f"{quiet.p99_ms():.1f} ms",
            ratio,
            "≤ 1.1",
            ratio <= 1.1,
        ),
    ]


def _said(answers: dict[bytes, int]) -> set[str]:
    return {answer.split(b'"')[3].decode() for answer in answers}


async def _to_and_fro(context: deploys.DeployContext, hashes: Sequence[str], count: int, took: list[float]) -> None:
    for number in range(count):
        held = await switches.current(context.database, "north")
        began = time.perf_counter()
        wanted = next(one for one in hashes if held is None or one != held.stable)
        done = await switches.put(
            context.database,
            "north",
            wanted,
            percent=100,
            by=Doer(caller=Caller(front_end="north", client=f"bench {number}")),
            expected=held.id if held else None,
        )
        took.append((time.perf_counter() - began) * 1_000)
        assert done.workers == WORKERS, done
        assert not done.behind, done
        await asyncio.sleep(PAUSE_S)


async def _under_load(port: int, keys: dict[str, list[str]], traffic: Sequence[Traffic], work: Any) -> None:
    for one in traffic:
        one.is_over = False
    async with asyncio.TaskGroup() as buying:
        for one in traffic:
            for key in keys[one.code][: BUYERS // len(traffic)]:
                buying.create_task(_buy(port, key, one))
        await work
        for one in traffic:
            one.is_over = True  # each ends with the answer that it waits for


async def _buy(port: int, key: str, traffic: Traffic) -> None:
    buyer = await _shop.Buyer.connect(port, key)
    try:
        while not traffic.is_over:
            began = time.perf_counter()
            try:
                status, answer = await buyer.call(f"{traffic.code}.which", b"{}")
            except ConnectionError:
                traffic.failed += 1
                buyer = await _shop.Buyer.connect(port, key)
                continue
            traffic.took_ms.append((time.perf_counter() - began) * 1_000)
            if status == 200:
                traffic.answers[answer] = traffic.answers.get(answer, 0) + 1
            else:
                traffic.failed += 1
    finally:
        buyer.close()


async def _lead_s(url: str, port: int, key: str, version: str) -> float:
    """Change the rule, deploy it as a person does, and return when a buyer first gets its answer."""
    began = time.perf_counter()
    folder = _written("north", version)
    command = [sys.executable, "-m", "isthmus.cli", "deploy", str(folder), "--accept"]
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": url}
    deploying = subprocess.Popen(command, cwd=PLACE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: ASYNC220
    buyer = await _shop.Buyer.connect(port, key)
    while True:
        _, answer = await buyer.call("north.which", b"{}")
        if version.encode() in answer:
            took = time.perf_counter() - began
            await asyncio.to_thread(deploying.wait)
            buyer.close()
            return took
        if deploying.poll() not in (None, 0):
            raise RuntimeError(deploying.stderr.read().decode() if deploying.stderr else "the deploy failed")
        await asyncio.sleep(0.01)


def _written(code: str, version: str) -> Path:
    folder = PLACE / "work" / code
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "front_end.py").write_text(_MANIFEST.replace("{code}", code).replace("{version}", version))
    (folder / "test_rule.py").write_text(_TEST.format(code=code, version=version))
    return folder


@asynccontextmanager
async def _serving(url: str) -> AsyncGenerator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "isthmus.cli", "serve", "--port", str(port), "--workers", str(WORKERS)]
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": url}
    process = subprocess.Popen(command, cwd=PLACE, env=environment, stderr=(PLACE / "server.log").open("w"))  # noqa: ASYNC220
    try:
        yield port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 30)


async def _until_live(shop: app_platform.Running) -> None:
    for _ in range(900):
        async with shop.database.platform() as session:
            if await session.fetch_value(switches._COUNT) == WORKERS:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("the workers did not start")


def _row(name: str, value: float, unit: str, against: str, ratio: float | None, aim: str, met: bool | None) -> Row:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio, "aim": aim, "met": met}
