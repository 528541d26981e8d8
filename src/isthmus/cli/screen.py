"""What commands print on: results to stdout, what went wrong to stderr."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Never

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

JSON = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
WIDTH_MAX = 100_000  # of a table that is written to a file: as wide as its rows


class Screen(Console):
    """A console on which no cell of a table is cut: a terminal folds it, a pipe gets the table as wide as it is."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print: a table whole, and a sentence on one line where nobody sees the line's end."""
        narrow = self.width
        tables = [one for one in objects if isinstance(one, Table)]
        for table in tables:
            self.width = max(self.width, self._needed(table))
        if not tables and not self.is_terminal:
            options.setdefault("soft_wrap", True)  # a path that is broken over two lines can't be copied
        super().print(*objects, **options)
        self.width = narrow

    def _needed(self, table: Table) -> int:
        for column in table.columns:
            column.overflow = "fold"
        return 0 if self.is_terminal else Measurement.get(self, self.options.update(width=WIDTH_MAX), table).maximum


out = Screen()
problems = Console(stderr=True)


def as_json(value: object) -> None:
    """Print a result as JSON, for programs."""
    from isthmus.kernel import encode  # here: a command that shows its help needs none of it

    print(encode(value).decode())


def show(lines: Iterable[str]) -> None:
    """Print lines of a result as they are: nothing in them is markup, and none is broken."""
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def print_result(found: object, lines: Iterable[str], *, json: bool) -> None:
    """Print a result: as JSON, or in lines."""
    if json:
        as_json(found)
    else:
        show(lines)


def say(sentence: str) -> None:
    """Print a sentence beside the result."""
    problems.print(sentence, markup=False, highlight=False, soft_wrap=True)


def stop(sentence: str) -> Never:
    """Print why a command cannot go on, and end with exit code 2."""
    problems.print(f"[red]isthmus:[/red] {escape(sentence)}", soft_wrap=True, highlight=False)
    raise SystemExit(2)


def first(doc: str) -> str:
    """Return the first line of a documentation."""
    return doc.splitlines()[0] if doc else ""
