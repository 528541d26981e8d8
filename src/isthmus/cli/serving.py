"""The commands that run a platform: serve, demo, doctor."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .opening import on, standing
from .screen import JSON, as_json, out
from .serve import WORKERS_MAX, Serve, run

if TYPE_CHECKING:
    from isthmus.app.config import Config
    from isthmus.app.platform import Running
    from isthmus.governance import doctor as doctors


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""

    @main.command()
    def serve(
        host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
        port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
        workers: Annotated[int, typer.Option(min=1, max=WORKERS_MAX, help="Server processes.")] = 1,
    ) -> None:
        """Serve the API of every front end until interrupted."""
        run(Serve(host=host, port=port, workers=workers))

    @main.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
    def demo(context: typer.Context) -> None:
        """Load demo data: the platform's own demo, or what its packs bring (see `isthmus demo --help`)."""
        from isthmus.app.config import load_config

        config = load_config()
        if config.demo_entry is None:
            from . import demo as demo_of_packs

            demo_of_packs.run(context.args)
            return
        module, _, function = config.demo_entry.partition(":")
        sys.path.insert(0, str(config.root))
        entry: Callable[[Config, list[str]], int] = getattr(importlib.import_module(module), function)
        raise typer.Exit(entry(config, context.args))

    @main.command()
    def doctor(
        rows: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show of each broken condition.")] = 5,
        json: JSON = False,
    ) -> None:
        """Check the conditions that always hold, over the whole database; name each, and any row that breaks it."""

        async def examine(running: Running) -> list[doctors.Finding]:
            from isthmus.governance import doctor as doctors

            async with running.database.platform() as session:
                return await doctors.examine(session, running.platform.release.packs.values(), rows)

        findings = on(standing, examine)
        if json:
            as_json(findings)
            raise typer.Exit(0 if all(found.holds for found in findings) else 1)
        table = Table("condition", "what always holds", "finding", title="isthmus doctor")
        for found in findings:
            table.add_row(
                found.name, found.sentence, "[green]holds" if found.holds else f"[red]broken: {found.broken} rows"
            )
        out.print(table)
        broken = [found for found in findings if not found.holds]
        for found in broken:
            out.print(f"[red]{found.name}[/red]: {found.sentence}")
            for row in found.rows:
                out.print(f"  {row}")
        raise typer.Exit(1 if broken else 0)
