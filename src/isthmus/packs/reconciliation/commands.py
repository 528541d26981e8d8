"""`isthmus reconcile import`: a file of a provider or a bank, of any size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from isthmus.kernel import Caller, errors
from isthmus.manifest import Opened

from . import api

Opening = Callable[[], AbstractAsyncContextManager[Opened]]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("import")
    def take_in(
        file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
        on: Annotated[str, typer.Option("--on", help="The front end whose money it is.")],
        provider: Annotated[str, typer.Option(help="Whose file it is: a provider, or bank.")],
        form: Annotated[api.Form, typer.Option(help="How it is written.")] = "csv",
        days: Annotated[int, typer.Option(help="How far two days of one amount may be apart.")] = 3,
    ) -> None:
        """Take a file in, match it, and say what differs."""
        ask = api.ImportFile(provider=provider, name=file.name, form=form, content=_text_of(file), days=days)
        found = asyncio.run(_taken_in(opening, on, ask))
        typer.echo(f"{found.lines} lines, {found.matched} of them matched")

    return app


def _text_of(file: Path) -> str:
    """Return what a file says. Raises BadAsk for one that is no text."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise errors.BadAsk(
            f"{file} is not UTF-8: byte {wrong.start} cannot be read", remedy="save it as UTF-8", path="$.content"
        ) from None


async def _taken_in(opening: Opening, on: str, ask: api.ImportFile) -> api.ImportedFile:
    async with opening() as opened:
        caller = Caller(front_end=on, client="command line", via="cli")
        return await opened.platform.call(api.import_file, ask, caller)
