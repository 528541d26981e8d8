"""The command line put together; deliberate errors become one readable sentence."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from isthmus.kernel import errors

from . import (
    adopting,
    clients,
    compat,
    costs,
    dead_letters,
    deploys,
    ejecting,
    experience,
    grants,
    growth,
    lead,
    look,
    new,
    record,
    rules,
    seam,
    serving,
    shadows,
    silo,
    tables,
    thin,
    translate,
)
from .groups import Group
from .packs import WithPacksCommands
from .screen import stop

main_app = typer.Typer(
    cls=WithPacksCommands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Isthmus: a thin middle platform. Shared capabilities below, front ends that ship their own logic above.",
)
main_app.add_typer(clients.commands(), name="client", cls=Group)
main_app.add_typer(new.commands(), name="new", cls=Group)
main_app.add_typer(dead_letters.commands(), name="dead-letters", cls=Group)
main_app.add_typer(grants.commands(), name="grants", cls=Group)
for part in (
    deploys,
    experience,
    rules,
    look,
    record,
    shadows,
    serving,
    compat,
    adopting,
    ejecting,
    tables,
    thin,
    lead,
    silo,
    seam,
    costs,
    translate,
):
    part.add_to(main_app)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib import metadata  # here: nothing else asks, and it takes as long as all of the kernel

        typer.echo(metadata.version("isthmus"))
        raise typer.Exit


@main_app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_say_version)
    ] = False,
) -> None: ...


if importlib.util.find_spec("duckdb") is not None:  # the extra `data`; without it, the rest of the platform works
    growth.add_to(main_app)

    @main_app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    )
    def data(context: typer.Context) -> None:
        """The data platform: one model, one number, proved (see `isthmus data --help`)."""
        from .data_opening import run  # here: a server that starts needs none of it, and it takes half a second

        run(context.args)


def main() -> None:
    """Run a command; deliberate errors become one readable sentence and exit code 2."""
    try:
        main_app()
    except (errors.IsthmusError, errors.BuildProblems) as error:
        stop(str(error))
