"""The command that takes a pack out of the platform, and tries whether that could be done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .opening import on, running
from .screen import JSON, as_json, out, say, stop

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.exits.held import Hold
    from isthmus.governance.exits.runs import ExitRun
    from isthmus.kernel import Pack

NOT_GREEN = 1  # exit code, for scripts and timers: red or refused
CALLS = 200  # of each front end; as `governance.exits.exercise.CALLS`


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def eject(
        pack: Annotated[str, typer.Argument(help="Name of the pack; none with --all.")] = "",
        to: Annotated[Path | None, typer.Option(help="Folder to write; else PACK-service.")] = None,
        check: Annotated[
            bool, typer.Option("--check", help="Try the exit, keep how it ended, and leave nothing.")
        ] = False,
        every: Annotated[bool, typer.Option("--all", help="With --check: every pack that is plugged in.")] = False,
        calls: Annotated[int, typer.Option(min=1, help="Recorded calls of each front end to prove it by.")] = CALLS,
        json: JSON = False,
    ) -> None:
        """Write a pack as a package that stands alone, or try with --check whether it could leave.

        The package has the code that the pack reaches, its contract, its rows, what it was asked lately, a test of
        that, and where it is from. It is built with `pip wheel` and runs as an HTTP service on a PostgreSQL of its own;
        `isthmus adopt` puts it in the pack's place. A pack that needs what only the platform has is refused, with the
        line that needs it. One whose writes are part of flows' transactions, or which goes in steps, stands alone, and
        cannot be adopted.

        --check does all of it: it builds the package, runs the service where no isthmus can be imported, puts it in the
        pack's place, runs recorded calls by both, and compares. It ends green, green alone, red, or refused, and exits
        with 1 where one is red or refused. Servers do so by themselves where `days` of `exits` in isthmus.toml says how
        often.
        """
        if every == bool(pack) or (every and not check):
            stop("name one pack, or say --all --check")
        if check:
            _check(pack, calls, json)
        else:
            _eject(pack, to or Path(f"{pack}-service"), calls)


def _eject(pack: str, folder: Path, calls: int) -> None:
    from isthmus.app import exits
    from isthmus.governance.exits import exercise, held

    async def work(at: Running) -> tuple[int, list[Hold]]:
        found = _named(at, pack)
        flows = held.flows_of(at.packs, (line.front_end for line in at.platform.release.lines.values()))
        return await exercise.eject(exits.ground(at, calls), found, folder), held.joins(found, flows)

    count, joined = on(running, work)
    out.print(f"wrote {folder}: {count} calls that it answered came along", markup=False, soft_wrap=True)
    for one in joined:
        out.print(f"it cannot stand in the pack's place: {one.why}; {one.next}", markup=False, soft_wrap=True)
    if not joined:
        line = f"next: its README, then isthmus adopt {folder} --url ADDRESS --secret VARIABLE"
        out.print(line, markup=False, soft_wrap=True)


def _check(pack: str, calls: int, json: bool) -> None:
    from isthmus.app import exits

    async def work(at: Running) -> list[ExitRun]:
        chosen = [_named(at, pack)] if pack else exits.domains(at)
        found: list[ExitRun] = []
        for one in chosen:
            found.append(await exits.try_exit(at, one, calls))
            say(f"{one.name}: {found[-1].sentence}")
        return found

    found = on(running, work)
    if json:
        as_json(found)
    else:
        table = Table("pack", "exit", "since", "calls", "why", title="exits")
        for one in found:
            ended = "green alone" if one.ended == "alone" else one.ended
            table.add_row(one.pack, ended, f"{one.since:%Y-%m-%d}", str(one.calls), one.reason)
        out.print(table)
    if any(one.ended in ("red", "refused") for one in found):
        raise typer.Exit(NOT_GREEN)


def _named(at: Running, name: str) -> Pack:
    from isthmus.kernel import errors

    known = {one.name: one for one in at.packs}
    if name not in known:
        stop(f"no pack is called {name!r}{errors.near(name, known)}; isthmus catalogue lists them")
    return known[name]
