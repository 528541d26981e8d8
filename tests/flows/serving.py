"""A server process of its own, which a test may kill."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import psutil

from tests import forked
from tests.waiting import until

ENDS_WITHIN_S = 120  # what is told to end and has not by then is stuck


class Server:
    """An `isthmus serve` of its own, on the database of a shop; killed without a word, it can be started again."""

    def __init__(self, folder: Path, database_url: str, *, workers: int = 1, **environment: str) -> None:
        self._folder = folder
        self._workers = str(workers)
        self._environment = {**os.environ, "ISTHMUS_DATABASE_URL": database_url, **environment}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: BaseProcess | None = None

    async def start(self) -> None:
        command = ["serve", "--port", str(self.port), "--workers", self._workers]
        self._process = await asyncio.to_thread(forked.start, command, self._folder, self._environment)
        await until(self._is_ready, "that the server is ready")

    async def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.is_alive(), f"the server has ended with {self._process.exitcode}"
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.port}/ready")).status_code == 200
            except httpx.TransportError:
                return False

    @property
    def pid(self) -> int:
        """The process that the workers are children of."""
        return (self._process.pid if self._process else None) or 0

    def stop(self) -> None:
        """End it, and the workers that it started."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(ENDS_WITHIN_S)
            if self._process.is_alive():
                self._end_by_force()
                raise AssertionError("the server did not end when it was told to; where it was is in its errors")
            self._process = None

    def _end_by_force(self) -> None:
        """Have each of its processes write where it is, and kill them."""
        supervisor = psutil.Process(self.pid)
        processes = [supervisor, *supervisor.children(recursive=True)]
        for one in processes:
            one.send_signal(forked.SAY_WHERE)
        time.sleep(1)  # they write it: nothing says when they have
        for one in processes:
            one.kill()
        self.kill()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
