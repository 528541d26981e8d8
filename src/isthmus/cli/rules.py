"""`isthmus rules`: which rules orders were sold under are kept, what stands in for lost ones, what is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from isthmus.kernel import errors

from .deploys import person
from .opening import deploy_site, on
from .screen import JSON, Screen, as_json

if TYPE_CHECKING:
    from isthmus.runtime.deploy.context import DeployContext
    from isthmus.runtime.deploy.rules import Rules

out = Screen(highlight=False, soft_wrap=True)


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command("rules")
    def kept_rules(
        code: Annotated[str, typer.Argument(help="Code of the front end.")],
        lost: Annotated[
            str, typer.Option(help="Rules that orders were sold under and that are not here; * for all that are not.")
        ] = "",
        are: Annotated[str, typer.Option(help="With --lost: the kept rules that stand in for them.")] = "",
        broken: Annotated[
            bool, typer.Option("--broken", help="With --lost: they are kept and cannot be loaded.")
        ] = False,
        forget_before: Annotated[
            str, typer.Option(help="Forget rules that others had followed by this day, such as 2016-01-01.")
        ] = "",
        json: JSON = False,
    ) -> None:
        """List the rules that orders were sold under: returns and cancellations ask those, whatever runs today."""
        from isthmus.runtime.deploy import rules

        if bool(lost) != bool(are):
            raise errors.BadAsk("--lost and --are go together", remedy="say which rules are lost, and which they are")
        before = _day(forget_before) if forget_before else None

        async def work(at: DeployContext) -> tuple[Rules, ...]:
            by = at.doer(code, person())
            if lost:
                await rules.stand_in(at.database, code, lost, are, by, is_broken=broken)
            if before is not None:
                await rules.forget(at.database, code, before, by)
            return await rules.listed(at.database, code)

        found = on(deploy_site, work)
        as_json(found) if json else _show(code, found)


def _day(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written).replace(tzinfo=UTC)
    except ValueError:
        raise errors.BadAsk(f"{written!r} is no day", remedy="write it as 2016-01-01") from None


def _show(code: str, found: tuple[Rules, ...]) -> None:
    if not found:
        out.print(f"no rules of {code} are kept yet: they are from the first start or deploy on")
        return
    table = Table("rules", "version", "last put in place", title=f"isthmus rules {code}")
    for one in found:
        name = "all that were never kept" if one.fingerprint == "*" else one.fingerprint
        version = one.version or f"forgotten on {one.forgotten_at:%Y-%m-%d}"
        stands_in = f", stands in ({one.said_by})" if one.said_by else ""
        table.add_row(name, version + stands_in, f"{one.kept_at:%Y-%m-%d %H:%M}")
    out.print(table)
