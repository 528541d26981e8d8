"""`isthmus data …` on a lake that has landed."""

from __future__ import annotations

import asyncio
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pyarrow as pa
import pytest
import typer
from msgspec.structs import replace
from rich.console import Console
from typer.testing import CliRunner

from isthmus.cli.data import commands
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.answers.units import codes_in, units_of
from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Landing
from isthmus.data.lake.retention import Kept
from isthmus.data.lake.tables import Reconciled
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.persons.one_id import Review
from isthmus.data.persons.published import Moved, Moves
from isthmus.data.persons.resolve import Change
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.data.show import show
from isthmus.kernel import errors
from isthmus.markings import Derived, Where

from .conftest import (
    SHOP_METRICS,
    TRAP_METRICS,
    TRAPS_SQL,
    Customer,
    Item,
    Level,
    Member,
    Order,
    Sale,
    Ticket,
    Visit,
    World,
)


class Terminal:
    """The commands over the four trap tables, as files of a lake."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = list(TRAP_METRICS)
        self.kept = Kept()
        self.review = Review(questions=(), waiting=3, changes=(), persons=4, records=5, figures={})
        self.landing = Landing(
            snapshot="1-x", events=3, duplicates=0, quarantined={"orders": 1}, changed={"orders": 2}, figures=()
        )

    def platform(self) -> DataPlatform:
        model = build([(one, "data-team") for one in (Customer, Order, Item, Ticket)], self.metrics)
        lake, receipts = Lake(self.folder, model), Receipts(self.folder / "receipts", self.kept)
        return DataPlatform(
            model=model, lake=lake, metrics=Metrics(model, lake, receipts, secret=b"x"), receipts=receipts,
            policies={"owner": owner()}, event_owners={},
        )  # fmt: skip

    def app(self) -> typer.Typer:
        async def land(_: DataPlatform) -> Landing:
            await asyncio.sleep(0)
            return self.landing

        async def resolve(_: DataPlatform, anew: bool) -> Review:
            await asyncio.sleep(0)
            return msgspec.structs.replace(self.review, waiting=0) if anew else self.review

        return commands(self.platform, land, resolve)

    def run(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner(env={"COLUMNS": "160"}).invoke(self.app(), list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Give the commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("isthmus.cli.data.out.width", 160)
    found = Terminal(tmp_path / "lake")
    _fill(found.platform().lake)
    return found


def _fill(lake: Lake) -> None:
    before = lake.head()
    connection = lake.connect(before)
    connection.execute("create schema arriving; use arriving;" + TRAPS_SQL)
    files = {f"current/{name}": [lake.write(connection, f"from arriving.{name}")] for name in lake.model.entities}
    lake.commit(before, 0, files, datetime(2024, 4, 1, tzinfo=UTC))  # pyright: ignore[reportArgumentType]


def test_a_question_is_answered_as_a_table_with_what_to_know(terminal: Terminal) -> None:
    shown = terminal.run("ask", "amount", "--by", "items.cat", "--where", "orders.status = done")
    assert "amount does not add up over items.cat" in shown
    assert [line.split("│")[1:3] for line in shown.splitlines() if line.startswith("│")] == [
        [" A         ", " 60.00  "], [" B         ", " 70.00  "], ["           ", " 50.00  "],
    ]  # fmt: skip


def test_a_terminal_shows_names_as_they_are_and_says_which_amounts_are_cents(
    traps: World, capsys: pytest.CaptureFixture[str]
) -> None:
    traps.change("update customers set region = '[red] tea [large]' where region = 'W'")
    show(traps.answer("amount", by=("customers.region",)), "table", Console(width=120), {"amount": ("minor", 0)})
    shown = capsys.readouterr().out
    assert "[red] tea [large]" in shown
    assert "amount in minor units of the currency, such as cents" in shown
    show(traps.answer("orders"), "table", Console(width=120), {"orders": ("order", 0)})
    assert "minor" not in capsys.readouterr().out


def test_a_terminal_shows_amounts_in_whole_units_of_their_currency(
    shop: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(form: str, *names: str, **ask: object) -> str:
        answer = shop.answer(*names, **ask)
        units, codes = (of(shop.metrics, answer, owner()) for of in (units_of, codes_in))
        show(answer, form, Console(width=120), units, codes)
        return capsys.readouterr().out

    metrics = [replace(one, unit="minor") if one.name in ("sales", "basket_value") else one for one in SHOP_METRICS]
    shop.model = build([(one, "") for one in (Member, Sale, Visit, Level)], metrics)
    shop.change("update shop.orders set total_minor = total_minor * 100 where id = 1")
    table = shown("table", "sales", "basket_value", "baskets", by=("front_end",))
    assert [one for one in ("sales (EUR)", "1,023.50", "341.17") if one not in table] == []
    assert "minor units" not in table
    assert "1,023.50" in shown("chart", "sales", by=("front_end",))
    assert "102350" in shown("json", "sales", by=("front_end",))
    shop.change(
        "update shop.orders set currency = 'JPY' where id = 4; update shop.orders set currency = 'KWD' where id = 5"
    )
    table = shown("table", "sales", by=("currency",))
    assert [one for one in ("1,023.50", "700 ", "0.090") if one not in table] == []


def test_a_question_is_answered_as_bars_json_sql_and_arrow(terminal: Terminal, tmp_path: Path) -> None:
    assert "█" * 40 in terminal.run("ask", "amount", "--by", "customers.region", "--form", "chart")
    answer = json.loads(terminal.run("ask", "amount", "--form", "json"))
    assert answer["rows"] == [{"amount": 210.0}]
    assert 'from "orders" as r' in terminal.run("ask", "amount", "--form", "sql")
    terminal.run("ask", "amount", "orders", "--form", str(tmp_path / "a.arrow"))
    assert pa.ipc.open_file(str(tmp_path / "a.arrow")).read_all().to_pylist() == [{"amount": 210.0, "orders": 6}]
    with pytest.raises(errors.BadAsk, match="'xml' is no form"):
        terminal.run("ask", "amount", "--form", "xml")


def test_a_receipt_is_computed_again(terminal: Terminal) -> None:
    id = json.loads(terminal.run("ask", "amount", "--by", "customers.region", "--form", "json"))["receipt"]["id"]
    shown = terminal.run("receipt", id, "--sql")
    assert "the same number" in shown
    assert "broken 1: 99" in shown


def test_metrics_are_listed_searched_and_described(terminal: Terminal) -> None:
    assert "ltv" in terminal.run("metrics", "customers", "worth")
    assert "amount_growth" not in terminal.run("metrics", "customers", "worth")
    assert "customers.region" in terminal.run("describe", "qty")
    assert "orders.customer_id" not in terminal.run("describe", "tickets")
    assert "data-team" in terminal.run("describe", "orders")


def test_usage_says_who_asked_how_often_and_when_last_and_checks_are_no_usage(terminal: Terminal) -> None:
    for _ in range(2):
        terminal.run("ask", "amount", "orders")
    terminal.platform().metrics.ask(Ask(metrics=("amount",)), owner(), asker="ada")
    terminal.run("check", code=1)
    rows = [line.split("│")[1:-1] for line in terminal.run("metrics", "--usage").splitlines() if "│" in line]
    shown = [[cell.strip() for cell in row] for row in rows]
    assert [row[:2] + row[3:] for row in shown[:2]] == [
        ["amount", "3", "terminal 2, ada 1"],
        ["orders", "2", "terminal 2"],
    ]
    assert shown[0][2].startswith(str(datetime.now(UTC).year))
    assert ["tickets", "0", "never", ""] in shown


def test_a_stale_lock_fails_and_the_difference_is_shown_in_numbers(terminal: Terminal) -> None:
    with pytest.raises(errors.Conflict, match="is not there"):
        terminal.run("lock", "--check")
    terminal.run("lock")
    assert "is up to date" in terminal.run("lock", "--check")
    assert "no metric computes anything else" in terminal.run("diff")
    terminal.metrics = [one for one in terminal.metrics if one.name not in ("amount_done", "tickets")]
    terminal.metrics.append(Derived(name="amount_done", of="amount", where=Where("orders.status", "=", "new")))
    with pytest.raises(errors.Conflict, match="changed: amount_done, tickets"):
        terminal.run("lock", "--check")
    shown = [[cell.strip() for cell in line.split("│")[1:-1]] for line in terminal.run("diff").splitlines()]
    assert ["amount_done", "changed", "170.0", "40.0"] in shown
    assert ["open_amount", "changed", "40.0", "170.0"] in shown
    assert ["tickets", "removed", "4", "None"] in shown
    assert not any(cells[:1] == ["amount"] for cells in shown)


def test_a_check_names_what_fails(terminal: Terminal) -> None:
    shown = terminal.run("check", code=1)
    assert "the reference of orders.customer_id is broken 1 times: 99" in shown
    assert "1 failures" in shown
    assert "metric 1 of 20: amount" in shown
    found = [json.loads(line) for line in (terminal.folder / "quality.jsonl").read_text().splitlines()]
    assert all(one["holds"] for one in found)
    assert any("does not lose more than half of its rows" in one["rule"] for one in found)


def test_graduate_without_an_address_says_what_to_give(terminal: Terminal) -> None:
    with pytest.raises(errors.BadAsk, match="no address") as refused:
        terminal.run("graduate", "--to", "postgres")
    assert "--url postgresql://" in refused.value.remedy


def test_contracts_and_lineage_are_printed(terminal: Terminal) -> None:
    assert 'apiVersion: "v3.1.0"' in terminal.run("contract", "orders")
    assert json.loads(terminal.run("lineage", "amount"))["eventType"] == "COMPLETE"


def test_a_landing_says_what_it_did_and_fails_where_the_sides_differ(terminal: Terminal) -> None:
    assert "1 row(s) of orders are in quarantine" in terminal.run("land")
    figure = Reconciled(entity="orders", figure="count", business="3", lake="2")
    terminal.landing = Landing(snapshot="1-x", events=0, duplicates=0, quarantined={}, changed={}, figures=(figure,))
    assert "count of orders is 3 in the business and 2 in the lake" in terminal.run("land", code=1)


def test_merges_are_listed_with_the_published_figures_that_they_moved(terminal: Terminal) -> None:
    moved = Moved(
        receipt="0123456789abcdef", policy="owner", metric="people", group={"front_end": "north"}, old=2, new=1
    )
    moves = Moves(moved=(moved,), more=3, receipts=40, figures=6, left=1)
    change = Change(
        id="a", kind="merged", person="p", other="q", records=("north/1",), evidence=("same email",), published=moves,
        at=datetime(2030, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    terminal.review = msgspec.structs.replace(terminal.review, changes=(change,))
    said = " ".join(terminal.run("persons").replace("│", " ").split())
    assert "5 members are 4 persons; 3 pairs wait for a decision" in said
    assert "people, front_end north: 2 → 1" in said
    assert "and 3 numbers more" in said
    assert "6 figures of 40 receipts" in said
    assert "0 pairs wait" in terminal.run("persons", "--resolve")


def test_receipts_are_listed_a_page_at_a_time_and_landing_prunes_the_oldest(terminal: Terminal) -> None:
    for _ in range(52):
        terminal.run("ask", "amount")
    assert terminal.run("receipts").count("amount") == 50
    assert terminal.run("receipts", "--page", "2").count("amount") == 2
    assert "no receipts on page 3" in terminal.run("receipts", "--page", "3")
    terminal.kept = Kept(count=2)
    assert "50 old receipts went" in terminal.run("land")
    assert terminal.run("receipts").count("amount") == 2


def test_the_help_of_each_command_shows_an_example_that_its_options_take(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eurofxref-hist.csv").touch()
    group = cast(Any, typer.main.get_command(terminal.app()))
    for name, command in group.commands.items():
        examples = [line for line in (command.epilog or "").split("\n\n") if line.startswith(f"isthmus data {name}")]
        assert examples, f"isthmus data {name} --help shows no example"
        for example in examples:
            arguments = shlex.split(example.partition(" > ")[0])
            with command.make_context(name, arguments[3:]):  # raises for what is no option or argument of it
                assert f"isthmus data {name}" in terminal.run(name, "--help")


@pytest.mark.parametrize(
    ("arguments", "code", "has"),
    [
        ("ask amount --by items.cat --json", 0, ["rows", "receipt"]),
        ("metrics --json", 0, ["metrics", "attributes"]),
        ("metrics --usage --json", 0, ["amount"]),
        ("describe amount --json", 0, ["name", "owner", "metric", "by"]),
        ("describe items --json", 0, ["name", "table", "fields", "references"]),
        ("persons --json", 0, ["records", "persons", "changes"]),
        ("check --json", 1, ["rules", "metrics", "failures"]),
    ],
)
def test_what_is_looked_up_is_said_as_json_too(terminal: Terminal, arguments: str, code: int, has: list[str]) -> None:
    printed = msgspec.json.decode(terminal.run(*arguments.split(), code=code).splitlines()[-1])
    assert [name for name in has if name not in printed] == []


def test_lists_are_lists_as_json_too(terminal: Terminal) -> None:
    terminal.run("ask", "amount")
    (receipt,) = msgspec.json.decode(terminal.run("receipts", "--json"))
    kept = msgspec.json.decode(terminal.run("receipt", receipt["id"], "--json"))
    assert (kept["again"]["is_same"], kept["receipt"]["id"]) == (True, receipt["id"])
    terminal.run("lock")
    for empty in ("diff", "questions"):
        assert msgspec.json.decode(terminal.run(empty, "--json")) == []
    found = msgspec.json.decode(terminal.run("find", "amount", "--json"))
    assert ("metric", "amount") in {(one["kind"], one["name"]) for one in found}
