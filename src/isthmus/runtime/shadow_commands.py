"""`isthmus shadow`: start, show and stop a version in the shadow of the one that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated

import typer
from rich.console import Console

from isthmus.kernel import encode

from .deploy import report as deploy_report
from .deploy import versions
from .deploy.deploy import Ground, NotYours
from .deploy.remote import Remote
from .deploy.report import Line
from .deploy_commands import Key, To
from .replay.report import report
from .shadow import shadow as shadows
from .shadow.follower import COMMAND
from .shadow.run import run_shadow
from .shadow.shadow import Shadow

DIFFERENT = 1  # exit code: something differs, for scripts

OpenGround = Callable[[], AbstractAsyncContextManager[Ground]]
OpenRun = Callable[[], AbstractAsyncContextManager[tuple[Ground, Mapping[type, object]]]]

out = Console(soft_wrap=True, highlight=False, markup=False)

Code = Annotated[str, typer.Argument(help="Code of the front end.")]


def add_to(main: typer.Typer, open_: OpenGround, open_run: OpenRun, person: Callable[[], str]) -> None:
    """Add the commands. open_run gives the ground and what calls take from outside without an effect of their own."""

    @main.command()
    def shadow(
        code: Code,
        version: Annotated[str, typer.Argument(help="A kept one, such as v3; else say what was found.")] = "",
        percent: Annotated[int, typer.Option(min=1, max=100, help="Of 100 live calls, so many.")] = 5,
        stop: Annotated[bool, typer.Option("--stop", help="Stop it; what it found stays.")] = False,
        to: To = "",
        key: Key = "",
        json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
    ) -> None:
        """Run a version on a share of live calls, give nobody its answers, and say what would be different."""

        async def here() -> Line:
            async with open_() as ground:
                if version:
                    one = await versions.chosen(ground.database, code, version)
                    await shadows.declare(ground.database, code, one.hash, percent=percent, made_by=person())
                if stop:
                    await shadows.end(ground.database, code, f"stopped by {person()}")
                (line,) = await deploy_report.report(ground, code)
                return line

        def there() -> Line:
            remote = Remote(to, key)
            (line,) = remote.versions()
            if line.front_end != code:
                raise NotYours(f"the key is of {line.front_end!r}, not of {code!r}", remedy="use one of that front end")
            if version or stop:
                remote.shadow(version, percent, stop)
                (line,) = remote.versions()
            return line

        line = there() if to else asyncio.run(here())
        found = line.shadow
        if found is None:
            raise shadows.NoShadow(code)
        name = next(one.name for one in line.versions if one.hash == found.hash)
        out.print(encode(found).decode() if json else told(found, name))
        if not found.is_same:
            raise typer.Exit(DIFFERENT)

    @main.command(COMMAND, hidden=True)
    def run(code: Code) -> None:
        """Run what is in the shadow of a front end; servers start this."""

        async def there() -> None:
            async with open_run() as (ground, resources):
                await run_shadow(ground, code, resources)

        asyncio.run(there())


def told(found: Shadow, name: str) -> str:
    """Return in words what runs, and what it found."""
    until = f"ended: {found.ended}" if found.ended else "runs"
    begun = f"since {found.made_at:%Y-%m-%d %H:%M} by {found.made_by}"
    lines = [f"{found.front_end}: {name} in the shadow of {found.percent} % of live calls {begun}; {until}"]
    lines += [f"  {found.skipped} calls left out: they came faster than they could be run"] * bool(found.skipped)
    lines += [f"  call {one} did not come back" for one in found.lost]
    lines += [str(report("capabilities", [found.report]))] if found.report else ["  no call has been run yet"]
    return "\n".join(lines)
