"""The bill in FOCUS columns adds up to the price of the month, and each row says whose it is."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.console import focus
from isthmus.console.pages.cost import price
from isthmus.governance.counters import CallCount

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TALLIES = {
    ("north", "pricing.quote"): CallCount(calls=10, took_us=2_000_000),
    ("south", "pricing.quote"): CallCount(calls=5, took_us=1_000_000),
}


def test_each_row_says_who_called_what_and_what_it_costs(tmp_path: Path):
    file = tmp_path / "bill.csv"
    assert focus.write(file, TALLIES, price("1200 EUR"), NOON) == 2
    first, second = list(csv.DictReader(file.open()))
    assert [first[name] for name in ("SubAccountId", "ServiceName", "ResourceId", "x_calls", "ConsumedQuantity")] == [
        "north", "pricing", "pricing.quote", "10", "2.000000",
    ]  # fmt: skip
    assert (first["EffectiveCost"], first["BillingCurrency"], second["EffectiveCost"]) == (
        "800.000000000", "EUR", "400.000000000",
    )  # fmt: skip
    assert (first["ChargePeriodStart"], first["ChargePeriodEnd"]) == ("2026-04-04T12:00:00Z", "2026-05-04T12:00:00Z")


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any),
    st.integers(1, 10**9),
    st.sampled_from(["EUR", "JPY"]),
)
def test_the_rows_add_up_to_the_price_of_the_month(took: list[int], minor: int, currency: str):
    tallies = {("north", f"till.c{at}"): CallCount(calls=1, took_us=one) for at, one in enumerate(took)}
    said = focus.Price(currency=currency, minor=minor)
    total = sum(Decimal(one["BilledCost"]) for one in focus.rows(tallies, said, NOON))
    assert total == Decimal(minor).scaleb(-2 if currency == "EUR" else 0)


def test_without_a_price_there_is_no_bill(tmp_path: Path):
    with pytest.raises(focus.NoPrice, match="month"):
        focus.write(tmp_path / "bill.csv", TALLIES, None, NOON)
