"""The commands that say what there is and who answers what: of what is deployed, or of the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .opening import Asked, look
from .screen import first, out

if TYPE_CHECKING:
    from isthmus.kernel.host import Release


Folder = Annotated[bool, typer.Option("--folder", help="Of the front ends' folder, not of what is deployed.")]
Chosen = Annotated[str, typer.Option("--version", help="Of this version of the front end, such as v3.")]


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""

    @main.command()
    def catalogue(
        front_end: Annotated[str | None, typer.Option(help="Show only what this front end may use.")] = None,
        folder: Folder = False,
    ) -> None:
        """List every capability and extension point, with its owner and its first sentence."""
        release, sentences = look(Asked(is_folder=folder, front_end=front_end))
        out.print(_used(release, front_end) if front_end else _everything(release))
        _say(sentences)

    @main.command()
    def explain(
        front_end: Annotated[str, typer.Argument(help="Code of the front end.")],
        point: Annotated[str | None, typer.Argument(help="Extension point, as `isthmus catalogue` lists it.")] = None,
        when: Annotated[list[str] | None, typer.Option(help="A dimension value, such as order_kind=presale.")] = None,
        version: Chosen = "",
        folder: Folder = False,
    ) -> None:
        """Say who answers an extension point for a front end, in which order, and why."""
        release, sentences = look(Asked(is_folder=folder, front_end=front_end, version=version))
        dims = dict(pair.split("=", 1) for pair in when or [])
        out.print(_answers(release, front_end, point, dims) if point else _points(release, front_end, dims))
        _say(sentences)


def _everything(release: Release) -> Table:
    table = Table("kind", "name", "version", "owner", "what it gives")
    for name, offered in sorted(release.offered.items()):
        found = offered.capability
        table.add_row(found.effect.value, name, found.version, release.packs[found.pack].owner, first(found.doc))
    for name, point in sorted(release.points.items()):
        table.add_row(f"point ({point.combine.name})", name, "", release.packs[point.pack].owner, first(point.doc))
    return table


def _used(release: Release, code: str) -> Table:
    """Return what one front end may call: of packs, and its own."""
    table = Table("kind", "name", "version", "owner", "what it gives")
    line = release.line(code)
    for name in sorted(line.permitted):
        found = line.find(name).capability
        owner = release.packs[found.pack].owner if found.pack in release.packs else line.front_end.owner
        table.add_row(found.effect.value, name, found.version, owner, first(found.doc))
    return table


def _points(release: Release, code: str, dims: dict[str, str]) -> Table:
    from isthmus.governance.explain import explain as who_answers

    table = Table("point", "rule", "asked in this order, then the default")
    for name in sorted(release.points):
        found = who_answers(release, code, name, dims)
        table.add_row(name, found.rule, ", ".join(one.by for one in found.candidates) or "[dim]default only")
    return table


def _answers(release: Release, code: str, point: str, dims: dict[str, str]) -> Table:
    from isthmus.governance.explain import explain as who_answers

    found = who_answers(release, code, point, dims)
    table = Table("place", "answer", "when", "fate", "where", title=f"{point} for {found.front_end} ({found.rule})")
    for one in found.candidates:
        condition = ", ".join(f"{name} in {'|'.join(values)}" for name, values in one.when.items()) or "always"
        table.add_row(str(one.place), one.by, condition, one.fate, one.source)
    table.add_row("last", "default", "where nobody has an opinion", "", found.default)
    return table


def _say(sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)
