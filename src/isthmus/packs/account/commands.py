"""`isthmus security rotate-account-keys`: for who holds the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import typer

from isthmus.manifest import Opened

from . import storage

Opening = Callable[[], AbstractAsyncContextManager[Opened]]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("rotate-account-keys")
    def rotate() -> None:
        """Have another key sign what shops are told of shoppers; the one so far is shown until all it signed ends."""

        async def run() -> None:
            from .service.accounts import accounts_of  # signing takes a while to import

            async with opening() as opened:
                accounts = accounts_of(opened)
                async with accounts.act("", "account.rotate-keys") as session:
                    await accounts.signing.follow(session, is_forced=True)

        asyncio.run(run())
        typer.echo(f"another key is shown, and signs in {storage.KEY_WAITS_S // 60} minutes")

    return app
