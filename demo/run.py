"""Sell a year of real baskets on the platform, check every total against the source, keep serving."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from demo import box, cards, group, load, office, replay, shops
from demo.source import Source
from isthmus.app import platform as app_platform
from isthmus.app.config import Config
from isthmus.cli.screen import Screen
from isthmus.gateway import auth, server
from isthmus.kernel import Caller
from isthmus.manifest.actions import EVERYWHERE
from isthmus.packs.identity import api as identity
from isthmus.packs.identity.service.staff import staff_of
from isthmus.values import money

REPORT = "sold.json"  # in the demo's data: what came of the run that made it
ROLES = ("operator", "analyst", "support")
MEASURES = ("thin", "silo", "lead-time", "answers")
EXAMPLES = (
    ("catalog.search", '{"text": "strawberries", "limit": 3}'),
    ("checkout.preview-order", '{"lines": [{"sku": "1082185", "quantity": 2}], "currency": "USD"}'),
    ("order.list-orders", '{"limit": 1}'),
)


def run(config: Config, chosen: argparse.Namespace) -> int:
    """Run the demo as its command line asks; return 0 where every total equals the source's."""
    own = replace(config, data=config.data / "demo", record={**config.record, "shares": _shares(config)})
    if config.database_url is None and not chosen.keep:
        shutil.rmtree(own.data, ignore_errors=True)  # its own database, made anew each time; --keep leaves it
    port = chosen.port or config.port
    if not chosen.exit:
        server.check_listening(config.host, range(port, port + 2 + len(shops.CODES)))  # before minutes of selling
    screen = Console(stderr=True, quiet=chosen.json and not sys.stderr.isatty())
    known = _known(own) if chosen.keep else None
    tea, selling, listening = box.prepared(own, port + 1 + len(shops.CODES), screen, known)
    if tea is not None:
        server.check_listening("127.0.0.1", range(tea.port, tea.port + 1))  # it sells also where --exit serves nothing
    report, key, shop_keys, links = asyncio.run(_sell(selling, chosen, screen, tea, listening))
    if tea is not None:
        box.settle(tea, config.host, port, report["box"])
    if chosen.json:
        print(json.dumps(report, indent=2))
    else:
        _show(report, Screen())
    if chosen.exit or not report["equal"]:
        if not (chosen.json or config.database_url):
            Console().print(
                f"its data: export ISTHMUS_DATA={own.data}\n"
                + (f"its venture's charter: export ISTHMUS_CONFIG={tea.settings}\n" if tea else "")
                + "its console: isthmus serve, and a way in by isthmus security sign-in-link operator",
                soft_wrap=True,
                highlight=False,
            )
        return 0 if report["equal"] else 1
    os.environ["ISTHMUS_DATA"] = str(own.data)
    listens = server.listening(config.host, port)
    if tea is not None:
        os.environ["ISTHMUS_CONFIG"] = str(tea.settings)
    with shops.serving(config.host, port, shop_keys, Console()), box.beside(tea, Console()):
        _say_what_next(Console(), f"http://{config.host}:{port}", key, links, own.data)
        server.run("isthmus.app.server:asgi", listens, log_level="warning")
    return 0


def _shares(config: Config) -> dict[str, float]:
    """Return how much of each capability's calls is recorded: of what there is little of, all."""
    return office.recorded() | cards.RECORDED | config.record.get("shares", {})


async def _sell(
    config: Config, chosen: argparse.Namespace, screen: Console, tea: box.Box | None, listening: socket.socket | None
) -> tuple[dict[str, Any], str, dict[str, str], dict[str, str]]:
    async with app_platform.running(config, allowed="migrate") as running:
        report = _known(config) if chosen.keep else None
        if report is None:
            report = await _sold(running, chosen, screen, tea, listening)
            (config.data / REPORT).write_text(json.dumps(report))
        if tea is not None:
            await box.lend(running, tea, chosen.port or config.port)
        key = await auth.create_client(running.database, "fresh", "demo", None)
        shop_keys = {code: await auth.create_client(running.database, code, "shop", None) for code in shops.CODES}
        links = await _sign_in_links(running)
    return report, key, shop_keys, links


def _known(config: Config) -> dict[str, Any] | None:
    """Return what came of the run that made the demo's data, where there was one."""
    file = config.data / REPORT
    return json.loads(file.read_text()) if file.exists() else None


async def _sold(
    running: app_platform.Running,
    chosen: argparse.Namespace,
    screen: Console,
    tea: box.Box | None,
    listening: socket.socket | None,
) -> dict[str, Any]:
    """Load everything, sell the year, and return what came of it beside the source."""
    source = Source(chosen.orders, is_spread=chosen.spread)
    with _progress(screen) as progress:
        began = time.perf_counter()
        members = await load.everything(running, source, progress)
        loaded = time.perf_counter()
        refused = await replay.baskets(running, source, members, chosen.concurrency, progress)
        ended = time.perf_counter()
        await office.work(running, source.front_ends())
        beside = await box.sold(running, tea, listening, source.days(), progress) if tea and listening else None
    report = await replay.report(running, source, refused)
    report["disputes"] = await cards.dispute(running)  # after: banks change what the books say
    report["lent"] = await group.sold_for(running)
    report |= await group.shared(running)
    report |= {"box": beside} if beside else {}
    report["seconds"] = {"load": round(loaded - began, 1), "sell": round(ended - loaded, 1)}
    if beside:
        report["seconds"]["box"] = round(time.perf_counter() - ended, 1)
    return report


async def _sign_in_links(running: app_platform.Running) -> dict[str, str]:
    """Make somebody for each of three roles, and an owner for whoever asks; return how the three sign in."""
    staff = staff_of(running)
    by = Caller(front_end=EVERYWHERE, client="demo", via="cli")
    for role in ("owner", *ROLES):
        await staff.made(role, (identity.RoleAt(role=role),), by)
    return {role: await staff.sign_in_link(role, by) for role in ROLES}


def _progress(screen: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=screen,
    )


def _show(report: dict[str, Any], screen: Console) -> None:
    table = Table(title="A year of baskets on one platform", show_footer=True)
    total = report["total"]
    columns = (
        ("front end", "left", ""),
        ("orders", "right", ""),
        ("parts", "right", ""),
        ("lines", "right", f"{total['lines']:,}"),
        ("sales", "right", str(money(total["minor"], report["currency"]))),
        ("entries in the books", "right", ""),
        ("books", "left", ""),
        ("refused lines, and why", "left", ""),
        ("equal to the source", "left", "yes" if report["equal"] else "NO"),
    )
    for name, justify, footer in columns:
        table.add_column(name, justify=justify, footer=footer)  # type: ignore[arg-type]
    for code, found in report["front_ends"].items():
        why = ", ".join(f"{count} {slug}" for slug, count in sorted(found["refused_lines"].items()))
        source = found["source"]
        is_equal = not source or (found["sales_minor"], found["lines"]) == (source["sales_minor"], source["lines"])
        table.add_row(
            code,
            f"{found['orders']:,}",
            f"{found['parcels_of_orders']:,}",
            f"{found['lines']:,}",
            str(money(found["sales_minor"], report["currency"])),
            f"{found['books'].get('entries', 0):,}",
            "balance, and equal sales and money" if replay.is_booked(found) else "[red]DIFFER",
            why,
            "[green]yes" if is_equal else "[red]no",
        )
    screen.print(table)
    for lent in report["lent"]:
        screen.print(f"{lent['seller']} sold {lent['units']:,} units from the stock of {lent['owner']}")
    sellers = " and ".join(group.SELLERS)
    screen.print(f"{report['goods_in_common']:,} goods are sold by both {sellers}")
    for lent in report["places"]:
        screen.print(f"{lent['seller']} lets its goods be picked up at {lent['places']} stores of {lent['owner']}")
    screen.print(f"{report['members_in_common']:,} members have one account of points at several front ends")
    for code, found in report["front_ends"].items():
        books = found["books"]
        if books:
            balance = money(int(books["balance"]), report["currency"])
            screen.print(f"the trial balance of {code} is {balance} over {books['entries']:,} entries")
    for one in report.get("disputes", ()):
        amount = money(one["minor"], report["currency"])
        screen.print(f"a buyer's bank took {amount} back from {cards.MARKET}, and {one['reference']} is {one['state']}")
    if "box" in report:
        for line in box.shown(report["box"], str(money(report["box"]["sales_minor"], report["currency"]))):
            screen.print(line)
    screen.print(f"loaded in {report['seconds']['load']} s, sold in {report['seconds']['sell']} s")
    if not report["equal"]:
        screen.print("[red]The totals differ from the source; `--json` shows both sides.")


def _say_what_next(screen: Console, address: str, key: str, links: dict[str, str], data: Path) -> None:
    screen.print(f"API documents  {address}/docs/fresh")
    screen.print("Console, signed in once by each of these links as:")
    for role, link in links.items():
        screen.print(f"  {role:<12} {address}/console{link}", soft_wrap=True, highlight=False, markup=False)
    screen.print("Three calls to paste:")
    for name, ask in EXAMPLES:
        screen.print(
            f"  curl -s {address}/v1/{name} -H 'Authorization: Bearer {key}' "
            f"-H 'Content-Type: application/json' -d '{ask}'",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
    screen.print("For the figures of the console's page In a minute, in another terminal, a minute or two:")
    measures = " && ".join(f".venv/bin/isthmus {name}" for name in MEASURES)
    screen.print(f"  export ISTHMUS_DATA={data} && {measures}", soft_wrap=True, highlight=False, markup=False)
    screen.print("Ctrl-C stops it.")
