"""The command that takes out what nobody needs, as `isthmus thin` found it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
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
    from isthmus.kernel import Pack, Value
    from isthmus.kernel.host import Answer, CompiledFrontEnd, Release


SUNSET = timedelta(days=30)  # from the announcement of an end to the last day


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

        An answer without an opinion, a question without an answer or with everybody's, a capability that nobody calls,
        a setting that nobody reads or that is the same everywhere, a field that nobody reads and an event that nobody
        takes (their last day is announced first). What is named elsewhere is left, with the place.
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
    from isthmus.governance.thin.change import constant, delete, inline, unasked
    from isthmus.governance.thin.change.code import ByHand
    from isthmus.kernel.host import event_kind

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
        case "constant":
            (value,) = {node.settings[found.name] for line in release.lines.values() for node in line.nodes
                        if found.name in node.settings}  # fmt: skip
            having = [one for one, line in release.lines.items() if found.name in line.front_end.settings]
            folders = [changing.front_end_folder(running.config, one)[0] for one in having]
            return constant.write_setting(code, found.name, value, folders, packs)
        case "capability":
            return delete.delete_capability(code, packs[found.pack], found.name)
        case "default":
            given = next(one for one in _answers(release) if one.point.name == found.name)
            having = {one for one, line in release.lines.items() if found.name in _asked_of(line)}
            lines = {one: changing.front_end_folder(running.config, one)[0] for one in having}
            return inline.inline_answer(code, packs[found.pack], given, lines)
        case "point":
            point = release.points[found.name]
            if answering := _answering(release, found.name):
                raise ByHand(
                    f"{answering[0]} answers {found.name}, so a result would change",
                    remedy="give it a date (`until`) by which a second answer is there, or do without the answer first",
                )
            return unasked.delete_point(code, packs[found.pack], point)
        case "field":
            return _without_field(running, release, found, code, packs[found.pack])
        case "event":
            kind = next(one for one in packs[found.pack].events().values() if event_kind(one).name == found.name)
            return _without_event(code, packs[found.pack], kind)
        case _:
            raise ByHand(
                f"{found.what}: whoever calls may send it",
                remedy="announce its last day (`deprecated` and `x-sunset` in its Meta), and delete it after that",
            )


def _without_field(running: Running, release: Release, found: Finding, code: Code, pack: Pack) -> Change:
    """Return the change that announces the last day of a field; where that has passed, the one that deletes it."""
    from isthmus.governance import contracts, reads
    from isthmus.governance.thin import unread
    from isthmus.governance.thin.change import fields

    wanted = reads.field_of(contracts.contracts_of(release), found.name)
    kind, field = unread.declared(release, wanted)
    today = datetime.now(UTC).date()
    if wanted.sunset is None:
        return fields.announce_field(code, pack, kind, field, found.name, today + SUNSET)
    if wanted.sunset >= today:
        raise errors.Conflict(f"{found.name} is announced until {wanted.sunset}", remedy="delete it after that")
    return fields.delete_field(code, pack, kind, field, found.name)


def _without_event(code: Code, pack: Pack, kind: type[Value]) -> Change:
    """Return the change that announces the last day of an event; where that has passed, the one that deletes it."""
    from isthmus.governance.thin.change import events
    from isthmus.kernel.host import event_kind

    leaving, today = event_kind(kind).deprecated, datetime.now(UTC).date()
    if leaving is None:
        return events.announce_event(code, pack, kind, today, today + SUNSET)
    if leaving.sunset >= today:
        name = event_kind(kind).name
        raise errors.Conflict(f"{name} is announced until {leaving.sunset}", remedy="delete it after that")
    return events.delete_event(code, pack, kind)


def _answer(release: Release, label: str) -> Answer:
    return next(one for one in _answers(release) if one.label == label)


def _answering(release: Release, point: str) -> Sequence[str]:
    return [one.label for one in _answers(release) if one.point.name == point]


def _asked_of(line: CompiledFrontEnd) -> set[str]:
    return {point.name for node in line.nodes for point in node.candidates}


def _answers(release: Release) -> Sequence[Answer]:
    nodes = [node for line in release.lines.values() for node in line.nodes]
    return [answer for node in nodes for one in node.candidates.values() for answer in one.answers]
