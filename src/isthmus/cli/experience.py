"""The command that says what people meet at each front end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from .opening import on, standing
from .screen import JSON, print_result

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.experience import Report


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def experience(json: JSON = False) -> None:
        """Say what people meet at each front end, step by step: how long it takes, who leaves, what is refused.

        Before and after each change of 30 days, where enough calls lie around it.
        """
        from isthmus.governance.experience import text

        found = on(standing, _measured)
        print_result(found, text(found), json=json)


async def _measured(running: Running) -> Report:
    from isthmus.app.platform import written
    from isthmus.governance.experience import measure

    return await measure(running.database, running.traffic, written(running.config), datetime.now(UTC))
