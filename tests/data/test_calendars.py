"""Weeks, years and periods as a company counts them, said once in its settings."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from isthmus.data.errors import NeedsTime
from isthmus.data.model.calendars import Calendar
from isthmus.data.platform import open_platform
from isthmus.kernel import errors
from isthmus.markings import Where

from .conftest import World

SEASONS = ((date(2024, 2, 1), "late winter"), (date(2024, 3, 20), "spring's"), (date(2024, 3, 31), ""))


@pytest.fixture
def company(shop: World) -> World:
    """Give the shop of a company whose weeks begin on Sunday, years in April, and that has seasons."""
    shop.model = dataclasses.replace(shop.model, calendar=Calendar(6, 3, {"season": SEASONS}))
    shop.change("select 1")
    return shop


def test_a_company_says_once_when_weeks_and_years_begin_and_a_question_may_say_otherwise(company: World) -> None:
    """Orders 2 and 3 are of 30 March (a Saturday) and of 31 March (a Sunday)."""
    north = {"by": ("time:week",), "where": (Where("front_end", "=", "north"),)}
    assert company.rows("sales", **north) == [
        (date(2024, 2, 25), 1000.0), (date(2024, 3, 24), 2050.0), (date(2024, 3, 31), 300.0)
    ]  # fmt: skip
    monday = company.rows("sales", **north, week_starts="monday")
    assert monday == [(date(2024, 2, 26), 1000.0), (date(2024, 3, 25), 2350.0)]
    assert company.rows("sales", by=("time:year",)) == [(date(2023, 4, 1), 4140.0)]
    answer = company.answer("sales", by=("time:year",))
    assert (answer.receipt.ask.week_starts, answer.receipt.ask.year_starts) == ("sunday", 4)


def test_periods_of_ones_own_are_asked_by_name_and_a_nameless_one_is_a_gap(company: World) -> None:
    """Late winter has order 1 (1000) and 4 (700); spring's has 2 (2050) and 5 (90); order 3 is after all of them."""
    assert company.rows("sales", by=("time:season",)) == [
        ("late winter", 1700.0), ("spring's", 2140.0), (None, 300.0)
    ]  # fmt: skip
    with pytest.raises(NeedsTime, match="periods of one's own"):
        company.rows("sales", by=("time:season",), is_filled=True)
    with pytest.raises(errors.BadAsk, match=r"'seasn' is no grain of time.*did you mean 'season'"):
        company.rows("sales", by=("time:seasn",))


def test_settings_that_are_wrong_are_refused_with_what_to_write(tmp_path: Path) -> None:
    opened = open_platform((), tmp_path, settings={"calendars": {"retail": {"2026-02-01": "P1", "2026-03-01": "P2"}}})
    assert opened.model.calendar.own == {"retail": ((date(2026, 2, 1), "P1"), (date(2026, 3, 1), "P2"))}
    plain = open_platform((), tmp_path)
    assert opened.model.version != plain.model.version
    with pytest.raises(errors.BadAsk, match="which is a grain already"):
        open_platform((), tmp_path, settings={"calendars": {"month": {"2026-02-01": "P1"}}})
    with pytest.raises(errors.BadAsk, match=r"\$.calendar.week_starts"):
        open_platform((), tmp_path, settings={"calendar": {"week_starts": "someday"}})
