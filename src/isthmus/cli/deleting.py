"""The command that takes out what nobody needs, as `isthmus thin` found it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.kernel import errors

from . import changing
from .opening import on, standing

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.governance.thin.change.named import Code
    from isthmus.governance.thin.change.seam import Change
    from isthmus.governance.thin.findings import Finding
    from isthmus.kernel.host import Answer, Release


def add_to(app: typer.Typer) -> None:
    """Add the command below `isthmus thin`."""

    @app.command()
    def delete(
        finding: Annotated[
            str, typer.Argument(help="What goes, as `isthmus thin` names it: a capability, a question, an answer.")
        ],
        calls: Annotated[int, typer.Option(min=1, help="Recorded calls of each front end to prove it by.")] = (
            changing.CALLS
        ),
    ) -> None:
        """Take out what nobody needs, with all that only it used: prove that no result changes, leave a branch.

        An answer without an opinion, a question without an answer, a capability that nobody calls, a setting that
        nobody reads. What is named elsewhere is left, with the place.
        """
        changing.check_extra()
        on(standing, lambda running: _deleted(running, finding, calls))


async def _deleted(running: Running, wanted: str, calls: int) -> None:
    from isthmus.app.platform import written

    release = written(running.config)
    found = await _finding(running, release, wanted, calls)
    await asyncio.to_thread(_delete, running, release, found, calls)


async def _finding(running: Running, release: Release, wanted: str, calls: int) -> Finding:
    """Return what was found and is to go, in the last report or among answers that are idle. Raises NotFound."""
    from isthmus.governance.thin import alike, report
    from isthmus.governance.thin.findings import Finding

    kept = await report.last(running.database)
    for one in kept.findings if kept else ():
        if one.verdict == "delete" and wanted in (one.name, one.where):
            return one
    if wanted in alike.own_answers(release):
        idle = (await alike.look(running.database, release, max(calls, alike.CALLS))).idle
        if wanted in {label for label, _, _ in idle}:
            return Finding(
                verdict="delete", what=wanted, where=wanted, front_end="", evidence="", next="",
                kind="answer", name=wanted,
            )  # fmt: skip
    raise errors.NotFound(
        f"the last report has nothing to delete that is called {wanted!r}", remedy="run `isthmus thin --all` first"
    )


def _delete(running: Running, release: Release, found: Finding, calls: int) -> None:
    from isthmus.governance.thin.change import tree as trees
    from isthmus.governance.thin.change.named import Code

    if found.is_elsewhere:
        raise errors.Conflict(
            f"{found.name} is of pack {found.pack}, which came with a release",
            remedy=f'leave the pack out where nobody needs it: `[platform] leave_out = ["{found.pack}"]`',
        )
    change = _change(running, release, found, Code.of(running.config.root))
    with trees.copied(running.config.root) as tree, tempfile.TemporaryDirectory() as made:
        changing.check(change, tree, "delete")
        runs = changing.Runs(running.config, running.database.url, calls, Path(made))
        changing.leave(change, tree, runs, "delete")


def _change(running: Running, release: Release, found: Finding, code: Code) -> Change:
    from isthmus.governance.thin.change import delete, unasked
    from isthmus.governance.thin.change.code import ByHand

    packs = {pack.name: pack for pack in running.packs}
    match found.kind:
        case "answer":
            answer = _answer(release, found.name)
            folder, _ = changing.front_end_folder(running.config, answer.owner.partition(".")[0])
            return delete.delete_answer(code, answer, folder)
        case "setting":
            held = [one for one, line in release.lines.items() if found.name in line.front_end.settings]
            folders = [changing.front_end_folder(running.config, one)[0] for one in held]
            return delete.delete_setting(code, found.name, folders)
        case "capability":
            return delete.delete_capability(code, packs[found.pack], found.name)
        case "point":
            point = release.points[found.name]
            if answering := _answering(release, found.name):
                raise ByHand(
                    f"{answering[0]} answers {found.name}, so a result would change",
                    remedy="give it a date (`until`) by which a second answer is there, or do without the answer first",
                )
            return unasked.delete_point(code, packs[found.pack], point)
        case _:
            raise ByHand(
                f"{found.what}: whoever calls may send it",
                remedy="announce its last day (`deprecated` and `x-sunset` in its Meta), and delete it after that",
            )


def _answer(release: Release, label: str) -> Answer:
    return next(one for one in _answers(release) if one.label == label)


def _answering(release: Release, point: str) -> Sequence[str]:
    return [one.label for one in _answers(release) if one.point.name == point]


def _answers(release: Release) -> Sequence[Answer]:
    nodes = [node for line in release.lines.values() for node in line.nodes]
    return [answer for node in nodes for one in node.candidates.values() for answer in one.answers]
