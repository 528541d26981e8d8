"""Keep several worker processes running: one that ends is replaced, one that is only busy is left alone.

uvicorn's own supervisor kills a worker that is silent for five seconds. On a busy machine a worker imports for longer
than that, and a call into C that keeps the interpreter's lock silences a healthy one. Here the end of a process is the
sign, and silence only where it lasts for minutes.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from socket import socket
from threading import Timer
from typing import Any, Final, cast

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.server import Server
from uvicorn.supervisors.multiprocess import Multiprocess, Process

SILENT_MAX_S: Final = 120.0  # of a worker that has spoken before: longer than any call into C that ends
START_MAX_S: Final = 600.0  # to import, migrate and open everything, beside any other work
RESTART_WAIT_MAX_S: Final = 30.0  # before a worker that keeps ending is started again
RESTART_WAIT_S: Final = 0.5
SIGNAL_EVERY_S: Final = 1.0
STEADY_S: Final = 60.0  # a worker that lived for so long did not end for what it is
PARENT_DIED: Final = 1  # PR_SET_PDEATHSIG of prctl(2)

log = logging.getLogger("isthmus.gateway")


class EndingServer(Server):
    """A server that ends once it has stopped, though a thread is still running: nobody is left to take its answer.

    Python waits for such threads at its end, as long as a question to the data platform may take.
    """

    threads_s = 20.0  # for what is running to end by itself

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        await super().shutdown(sockets)
        end = Timer(self.threads_s, os._exit, (0,))
        end.daemon = True
        end.start()


class Worker(Process):
    """A worker process that ends with its supervisor, and is asked for a word without being waited for."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.started_at = self.heard_at = time.monotonic()
        self._is_asked = self._has_spoken = self.is_serving = False
        self._parent = os.getpid()

    def target(self, sockets: list[socket] | None = None) -> None:
        end_with_parent(self._parent)
        for one in sockets or ():
            one.set_inheritable(False)  # it was passed on by being inherited, and goes no further
        self._server = EndingServer(self.config)
        super().target(sockets)

    def is_silent(self, now: float) -> bool:
        """Ask for a word where none is owed, take the one that has come, and say whether it is silent for too long."""
        pipe = cast("Connection[Any, Any]", self.parent_conn)
        try:
            if not self._is_asked:
                pipe.send(b"ping")
                self._is_asked = True
            if pipe.poll(0):
                self.is_serving = bool(pipe.recv())
                self.heard_at, self._is_asked, self._has_spoken = now, False, True
        except (OSError, EOFError):
            return False  # it has ended, or is about to: its process says so
        return now - self.heard_at > (SILENT_MAX_S if self._has_spoken else START_MAX_S)


class Supervisor(Multiprocess):
    """Starts the workers of one server, and stops them so that nobody is left at a door that no one opens."""

    processes_num: int

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.has_failed = False  # a worker could not start, and none of them ever could
        self._ended = 0  # workers in a row that ended before they were steady
        self._starts_at = 0.0

    def init_processes(self) -> None:
        """Start the first worker. The others follow when it serves: what keeps it from that is reported once."""
        self.processes.append(self._started())

    def keep_subprocess_alive(self) -> None:
        if self.should_exit.is_set():
            return  # whoever has ended is not needed any more
        if cast(Worker, self.processes[0]).is_serving:
            self.processes += [self._started() for _ in range(self.processes_num - len(self.processes))]
        for place, process in enumerate(self.processes):
            worker = cast(Worker, process)
            now = time.monotonic()
            if worker.process.is_alive():
                if not worker.is_silent(now):
                    continue
                log.error("worker %s was silent for too long and is replaced", worker.pid)
                worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                log.error("worker %s could not start, so the server stops", worker.pid)
                self.has_failed = True
                self.should_exit.set()
                return
            if self._may_start(worker, now):
                self.processes[place] = self._started()

    def terminate_all(self) -> None:
        """Stop listening first: whoever comes now is refused at once, and may ask another server."""
        for one in self.sockets:
            one.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers to end, and tell them again: one that was only just started may not have heard it."""
        for one in self.processes:
            while one.process.is_alive():
                one.process.join(SIGNAL_EVERY_S)
                one.process.terminate()

    def restart_all(self) -> None:
        """Replace each worker once another one is ready in its place."""
        for place, old in enumerate(self.processes):
            new = self._started()
            if not new.wait_until_ready(START_MAX_S, self.should_exit):
                new.kill()
                new.join()
                log.error("worker %s was not ready in time, so %s stays and no more are replaced", new.pid, old.pid)
                return
            old.terminate()
            old.join()
            self.processes[place] = new

    def handle_ttin(self) -> None:
        self.processes_num += 1
        self.processes.append(self._started())

    def _may_start(self, ended: Worker, now: float) -> bool:
        """Say whether a worker may be started again; one that keeps ending waits longer each time."""
        if not self._starts_at:
            log.warning("worker %s ended with %s", ended.pid, ended.exitcode)
            self._ended = 0 if now - ended.started_at > STEADY_S else self._ended + 1
            wait_s = RESTART_WAIT_S * 2 ** min(self._ended - 1, 10) if self._ended else 0.0
            self._starts_at = now + min(RESTART_WAIT_MAX_S, wait_s)
        if now < self._starts_at:
            return False
        self._starts_at = 0.0
        return True

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker


def end_with_parent(parent: int) -> None:
    """Have this process stopped when the one that started it ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
