"""The commands that say what front ends cost, what the platform saves, and what answers cost and move."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .opening import on, standing
from .screen import JSON, print_result, show

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.cost.moved import Moved
    from isthmus.governance.cost.report import Costs


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""

    @main.command()
    def cost(
        file: Annotated[
            Path | None, typer.Argument(help="File to write the bill to: CSV with the columns of FOCUS 1.0.")
        ] = None,
        billed: Annotated[
            str,
            typer.Option(metavar="CODE", help="Who paid it: write what the books allocate instead, as JSON."),
        ] = "",
    ) -> None:
        """Say what each front end costs, what it would cost otherwise, and what is the platform's own.

        With a file, write what each capability costs each front end, as rows for a tool that reads bills.
        """

        async def say(running: Running) -> list[str]:
            from isthmus.console import focus
            from isthmus.governance.cost.said import text

            found = await measured(running)
            if file is not None and billed:
                ask = focus.allocation(found, billed, datetime.now(UTC))
                file.write_text(f"{json.dumps(ask, indent=2)}\n")
                return [f"{len(ask['rows'])} rows written to {file}"]
            if file is not None:
                return [f"{focus.write(file, found, datetime.now(UTC))} rows written to {file}"]
            return list(text(found))

        show(on(standing, say))

    @main.command()
    def answers(json: JSON = False) -> None:
        """Say what each front end's answers cost and move: milliseconds, margin given away, orders refused.

        Recorded orders are asked again with and without each answer. What is found is kept for the console.
        """
        from isthmus.governance.cost.moved import text

        found = on(standing, _moved)
        print_result(found, text(found), json=json)


async def measured(running: Running) -> Costs:
    """Return what everything costs."""
    from isthmus.app.platform import written
    from isthmus.governance.cost import report

    release = written(running.config)
    now, cost, group = datetime.now(UTC), running.config.cost, running.config.group
    return await report.measure(running.database, running.traffic, release, cost, now, group=group)


async def _moved(running: Running) -> Moved:
    from isthmus.app.platform import written
    from isthmus.governance.cost import moved

    return await moved.measure(running.database, written(running.config), running.traffic, datetime.now(UTC))
