"""The command that measures how much of a silo the platform is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .opening import on, standing
from .screen import JSON, print_result

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.silo import Silo


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def silo(
        every: Annotated[bool, typer.Option("--all", help="Show all evidence.")] = False,
        json: JSON = False,
    ) -> None:
        """Measure how much of a silo the platform is: exits, data without a contract, what waits, what must be taken.

        Front ends' answers are asked what others' were asked in recorded calls. It is kept for the console.
        """
        from isthmus.governance.silo import text

        found = on(standing, _measured)
        print_result(found, text(found, None if every else 3), json=json)


async def _measured(running: Running) -> Silo:
    from isthmus.app.platform import written
    from isthmus.governance import silo

    release, left = written(running.config), frozenset(running.config.ejected)
    return await silo.measure(running.database, release, datetime.now(UTC), left)
