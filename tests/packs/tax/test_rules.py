"""Tax: which rates fall on a line, and amounts that add up to the minor unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.tax import api, rules
from isthmus.values import Rounding, money, rounded

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def line(minor: int, category: str = "food") -> api.TaxLine:
    return api.TaxLine(sku="tea", quantity=1, tax_category=category, amount=money(minor, "EUR"))


def chosen(*rates: int) -> tuple[api.ChosenRate, ...]:
    return tuple(
        api.ChosenRate(name=f"tax-{number}", rate_ppm=rate, jurisdiction="DE") for number, rate in enumerate(rates)
    )


def place(**fields: object) -> api.Jurisdiction:
    return api.Jurisdiction(code="DE", **fields)  # type: ignore[arg-type]


def entry(jurisdiction: str, name: str, ppm: int, category: str = "", days: int = 0) -> api.RateEntry:
    start = NOW + timedelta(days=days)
    return api.RateEntry(jurisdiction=jurisdiction, name=name, rate_ppm=ppm, tax_category=category, valid_from=start)


def test_a_jurisdiction_lies_in_those_that_its_code_begins_with() -> None:
    assert rules.chain("US-OH-CUYAHOGA") == ("US-OH-CUYAHOGA", "US-OH", "US")


def test_taxes_of_different_names_add_up_and_of_one_name_the_narrowest_counts() -> None:
    entries = [entry("CA", "gst", 50_000), entry("CA-BC", "pst", 70_000), entry("CA-BC", "gst", 40_000)]
    found = rules.rates_for("food", entries, rules.chain("CA-BC"))
    assert [(rate.name, rate.rate_ppm) for rate in found] == [("gst", 40_000), ("pst", 70_000)]


def test_the_rate_of_a_category_goes_before_the_one_for_all_and_a_later_one_before_an_earlier() -> None:
    entries = [
        entry("DE", "vat", 190_000),
        entry("DE", "vat", 70_000, "food", -9),
        entry("DE", "vat", 50_000, "food", -1),
    ]
    assert [rate.rate_ppm for rate in rules.rates_for("food", entries, ("DE",))] == [50_000]
    assert [rate.rate_ppm for rate in rules.rates_for("toys", entries, ("DE",))] == [190_000]


def test_tax_that_is_not_included_is_added() -> None:
    (taxed,) = rules.taxed([rules.Rated(line(1000), chosen(57_500, 22_500))], place())
    assert (taxed.net.minor, taxed.tax.minor, taxed.gross.minor) == (1000, 81, 1081)  # 57.5 and 22.5, each rounded up
    assert [rate.tax.minor for rate in taxed.rates] == [58, 23]


def test_tax_that_is_included_is_taken_out() -> None:
    (taxed,) = rules.taxed([rules.Rated(line(11_900), chosen(190_000))], place(prices_include_tax=True))
    assert (taxed.net.minor, taxed.tax.minor, taxed.gross.minor) == (10_000, 1_900, 11_900)


def test_rounding_per_rate_differs_from_rounding_per_line_and_says_which() -> None:
    lines = [rules.Rated(line(10), chosen(50_000)) for _ in range(3)]  # 0.5 each, 1.5 together
    per_line = rules.taxed(lines, place(rounded_per="line"))
    per_rate = rules.taxed(lines, place(rounded_per="rate"))
    assert [one.tax.minor for one in per_line] == [1, 1, 1]
    assert [one.tax.minor for one in per_rate] == [1, 1, 0]
    (total,) = rules.summary(per_rate, "EUR")
    assert (total.net.minor, total.tax.minor) == (30, 2)


def test_an_exempt_line_bears_no_tax_and_keeps_the_reason() -> None:
    (taxed,) = rules.taxed([rules.Rated(line(1000), (), "resells")], place(prices_include_tax=True))
    assert (taxed.net, taxed.tax.minor, taxed.gross, taxed.exempt_because) == (
        money(1000, "EUR"),
        0,
        taxed.net,
        "resells",
    )


@pytest.mark.parametrize(
    ("rounding", "tax"), [(Rounding.HALF_UP, 3), (Rounding.HALF_EVEN, 2), (Rounding.DOWN, 2), (Rounding.UP, 3)]
)
def test_rounding_is_the_stated_one(rounding: Rounding, tax: int) -> None:
    for per in ("line", "rate"):
        (taxed,) = rules.taxed([rules.Rated(line(25), chosen(100_000))], place(rounding=rounding, rounded_per=per))
        assert taxed.tax.minor == tax  # of 2.5


RATES = st.lists(st.integers(0, 300_000), min_size=0, max_size=3).map(lambda rates: chosen(*rates))
LINES = st.lists(st.tuples(st.integers(0, 10**9), RATES), min_size=1, max_size=12)


@given(
    lines=LINES, is_included=st.booleans(), per=st.sampled_from(["line", "rate"]), rounding=st.sampled_from(Rounding)
)
def test_gross_is_net_plus_tax_for_every_line_and_sums_are_sums(
    lines: list[tuple[int, tuple[api.ChosenRate, ...]]], is_included: bool, per: str, rounding: Rounding
) -> None:
    rated = [rules.Rated(line(minor), rates) for minor, rates in lines]
    where = place(prices_include_tax=is_included, rounded_per=per, rounding=rounding)
    taxed = rules.taxed(rated, where)
    for one, (minor, _) in zip(taxed, lines, strict=True):
        assert one.gross == one.net + one.tax
        assert one.tax.minor == sum(rate.tax.minor for rate in one.rates)
        assert (one.gross if is_included else one.net).minor == minor
        assert all(rate.tax.minor >= 0 for rate in one.rates)
    summed = rules.summary(taxed, "EUR")
    assert sum(one.tax.minor for one in summed) == sum(one.tax.minor for one in taxed)


@given(lines=LINES, is_included=st.booleans(), rounding=st.sampled_from(Rounding))
def test_per_rate_every_sum_is_the_exact_tax_rounded_once(
    lines: list[tuple[int, tuple[api.ChosenRate, ...]]], is_included: bool, rounding: Rounding
) -> None:
    rated = [rules.Rated(line(minor), rates) for minor, rates in lines]
    taxed = rules.taxed(rated, place(prices_include_tax=is_included, rounded_per="rate", rounding=rounding))
    exact: dict[tuple[str, int], Fraction] = {}
    for minor, rates in lines:
        whole = 1_000_000 + (sum(rate.rate_ppm for rate in rates) if is_included else 0)
        for rate in rates:
            key = (rate.name, rate.rate_ppm)
            exact[key] = exact.get(key, Fraction(0)) + Fraction(minor * rate.rate_ppm, whole)
    assert {(one.name, one.rate_ppm): one.tax.minor for one in rules.summary(taxed, "EUR")} == {
        key: rounded(tax, rounding) for key, tax in exact.items()
    }


def test_wrong_rates_are_named_with_their_paths() -> None:
    backwards = api.RateEntry(jurisdiction="DE", name="vat", rate_ppm=1, valid_from=NOW, valid_to=NOW, tax_category="x")
    faults = list(rules.rate_faults([entry("DE", "vat", 1), entry("DE", "vat", 2), backwards]))
    assert [fault["path"] for fault in faults] == ["$.rates[1]", "$.rates[2].valid_to"]
