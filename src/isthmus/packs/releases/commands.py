"""`isthmus releases list`, `publish`, `share`, `pause`, `resume`, `roll-back`, `minimum` and `key`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.kernel import Caller, Capability, encode
from isthmus.manifest import Opened

from . import api

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
On = Annotated[str, typer.Option("--on", help="The front end whose app it is.")]
Number = Annotated[int, typer.Argument(help="Number of the release.")]
Why = Annotated[str, typer.Option("--because", help="Why, for those who read it later.")]
Channel = Annotated[str, typer.Option(help="Which of several lines of releases.")]
CLIENT = "command line"


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    def call(on: str, capability: Capability[Any, Any], ask: Any) -> Any:
        return asyncio.run(_called(opening, on, capability, ask))

    _add_publishing(app, opening, call)
    _add_steering(app, call)
    return app


def _add_publishing(app: typer.Typer, opening: Opening, call: Callable[..., Any]) -> None:
    @app.command("publish")
    def publish(
        name: Annotated[str, typer.Argument(help="Name of the app.")],
        version: str,
        file: Annotated[Path, typer.Argument(help="The artefact.", exists=True, dir_okay=False)],
        on: On,
        platform: Annotated[str, typer.Option(help="What it runs on.")] = "web",
        channel: Channel = "stable",
        share: Annotated[int, typer.Option(min=0, max=100, help="Percent of devices at first.")] = 0,
        package: Annotated[bool, typer.Option(help="An offline package, which an app loads by itself.")] = False,
    ) -> None:
        """Keep a file as the artefact of a version, and publish it."""
        train = api.Train(app=name, platform=platform, channel=channel)
        made = asyncio.run(_published(opening, on, train, version, file.read_bytes(), share, is_package=package))
        typer.echo(f"release {made.number}: {name} {version} for {made.share} % of devices, signed")

    @app.command("list")
    def list_(on: On, json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False) -> None:
        """List releases and how each fares."""
        found = call(on, api.list_releases, api.ListReleases())
        if json:
            typer.echo(encode(found.items))
            return
        for one in found.items:
            release, health = one.release, one.health
            train = f"{release.train.app} {release.train.platform} {release.train.channel}"
            why = f": {release.reason}" if release.reason else ""
            fares = f"{health.sessions} sessions, {health.crash_rate:.1%} crashed"
            typer.echo(
                f"{release.number}  {train}  {release.version}  {release.state}{why}  {release.share} %  {fares}"
            )
        if not found.items:
            typer.echo(f"{on} has published nothing; `isthmus releases publish` does")

    @app.command("key")
    def key(on: On) -> None:
        """Print the key that an app is built with, to verify what it is given."""
        typer.echo(call(on, api.get_key, api.GetKey()).key)


def _add_steering(app: typer.Typer, call: Callable[..., Any]) -> None:
    @app.command("share")
    def share(number: Number, percent: Annotated[int, typer.Argument(min=0, max=100)], on: On) -> None:
        """Give a release to more devices."""
        made = call(on, api.raise_share, api.RaiseShare(number=number, share=percent))
        typer.echo(f"{made.version} is given to {made.share} % of devices")

    @app.command("pause")
    def pause(number: Number, on: On, because: Why = "") -> None:
        """Give a release to no further device."""
        call(on, api.pause, api.Numbered(number=number, reason=because))
        typer.echo(f"release {number} is paused")

    @app.command("resume")
    def resume(number: Number, on: On, because: Why = "") -> None:
        """Go on with a release."""
        call(on, api.resume, api.Numbered(number=number, reason=because))
        typer.echo(f"release {number} goes on")

    @app.command("roll-back")
    def roll_back(number: Number, on: On, because: Why = "") -> None:
        """Give everybody the version before again."""
        made = call(on, api.roll_back, api.Numbered(number=number, reason=because))
        typer.echo(f"release {made.number} gives {made.version} to everybody again")

    @app.command("minimum")
    def minimum(
        name: Annotated[str, typer.Argument(help="Name of the app.")],
        version: str,
        on: On,
        platform: Annotated[str, typer.Option(help="What it runs on.")] = "web",
        channel: Channel = "stable",
        until: Annotated[datetime | None, typer.Option(help="Until when older ones go on (UTC).")] = None,
    ) -> None:
        """Say which version is the least that works."""
        train = api.Train(app=name, platform=platform, channel=channel)
        grace = None if until is None else until.astimezone()
        call(on, api.set_minimum, api.SetMinimum(train=train, version=version, grace_until=grace))
        typer.echo(f"{name} below {version} has to be updated")


async def _published(
    opening: Opening, on: str, train: api.Train, version: str, content: bytes, share: int, *, is_package: bool
) -> api.AppRelease:
    from .service.artefacts import Artefacts  # here: help waits for no database

    async with opening() as opened:
        caller = Caller(front_end=on, client=CLIENT, via="cli")
        artefacts = opened.resource(Artefacts)
        name, _ = artefacts.named(content)
        await artefacts.put(name, content)
        await opened.platform.call(api.note_file, api.FileNoted(file=name, size=len(content)), caller)
        sha256 = name.partition(".")[0]
        ask = api.PublishRelease(train=train, version=version, sha256=sha256, share=share, is_package=is_package)
        return await opened.platform.call(api.publish, ask, caller)


async def _called(opening: Opening, on: str, capability: Capability[Any, Any], ask: Any) -> Any:
    async with opening() as opened:
        return await opened.platform.call(capability, ask, Caller(front_end=on, client=CLIENT, via="cli"))
