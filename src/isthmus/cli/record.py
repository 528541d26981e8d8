"""The commands about recorded calls: list, show, export, import; and replay, which tries a change on them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from isthmus.kernel import encode

from .groups import Group
from .opening import on, standing
from .screen import JSON, Screen, as_json

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.kernel.host import CompiledFrontEnd
    from isthmus.runtime.deploy.context import DeployContext
    from isthmus.runtime.replay.report import Report


DIFFERENT = 1  # exit code: something differs, for scripts and CI
EXPORTED_MAX = 1_000_000  # calls of one front end: more than are ever kept

out = Screen(soft_wrap=True, highlight=False, markup=False)

Of = Annotated[str, typer.Option("--front-end", help="Only this front end.")]
Capability = Annotated[str, typer.Option("--capability", help="Only this capability.")]


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""
    record = typer.Typer(no_args_is_help=True, help="Recorded calls: what was asked, who said what, what came of it.")
    main.add_typer(record, name="record", cls=Group)
    _add_list(record)
    _add_files(record)
    _add_replay(main)


def _add_list(record: typer.Typer) -> None:
    @record.command("list")
    def list_calls(front_end: Of = "", json: JSON = False) -> None:
        """Count the recorded calls of each front end and capability."""
        from isthmus.runtime.replay import recorded

        found = on(standing, lambda running: recorded.counted(running.database, front_end))
        if json:
            as_json(found)
            return
        table = Table("front end", "capability", "calls", "refused", "first", "last", "kB", title="recorded calls")
        for one in found:
            first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (one.first_at, one.last_at))
            row = (str(one.calls), str(one.refused), first, last, f"{one.bytes / 1000:.0f}")
            table.add_row(one.front_end, one.capability, *row)
        out.print(table if found else "nothing is recorded yet: calls are, as they come (see [record] in isthmus.toml)")

    @record.command()
    def show(call_id: Annotated[str, typer.Argument(help="Id of the call.")]) -> None:
        """Show the trace of one recorded call: everything that was asked, who said what, and what came of it."""
        import msgspec

        from isthmus.runtime.replay import recorded

        call = on(standing, lambda running: recorded.find(running.database, call_id))
        out.print(msgspec.json.format(encode(call), indent=2).decode())


def _add_files(record: typer.Typer) -> None:
    @record.command("export")
    def export_calls(
        file: Annotated[Path, typer.Argument(help="File to write: one call a line, JSON.")], front_end: Of = ""
    ) -> None:
        """Write recorded calls to a file; personal data has been masked when they were recorded."""

        async def export(running: Running) -> int:
            from isthmus.runtime.replay import recorded

            database = running.database
            of = (front_end,) if front_end else await recorded.codes(database)
            return await recorded.export_to(database, file, of, limit=EXPORTED_MAX)

        out.print(f"{on(standing, export)} recorded calls written to {file}")

    @record.command("import")
    def import_calls(file: Annotated[Path, typer.Argument(help="An exported file.")]) -> None:
        """Add the calls of a file to those recorded here."""
        from isthmus.runtime.replay import recorded

        out.print(f"{on(standing, lambda running: recorded.import_from(running.database, file))} recorded calls read")


def _add_replay(main: typer.Typer) -> None:
    @main.command()
    def replay(
        folder: Annotated[Path, typer.Argument(help="A front end's folder, or one that holds several.")],
        capabilities: Annotated[
            bool, typer.Option("--capabilities", help="Run whole calls, in transactions that are rolled back.")
        ] = False,
        capability: Capability = "",
        limit: Annotated[
            int | None, typer.Option(min=1, help="Answers, or calls, of each front end; else as many as tell.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
    ) -> None:
        """Show what a changed front end would have done to recorded calls; nothing is deployed or kept."""

        async def run(running: Running) -> Report:
            from isthmus.runtime.replay.report import report

            reports = [
                await _replayed(running, one, capabilities, capability, limit)
                for one in await asyncio.to_thread(_folders, folder)
            ]
            kind = "capabilities" if capabilities else "answers"
            return report(kind, [found for one in reports for found in one.front_ends])

        found = on(standing, run)
        out.print(encode(found).decode() if json else str(found))
        if not found.is_same:
            raise typer.Exit(DIFFERENT)


async def _replayed(running: Running, folder: Path, capabilities: bool, capability: str, limit: int | None) -> Report:
    """Compare a folder with what runs of that front end."""
    from isthmus.app.platform import deploy_context
    from isthmus.runtime.deploy.deploy import checked
    from isthmus.runtime.deploy.loading import load_front_end
    from isthmus.runtime.replay.answers import LIMIT, replay_answers
    from isthmus.runtime.replay.capabilities import replay_capabilities

    front_end = await asyncio.to_thread(load_front_end, folder)
    context, code = deploy_context(running), front_end.code
    new = checked(context.release, front_end)
    old = await _live(context, code)
    before, after = context.release.replacing(old), context.release.replacing(new)
    if not capabilities:
        return await replay_answers(context.database, before, after, code, limit=limit or LIMIT)
    return await replay_capabilities(
        running.database, before, after, code, limit=limit or LIMIT, capability=capability, platform=running.platform
    )


async def _live(context: DeployContext, code: str) -> CompiledFrontEnd:
    from isthmus.runtime.deploy import rollout as switches
    from isthmus.runtime.deploy import versions as kept
    from isthmus.runtime.deploy.deploy import checked

    held = await switches.current(context.database, code)
    if held is not None and held.stable is not None:
        return checked(context.release, await kept.load(context.database, code, held.stable, context.cache))
    return context.release.line(code)


def _folders(folder: Path) -> Sequence[Path]:
    """Raises NotAFrontEnd."""
    from isthmus.runtime.deploy.loading import MANIFEST, NotAFrontEnd, front_end_folders

    found = [folder] if (folder / MANIFEST).is_file() else front_end_folders(folder)
    if not found:
        raise NotAFrontEnd(f"{folder} holds no front end", remedy="name a front end's folder, or one that holds some")
    return found
