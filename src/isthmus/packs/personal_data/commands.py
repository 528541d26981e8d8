"""`isthmus security register`: which personal data is kept, what for, how long, and who reads it."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Annotated

import typer

from isthmus.kernel import encode
from isthmus.manifest import Opened

from . import api

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
    ) -> None:
        """List all personal data: where it is, what for, how long, and by what it is read. Made of what is marked."""
        found = asyncio.run(_registered(opening, calls))
        if json:
            typer.echo(encode(found))
        elif as_csv:
            lines = csv.writer(sys.stdout)
            lines.writerow((*FIELDS, "readers"))
            lines.writerows((*_row(one), "; ".join(_read_by(one, found))) for one in found.entries)
        else:
            for one in found.entries:
                typer.echo("\t".join((*_row(one), ", ".join(one.readers) or "-")))

    return app


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
