"""`isthmus security first-admin`, `invite`, `sign-in-link`, `people` and `sign-out`: for who holds the machine."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from isthmus.kernel import Caller, encode
from isthmus.manifest import Opened
from isthmus.manifest.actions import EVERYWHERE

from . import api

if TYPE_CHECKING:
    from .service.staff import Staff

T = TypeVar("T")
Opening = Callable[[], AbstractAsyncContextManager[Opened]]

CONSOLE: Final = "open it below the console's address, once:"
On = Annotated[str, typer.Option("--on", help="The front end; *: all of the platform.")]
Role = Annotated[list[str], typer.Option("--role", help="A role; again for more.")]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("first-admin")
    def first_admin(name: str, address: str) -> None:
        """Invite the first administrator of the platform: NAME, reached at ADDRESS. Once."""
        _say_link(_on(opening, lambda staff: staff.first_admin(name, address, _by())))

    @app.command("invite")
    def invite(name: str, address: str, role: Role, on: On = EVERYWHERE) -> None:
        """Invite NAME, reached at ADDRESS, and print the link."""
        roles = tuple(api.RoleAt(role=one, front_end=on) for one in role)
        _say_link(_on(opening, lambda staff: staff.invite(name, address, roles, _by())))

    @app.command("sign-in-link")
    def sign_in_link(name: str) -> None:
        """Print a link that signs NAME in, once, without a password."""
        _say_link(_on(opening, lambda staff: staff.sign_in_link(name, _by())))

    @app.command("people")
    def people(json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False) -> None:
        """List who of staff may sign in, and as what."""
        found = _on(opening, lambda staff: staff.people())
        if json:
            typer.echo(encode(found))
            return
        for one in found:
            roles = ", ".join(f"{held.role} at {held.front_end}" for held in one.roles)
            typer.echo(f"{one.name}\t{one.address or '-'}\t{one.state}\t{roles or 'no role'}")

    @app.command("sign-out")
    def sign_out(name: str) -> None:
        """Sign NAME out everywhere, at once."""
        typer.echo(f"{_on(opening, lambda staff: staff.sign_out(name, _by()))} sign-in(s) ended")

    return app


def _on(opening: Opening, work: Callable[[Staff], Awaitable[T]]) -> T:
    from .service.staff import staff_of  # here: help waits for no password's hash

    async def run() -> T:
        async with opening() as opened:
            return await work(staff_of(opened))

    return asyncio.run(run())


def _say_link(link: str) -> None:
    typer.echo(CONSOLE)
    typer.echo(f"/console{link}")


def _by() -> Caller:
    return Caller(front_end=EVERYWHERE, client=f"command line of {getpass.getuser()}", via="cli")
