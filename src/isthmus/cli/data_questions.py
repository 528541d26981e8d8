"""`isthmus data questions`, `run`, `find`: questions that are kept under a name, and the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from .data_screen import PolicyOption, out, tried
from .screen import JSON, as_json

if TYPE_CHECKING:
    from isthmus.data.platform import DataPlatform


def add_questions(app: typer.Typer, open_platform: Callable[[], DataPlatform]) -> None:
    """Add the commands over a platform that is opened when one runs."""

    @app.command("questions", epilog=tried("questions", "questions --forget weekly-sales"))
    def questions(
        forget: Annotated[str, typer.Option(help="Keep this one no longer.")] = "",
        json: JSON = False,
    ) -> None:
        """List the questions that are kept: whose they are, when they are asked, and how that went last."""
        kept = open_platform().questions
        if forget:
            kept.forget(forget)
            out.print(f"{forget} is kept no longer")
            return
        if json:
            as_json(
                [{"owner": one.owner, "question": one.value, "last": kept.ran(one.value.name)} for one in kept.all()]
            )
            return
        table = Table(Column("question", no_wrap=True), "owner", "metrics", "by", "asked daily at", "last", "file")
        for one in kept.all():
            question, ran = one.value, kept.ran(one.value.name)
            daily = f"{question.daily} {question.timezone}" if question.daily else ""
            last = "" if ran is None else f"{ran.at:%Y-%m-%d %H:%M} {f'refused: {ran.refused}' if ran.refused else ''}"
            table.add_row(
                question.name, one.owner, ", ".join(question.metrics), ", ".join(question.by), daily, escape(last),
                ran.file if ran else "",
            )  # fmt: skip
        out.print(table if table.row_count else "no question is kept; `isthmus data ask … --save NAME` keeps one")

    @app.command("run", epilog=tried("run weekly-sales"))
    def run(name: Annotated[str, typer.Argument(help="A question that is kept.")]) -> None:
        """Ask a question that is kept, and write its answer to its file."""
        ran = open_platform().questions.run(name, datetime.now(UTC), "terminal")
        out.print(f"wrote {ran.rows} rows to {ran.file}; receipt {ran.receipt}", soft_wrap=True)

    @app.command("find", epilog=tried("find refund", "find basket --as fresh"))
    def find(
        words: Annotated[list[str], typer.Argument(help="All must occur.")],
        policy: PolicyOption = "owner",
        json: JSON = False,
    ) -> None:
        """Find terms, metrics, questions, entities and fields by words, each with who answers for it."""
        platform = open_platform()
        found = platform.find(" ".join(words), platform.policy(policy))
        if json:
            as_json(found)
            return
        table = Table("kind", Column("name", no_wrap=True), "owner", "what it says")
        for one in found:
            see = f" ({', '.join(one.see)})" if one.see else ""
            table.add_row(one.kind, one.name, one.owner, escape(one.doc + see))
        out.print(table if table.row_count else "nothing is called so; try fewer words")
