"""`isthmus data lock`, `diff`, `check`, `graduate`: what the model says, whether it holds, what others make of it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console
from rich.table import Table

from isthmus.kernel import errors

from .data_screen import out, tried
from .screen import JSON, as_json

if TYPE_CHECKING:
    from isthmus.data.model.attributes import Declared
    from isthmus.data.platform import DataPlatform

    Open = Callable[[], DataPlatform]


LOCK: Final = Path("metrics.lock.json")

progress = Console(stderr=True)  # what a long command is at, apart from what it finds


def add_locking(app: typer.Typer, open_platform: Open, folder: Callable[[], Declared]) -> None:
    @app.command("lock", epilog=tried("lock", "lock --check"))
    def lock(
        check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 where it is stale.")] = False,
        place: Annotated[Path, typer.Option(help="The file that people review.")] = LOCK,
    ) -> None:
        """Write the packs' model and metrics as text for review, or check that the text is up to date.

        A front end's own are not in it: it is deployed without the packs, and its folder is the text.
        """
        from isthmus.data.checks import lock as locks

        model = open_platform().model
        if check:
            locks.check(model, place)
            out.print(f"{place} is up to date")
            return
        place.write_text(locks.written(model))
        out.print(
            f"wrote {place}: {len(model.entities)} entities, {len(model.metrics)} metrics, version {model.version}"
        )

    @app.command("diff", epilog=tried("diff", "diff --place last-release.lock.json"))
    def diff(
        place: Annotated[Path, typer.Option(help="The text of the model before the change.")] = LOCK,
        json: JSON = False,
    ) -> None:
        """Show the old and the new number of every metric that a change can move.

        Packs: what is declared, against the lock. Front ends: what their folders say, against what is deployed.
        """
        from isthmus.data.answers.metrics import Metrics
        from isthmus.data.checks import lock as locks
        from isthmus.data.lake.lake import Lake

        platform, now = open_platform(), datetime.now(UTC)
        lake, deployed = platform.lake, platform.metrics.attributed.declared
        is_locked = place.is_file() or place != LOCK  # who writes a front end needs no lock of the packs
        model = locks.read(place) if is_locked else platform.model
        before = Metrics(model, Lake(lake.folder, model, lake.events), platform.receipts, secret=b"", declared=deployed)
        after = Metrics(platform.model, lake, platform.receipts, secret=b"", declared=folder)
        found = locks.differences(before, after, platform.policies["owner"], now)
        if json:
            as_json(found)
            return
        table = Table("metric", "change", "old", "new")
        for one in found:
            colour = "red" if one.is_moved else "green"
            table.add_row(one.metric, one.kind, str(one.old), f"[{colour}]{one.new}")
        out.print(table if found else "no metric computes anything else")


def _show_progress(at: int, count: int, name: str) -> None:
    progress.print(f"metric {at + 1} of {count}: {name}", markup=False, highlight=False)


def add_checking(app: typer.Typer, open_platform: Open) -> None:
    @app.command("check", epilog=tried("check"))
    def check(json: JSON = False) -> None:
        """Prove keys and references, check quality and every truth that the model implies; exit code 1 if one fails."""
        from isthmus.data.checks import metamorphic, quality
        from isthmus.data.checks.own_rules import own_findings
        from isthmus.data.query.proof import Proofs
        from isthmus.markings import Rule

        platform = open_platform()
        reader, proofs = platform.lake.newest(), Proofs(platform.model)
        progress.print("keys and references")
        failures = [
            f"the {proof.kind} of {proof.subject} is broken {proof.count} times: {', '.join(proof.examples)}"
            for proof in proofs.all(reader)
            if not proof.holds
        ]
        rules = quality.rules(platform.model)
        progress.print(f"{len(rules)} quality rules")
        history = quality.History(platform.lake.folder / "quality.jsonl")
        own = own_findings(platform.metrics, platform.brought(Rule), datetime.now(UTC))
        progress.print(f"{len(own)} rules of packs' and front ends' own")
        history.keep(own)
        found = [*quality.examine(rules, reader, datetime.now(UTC), history), *own]
        failures += [str(one) for one in found if not one.holds]
        failures += map(str, metamorphic.broken(platform.metrics, platform.policies["owner"], began=_show_progress))
        if json:
            as_json({"rules": len(found), "metrics": len(platform.metrics.model.metrics), "failures": failures})
            raise typer.Exit(1 if failures else 0)
        for failure in failures:
            out.print(failure, style="red", markup=False)
        metrics = len(platform.metrics.model.metrics)
        out.print(f"{len(found)} quality rules, {metrics} metrics, {len(failures)} failures")
        raise typer.Exit(1 if failures else 0)

    @app.command("graduate", epilog=tried("graduate --to postgres --url postgresql://reader@db/shop"))
    def graduate(
        to: Annotated[Literal["postgres", "spark"], typer.Option("--to", help="The other engine.")],
        url: Annotated[str, typer.Option(help="Address of the PostgreSQL that has the tables.")] = "",
        json: JSON = False,
    ) -> None:
        """Ask an acceptance set of both engines and compare cell by cell; exit code 1 where a cell differs."""
        from isthmus.data.errors import SHOWN_MAX
        from isthmus.data.exchange.graduate import Postgres, Spark, acceptance, compare

        if to == "postgres" and not url:
            raise errors.BadAsk(
                "graduate --to postgres was given no address of a PostgreSQL to compare with",
                remedy="give one: --url postgresql://reader@host/database, of the business's own or of a copy",
                path="--url",
            )
        platform, now = open_platform(), datetime.now(UTC)
        reader, asks = platform.lake.newest(), acceptance(platform.metrics, now, has_found=to == "spark")
        with tempfile.TemporaryDirectory() as folder:
            other = Postgres(url) if to == "postgres" else Spark(reader, platform.metrics, Path(folder))
            found = asyncio.run(compare(platform.metrics, reader, other, asks, now))
        if json:
            as_json(found)
            raise typer.Exit(0 if all(one.agrees for one in found) else 1)
        table = Table("metrics", "by", "what differs")
        for one in found:
            if not one.agrees:
                differing = "; ".join(f"{here} here, {there} there" for here, there in one.differing[:SHOWN_MAX])
                table.add_row(", ".join(one.ask.metrics), ", ".join(one.ask.by), one.failure or differing)
        wrong = sum(not one.agrees for one in found)
        if wrong:
            out.print(table)
        out.print(f"{len(found)} questions, {sum(one.cells for one in found)} cells, {wrong} questions differ")
        raise typer.Exit(1 if wrong else 0)
