"""What is started beside a process ends with it, with its time, and with what it has started itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from isthmus.runtime.children import CHILD_OUTPUT_MAX, run_child

LIMIT_S = 60
CHILD = "import os, time; open({file!r}, 'w').write(str(os.getpid())); time.sleep(600)"
PARENT = """
import asyncio, sys
from isthmus.runtime.children import run_child
asyncio.run(run_child([sys.executable, "-c", {child!r}], limit_s=600, env={{}}))
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def number_in(file: Path) -> int:
    """Return the number that a process writes when it is there."""
    until = time.monotonic() + LIMIT_S
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return int(file.read_text())


def wait_until_gone(pid: int) -> None:
    try:
        found = psutil.Process(pid)
        if found.status() != psutil.STATUS_ZOMBIE:
            found.wait(LIMIT_S)
    except psutil.NoSuchProcess:
        pass


async def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = PARENT.format(child=CHILD.format(file=str(tmp_path / "pid")))
    parent = subprocess.Popen(python(code))  # noqa: ASYNC220
    child = await asyncio.to_thread(number_in, tmp_path / "pid")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    await asyncio.to_thread(wait_until_gone, child)


async def test_a_child_ends_with_its_time_and_takes_along_what_it_started(tmp_path: Path) -> None:
    started = CHILD.format(file=str(tmp_path / "pid"))
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {started!r}])"
    waiting = asyncio.create_task(run_child(python(code), limit_s=600, env={}))
    grandchild = await asyncio.to_thread(number_in, tmp_path / "pid")
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.to_thread(wait_until_gone, grandchild)
    assert (await run_child(python("while True: pass"), limit_s=0.5, env={})).is_late


async def test_a_child_says_how_it_ended_and_no_end_of_words_costs_no_memory(tmp_path: Path) -> None:
    code = f"import os, sys; sys.stdout.write('x' * {2 * CHILD_OUTPUT_MAX} + 'end')"
    code += "; sys.stderr.write(os.getcwd()); sys.exit(3)"
    ended = await run_child(python(code), limit_s=LIMIT_S, env=dict(os.environ), cwd=tmp_path, niceness=1)
    assert (ended.code, len(ended.out), ended.out[-3:]) == (3, CHILD_OUTPUT_MAX, b"end")
    assert ended.complaint.decode() == str(tmp_path)
