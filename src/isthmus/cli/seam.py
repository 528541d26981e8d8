"""The command that lets a front end's answer be asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import changing
from .opening import on, standing

if TYPE_CHECKING:
    from isthmus.app.platform import Running


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def seam(
        front_end: Annotated[str, typer.Argument(help="Code of the front end.")],
        calls: Annotated[int, typer.Option(min=1, help="Recorded calls of each front end to prove it by.")] = (
            changing.CALLS
        ),
    ) -> None:
        """Let an answer be asked for: write the point and its place, prove that no result changes, leave a branch.

        The front end declares it with `@answers("PACK.QUESTION", at="PACK.FUNCTION")`.
        """
        changing.check_extra()
        on(standing, lambda running: _seams(running, front_end, calls))


async def _seams(running: Running, code: str, calls: int) -> None:
    import asyncio

    from isthmus.governance.thin.change import parts

    folder, package = changing.front_end_folder(running.config, code)
    answers = parts.unasked(package)
    if not answers:
        raise parts.NothingUnasked(
            f"front end {code!r} has no answer for a question that is not asked",
            remedy='write @answers("PACK.QUESTION", at="PACK.FUNCTION") over one',
        )
    for one in answers:
        await asyncio.to_thread(_seam, running, folder, code, one, calls)


def _seam(running: Running, folder: Path, code: str, answer: object, calls: int) -> None:
    from isthmus.governance.thin.change import tree as trees
    from isthmus.governance.thin.change.seam import seam
    from isthmus.kernel.host import Answer

    assert isinstance(answer, Answer)
    packs = {pack.name: pack for pack in running.packs}
    change = seam(answer, code, folder, packs, running.config.root)
    with trees.copied(running.config.root) as tree, tempfile.TemporaryDirectory() as made:
        changing.check(change, tree, "seam")
        runs = changing.Runs(running.config, running.database.url, calls, Path(made))
        changing.leave(change, tree, runs, "seam")
