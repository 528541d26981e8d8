"""Guides are followed word for word, by somebody who knows nothing else."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.M | re.S)
STARTS_WITHIN_S = 300  # of a busy machine


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guides call with curl")
@pytest.mark.parametrize("guide", ["first-front-end.md", "ship-alone.md", "attributes.md", "sharing.md"])
async def test_the_guide_does_what_it_says(database_url: str, tmp_path: Path, guide: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (tmp_path / "bin").mkdir()
    for name, module in (("isthmus", "isthmus.cli"), ("pytest", "pytest")):
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "ISTHMUS_DATABASE_URL": database_url,
        "ISTHMUS_PORT": port,
        "COLUMNS": "200",
    }
    first, serve, steps = _read((GUIDES / guide).read_text().replace("8080", port))
    if first:
        subprocess.run(["bash", "-c", first], cwd=tmp_path, check=True)  # noqa: ASYNC221 - nothing runs yet
    server = subprocess.Popen(["bash", "-c", f"exec {serve}"], cwd=tmp_path, env=environment)  # noqa: ASYNC220
    try:
        _wait(int(port))
        parts = (f"{{ {text}\n}} 2>&1\necho '=== {number}'\n" for number, (text, _) in enumerate(steps))
        script = "set -e\n" + "".join(parts)
        ran = subprocess.run(  # noqa: ASYNC221 - a person would wait too
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        said = re.split(r"^=== \d+\n", ran.stdout, flags=re.M)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        for (text, expected), output in zip(steps, said, strict=False):
            for line in expected:
                pattern = ".*".join(re.escape(part) for part in line.split("…"))
                assert re.search(pattern, output), f"{text}\nshould say\n{line}\nand said\n{output}"
    finally:
        server.terminate()
        server.wait(STARTS_WITHIN_S)


def _read(text: str) -> tuple[str, str, list[tuple[str, list[str]]]]:
    """Return what comes first, the command that serves, and each block to run with the lines that it should print."""
    first, serve, steps = "", "", []
    for language, what, body in BLOCK.findall(text):
        if what == "first":
            first = body
        elif what == "serve":
            serve = body.strip()
        elif what == "run":
            steps.append((body.strip(), []))
        elif language == "text":
            steps[-1] = (steps[-1][0], body.strip().splitlines())
    assert serve
    assert len(steps) >= 5
    return first, serve, steps


def _wait(port: int) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")
