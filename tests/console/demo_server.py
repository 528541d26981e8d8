"""The demo as a server process of its own, for pictures and measurements."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "pictures"
STARTS_WITHIN_S = 600


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo at work: the address of its API, and the folder of its data."""

    address: str
    data: Path

    def key(self, code: str) -> str:
        """Make an API key of a front end."""
        command = [sys.executable, "-m", "isthmus.cli", "client", "create", code, "--name", "pictures"]
        environment = {**os.environ, "ISTHMUS_DATA": str(self.data)}
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return re.findall(r"isth_[\w-]{43}", made.stdout)[0]


@asynccontextmanager
async def demo(folder: Path, orders: int, *, is_kept: bool = False) -> AsyncIterator[Demo]:
    """Sell so many baskets and serve them until the block ends; is_kept: serve what was sold before."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = folder / "demo"  # the demo makes a folder of its own
    command = ["serve"] if is_kept else ["demo", "--orders", str(orders)]
    server = subprocess.Popen(  # noqa: ASYNC220 - starts at once
        [sys.executable, "-m", "isthmus.cli", *command, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "ISTHMUS_CONSOLE_TOKEN": TOKEN, "ISTHMUS_DATA": str(made if is_kept else folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await _ready(f"http://127.0.0.1:{port}", server)
        yield Demo(f"http://127.0.0.1:{port}", made)
    finally:
        server.terminate()
        server.wait()


async def _ready(address: str, server: subprocess.Popen[bytes]) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(STARTS_WITHIN_S * 2):
            await asyncio.sleep(0.5)
            if server.poll() is not None:
                raise SystemExit("the demo has stopped; run `make demo` to see why")
            try:
                if (await client.get(f"{address}/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                continue
    raise SystemExit("the demo did not start")
