"""`isthmus grants`: who shares what with whom, changed without a deploy."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from .opening import on
from .screen import JSON, as_json, out

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.kernel import ports
    from isthmus.store.sharing import Grant

T = TypeVar("T")
BY = "command line"  # in the history of grants

Owner = Annotated[str, typer.Argument(help="Who owns it: a front end, or the group's code.")]
Kind = Annotated[str, typer.Argument(help="What is shared: a kind that the console's page Sharing names.")]


def commands() -> typer.Typer:
    """Return the commands."""
    app = typer.Typer(no_args_is_help=True, help="Who shares what with whom, changed without a deploy.")

    @app.command()
    def give(
        owner: Owner,
        kind: Kind,
        name: Annotated[str, typer.Argument(help="Its code.")],
        to: Annotated[list[str], typer.Option(help="Front end that gets it; may be given several times.")],
        can: Annotated[str, typer.Option(help="read or use.")] = "use",
        part: Annotated[str, typer.Option(help="Only this part of it, such as one SKU.")] = "",
        bound: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER, or NAME_until=TIME.")] = None,
        ends: Annotated[str | None, typer.Option(help="Until when, as 2026-12-31T18:00+01:00.")] = None,
        reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    ) -> None:
        """Grant what an owner has to other front ends; one that stood before is replaced."""
        from isthmus.kernel.host import fit
        from isthmus.store import sharing

        said = {"kind": kind, "name": name, "can": can, "part": part, "bounds": _bounds(bound or []), "reason": reason}
        drafts = [fit({**said, "to": one, **({"ends_at": ends} if ends else {})}, sharing.Draft, "$") for one in to]

        async def work(session: ports.Session) -> list[Grant]:
            now = datetime.now(UTC)
            return [await sharing.give(session, owner, uuid.uuid4(), draft, now, BY) for draft in drafts]

        for one in _on_rows(work, owner, *to):
            out.print(f"granted {one.grant_id}: {one.to} may {one.can} {one.kind} {one.name} of {one.owner}")

    @app.command()
    def withdraw(
        owner: Owner,
        grant_id: Annotated[uuid.UUID, typer.Argument(help="Its id, as `isthmus grants list` has it.")],
        because: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    ) -> None:
        """Take a grant back at once; what was promised under it is kept."""
        from isthmus.store import sharing

        one = _on_rows(
            lambda session: sharing.withdraw(session, owner, grant_id, datetime.now(UTC), BY, because), owner
        )
        out.print(f"{one.to} may not {one.can} {one.kind} {one.name} of {one.owner} any more")

    @app.command("list")
    def list_(
        front_end: Annotated[str | None, typer.Option(help="Only what this one gave or has.")] = None,
        kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
        history: Annotated[bool, typer.Option(help="Also those that stand no more.")] = False,
        json: JSON = False,
    ) -> None:
        """List who shares what with whom, the latest first."""
        from isthmus.store import sharing

        choice = sharing.Choice(kind=kind, standing_only=not history, limit=500)
        found = _on_rows(lambda session: sharing.listed(session, front_end, choice, datetime.now(UTC)))
        if json:
            as_json(found)
            return
        for one in found:
            out.print(_sentence(one), markup=False, highlight=False, soft_wrap=True)

    return app


def _bounds(given: list[str]) -> dict[str, Any]:
    """Return bounds as they are typed: NAME=VALUE."""
    pairs = [one.partition("=") for one in given]
    return {name: int(value) if value.isdecimal() else value for name, _, value in pairs}


def _sentence(one: Grant) -> str:
    """Return a grant in one line, its id first."""
    said = f"{one.grant_id}  {one.to} may {one.can} {one.kind} {one.name} {one.part}".rstrip() + f" of {one.owner}"
    bounds = ", ".join(f"{name} {value}" for name, value in one.bounds.items())
    until = f"until {one.ends_at:%Y-%m-%d %H:%M}" if one.ends_at else ""
    given = f"given {one.given_at:%Y-%m-%d %H:%M} by {one.given_by}" + (f" ({one.reason})" if one.reason else "")
    gone = ""
    if one.withdrawn_at:
        why = f" ({one.withdrawn_because})" if one.withdrawn_because else ""
        gone = f"withdrawn {one.withdrawn_at:%Y-%m-%d %H:%M} by {one.withdrawn_by}{why}"
    return "; ".join(filter(None, (said, bounds, until, given, gone)))


def _on_rows(work: Callable[[ports.Session], Awaitable[T]], *front_ends: str) -> T:
    """Do some work in one transaction over all front ends. Raises what says that one of these is not known."""

    async def run(running: Running) -> T:
        for code in front_ends:
            running.platform.release.line(code)
        async with running.database.platform_transaction() as session:
            return await work(session)

    return on(_whole, run)


def _whole() -> AbstractAsyncContextManager[Running]:
    from isthmus.app.config import load_config
    from isthmus.app.platform import running

    return running(load_config())
