"""`isthmus webhooks add`, `list`, `log`, `test`, `pause`, `resume`, `rotate`, `send-again` and `delete`."""

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
On = Annotated[str, typer.Option("--on", help="The front end whose endpoints they are.")]
Name = Annotated[str, typer.Argument(help="Name of the endpoint.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
CLIENT = "command line"
Call = Callable[[str, Capability[Any, Any], Any], Any]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    def call(on: str, capability: Capability[Any, Any], ask: Any) -> Any:
        return asyncio.run(_called(opening, on, capability, ask))

    _add_endpoints(app, call)
    _add_deliveries(app, call)
    return app


def _add_endpoints(app: typer.Typer, call: Call) -> None:
    @app.command("add")
    def add(
        name: Name,
        url: str,
        on: On,
        type: Annotated[list[str], typer.Option(help="Events, such as PACK.EVENT or PACK.*; again for more.")],
        ordered: Annotated[bool, typer.Option(help="Those of one subject in their order.")] = False,
        personal: Annotated[bool, typer.Option(help="With personal data of one's own events.")] = False,
    ) -> None:
        """Send events to an address from now on, or change how; a new one's secret is printed once."""
        ask = api.PutEndpoint(name=name, url=url, types=tuple(type), ordered=ordered, personal=personal)
        answer = call(on, api.put_endpoint, ask)
        typer.echo(f"secret: {answer.secret}" if answer.secret else "changed")

    @app.command("list")
    def list_(on: On, json: Json = False) -> None:
        """List endpoints and how they fare."""
        found = call(on, api.list_endpoints, api.ListEndpoints())
        if json:
            typer.echo(encode(found.items))
            return
        for one in found.items:
            why = f": {one.reason}" if one.reason else ""
            typer.echo(f"{one.name}  {one.state}{why}  {one.waiting} waiting, {one.dead} dead  {one.url}")
        if not found.items:
            typer.echo(f"{on} has no endpoints; `isthmus webhooks add` makes one")

    @app.command("pause")
    def pause(name: Name, on: On) -> None:
        """Let events wait."""
        call(on, api.pause_endpoint, api.NamedEndpoint(name=name))
        typer.echo(f"{name} is paused")

    @app.command("resume")
    def resume(name: Name, on: On) -> None:
        """Send what has waited, and what comes."""
        call(on, api.resume_endpoint, api.NamedEndpoint(name=name))
        typer.echo(f"{name} goes on")

    @app.command("rotate")
    def rotate(name: Name, on: On, keep_hours: Annotated[int, typer.Option(min=0, max=168)] = 24) -> None:
        """Print a new secret; the old one signs too for so many hours."""
        answer = call(on, api.rotate_secret, api.RotateSecret(name=name, keep_hours=keep_hours))
        typer.echo(f"secret: {answer.secret}")

    @app.command("delete")
    def delete(name: Name, on: On) -> None:
        """Send nothing there any more."""
        call(on, api.delete_endpoint, api.NamedEndpoint(name=name))
        typer.echo(f"{name} is deleted")


def _add_deliveries(app: typer.Typer, call: Call) -> None:
    @app.command("log")
    def log(
        on: On,
        endpoint: Annotated[str | None, typer.Option(help="Only of this endpoint.")] = None,
        state: Annotated[api.DeliveryState | None, typer.Option(help="Only those.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
        json: Json = False,
    ) -> None:
        """List what was sent, the newest first."""
        found = call(on, api.list_deliveries, api.ListDeliveries(endpoint=endpoint, state=state, limit=limit))
        if json:
            typer.echo(encode(found.items))
            return
        for one in found.items:
            typer.echo(
                f"{one.delivery_id}  {one.made_at:%Y-%m-%d %H:%M:%S}  {one.endpoint}  {one.event_type} {one.subject}  "
                f"{one.state}, tried {one.attempts} ×  {one.status or ''} {one.reason}"
            )

    @app.command("test")
    def test(name: Name, on: On) -> None:
        """Send a test event; a running server does it in a moment."""
        sent = call(on, api.test_endpoint, api.NamedEndpoint(name=name))
        typer.echo(f"delivery {sent.delivery_id}: see `isthmus webhooks log --on {on}`")

    @app.command("send-again")
    def send_again(
        on: On,
        number: Annotated[int | None, typer.Argument(help="Number of one delivery.")] = None,
        endpoint: Annotated[str | None, typer.Option(help="All dead letters of this endpoint.")] = None,
    ) -> None:
        """Send dead letters again, under the same ids."""
        answer = call(on, api.send_again, api.SendAgain(delivery_id=number, endpoint=endpoint))
        typer.echo(f"{answer.count} will be sent again by the running servers")


async def _called(opening: Opening, on: str, capability: Capability[Any, Any], ask: Any) -> Any:
    async with opening() as opened:
        return await opened.platform.call(capability, ask, Caller(front_end=on, client=CLIENT, via="cli"))
