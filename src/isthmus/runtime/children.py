"""Processes beside this one: each has a time limit, and ends with the process that started it, however that ends.

A killed server says nothing to its children. So each child asks the kernel beforehand to be killed with its parent
(PR_SET_PDEATHSIG), in a stub that then becomes the program: the request outlives that. What a child starts itself
is ended with its session, by whoever waits for it here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Run without site packages: 10 ms. Whoever was orphaned before the request was heard ends at once.
_STUB: Final = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.nice(int(sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
"""
CHILD_OUTPUT_MAX: Final = 4 << 20  # of what is kept of what a child says: a report is a hundredth of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended. code: None where it was ended for taking too long."""

    code: int | None
    out: bytes
    complaint: bytes

    @property
    def is_late(self) -> bool:
        return self.code is None


async def run_child(
    command: Sequence[str],
    *,
    limit_s: float,
    env: Mapping[str, str],
    cwd: Path | None = None,
    niceness: int = 0,
    is_merged: bool = False,
) -> Ended:
    """Run a program until it ends, for so long at most, and return what it said; it never outlives this process.

    is_merged: what it complains of stands in what it says, where it was said.
    """
    process = await asyncio.create_subprocess_exec(
        *with_parent(command, niceness),
        cwd=cwd,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if is_merged else asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    out, complaint, code = bytearray(), bytearray(), None
    try:
        async with asyncio.timeout(limit_s):
            await asyncio.gather(_read(process.stdout, out), _read(process.stderr, complaint))
            code = await process.wait()
    except TimeoutError:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
        await process.wait()
    return Ended(code=code, out=bytes(out), complaint=bytes(complaint))


def with_parent(command: Sequence[str], niceness: int = 0) -> list[str]:
    """Return a command that runs this one, and that ends with this process. The program is named by its path."""
    return [sys.executable, "-I", "-S", "-c", _STUB, str(os.getpid()), str(niceness), *command]


async def _read(stream: asyncio.StreamReader | None, kept: bytearray) -> None:
    """Read to the end, and keep the last part: a program that says no end of things takes no memory for it."""
    while stream and (part := await stream.read(1 << 16)):
        kept += part
        del kept[:-CHILD_OUTPUT_MAX]
