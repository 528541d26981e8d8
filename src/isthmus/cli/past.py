"""How thin the code was from its first commit on: read from git, kept for the console, and printed."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.kernel import encode, errors

from .screen import out, problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.app.platform import Running
    from isthmus.governance.thin.course import Places, Point


class NoHistory(errors.NotFound):
    """There is no checkout whose commits tell of the past."""

    slug = "governance.no-history"


async def read(running: Running, *, is_needed: bool = True) -> Sequence[Point]:
    """Look at commits that were not looked at before, keep what is found, and return all of it.

    Raises NoHistory, where it is needed, for a folder that is no checkout.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from isthmus.governance.thin import course

    known = {one.commit: one for one in await course.kept(running.database)}
    columns = (TextColumn("looking at commits"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=problems, transient=True) as progress:
        task = progress.add_task("", total=None)

        def step(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)

        try:
            found = await asyncio.to_thread(course.samples, running.config.root, _places(running), known, step)
        except (OSError, ValueError) as error:
            if is_needed:
                raise NoHistory(
                    f"git tells nothing of {running.config.root} ({error})", remedy="run this in a checkout"
                ) from error
            return ()
    await course.keep(running.database, found)
    return course.points(found)


def show(found: Sequence[Point], *, json: bool) -> None:
    """Print the course."""
    from isthmus.governance.thin import course

    if json:
        out.print(encode(tuple(found)).decode(), soft_wrap=True)
        return
    for line in list(course.lines(found)) or ["no commit has a platform and front ends"]:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _places(running: Running) -> Places:
    from isthmus.app.platform import written
    from isthmus.governance.thin import course, report

    release = written(running.config)
    parts = [part for line in release.lines.values() for part in (line.front_end, *line.front_end.children)]
    answers = [one for part in parts for product in part.products for one in product.answers]
    return course.Places(
        platform=tuple(set(report.pack_folders(release).values())),
        front_ends=running.config.front_ends,
        products=tuple({Path(inspect.getsourcefile(inspect.unwrap(one.function)) or ".").parent for one in answers}),
    )
