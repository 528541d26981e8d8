"""The demo as a server process of its own, for pictures and measurements."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
QUIET_MAX_S = 600  # without a moment of processor time; a demo that works is waited for however long it takes
SAID_EVERY_S = 15


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: the address of its API, and the folder of its data."""

    address: str
    data: Path

    def key(self, code: str) -> str:
        """Make an API key of a front end."""
        command = [sys.executable, "-m", "isthmus.cli", "client", "create", code, "--name", "pictures"]
        environment = {**os.environ, "ISTHMUS_DATA": str(self.data)}
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return re.findall(r"isth_[\w-]{43}", made.stdout)[0]

    def sign_in_link(self, name: str = "operator") -> str:
        """Make a link by which somebody of the demo signs in once."""
        command = [sys.executable, "-m", "isthmus.cli", "security", "sign-in-link", name]
        environment = {**os.environ, "ISTHMUS_DATA": str(self.data)}
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return re.findall(r"/console(/\S+)", made.stdout)[0]


@asynccontextmanager
async def demo(folder: Path, orders: int, *, is_kept: bool = False) -> AsyncIterator[Demo]:
    """Sell so many baskets and serve them until the block ends; is_kept: serve what was sold before."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = folder / "demo"  # the demo makes a folder of its own
    log = folder / "demo.log"
    command = ["serve"] if is_kept else ["demo", "--orders", str(orders)]
    server = _started(
        [sys.executable, "-m", "isthmus.cli", *command, "--port", str(port)],
        {**os.environ, "ISTHMUS_DATA": str(made if is_kept else folder)},
        log,
    )
    try:
        await _ready(f"http://127.0.0.1:{port}", server, log)
        yield Demo(f"http://127.0.0.1:{port}", made)
    finally:
        server.terminate()
        server.wait()


def _started(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command whose words go to a file, so that they can be shown where it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as said:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)


async def _ready(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the demo answers, for as long as it is running: a busy machine is slow, and no fault of it.

    Ends with what the demo said last where its process has ended, or has used no processor time for long.
    """
    began = worked = time.monotonic()
    used, said = 0, began
    async with httpx.AsyncClient() as client:
        while time.monotonic() - worked < QUIET_MAX_S:
            await asyncio.sleep(0.5)
            if server.poll() is not None:
                raise SystemExit(f"the demo has stopped with {server.returncode}:\n{_tail(log)}")
            try:
                if (await client.get(f"{address}/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass  # not yet: it serves when it has sold
            now, ticks = time.monotonic(), _ticks(server.pid)
            if ticks != used:
                used, worked = ticks, now
            if now - said > SAID_EVERY_S:
                said = now
                print(f"the demo is selling, for {now - began:.0f} s so far", file=sys.stderr)
    raise SystemExit(f"the demo has not worked for {QUIET_MAX_S} s and does not answer:\n{_tail(log)}")


def _ticks(pid: int) -> int:
    """Return the processor time that a process has used, in ticks; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
