"""Run the benchmarks, print a table, write build/bench.json.

python -m bench                 # all, in minutes
python -m bench kernel orders   # some
python -m bench --rounds 7      # medians of more rounds
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

OUT = Path("build/bench.json")
WIDTH = 180  # columns of a table that goes into a file
ROUNDS = 5  # a median of five is not moved by two disturbed rounds


class Row(TypedDict):
    """One figure. ratio is value over the peer's (or the limit's), whichever way `aim` is worded."""

    name: str
    value: float
    unit: str
    against: str
    ratio: float | None
    aim: str
    met: bool | None


def main() -> int:
    """Run what was named; exit 1 where an aim is missed and --strict was given."""
    folder = Path(__file__).parent  # what has no `rows` is a script of its own, or stands below others
    names = sorted(file.stem for file in folder.glob("*.py") if "\ndef rows(rounds" in file.read_text())
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds to take the median of")
    parser.add_argument("--strict", action="store_true", help="exit 1 where an aim is missed")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.only) - set(names))
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(names)}")
    rows = measured(chosen.only or names, chosen.rounds)
    show(rows)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=2) + "\n")
    return 1 if chosen.strict and any(row["met"] is False for row in rows) else 0


def measured(names: list[str], rounds: int) -> list[Row]:
    """Run the benchmarks one after the other, with a bar that says which is running and how many are left."""
    rows: list[Row] = []
    shown = (TextColumn("measuring {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name)
            began = time.perf_counter()
            rows += importlib.import_module(f"bench.{name}").rows(rounds)
            progress.advance(task)
            progress.console.print(f"{name}: {time.perf_counter() - began:.0f} s")
    return rows


def show(rows: list[Row]) -> None:
    """Print the table."""
    machine = f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    table = Table("what", "value", "against", "ratio", "aim", "met", title=f"bench on {machine}")
    for row in rows:
        met = {True: "[green]yes", False: "[red]no", None: ""}[row["met"]]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        table.add_row(row["name"], f"{row['value']:,.4g} {row['unit']}", row["against"], ratio, row["aim"], met)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


if __name__ == "__main__":
    sys.exit(main())
