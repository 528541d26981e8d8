"""`isthmus security verify`, `export`, `key` and `heads`: what an auditor does with the log."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.kernel import encode, errors, ports
from isthmus.manifest import Opened

from . import api, storage

if TYPE_CHECKING:  # imported by the command that runs: help waits for no cryptography
    from .service.seal import Sealer
    from .service.verify import Report

Opening = Callable[[], AbstractAsyncContextManager[Opened]]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("verify")
    def check(
        heads: Annotated[Path | None, typer.Option(help="Published heads; else the file of the settings.")] = None,
        key: Annotated[Path | None, typer.Option(help="Public key in PEM; else the one of the settings.")] = None,
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
    ) -> None:
        """Prove that the audit log is what it was, or name the first entry that was altered, removed or inserted."""
        report = asyncio.run(_verified(opening, heads, key))
        if json:
            typer.echo(encode(report))
        else:
            typer.echo("\n".join(_said(report)))
        raise typer.Exit(1 if report.finding else 0)

    @app.command("export")
    def export(
        front_end: Annotated[str, typer.Option(help="Only this front end's entries.")] = "",
        since: Annotated[datetime | None, typer.Option(help="Entries from this time on, in UTC.")] = None,
    ) -> None:
        """Write the audit log as lines of JSON: position, number, link, and the content exactly as it is hashed."""
        asyncio.run(_exported(opening, front_end, since))

    @app.command("key")
    def show_key() -> None:
        """Print the public key of the heads, to be kept where the platform cannot change it."""
        typer.echo(asyncio.run(_key(opening)))

    @app.command("heads")
    def show_head() -> None:
        """Print the newest signed head."""
        typer.echo(encode(asyncio.run(_head(opening))).decode())

    return app


async def _verified(opening: Opening, heads: Path | None, key: Path | None) -> Report:
    if heads is not None and not await asyncio.to_thread(heads.is_file):
        raise errors.NotFound(f"{heads} is not there", remedy="name the file with the published heads")
    from .service.keys import public_key
    from .service.publish import HeadsFile
    from .service.seal import Sealer
    from .service.verify import verify

    async with opening() as opened:
        sealer = opened.resource(Sealer)
        own = sealer.receiver.path if isinstance(sealer.receiver, HeadsFile) else None
        async with opened.database.platform() as session:
            if key is None:
                await check_sealed(session, sealer)
            return await verify(session, lines=heads or own, key=public_key(key or sealer.key_file))


def _said(report: Report) -> list[str]:
    """Return what a report says, in sentences."""
    cut = [
        f"{code}: the content of entries 1 to {through} went under its retention"
        for code, through in sorted(report.cut.items())
    ]
    counted = (
        f"{report.entries} entries, {report.published} of them published, {report.heads} signed heads, "
        f"{report.pending} not sealed yet"
    )
    return [*cut, counted, str(report.finding or "nothing was altered, removed or inserted")]


async def _exported(opening: Opening, front_end: str, since: datetime | None) -> None:
    async with opening() as opened, opened.database.platform() as session:
        async for row in storage.read_all(session):
            is_early = since is not None and row["at"].replace(tzinfo=None) < since
            if (front_end and row["front_end"] != front_end) or is_early:
                continue
            line = {name: row[name] for name in ("position", "front_end", "number", "content")}
            sys.stdout.buffer.write(encode({**line, "link": row["link"].hex()}) + b"\n")


async def _key(opening: Opening) -> str:
    from .service.keys import public_key, public_pem
    from .service.seal import Sealer

    async with opening() as opened, opened.database.platform() as session:
        await check_sealed(session, opened.resource(Sealer))
        return public_pem(public_key(opened.resource(Sealer).key_file))


async def check_sealed(session: ports.Session, sealer: Sealer) -> None:
    """Raise NotSealedYet where there is no key because none was needed so far."""
    if not await asyncio.to_thread(sealer.key_file.exists) and await storage.head(session) is None:
        raise api.NotSealedYet(pending=await storage.count_pending(session))


async def _head(opening: Opening) -> api.Head:
    async with opening() as opened, opened.database.platform() as session:
        row = await storage.head(session)
        if row is None:
            raise api.NoHeadYet(size=1)
        return storage.head_of(row)
