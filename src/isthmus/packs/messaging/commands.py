"""`isthmus campaigns send`, `status`, `list`, `pause`, `resume` and `cancel`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Final, Literal, TypeVar

import typer

from isthmus.kernel import Caller, Capability, encode
from isthmus.manifest import Opened

from . import api
from .api import CampaignState

T = TypeVar("T")
Opening = Callable[[], AbstractAsyncContextManager[Opened]]
Call = Callable[[Capability[Any, Any], Any], Awaitable[Any]]
On = Annotated[str, typer.Option("--on", help="The front end whose members are told.")]
Number = Annotated[int, typer.Argument(min=1, help="Number of the campaign, as `send` and `list` say it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Look on until nothing of it waits any more, with a bar.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
CLIENT: Final = "command line"
LOOKS_EVERY_S: Final = 1.0
STUCK_AFTER_S: Final = 60.0  # a server queues every two seconds, and pushes every one
TRY_SEND: Final = """Try:

isthmus campaigns send --on fresh --purpose marketing --topic fruit --title 'Ripe now' --link /fruit --wait

isthmus campaigns send --on fresh --purpose service --title 'We close at 6 today'"""
TRY_STATUS: Final = """Try:

isthmus campaigns status 7 --on fresh --wait

isthmus campaigns status 7 --on fresh --json"""


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()
    _add_sending(app, opening)
    _add_looking(app, opening)
    _add_steering(app, opening)
    return app


def _add_sending(app: typer.Typer, opening: Opening) -> None:
    @app.command("send", epilog=TRY_SEND)
    def send(
        on: On,
        title: Annotated[str, typer.Option(help="What is said, in a line.")],
        purpose: Annotated[str, typer.Option(help="What for: members consent to it, or opt out of it.")],
        body: Annotated[str, typer.Option(help="What is said below that.")] = "",
        link: Annotated[str, typer.Option(help="Where it leads: a path of the app, https, or an app's scheme.")] = "",
        topic: Annotated[str | None, typer.Option(help="To who follows this topic.")] = None,
        segment: Annotated[str | None, typer.Option(help="To who is in this segment of the data platform.")] = None,
        collapse_key: Annotated[str, typer.Option(help="A newer campaign with the same key takes its place.")] = "",
        hours: Annotated[int, typer.Option(min=1, max=672, help="How long it is worth pushing.")] = 24,
        name: Annotated[str, typer.Option(help="What it is called in lists; else its title.")] = "",
        wait: Wait = False,
        json: Json = False,
    ) -> None:
        """Say something to many: to a topic, a segment, or all who can be reached.

        Who has opted out of its purpose, or has not consented, is left out.
        Servers (`isthmus serve`) queue it, some thousands of members at a time,
        and push it. One that is killed leaves nobody out: another goes on.
        """
        draft = api.Draft(
            purpose=purpose, title=title, body=body, link=link, collapse_key=collapse_key, ttl_hours=hours
        )
        ask = api.StartCampaign(name=name or title[:100], draft=draft, topic=topic, segment=segment)

        async def sent(call: Call) -> api.Campaign:
            made = await call(api.start_campaign, ask)
            return await _waited(call, made.campaign_id) if wait else made

        made = asyncio.run(_with(opening, on, sent))
        if json or wait:
            _say(made, json=json)
        else:
            again = f"isthmus campaigns status {made.campaign_id} --on {on} --wait"
            typer.echo(f"campaign {made.campaign_id} is being queued; `{again}` looks on")


def _add_looking(app: typer.Typer, opening: Opening) -> None:
    @app.command("status", epilog=TRY_STATUS)
    def status(number: Number, on: On, wait: Wait = False, json: Json = False) -> None:
        """Say how far a campaign has got, and what became of its pushes."""

        async def looked(call: Call) -> api.Campaign:
            return await (_waited if wait else _campaign)(call, number)

        _say(asyncio.run(_with(opening, on, looked)), json=json)

    @app.command("list")
    def list_(on: On, json: Json = False) -> None:
        """List campaigns, the newest first, with what came of each."""

        async def listed(call: Call) -> api.Campaigns:
            return await call(api.list_campaigns, api.ListCampaigns())

        found = asyncio.run(_with(opening, on, listed))
        if json:
            typer.echo(encode(found.items))
            return
        for one in found.items:
            _say(one, json=False)
        if not found.items:
            typer.echo(f"{on} has said nothing to many; `isthmus campaigns send --on {on}` does")


def _add_steering(app: typer.Typer, opening: Opening) -> None:
    def steer(number: int, on: str, act: Literal["pause", "resume", "cancel"], *, json: bool) -> None:
        async def steered(call: Call) -> api.Campaign:
            return await call(api.steer_campaign, api.SteerCampaign(campaign_id=number, act=act))

        _say(asyncio.run(_with(opening, on, steered)), json=json)

    @app.command("pause")
    def pause(number: Number, on: On, json: Json = False) -> None:
        """Push nothing more of a campaign until it is resumed; inboxes have what was queued."""
        steer(number, on, "pause", json=json)

    @app.command("resume")
    def resume(number: Number, on: On, json: Json = False) -> None:
        """Go on with a campaign that was paused, from where it was."""
        steer(number, on, "resume", json=json)

    @app.command("cancel")
    def cancel(number: Number, on: On, json: Json = False) -> None:
        """End a campaign: what still waits is not pushed, and nobody more is told."""
        steer(number, on, "cancel", json=json)


def _say(one: api.Campaign, *, json: bool) -> None:
    if json:
        typer.echo(encode(one))
        return
    whom = f"topic {one.topic}" if one.topic else f"segment {one.segment}" if one.segment else "all"
    came = ", ".join(f"{count:,} {state}" for state, count in one.deliveries.items()) or "none"
    typer.echo(
        f"{one.campaign_id}  {one.title}  {whom}, {one.purpose}  {one.state}  messages {one.messages:,}, left out "
        f"{one.left_out:,}, read {one.read:,}  pushes: {came}, opened {one.opened:,}"
    )


async def _campaign(call: Call, number: int) -> api.Campaign:
    """Return a campaign with what came of it. Raises UnknownCampaign."""
    found = await call(api.list_campaigns, api.ListCampaigns(limit=1, before=number + 1))
    if not found.items or found.items[0].campaign_id != number:
        raise api.UnknownCampaign(campaign_id=number)
    return found.items[0]


async def _waited(call: Call, number: int) -> api.Campaign:
    """Look on, with a bar, until nothing of a campaign waits, or nothing moves for a while: then it ends with 1."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("queuing", total=None)
        last, moved = (-1, -1), asyncio.get_running_loop().time()
        while True:
            one = await _campaign(call, number)
            waiting = one.deliveries.get("waiting", 0)
            pushes = sum(one.deliveries.values())
            now = one.messages + one.left_out, pushes - waiting
            if one.state is CampaignState.QUEUING:
                progress.update(task, description=f"queued for {now[0]:,} members, pushed to", completed=now[1])
            else:
                progress.update(task, description="pushed to", total=pushes, completed=now[1])
            if one.state in (CampaignState.PAUSED, CampaignState.CANCELLED) or (
                one.state is CampaignState.QUEUED and not waiting
            ):
                return one
            if now != last:
                last, moved = now, asyncio.get_running_loop().time()
            elif asyncio.get_running_loop().time() > moved + STUCK_AFTER_S:
                break
            await asyncio.sleep(LOOKS_EVERY_S)
    typer.echo(
        f"campaign {number} has not moved for {STUCK_AFTER_S:.0f} s, and {waiting:,} of its pushes wait: for a server "
        "(`isthmus serve`), for the members' morning, or for a service that is slow; the same command looks on",
        err=True,
    )
    raise typer.Exit(1)


async def _with(opening: Opening, on: str, work: Callable[[Call], Awaitable[T]]) -> T:
    """Do something with the calls of a front end."""
    async with opening() as opened:
        caller = Caller(front_end=on, client=CLIENT, via="cli")

        async def call(capability: Capability[Any, Any], ask: Any) -> Any:
            return await opened.platform.call(capability, ask, caller)

        return await work(call)
