"""What commands print on: results to stdout, what went wrong to stderr."""

from __future__ import annotations

from typing import Never

from rich.console import Console
from rich.markup import escape

out = Console()
problems = Console(stderr=True)


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
