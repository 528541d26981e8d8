"""`isthmus devices list` and `cut-off`."""

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
On = Annotated[str, typer.Option("--on", help="The front end whose app runs on it.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
CLIENT = "command line"


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    def call(on: str, capability: Capability[Any, Any], ask: Any) -> Any:
        return asyncio.run(_called(opening, on, capability, ask))

    @app.command("list")
    def list_(
        on: On, member: Annotated[str, typer.Option(help="Only those of this member.")] = "", json: Json = False
    ) -> None:
        """List devices, those seen last first."""
        found = call(on, api.list_devices, api.ListDevices(member_id=member))
        if json:
            typer.echo(encode(found.items))
            return
        for one in found.items:
            why = f": {one.reason}" if one.reason else ""
            typer.echo(
                f"{one.device_id}  {one.app} {one.platform}  {one.state}{why}  seen {one.seen_at:%Y-%m-%d %H:%M}"
            )
        if not found.items:
            typer.echo(f"{on} knows no device; apps call devices.register")

    @app.command("cut-off")
    def cut_off(
        on: On,
        device: Annotated[str | None, typer.Argument(help="The device.")] = None,
        member: Annotated[str | None, typer.Option(help="All devices of this member instead.")] = None,
        because: Annotated[str, typer.Option(help="Why, for those who read it later.")] = "reported as lost",
        json: Json = False,
    ) -> None:
        """Cut a device off for good, or all of a member: its next proof is refused, on every server."""
        found = call(on, api.cut_off, api.CutOff(device_id=device, member_id=member, reason=because))
        if json:
            typer.echo(encode(found))
            return
        for one in found.devices:
            typer.echo(f"{one} is cut off")
        if not found.devices:
            typer.echo("nothing was left to cut off")

    return app


async def _called(opening: Opening, on: str, capability: Capability[Any, Any], ask: Any) -> Any:
    async with opening() as opened:
        return await opened.platform.call(capability, ask, Caller(front_end=on, client=CLIENT, via="cli"))
