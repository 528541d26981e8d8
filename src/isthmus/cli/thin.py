"""The command that measures how thin the platform is."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.kernel import encode, errors

from . import changing, deleting, lifting, past
from .compat_report import consumers
from .groups import Group
from .opening import on, standing
from .screen import out, problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isthmus.app.platform import Running
    from isthmus.governance.thin.age import Age
    from isthmus.governance.thin.alike import Found
    from isthmus.governance.thin.change.seam import Change
    from isthmus.governance.thin.findings import Finding
    from isthmus.governance.thin.report import Report
    from isthmus.kernel.host import Answer, Release

SHOWN = 5  # findings that end in the same step; --json has all


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""
    app = typer.Typer(invoke_without_command=True)
    main.add_typer(app, name="thin", cls=Group)
    lifting.add_to(app)
    _add_sink(app)
    deleting.add_to(app)

    @app.callback()
    def thin(
        context: typer.Context,
        calls: Annotated[int, typer.Option(min=1, help="Recorded calls of each front end that are run again.")] = 1_000,
        all_findings: Annotated[bool, typer.Option("--all", help="Show every finding, not the first ones.")] = False,
        history: Annotated[bool, typer.Option(help="Show how thin the code was from its first commit on.")] = False,
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON, every finding included.")] = False,
    ) -> None:
        """Measure how thin the platform is: whose logic is where, what nobody uses, and what to do about it.

        Recorded calls are run again, observed, in transactions that are undone. What is found is kept for the console.
        """
        if context.invoked_subcommand is not None:
            return
        if history:
            past.show(on(standing, past.read), json=json)
            return
        found = on(standing, lambda running: _measured(running, calls))
        if json:
            out.print(encode(found).decode(), soft_wrap=True)
            return
        _show(found, None if all_findings else SHOWN)


def _add_sink(app: typer.Typer) -> None:
    @app.command()
    def sink(
        point: Annotated[str, typer.Argument(help="Question whose like answers become a product.")] = "",
        named: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the product.")] = "",
        calls: Annotated[int, typer.Option(min=1, help="Recorded calls of each front end that are looked at.")] = (
            2_000
        ),
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
    ) -> None:
        """Find answers of several front ends that do the same: each is asked what the others were asked.

        With a question and a name, make them a product, prove that no result changes, and leave a branch. One that a
        product says already is let to say that instead.
        """
        if point:
            changing.check_extra()
        found = on(standing, lambda running: _sunk(running, point, named, calls))
        if json:
            out.print(encode(found).decode(), soft_wrap=True)
            return
        from isthmus.governance.thin.alike import lines

        for line in [] if point else list(lines(found)) or ["no two front ends answer a question alike"]:
            out.print(line, markup=False, highlight=False, soft_wrap=True)


async def _sunk(running: Running, point: str, named: str, calls: int) -> Found:
    from isthmus.app.platform import written
    from isthmus.governance.thin import alike

    release = written(running.config)
    found = await alike.look(running.database, release, calls)
    if not point:
        return found
    group = next((one for one in found.alike if one.point == point), None)
    known = next((one for one in found.known if one.point == point), None)
    owned = {name: one.answer for name, one in (alike.own_answers(release) | alike.product_answers(release)).items()}
    if known is not None:
        await asyncio.to_thread(_reuse, running, owned[known.answer], owned[known.product], calls)
    elif group is not None:
        await asyncio.to_thread(_sink, running, [owned[label] for label in group.answers], named or point, calls)
    else:
        raise errors.NotFound(f"no answers to {point!r} are proved to do the same", remedy="see `isthmus thin sink`")
    return found


def _sink(running: Running, answers: Sequence[Answer], named: str, calls: int) -> None:
    from isthmus.governance.thin.change import sink as sinking

    codes = {one.owner.partition(".")[0] for one in answers}
    folders = {code: changing.front_end_folder(running.config, code)[0] for code in codes}
    _leave(running, sinking.sink(answers, folders, running.config.root, named.rpartition(".")[2]), calls)


def _reuse(running: Running, answer: Answer, shared: Answer, calls: int) -> None:
    from isthmus.governance.thin.change import sink as sinking

    folder, _ = changing.front_end_folder(running.config, answer.owner.partition(".")[0])
    _leave(running, sinking.reuse(answer, shared, folder), calls)


def _leave(running: Running, change: Change, calls: int) -> None:
    from isthmus.governance.thin.change import tree as trees

    with trees.copied(running.config.root) as tree, tempfile.TemporaryDirectory() as made:
        runs = changing.Runs(running.config, running.database.url, min(calls, changing.CALLS), Path(made))
        changing.check(change, tree, "sink")
        changing.leave(change, tree, runs, "sink")


async def _measured(running: Running, calls: int) -> Report:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from isthmus.app.platform import written
    from isthmus.governance.thin import history, report
    from isthmus.governance.traffic import BY_HOUR as COUNTED
    from isthmus.kernel import Platform
    from isthmus.runtime.replay import recorded

    release = written(running.config)
    kept = [one for one in await recorded.counted(running.database) if one.front_end in release.lines]
    expected = sum(min(calls, sum(one.calls for one in kept if one.front_end == code)) for code in release.lines)
    now = datetime.now(UTC)
    packs = tuple(set(report.pack_folders(release).values()))
    from_git = await asyncio.to_thread(history.past, running.config.root, running.config.front_ends, packs, now)
    platform = Platform(release, running.database, resources=running.platform.resources)
    counted = {key: one.calls for key, one in (await running.traffic.of(over=COUNTED)).items()}
    called = {(one.front_end, one.capability): one.calls for one in kept} | counted
    age, more = await _said_for_nobody(running, release, called, now)
    columns = (TextColumn("running calls again of {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=problems, transient=True) as progress:
        task = progress.add_task("", total=expected)
        found = await report.measure(
            running.database,
            platform,
            from_git,
            now,
            counted=counted,
            limit=calls,
            step=lambda code: progress.update(task, advance=1, description=code),
            root=running.config.root,
            age=age,
            more=more,
            group=running.config.group,
        )
    await report.keep(running.database, found)
    await past.read(running, is_needed=False)
    return found


async def _said_for_nobody(
    running: Running, release: Release, called: Mapping[tuple[str, str], int], now: datetime
) -> tuple[Age, list[Finding]]:
    """Return how old code is, and what is said to nobody: fields that nobody reads, events that nobody takes."""
    from isthmus.governance.consumers import Calls
    from isthmus.governance.contracts import contracts_of
    from isthmus.governance.thin import age as ages
    from isthmus.governance.thin import sent, unread
    from isthmus.governance.thin.change.named import Code
    from isthmus.governance.thin.history import WINDOW

    begun = ages.begun_at(await sent.first_kept(running.database, now - WINDOW), now)
    age = ages.Age(running.config.root, begun)
    said = await sent.said(running.database, running.packs, now - WINDOW)
    calls = Calls(days=WINDOW.days, counted=called, asked={})

    def found() -> list[Finding]:
        readers = consumers(running.config, release, contracts_of(release), calls)
        fields = unread.unread_fields(readers, running.packs, age, now.date())
        events = unread.untaken_events(readers, running.packs, Code.of(running.config.root), said, age, now.date())
        return [*fields, *events]

    return age, await asyncio.to_thread(found)


def _show(found: Report, limit: int | None) -> None:
    from isthmus.governance.thin.report import elsewhere_text, text

    for line in text(found):
        out.print(line, soft_wrap=True, highlight=False)
    _show_findings([one for one in found.findings if not one.is_elsewhere], limit)
    for place, line in enumerate(elsewhere_text(found, is_all=limit is None)):
        out.print(line if place else f"\n{line}", markup=False, soft_wrap=True, highlight=False)
    if limit is None:
        _show_findings([one for one in found.findings if one.is_elsewhere], limit)


def _show_findings(findings: Sequence[Finding], limit: int | None) -> None:
    alike: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        alike.setdefault((one.verdict, one.next), []).append(one)
    for (verdict, advice), some in alike.items():
        out.print(f"\n{verdict}: {advice}", soft_wrap=True, highlight=False)
        for one in some[:limit]:
            out.print(f"  {one.what}\n    {one.where}: {one.evidence}", soft_wrap=True, highlight=False)
        if limit is not None and (more := len(some) - limit) > 0:
            out.print(f"  … and {more} more with --all", highlight=False)
