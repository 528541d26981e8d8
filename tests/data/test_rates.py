"""Amounts of several currencies in one: by the rates of the day, exact, or refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, NoReturn

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from isthmus.cli.data import commands
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.errors import BadMetric, BadRates, MixedCurrencies, NeedsTime, NoRate
from isthmus.data.lake.lake import RATE_COLUMNS, Lake
from isthmus.data.lake.rates import keep_rates, read_rates
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.data.query.plan import amounts, plan, settled
from isthmus.data.query.sql import statement
from isthmus.kernel import Value, errors
from isthmus.markings import Atomic, Cumulative, Dimension, Key, Measure, PeriodOverPeriod, Where, entity
from isthmus.values import decimals, rounded

from .conftest import NOW, SHOP_METRICS, SHOP_SQL, Level, Member, Sale, Visit

ECB = """Date, USD, JPY, KWD, CYP, 
2024-03-29, 1.0811, 163.45, 0.3321, N/A, 
2024-03-01, 1.0830, 162.93, 0.3334, N/A, 
2024-02-09, 1.0772, 160.98, 0.3316, N/A, 
"""  # noqa: W291 (as the bank writes it)
METRICS = [
    *SHOP_METRICS,
    Cumulative(name="sales_so_far", of="sales"),
    PeriodOverPeriod(name="sales_before", of="sales", period="month", show="before"),
]
MIXED = """
update shop.orders set currency = 'USD' where id = 1;
update shop.orders set currency = 'JPY', total_minor = 20501 where id = 2;
update shop.orders set currency = 'KWD' where id = 4;
"""


class Shop:
    """A shop that sells in four currencies, as a lake."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        model = build([(one, "data-team") for one in (Member, Sale, Visit, Level)], METRICS)
        self.lake, receipts = Lake(folder / "lake", model), Receipts(folder / "receipts")
        with self.lake.connect(self.lake.head()) as connection:
            connection.execute("attach ':memory:' as arriving; use arriving;" + SHOP_SQL + MIXED)
            files = {
                f"current/{entity.name}": [file]
                for entity in model.entities.values()
                if (file := self.lake.write(connection, f"select * from arriving.{entity.table}"))
            }
        self.lake.commit(self.lake.head(), 0, files, NOW)
        self.platform = DataPlatform(
            model=model, lake=self.lake, receipts=receipts, policies={"owner": owner()}, event_owners={},
            metrics=Metrics(model, self.lake, receipts, secret=b"x", now=lambda: NOW),
        )  # fmt: skip

    def bring(self, text: str = ECB, *, carry_days: int = 0, name: str = "ecb") -> str:
        place = self.folder / "rates.csv"
        place.write_text(text)
        return keep_rates(self.lake, place, NOW, name=name, carry_days=carry_days).source

    def rows(self, *metrics: str, **ask: object) -> list[tuple[object, ...]]:
        answer = self.platform.metrics.ask(Ask(metrics=metrics, **ask), owner())  # pyright: ignore[reportArgumentType]
        self.receipt = answer.receipt
        return [tuple(row[name] for name in answer.columns) for row in answer.rows]


@pytest.fixture
def selling(tmp_path: Path) -> Shop:
    """Give the shop that sells in four currencies."""
    return Shop(tmp_path)


def half_up(minor: int, currency: str, to: str, rates: dict[str, str]) -> int:
    """Return an amount in another currency, by fractions."""
    factor = Fraction(rates[to]) / Fraction(rates[currency]) * Fraction(10) ** (decimals(to) - decimals(currency))
    return rounded(minor * factor)


def test_without_a_currency_amounts_of_several_stay_refused_and_the_remedy_says_how_to_convert(selling: Shop) -> None:
    with pytest.raises(MixedCurrencies) as refused:
        selling.rows("sales")
    assert "--in EUR" in refused.value.remedy


def test_a_day_without_a_rate_refuses_the_answer_and_is_named(selling: Shop) -> None:
    with pytest.raises(NoRate, match="no rate to EUR for 2024-02-10 KWD, 2024-03-01 USD, 2024-03-30 JPY"):
        selling.rows("sales", currency="EUR")
    selling.bring()
    with pytest.raises(NoRate, match=r"for 2024-02-10 KWD, 2024-03-30 JPY;") as refused:
        selling.rows("sales", currency="EUR")
    assert "isthmus data rates" in refused.value.remedy
    south = (Where("front_end", "=", "south"),)
    with pytest.raises(NoRate, match=r"for 2024-02-10 KWD;"):  # only what the answer counts
        selling.rows("sales", currency="EUR", where=south)


def test_a_day_is_named_once_however_many_rows_lack_it() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "set TimeZone = 'UTC'; create schema lake;" + SHOP_SQL + "update shop.orders set currency = 'USD'"
        )
        columns = ", ".join(f"{name} {kind}" for name, kind in RATE_COLUMNS.items())
        connection.execute(f"create table lake.rates ({columns}); update shop.orders set placed_at = '2024-03-01'")
        model = build([(one, "data-team") for one in (Member, Sale, Visit, Level)], METRICS)
        written = statement(model, plan(model, Ask(metrics=("sales",), currency="EUR"), NOW))
        assert DuckReader(connection, "one").rows(written.lacking, written.parameters) == [
            {"lacking": "2024-03-01 USD"}
        ]


def test_amounts_are_converted_by_the_rate_of_their_day_and_groups_add_up(selling: Shop) -> None:
    source = selling.bring(carry_days=4)
    usd = half_up(1000, "USD", "EUR", {"USD": "1.0830", "EUR": "1"})
    jpy = half_up(20501, "JPY", "EUR", {"JPY": "163.45", "EUR": "1"})  # Saturday: Friday's rate is carried
    kwd = half_up(700, "KWD", "EUR", {"KWD": "0.3316", "EUR": "1"})
    assert selling.rows("sales", by=("shop.order.currency",), currency="EUR") == [
        ("EUR", 390), ("JPY", jpy), ("KWD", kwd), ("USD", usd)
    ]  # fmt: skip
    assert selling.rows("sales", currency="EUR") == [(390 + jpy + kwd + usd,)]
    assert selling.receipt.rates == (source,)
    assert selling.rows("basket_value", currency="EUR") == [((390 + jpy + kwd + usd) / 5,)]
    assert selling.rows("baskets", currency="EUR") == [(5,)]


def test_the_day_of_a_rate_is_of_utc_whoever_asks(selling: Shop) -> None:
    selling.bring(carry_days=4)
    total = selling.rows("sales", currency="USD", where=(Where("shop.order.id", "=", 2),))
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        assert selling.rows("sales", currency="USD", where=(Where("shop.order.id", "=", 2),), timezone=zone) == total


def test_a_receipt_gives_the_same_number_after_rates_were_replaced(selling: Shop) -> None:
    selling.bring(carry_days=4)
    before = selling.rows("sales", currency="EUR")
    id = selling.receipt.id
    selling.bring(ECB.replace("1.0830", "2.1660"), carry_days=4)
    assert selling.rows("sales", currency="EUR") != before
    assert selling.platform.metrics.rerun(id, selling.platform.policies).is_same


def test_metrics_that_run_over_time_are_converted_too(selling: Shop) -> None:
    selling.bring(carry_days=4)
    total = selling.rows("sales", currency="EUR")[0][0]
    assert sum(int(str(row[1])) for row in selling.rows("sales_by_day", currency="EUR")) == total
    assert selling.rows("sales_so_far", by=("time:month",), currency="EUR")[-1][1] == total
    february = selling.rows("sales", by=("time:month",), currency="EUR")[0][1]
    assert selling.rows("sales_before", by=("time:month",), currency="EUR")[-1] == (date(2024, 3, 1), february)


def test_a_file_replaces_days_that_it_has_and_keeps_the_others(selling: Shop) -> None:
    selling.bring()
    selling.bring("day,base,currency,rate\n2024-03-01,EUR,USD,2\n2024-03-02,EUR,USD,4\n", name="desk")
    rows = selling.lake.newest().read("select day, rate from lake.rates where currency = 'USD' order by day")
    assert [(row["day"], row["rate"]) for row in rows.to_pylist()] == [
        (date(2024, 2, 9), Decimal("1.0772000000")), (date(2024, 3, 1), 2), (date(2024, 3, 2), 4),
        (date(2024, 3, 29), Decimal("1.0811000000")),
    ]  # fmt: skip


def test_rates_of_another_base_are_refused(selling: Shop) -> None:
    selling.bring()
    with pytest.raises(BadRates, match="for one EUR, and these for one USD"):
        selling.bring("day,base,currency,rate\n2024-03-01,USD,EUR,0.9\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when,what\n1,2\n", "the columns when, what holds no rates"),
        ("day,base,currency,rate\n", "the file has no rate"),
        ("day,base,currency,rate\n2024-03-01,EUR,USD,1.1\n2024-03-01,EUR,USD,1.2\n", "line 3: USD has a second rate"),
        ("day,base,currency,rate\n2024-03-01,EUR,USD,0\n", "line 2: 0 USD for one EUR is no rate"),
        ("day,base,currency,rate\n2024-03-01,EUR,USD,NaN\n", "line 2: NaN USD"),
        ("day,base,currency,rate\n2024-03-01,EUR,usd,1.1\n", "line 2: 1.1 usd"),
        ("day,base,currency,rate\n2024-13-01,EUR,USD,1.1\n", "line 2: 2024-13-01, USD, 1.1 is no day with a rate"),
        ("day,base,currency,rate\n2024-03-01,EUR,USD,1.1\n2024-03-02,USD,EUR,1.1\n", "line 3: USD is a second base"),
    ],
)
def test_a_file_that_holds_no_rates_is_refused_with_the_line(text: str, said: str) -> None:
    with pytest.raises(BadRates, match=said):
        list(read_rates(text))


def test_what_is_no_currency_is_refused(selling: Shop) -> None:
    for wrong in ("euro", "eur", "' or 1"):
        with pytest.raises(errors.BadAsk, match="is no currency"):
            selling.rows("sales", currency=wrong)


@entity("till", table="till")
class Till(Value):
    """What lies in a till: an amount with decimals, and one in cents without a day."""

    id: Annotated[int, Key()]
    currency: Annotated[str, Dimension()]
    change: Annotated[Decimal, Measure(currency="currency")]
    float_minor: Annotated[int, Measure(unit="minor", currency="currency")]


def test_what_can_not_be_converted_says_why_and_counts_need_no_rate(selling: Shop) -> None:
    selling.bring()
    assert selling.rows("counted_stock", "baskets", currency="EUR") == selling.rows("counted_stock", "baskets")
    tills = [Atomic(name="change", measure="till.change"), Atomic(name="float", measure="till.float_minor")]
    model = build([(Till, "data-team")], tills)
    for name, refused, said in (
        ("change", BadMetric, "only whole minor units are converted"),
        ("float", NeedsTime, "till.float_minor has no day to take a rate of"),
    ):
        with pytest.raises(refused, match=said):
            statement(model, plan(model, Ask(metrics=(name,), currency="EUR"), NOW))


def test_rates_come_by_the_command_line_and_questions_are_asked_in_a_currency(
    selling: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.cli.data.out.width", 160)
    (tmp_path / "eurofxref-hist.csv").write_text(ECB)
    app = commands(lambda: selling.platform, _unasked, _unasked)
    run = CliRunner(env={"COLUMNS": "160"}).invoke
    shown = run(app, ["rates", str(tmp_path / "eurofxref-hist.csv"), "--carry", "4"]).output
    assert "of 4 currencies on 15 days, from eurofxref-hist.csv@" in shown.replace("\n", " ")
    assert "amounts are in EUR, by the rates of eurofxref" in run(app, ["ask", "sales", "--in", "EUR"]).output
    answer = json.loads(run(app, ["ask", "sales", "--in", "EUR", "--form", "json"]).output)
    assert answer["rows"] == [{"sales": selling.rows("sales", currency="EUR")[0][0]}]
    assert "eurofxref-hist.csv@" in run(app, ["receipt", answer["receipt"]["id"]]).output


CODES = ("EUR", "USD", "JPY", "KWD")
DAYS = [date(2024, 1, 1) + timedelta(days=at) for at in range(3)]
rate = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(9_999), places=6)
amount = st.integers(min_value=-(10**9), max_value=10**9)


def converted_total(connection: duckdb.DuckDBPyConnection, to: str) -> object:
    model = build([(one, "data-team") for one in (Member, Sale, Visit, Level)], METRICS)
    drafted = plan(model, Ask(metrics=("sales",), currency=to), NOW)
    planned = settled(drafted, frozenset(one for together in amounts(drafted) for one in together))
    written = statement(model, planned)
    return connection.execute(written.sql, list(written.parameters)).fetchall()[0][0]


@settings(max_examples=60, deadline=None)
@given(
    rates=st.lists(st.tuples(rate, rate, rate), min_size=3, max_size=3),
    sold=st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(DAYS), amount), min_size=1, max_size=8),
    to=st.sampled_from(CODES),
)
def test_a_total_is_the_sum_of_rows_converted_by_exact_fractions(
    rates: list[tuple[Decimal, ...]], sold: list[tuple[str, date, int]], to: str
) -> None:
    by_day = {
        day: {"EUR": "1", **dict(zip(CODES[1:], map(str, three), strict=True))}
        for day, three in zip(DAYS, rates, strict=True)
    }
    with duckdb.connect() as connection:
        connection.execute(SHOP_SQL + "delete from shop.orders; create schema lake;")
        columns = ", ".join(f"{name} {kind}" for name, kind in RATE_COLUMNS.items())
        connection.execute(f"create table lake.rates ({columns})")
        for day, known in by_day.items():
            for code, found in known.items():
                row = [day, "EUR", code, found, decimals(code), day, "test"]
                connection.execute("insert into lake.rates values (?, ?, ?, cast(? as decimal(20, 10)), ?, ?, ?)", row)
        for id, (code, day, minor) in enumerate(sold):
            when = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
            connection.execute(
                "insert into shop.orders values (?, 'north', null, null, ?, ?, ?)", [id, code, minor, when]
            )
        expected = sum(minor if code == to else half_up(minor, code, to, by_day[day]) for code, day, minor in sold)
        assert converted_total(connection, to) == expected


def _unasked(*_: object) -> NoReturn:
    raise AssertionError
