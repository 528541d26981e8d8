"""The platform's side of a front end's worker processes: ask within a deadline, kill and replace what hangs."""

from __future__ import annotations

import asyncio
import itertools
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from isthmus.kernel import errors

from ..deploy.loading import import_path
from .breaker import Breaker, FrontEndAway
from .manifest import FrontEndManifest
from .sandbox import sandboxed
from .waiting import can_wait, wait
from .worker import ANSWERED, OUT_OF_MEMORY, READ_BYTES, receive

COPIES = 2  # one answers while the other is being replaced; more would only hide that answers are slow
LOAD_S = 20.0  # to start Python and import a folder; more than this is a loop in a module
AT_ONCE_S = 0.001  # so long the event loop itself waits for a quick answer, which saves the way through it
AGAIN_S = 0.001  # how soon a thread that cannot be woken looks again whether a worker is free
MISSED_S = 0.05  # how soon one that can be woken looks by itself, should its word have gone to a call that was cut


class WorkerFailed(errors.AnswerFailed):
    """A worker did not answer: too slow, too much memory, or it ended."""

    slug = "runtime.worker-failed"


class CannotLoad(errors.BadAsk):
    """A worker cannot load the folder."""

    slug = "runtime.cannot-load"


class Workers:
    """The processes of one front end. They end with this object, or with the platform's process."""

    def __init__(self, folder: Path, *, deadline_ms: int, memory_mb: int, hidden: Sequence[Path] = ()) -> None:
        self._folder = folder
        self._hidden = hidden
        self._deadline_s = deadline_ms / 1000
        self._memory_mb = memory_mb
        self._numbers = itertools.count(1)
        self._idle: deque[_Copy] = deque()
        self._waiting: deque[Callable[[], object]] = deque()  # wakes a call that waits; who came first is first
        self._is_quick = True  # the last answer came at once: the next one is worth a moment of the event loop
        self._starting = threading.Lock()
        self.breaker = Breaker(f"the worker of {folder.name!r}")
        self.manifest = self._start()

    def ask(self, who: str, index: int, arguments: bytes, deadline_s: float | None = None) -> memoryview:
        """Return what answer number `index` says. Raises WorkerFailed; also Unavailable while it is not asked."""
        self.breaker.admit()
        limit_s = min(deadline_s or self._deadline_s, self._deadline_s)
        copy = self._taken(time.monotonic() + limit_s)
        began = time.monotonic()
        try:  # what it waited for others is not the answer's: a worker that is in time is not killed for it
            reply = copy.exchange(index, arguments, began + limit_s, at_once=self._is_quick)
        except TimeoutError:
            self._is_quick = False
            self._replace(copy)
            self.breaker.failed()
            raise WorkerFailed(
                f"{who} had no answer within {limit_s * 1000:.0f} ms, and its worker was killed",
                remedy="look for a loop without an end, or give deadline_ms more room in isthmus.toml",
            ) from None
        except OSError as error:
            self._replace(copy)
            self.breaker.failed()
            raise WorkerFailed(
                f"the worker of {who} ended in the middle of an answer ({error})",
                remedy="run the answer with its last ask by hand: what ends a process is not caught in it",
            ) from None
        except BaseException:  # the call was cut while it waited: nobody will read this answer
            self._replace(copy)
            raise
        if reply[0] == OUT_OF_MEMORY:
            self._replace(copy)
            self.breaker.failed()
            raise WorkerFailed(
                f"{who} needs more memory than the {self._memory_mb} MB that it may take",
                remedy="keep less at once, or raise memory_mb in isthmus.toml",
            )
        self._is_quick = time.monotonic() - began < 2 * AT_ONCE_S
        self._give(copy)
        self.breaker.succeeded()
        if reply[0] != ANSWERED:
            raise errors.AnswerFailed(
                f"{who} raised {bytes(reply[1:]).decode()}", remedy="fix the answer, or roll the front end back"
            )
        return reply[1:]

    def close(self) -> None:
        """End the processes; asks fail from now on."""
        self._end()
        while self._idle:
            self._idle.popleft().sock.close()

    def _start(self) -> FrontEndManifest:
        """Start the process that loads the folder, and two copies of it."""
        ours, theirs = socket.socketpair()
        # -P and no more of the environment than this: what the platform knows of its database is not for the answers
        program = [sys.executable, "-P", "-m", "isthmus.runtime.isolation.worker"]
        program += [str(theirs.fileno()), str(self._folder), str(self._memory_mb)]
        process = subprocess.Popen(
            sandboxed(program, self._hidden, [self._folder]),
            env={"PYTHONPATH": import_path(), "PATH": os.defpath, "LANG": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._end = weakref.finalize(self, _end, process, ours)
        self._process, self._control = process, ours
        ours.settimeout(LOAD_S)
        try:
            message = receive(ours)
        except TimeoutError:
            message = None
        if message is None or message[0] != ANSWERED:
            self._end()
            fact = bytes(message[1:]).decode() if message else f"it did not answer within {LOAD_S:g} s, or ended"
            raise CannotLoad(f"{self._folder} cannot be loaded in a worker: {fact}", remedy="fix it, then try again")
        self._idle.extend(self._forked() for _ in range(COPIES))
        return msgspec.msgpack.decode(message[1:], type=FrontEndManifest)

    def _forked(self) -> _Copy:
        """Ask for another copy. It can be written to at once, and reads as soon as it is there."""
        number = next(self._numbers).to_bytes(4, "big")
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control, [b"f" + number], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Copy(ours, number)

    def _replace(self, copy: _Copy) -> None:
        """Kill a copy and have another one forked; where the process that forks is gone, start that anew."""
        copy.sock.close()
        try:
            self._control.sendall(b"k" + copy.number)
            self._idle.appendleft(self._forked())  # the last to be asked: it is not there yet
            self._wake()
        except OSError:
            threading.Thread(target=self._restart, name=f"restart of {self._folder.name}").start()

    def _restart(self) -> None:
        with self._starting:
            if not self._end.alive or self._process.poll() is None:
                return  # closed, or another thread was faster
            self._end()
            self._idle.clear()
            self._start()

    def _taken(self, ends: float) -> _Copy:
        while True:
            try:
                return self._idle.pop()  # who answered last: its memory is warm, and often its core too
            except IndexError:
                if time.monotonic() > ends:
                    raise FrontEndAway(
                        f"every worker of {self._folder.name!r} was busy for the whole deadline",
                        remedy="make its answers faster, or send less at once",
                    ) from None
            if not can_wait():
                time.sleep(AGAIN_S)
                continue
            wait(self._freed(ends - time.monotonic()))

    def _give(self, copy: _Copy) -> None:
        self._idle.append(copy)
        self._wake()

    def _wake(self) -> None:
        if self._waiting:
            self._waiting.popleft()()

    async def _freed(self, limit_s: float) -> None:
        """Wait until a worker may be free; a look every millisecond by each call would slow everybody's down."""
        freed = asyncio.Event()
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, freed.set)
        self._waiting.append(wake)
        try:
            async with asyncio.timeout(min(limit_s, MISSED_S)):
                await freed.wait()
        except TimeoutError:
            pass
        finally:
            with suppress(ValueError):
                self._waiting.remove(wake)


class _Copy:
    """One process that answers, one ask at a time."""

    __slots__ = ("number", "sock")

    def __init__(self, sock: socket.socket, number: bytes) -> None:
        self.sock = sock
        self.number = number
        # a time limit of the socket itself: no second system call for each ask
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, int(AT_ONCE_S * 1_000_000)))

    def exchange(self, index: int, arguments: bytes, ends: float, *, at_once: bool) -> memoryview:
        """Send and read. Raises TimeoutError, or another OSError where the process is gone."""
        size = len(arguments) + 2
        sent = self.sock.send(b"%b%b%b" % (size.to_bytes(4, "big"), index.to_bytes(2, "big"), arguments))
        if sent < size + 4:
            raise ConnectionError("it reads too slowly")
        flags = 0 if at_once else socket.MSG_DONTWAIT
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            try:
                more = self.sock.recv(READ_BYTES, flags)
            except BlockingIOError:  # not at once: let others run
                self._readable(ends)
                continue
            if not more:
                raise ConnectionError("no word of it came")
            data = data + more if data else more
        return memoryview(data)[4:]

    def _readable(self, ends: float) -> None:
        left_s = ends - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        if not can_wait():
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            if not poll.poll(left_s * 1000):
                raise TimeoutError
            return
        wait(_until_readable(self.sock.fileno(), left_s))


async def _until_readable(descriptor: int, limit_s: float) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        async with asyncio.timeout(limit_s):
            await readable.wait()
    finally:
        loop.remove_reader(descriptor)


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()  # the process ends its copies and itself when this is gone
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _has_descriptor(stream: Any) -> bool:
    try:
        return stream.fileno() >= 0
    except (AttributeError, OSError, ValueError):
        return False
