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
Person = Annotated[bool, typer.Option("--person", help="WHO is somebody of staff, with what they hold.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
Via = Annotated[str, typer.Option(help=f"Through what: {', '.join(api.WAYS_IN)}.")]
About = Annotated[str, typer.Option(help="What the ask names, such as member/019d….")]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("may")
    def may(
        who: str,
        action: str,
        on: On,
        role: Roles = [],  # noqa: B006 - typer's way
        person: Person = False,
        about: About = "",
        via: Via = "http",
        json: Json = False,
    ) -> None:
        """Say whether WHO may call ACTION, and which policies decide it; without a role or --person WHO is a client."""
        found = asyncio.run(_decided(opening, who, role, person, action, on, via, about))
        by = ", ".join((*found.policies, *found.failed)) or "no policy permits it"
        typer.echo(encode(found) if json else f"{'yes' if found.is_allowed else 'no'}: {by}{_within(found)}")
        raise typer.Exit(0 if found.is_allowed else 1)

    @app.command("who-may")
    def who_may(action: str, on: On, via: Via = "http", json: Json = False) -> None:
        """List the roles that may call ACTION, clients and the platform where they may, and who may by a relation."""
        _say(asyncio.run(_principals(opening, action, on, via)), json)

    @app.command("what-may")
    def what_may(
        who: str,
        on: On,
        role: Roles = [],  # noqa: B006 - typer's way
        person: Person = False,
        via: Via = "http",
        json: Json = False,
    ) -> None:
        """List what WHO may call of what the front end uses; without a role or --person WHO is a client."""
        _say(asyncio.run(_allowed(opening, who, role, person, on, via)), json)

    return app


def _say(names: list[str], json: bool) -> None:
    typer.echo(encode(names) if json else "\n".join(names or ["nobody and nothing"]))


def _everybody() -> list[tuple[str, api.Who]]:
    roles = [(role, api.Who(person="anybody", roles=(role,))) for role in api.ROLES]
    return [*roles, ("client", api.Who(client="any")), ("platform", api.Who(is_platform=True))]


async def _who(opened: Opened, name: str, roles: list[str], is_person: bool, on: str) -> api.Who:
    """Return whom a question is about: somebody with these roles, or as they are here, or a client.

    Raises NotFound for who is not here, and BadAsk for what is no name and no role.
    """
    from .service import asked  # help waits for no service

    if not is_person:
        return asked.fitting(api.Who(person=name, roles=tuple(roles)) if roles else api.Who(client=name))
    found = await asked.held(opened.resource, on, name)
    return asked.fitting(api.Who(person=name, roles=(*found.roles, *roles), relations=found.relations))


def _rules(opened: Opened, on: str, via: str) -> str:
    """Return a front end's own policies. Raises NotPermitted where it is not here, NoSuchWayIn."""
    if via not in api.WAYS_IN:
        raise api.NoSuchWayIn(via=via)
    return opened.platform.release.line(on).front_end.settings.get(api.RULES, "")


async def _decided(
    opening: Opening, who: str, roles: list[str], is_person: bool, action: str, on: str, via: str, about: str
) -> api.Decision:
    async with opening() as opened:
        rules, policies = _rules(opened, on, via), _policies(opened)
        meant = await _who(opened, who, roles, is_person, on)
        return policies.decide(meant, action, on, rules, via, await policies.things(on, about))


async def _principals(opening: Opening, action: str, on: str, via: str) -> list[str]:
    async with opening() as opened:
        policies, rules = _policies(opened), _rules(opened, on, via)
        roles = [name for name, who in _everybody() if policies.decide(who, action, on, rules, via).is_allowed]
        from .service import asked

        return [*roles, *await asked.by_relation(policies, opened.resource, action, on, rules, via)]


async def _allowed(opening: Opening, who: str, roles: list[str], is_person: bool, on: str, via: str) -> list[str]:
    async with opening() as opened:
        policies, rules = _policies(opened), _rules(opened, on, via)
        meant = await _who(opened, who, roles, is_person, on)
        used = sorted(opened.platform.release.line(on).permitted & policies.capabilities.keys())
        found = ((name, policies.decide(meant, name, on, rules, via)) for name in used)
        return [f"{name}{_within(one)}" for name, one in found if one.is_allowed]


def _within(found: api.Decision) -> str:
    return f" within {', '.join(found.parts)}" if found.parts else ""


def _policies(opened: Opened) -> Policies:
    return cast("Policies", opened.resource(ports.Guard))
