"""`isthmus client`: API keys and key pairs, who may call, for which front end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .opening import on
from .screen import JSON, as_json, out

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.gateway.wire.rate import Limit


Scope = Annotated[list[str] | None, typer.Option(help="Limit to capabilities, such as 'PACK.*'.")]
PerSecond = Annotated[float | None, typer.Option(help="Calls a second, in each server process.")]
AtOnce = Annotated[int | None, typer.Option(help="Calls at once, in each server process.")]
Days = Annotated[float | None, typer.Option(help="After how many days it ends by itself.")]


def commands() -> typer.Typer:
    """Return the commands."""
    app = typer.Typer(no_args_is_help=True, help="API keys: who may call, for which front end.")
    _add_making(app)
    _add_keeping(app)
    return app


def _check_part(part: str, running: Running) -> None:
    """Raise where there is no such part of a front end."""
    from isthmus.kernel import errors
    from isthmus.manifest.parts import PART, kinds_of

    kinds = sorted({kind for some in kinds_of(running.packs).values() for kind in some})
    match = PART.fullmatch(part)
    if match is None or match[1] not in kinds:
        fact = f"{part[:140]!r} is no part of a front end"
        remedy = f"write a kind and a name, such as seller/17; kinds are {', '.join(kinds)}"
        raise errors.BadAsk(fact, remedy=remedy, path="--part")


def _add_making(app: typer.Typer) -> None:
    """Add the commands that let somebody in."""

    @app.command("create")
    def create_client(
        front_end: Annotated[str, typer.Argument(help="Front end that the key speaks for.")],
        name: Annotated[str, typer.Option(help="Who will hold the key.")] = "default",
        scope: Scope = None,
        days: Days = None,
        per_second: PerSecond = None,
        at_once: AtOnce = None,
        role: Annotated[
            str | None, typer.Option(help="What it is for: support, analyst or auditor; persons are masked then.")
        ] = None,
        part: Annotated[
            str | None, typer.Option(help="A part of the front end that it is confined to, such as seller/17.")
        ] = None,
    ) -> None:
        """Make an API key and print it once; only its hash is kept."""
        from isthmus.app.config import load_config
        from isthmus.app.platform import written

        written(load_config()).line(front_end)

        async def create(running: Running) -> str:
            from isthmus.gateway import auth
            from isthmus.gateway.wire.rate import Limit

            if part is not None:
                _check_part(part, running)
            scopes, limit = tuple(scope) if scope else None, Limit(per_second=per_second, at_once=at_once)
            return await auth.create_client(
                running.database, front_end, name, scopes, lasts=_lasts(days), limit=limit, role=role, part=part
            )

        out.print(on(_whole, create), soft_wrap=True)

    @app.command("trust")
    def trust_key(
        front_end: Annotated[str, typer.Argument(help="Front end that the client speaks for.")],
        key: Annotated[
            Path, typer.Option(help="Its public key: a file in PEM, or a JWK.", exists=True, dir_okay=False)
        ],
        name: Annotated[str, typer.Option(help="Who holds the private key.")] = "default",
        scope: Scope = None,
        days: Days = None,
        per_second: PerSecond = None,
        at_once: AtOnce = None,
    ) -> None:
        """Let a client have tokens by assertions that it signs with a key pair of its own (private_key_jwt)."""
        from isthmus.app.config import load_config
        from isthmus.app.platform import written

        written(load_config()).line(front_end)

        async def trust(running: Running) -> None:
            from isthmus.gateway import auth
            from isthmus.gateway.oauth.assertions import read_public_key
            from isthmus.gateway.wire.rate import Limit

            scopes, limit = tuple(scope) if scope else None, Limit(per_second=per_second, at_once=at_once)
            found = read_public_key(key.read_bytes())
            await auth.trust_key(running.database, front_end, name, found, scopes, lasts=_lasts(days), limit=limit)

        on(_whole, trust)
        out.print(f"client id: {front_end}/{name}", soft_wrap=True)


def _add_keeping(app: typer.Typer) -> None:
    """Add the commands about those who are let in."""

    @app.command("list")
    def list_clients(json: JSON = False) -> None:
        """List clients, without their keys."""
        from isthmus.gateway import listed

        clients = on(_whole, lambda running: listed.list_clients(running.database))
        if json:
            as_json(clients)
            return
        ends = ("created", "last used", "ends", "revoked")
        table = Table("front end", "client", "proves itself by", "scopes", "limits", *ends)
        for one in clients:
            scopes = (", ".join(one.scopes) if one.scopes else "all") + (f" for {one.role}" if one.role else "")
            scopes += f" of {one.part}" if one.part else ""
            times = (_said(at) for at in (one.created_at, one.used_at, one.expires_at))
            way = "key pair" if one.is_public else "key"
            ended = "yes" if one.revoked_at else ""
            table.add_row(one.front_end, one.name, way, scopes, _limits(one.limit), *times, ended)
        out.print(table)

    @app.command("rotate")
    def rotate_client(
        front_end: str,
        name: str,
        overlap_hours: Annotated[float, typer.Option(min=0, help="For how long the keys so far still work.")] = 24,
        days: Days = None,
    ) -> None:
        """Make another key for a client and print it once; the keys so far end after the overlap."""

        async def rotate(running: Running) -> str:
            from isthmus.gateway import auth

            overlap = timedelta(hours=overlap_hours)
            return await auth.rotate_client(running.database, front_end, name, overlap=overlap, lasts=_lasts(days))

        out.print(on(_whole, rotate), soft_wrap=True)

    @app.command("revoke")
    def revoke_client(front_end: str, name: str) -> None:
        """Revoke every key of a client, and its tokens; they stop working at once."""
        from isthmus.gateway import auth

        count = on(_whole, lambda running: auth.revoke_client(running.database, front_end, name))
        out.print(f"revoked {count} key(s) of {name!r}")


def _lasts(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _limits(limit: Limit) -> str:
    found = [f"{limit.per_second:g}/s"] if limit.per_second else []
    return ", ".join([*found, *([f"{limit.at_once} at once"] if limit.at_once else [])])


def _said(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _whole() -> AbstractAsyncContextManager[Running]:
    from isthmus.app.config import load_config
    from isthmus.app.platform import running

    return running(load_config())
