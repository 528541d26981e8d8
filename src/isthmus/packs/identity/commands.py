"""`isthmus security first-admin`, `invite`, `sign-in-link`, `people` and `sign-out`: for who holds the machine."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
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

    _add_keys(app, opening)
    return app


def _add_keys(app: typer.Typer, opening: Opening) -> None:
    @app.command("new-signing-key")
    def new_signing_key(file: Path) -> None:
        """Make a key of your own to sign deploys with, in FILE, and print its public part."""
        from .service import signing

        typer.echo(signing.new_key(file), nl=False)

    @app.command("add-signing-key")
    def add_signing_key(
        name: str,
        file: Annotated[Path, typer.Argument(help="File of the public key, in PEM or as ssh-keygen writes it.")],
        label: Annotated[str, typer.Option(help="Where the key lies, such as laptop.")] = "",
        days: Annotated[int, typer.Option(min=1, max=3_650, help="It ends after so many days.")] = 365,
        replaces: Annotated[str, typer.Option(help="A key of theirs that goes on for a week.")] = "",
    ) -> None:
        """Have NAME sign deploys with a key from now on."""
        from .service import signing

        text = _public(file)
        made = _on(
            opening, lambda staff: signing.add(staff, name, text, _by(), label=label, days=days, replaces=replaces)
        )
        typer.echo(f"{made.key}\t{made.name}\tuntil {made.ends_at:%Y-%m-%d}")

    @app.command("signing-keys")
    def signing_keys(json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False) -> None:
        """List the keys that people sign deploys with."""
        from .service import signing

        found = _on(opening, lambda staff: signing.keys_of(staff))
        if json:
            typer.echo(encode(found))
            return
        for one in found:
            typer.echo(f"{one.key}\t{one.name}\t{one.label or '-'}\t{one.state}\tuntil {one.ends_at:%Y-%m-%d}")

    @app.command("revoke-signing-key")
    def revoke_signing_key(key: str) -> None:
        """Have KEY sign nothing any more, at once."""
        from .service import signing

        _on(opening, lambda staff: signing.revoke(staff, key, _by()))
        typer.echo(f"{key} signs nothing any more")


def _public(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError) as wrong:
        raise api.WrongKey(because=f"{file}: {wrong}") from wrong


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
