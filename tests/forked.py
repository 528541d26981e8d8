"""The command line as a process of its own that starts in a fifth of the time: forked from one that has imported it.

Three quarters of what a server costs to start are imports. They are made once for each worker of a run, in a process
that has nothing else: no loop, no thread, no connection. What is forked from it has its own folder and environment,
and can be killed as any other process. That a command starts from nothing is tried by `tests/gateway/test_server.py`,
`tests/cli/test_start.py` and the guides, which take no part in this.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[1]
IMPORTED = [
    "tests.no_prompt", "tests.authorities",
    "isthmus.cli.main", "isthmus.cli.data_opening", "typer._adapters", "pydantic.type_adapter",
    "isthmus.gateway.server", "isthmus.gateway.metrics", "isthmus.app.server", "isthmus.app.lake_sync",
    "isthmus.app.console", "isthmus.gateway.deploys", "isthmus.gateway.oauth.site",
    "isthmus.gateway.telemetry.prometheus", "duckdb", "httpx", "jsonschema", "pyarrow",
    "isthmus.console.pages.data", "tests.shipped",  # all packs
    "isthmus.packs.account.pages.site", "isthmus.packs.identity.pages.people", "isthmus.packs.identity.pages.account",
    "isthmus.packs.identity.pages.signing_in", "isthmus.packs.identity.service.vouching",
    "isthmus.packs.account.service.tokens",
]  # fmt: skip

SAY_WHERE = signal.SIGRTMIN  # has a process write where each of its threads is, whatever it does

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(IMPORTED)


def start(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> BaseProcess:
    """Start `isthmus` with arguments, in a folder, with nothing in its environment but this."""
    process = _forks.Process(target=_isthmus, args=(list(arguments), folder, dict(environment)))
    process.start()
    return process


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `isthmus` with arguments until it ends, and return what it said."""
    with tempfile.TemporaryDirectory() as said:
        files = Path(said, "out"), Path(said, "err")
        process = _forks.Process(target=_isthmus, args=(list(arguments), folder, dict(environment), *files))
        process.start()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(arguments, process.exitcode, *(one.read_text() for one in files))


def _isthmus(
    arguments: list[str], folder: Path, environment: dict[str, str], out: Path | None = None, err: Path | None = None
) -> None:
    """Be `python -m isthmus.cli` with arguments."""
    import uvicorn._subprocess

    from isthmus.cli.main import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    own = {str(ROOT), str(ROOT / "kits" / "storefront" / "src"), ""}  # of pytest: a command knows its folder alone
    sys.path[:] = [str(folder), *(one for one in sys.path if one not in own)]
    sys.argv = ["isthmus", *arguments]
    for path, number in ((out, 1), (err, 2)):
        if path is not None:
            _write_to(path.open("wb"), number)
    faulthandler.register(SAY_WHERE, all_threads=True)
    uvicorn._subprocess.spawn = multiprocessing.get_context("fork")  # its workers need not import anything anew either
    os.register_at_fork(after_in_child=_listen_to_signals)
    main()


def _listen_to_signals() -> None:
    """Have a worker end when it is told to before it is a server: its supervisor's handlers would only note it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _write_to(file: BinaryIO, number: int) -> None:
    os.dup2(file.fileno(), number)
