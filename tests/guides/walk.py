"""Walk a guide: run what it says to run, and see that it prints what the guide shows.

```sh first     these run in one shell before the server is there
```sh serve     the server, which runs until the end of the guide
```sh run       runs in one shell after the other blocks
```text         lines that the block before it prints; `…` stands for anything
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"
BLOCK = re.compile(r"^```(\w*)(?: (\w+))?\n(.*?)^```$", re.M | re.S)
STARTS_WITHIN_S = 300  # of a busy machine
WALKS_WITHIN_S = 900  # `until` in a guide waits for ever where what it waits for does not come
PORT = "8080"  # in the guides
PROGRAMS = {"isthmus": "isthmus.cli", "bean-check": "beancount.scripts.check", "pytest": "pytest", "uvicorn": "uvicorn"}
OTHER_PORTS = ("8081", "8090", "8091")  # in the guides: a shop's, a receiver's, and who stands before it


@dataclass(frozen=True, slots=True)
class Guide:
    """What a guide says to run, and the lines that each part of it should print."""

    first: str
    serve: str
    steps: Sequence[tuple[str, Sequence[str]]]


def read(page: Path, port: str = PORT) -> Guide:
    """Return what a page says to run, at another port; whatever else listens has a free one."""
    first, serve, steps = "", "", list[tuple[str, list[str]]]()
    text = page.read_text().replace(PORT, port)
    for other in OTHER_PORTS:
        text = text.replace(other, free_port())
    for language, what, body in BLOCK.findall(text):
        if what == "first":
            first = f"{first}\n{body.strip()}".strip()
        elif what == "serve":
            serve = body.strip()
        elif what == "run":
            steps.append((body.strip(), []))
        elif language == "text" and steps:
            steps[-1] = (steps[-1][0], body.strip().splitlines())
    return Guide(first, serve, steps)


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def environment(folder: Path, port: str, **more: str) -> dict[str, str]:
    """Return an environment in which commands are those of this checkout, and the settings those of a folder."""
    (folder / "bin").mkdir(exist_ok=True)
    for name, module in PROGRAMS.items():
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        command.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ISTHMUS_", "PYTEST_"))}
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "ISTHMUS_PORT": port, "COLUMNS": "200", **more}


@contextmanager
def serving(command: str, folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Keep a server of a guide running."""
    server = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=folder, env=dict(variables))
    try:
        _wait(server, int(variables["ISTHMUS_PORT"]))
        yield
    finally:
        server.terminate()
        server.wait(STARTS_WITHIN_S)


def follow(steps: Sequence[tuple[str, Sequence[str]]], folder: Path, variables: Mapping[str, str]) -> None:
    """Run the steps of a guide in one shell, and compare what each printed with what the guide shows."""
    parts = (f"{{ {text}\n}} 2>&1\nprintf '\\n=== {number}\\n'\n" for number, (text, _) in enumerate(steps))
    script = "set -e\n" + "".join(parts)
    walker = subprocess.Popen(
        ["bash", "-c", script], cwd=folder, env=dict(variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = walker.communicate(timeout=WALKS_WITHIN_S)
    except subprocess.TimeoutExpired:
        pytest.fail(f"a step waits for ever: {steps}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(walker.pid, signal.SIGKILL)  # what a guide has started beside it, where it ended before its end
    ran = subprocess.CompletedProcess([], walker.returncode, out, err)
    said = re.split(r"^=== \d+\n", ran.stdout, flags=re.M)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for (text, expected), output in zip(steps, said, strict=False):
        for line in expected:
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(pattern, output), f"{text}\nshould say\n{line}\nand said\n{output}"


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")
