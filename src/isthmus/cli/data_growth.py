"""`isthmus data growth`: which lines grow, towards which limit, and when they flatten."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from isthmus.kernel import encode, errors

from .data_screen import PolicyOption, out, tried
from .screen import problems

if TYPE_CHECKING:
    from isthmus.data.platform import DataPlatform
    from isthmus.governance.growth.lines import Line

LEAD_DAYS = 180


def add_growth(app: typer.Typer, open_platform: Callable[[], DataPlatform]) -> None:
    """Add the command over a platform that is opened when it runs."""

    @app.command("growth", epilog=tried("growth", "growth --metric METRIC --by FIELD", "growth --json"))
    def growth(
        metric: Annotated[list[str] | None, typer.Option(help="Read these; else what packs say grows.")] = None,
        total: Annotated[
            bool, typer.Option("--total", help="With --metric: add its weeks up, as for members.")
        ] = False,
        by: Annotated[str, typer.Option(help="What a line is: a field of the metric.")] = "front_end",
        lead_days: Annotated[
            int, typer.Option(min=0, help="Days that something new takes to its first revenue; decides what is due.")
        ] = LEAD_DAYS,
        policy: PolicyOption = "owner",
        as_json: Annotated[
            bool, typer.Option("--json", help="Print it as JSON, with the values of each week.")
        ] = False,
    ) -> None:
        """Read each line's weeks as a curve: its limit, how much of it is used, and when it flattens.

        Says so where the data cannot say: too few weeks, before the bend, or another line since a break. What is read
        without options is kept for the console's page Growth.
        """
        found = _read(open_platform(), metric or (), total, by, lead_days, policy)
        if as_json:
            typer.echo(encode(found))
            return
        table = Table(
            "metric", Column("line", no_wrap=True), Column("stage", no_wrap=True), Column("a week", justify="right"),
            Column("last quarter", justify="right"), Column("limit", justify="right"), "flattens", "what is known",
        )  # fmt: skip
        for one in found:
            table.add_row(*_row(one))
        out.print(table if table.row_count else "no whole week has landed yet; `isthmus data land` brings rows in")


def _read(
    platform: DataPlatform, metrics: list[str] | tuple[str, ...], is_total: bool, by: str, lead_days: int, policy: str
) -> list[Line]:
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from isthmus.governance.growth import report
    from isthmus.governance.growth.lines import growing, lines

    for name in metrics:
        if name not in platform.model.metrics:
            hint = errors.near(name, platform.model.metrics)
            raise errors.NotFound(f"there is no metric {name!r}{hint}", remedy="`isthmus data metrics` lists them")
    asked = [(name, is_total) for name in metrics]
    with Progress(SpinnerColumn(), TextColumn("reading {task.description}"), console=problems, transient=True) as shown:
        task = shown.add_task("")

        def step(said: str) -> None:
            shown.update(task, description=said)

        if asked or by != "front_end" or policy != "owner":
            chosen = asked or growing(platform)
            return lines(platform.metrics, platform.policy(policy), chosen, by=by, lead_days=lead_days, step=step)
        found = report.measure(platform, platform.policy(policy), lead_days=lead_days, step=step)
        report.keep(platform, found)
        return list(found.lines)


def _row(one: Line) -> tuple[str, ...]:
    growth = one.growth
    limit = (
        f"{growth.capacity.middle:,.0f} ({growth.capacity.low:,.0f}–{growth.capacity.high:,.0f})"
        if growth.capacity
        else ""
    )
    flattens = f"{growth.flattens.middle} ({growth.flattens.low} to {growth.flattens.high})" if growth.flattens else ""
    change = "" if growth.change is None else f"{growth.change:+.1%}"
    due = "; something new is due" if one.is_due else ""
    broke = f"since {growth.broke}: " if growth.broke else ""
    return (
        f"{one.metric}, {one.unit}", one.code or "all", growth.stage.value, f"{growth.level:,.0f}", change, limit,
        flattens, f"{broke}{growth.reason}{due}",
    )  # fmt: skip
