"""Periods of a calendar: where a moment's week, quarter or year begins, in Python and in SQL, the same in both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, Literal

from isthmus.markings import Cut, Grain

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WeekStart = Literal["usual", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PERIODS: Final[tuple[Grain, ...]] = ("hour", "day", "week", "month", "quarter", "year")  # from the shortest
ROUND: Final[Mapping[str, str]] = {"weekday": "isodow", "hour-of-day": "hour"}  # as SQL calls it
Own = Mapping[str, tuple[tuple[date, str], ...]]
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Calendar:
    """Weeks begin so many days after Monday, years (and their quarters) so many months after January.

    `own` are calendars of a company's own by name: the first day of each period and what it is called, in their order;
    one that is called nothing is a gap.
    """

    week_days: int = 0
    year_months: int = 0
    own: Own = field(default_factory=dict[str, tuple[tuple[date, str], ...]])

    def label(self, moment: str, grain: Cut) -> str:
        """Return SQL of the first day (or hour) of the period of a local time; of what recurs, its number."""
        if grain in ROUND:
            return f"cast(extract({ROUND[grain]} from {moment}) as bigint)"
        if grain not in PERIODS:
            named = [(day, "'" + name.replace("'", "''") + "'" if name else "null") for day, name in self.own[grain]]
            cases = " ".join(f"when {moment} >= date '{day}' then {name}" for day, name in reversed(named))
            return f"(case {cases} end)"
        return f"cast({self.start(moment, grain)} as {'timestamp' if grain == 'hour' else 'date'})"

    def start(self, moment: str, grain: Cut) -> str:
        """Return SQL of the moment at which the period begins that a local time lies in."""
        if grain == "week" and self.week_days:
            step = f"interval '{self.week_days} day'"
        elif grain in ("quarter", "year") and self.year_months:
            step = f"interval '{self.year_months} month'"
        else:
            return f"date_trunc('{grain}', {moment})"
        return f"(date_trunc('{grain}', {moment} - {step}) + {step})"

    def truncated(self, moment: datetime, grain: Grain) -> datetime:
        """Return the beginning of the period that a moment lies in."""
        hour = moment.replace(minute=0, second=0, microsecond=0)
        if grain == "hour":
            return hour
        day = hour.replace(hour=0)
        if grain == "day":
            return day
        if grain == "week":
            return day - timedelta(days=(day.weekday() - self.week_days) % 7)
        since = (day.month - 1 - (0 if grain == "month" else self.year_months)) % _MONTHS[grain]
        months = day.year * 12 + day.month - 1 - since
        return day.replace(year=months // 12, month=months % 12 + 1, day=1)


def nested(grains: Iterable[Grain]) -> Grain:
    """Return the longest period that all of these are made of; weeks end inside months, so both are made of days."""
    found = set(grains)
    if "week" in found and found & {"month", "quarter", "year"}:
        found.add("day")
    return min(found, key=PERIODS.index)


def earlier(moment: datetime, count: int, unit: Grain) -> datetime:
    """Return the moment so many units before; a day that the month lacks becomes its last."""
    fixed = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
    if unit in fixed:
        return moment - count * fixed[unit]
    months = moment.year * 12 + moment.month - 1 - count * _MONTHS[unit]
    first = moment.replace(year=months // 12, month=months % 12 + 1, day=1)
    days = ((first + timedelta(days=32)).replace(day=1) - first).days
    return first.replace(day=min(moment.day, days))
