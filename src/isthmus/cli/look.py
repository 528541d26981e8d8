"""The commands that say what there is and who answers what: of what is deployed, or of the folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .opening import Asked, look
from .screen import JSON, as_json, first, out

if TYPE_CHECKING:
    from isthmus.governance.explain import Explanation
    from isthmus.kernel.host import Release


Folder = Annotated[bool, typer.Option("--folder", help="Of the front ends' folder, not of what is deployed.")]
Chosen = Annotated[str, typer.Option("--version", help="Of this version of the front end, such as v3.")]


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""

    @main.command()
    def catalogue(
        front_end: Annotated[str | None, typer.Option(help="Show only what this front end may use.")] = None,
        folder: Folder = False,
        json: JSON = False,
    ) -> None:
        """List every capability and extension point, with its owner and its first sentence."""
        release, sentences = look(Asked(is_folder=folder, front_end=front_end))
        offered = _used(release, front_end) if front_end else _everything(release)
        if json:
            as_json(offered)
            return
        table = Table("kind", "name", "version", "owner", "what it gives")
        for one in offered:
            table.add_row(one.kind, one.name, one.version, one.owner, one.gives)
        out.print(table)
        _say(sentences)

    @main.command()
    def explain(
        front_end: Annotated[str, typer.Argument(help="Code of the front end.")],
        point: Annotated[str | None, typer.Argument(help="Extension point, as `isthmus catalogue` lists it.")] = None,
        when: Annotated[list[str] | None, typer.Option(help="A dimension value, such as order_kind=presale.")] = None,
        version: Chosen = "",
        folder: Folder = False,
        json: JSON = False,
    ) -> None:
        """Say who answers an extension point for a front end, in which order, and why."""
        from isthmus.governance.explain import explain as who_answers

        release, sentences = look(Asked(is_folder=folder, front_end=front_end, version=version))
        dims = dict(pair.split("=", 1) for pair in when or [])
        names = [point] if point else sorted(release.points)
        explained = [who_answers(release, front_end, name, dims) for name in names]
        if json:
            as_json(explained[0] if point else explained)
            return
        out.print(_answers(explained[0]) if point else _points(explained))
        _say(sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A capability or an extension point, as the catalogue lists it."""

    kind: str
    name: str
    version: str
    owner: str
    gives: str


def _everything(release: Release) -> list[Offered]:
    capabilities = [
        Offered(
            kind=one.capability.effect.value,
            name=name,
            version=one.capability.version,
            owner=release.packs[one.capability.pack].owner,
            gives=first(one.capability.doc),
        )
        for name, one in sorted(release.offered.items())
    ]
    points = [
        Offered(
            kind=f"point ({point.combine.name})",
            name=name,
            version="",
            owner=release.packs[point.pack].owner,
            gives=first(point.doc),
        )
        for name, point in sorted(release.points.items())
    ]
    return [*capabilities, *points]


def _used(release: Release, code: str) -> list[Offered]:
    """Return what one front end may call: of packs, and its own."""
    line = release.line(code)
    called = [line.find(name).capability for name in sorted(line.permitted)]
    return [
        Offered(
            kind=one.effect.value,
            name=one.name,
            version=one.version,
            owner=release.packs[one.pack].owner if one.pack in release.packs else line.front_end.owner,
            gives=first(one.doc),
        )
        for one in called
    ]


def _points(explained: Sequence[Explanation]) -> Table:
    table = Table("point", "rule", "asked in this order, then the default")
    for found in explained:
        table.add_row(found.point, found.rule, ", ".join(one.by for one in found.candidates) or "[dim]default only")
    return table


def _answers(found: Explanation) -> Table:
    title = f"{found.point} for {found.front_end} ({found.rule})"
    table = Table("place", "answer", "when", "fate", "where", title=title)
    for one in found.candidates:
        condition = ", ".join(f"{name} in {'|'.join(values)}" for name, values in one.when.items()) or "always"
        table.add_row(str(one.place), one.by, condition, one.fate, one.source)
    table.add_row("last", "default", "where nobody has an opinion", "", found.default)
    return table


def _say(sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)
