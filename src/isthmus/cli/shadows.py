"""`isthmus shadow`: start, show and stop a version in the shadow of the one that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.kernel import encode

from .deploys import Key, To, person
from .opening import deploy_site, on
from .screen import Screen

if TYPE_CHECKING:
    from isthmus.runtime.deploy.context import DeployContext
    from isthmus.runtime.deploy.report import Line
    from isthmus.runtime.shadow.shadow import Shadow


DIFFERENT = 1  # exit code: something differs, for scripts

out = Screen(soft_wrap=True, highlight=False, markup=False)

Code = Annotated[str, typer.Argument(help="Code of the front end.")]


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

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
        from isthmus.runtime.shadow import shadow as shadows

        async def here(opened: DeployContext) -> Line:
            from isthmus.runtime.deploy import report as deploy_report
            from isthmus.runtime.deploy import versions
            from isthmus.runtime.deploy.vouching import check_may_run

            if version:
                one = await versions.chosen(opened.database, code, version)
                await check_may_run(opened, code, one.hash)
                await shadows.declare(opened.database, code, one.hash, percent=percent, by=opened.doer(code, person()))
            if stop:
                await shadows.stop(opened.database, code, opened.doer(code, person()))
            (line,) = await deploy_report.report(opened, code)
            return line

        def there() -> Line:
            from isthmus.runtime.deploy.deploy import NotYours
            from isthmus.runtime.deploy.remote import Remote

            remote = Remote(to, key)
            (line,) = remote.versions()
            if line.front_end != code:
                raise NotYours(f"the key is of {line.front_end!r}, not of {code!r}", remedy="use one of that front end")
            if version or stop:
                remote.shadow(version, percent, stop)
                (line,) = remote.versions()
            return line

        line = there() if to else on(deploy_site, here)
        found = line.shadow
        if found is None:
            raise shadows.NoShadow(code)
        name = next(one.name for one in line.versions if one.hash == found.hash)
        out.print(encode(found).decode() if json else sentences(found, name))
        if not found.is_same:
            raise typer.Exit(DIFFERENT)


def sentences(found: Shadow, name: str) -> str:
    """Return in words what runs, and what it found."""
    from isthmus.runtime.replay.report import report

    until = f"ended: {found.ended}" if found.ended else "runs"
    begun = f"since {found.made_at:%Y-%m-%d %H:%M} by {found.made_by}"
    lines = [f"{found.front_end}: {name} in the shadow of {found.percent} % of live calls {begun}; {until}"]
    lines += [f"  {found.skipped} calls left out: they came faster than they could be run"] * bool(found.skipped)
    lines += [f"  call {one} did not come back" for one in found.lost]
    lines += [str(report("capabilities", [found.report]))] if found.report else ["  no call has been run yet"]
    return "\n".join(lines)
