"""A server process of its own, which a test may kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.waiting import PATIENCE_S, until


class Server:
    """An `isthmus serve` of its own, on the database of a shop; killed without a word, it can be started again."""

    def __init__(self, folder: Path, database_url: str, *, workers: int = 1, **environment: str) -> None:
        self._folder = folder
        self._workers = str(workers)
        self._environment = {**os.environ, "ISTHMUS_DATABASE_URL": database_url, **environment}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "isthmus.cli", "serve", "--port", str(self.port), "--workers", self._workers]
        self._process = subprocess.Popen(command, cwd=self._folder, env=self._environment)  # noqa: ASYNC220 - at once
        await until(self._is_ready, "that the server is ready")

    async def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server has ended with {self._process.returncode}"
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.port}/ready")).status_code == 200
            except httpx.TransportError:
                return False

    @property
    def pid(self) -> int:
        """The process that the workers are children of."""
        return self._process.pid if self._process else 0

    def stop(self) -> None:
        """End it, and the workers that it started."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
