"""The command that measures how long changes of front ends take, and what they wait for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .opening import on, standing
from .screen import JSON, print_result

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.lead.report import Report


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command("lead-time")
    def lead_time(
        days: Annotated[int, typer.Option(min=1, max=366, help="Changes that went live in so many days.")] = 28,
        json: JSON = False,
    ) -> None:
        """Measure how long changes of front ends take until they are live, by stage, and what waiting costs.

        Commits are those that hold exactly what was deployed. What is found is kept for the console.
        """
        from isthmus.governance.lead.report import text

        found = on(standing, lambda running: _measured(running, days))
        print_result(found, text(found), json=json)


async def _measured(running: Running, days: int) -> Report:
    import isthmus
    from isthmus.app.platform import written
    from isthmus.governance.lead import report
    from isthmus.governance.thin.report import pack_folders
    from isthmus.kernel import Effect
    from isthmus.runtime.deploy.loading import front_end_folders

    config, release = running.config, written(running.config)
    writes = [name for name, one in release.offered.items() if one.capability.effect is not Effect.READ]
    found = await report.measure(
        running.database,
        config.root,
        {folder.name: folder for folder in front_end_folders(config.front_ends)},
        [*set(pack_folders(release).values()), Path(isthmus.__file__).parent],
        writes,
        datetime.now(UTC),
        days=days,
        team_day=config.cost_team_day,
    )
    await report.keep(running.database, found)
    return found
