"""What a line costs: exact, rounded once, never below zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import ALLOW, PASS, errors, veto
from isthmus.packs.pricing import api, rules
from isthmus.values import Rounding, money

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PRICE_ID = UUID(int=7)


def entry(**fields: object) -> api.PriceEntry:
    known = {"sku": "tea", "currency": "USD", "amount": 500, "valid_from": NOW}
    return api.PriceEntry(**{**known, **fields})  # type: ignore[arg-type]


def listed(quantity: int = 1, **fields: object) -> api.ListedLine:
    return rules.listed_line(api.QuoteLine(sku="tea", quantity=quantity), entry(**fields), NOW, {})


def priced(line: api.ListedLine, is_sale: bool = True, unit: object = PASS) -> api.PricedLine:
    return rules.priced_line(line, PRICE_ID, is_sale, unit, api.LineRounding())  # type: ignore[arg-type]


def test_three_for_five_is_exact() -> None:
    line = priced(listed(3, amount=500, per=3))
    assert (line.amount, line.list_amount, line.unit_price) == (money(500, "USD"), money(500, "USD"), money(167, "USD"))


def test_goods_by_weight_are_rounded_once_for_the_line() -> None:
    assert priced(listed(1_234, amount=129, per=100)).amount == money(1592, "USD")  # 1591.86


def test_a_sale_price_is_explained_against_the_shelf_price() -> None:
    line = priced(listed(2, amount=500, sale_amount=399))
    assert (line.list_amount.minor, line.amount.minor) == (1000, 798)
    (why,) = line.applied
    assert (why.reason, why.amount) == ("sale price", money(-202, "USD"))


def test_who_is_not_granted_the_sale_price_pays_the_shelf_price() -> None:
    line = priced(listed(2, amount=500, sale_amount=399), is_sale=False)
    assert (line.amount.minor, line.applied) == (1000, ())


def test_a_replaced_price_goes_before_the_sale_price_and_leaves_the_shelf_price() -> None:
    unit = api.UnitPrice(amount=money(1000, "USD"), per=3, by="north", reason="gold price")
    line = priced(listed(2, amount=500, sale_amount=399), unit=unit)
    assert (line.list_amount.minor, line.amount.minor, line.unit_price.minor) == (1000, 667, 333)
    assert (line.applied[0].by, line.applied[0].amount) == ("north", money(-333, "USD"))


@pytest.mark.parametrize("wrong", [money(-1, "USD"), money(100, "EUR")])
def test_a_replacement_below_zero_or_in_another_currency_is_a_fault_that_names_who_gave_it(wrong: object) -> None:
    unit = api.UnitPrice(amount=wrong, by="north", reason="wrong")  # type: ignore[arg-type]
    with pytest.raises(errors.AnswerFailed, match=r"'north' set the price of SKU 'tea' to"):
        priced(listed(), unit=unit)


def test_amounts_can_be_rounded_to_what_coins_there_are() -> None:
    coins = api.LineRounding(rounding=Rounding.HALF_UP, step=5)
    assert rules.line_amount(money(1, "CHF"), 1, 123, coins) == money(125, "CHF")


@given(
    amount=st.integers(0, api.AMOUNT_MAX),
    per=st.integers(1, 1_000_000),
    quantity=st.integers(1, 1_000_000),
    rounding=st.sampled_from(list(Rounding)),
    step=st.integers(1, 100),
)
def test_a_line_is_never_below_zero_and_less_than_a_step_from_the_exact_amount(
    amount: int, per: int, quantity: int, rounding: Rounding, step: int
) -> None:
    line = rules.line_amount(money(amount, "JPY"), per, quantity, api.LineRounding(rounding=rounding, step=step))
    assert line.minor >= 0
    assert line.minor % step == 0
    assert abs(line.minor - Fraction(amount * quantity, per)) < step


@given(amount=st.integers(0, 10**6), off=st.integers(0, 10**6), per=st.integers(1, 50), quantity=st.integers(1, 500))
def test_a_sale_price_never_costs_more_than_the_shelf_price(amount: int, off: int, per: int, quantity: int) -> None:
    line = priced(listed(quantity, amount=amount, sale_amount=max(0, amount - off), per=per))
    assert 0 <= line.amount.minor <= line.list_amount.minor
    assert line.amount.minor - line.list_amount.minor == sum(why.amount.minor for why in line.applied if why.amount)


def test_every_wrong_price_is_named_with_its_path() -> None:
    prices = [
        entry(valid_to=NOW),
        entry(sku="jam", sale_amount=501),
        entry(),
        entry(sku="rum"),
    ]
    verdicts = [ALLOW, ALLOW, ALLOW, veto("ends in 00", path=".amount")]
    faults = list(rules.price_faults(prices, verdicts))
    assert [(fault["path"], fault["sku"]) for fault in faults] == [
        ("$.prices[0].valid_to", "tea"),
        ("$.prices[1].sale_amount", "jam"),
        ("$.prices[2]", "tea"),
        ("$.prices[3].amount", "rum"),
    ]
    assert faults[2]["reason"] == "$.prices[0] has the same key"


def test_prices_of_different_times_do_not_meet() -> None:
    prices = [entry(), entry(valid_from=NOW + timedelta(days=1))]
    assert list(rules.price_faults(prices, [ALLOW, ALLOW])) == []
