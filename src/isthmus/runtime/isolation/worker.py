"""The worker process of one front end: loads its folder once, then forks a copy for each place in which it answers.

Started by `workers` with nothing of the platform's environment. The first process never runs an answer, so it is
always there to end a copy that hangs, and a fresh copy costs a fork instead of a start.

    control socket   out: status and manifest. in: b"f" + number, with a socket (fork); b"k" + number (kill)
    a copy's socket  in: 2 bytes of index, arguments. out: 1 byte of status, answer or what went wrong
    every message    4 bytes of length before it, but on the control socket's way in
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from isthmus.kernel import PASS, errors
from isthmus.kernel.host import Answer

from ..deploy.loading import load_front_end
from .manifest import describe, own_answers
from .wire import Wire, wire_of

ANSWERED, RAISED, OUT_OF_MEMORY = 0, 1, 2
FILES_MAX = 64  # open files: an answer is pure and needs none
PARENT_DIED = 1  # PR_SET_PDEATHSIG of prctl(2)
READ_BYTES = 1 << 16  # from 128 KiB on, each read maps and unmaps memory of its own: 15 µs
CPU_S = 0.02  # a hundred times what a rule takes; whoever needs more yields to whoever does not
YIELDING = 19  # the lowest priority: it still has every core that nobody else wants

Answering = Callable[[memoryview], bytes]


def main() -> None:
    """Load the folder, send its manifest, and fork on command until the platform is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    folder, memory_mb = Path(sys.argv[2]), int(sys.argv[3])
    _limit(memory_mb)
    try:
        front_end = load_front_end(folder)
        manifest = msgspec.msgpack.encode(describe(front_end))
        answering = [_answering(answer) for answer in own_answers(front_end)]
    except BaseException as error:
        send(control, bytes([RAISED]) + _words(error).encode())
        return
    send(control, bytes([ANSWERED]) + manifest)
    gc.collect()
    gc.freeze()  # what is loaded stays shared between the copies
    _fork_on_demand(control, answering)


def send(sock: socket.socket, message: bytes) -> None:
    sock.sendall(len(message).to_bytes(4, "big") + message)


def receive(sock: socket.socket) -> memoryview | None:
    """Return the next message, or None where the other side is gone."""
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        try:
            more = sock.recv(READ_BYTES)
        except ConnectionError:
            return None
        if not more:
            return None
        data = data + more if data else more
    return memoryview(data)[4:]


def _limit(memory_mb: int) -> None:
    """Give what is loaded from here on, and each copy with it, so much memory beyond what Python itself takes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    most = pages * resource.getpagesize() + memory_mb * 1_048_576
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))


def _fork_on_demand(control: socket.socket, answering: list[Answering]) -> None:
    copies: dict[bytes, int] = {}
    while True:
        message, sockets, _, _ = socket.recv_fds(control, 5, 1)
        if not message:
            break
        for number, pid in [*copies.items()]:  # a pid that was not waited for cannot have become another's
            if os.waitpid(pid, os.WNOHANG)[0]:
                del copies[number]
        if message[:1] == b"k" and message[1:] in copies:
            os.kill(copies[message[1:]], signal.SIGKILL)
        if message[:1] == b"f":
            if not (pid := os.fork()):
                control.close()
                _serve(socket.socket(fileno=sockets[0]), answering)
            copies[message[1:]] = pid
            os.close(sockets[0])
    for pid in copies.values():
        os.kill(pid, signal.SIGKILL)


def _serve(sock: socket.socket, answering: list[Answering]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)
    signal.signal(signal.SIGPROF, _yield)
    status = ANSWERED
    while status != OUT_OF_MEMORY and (ask := receive(sock)) is not None:
        signal.setitimer(signal.ITIMER_PROF, CPU_S)  # of computing: waiting for the next ask is none
        try:
            status, reply = ANSWERED, answering[int.from_bytes(ask[:2], "big")](ask[2:])
        except MemoryError:
            status, reply = OUT_OF_MEMORY, b""
        except BaseException as error:
            status, reply = RAISED, _words(error).encode()
        with suppress(OSError):  # the platform has given it up
            send(sock, bytes([status]) + reply)
    os._exit(0)


def _yield(*_: object) -> None:
    """Let others go first, from now on: a loop must not cost them their turn until its deadline ends it."""
    os.setpriority(os.PRIO_PROCESS, 0, YIELDING)


def _answering(answer: Answer) -> Answering:
    """Return what reads the arguments, asks, and writes what was said."""
    wire: Wire = wire_of(answer.point)
    function, applies = answer.function, answer.applies

    def ask(body: memoryview) -> bytes:
        arguments = wire.read(body)
        if applies is not None and not applies(*arguments):
            value: Any = [PASS] * len(arguments[0]) if answer.point.per_line else PASS
        else:
            value = function(*arguments)
            if asyncio.iscoroutine(value):
                value = asyncio.run(value)
        return wire.pack_answer(value)

    return ask


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, errors.IsthmusError) else repr(error)


if __name__ == "__main__":
    main()
