"""`isthmus ledger accounts`, `entries`, `trial-balance`, `group` and `export`: books at the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Annotated, Any, Literal

import typer

from isthmus.kernel import Caller, Capability, Platform, Value, encode
from isthmus.manifest import Opened

from . import api, rules

Opening = Callable[[], AbstractAsyncContextManager[Opened]]
On = Annotated[str, typer.Option("--on", help="The front end whose books they are.")]
Since = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From this day on, by value date.")]
Until = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Through this day.")]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON, a line for each.")]
CLIENT = "command line"
HEAD = f"{'account':<44}" + "".join(f"{one:>18}" for one in ("opening", "debit", "credit", "closing"))


def commands(opening: Opening) -> typer.Typer:
    """Return the commands over what `opening` opens."""
    app = typer.Typer()

    @app.command("accounts")
    def accounts(
        on: On, below: Annotated[str, typer.Option(help="An account, and all below it.")] = "", json: Json = False
    ) -> None:
        """List accounts with what stands on them: a debit is positive, a credit negative."""
        asyncio.run(
            _printed(opening, on, api.list_accounts, api.ListAccounts(below=below), _line if json else _account)
        )

    @app.command("entries")
    def entries(
        on: On,
        subject: Annotated[str | None, typer.Option(help="What they are about, such as an order's id.")] = None,
        account: Annotated[str | None, typer.Option(help="An account that they move.")] = None,
        owner: Annotated[str, typer.Option(help="Whose account, such as seller/17.")] = "",
        since: Since = None,
        until: Until = None,
        json: Json = False,
    ) -> None:
        """List entries with their legs, the latest first."""
        ask = api.ListEntries(subject=subject, account=account, owner=owner, since=_day(since), until=_day(until))
        asyncio.run(_printed(opening, on, api.list_entries, ask, _line if json else _entry))

    @app.command("trial-balance")
    def trial_balance(on: On, since: Since = None, until: Until = None, json: Json = False) -> None:
        """Print what every account came to, and the difference of all: it ends with 1 where that is not zero."""
        ask = api.GetTrialBalance(since=_day(since), until=_day(until))
        found = asyncio.run(_called(opening, on, api.trial_balance, ask))
        if json:
            typer.echo(encode(found))
        for line in () if json else (HEAD, *map(_sums, found.lines)):
            typer.echo(line)
        for one in () if json else found.difference:
            typer.echo(f"{'all together':<44}{one!s:>72}")
        raise typer.Exit(1 if any(one.minor for one in found.difference) else 0)

    @app.command("group")
    def group(
        front_end: Annotated[
            list[str] | None, typer.Option("--on", help="A front end; again for each. All that keep books if none.")
        ] = None,
        since: Since = None,
        until: Until = None,
        json: Json = False,
    ) -> None:
        """Print the books of front ends as one: what they owe each other is eliminated, and stands below.

        What is left between two is on its way: booked by one, and not yet by the other. It ends with 1 where all
        together is not zero.
        """
        ask = api.GetTrialBalance(since=_day(since), until=_day(until), by_front_end=True)
        _print_group(rules.consolidated(asyncio.run(_books(opening, front_end or [], ask))), json=json)

    @app.command("export")
    def export(
        on: On, form: Literal["beancount", "csv"] = "beancount", since: Since = None, until: Until = None
    ) -> None:
        """Write the journal: plain-text accounting, which `bean-check` reads, or CSV with a row for each leg."""
        ask = api.ExportJournal(form=form, since=_day(since), until=_day(until))
        asyncio.run(_printed(opening, on, api.export_journal, ask, lambda part: part.text, is_whole=True))

    return app


def _print_group(found: rules.Group, *, json: bool) -> None:
    """Print the books of a group, and end with 1 where they are not zero together."""
    for line in map(_line, found.lines) if json else (HEAD, *map(_sums, found.lines)):
        typer.echo(line.rstrip("\n"))
    for one in () if json else found.between:
        typer.echo(f"{one.one + ' and ' + one.other:<44}{one.of_one!s:>18}{one.of_other!s:>18}{one.left!s:>36}")
    for one in () if json else found.difference:
        typer.echo(f"{'all together':<44}{one!s:>72}")
    raise typer.Exit(1 if any(one.minor for one in found.difference) else 0)


def _sums(line: api.TrialLine) -> str:
    """Return an account with what it opened with, what moved it and what it closed with."""
    return f"{line.code:<44}" + "".join(f"{one!s:>18}" for one in (line.opening, line.debit, line.credit, line.closing))


def _day(at: datetime | None) -> date | None:
    return at.date() if at else None


def _line(one: Value) -> str:
    return encode(one).decode() + "\n"


def _account(one: api.Balance) -> str:
    return f"{one.code:<44}{one.owner:<28}{one.posted!s:>18}\n"


def _entry(one: api.Entry) -> str:
    about = f"  {one.subject}" if one.subject else ""
    legs = "".join(f"    {leg.account:<44}{leg.owner:<28}{leg.amount!s:>18}\n" for leg in one.legs)
    return f"{one.value_date}  {one.state}  {one.kind}  {one.reference}{about}\n{legs}"


async def _called(opening: Opening, on: str, capability: Capability[Any, Any], ask: Any) -> Any:
    async with opening() as opened:
        return await opened.platform.call(capability, ask, Caller(front_end=on, client=CLIENT, via="cli"))


async def _books(opening: Opening, codes: Sequence[str], ask: api.GetTrialBalance) -> dict[str, api.TrialBalance]:
    """Return the trial balance of each front end: of those that are named, or of all that may ask for one."""
    async with opening() as opened:
        lines = opened.platform.release.lines
        able = codes or [code for code, line in sorted(lines.items()) if api.trial_balance.name in line.permitted]
        found: dict[str, api.TrialBalance] = {}
        for code in able:
            caller = Caller(front_end=code, client=CLIENT, via="cli")
            found[code] = await opened.platform.call(api.trial_balance, ask, caller)
        return found


async def _printed(
    opening: Opening,
    on: str,
    capability: Capability[Any, Any],
    ask: Any,
    written: Callable[[Any], str],
    *,
    is_whole: bool = False,
) -> None:
    """Print all pages of an answer: each item of a page, or what is whole."""
    async with opening() as opened:
        async for page in _pages(opened.platform, on, capability, ask):
            for one in (page,) if is_whole else page.items:
                typer.echo(written(one), nl=False)


async def _pages(platform: Platform, on: str, capability: Capability[Any, Any], ask: Any) -> AsyncIterator[Any]:
    while True:
        page = await platform.call(capability, ask, Caller(front_end=on, client=CLIENT, via="cli"))
        yield page
        if page.next_cursor is None:
            return
        ask = ask.replace(cursor=page.next_cursor)
