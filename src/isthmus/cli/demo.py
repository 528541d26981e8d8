"""`isthmus demo` where the settings name no demo of the platform's own: the demo data that packs bring."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from isthmus.kernel import errors

from .opening import on
from .screen import JSON, as_json, out

if TYPE_CHECKING:
    from isthmus.app.demo import Loaded
    from isthmus.app.platform import Running

Names = Annotated[list[str] | None, typer.Option("--only", help="Demo data of this name, such as PACK.NAME.")]
FrontEnds = Annotated[list[str] | None, typer.Option("--front-end", help="For this front end; else for all.")]
Currency = Annotated[str, typer.Option(help="Currency of what is sold.")]
Sure = Annotated[bool, typer.Option("--yes", help="Also in a database that the settings name: it stays in it.")]


def run(arguments: Sequence[str]) -> None:
    """Run the command with its arguments."""
    app = typer.Typer(add_completion=False)
    app.command()(load)
    typer.main.get_command(app)(list(arguments), prog_name="isthmus demo")


def load(
    front_end: FrontEnds = None, only: Names = None, currency: Currency = "EUR", yes: Sure = False, json: JSON = False
) -> None:
    """Load the demo data that packs bring: goods, prices, stock, orders, and what a company's own packs have.

    What was loaded before is not loaded twice.
    """
    from isthmus.app.config import load_config

    if load_config().database_url and not yes:
        raise errors.Refusal(
            "demo data would be loaded into the database that ISTHMUS_DATABASE_URL names, and would stay in it",
            remedy="add --yes where that is meant, or unset it to use the embedded database",
        )

    async def work(running: Running) -> list[Loaded]:
        from isthmus.app.demo import load_demo
        from isthmus.manifest.demo import demo_goods

        return await load_demo(running, front_ends=front_end or (), only=only or (), goods=demo_goods(currency.upper()))

    loaded = on(_running, work)
    if json:
        as_json(loaded)
    else:
        _show(loaded)
    raise typer.Exit(1 if any(one.refused for one in loaded) else 0)


def _running() -> AbstractAsyncContextManager[Running]:
    """Open the platform with what is deployed; an embedded database is made where there is none yet."""
    from isthmus.app import platform
    from isthmus.app.config import load_config

    return platform.running(load_config(), allowed="serve")


def _show(loaded: list[Loaded]) -> None:
    if not loaded:
        out.print("no front end here may use what the packs' demo data needs; add it to uses=(…)", highlight=False)
        return
    table = Table("front end", "demo data", "calls", "what there is now")
    for one in loaded:
        table.add_row(
            one.front_end, one.name, str(one.calls), f"[red]{escape(one.refused)}" if one.refused else one.doc
        )
    out.print(table)
