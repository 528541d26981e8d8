"""Answers in a terminal: tables, bars, and what a reader must know beside the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

import pyarrow as pa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isthmus.kernel import encode, errors

from .answers.metrics import Answer
from .answers.units import Units, amount
from .answers.usage import Used
from .persons.one_id import Review
from .persons.published import Moves
from .query.proof import Proof

BAR_MAX: Final = 40  # characters of the longest bar


def show(
    answer: Answer,
    form: str,
    out: Console,
    units: Mapping[str, tuple[str, int]] = {},
    codes: Mapping[str, str] = {},
) -> None:
    """Print an answer in a form: table, chart, json, sql, or into an Arrow file.

    Tables and charts show amounts in whole units of their currency: `units` are those of its metrics, `codes` the
    columns that say it row by row. The other forms have the numbers as they are.
    """
    match form:
        case "json":
            out.print(
                encode({"rows": answer.rows, "receipt": answer.receipt}).decode(),
                soft_wrap=True,
                markup=False,
                highlight=False,
            )
        case "sql":
            out.print(answer.receipt.sql, highlight=False, soft_wrap=True, markup=False)
        case "chart":
            _draw(answer, out, units, codes)
            _say_what_to_know(answer, out, units, codes)
        case "table":
            table = Table(*(_heading(name, units) for name in answer.columns))
            for row in answer.rows:
                table.add_row(*(_money(row, name, units, codes) for name in answer.columns))
            out.print(table)
            _say_what_to_know(answer, out, units, codes)
        case name if name.endswith(".arrow"):
            arrow, table = cast(Any, pa), cast(Any, answer.table)  # it says nothing of its types
            with arrow.OSFile(name, "wb") as file, arrow.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            out.print(f"wrote {len(answer.rows)} rows to {name}")
        case _:
            raise errors.BadAsk(
                f"{form!r} is no form", remedy="use table, chart, json, sql, or a file ending in .arrow"
            )


def usage_table(used: Mapping[str, Used]) -> Table:
    """Return a table of metrics by how often they were asked for, with those that nobody asked for last."""
    table = Table("metric", "asked", "last", "by whom")
    for name, found in sorted(used.items(), key=lambda one: (-one[1].asked, one[0])):
        askers = sorted(found.askers.items(), key=lambda one: (-one[1], one[0]))
        last = f"{found.last:%Y-%m-%d %H:%M}" if found.last else "never"
        table.add_row(name, str(found.asked), last, ", ".join(f"{asker} {count}" for asker, count in askers))
    return table


def show_changes(review: Review, out: Console) -> None:
    """Print merges and splits, the latest first, each with the published figures that it moved."""
    out.print(
        f"{review.records:,} members are {review.persons:,} persons; {review.waiting:,} pairs wait for a decision"
    )
    table = Table("when", "what", "members", "because", "published figures moved")
    for one in review.changes:
        counts = [f"{name} {before:,} → {after:,}" for name, (before, after) in one.figures.items()]
        moved = "\n".join([*counts, *sentences(one.published)])
        members = ", ".join(one.records)
        table.add_row(f"{one.at:%Y-%m-%d %H:%M}", one.kind, members, ", ".join(one.evidence), moved)
    if review.changes:
        out.print(table)
    for sentence in sentences(review.published):
        out.print(f"the last run: {sentence}")


def sentences(moves: Moves | None) -> list[str]:
    """Return what became of published figures, a sentence each: those that moved, then how far was looked."""
    if moves is None:
        return []
    moved = [
        f"{one.metric}{''.join(f', {name} {value}' for name, value in one.group.items())}: "
        f"{_cell(one.old) or 'none'} → {_cell(one.new) or 'none'} (receipt {one.receipt}, as {one.policy})"
        for one in moves.moved
    ]
    more = [f"and {moves.more:,} numbers more"] if moves.more else []
    left = f", {moves.left:,} of them not computed" if moves.left else ""
    return [*moved, *more, f"{moves.figures:,} figures of {moves.receipts:,} receipts stand on persons{left}"]


def broken(proof: Proof) -> str:
    """Return how often something proved is broken, and by what where the asker may know."""
    return f"broken {proof.count}" + escape(f": {', '.join(proof.examples)}" if proof.examples else "")


def _draw(answer: Answer, out: Console, units: Units, codes: Mapping[str, str]) -> None:
    """Draw the last column as bars, one a row."""
    *groups, metric = answer.columns
    values = [float(row[metric] or 0) for row in answer.rows]
    largest = max(map(abs, values), default=0.0) or 1.0
    table = Table(*groups, _heading(metric, units), "", box=None)
    for row, value in zip(answer.rows, values, strict=True):
        bar = "█" * round(BAR_MAX * abs(value) / largest)
        table.add_row(
            *(_cell(row[name]) for name in groups),
            _money(row, metric, units, codes),
            f"[{'red' if value < 0 else 'cyan'}]{bar}",
        )
    out.print(table)


def _heading(name: str, units: Units) -> str:
    """Return the heading of a column: of money in one currency, with its code."""
    unit, places = units.get(name, ("", 0))
    return f"{name} ({unit})" if places or (len(unit) == 3 and unit.isupper()) else name


def _money(row: Mapping[str, Any], name: str, units: Units, codes: Mapping[str, str]) -> str:
    value, _ = amount(row, name, units, codes)
    return f"{value:,}" if isinstance(value, Decimal) else _cell(value)


def _say_what_to_know(answer: Answer, out: Console, units: Units, codes: Mapping[str, str]) -> None:
    receipt = answer.receipt
    minor = [name for name in answer.numbers if units.get(name, ("", 0))[0] == "minor" and name not in codes]
    if minor:
        out.print(f"{', '.join(minor)} in minor units of the currency, such as cents")
    for metric, over in receipt.non_additive.items():
        if over:
            out.print(f"[yellow]{metric} does not add up over {', '.join(over)}[/yellow]")
    for proof in receipt.proofs:
        if not proof.holds:
            out.print(f"[yellow]{proof.kind} {proof.subject} is {broken(proof)}[/yellow]")
    if receipt.rates:
        out.print(f"amounts are in {receipt.ask.currency}, by the rates of {', '.join(receipt.rates)}")
    for stale in receipt.stale:
        out.print(f"[yellow]{stale}[/yellow]")
    for note in receipt.notes:
        out.print(f"[yellow]{escape(note)}[/yellow]")
    if receipt.hidden_cells:
        out.print(f"[yellow]{receipt.hidden_cells} cell(s) are hidden: too few people stand behind them[/yellow]")
    if receipt.is_cut:
        out.print(f"[yellow]there are more rows than {len(answer.rows)}[/yellow]")
    out.print(f"receipt {receipt.id}, snapshot {receipt.snapshot}")


def _cell(value: object) -> str:
    return "" if value is None else f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1 else _grouped(value)


def _grouped(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escape(str(value))
