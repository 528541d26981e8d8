"""`isthmus closing checklist`, `close`, `report` and `tax-return`: the end of a month at the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import typer

from isthmus.kernel import Caller, Capability, Value, encode
from isthmus.manifest import Opened
from isthmus.packs.ledger import api as ledger
from isthmus.values import Money

from . import api, rules

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
On = Annotated[str, typer.Option("--on", help="The front end whose books they are.")]
Since = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day.")]
Through = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The last day.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON, a line for each answer.")]
TAXES: Final = "liabilities:tax:"
MEMO: Final = "equity:turnover:"  # accounts for tax returns, which come to zero
NEXT: Final[dict[api.Check, str]] = {  # what is to be done where a check is open
    "books-balance": "run `isthmus doctor`, which names the entries",
    "pending-entries": "post or void them: `ledger.post-pending`, `ledger.void-pending`",
    "differences": "resolve them: `reconciliation.list-differences`, `reconciliation.resolve`",
    "settlements-to-approve": "have somebody else approve them: `settlement.list-settlements`, `settlement.approve`",
    "files-to-send": "write the file for the bank: `settlement.make-payout-file`",
}


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("checklist")
    def checklist(on: On, through: Through, json: Json = False) -> None:
        """Say what is still to be done before all days up to one are closed: it ends with 1 where something is."""
        ask = api.GetChecklist(closed_through=through.date())
        (found,) = asyncio.run(_called(opening, on, (api.get_checklist, ask)))
        for line in (_json(found),) if json else _checked(found):
            typer.echo(line)
        raise typer.Exit(int(not found.is_ready))

    @app.command("close")
    def close(
        on: On,
        through: Through,
        despite: Annotated[str, typer.Option(help="Why, where not everything is done; it is kept.")] = "",
    ) -> None:
        """Close all days up to one, once everything is done."""
        ask = api.Close(closed_through=through.date(), despite=despite)
        (found,) = asyncio.run(_called(opening, on, (api.close, ask)))
        typer.echo(f"days through {found.closed_through} are closed: {found.history[0].reason}")

    @app.command("report")
    def report(
        on: On,
        since: Since,
        through: Through,
        json: Json = False,
    ) -> None:
        """Print what was earned and is owed to tax offices of these days, and what is held and owed at their end."""
        first, last = _days(since, through)
        days = ledger.GetTrialBalance(since=first, until=last)
        calls = ((one, days) for one in (ledger.income_statement, ledger.trial_balance, ledger.balance_sheet))
        found = asyncio.run(_called(opening, on, *calls))
        for line in map(_json, found) if json else _reported(*found):
            typer.echo(line)

    @app.command("tax-return")
    def tax_return(
        on: On,
        since: Since,
        through: Through,
        form: Annotated[Literal["table", "csv"], typer.Option(help="A table to read, or CSV.")] = "table",
        json: Json = False,
    ) -> None:
        """Print taxable base and tax by jurisdiction, category and rate; it ends with 1 where entries have no base."""
        first, last = _days(since, through)
        ask = api.GetTaxReturn(since=first, until=last)
        (found,) = asyncio.run(_called(opening, on, (api.tax_return, ask)))
        typer.echo(_json(found) if json else rules.csv_of(found).rstrip() if form == "csv" else rules.table_of(found))
        for line in rules.lacking_of(found):
            typer.echo(line, err=True)
        raise typer.Exit(1 if found.left_out else 0)

    return app


def _days(since: datetime, through: datetime) -> tuple[date, date]:
    first, last = since.date(), through.date()
    if last < first:
        raise typer.BadParameter(
            f"{last} is before {first}: give the last day, not before --since", param_hint="--through"
        )
    return first, last


async def _called(opening: Opening, on: str, *calls: tuple[Capability[Any, Any], Any]) -> list[Any]:
    async with opening() as opened:
        caller = Caller(front_end=on, client="command line", via="cli")
        return [await opened.platform.call(capability, ask, caller) for capability, ask in calls]


def _json(found: Value) -> str:
    return encode(found).decode()


def _checked(found: api.Checklist) -> Iterable[str]:
    for one in found.items:
        yield f"{one.check:<44}" + ("done" if one.is_done else f"{one.open} open: {NEXT[one.check]}")
    standing = {
        "paid and not delivered": found.deferred_revenue,
        "points": found.points,
        "points expected to lapse": found.breakage,
    }
    for name, amounts in standing.items():
        yield from (_line(name, amount) for amount in amounts)
    yield from (_line(one.code, one.amount) for one in found.taxes)


def _reported(income: ledger.Statement, trial: ledger.TrialBalance, sheet: ledger.Statement) -> Iterable[str]:
    taxes = [(one.code, one.credit - one.debit) for one in trial.lines if one.code.startswith(TAXES)]
    yield from _section("income statement", [(one.code, one.amount) for one in income.lines], income.result)
    yield from _section("tax of these days", [one for one in taxes if one[1].minor], ())
    held = [(one.code, one.amount) for one in sheet.lines if not f"{one.code}:".startswith(MEMO)]
    yield from _section("balance sheet", held, sheet.result)


def _section(title: str, lines: Iterable[tuple[str, Money]], result: Iterable[Money]) -> Iterable[str]:
    yield title
    yield from (_line(f"  {code}", amount) for code, amount in lines)
    yield from (_line("  result", amount) for amount in result)


def _line(name: str, amount: Money) -> str:
    return f"{name:<44}{amount!s:>18}"
