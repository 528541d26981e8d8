"""The bill in FOCUS columns adds up to the price of the month, and each row says whose it is."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.console import focus
from isthmus.flows.closing import api as closing
from isthmus.governance.cost.bill import bill
from isthmus.governance.cost.inputs import Inputs, Price
from isthmus.governance.cost.report import Costs
from isthmus.governance.cost.used import Capacity, Use

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
VALIDATOR = "ISTHMUS_FOCUS_VALIDATOR"  # where focus-validator 1.0.0 is: it wants an environment of its own


def use(calls: int, us: float) -> Use:
    return Use(calls=calls, took_us=round(us), cpu_us=us, db_us=us, rows=0, events=0, metered=1)


def costs(month: Price | None, uses: Mapping[tuple[str, str], Use], capacity: Capacity) -> Costs:
    inputs = Inputs(month=month)
    divided = bill(inputs, uses, capacity, {"north": 1.0}, {"south": 5e5}, {"north": {"till": 3 << 30}}, 4 << 30)
    return Costs(
        inputs=inputs, uses=uses, bill=divided, capacity=capacity, stored={}, orders={}, alternatives=(), saved=None
    )


USES = {("north", "pricing.quote"): use(10, 2_000_000), ("south", "pricing.quote"): use(5, 1_000_000)}
CAPACITY = Capacity(ran_us=9_500_000, cpu_us=4_000_000, peak=0.6)


def test_each_row_says_who_called_what_and_what_it_costs(tmp_path: Path):
    file = tmp_path / "bill.csv"
    assert focus.write(file, costs(Price(currency="EUR", minor=120_000), USES, CAPACITY), NOON) == 10
    rows = {(one["SubAccountId"], one["x_part"]): one for one in csv.DictReader(file.open())}
    north = rows["north", "processor"]
    assert [north[name] for name in ("ServiceName", "ResourceId", "x_calls", "ConsumedQuantity", "ConsumedUnit")] == [
        "pricing", "pricing.quote", "10", "2.000000000", "Seconds",
    ]  # fmt: skip
    assert (north["EffectiveCost"], north["x_method"]) == ("120.000000000", "processor-time-v1")
    assert (rows["north", "peak"]["x_method"], rows["north", "peak"]["ResourceId"]) == ("coincident-peak-v1", "peak")
    assert rows["north", "storage"]["EffectiveCost"] == "180.000000000"
    assert {part for account, part in rows if account == "platform"} == {"overhead", "idle", "shared"}
    assert (north["ChargePeriodStart"], north["ChargePeriodEnd"]) == ("2026-04-04T12:00:00Z", "2026-05-04T12:00:00Z")


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any),
    st.integers(1, 10**9),
    st.sampled_from(["EUR", "JPY"]),
)
def test_the_rows_add_up_to_the_price_of_the_month(took: list[int], minor: int, currency: str):
    uses = {("north", f"till.c{at}"): use(1, one) for at, one in enumerate(took)}
    said = Price(currency=currency, minor=minor)
    total = sum(Decimal(one["BilledCost"]) for one in focus.rows(costs(said, uses, CAPACITY), said, NOON))
    assert total == Decimal(minor).scaleb(-2 if currency == "EUR" else 0)


def test_the_books_get_a_row_for_each_pack_and_the_platforms_own_stays_with_who_paid():
    ask = focus.allocation(costs(Price(currency="EUR", minor=120_000), USES, CAPACITY), "group", NOON)
    rows = {(one["sub_account_id"], one["service_name"]): Decimal(one["effective_cost"]) for one in ask["rows"]}
    assert len(rows) == len(ask["rows"])
    assert set(rows) == {
        ("north", "pricing"), ("north", "till"), ("north", "platform"), ("south", "pricing"), ("group", "platform"),
    }  # fmt: skip
    assert abs(sum(rows.values()) - 1) < Decimal("0.0000001")
    asked = msgspec.convert(ask, closing.AllocateCost, strict=False)
    assert (asked.billed.minor, asked.until) == (120_000, NOON.date())


def test_without_a_price_there_is_no_bill(tmp_path: Path):
    with pytest.raises(focus.NoPrice, match="month"):
        focus.write(tmp_path / "bill.csv", costs(None, USES, CAPACITY), NOON)


def test_the_validator_of_the_finops_foundation_accepts_the_bill(tmp_path: Path):
    program = os.environ.get(VALIDATOR) or shutil.which("focus-validator")
    if not program:
        pytest.skip(f"set {VALIDATOR} to a focus-validator 1.0.0, which wants an environment of its own")
    focus.write(tmp_path / "bill.csv", costs(Price(currency="EUR", minor=120_000), USES, CAPACITY), NOON)
    currencies = next(Path(program).resolve().parents[1].rglob("currency_codes.csv"))
    there = tmp_path / "focus_validator" / "utils"  # where it looks, below the folder that it runs in
    there.mkdir(parents=True)
    shutil.copy(currencies, there / currencies.name)
    command = [program, "--data-file", "bill.csv", "--validate-version", "1.0"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Validation succeeded" in ended.stdout + ended.stderr, ended.stdout[-3_000:] + ended.stderr[-2_000:]
