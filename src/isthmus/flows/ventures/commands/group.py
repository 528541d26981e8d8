"""`isthmus venture`: businesses outside, what they owe, what joining would cost, and how they join or end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import typer

from isthmus.governance.ladder.rungs import Standing
from isthmus.kernel import Caller, Capability, encode, errors
from isthmus.manifest import Opened
from isthmus.packs.venture import api as venture

from .. import api, rules, storage
from .code import add_code

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
Code = Annotated[str, typer.Argument(help="The venture's code: its folder below ventures/, and its seat.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()
    _add_new(app, opening)
    _add_watching(app, opening)
    _add_joining(app, opening)
    add_code(app, opening)
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

    @app.command("ladder")
    def ladder(json: Json = False) -> None:
        """Say on which rung each venture and each pack stands, from what was observed, and what the next one needs."""
        found = asyncio.run(_rungs(opening))
        for line in [encode(found).decode()] if json else rules.rung_lines(found):
            typer.echo(line)


def _add_joining(app: typer.Typer, opening: Opening) -> None:
    @app.command("price")
    def price(code: Code, json: Json = False) -> None:
        """Say what joining the platform would cost: contracts, answers to recorded calls, hours; it is kept."""
        found = asyncio.run(_priced(opening, code))
        typer.echo(encode(found) if json else rules.priced(found))

    @app.command("switch")
    def switch(
        code: Code,
        operation: Annotated[str, typer.Argument(help="An operation of joining.toml.")],
        to: Annotated[str, typer.Option(help="Who answers it: own, shadow or platform.")],
        because: Annotated[str, typer.Option(help="Why, for the record.")],
        accept: Annotated[bool, typer.Option("--accept", help="Differences in the shadow are meant.")] = False,
    ) -> None:
        """Have an operation answered by the venture, with the platform in its shadow, or by the platform; and back."""
        answerer = _one_of(to, ("own", "shadow", "platform"), "who answers")
        ask = venture.SwitchOperation(operation=operation, to=answerer, because=because, is_accepted=accept)
        found = asyncio.run(_switched(opening, code, ask))
        typer.echo(f"{found.operation} is answered by: {found.answered_by}; the facade follows within a second")

    @app.command("facade")
    def facade(
        code: Code,
        port: Annotated[int, typer.Option(help="Where it listens.")] = 8091,
        host: Annotated[str, typer.Option(help="The address it listens on.")] = "127.0.0.1",
    ) -> None:
        """Stand before a venture: each operation is answered as it is switched, everything else goes through."""
        asyncio.run(_before(opening, code, host, port))

    @app.command("graduate")
    def graduate(code: Code, words: Annotated[str, typer.Option(help="What its members read there.")] = "") -> None:
        """Make a venture a front end like others, once the platform answers each of its operations."""
        found = asyncio.run(_graduated(opening, code, words))
        typer.echo(f"{found.informed} members can read of it; {found.entries} entries and {found.sales} sales are here")
        typer.echo(f"since {found.on} it is a front end like others: its books go on, its pages are not asked for")
        typer.echo("then give its seat what it needs (uses, answers), and:")
        for line in rules.withdrawn(code):
            typer.echo(f"  {line}")


def _one_of(text: str, known: tuple[str, ...], what: str) -> Any:
    if text not in known:
        raise errors.BadAsk(f"{what}: {text!r} is none{errors.near(text, known)}", remedy=f"use {', '.join(known)}")
    return text


async def _priced(opening: Opening, code: str) -> venture.Estimate:
    from ..service import joining, mapping
    from ..service.wire import Wire

    async with opening() as opened:
        charters = opened.resource(venture.Charters)
        said = mapping.mapping_of(charters.folder / code)
        async with Wire(charters.of(code)) as wire:
            calls = await joining.recorded(wire)
        found = await joining.price(opened.platform, code, calls, said)
        return await opened.platform.call(venture.note_estimate, found, _caller(code))


async def _switched(opening: Opening, code: str, ask: venture.SwitchOperation) -> venture.OperationState:
    from ..service import mapping

    async with opening() as opened:
        charters = opened.resource(venture.Charters)
        charters.of(code)
        known = mapping.mapping_of(charters.folder / code).operations
        mapped = [name for name, one in known.items() if one.capability and one.http]
        if ask.to != "own" and ask.operation not in mapped:
            raise errors.NotFound(
                f"joining.toml of {code} has no operation {ask.operation!r} with http and a capability"
                f"{errors.near(ask.operation, mapped)}",
                remedy=f"write it down there; it has {', '.join(mapped) or 'none'}",
            )
        return await opened.platform.call(venture.switch_operation, ask, _caller(code))


async def _before(opening: Opening, code: str, host: str, port: int) -> None:
    import uvicorn

    from ..service.facade import Facade
    from ..service.mapping import mapping_of

    async with opening() as opened:
        charters = opened.resource(venture.Charters)
        before = Facade(opened.platform, charters.of(code), mapping_of(charters.folder / code))
        typer.echo(f"before {code}: http://{host}:{port}/, and {len(before.by_http)} operations that can be switched")
        try:
            await uvicorn.Server(
                uvicorn.Config(cast(Any, before), host=host, port=port, log_level="warning", lifespan="off")
            ).serve()
        finally:
            await before.close()


async def _graduated(opening: Opening, code: str, words: str) -> api.Graduated:
    from ..service import mapping

    async with opening() as opened:
        charters = opened.resource(venture.Charters)
        charters.of(code)
        known = mapping.mapping_of(charters.folder / code).operations
        ask = api.Graduate(words=words, operations=tuple(name for name, one in known.items() if not one.leave))
        return await opened.platform.call(api.graduate, ask, _caller(code))


def _caller(code: str) -> Caller:
    return Caller(front_end=code, client="command line", via="cli")


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


async def _rungs(opening: Opening) -> list[Standing]:
    from ..service.ladder import Ladder

    async with opening() as opened:
        return await opened.resource(Ladder).read(opened.platform)


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
