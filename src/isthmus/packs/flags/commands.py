"""`isthmus flags list`, `put`, `kill`, `delete`, `explain`, `changes`, `refuse` and `experiment`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from isthmus.kernel import Caller, Capability, encode, errors
from isthmus.manifest import Opened
from isthmus.outside import decode_file

from . import api

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
On = Annotated[str, typer.Option("--on", help="The front end whose flags they are.")]
Key = Annotated[str, typer.Argument(help="Key of the flag.")]
Note = Annotated[str, typer.Option("--note", help="Why, for the history.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
CLIENT = "command line"
Call = Callable[..., Any]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    def call(on: str, capability: Capability[Any, Any], ask: Any) -> Any:
        return asyncio.run(_called(opening, on, capability, ask))

    _add_flags(app, call)
    _add_questions(app, call)
    _add_changes(app, call)
    return app


def _add_flags(app: typer.Typer, call: Call) -> None:
    @app.command("list")
    def list_(on: On, json: Json = False) -> None:
        """List flags: whether each is on, its variants, and who changed it."""
        found = call(on, api.list_flags, api.ListFlags())
        if json:
            typer.echo(encode(found))
            return
        for one in found.items:
            flag, state = one.flag, "on" if one.flag.is_enabled else "off"
            rule = "by rule" if flag.targeting else flag.default_variant or "the caller's own"
            waiting = f"  {one.waiting} waiting" if one.waiting else ""
            typer.echo(f"{flag.key}  {state}  {flag.kind}  {rule}  version {one.version}  {one.author}{waiting}")
        if not found.items:
            typer.echo(f"{on} has no flags; `isthmus flags put FILE --on {on}` makes one")

    @app.command("put")
    def put(
        file: Annotated[Path, typer.Argument(help="A flag as JSON.", exists=True, dir_okay=False)],
        on: On,
        note: Note = "",
    ) -> None:
        """Make or change the flag in a file, as `isthmus flags list --json` writes it."""
        made = call(on, api.put_flag, api.PutFlag(flag=decode_file(file, api.Flag), note=note))
        _say(made)

    @app.command("kill")
    def kill(key: Key, on: On, note: Note = "") -> None:
        """Switch a flag off at once, for everybody."""
        _say(call(on, api.kill_flag, api.FlagNamed(key=key, note=note)))

    @app.command("delete")
    def delete(key: Key, on: On, note: Note = "") -> None:
        """Delete a flag; callers get their own defaults."""
        _say(call(on, api.delete_flag, api.FlagNamed(key=key, note=note)))


def _add_questions(app: typer.Typer, call: Call) -> None:
    @app.command("explain")
    def explain(
        key: Key,
        on: On,
        whom: Annotated[str, typer.Option("--for", help="Targeting key, such as a member's id.")] = "",
        attributes: Annotated[str, typer.Option("--with", help='Attributes as JSON: {"country": "DE"}.')] = "{}",
        json: Json = False,
    ) -> None:
        """Say what a flag is for somebody and why."""
        context = api.Context(targeting_key=whom, attributes=_object(attributes))
        found = call(on, api.explain_flag, api.ExplainFlag(key=key, context=context))
        if json:
            typer.echo(encode(found))
            return
        typer.echo(f"{key}: {found.sentence}")
        for one in found.looked:
            typer.echo(f"  {one.path}  {one.rule}  →  {encode(one.result).decode()}")
        where = f"bucket {found.bucket} of 100, " if found.bucket is not None else ""
        segments = ", ".join(found.segments) or "none"
        typer.echo(f"  {where}segments: {segments}, flags of version {found.version}")

    @app.command("experiment")
    def experiment(key: Key, on: On, json: Json = False) -> None:
        """Say what came of a flag's experiment."""
        found = call(on, api.get_experiment, api.GetExperiment(key=key))
        if json:
            typer.echo(encode(found))
            return
        typer.echo(f"{found.name}: {found.verdict} ({found.method}; {found.goal})")
        for arm in found.arms:
            sure = "" if arm.p_value is None else f"  {arm.difference:+.4f} [{arm.low:+.4f}, {arm.high:+.4f}]"
            p = "" if arm.p_value is None else f"  p = {arm.p_value:.4f}"
            typer.echo(f"  {arm.variant}  {arm.exposed} exposed  {arm.reached} reached  {arm.rate:.4f}{sure}{p}")
        if found.srm_p_value is not None:
            typer.echo(f"  split: p = {found.srm_p_value:.4f}{', which is WRONG' if found.is_split_wrong else ''}")


def _add_changes(app: typer.Typer, call: Call) -> None:
    @app.command("changes")
    def changes(
        on: On, key: Annotated[str | None, typer.Argument(help="Only of this flag.")] = None, json: Json = False
    ) -> None:
        """List changes, the newest first."""
        found = call(on, api.list_changes, api.ListFlagChanges(key=key))
        if json:
            typer.echo(encode(found.items))
            return
        for one in found.items:
            by = f" by {one.decided_by}" if one.decided_by else ""
            typer.echo(
                f"{one.number}  {one.made_at:%Y-%m-%d %H:%M:%S}  {one.key}  {one.what}  {one.author}  {one.state}{by}"
                f"  {one.note}"
            )

    @app.command("refuse")
    def refuse(number: int, on: On, note: Note = "") -> None:
        """Close a change that waits."""
        _say(call(on, api.refuse_change, api.DecideChange(number=number, note=note)))


def _say(change: api.FlagChange) -> None:
    if change.state is api.ChangeState.WAITING:
        typer.echo(f"change {change.number} waits until a person approves it in the console")
    elif change.state is api.ChangeState.REFUSED:
        typer.echo(f"change {change.number} is refused")
    else:
        typer.echo(f"{change.key} is so from version {change.version} on")


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as wrong:
        raise errors.BadAsk(f"--with is no JSON object: {wrong}", remedy="write it like {}", path="--with") from None


async def _called(opening: Opening, on: str, capability: Capability[Any, Any], ask: Any) -> Any:
    async with opening() as opened:
        caller = Caller(front_end=on, client=CLIENT, via="cli")
        return await opened.platform.call(capability, ask, caller)
