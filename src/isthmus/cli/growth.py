"""`isthmus growth`: which lines grow, towards which limit, when they flatten, and what follows for who pays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from isthmus.kernel import errors

from .data_screen import PolicyOption
from .screen import JSON, as_json, out, problems, say

if TYPE_CHECKING:
    from isthmus.app.platform import Running
    from isthmus.data.platform import DataPlatform
    from isthmus.governance.growth.combinations import Innovation
    from isthmus.governance.growth.launches import Begun, Lead
    from isthmus.governance.growth.lines import Line
    from isthmus.governance.growth.movements import Movement
    from isthmus.governance.growth.portfolio import Portfolio
    from isthmus.governance.growth.report import Report

NOTHING = "no whole week has landed yet; `isthmus data land` brings rows in"


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def growth(
        metric: Annotated[list[str] | None, typer.Option(help="Read these; else what packs say grows.")] = None,
        total: Annotated[
            bool, typer.Option("--total", help="With --metric: add its weeks up, as for members.")
        ] = False,
        by: Annotated[str, typer.Option(help="With --metric: what a line is, a field of the metric.")] = "front_end",
        lead_days: Annotated[
            int | None, typer.Option(min=0, help="Days that something new takes to its first revenue; else measured.")
        ] = None,
        like: Annotated[str, typer.Option(help="The line that a venture is assumed to grow as.")] = "",
        pictures: Annotated[Path | None, typer.Option(help="Write each line as an SVG into this folder.")] = None,
        policy: PolicyOption = "owner",
        json: JSON = False,
    ) -> None:
        """Read each line's weeks as a curve, and say what is due, what drives it, and what must come from where.

        Says so where the data cannot say: too few weeks, before the bend, or another line since a break. What is read
        without options is kept for the console's page Growth.
        """
        from .data_opening import opened

        platform = opened()
        if metric:
            found = _asked(platform, metric, total, by, lead_days, policy)
            as_json(found) if json else out.print(_lines(found) if found else NOTHING)
            _draw(found, pictures)
            return
        report = _measured(platform, lead_days, like, policy)
        _draw(report.lines, pictures)
        if json:
            as_json(report)
        else:
            _show(report)


def _asked(
    platform: DataPlatform, names: list[str], is_total: bool, by: str, lead_days: int | None, policy: str
) -> list[Line]:
    from isthmus.governance.growth.lines import LEAD_DAYS, Kind, lines

    for name in names:
        if name not in platform.model.metrics:
            hint = errors.near(name, platform.model.metrics)
            raise errors.NotFound(f"there is no metric {name!r}{hint}", remedy="`isthmus data metrics` lists them")
    kinds = [Kind(metric=name, is_total=is_total, cut=by, by=by) for name in names]
    days = LEAD_DAYS if lead_days is None else lead_days
    return lines(platform.metrics, platform.policy(policy), kinds, lead_days=days)


def _measured(platform: DataPlatform, lead_days: int | None, like: str, policy: str) -> Report:
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from isthmus.governance.growth import report

    begun = _begun()
    with Progress(SpinnerColumn(), TextColumn("reading {task.description}"), console=problems, transient=True) as shown:
        task = shown.add_task("")

        def step(said: str) -> None:
            shown.update(task, description=said)

        chosen = platform.policy(policy)
        found = report.measure(platform, chosen, begun=begun, lead_days=lead_days, like=like, step=step)
    if policy == "owner" and lead_days is None and not like:
        report.keep(platform, found)
    return found


def _begun() -> Mapping[str, Begun]:
    """Return when lines were begun; of nothing where the business cannot be asked, which the lake does without."""
    from .opening import on, standing

    async def read(running: Running) -> Mapping[str, Begun]:
        from isthmus.console.pages.growth import begun

        return await begun(running.database, running.packs)

    try:
        return on(standing, read)
    except errors.Unavailable as gone:
        say(f"{gone.message}; when lines were begun is not known")
        return {}


def _draw(found: list[Line] | tuple[Line, ...], folder: Path | None) -> None:
    if folder is None:
        return
    from isthmus.governance.growth.picture import Picture

    folder.mkdir(parents=True, exist_ok=True)
    for one in found:
        name = "-".join(part for part in (one.metric, one.cut, one.code or "all") if part)
        safe = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)
        label = f"{one.metric} of {one.name or 'all front ends'}: its weeks, its curve, and a year to come"
        (folder / f"{safe}.svg").write_text(Picture(one).svg(label))
    say(f"{len(found)} pictures written to {folder}")


def _show(report: Report) -> None:
    if not report.lines:
        out.print(NOTHING)
        return
    out.print(_lines([one for one in report.lines if one.cut == "front_end"]))
    others = sorted({one.cut for one in report.lines} - {"front_end"})
    if others:
        out.print(f"also read, in --json and on the console's page Growth: lines by {', '.join(others)}")
    out.print(_lead(report.lead))
    for one in report.drivers[:1]:
        table = Table("what drives it", Column(f"{one.before:,.0f} → {one.after:,.0f}", justify="right"))
        for part in one.steps:
            table.add_row(part.name if part.of == "all" else f"{part.name}, {part.of}", f"{part.adds:+,.0f}")
        out.print(table)
    if report.movements:
        out.print(_moved(report.movements))
    if report.portfolio:
        _show_portfolio(report.portfolio)
    if report.innovation:
        out.print(_innovation(report.innovation))


def _lead(lead: Lead) -> str:
    if not lead.launches:
        return f"something new is assumed to take {lead.days} days to its first revenue: no line was seen to begin"
    seen = ", ".join(f"{one.code} {one.days}" for one in lead.launches)
    return f"something new takes {lead.days} days to its first revenue, as measured: {seen}"


def _moved(found: tuple[Movement, ...]) -> Table:
    table = Table(
        "front end", *(Column(name, justify="right") for name in
        ("bought before", "from another", "new to the group", "went to another", "gone", "cannibalised")),
        title="people of the last quarter, and those of the one before who left",
    )  # fmt: skip
    for one in found:
        kinds = (one.known, one.came, one.new, one.moved, one.gone)
        share = "" if one.cannibalised is None else f"{one.cannibalised:.0%}"
        table.add_row(one.code, *(f"{kind.people:,} ({kind.sales:,.0f})" for kind in kinds), share)
    return table


def _show_portfolio(found: Portfolio) -> None:
    table = Table(
        "horizon", "lines", Column("a quarter", justify="right"), Column("share", justify="right"),
        Column("in a year", justify="right"), Column("buyers", justify="right"), Column("makers", justify="right"),
        Column("budgets, and spent", justify="right"),
    )  # fmt: skip
    for one in found.holdings:
        table.add_row(
            one.horizon, ", ".join(one.lines), f"{one.sales:,.0f}", f"{one.share:.0%}", f"{one.ahead:,.0f}",
            f"{one.buyers:,}", f"{one.makers:,}",
            ", ".join(f"{each.granted:,.0f} {each.currency}, {each.spent:,.0f}" for each in one.budgets),
        )  # fmt: skip
    out.print(table)
    if found.needed:
        need = found.needed
        out.print(
            f"a quarter is {need.now:,.0f} {found.unit}; it grew by {need.grew:.1%} in {need.weeks} weeks. In as many "
            f"it must be {need.target:,.0f}; lines are forecast to {need.ahead:,.0f}, so {max(need.gap, 0):,.0f} must "
            "come from something new"
        )
    for part in found.stops:
        out.print(f"{part.code} shrinks or has ended: {part.now:,.0f} a quarter, {part.ahead:,.0f} in a year")
    if found.what_if:
        now, later = found.what_if.now, found.what_if.later
        out.print(
            f"a venture that grows as {found.what_if.like} did: begun now, it comes to {now.total:,.0f} in two years, "
            f"first on {now.first_revenue}; begun in a year, to {later.total:,.0f}. "
            f"Waiting costs {found.what_if.costs:,.0f}"
        )
    elif found.why_not:
        out.print(found.why_not)


def _innovation(found: Innovation) -> Table:
    table = Table("what it is", Column("earned in a year", justify="right"), title="combination beside disruption")
    for novelty, earned in found.year.items():
        table.add_row(novelty, f"{earned:,.0f}")
    return table


def _lines(found: list[Line]) -> Table:
    table = Table(
        "metric", Column("line", no_wrap=True), Column("stage", no_wrap=True), Column("a week", justify="right"),
        Column("last quarter", justify="right"), Column("limit", justify="right"), "flattens", "begin by",
        "what is known",
    )  # fmt: skip
    for one in found:
        table.add_row(*_row(one))
    return table


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
        f"{one.metric}, {one.unit}", one.name or "all", growth.stage.value, f"{growth.level:,.0f}", change, limit,
        flattens, str(one.begin_by or ""), f"{broke}{growth.reason}{due}",
    )  # fmt: skip
