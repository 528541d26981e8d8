"""`isthmus new`: make a part of your own."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.app.config import load_config
from isthmus.runtime.deploy import scaffold

from .screen import out


def commands() -> typer.Typer:
    """Return the commands."""
    app = typer.Typer(no_args_is_help=True, help="Make a new part of your own.")

    @app.callback()
    def group() -> None:  # without it, a single command would stand for the group
        """Make a new part of your own."""

    @app.command("front-end")
    def new_front_end(
        name: Annotated[str, typer.Argument(help="Code of the front end: lower-case letters and digits.")],
        owner: Annotated[str, typer.Option(help="Team that owns it.")] = "your-team",
    ) -> None:
        """Make a front end's folder with a manifest, one answer, a test and a README; it runs at once."""
        config = load_config()
        folder = scaffold.front_end(config.front_ends, name, owner)
        out.print(f"made [bold]{folder}[/bold]; next:")
        out.print(f"  pytest {folder}")
        out.print("  isthmus serve")
        out.print(f"  isthmus client create {name}     # a key to call with, in another terminal")

    return app
