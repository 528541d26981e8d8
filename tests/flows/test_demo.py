"""The demo sells real baskets and comes to what the source says."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console

from demo import box, cards, carts, office
from demo.source import Basket, Line, Source
from isthmus.app import exits
from isthmus.app import platform as app_platform
from isthmus.app.config import load_config
from isthmus.governance.exits.calls import asked_of
from isthmus.governance.exits.held import holds
from isthmus.store import embedded
from tests import forked
from tests.console import signing
from tests.console.demo_server import demo

BASKETS = 60
ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "build" / "test-demo"  # not below pytest's own folder: PostgreSQL's account may not pass through that


def test_the_first_baskets_of_the_year_come_to_what_the_source_says() -> None:
    environment = {**os.environ, "ISTHMUS_DATA": str(DATA)}
    environment.pop("ISTHMUS_DATABASE_URL", None)
    report = json.loads(said(environment, "demo", "--orders", str(BASKETS), "--exit", "--json"))
    assert report["equal"] is True
    for found in report["front_ends"].values():
        books = found["books"]
        said_by_books = (books["balance"], books["sales"], books["received"])
        assert said_by_books == (0, found["sales_minor"], found["received_minor"])
        assert books["entries"] == found["parcels_of_orders"] + found["orders"]  # each delivered, each basket paid
    assert report["total"]["minor"] == report["total"]["source_minor"] > 0
    assert {one["owner"] for one in report["lent"]} == {"group"}
    assert {one["seller"] for one in report["lent"]} <= {"brand", "market"}
    assert sum(one["units"] for one in report["lent"]) == _units_of("brand", "market")
    assert report["goods_in_common"] > 0
    places = {(one["owner"], one["seller"]) for one in report["places"]}
    assert places == {("fresh", "brand"), ("fresh", "market")}
    assert report["members_in_common"] > 0
    sold = sum(found["orders"] for found in report["front_ends"].values())
    assert sold >= BASKETS  # a basket is an order in each business line that it has goods of
    with embedded.start(DATA / "demo"):  # for the commands that follow, each of which would start it and stop it
        the_books_are_read_at_the_command_line(environment, report["front_ends"], report["disputes"])
        metrics_equal_the_source_by_front_end_department_and_week(environment)
        sales_are_one_number(environment, report["front_ends"])
        the_venture_sells_beside_them_where_node_is_there(environment, report)
        banks_took_back_what_two_buyers_disputed(report)
        asyncio.run(ten_questions_have_the_right_number(environment))
        some_fill_a_basket_in_the_app_first(environment)
        asyncio.run(each_desk_leaves_calls_to_prove_an_exit_by())
    kept = json.loads(said(environment, "demo", "--keep", "--exit", "--json"))
    assert kept == report
    stands = ("data", "ask", "order.baskets", "--form", "json")
    asked = json.loads(said({**environment, "ISTHMUS_DATA": str(DATA / "demo")}, *stands))
    assert asked["rows"][0]["order.baskets"] == sold  # nothing was sold a second time


def banks_took_back_what_two_buyers_disputed(report: dict[str, Any]) -> None:
    won, lost = report["disputes"]
    assert [(one["reference"], one["state"]) for one in (won, lost)] == [("dispute-1", "won"), ("dispute-2", "lost")]
    stands = {**os.environ, "ISTHMUS_DATA": str(DATA / "demo")}
    trial = said(stands, "ledger", "trial-balance", "--on", "market")
    closing = {row[0]: row[-2] for row in map(str.split, trial.splitlines())}
    fees = (won["fee_minor"] + lost["fee_minor"]) / 100
    assert (closing["assets:chargebacks"], closing["expenses:chargeback-fees"]) == ("0.00", f"{fees:.2f}")
    assert "expenses:chargebacks" not in closing, "sellers bear what was lost"
    answered = "select count(*) from notification.message where kind = 'dispute-answer'"
    assert said(stands, "psql", "-Atc", answered).strip() == "2"


async def each_desk_leaves_calls_to_prove_an_exit_by() -> None:
    config = replace(load_config(ROOT / "isthmus.toml"), data=DATA / "demo", database_url=None)
    async with app_platform.running(config) as running:
        desks = {one.name.partition(".")[0] for _, called in office.ACTS for one in called} | {
            "catalog",
            "chargeback",
            "pricing",
            "tax",
        }
        tried = {one.name: one for one in exits.domains(running) if one.name in desks and not holds(one)}
        counts = {
            name: len([one async for one in asked_of(running.database, running.platform, pack, 20)])
            for name, pack in tried.items()
        }
    assert len(counts) == 13
    assert all(counts.values()), counts


def some_fill_a_basket_in_the_app_first(environment: dict[str, str]) -> None:
    stands = {**environment, "ISTHMUS_DATA": str(DATA / "demo")}
    met = {one["front_end"]: one["steps"] for one in json.loads(said(stands, "experience", "--json"))["experiences"]}
    baskets = [step for steps in met.values() for step in steps if step["step"] == "basket" and step["begun"]]
    assert baskets, "some households fill a basket in the app first"
    assert all(step["left"] is None for step in baskets), "one order in a hundred is recorded: too few to say it"


def the_venture_sells_beside_them_where_node_is_there(environment: dict[str, str], report: dict[str, Any]) -> None:
    if box.lacking(ROOT):
        assert "box" not in report
        return
    found = report["box"]
    assert found["is_met"], found["obligations"]
    assert (found["net_minor"], found["orders"] > 0) == (found["booked_minor"], True)
    stands = {**environment, "ISTHMUS_DATA": str(DATA / "demo")}
    names = ("venture.gross-sales", "ventures.group-sales")
    asked = json.loads(said(stands, "data", "ask", *names, "--by", "front_end", "--form", "json"))
    rows = {row["front_end"]: tuple(row[name] for name in names) for row in asked["rows"]}
    assert rows["box"] == (found["sales_minor"], found["sales_minor"])
    assert {code for code, one in report["front_ends"].items() if one["orders"]} < rows.keys()
    trial = said(stands, "ledger", "trial-balance", "--on", "box")
    assert trial.splitlines()[-1].split() == ["all", "together", "0.00", "USD"]


def _units_of(*front_ends: str) -> int:
    """Return how many units of known goods the baskets of front ends take, as the source says."""
    names = ", ".join(f"'{code}'" for code in front_ends)
    ((units,),) = Source(BASKETS).rows(f"""
        select sum(quantity)::bigint from chosen join products on product_id = sku
        where is_known and quantity > 0 and front_end in ({names})""")
    return units


def the_books_are_read_at_the_command_line(
    environment: dict[str, str], front_ends: dict[str, Any], disputes: list[dict[str, Any]]
) -> None:
    environment = {**environment, "ISTHMUS_DATA": str(DATA / "demo")}
    code = max(front_ends, key=lambda one: front_ends[one]["orders"])
    assert code == cards.MARKET, "where banks took some of it back"
    taken = sum(one["fee_minor"] + (one["minor"] if one["state"] == "lost" else 0) for one in disputes)
    trial = said(environment, "ledger", "trial-balance", "--on", code)
    assert trial.split()[:5] == ["account", "opening", "debit", "credit", "closing"]
    assert trial.splitlines()[-1].split() == ["all", "together", "0.00", "USD"]
    rows = said(environment, "ledger", "accounts", "--on", code, "--below", "assets:clearing").splitlines()
    standing = sum(Decimal(row.split()[-2]) for row in rows if row.startswith("assets:clearing"))
    assert 100 * standing == front_ends[code]["received_minor"] - taken
    entries = said(environment, "ledger", "entries", "--on", code, "--account", "liabilities:customers")
    assert entries.count("posted") == front_ends[code]["books"]["entries"]
    journal = DATA / "books.beancount"
    journal.write_text(said(environment, "ledger", "export", "--on", code))
    check = Path(sys.executable).with_name("bean-check")
    assert subprocess.run([check, journal], check=False).returncode == 0
    of_disputes = 2 * len(disputes)  # opened, and ended
    assert journal.read_text().count(" * ") == front_ends[code]["books"]["entries"] + of_disputes


def sales_are_one_number(environment: dict[str, str], front_ends: dict[str, Any]) -> None:
    """By the lake, by the order pack, by the journal of the books, and by base and tax of tax returns."""
    environment = {**environment, "ISTHMUS_DATA": str(DATA / "demo")}
    asked = said(environment, "data", "ask", "order.sales", "--by", "front_end", "--form", "json")
    by_lake = {row["front_end"]: row["order.sales"] for row in json.loads(asked)["rows"]}
    by_orders = {code: found["sales_minor"] for code, found in front_ends.items() if found["orders"]}
    by_books: dict[str, int] = {}
    by_tax_returns: dict[str, int] = {}
    for code in by_orders:
        text = said(environment, "ledger", "export", "--on", code, "--form", "csv")
        legs = [one for one in csv.DictReader(io.StringIO(text)) if one["kind"] == "goods-delivered"]
        due = (Decimal(one["amount"]) for one in legs if one["account"] == "liabilities:customers")
        by_books[code] = int(100 * sum(due))
        days = ("--since", "2017-01-01", "--through", "2018-12-31")
        figures = said(environment, "closing", "tax-return", "--on", code, *days, "--form", "csv")
        parts = [(one["base"], one["tax"]) for one in csv.DictReader(io.StringIO(figures))]
        by_tax_returns[code] = int(100 * sum(Decimal(base) + Decimal(tax) for base, tax in parts))
    assert by_lake == by_orders == by_books == by_tax_returns


def metrics_equal_the_source_by_front_end_department_and_week(environment: dict[str, str]) -> None:
    environment = {**environment, "ISTHMUS_DATA": str(DATA / "demo")}
    said(environment, "data", "land")
    by = ("front_end", "catalog.category.parent", "time:week")
    grouped = [word for name in by for word in ("--by", name)]
    answer = json.loads(said(environment, "data", "ask", "order.line-sales", *grouped, "--form", "json"))
    found = [(*(row[name] for name in by), row["order.line-sales"]) for row in answer["rows"]]
    source = Source(BASKETS).rows(
        """select front_end, coalesce(department, 'OTHER') as department,
                  strftime(date_trunc('week', first.at), '%Y-%m-%d') as week, sum(paid)::bigint
           from chosen join products on product_id = sku
           join (select front_end, basket_id, min(sold_at) as at from chosen group by all) as first
               using (front_end, basket_id)
           where is_known and quantity > 0 group by all order by all"""
    )
    assert sorted(found) == source


QUESTIONS = {  # of the market: what a data person asks, and what SQL over the till receipts says
    "what did we sell?": ("order.line-sales", "sum(paid)"),
    "how many baskets?": ("order.baskets", "count(distinct basket_id)"),
    "how many orders, one for each seller?": ("order.orders", "count(distinct (basket_id, manufacturer_id))"),
    "how many units?": ("order.units", "sum(quantity)"),
    "how many members bought?": ("order.buyers", "count(distinct household_id)"),
    "what does a basket come to?": ("order.basket-value", "sum(paid) / count(distinct basket_id)"),
    "what would it have come to by the list?": ("order.list-sales", "sum(list)"),
    "how far below the list did we sell?": ("order.discount-share", "1 - sum(paid) / sum(list)"),
    "what does the order in the middle come to?": (
        "order.median-value",
        "(select median(paid) from (select sum(paid) as paid from sold group by basket_id, manufacturer_id))",
    ),
}
AMOUNTS = {"order.line-sales", "order.list-sales", "order.basket-value", "order.median-value"}
SOLD = """with sold as (select chosen.*, manufacturer_id, department from chosen join products on product_id = sku
                        where is_known and quantity > 0 and front_end = 'market') select"""


async def ten_questions_have_the_right_number(environment: dict[str, str]) -> None:
    """Each over HTTP, in the console and at the command line, by itself and without a second try."""
    source = Source(BASKETS)
    names = [metric for metric, _ in QUESTIONS.values()]
    right = {metric: float(source.rows(f"{SOLD} {sql} from sold limit 1")[0][0]) for metric, sql in QUESTIONS.values()}
    departments = dict(source.rows(f"{SOLD} department, sum(paid)::bigint from sold group by all"))
    best = max(departments.items(), key=lambda one: one[1])
    stands = {**environment, "ISTHMUS_DATA": str(DATA / "demo")}
    typed = json.loads(said(stands, "data", "ask", *names, "--where", "front_end = market", "--form", "json"))
    assert typed["rows"][0] == pytest.approx(right)
    (_, key) = said(stands, "client", "create", "market", "--name", "analyst", "--scope", "data.ask").rsplit("isth_", 1)
    async with demo(DATA, BASKETS, is_kept=True) as served, httpx.AsyncClient(timeout=60) as client:
        headers = {"Authorization": f"Bearer isth_{key.split()[0]}"}

        async def answers(ask: dict[str, Any]) -> list[list[Any]]:
            return (await client.post(f"{served.address}/data/ask", json=ask, headers=headers)).json()["rows"]

        asked = {metric: (await answers({"metrics": [metric]}))[0][0] for metric in names}
        assert asked == pytest.approx(right)
        by = {"by": ["catalog.category.parent"], "order": ["-order.line-sales"], "limit": 1}
        assert await answers({"metrics": ["order.line-sales"], **by}) == [list(best)]
        assert await answers({"metrics": ["order.line-sales"], **by, "having": [f"order.line-sales > {best[1]}"]}) == []
        await signing.sign_in(client, f"{served.address}/console", served.sign_in_link("owner"))
        disputed = await client.get(f"{served.address}/console/chargebacks", params={"front_end": "market"})
        assert "dispute-1" in disputed.text
        assert "dispute-2" in disputed.text
        for metric in names:
            seen = await of_the_console(client, served.address, metrics=metric, where="front_end = market")
            shown = float(seen[0][0]) * (100 if metric in AMOUNTS else 1)  # there in dollars
            assert shown == pytest.approx(right[metric], abs=0.51 if metric in AMOUNTS else 1e-6), metric
        seen = await of_the_console(
            client, served.address, metrics="order.line-sales", by="catalog.category.parent", where="front_end = market"
        )
        assert {name: round(float(value) * 100) for name, value in seen} == departments


async def of_the_console(client: httpx.AsyncClient, address: str, **asked: str) -> list[list[str]]:
    """Return the rows that a person downloads from the page *Metrics*."""
    answer = await client.get(f"{address}/console/metrics/answer.csv", params=asked)
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))[1:]


def said(environment: dict[str, str], *words: str) -> str:
    ran = forked.run(words, ROOT, environment)
    assert ran.returncode == 0, ran.stdout[-1000:] + ran.stderr[-2000:]
    return ran.stdout


def test_without_node_the_demo_says_that_its_venture_does_not_sell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said_there = io.StringIO()
    config = load_config(ROOT / "isthmus.toml")
    found, settings, listening = box.prepared(config, 8084, Console(file=said_there, width=200), None)
    assert (found, settings, listening) == (None, config, None), "nothing else changes"
    assert "does not sell here: Node is not installed" in said_there.getvalue()


def test_its_shops_end_with_the_demo_however_that_ends() -> None:
    code = """
import sys, time
from rich.console import Console
from demo import shops
with shops.serving("127.0.0.1", 0, {"brand": "key"}, Console(file=sys.stderr)):
    print("there", flush=True)
    time.sleep(600)
"""
    known = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", code], env=known, stdout=subprocess.PIPE) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline() == b"there\n"
        shops = psutil.Process(demo.pid).children()
        demo.kill()
    assert len(shops) == 1
    assert psutil.wait_procs(shops, 60)[1] == []


def test_goods_that_a_till_counted_as_none_are_in_no_basket_of_the_app() -> None:
    at = datetime(2017, 1, 1, tzinfo=UTC)
    some, none = Line(sku="tea", quantity=1, paid=100, list=100), Line(sku="bag", quantity=0, paid=0, list=0)
    basket = Basket("market", "5", "1", "store-1", at, (some,))
    assert carts.is_filled(basket)
    assert not carts.is_filled(replace(basket, lines=(some, none))), "its line would be refused by the till alone"
    assert not carts.is_filled(replace(basket, lines=(some, some)))
