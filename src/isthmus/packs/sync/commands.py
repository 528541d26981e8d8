"""`isthmus sync conflicts` and `settle`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

import typer

from isthmus.kernel import Caller, Capability, encode
from isthmus.manifest import Opened

from . import api

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
On = Annotated[str, typer.Option("--on", help="The front end whose apps these are.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
CLIENT = "command line"


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    def call(on: str, capability: Capability[Any, Any], ask: Any) -> Any:
        return asyncio.run(_called(opening, on, capability, ask))

    @app.command("conflicts")
    def conflicts(on: On, json: Json = False) -> None:
        """List what two devices wrote without knowing of each other, and nobody has settled."""
        found = call(on, api.list_conflicts, api.ListConflicts())
        if json:
            typer.echo(encode(found.items))
            return
        for one in found.items:
            typer.echo(f"{one.conflict_id}  {one.collection}: {one.sentence}")
        if not found.items:
            typer.echo(f"no conflict is open at {on}")

    @app.command("settle")
    def settle(
        number: Annotated[int, typer.Argument(help="Number of the conflict.")],
        choose: Annotated[str, typer.Argument(help="`kept`: it stays; `lost`: the other is written again.")],
        on: On,
        json: Json = False,
    ) -> None:
        """Settle a conflict, on all devices with their next pull."""
        if choose not in ("kept", "lost"):
            raise typer.BadParameter(f"{choose!r} is neither `kept` nor `lost`")
        made = call(on, api.settle_conflict, api.SettleConflict(conflict_id=number, choose=choose))
        value = made.kept if choose == "kept" else made.lost
        typer.echo(encode(made) if json else f"{made.field} of {made.document} is {value!r}")

    return app


async def _called(opening: Opening, on: str, capability: Capability[Any, Any], ask: Any) -> Any:
    async with opening() as opened:
        return await opened.platform.call(capability, ask, Caller(front_end=on, client=CLIENT, via="cli"))
