"""`isthmus venture new`, `check`, `list`, `pull` and `end`: businesses outside, and what they owe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from isthmus.kernel import Caller, Capability, encode, errors
from isthmus.manifest import Opened
from isthmus.packs.venture import api as venture

from . import api, rules, storage

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
Code = Annotated[str, typer.Argument(help="The venture's code: its folder below ventures/, and its seat.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()
    _add_new(app, opening)
    _add_watching(app, opening)
    return app


def _add_new(app: typer.Typer, opening: Opening) -> None:
    @app.command("new")
    def new(
        code: Code,
        sponsor: Annotated[str, typer.Option(help="Who answers for it.")],
        budget: Annotated[str, typer.Option(help="What it may spend, such as '40000 EUR'.")],
        ends: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The day on which its charter ends.")],
        kill_sales: Annotated[int, typer.Option(help="With fewer sales than this …")],
        kill_by: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="… by this day, it is ended.")],
        name: Annotated[str, typer.Option(help="What people call it.")] = "",
        url: Annotated[str, typer.Option(help="Where it listens.")] = "http://127.0.0.1:8090",
        because: Annotated[str, typer.Option(help="Why that is the kill criterion.")] = "then nobody waits for it",
    ) -> None:
        """Write a venture's charter, and its seat: a front end that answers nothing, for which its rows are kept."""
        wanted = storage.Wanted(
            code=code,
            name=name or code.title(),
            url=url.rstrip("/"),
            sponsor=sponsor,
            budget=budget,
            starts=datetime.now(UTC).date(),
            ends=ends.date(),
            kill=venture.Kill(sales=kill_sales, by=kill_by.date(), because=because),
        )
        made = asyncio.run(_made(opening, wanted))
        for path in made:
            typer.echo(f"made {path}")
        typer.echo("next:")
        for line in storage.following(wanted):
            typer.echo(f"  {line}")


def _add_watching(app: typer.Typer, opening: Opening) -> None:
    @app.command("check")
    def check(
        code: Code,
        only: Annotated[list[str] | None, typer.Option(help="Check this obligation alone; again for more.")] = None,
        json: Json = False,
    ) -> None:
        """Check what a venture owes, against the venture as it runs: it ends with 1 where something is not met."""
        names = tuple(_obligation(one) for one in only or ())
        found = asyncio.run(_called(opening, code, api.check, api.Check(obligations=names)))
        if json:
            typer.echo(encode(found))
        for one in () if json else found.items:
            typer.echo(f"{'met' if one.is_met else 'NOT MET':<8} {one.obligation:<9} {one.said}")
            if one.remedy:
                typer.echo(f"{'':<18} → {one.remedy}")
        raise typer.Exit(0 if found.is_met else 1)

    @app.command("pull")
    def pull(code: Code) -> None:
        """Take what is new at a venture now: its journal, its sales; servers do so every five minutes."""
        found = asyncio.run(_called(opening, code, api.pull, api.Pull()))
        typer.echo(f"{found.entries} entries, {found.sales} sales; {found.forgotten} persons forgotten there")

    @app.command("end")
    def end(
        code: Code,
        because: Annotated[str, typer.Option(help="Why it is ended.")],
        words: Annotated[str, typer.Option(help="What its members read there.")] = "",
    ) -> None:
        """End a venture in order: members told, everything taken, books closed; say what is withdrawn by hand."""
        found = asyncio.run(_called(opening, code, api.end, api.End(because=because, words=words)))
        typer.echo(f"{found.informed} members can read of it; {found.entries} entries and {found.sales} sales are here")
        typer.echo(f"its books are closed through {found.closed_through}")
        typer.echo("then withdraw what it has of the group:")
        for line in rules.withdrawn(code):
            typer.echo(f"  {line}")

    @app.command("list")
    def list_(json: Json = False) -> None:
        """List ventures, and where each stands."""
        for found in asyncio.run(_standings(opening)):
            if isinstance(found, str):
                typer.echo(found)
            elif json:
                typer.echo(encode(found))
            else:
                typer.echo(rules.line_of(found))


def _obligation(text: str) -> Any:
    if text not in ("identity", "books", "security", "export"):
        raise errors.BadAsk(
            f"there is no obligation {text!r}{errors.near(text, ('identity', 'books', 'security', 'export'))}",
            remedy="the four are identity, books, security and export",
        )
    return text


async def _made(opening: Opening, wanted: storage.Wanted) -> list[str]:
    async with opening() as opened:
        charters = opened.resource(venture.Charters)
        made = storage.write(charters, wanted, taken=set(opened.platform.release.lines))
        return [str(one) for one in made]


async def _called(opening: Opening, code: str, capability: Capability[Any, Any], ask: Any) -> Any:
    async with opening() as opened:
        opened.resource(venture.Charters).of(code)  # says what is wrong with it, before anything else does
        return await opened.platform.call(capability, ask, Caller(front_end=code, client="command line", via="cli"))


async def _standings(opening: Opening) -> list[venture.Standing | str]:
    found: list[venture.Standing | str] = []
    async with opening() as opened:
        for code in opened.resource(venture.Charters).codes():
            if code not in opened.platform.release.lines:
                found.append(f"{code}: it has a charter and no seat here: deploy front_ends/{code}, or write one")
                continue
            caller = Caller(front_end=code, client="command line", via="cli")
            try:
                found.append(await opened.platform.call(venture.get_standing, venture.GetStanding(), caller))
            except errors.IsthmusError as wrong:
                found.append(f"{code}: {wrong}")
    return found
