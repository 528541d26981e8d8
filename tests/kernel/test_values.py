"""Money loses nothing: not when it is split, not when it is rounded, not in any currency."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import values
from isthmus.values import CURRENCIES, CurrencyMismatch, Rounding, allocated, decimals, money, rounded

LIST_ONE = 178  # codes in ISO 4217, List One of 2026-01-01
AMOUNTS = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=30)


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_allocation_loses_nothing_and_no_part_has_another_sign(amount, weights):
    parts = allocated(amount, weights)
    assert sum(parts) == amount
    assert len(parts) == len(weights)
    assert all(part * amount >= 0 for part in parts)


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_each_part_is_less_than_one_unit_from_its_exact_share(amount, weights):
    shares = weights if any(weights) else [1] * len(weights)
    for part, share in zip(allocated(amount, weights), shares, strict=True):
        assert abs(part - Fraction(amount * share, sum(shares))) < 1


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_a_refund_is_split_as_the_charge_was(amount, weights):
    assert allocated(-amount, weights) == tuple(-part for part in allocated(amount, weights))


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, [1, 1, 1], (34, 33, 33)),
        (-100, [1, 1, 1], (-34, -33, -33)),
        (5, [0, 0], (3, 2)),
        (1, [0, 1], (0, 1)),
        (10, [3, 0, 7], (3, 0, 7)),
        (0, [5], (0,)),
    ],
)
def test_remainders_go_to_the_largest_and_then_the_earlier(amount, weights, parts):
    assert allocated(amount, weights) == parts


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        # Foemmel's conundrum: five cents by 30 and 70 percent (Fowler, Patterns of Enterprise Application Architecture)
        (5, [3, 7], (2, 3)),
        (5, [7, 3], (4, 1)),
        (100, [1, 1, 1], (34, 33, 33)),
        # Ten seats by the Hare quota, as encyclopaedias have it under the method of largest remainders
        (10, [47_000, 16_000, 15_900, 12_000, 6_000, 3_100], (5, 2, 1, 1, 1, 0)),
        # Hamilton's method and the Alabama paradox: one more to divide takes one from the smallest
        (10, [6, 6, 2], (4, 4, 2)),
        (11, [6, 6, 2], (5, 5, 1)),
    ],
)
def test_allocation_answers_as_cases_from_outside_say(amount, weights, parts):
    assert allocated(amount, weights) == parts


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_there_is_no_allocation_over_nothing_or_less(weights):
    with pytest.raises(ValueError, match="cannot allocate 5 over weights"):
        allocated(5, weights)


@pytest.mark.parametrize(
    ("halves", "half_up", "half_even", "down", "up"),
    [
        ("1/2", 1, 0, 0, 1),
        ("3/2", 2, 2, 1, 2),
        ("5/2", 3, 2, 2, 3),
        ("7/3", 2, 2, 2, 3),
        ("8/3", 3, 3, 2, 3),
        ("2", 2, 2, 2, 2),
        ("0", 0, 0, 0, 0),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_rounding_does_what_its_table_says_on_both_sides_of_nought(halves, half_up, half_even, down, up, sign):
    exact = sign * Fraction(halves)
    modes = (Rounding.HALF_UP, Rounding.HALF_EVEN, Rounding.DOWN, Rounding.UP)
    assert [rounded(exact, mode) for mode in modes] == [sign * one for one in (half_up, half_even, down, up)]


@given(exact=st.fractions(), mode=st.sampled_from(Rounding))
def test_rounding_moves_less_than_one_unit(exact, mode):
    assert abs(rounded(exact, mode) - exact) < 1


@pytest.mark.parametrize(
    ("currency", "places", "text"),
    [
        ("JPY", 0, "1234 JPY"),
        ("USD", 2, "12.34 USD"),
        ("KWD", 3, "1.234 KWD"),
        ("TND", 3, "1.234 TND"),
        ("CLF", 4, "0.1234 CLF"),
        ("UYW", 4, "0.1234 UYW"),
        ("XCG", 2, "12.34 XCG"),
        ("XAU", 0, "1234 XAU"),
    ],
)
def test_minor_units_are_those_of_the_currency(currency, places, text):
    assert decimals(currency) == places
    assert str(money(1234, currency)) == text
    assert str(money(-5, currency)).startswith("-")


def test_the_table_of_currencies_is_the_whole_of_iso_4217_and_each_code_stands_once():
    listed = [code for codes in values._CODES_BY_DECIMALS.values() for code in codes.split()]
    assert len(listed) == len(set(listed)) == len(CURRENCIES) == LIST_ONE
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in listed)


@given(currency=st.sampled_from(sorted(CURRENCIES)), minor=AMOUNTS)
def test_an_amount_that_is_written_reads_back_to_the_last_minor_unit(currency, minor):
    written, _, code = str(money(minor, currency)).partition(" ")
    assert code == currency
    assert Decimal(written).scaleb(decimals(currency)) == minor


def test_amounts_multiply_exactly_and_round_once():
    assert money(333, "EUR").times(Fraction(1, 2)) == money(167, "EUR")
    assert money(333, "EUR").times(Fraction(1, 2), Rounding.DOWN) == money(166, "EUR")
    assert money(10, "EUR").allocate([1, 2]) == (money(3, "EUR"), money(7, "EUR"))


@pytest.mark.parametrize(
    "mix",
    [
        lambda one, other: one + other,
        lambda one, other: one - other,
        lambda one, other: one < other,
        lambda one, other: one <= other,
        lambda one, other: one > other,
        lambda one, other: one >= other,
        lambda one, other: min(one, other),
    ],
)
def test_two_currencies_never_mix(mix):
    with pytest.raises(CurrencyMismatch, match=r"5\.00 EUR and 5\.00 USD|5\.00 USD and 5\.00 EUR"):
        mix(money(500, "EUR"), money(500, "USD"))


def test_amounts_of_one_currency_are_ordered():
    small, large = money(1, "EUR"), money(2, "EUR")
    assert small < large
    assert large > small
    assert small <= small
    assert max(small, large) == large
    assert -small + large == small
