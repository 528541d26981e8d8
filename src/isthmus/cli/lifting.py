"""The command that makes what one front end alone uses that front end's own."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.kernel import errors

from . import changing
from .opening import on, standing
from .screen import say

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.thin.change.seam import Change
    from isthmus.governance.thin.change.tree import Tree
    from isthmus.governance.thin.findings import Finding
    from isthmus.kernel.host import Release


def add_to(app: typer.Typer) -> None:
    """Add the command below `isthmus thin`."""

    @app.command()
    def lift(
        finding: Annotated[
            str, typer.Argument(help="What it is, as `isthmus thin` says: FILE:LINE, a setting, or a capability.")
        ],
        named: Annotated[str, typer.Option("--as", metavar="PACK.QUESTION", help="Name of the question.")] = "",
        calls: Annotated[int, typer.Option(min=1, help="Recorded calls of each front end to prove it by.")] = (
            changing.CALLS
        ),
    ) -> None:
        """Make what one front end alone uses its own: prove that no result changes, leave a branch.

        A branch or a setting becomes its answer to a question; a capability is its own, under its name.
        """
        changing.check_extra()
        on(standing, lambda running: _lifted(running, finding, named, calls))


async def _lifted(running: Running, wanted: str, named: str, calls: int) -> None:
    from isthmus.app.platform import written
    from isthmus.governance.thin import report

    kept = await report.last(running.database)
    lifted = [one for one in kept.findings if one.verdict == "lift"] if kept else []
    found = [one for one in lifted if wanted in (one.where, one.name)]
    if not found:
        raise errors.NotFound(f"the last report has nothing to lift at {wanted!r}", remedy="run `isthmus thin` first")
    await asyncio.to_thread(_lift, running, written(running.config), found[0], named, calls)


def _lift(running: Running, release: Release, finding: Finding, named: str, calls: int) -> None:
    from isthmus.governance.thin.change import tree as trees

    if finding.is_elsewhere:
        raise errors.Conflict(
            f"{finding.what} is of pack {finding.pack}, which came with a release",
            remedy="only code of this checkout is changed",
        )
    with trees.copied(running.config.root) as tree, tempfile.TemporaryDirectory() as made:
        runs = changing.Runs(running.config, running.database.url, calls, Path(made))
        if finding.kind == "branch":
            change = _of_branch(running, finding, named, runs)
        else:
            change = _of_declared(running, release, finding, named)
        _leave(change, tree, runs)


def _leave(change: Change, tree: Tree, runs: changing.Runs) -> None:
    changing.check(change, tree, "lift")
    changing.leave(change, tree, runs, "lift")


def _of_declared(running: Running, release: Release, finding: Finding, named: str) -> Change:
    """Return the change that lifts a setting or a capability."""
    from isthmus.governance.thin.change import moved, settings
    from isthmus.governance.thin.change.named import Code

    code, packs = Code.of(running.config.root), {pack.name: pack for pack in running.packs}
    folder, _ = changing.front_end_folder(running.config, finding.front_end)
    if finding.kind == "setting":
        front_end = release.line(finding.front_end).front_end
        return settings.lift_setting(code, finding.name, front_end, folder, packs, running.config.root, named)
    return moved.move_capability(code, packs[finding.pack], finding.name, finding.front_end, folder)


def _of_branch(running: Running, finding: Finding, named: str, runs: changing.Runs) -> Change:
    from isthmus.governance.thin.change import branches
    from isthmus.governance.thin.change import lift as lifting
    from isthmus.governance.thin.observe import files_of

    place, _, line = finding.where.rpartition(":")
    pack, file = next(
        ((pack, file) for pack in running.packs for file in files_of(pack) if str(file).endswith(place)), (None, None)
    )
    if pack is None or file is None or not line.isdigit():
        raise errors.RuleBroken(f"{finding.what} is no branch of a pack", remedy="lift it by hand: docs/guides/thin.md")
    folder, _ = changing.front_end_folder(running.config, finding.front_end)
    branch = branches.branch_at(file, int(line), holds=finding.holds)
    say(f"looking at {finding.where} while recorded calls run")
    runs.run("looking", place=branch.place)
    seen = runs.seen("looking")
    return lifting.lift(branch, seen, finding.front_end, folder, pack, runs.config.root, named)
