"""The commands of `isthmus data` that take from others and give to them: contracts, rates, tables for BI, lineage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from isthmus.kernel import encode

from .data_screen import ByOption, Named, PolicyOption, out, tried
from .screen import JSON, as_json

if TYPE_CHECKING:
    from isthmus.data.platform import DataPlatform


def add_publishing(app: typer.Typer, open_platform: Callable[[], DataPlatform]) -> None:
    """Add the commands."""

    @app.command("contract", epilog=tried("contract ENTITY > entity.odcs.yaml"))
    def show_contract(entity: Annotated[str, typer.Argument(help="Entity to publish the contract of.")]) -> None:
        """Print an entity's data contract as ODCS 3.1."""
        from isthmus.data.exchange.contracts import contract

        platform = open_platform()
        out.print(
            contract(platform.model, platform.model.entity(entity)), highlight=False, soft_wrap=True, markup=False
        )

    @app.command("publish", epilog=tried("publish --url postgresql://writer@bi/reports --as north"))
    def publish_tables(
        url: Annotated[str, typer.Option(help="Address of the PostgreSQL that BI tools read.")],
        policy: PolicyOption = "owner",
        json: JSON = False,
    ) -> None:
        """Write each metric as a table of the schema `metrics`, for BI tools; exit code 1 where one has no answer."""
        from isthmus.data.exchange.publish import publish

        platform = open_platform()
        found = asyncio.run(publish(platform.metrics, platform.policy(policy), url))
        if json:
            as_json(found)
            raise typer.Exit(1 if any(one.failure for one in found) else 0)
        table = Table("metric", "table", "by", "rows")
        for one in found:
            rows = f"[red]{one.failure}" if one.failure else str(one.rows)
            table.add_row(one.metric, f"metrics.{one.table}", ", ".join(one.by), rows)
        out.print(table)
        raise typer.Exit(1 if any(one.failure for one in found) else 0)

    @app.command("rates", epilog=tried("rates eurofxref-hist.csv --source ECB --carry 4"))
    def bring_rates(
        file: Annotated[
            Path, typer.Argument(help="day,base,currency,rate; or the ECB's eurofxref-hist.csv.", exists=True)
        ],
        name: Annotated[str, typer.Option("--source", help="Who published them; the file's name where empty.")] = "",
        carry: Annotated[int, typer.Option(help="So many following days a rate stands where none is published.")] = 0,
    ) -> None:
        """Bring daily exchange rates into the lake, for questions with --in; a rate that is there is replaced."""
        from isthmus.data.lake.rates import keep_rates

        found = keep_rates(open_platform().lake, file, datetime.now(UTC), name=name, carry_days=carry)
        shown = f"{found.rates} rates of {len(found.currencies)} currencies on {found.days} days"
        out.print(f"{shown}, from {found.source}; snapshot {found.snapshot}")

    @app.command("ossie", epilog=tried("ossie my-company > model.yaml"))
    def show_ossie(name: Annotated[str, typer.Argument(help="What to call the model.")] = "isthmus") -> None:
        """Print the model and its metrics as Apache Ossie (formerly OSI) YAML, for other semantic layers."""
        from isthmus.data.exchange.ossie import ossie

        out.print(ossie(open_platform().model, name), highlight=False, soft_wrap=True, markup=False)

    @app.command("lineage", epilog=tried("lineage METRIC --by front_end"))
    def show_lineage(metrics: Named, by: ByOption = None) -> None:
        """Print where each column of an answer comes from, as an OpenLineage event."""
        import msgspec

        from isthmus.data.exchange.lineage import lineage
        from isthmus.data.model.ask import Ask

        platform = open_platform()
        plan = platform.metrics.plan(Ask(metrics=tuple(metrics), by=tuple(by or ())))
        event = lineage(plan.model, plan, datetime.now(UTC))
        out.print(msgspec.json.format(encode(event), indent=2).decode(), highlight=False, soft_wrap=True, markup=False)
