"""The command that measures how thin the platform is."""

from __future__ import annotations

import asyncio
import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.kernel import encode

from .opening import on, standing
from .screen import out, problems

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.thin.findings import Finding
    from isthmus.governance.thin.report import Report

SHOWN = 5  # findings that end in the same step; --json has all


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def thin(
        calls: Annotated[int, typer.Option(min=1, help="Recorded calls of each front end that are run again.")] = 1_000,
        all_findings: Annotated[bool, typer.Option("--all", help="Show every finding, not the first ones.")] = False,
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON, every finding included.")] = False,
    ) -> None:
        """Measure how thin the platform is: whose logic is where, what nobody uses, and what to do about it.

        Recorded calls are run again, observed, in transactions that are undone. What is found is kept for the console.
        """
        found = on(standing, lambda running: _measured(running, calls))
        if json:
            out.print(encode(found).decode(), soft_wrap=True)
            return
        _show(found, None if all_findings else SHOWN)


async def _measured(running: Running, calls: int) -> Report:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from isthmus.app.platform import written
    from isthmus.console.traffic import KEPT as COUNTED
    from isthmus.governance.thin import history, report
    from isthmus.kernel import Platform
    from isthmus.runtime.replay import recorded

    release = written(running.config)
    kept = [one for one in await recorded.counted(running.database) if one.front_end in release.lines]
    expected = sum(min(calls, sum(one.calls for one in kept if one.front_end == code)) for code in release.lines)
    now = datetime.now(UTC)
    apis = (pack.api.__name__ for pack in release.packs.values())
    packs = tuple({_folder(api) for api in apis if api in sys.modules})  # others are made at start
    past = await asyncio.to_thread(history.past, running.config.root, running.config.front_ends, packs, now)
    platform = Platform(release, running.database, resources=running.platform.resources)
    columns = (TextColumn("running calls again of {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=problems, transient=True) as progress:
        task = progress.add_task("", total=expected)
        found = await report.measure(
            running.database,
            platform,
            past,
            now,
            counted={key: one.calls for key, one in (await running.traffic.of(over=COUNTED)).items()},
            limit=calls,
            step=lambda code: progress.update(task, advance=1, description=code),
        )
    await report.keep(running.database, found)
    return found


def _folder(api: str) -> Path:
    """Return the folder of a pack, of whose package `api` is a file or a folder."""
    root = importlib.import_module(api.rpartition(".api")[0] or api)
    return Path(root.__file__ or ".").parent


def _show(found: Report, limit: int | None) -> None:
    from isthmus.governance.thin.report import text

    for line in text(found):
        out.print(line, soft_wrap=True, highlight=False)
    alike: dict[tuple[str, str], list[Finding]] = {}
    for one in found.findings:
        alike.setdefault((one.verdict, one.next), []).append(one)
    for (verdict, advice), findings in alike.items():
        out.print(f"\n{verdict}: {advice}", soft_wrap=True, highlight=False)
        for one in findings[:limit]:
            out.print(f"  {one.what}\n    {one.where}: {one.evidence}", soft_wrap=True, highlight=False)
        if limit is not None and (more := len(findings) - limit) > 0:
            out.print(f"  … and {more} more with --all", highlight=False)
