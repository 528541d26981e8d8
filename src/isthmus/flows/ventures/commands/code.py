"""`isthmus venture take` and `drift`: a front end's code as a starting point, and how far both have moved since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from isthmus.governance import copies
from isthmus.kernel import Platform, encode, errors
from isthmus.manifest import Opened
from isthmus.packs.venture import api as venture

CALLS: Final = "taken-calls.jsonl"


def add_code(app: typer.Typer, opening: Callable[[], AbstractAsyncContextManager[Opened]]) -> None:
    """Add the two commands."""

    @app.command("take")
    def take(
        code: Annotated[str, typer.Argument(help="The venture's code.")],
        front_end: Annotated[str, typer.Argument(help="The front end whose code it takes along.")],
        calls: Annotated[int, typer.Option(min=0, max=50_000, help="Recorded calls that go along.")] = 1_000,
    ) -> None:
        """Copy a front end's code into a venture, with its tests, recorded calls, licence and where it is from."""
        for line in asyncio.run(_take(opening, code, front_end, calls)):
            typer.echo(line)

    @app.command("drift")
    def drift(
        code: Annotated[str, typer.Argument(help="The venture's code.")],
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
    ) -> None:
        """Say how far a venture's code and its source have moved since it was taken, and which fixes it lacks."""
        found = asyncio.run(_drift(opening, code))
        for line in [encode(found).decode()] if json else lines(found):
            typer.echo(line)


async def _take(
    opening: Callable[[], AbstractAsyncContextManager[Opened]], code: str, front_end: str, calls: int
) -> list[str]:
    from isthmus.runtime.replay import recorded

    async with opening() as opened:
        charters = opened.resource(venture.Charters)
        charters.of(code)
        source, folder = charters.seats / front_end, charters.folder / code
        if not (source / "front_end.py").is_file():
            known = sorted(path.parent.name for path in charters.seats.glob("*/front_end.py"))
            raise errors.NotFound(
                f"there is no code of front end {front_end!r} in {charters.seats}{errors.near(front_end, known)}",
                remedy=f"choose {', '.join(known) or 'one that lies there'}",
            )
        root = charters.folder.parent
        used = _used(opened.platform, front_end)
        found = copies.take(root, source, folder, code, used, version("isthmus"), datetime.now(UTC).date())
        count = 0
        if front_end in opened.platform.release.lines:
            count = await recorded.export_to(opened.database, folder / CALLS, [front_end], limit=calls)
        copies.note(folder, found.replace(calls=count))
    return [
        f"took {found.source} along as {folder / code}",
        f"at {found.commit[:12] or 'no commit'}, of Isthmus {found.platform}",
        f"licence: {found.licence or 'nobody says; ask who owns it before it leaves the company'}",
        f"{count} recorded calls are in {folder / CALLS}",
        f"its tests: cd {folder} && python -m pytest {code}",
    ]


async def _drift(opening: Callable[[], AbstractAsyncContextManager[Opened]], code: str) -> copies.Drift:
    async with opening() as opened:
        charters = opened.resource(venture.Charters)
        charters.of(code)
        folder: Path = charters.folder / code
        front_end = Path(copies.provenance(folder).source).name
        return copies.drift(charters.folder.parent, folder, _used(opened.platform, front_end))


def _used(platform: Platform, front_end: str) -> dict[str, str]:
    """Return the capabilities that a front end may call, by version; of one that is not there, all that are."""
    line = platform.release.lines.get(front_end)
    offered = line.offered if line else platform.release.offered
    return {
        name: one.capability.version
        for name, one in offered.items()
        if line is None or (name in line.permitted and not one.capability.is_internal)
    }


def lines(found: copies.Drift) -> Iterator[str]:
    """Yield a drift in lines."""
    known = found.provenance
    yield f"{known.package} was taken from {known.source} on {known.on}, at {known.commit[:12] or 'no commit'}"
    yield f"  here   {_moved(found.here)}"
    yield f"  there  {_moved(found.there) if found.there else 'it is not there any more'}"
    if found.both:
        yield f"  both have changed {', '.join(found.both)}"
    for name, count in found.behind.items():
        yield f"  {name}: {count} lines of there since then are not here"
    for fix in found.fixes:
        yield f"  lacks {fix.commit} of {fix.on}: {fix.subject} ({', '.join(fix.files)})"
    if not found.fixes and found.has_history:
        yield "  every change of there is here, or was left out"
    if not found.has_history and found.there:
        yield "  no history of there is known, so no commit is named"
    for name, (was, now) in found.contracts.items():
        yield f"  {name} was {was}, and is {now or 'gone'}"
    yield f"  {found.imports} imports of the platform are left in it"


def _moved(one: copies.Moved) -> str:
    return (
        f"{len(one.changed)} files changed, {len(one.added)} came, {len(one.removed)} went; "
        f"{one.lines_more} lines more, {one.lines_less} less"
    )
