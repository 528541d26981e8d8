"""How soon the command line answers who asks what there is: `--version` and each page of help, a process each."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from isthmus.cli import main_app

LIMIT_S = 0.4  # of processor time: what is answered later is not asked twice
SHOWN = 3  # of the slowest, each by its name
OTHERS = "psql"  # whose help is its own
OF_DATA = (("data", "ask"), ("data", "land"))  # a command line of its own below `data`: its pages are made alike


def rows(rounds: int) -> list[dict[str, Any]]:
    """Measure the processor time of every page of help: the slowest few, and the middle of all."""
    pages = [("--version",), *((*path, "--help") for path in sorted({*_below(get_command(main_app), ()), *OF_DATA}))]
    spent = {page: min(_processor_s(page) for _ in range(max(1, rounds // 2))) for page in pages}
    slowest = sorted(spent, key=lambda page: -spent[page])[:SHOWN]
    found = [_row(" ".join(page), spent[page]) for page in dict.fromkeys([pages[0], ("--help",), *slowest])]
    return [*found, _row(f"the middle of all {len(pages)}", statistics.median(spent.values()))]


def _row(name: str, value: float) -> dict[str, Any]:
    return {"name": f"cli: {name}", "value": value * 1000, "unit": "ms of processor", "against": "the limit",
            "ratio": value / LIMIT_S, "aim": f"≤ {LIMIT_S * 1000:.0f} ms", "met": value <= LIMIT_S}  # fmt: skip


def _below(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if path != (OTHERS,):
        yield path
    if isinstance(command, TyperGroup):
        for name in command.list_commands(None):  # pyright: ignore[reportArgumentType]
            yield from _below(command.get_command(None, name), (*path, name))  # pyright: ignore[reportArgumentType]


def _processor_s(words: Sequence[str]) -> float:
    """Return the processor time of a command from nothing, interpreter and all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "isthmus.cli", *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
