"""The commands for the database's tables: `migrate`, which says with `--plan` what it would do, and `psql`."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.kernel import errors

from .screen import JSON, Screen, as_json

if TYPE_CHECKING:
    from isthmus.app.config import Config
    from isthmus.store import Migration, MigrationSource, Tables
    from isthmus.store.migration_steps import Step


SHOWN_MAX = 100  # characters of a statement

out = Screen(soft_wrap=True, highlight=False)


class NoPsql(errors.NotFound):
    """There is no psql to open."""

    slug = "cli.no-psql"


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""

    @main.command("migrate")
    def migrate_(
        plan: Annotated[bool, typer.Option("--plan", help="Change nothing: show each statement and its lock.")] = False,
        json: JSON = False,
    ) -> None:
        """Bring the database to the shape that this version expects. Safe to run again, and by several at once."""
        config, sources = _migrations()
        if plan:
            found = asyncio.run(_look(config, sources))
            as_json(_planned(found)) if json else _show(found)
        else:
            applied = asyncio.run(_migrate(config, sources))
            as_json({"applied": [str(file) for file in applied]}) if json else _say(applied)

    @main.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
    def psql(context: typer.Context) -> None:
        """Open psql on the database; what follows is for psql, as in `isthmus psql -c 'select 1'`."""
        from isthmus.app import tables
        from isthmus.app.config import load_config

        config = load_config()
        tables.check_database(config, "check")
        raise typer.Exit(asyncio.run(_psql(config, context.args)))


def _migrations() -> tuple[Config, list[MigrationSource]]:
    """Return the settings, and all files of packs and front ends."""
    from isthmus.app import tables
    from isthmus.app.config import load_config
    from isthmus.app.front_ends import loads
    from isthmus.app.packs import plugged
    from isthmus.app.platform import migration_sources

    config = load_config()
    packs = plugged(config)
    return config, [*migration_sources(packs), *tables.of_folders(config, loads(config, packs))]


async def _look(config: Config, sources: Sequence[MigrationSource]) -> Tables:
    from isthmus.app import tables
    from isthmus.store import embedded, look
    from isthmus.store.tables import no_tables

    if not config.database_url and not embedded.is_made(config.data):
        raise no_tables()
    async with tables.database_of(config) as url:
        return await look(url, sources)


async def _migrate(config: Config, sources: Sequence[MigrationSource]) -> list[Migration]:
    from isthmus.app import tables
    from isthmus.store import migrate

    async with tables.database_of(config) as url:
        return await migrate(url, sources)


async def _psql(config: Config, arguments: Sequence[str]) -> int:
    from isthmus.app import tables
    from isthmus.store import embedded

    program = embedded.program("psql")
    if program is None:
        raise NoPsql(
            "psql is not installed here",
            remedy="on Debian, apt-get install postgresql-client, or give ISTHMUS_DATABASE_URL to another client",
        )
    async with tables.database_of(config) as url:
        ended = await asyncio.to_thread(subprocess.run, [program, url, *arguments], check=False)
        return ended.returncode


def _say(applied: Sequence[Migration]) -> None:
    for file in applied:
        out.print(f"applied {file}", markup=False)
    out.print("the database is up to date")


def _show(found: Tables) -> None:
    """Print each pending file with its statements, whether they contract, and the locks that they take."""
    from isthmus.store.migration_steps import steps_of

    if not found.pending:
        out.print(f"the database is up to date: {found.applied} migration(s) are applied")
        return
    out.print(f"{len(found.pending)} migration(s) are pending, {found.applied} are applied; nothing was changed")
    contracting = 0
    for file in found.pending:
        steps = steps_of(file.sql)
        contracts = [step for step in steps if step.kind == "contract"]
        contracting += len(contracts)
        out.print(f"{file}: {'CONTRACTS' if contracts else 'expands'}", style="bold", markup=False)
        for step in steps:
            out.print(_shown(step), markup=False)
    if contracting:
        out.print(
            f"{contracting} statement(s) contract: end every server of the release before first, or wait until none "
            f"runs (docs/guides/migrations.md)"
        )
    out.print("next: isthmus migrate")


def _planned(found: Tables) -> dict[str, object]:
    """Return what `migrate` would do, as programs read it: each pending file with its statements."""
    from isthmus.store.migration_steps import steps_of

    files = [{"file": str(file), "steps": steps_of(file.sql)} for file in found.pending]
    return {"applied": found.applied, "pending": files}


def _shown(step: Step) -> str:
    from isthmus.store.migration_steps import MARK

    text = step.text if len(step.text) <= SHOWN_MAX else f"{step.text[:SHOWN_MAX]}…"
    said = [f"  line {step.line:<4} {step.kind:<9} {text}"]
    if step.lock:
        said.append(f"{'':12}locks {step.table or 'it'}: {step.lock}")
    if step.because:
        said.append(f"{'':12}{step.because}" + (f"; {MARK.strip('- ')} {step.mark}" if step.mark else ""))
    return "\n".join(said)
