"""`isthmus client`: API keys, who may call, for which front end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .opening import on
from .screen import JSON, as_json, out

if TYPE_CHECKING:
    from isthmus.app.platform import Running


def commands() -> typer.Typer:
    """Return the commands."""
    app = typer.Typer(no_args_is_help=True, help="API keys: who may call, for which front end.")

    @app.command("create")
    def create_client(
        front_end: Annotated[str, typer.Argument(help="Front end that the key speaks for.")],
        name: Annotated[str, typer.Option(help="Who will hold the key.")] = "default",
        scope: Annotated[list[str] | None, typer.Option(help="Limit to capabilities, such as 'PACK.*'.")] = None,
    ) -> None:
        """Make an API key and print it once; only its hash is kept."""
        from isthmus.app.config import load_config
        from isthmus.app.platform import written

        written(load_config()).line(front_end)

        async def create(running: Running) -> str:
            from isthmus.gateway import auth

            return await auth.create_client(running.database, front_end, name, tuple(scope) if scope else None)

        out.print(on(_whole, create), soft_wrap=True)

    @app.command("list")
    def list_clients(json: JSON = False) -> None:
        """List clients, without their keys."""
        from isthmus.gateway import auth

        clients = on(_whole, lambda running: auth.list_clients(running.database))
        if json:
            as_json(clients)
            return
        table = Table("front end", "client", "scopes", "created", "revoked")
        for one in clients:
            scopes = ", ".join(one.scopes) if one.scopes else "all"
            table.add_row(
                one.front_end, one.name, scopes, f"{one.created_at:%Y-%m-%d %H:%M}", "yes" if one.revoked_at else ""
            )
        out.print(table)

    @app.command("revoke")
    def revoke_client(front_end: str, name: str) -> None:
        """Revoke every key of a client; it stops working within seconds."""
        from isthmus.gateway import auth

        count = on(_whole, lambda running: auth.revoke_client(running.database, front_end, name))
        out.print(f"revoked {count} key(s) of {name!r}")

    return app


def _whole() -> AbstractAsyncContextManager[Running]:
    from isthmus.app.config import load_config
    from isthmus.app.platform import running

    return running(load_config())
