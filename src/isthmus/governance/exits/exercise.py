"""Exercise an exit: eject a pack, build it, run it, put it in the pack's place, and compare call by call.

held by the platform?  → refused
eject → wheel → its own process and database → its own test → in place, on recorded calls → green or red
flows have its writes in their transactions?  → as many, each call of the pack on its own → green alone, or red

The service runs where no `isthmus` can be imported. Its database is made beside the platform's, and dropped.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from isthmus.kernel import Pack, Platform, Value, errors
from isthmus.later import later
from isthmus.runtime.replay.answers import Count
from isthmus.runtime.replay.capabilities import Versions, compared
from isthmus.store import Database, connect

from . import tables
from .calls import Again, asked_of, touching
from .given import in_shadow
from .held import first_of, flows_of, holds, joins
from .package import DATA, package_of, write
from .remote import in_place, replaced
from .runs import Ended

if TYPE_CHECKING:
    import httpx
else:
    httpx = later("httpx")

CALLS: Final = 200  # of each front end: some seconds; the rare ones are among them
START_LIMIT_S: Final = 30
STEP_LIMIT_S: Final = 300  # of building, loading and its own test
END_LIMIT_S: Final = 30  # what does not end by then when it is asked to is killed
TOKEN: Final = "ISTHMUS_EXIT_TOKEN"
BESIDE: Final = "isthmus_exit_"  # what the databases are called that are made for an exit
# Those that a check left behind which was killed: of this role's own, and no connection is called like them.
_LEFT: Final = (
    "select datname from pg_database where starts_with(datname, $1) and pg_get_userbyid(datdba) = current_user"
    " and not datname in (select application_name from pg_stat_activity where application_name is not null)"
)
# Run before the package: nothing of the platform can be imported, as where it is not installed.
_ALONE: Final = """
import runpy, sys
sys.modules["isthmus"] = None
runpy.run_module({0!r}, run_name="__main__", alter_sys=True)
"""


class Exit(Value):
    """What came of an exit. calls: recorded calls that both ran; reason: why it is not green."""

    pack: str
    ended: Ended
    calls: int = 0
    reason: str = ""
    package_calls: int = 0  # that its own test sent again


class StepFailed(errors.Fault):
    """A step of an exit did not end well."""

    slug = "exits.step-failed"

    def __init__(self, step: str, said: str) -> None:
        lines = [one for one in said.splitlines() if one.strip()]
        line = next((one for one in lines if one.startswith("E  ")), (lines or ["without a word"])[-1])
        why = line.removeprefix("E").strip()[:300]
        super().__init__(f"{step} failed: {why}", remedy="eject it with --to, and look there", said=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where exits are exercised: the running platform, its folder, and how many recorded calls of a front end count."""

    platform: Platform
    database: Database
    root: Path
    version: str
    today: date
    calls: int = CALLS


async def exercise(ground: Ground, pack: Pack) -> Exit:
    """Exercise the exit of one pack, and say how it ended; nothing of it stays."""
    release = ground.platform.release
    flows = flows_of(release.packs.values(), (line.front_end for line in release.lines.values()))
    if reasons := await asyncio.to_thread(holds, pack):
        return Exit(pack=pack.name, ended="refused", reason=first_of(reasons))
    joined = joins(pack, flows)
    found = await _tried(ground, pack, is_alone=bool(joined))
    if found.ended != "green":  # what was written since its rows were copied is no difference with a new copy
        found = await _tried(ground, pack, is_alone=bool(joined))
    return found.replace(ended="alone", reason=first_of(joined)) if joined and found.ended == "green" else found


async def eject(ground: Ground, pack: Pack, folder: Path) -> int:
    """Write a pack as a package with its rows and recorded calls, and return how many calls. Raises CannotEject."""
    again = Again(ground.database, ground.platform, pack)
    calls = [
        one
        async for call in asked_of(ground.database, ground.platform, pack, ground.calls)
        if (one := await again.answered(call)) is not None
    ]
    release = ground.platform.release
    await asyncio.to_thread(write, pack, release, ground.root, folder, calls, ground.version, ground.today)
    await tables.dump(ground.database.url, pack.name.replace("-", "_"), folder / DATA)
    return len(calls)


def build(folder: Path, to: Path) -> Path:
    """Build the wheel of a package, unpack it as an installer does, and return where.

    Raises StepFailed, and Unavailable where nothing here builds wheels.
    """
    if importlib.util.find_spec("hatchling") is None:
        raise errors.Unavailable("no wheel can be built without hatchling", remedy='pip install "isthmus[thin]"')
    _run("building its wheel", [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(to)], folder, {})
    site = to / "site"
    for wheel in to.glob("*.whl"):
        with zipfile.ZipFile(wheel) as found:
            found.extractall(site)
    return site


async def compare(ground: Ground, pack: Pack, other: Pack, *, is_alone: bool = False) -> tuple[int, list[str]]:
    """Run recorded calls by a pack and by what is in its place; return how many, and what differs.

    is_alone: calls of the pack, each on its own, and no flow in which it has a part.
    """
    before = ground.platform.release
    after = replaced(before, other)
    resources = in_shadow(pack, ground.platform.resources)
    platforms = [Platform(one, ground.database, resources=resources) for one in (before, after)]
    counts: dict[str, Count] = {}
    versions: dict[str, Versions] = {}
    differing: list[str] = []
    chosen = asked_of if is_alone else touching
    async for call in chosen(ground.database, ground.platform, pack, ground.calls):
        if call.front_end not in versions:
            versions[call.front_end] = Versions.of(platforms[0], platforms[1], call.front_end)
        count = counts.setdefault(call.capability, Count())
        if not await compared(ground.database, versions[call.front_end], call, count):
            differing.append(f"call {call.call_id} of {call.capability} for {call.front_end}")
    return sum(count.tally(name).compared for name, count in counts.items()), differing


async def _tried(ground: Ground, pack: Pack, *, is_alone: bool) -> Exit:
    with tempfile.TemporaryDirectory(prefix="isthmus-exit-") as made:
        try:
            return await _exercised(ground, pack, Path(made), is_alone=is_alone)
        except errors.IsthmusError as wrong:
            return Exit(pack=pack.name, ended="red", reason=str(wrong))
        except Exception as wrong:  # whatever broke, it did not leave; the exits of others are tried all the same
            return Exit(pack=pack.name, ended="red", reason=f"{type(wrong).__name__}: {wrong}")


async def _exercised(ground: Ground, pack: Pack, made: Path, *, is_alone: bool) -> Exit:
    folder, package = made / f"{pack.name}-service", package_of(pack.name)
    count = await eject(ground, pack, folder)
    site = await asyncio.to_thread(build, folder, made / "built")
    async with beside(ground.database.url) as url:
        environment = {"SERVICE_DATABASE_URL": url, "PYTHONPATH": str(site), TOKEN: secrets.token_urlsafe(16)}
        environment["SERVICE_TOKEN"] = environment[TOKEN]
        load = [sys.executable, "-c", _ALONE.format(package), "load", str(folder / DATA)]
        await asyncio.to_thread(_run, "loading its rows", load, made, environment)
        test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "tests"]
        await asyncio.to_thread(_run, "its own test", test, folder, environment)
        async with serving(package, made, environment) as address:
            os.environ[TOKEN] = environment[TOKEN]
            try:
                there = in_place(pack, address, TOKEN, is_undone=True)
                compares, differing = await compare(ground, pack, there, is_alone=is_alone)
            finally:
                del os.environ[TOKEN]
    reason = f"{len(differing)} of {compares} recorded calls differ, the first: {differing[0]}" if differing else ""
    if not compares:
        reason = "no recorded call of it could be run again, so nothing is proved"
    return Exit(pack=pack.name, ended="red" if reason else "green", calls=compares, reason=reason, package_calls=count)


@asynccontextmanager
async def serving(package: str, folder: Path, environment: Mapping[str, str]) -> AsyncGenerator[str]:
    """Run the service of a package in a process of its own, and give its address. Raises StepFailed."""
    port = _free_port()
    command = [sys.executable, "-c", _ALONE.format(package), "serve", "--port", str(port)]
    said = folder / "service.log"
    process = await asyncio.to_thread(_started, command, folder, environment, said)
    try:
        address = f"http://127.0.0.1:{port}"
        await _ready(address, process, said)
        yield address
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)


async def _ready(address: str, process: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + START_LIMIT_S
    async with httpx.AsyncClient() as client:
        while process.poll() is None and time.monotonic() < until:
            try:
                if (await client.get(f"{address}/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
    raise StepFailed("starting the service", await asyncio.to_thread(said.read_text))


@asynccontextmanager
async def beside(url: str) -> AsyncGenerator[str]:
    """Make a database on the platform's server, and drop it in the end. Raises StepFailed where that is not allowed."""
    name = f"{BESIDE}{secrets.token_hex(6)}"
    connection = await connect(url)
    try:
        await connection.execute(f"set application_name = '{name}'")  # whose it is, as long as this process lives
        for (left,) in await connection.fetch(_LEFT, BESIDE):
            await connection.execute(f"drop database if exists {left} with (force)")
        await connection.execute(f"create database {name}")
        scheme, place, _, query, _ = urlsplit(url)
        yield urlunsplit((scheme, place, f"/{name}", query, ""))
    finally:
        await connection.execute(f"drop database if exists {name} with (force)")
        await connection.close()


def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], said: Path
) -> subprocess.Popen[bytes]:
    with said.open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log)


def _run(step: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    ran = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, timeout=STEP_LIMIT_S, check=False
    )
    if ran.returncode:
        raise StepFailed(step, (ran.stdout + ran.stderr).decode(errors="replace"))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
