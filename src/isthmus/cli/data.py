"""`isthmus data`: land, ask, look up, prove, compare. The composition root says over which packs and which folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Column, Table

from isthmus.kernel import FrontEnd, encode

from .data_checking import add_checking, add_locking
from .data_publishing import add_publishing
from .data_questions import add_questions
from .data_screen import ByOption, Named, PolicyOption, out, tried
from .groups import Group
from .screen import JSON, as_json

if TYPE_CHECKING:
    from isthmus.data.lake.landing import Landing
    from isthmus.data.model.attributes import Declared
    from isthmus.data.persons.one_id import Review
    from isthmus.data.platform import DataPlatform

    Open = Callable[[], DataPlatform]
    Land = Callable[[DataPlatform], Coroutine[Any, Any, Landing]]
    Resolve = Callable[[DataPlatform, bool], Coroutine[Any, Any, Review]]


WhereOption = Annotated[list[str] | None, typer.Option("--where", "-w", help="Keep rows, as in 'front_end = north'.")]
FormOption = Annotated[str, typer.Option("--form", help="table, chart, json, sql, or a file ending in .arrow.")]


def commands(
    open_platform: Open, land: Land, resolve: Resolve, folder: Callable[[], Declared] = dict[str, FrontEnd]
) -> typer.Typer:
    """Return the commands over a platform that is opened when one runs; `land` and `resolve` have the database.

    folder: the front ends as they are written, where the platform knows those that are deployed.
    """
    app = typer.Typer(
        cls=Group, add_completion=False, no_args_is_help=True, help="The data platform: one model, one number, proved."
    )
    _add_asking(app, open_platform)
    _add_receipts(app, open_platform)
    _add_looking_up(app, open_platform)
    _add_describing(app, open_platform)
    add_locking(app, open_platform, folder)
    add_checking(app, open_platform)
    add_publishing(app, open_platform)
    add_questions(app, open_platform)

    @app.command("land", epilog=tried("land", "land --json"))
    def land_now(
        json: JSON = False,
    ) -> None:
        """Bring new events and changed rows into the lake, and compare both sides; exit code 1 where they differ."""
        platform = open_platform()
        landing = asyncio.run(land(platform))
        pruned = platform.prune(datetime.now(UTC))
        if json:
            as_json(landing)
            raise typer.Exit(1 if landing.alerts else 0)
        table = Table("entity", "changed rows", title=f"snapshot {landing.snapshot}")
        for name, count in landing.changed.items():
            table.add_row(name, str(count))
        out.print(table)
        out.print(f"{landing.events} events, {landing.duplicates} duplicates dropped")
        if pruned:
            out.print(f"{pruned:,} old receipts went")
        for source, count in landing.quarantined.items():
            out.print(f"[yellow]{count} row(s) of {source} are in quarantine[/yellow]")
        for alert in landing.alerts:
            out.print(f"[red]{alert}[/red]")
        for sentence in (*landing.stale, *landing.broken):
            out.print(f"[yellow]{escape(sentence)}[/yellow]")
        raise typer.Exit(1 if landing.alerts else 0)

    @app.command("persons", epilog=tried("persons --resolve"))
    def persons(
        anew: Annotated[bool, typer.Option("--resolve", help="Compare all members anew first.")] = False,
        json: JSON = False,
    ) -> None:
        """Show the latest merges and splits of persons: on what evidence, and which published figures each moved."""
        from isthmus.data.show import show_changes

        review = asyncio.run(resolve(open_platform(), anew))
        as_json(review) if json else show_changes(review, out)

    return app


def _add_asking(app: typer.Typer, open_platform: Open) -> None:
    @app.command(
        "ask",
        epilog=tried(
            "ask METRIC --by front_end --by time:week --tz Europe/Berlin",
            "ask METRIC --where 'front_end = CODE' --as CODE --form chart",
        ),
    )
    def ask(
        metrics: Named,
        by: ByOption = None,
        where: WhereOption = None,
        order: Annotated[list[str] | None, typer.Option(help="Sort by this; '-' in front for downwards.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 100_000,
        timezone: Annotated[str, typer.Option("--tz", help="Where days begin.")] = "UTC",
        currency: Annotated[str, typer.Option("--in", help="Convert amounts to this currency, such as EUR.")] = "",
        policy: PolicyOption = "owner",
        form: FormOption = "table",
        json: Annotated[bool, typer.Option("--json", help="The same as --form json.")] = False,
        accept: Annotated[bool, typer.Option("--accept-duplicates", help="Answer also over broken keys.")] = False,
        whole: Annotated[bool, typer.Option("--whole", help="Refuse where references lead nowhere.")] = False,
        fresh: Annotated[bool, typer.Option("--fresh", help="Refuse where rows are older than they may be.")] = False,
        having: Annotated[list[str] | None, typer.Option(help="Condition on a metric, as in 'METRIC > 100'.")] = None,
        fill: Annotated[bool, typer.Option("--fill", help="Show periods without rows too.")] = False,
        week_starts: Annotated[str, typer.Option(help="The day that weeks begin on; else as the settings say.")] = "",
        year_starts: Annotated[
            int, typer.Option(help="The month that years begin in; 0 is the usual.", min=0, max=12)
        ] = 0,
        save: Annotated[str, typer.Option(help="Keep the question under this name; `questions` lists them.")] = "",
        daily: Annotated[str, typer.Option(help="With --save: ask it once a day at this time, as in 06:00.")] = "",
        file: Annotated[Literal["csv", "parquet"], typer.Option(help="With --save: the form of its file.")] = "csv",
    ) -> None:
        """Answer a question: a table, a chart, JSON, an Arrow file, or the SQL that it is computed by."""
        from isthmus.data.answers.units import codes_in, units_of
        from isthmus.data.model.ask import Ask, read_condition, read_filter, week_day
        from isthmus.data.model.brought import kept
        from isthmus.data.show import show

        question = Ask(
            metrics=tuple(metrics),
            by=tuple(by or ()),
            where=tuple(map(read_condition, where or ())),
            having=tuple(read_filter(one, "$.having") for one in having or ()),
            order=tuple(order or ()),
            limit=limit,
            timezone=timezone,
            currency=currency,
            accept=("duplicates",) if accept else (),
            is_whole=whole,
            is_fresh=fresh,
            is_filled=fill,
            week_starts=week_day(week_starts) if week_starts else "usual",
            year_starts=year_starts,
        )
        platform = open_platform()
        asker = platform.policy(policy)
        if save:
            platform.questions.save(kept(question, save, daily, file))
        answer = platform.metrics.ask(question, asker, asker="terminal")
        units = units_of(platform.metrics, answer, asker)
        show(answer, "json" if json else form, out, units, codes_in(platform.metrics, answer, asker))


def _add_receipts(app: typer.Typer, open_platform: Open) -> None:
    @app.command("receipts", epilog=tried("receipts --page 2"))
    def receipts(
        page: Annotated[int, typer.Option(min=1, help="The newest are on page 1.")] = 1, json: JSON = False
    ) -> None:
        """List the receipts of answers, the newest first, a page at a time."""
        found = open_platform().receipts.page(page)
        if json:
            as_json(list(found))
            return
        table = Table(Column("receipt", no_wrap=True), "asked", "by", "metrics", "by what", "snapshot")
        for one in found:
            asked, by = f"{one.asked_at:%Y-%m-%d %H:%M:%S}", ", ".join(one.ask.by)
            table.add_row(one.id, asked, one.asker or one.policy, ", ".join(one.ask.metrics), by, one.snapshot)
        out.print(table if table.row_count else f"there are no receipts on page {page}")

    @app.command("receipt", epilog=tried("receipt 0123456789abcdef --sql"))
    def receipt(
        id: Annotated[str, typer.Argument(help="The id that an answer shows.")],
        sql: Annotated[bool, typer.Option("--sql", help="Show the SQL too.")] = False,
        json: JSON = False,
    ) -> None:
        """Show what a number was computed from, compute it again, and say whether it is the same, or why not."""
        from isthmus.data.show import broken

        platform = open_platform()
        kept = platform.receipts.get(id)
        again = platform.metrics.rerun(id, {**platform.policies, kept.policy: platform.policy(kept.policy)})
        if json:
            as_json({"receipt": kept, "again": again})
            raise typer.Exit(0 if again.is_same else 1)
        table = Table("receipt", id)
        table.add_row("asked", f"{kept.asked_at:%Y-%m-%d %H:%M:%S} under policy {kept.policy}")
        table.add_row("metrics", ", ".join(kept.ask.metrics))
        table.add_row("snapshot, model", f"{kept.snapshot}, {kept.model}")
        table.add_row("newest row", f"{kept.lag_s:.0f} s old" if kept.lag_s is not None else "no time")
        for stale in kept.stale:
            table.add_row("too old", f"[yellow]{stale}")
        for proof in kept.proofs:
            found = "holds" if proof.holds else f"[red]{broken(proof)}"
            table.add_row(f"{proof.kind} {proof.subject}", found)
        for rates in kept.rates:
            table.add_row("rates", rates)
        table.add_row("hidden cells", str(kept.hidden_cells))
        table.add_row("again", "[green]the same number" if again.is_same else "[red]another number")
        for reason in again.reasons:
            table.add_row("because", reason)
        out.print(table)
        if sql:
            out.print(kept.sql, highlight=False)
        raise typer.Exit(0 if again.is_same else 1)


def _add_looking_up(app: typer.Typer, open_platform: Open) -> None:
    @app.command("metrics", epilog=tried("metrics sales", "metrics --usage"))
    def list_metrics(
        words: Annotated[list[str] | None, typer.Argument(help="All must occur.")] = None,
        policy: PolicyOption = "owner",
        usage: Annotated[bool, typer.Option("--usage", help="Who asked, how often, and when last.")] = False,
        json: JSON = False,
    ) -> None:
        """List metrics: all, or those in whose name, unit or description all words occur; and attributes to ask by."""
        from isthmus.data.model import attributes
        from isthmus.data.show import usage_table

        platform = open_platform()
        model = platform.metrics.seen_by(platform.policy(policy))
        named = platform.metrics.search(" ".join(words or ()), model)
        if usage:
            used = platform.metrics.usage.of(metric.name for metric in named)
            as_json(used) if json else out.print(usage_table(used))
            return
        heads = ("metric", "kind", "unit", "owner", "what it says")
        rows = [
            (one.name, str(one.__struct_config__.tag), model.unit(one.name), model.owners.get(one.name, ""), one.doc)
            for one in named
        ]
        own_heads = ("attribute", "kind", "of", "what it says")
        own = [
            (name, field.kind, ", ".join(field.front_ends), field.doc)
            for name, field in attributes.dimensions(model, " ".join(words or ()))
        ]
        if json:
            as_json({"metrics": _named(heads, rows), "attributes": _named(own_heads, own)})
            return
        out.print(_table(heads, rows))
        if own:
            out.print(_table(own_heads, own))


def _add_describing(app: typer.Typer, open_platform: Open) -> None:
    @app.command("describe", epilog=tried("describe METRIC", "describe ENTITY"))
    def describe(
        name: Annotated[str, typer.Argument(help="A metric or an entity.")],
        policy: PolicyOption = "owner",
        json: JSON = False,
    ) -> None:
        """Say what a metric is made of and may be grouped by, or what an entity holds."""
        import msgspec

        from isthmus.data.answers.groupings import groupings

        platform = open_platform()
        asker = platform.policy(policy)
        model = platform.metrics.seen_by(asker)
        if name in model.entities:
            entity = model.entities[name]
            if json:
                described = {
                    key: getattr(entity, key) for key in ("name", "table", "owner", "doc", "key", "time", "references")
                }
                as_json({**described, "fields": list(entity.fields.values())})
                return
            out.print(f"[bold]{name}[/bold] in {entity.table}, owned by {entity.owner}: {entity.doc}")
            table = Table("field", "kind", "is", "refers to")
            refers = {reference.name: reference.target for reference in entity.references}
            for field in entity.fields.values():
                marks = {"key": field.is_key, "measure": field.measure, "time": field.time, "personal": field.pii}
                said = [word for word, holds in marks.items() if holds]
                said += [f"of {', '.join(field.front_ends)}"] if field.front_ends else []
                table.add_row(field.name, field.kind, ", ".join(said), refers.get(field.name, ""))
            out.print(table)
            return
        metric = model.metric(name)
        by = ["time:<grain>", *groupings(platform.metrics, name, asker)]
        if json:
            as_json({"name": name, "owner": model.owners.get(name, ""), "metric": metric, "by": by})
            return
        out.print(f"[bold]{name}[/bold], owned by {model.owners.get(name, '')}: {metric.doc}")
        out.print(msgspec.json.format(encode(metric), indent=2).decode())
        out.print("may be grouped by " + ", ".join(by))


def _named(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    return [dict(zip(("name", *heads[1:-1], "doc"), row, strict=True)) for row in rows]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    return table
