"""Series that are known to have reached a limit, for forecasts of their second half from their first.

Five are short and lie here as they were published: yeast by the hour (Carlson 1913), the height of a sunflower by the
week (Reed and Holland 1919), and what US households took up by the year (as in Bass 1969 and Mahajan, Mason and
Srinivasan 1986), each added up. Five are the share of US acres planted with biotech seed from 1996 on (`series/`,
public domain). Four are real shopping by the week (CC0): the households of a grocer's panel that ever came, and that
ever bought in one of its large departments.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

HERE = Path(__file__).parent
JOURNEY = HERE.parent / "demo" / "data" / "complete_journey"
DEPARTMENTS = ("GROCERY", "DRUG GM", "PRODUCE")


class Known(NamedTuple):
    """One series: its levels, whether they only add up, and how many days a period has."""

    values: Sequence[float]
    is_total: bool
    days: int


PUBLISHED: Mapping[str, Known] = {
    "yeast": Known(
        [9.6, 18.3, 29.0, 47.2, 71.1, 119.1, 174.6, 257.3, 350.7, 441.0, 513.3, 559.7, 594.8, 629.4, 640.8, 651.1,
         655.9, 659.6, 661.8],
        False, 365,
    ),
    "sunflower": Known([17.93, 36.36, 67.76, 98.1, 131.0, 169.5, 205.5, 228.3, 247.1, 250.5, 253.8, 254.5], False, 365),
    "air conditioners": Known(
        [96, 195, 238, 380, 1045, 1230, 1267, 1828, 1586, 1673, 1800, 1580, 1500], True, 365
    ),
    "clothes dryers": Known([106, 319, 492, 635, 737, 890, 1397, 1523, 1294, 1240, 1425, 1260, 1236], True, 365),
    "colour television": Known([747, 1480, 2646, 5118, 5777, 5982, 5962, 4631], True, 365),
}  # fmt: skip


def crops() -> dict[str, Known]:
    """Return the share of acres by crop and trait, year by year."""
    with (HERE / "series" / "us_biotech_crops.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {
        name.replace("_", " "): Known([float(row[name]) for row in rows], False, 365)
        for name in rows[0]
        if name != "year"
    }


def households() -> dict[str, Known]:
    """Return how many households a week brings that had not come before, to the grocer and to its departments."""
    seen = f"""
        select household_id, week, department from '{JOURNEY}/transactions_sample.parquet'
        join '{JOURNEY}/products.parquet' using (product_id)"""
    counted = """
        select w, count(n.first) from range(1, 53) weeks (w)
        left join (select min(week) as first from ({seen}) {which} group by household_id) n on n.first = w
        group by w order by w"""
    with duckdb.connect() as opened:
        found = {"all": opened.execute(counted.format(seen=seen, which="")).fetchall()}
        for name in DEPARTMENTS:
            which = f"where department = '{name}'"
            found[name] = opened.execute(counted.format(seen=seen, which=which)).fetchall()
    return {f"households, {name.lower()}": Known([n for _, n in rows], True, 7) for name, rows in found.items()}


def every() -> dict[str, Known]:
    """Return all of them by name."""
    return {**PUBLISHED, **crops(), **households()}
