"""`isthmus security register` and `export-person`: which personal data there is, and all of it of one person."""

from __future__ import annotations

import asyncio
import csv
import getpass
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from isthmus.kernel import Caller, encode
from isthmus.kernel.host import fit
from isthmus.manifest import Opened
from isthmus.manifest.actions import EVERYWHERE, Doer
from isthmus.sealing import Seals

from . import api

if TYPE_CHECKING:
    from .service.encrypting import Encrypted
    from .service.keys import PersonKeys

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
FIELDS = ("place", "owner", "where", "kind", "why", "until")


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("register")
    def show_register(
        calls: Annotated[
            bool, typer.Option(help="The fields of calls too, by which it comes in and goes out.")
        ] = False,
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
        as_csv: Annotated[bool, typer.Option("--csv", help="Say it as CSV, with who may call each reader.")] = False,
        in_clear: Annotated[
            bool,
            typer.Option("--in-the-clear", help="What stays in the clear where all is encrypted that can be, and why."),
        ] = False,
    ) -> None:
        """List all personal data: where it is, what for, how long, and by what it is read. Made of what is marked."""
        found = asyncio.run(_registered(opening, calls))
        if json:
            typer.echo(encode(found))
        elif in_clear:
            for one in (one for one in found.entries if one.in_the_clear):
                typer.echo("\t".join((one.where, one.kind, one.until, one.in_the_clear)))
        elif as_csv:
            lines = csv.writer(sys.stdout)
            lines.writerow((*FIELDS, "readers"))
            lines.writerows((*_row(one), "; ".join(_read_by(one, found))) for one in found.entries)
        else:
            for one in found.entries:
                typer.echo("\t".join((*_row(one), ", ".join(one.readers) or "-")))

    @app.command("export-person")
    def export(
        emails: Annotated[list[str] | None, typer.Argument(help="E-mail addresses that are theirs.")] = None,
        member: Annotated[list[str] | None, typer.Option(help="The id of a membership; again for more.")] = None,
        to: Annotated[Path | None, typer.Option(help="A file: HTML where it ends so, else JSON.")] = None,
    ) -> None:
        """Take out all that the group holds of a person, at every front end and in the lake. It is written down."""
        whom = {"emails": emails or [], "member_ids": member or []}
        found = asyncio.run(_exported(opening, fit(whom, api.Whom, "$")))
        from .service.readable import page_of  # here: help waits for no page

        text = page_of(found) if to is not None and to.suffix == ".html" else encode(found).decode()
        if to is None:
            typer.echo(text)
            return
        to.touch(mode=0o600)  # who may read it is for the person, and for nobody else on the machine
        to.write_text(text, encoding="utf-8")
        typer.echo(f"{sum(len(one.rows) for one in found.held)} row(s) of {len(found.held)} place(s) in {to}")

    @app.command("encrypt")
    def seal_rows() -> None:
        """Encrypt the rows that are there, in the tables of [settings.personal-data] sealed. It can be begun again."""
        for one in asyncio.run(_encrypted(opening)):
            typer.echo(f"{one.table}: {one.sealed} field(s) encrypted, {one.left} left in the clear")

    @app.command("rotate-person-keys")
    def rotate(
        drop_old: Annotated[
            bool, typer.Option(help="Then destroy the older ones: keys in backups open by none any more.")
        ] = False,
    ) -> None:
        """Have another envelope key wrap the keys of persons, and wrap all of them anew."""
        for line in asyncio.run(_rotated(opening, drop_old)):
            typer.echo(line)

    return app


async def _encrypted(opening: Opening) -> list[Encrypted]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from .service.encrypting import encrypt

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with opening() as opened:
        keys, packs = _keys(opened), tuple(opened.platform.release.packs.values())
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("")

            def say(table: str, at: int, count: int) -> None:
                shown.update(task, description=table, completed=at, total=count)

            found = await encrypt(opened.database, keys, packs, say)
        await _note(opened, "persons.encrypt", {one.table: one.sealed for one in found})
    return found


async def _rotated(opening: Opening, drop_old: bool) -> list[str]:
    async with opening() as opened:
        keys = _keys(opened)
        newest, count = await keys.envelope.follow(), 0
        while True:
            async with opened.database.platform_transaction() as session:
                if not (some := await keys.rewrap(session)):
                    break
            count += some
        said = [f"{count} key(s) are wrapped under the envelope key {newest!r} now"]
        if drop_old and (old := await keys.envelope.drop_old()):
            said.append(f"destroyed: {', '.join(old)}")
        await _note(opened, "persons.rotate-keys", {"envelope": newest, "keys": count, "dropped": drop_old})
    return said


def _keys(opened: Opened) -> PersonKeys:
    return cast("PersonKeys", opened.resource(Seals))


async def _note(opened: Opened, name: str, said: Mapping[str, Any]) -> None:
    caller = Caller(front_end=EVERYWHERE, client=f"command line of {getpass.getuser()}", via="cli")
    async with opened.database.platform_transaction() as session:
        await Doer(caller=caller, journal=opened.platform.journal).note(session, name, said)


async def _exported(opening: Opening, whom: api.Whom) -> api.PersonExport:
    from .service.export import export_person
    from .service.register import Registry

    caller = Caller(front_end=EVERYWHERE, client=f"command line of {getpass.getuser()}", via="cli")
    async with opening() as opened:
        return await export_person(opened.platform, opened.resource(Registry), whom, caller)


async def _registered(opening: Opening, has_calls: bool) -> api.Register:
    from .service.register import register

    async with opening() as opened:
        return await register(opened.platform, opened.database, has_calls=has_calls)


def _row(one: api.Entry) -> tuple[str, ...]:
    return (one.place, one.owner, one.where, one.kind, one.why, one.until)


def _read_by(one: api.Entry, found: api.Register) -> Iterable[str]:
    """Yield each reader with who may call it, as `order.get-order at fresh by owner, client`."""
    for reader in one.readers:
        at = found.callers.get(reader, {})
        who = [f"at {code} by {', '.join(names) or 'nobody'}" for code, names in at.items()]
        yield f"{reader} {', '.join(who)}".strip()
