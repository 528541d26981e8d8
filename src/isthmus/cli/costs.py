"""The command that writes what front ends cost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .opening import on, standing
from .screen import out

if TYPE_CHECKING:
    from isthmus.app.platform import Running


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def cost(
        file: Annotated[Path, typer.Argument(help="File to write: CSV with the columns of FOCUS 1.0.")],
    ) -> None:
        """Write what each capability costs each front end, as FOCUS rows for a tool that reads bills."""

        async def write(running: Running) -> int:
            from isthmus.console import focus
            from isthmus.console.pages.cost import price
            from isthmus.governance.traffic import BY_HOUR

            month = running.config.cost_month
            tallies = await running.traffic.of(over=BY_HOUR)
            return focus.write(file, tallies, price(month) if month else None, datetime.now(UTC))

        out.print(f"{on(standing, write)} rows written to {file}")
