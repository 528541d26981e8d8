"""`isthmus security may`, `who-may` and `what-may`: who may call what at a front end, and which policy says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, cast

import typer

from isthmus.kernel import encode, ports
from isthmus.manifest import Opened

from . import api

if TYPE_CHECKING:  # help waits for no Cedar
    from .service.policies import Policies

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
On = Annotated[str, typer.Option("--on", help="The front end.")]
Roles = Annotated[list[str], typer.Option("--role", help="A role of the person; again for more.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
Via = Annotated[str, typer.Option(help="Through what: http, mcp, console.")]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("may")
    def may(
        who: str,
        action: str,
        on: On,
        role: Roles = [],  # noqa: B006 - typer's way
        via: Via = "http",
        json: Json = False,
    ) -> None:
        """Say whether WHO may call ACTION, and which policies decide it; without a role WHO is a client."""
        found = asyncio.run(_decided(opening, _who(who, role), action, on, via))
        by = ", ".join((*found.policies, *found.failed)) or "no policy permits it"
        typer.echo(encode(found) if json else f"{'yes' if found.is_allowed else 'no'}: {by}")
        raise typer.Exit(0 if found.is_allowed else 1)

    @app.command("who-may")
    def who_may(action: str, on: On, via: Via = "http", json: Json = False) -> None:
        """List the roles that may call ACTION, and whether clients of the front end and the platform may."""
        asked = ((name, asyncio.run(_decided(opening, who, action, on, via))) for name, who in _everybody())
        _say([name for name, found in asked if found.is_allowed], json)

    @app.command("what-may")
    def what_may(
        who: str,
        on: On,
        role: Roles = [],  # noqa: B006 - typer's way
        via: Via = "http",
        json: Json = False,
    ) -> None:
        """List what WHO may call of what the front end uses; without a role WHO is a client."""
        _say(asyncio.run(_allowed(opening, _who(who, role), on, via)), json)

    return app


def _say(names: list[str], json: bool) -> None:
    typer.echo(encode(names) if json else "\n".join(names or ["nobody and nothing"]))


def _everybody() -> list[tuple[str, api.Who]]:
    roles = [(role, api.Who(person="anybody", roles=(role,))) for role in api.ROLES]
    return [*roles, ("client", api.Who(client="any")), ("platform", api.Who(is_platform=True))]


def _who(name: str, roles: list[str]) -> api.Who:
    return api.Who(person=name, roles=tuple(roles)) if roles else api.Who(client=name)


async def _decided(opening: Opening, who: api.Who, action: str, on: str, via: str) -> api.Decision:
    async with opening() as opened:
        return _policies(opened).decide(who, action, on, _rules(opened, on), via)


async def _allowed(opening: Opening, who: api.Who, on: str, via: str) -> list[str]:
    async with opening() as opened:
        policies, rules = _policies(opened), _rules(opened, on)
        used = sorted(opened.platform.release.line(on).permitted & policies.capabilities.keys())
        return [name for name in used if policies.decide(who, name, on, rules, via).is_allowed]


def _policies(opened: Opened) -> Policies:
    return cast("Policies", opened.resource(ports.Guard))


def _rules(opened: Opened, on: str) -> str:
    return opened.platform.release.line(on).front_end.settings.get(api.RULES, "")
