"""`isthmus security first-admin`, `invite`, `sign-in-link`, `people` and `sign-out`: for who holds the machine."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
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
Part = Annotated[str, typer.Option(help="A part of the front end: seller/17, order/ID.")]
Role = Annotated[list[str], typer.Option("--role", help="A role; again for more.")]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("first-admin")
    def first_admin(name: str, address: str) -> None:
        """Invite the first administrator of the platform: NAME, reached at ADDRESS. Once."""
        _say_link(_on(opening, lambda staff: staff.first_admin(name, address, _by())))

    @app.command("invite")
    def invite(name: str, address: str, role: Role, on: On = EVERYWHERE, part: Part = "") -> None:
        """Invite NAME, reached at ADDRESS, and print the link; with --part to that part of the front end alone."""
        parts = tuple(api.RelationAt(role=one, front_end=on, part=part) for one in role if part)
        roles = tuple(api.RoleAt(role=one, front_end=on) for one in role if not part)
        _say_link(_on(opening, lambda staff: staff.invite(name, address, roles, _by(), parts)))

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

    _sharing(app, opening)
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


def _sharing(app: typer.Typer, opening: Opening) -> None:
    """Add the commands that give somebody a part of a front end, end that, and list it."""

    @app.command("share")
    def share(
        name: str,
        role: Annotated[str, typer.Argument(help="What they may do with it.")],
        on: Annotated[str, typer.Option("--on", help="The front end.")],
        part: Part = "",
        until: Annotated[
            datetime | None, typer.Option(help="When it ends, in UTC; without it, when it is ended.")
        ] = None,
    ) -> None:
        """Give NAME a ROLE of a part of a front end, such as one order, or of all of it until a time."""
        ends_at = until and until.replace(tzinfo=UTC)
        one = api.RelationAt(role=role, front_end=on, part=part or f"front-end/{on}", ends_at=ends_at)
        _on(opening, lambda staff: staff.share(name, one, _by()))
        typer.echo(f"{name} is {role} of {one.part} at {on} {_until(ends_at)}")

    @app.command("end-share")
    def end_share(number: int) -> None:
        """End what was given, by its NUMBER in the list of `shares`, from the next page or call on."""
        _on(opening, lambda staff: staff.end_share(number, EVERYWHERE, _by()))
        typer.echo(f"{number} has ended")

    @app.command("shares")
    def shares(
        name: Annotated[str, typer.Argument(help="Of whom; of all without it.")] = "",
        on: Annotated[str, typer.Option("--on", help="At which front end; at all without it.")] = "",
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
    ) -> None:
        """List what was given of parts of front ends, or of whole ones for a time, and still stands."""
        found = _on(opening, lambda staff: staff.relations(person=name, front_end=on))
        if json:
            typer.echo(encode(found))
            return
        for one in found:
            what = f"{one.role}\t{one.part} at {one.front_end}"
            typer.echo(f"{one.id}\t{one.person}\t{what}\t{_until(one.ends_at)}\tby {one.given_by}")


def _until(ends_at: datetime | None) -> str:
    return f"until {ends_at:%Y-%m-%d %H:%M} UTC" if ends_at else "until it is ended"


def _say_link(link: str) -> None:
    typer.echo(CONSOLE)
    typer.echo(f"/console{link}")


def _by() -> Caller:
    return Caller(front_end=EVERYWHERE, client=f"command line of {getpass.getuser()}", via="cli")
