"""`isthmus security back-test`: how many a version of the rules would have caught, and how many honest ones hurt."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from isthmus.kernel import Caller, encode, errors
from isthmus.manifest import Opened
from isthmus.outside import decode_file

from . import api

Opening = Callable[[], AbstractAsyncContextManager[Opened]]


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("back-test")
    def back_test(
        front_end: str,
        version: Annotated[int | None, typer.Option(help="A version of the rules that is there.")] = None,
        rules: Annotated[Path | None, typer.Option(help="A file with rules, as JSON: they become a version.")] = None,
        days: Annotated[int, typer.Option(help="How many days of decisions it is tried on.", min=1, max=3_650)] = 30,
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
    ) -> None:
        """Try rules on what FRONT_END decided before: what they stop, the fraud they catch, the honest they hurt."""
        if (version is None) == (rules is None):
            raise errors.BadAsk(
                "one of --version and --rules says what is tried", remedy="write --version 2, or --rules FILE"
            )
        wanted = decode_file(rules, api.PutScenario) if rules else None
        found = asyncio.run(tried_version(opening, front_end, version or 0, wanted, days))
        typer.echo(encode(found) if json else "\n".join(sentences(found)))

    return app


async def tried_version(
    opening: Opening, front_end: str, version: int, wanted: api.PutScenario | None, days: int
) -> api.Scenario:
    """Return a version with what it would have done in so many days; wanted: rules that are made one first."""
    caller = Caller(front_end=front_end, client=f"command line of {getpass.getuser()}", via="cli")
    async with opening() as opened:
        call, now = opened.platform.call, opened.platform.clock()
        if wanted is not None:
            version = (await call(api.put_scenario, wanted, caller)).version
        ask = api.BackTest(version=version, since=now - timedelta(days=days), until=now + timedelta(minutes=1))
        await call(api.back_test, ask, caller)
        versions = (await call(api.list_scenarios, api.ListScenarios(), caller)).items
    return next(one for one in versions if one.version == version)


def sentences(found: api.Scenario) -> list[str]:
    """Return what a back-test has found, a line each."""
    tried = found.tried or api.Tried(since=found.made_at, until=found.made_at)
    said = ", ".join(f"{one} {tried.outcomes[one]}" for one in api.OUTCOMES if one in tried.outcomes)
    unknown = tried.decisions - tried.fraud - tried.honest
    lines = [
        f"version {found.version} ({found.state}) on {tried.decisions} decision(s): {said or 'nothing to try it on'}",
        f"fraud: {tried.caught} of {tried.fraud} caught; honest: {tried.hurt} of {tried.honest} hurt; "
        f"of {unknown} nobody has said what they were",
        f"otherwise than it was decided: {tried.changed}",
    ]
    lines += [f"rule {code} could not be worked out {count} time(s)" for code, count in sorted(tried.failed.items())]
    return [*lines, "there were more than one back-test takes"] if tried.is_cut else lines
