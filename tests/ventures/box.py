"""The Tea Box as a process: real code on a real Node, with a real SQLite file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.waiting import until

ROOT: Final = Path(__file__).resolve().parents[2]
BOX: Final = ROOT / "ventures" / "box"
KEY: Final = "box-key-for-obligations"
DESK: Final = "box-key-of-the-desk"
NODE_MIN: Final = 20


def lacking() -> str:
    """Return what is missing to run the box, or nothing."""
    if not (node := shutil.which("node")) or not shutil.which("npm"):
        return "Node is not installed"
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return "" if int(version[1:].partition(".")[0]) >= NODE_MIN else f"Node {version} is older than {NODE_MIN}"


def installed() -> Path:
    """Return the folder of the box with what it depends on, installed where it is not."""
    if not (BOX / "node_modules").is_dir():
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=BOX, check=True, capture_output=True)
    return BOX


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@dataclass(slots=True)
class Box:
    """A box that runs, and what its people and buyers do there."""

    data: Path
    issuer: str
    platform: str
    port: int = field(default_factory=free_port)
    code: str = "box"
    environment: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _environment(self) -> dict[str, str]:
        own = {
            "BOX_PORT": str(self.port), "BOX_DATA": str(self.data), "BOX_ISSUER": self.issuer, "BOX_KEY": KEY,
            "BOX_DESK_KEY": DESK, "BOX_PLATFORM": self.platform, "BOX_CLIENT": self.code,
        }  # fmt: skip
        return {**os.environ, **own, **self.environment}

    def public_key(self) -> str:
        """Return the public half of what it signs with."""
        command = ["node", "src/main.mjs", "key"]
        ran = subprocess.run(command, cwd=BOX, env=self._environment(), check=True, capture_output=True, text=True)
        return ran.stdout.strip()

    async def start(self) -> None:
        command = ["node", "src/main.mjs"]
        self.process = subprocess.Popen(command, cwd=BOX, env=self._environment())  # noqa: ASYNC220 - at once
        await until(self._is_well, "that the box listens")

    async def _is_well(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the box has ended with {self.process.returncode}"
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.url}/health")).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def desk(self, path: str, **said: Any) -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=30) as client:
            reply = await client.post(f"{self.url}/desk/{path}", json=said, headers={"authorization": f"Bearer {DESK}"})
        assert reply.is_success, reply.text
        return reply.json()

    async def shown(self, path: str, method: str = "GET", **more: Any) -> Any:
        async with httpx.AsyncClient(timeout=30) as client:
            headers = {"authorization": f"Bearer {KEY}"}
            reply = await client.request(method, f"{self.url}/obligations/{path}", headers=headers, **more)
        assert reply.is_success, reply.text
        return reply.json()

    async def buy(self, browser: httpx.AsyncClient, plan: str = "discovery") -> None:
        """Take a box, as somebody who has signed in."""
        to = {
            "plan": plan, "name": "Ada Lovelace", "street": "Hauptstr. 1", "postcode": "10115", "city": "Berlin",
            "iban": "DE89 3704 0044 0532 0130 00",
        }  # fmt: skip
        reply = await browser.post(f"{self.url}/checkout", data=to)
        assert reply.status_code == 200, reply.text
        assert "Thank you" in reply.text
