"""Groups of commands that cost nothing on the way to a page of help."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class Group(TyperGroup):
    """A group whose `--help`, where nobody gave it, is false and not missing.

    typer reads every value that is no truth value yet with pydantic, and importing that takes a third of what a page
    of help costs.
    """

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option
