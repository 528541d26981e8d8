"""What all commands of `isthmus data` print on and say alike."""

from __future__ import annotations

from typing import Annotated

import typer

from .screen import Screen

out = Screen()

Named = Annotated[list[str], typer.Argument(help="Metrics, as `isthmus data metrics` lists them.")]
ByOption = Annotated[list[str] | None, typer.Option("--by", "-b", help="Group by a field or time:month; may repeat.")]
PolicyOption = Annotated[str, typer.Option("--as", help="Ask as owner, a front end, or front-end:CODE (its keys).")]


def tried(*examples: str) -> str:
    """Return examples as help shows them, one a line."""
    return "\n\n".join(["Try:", *(f"isthmus data {one}" for one in examples)])
