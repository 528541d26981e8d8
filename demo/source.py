"""The year of real baskets, read from the source files: what to load, what to sell, and what it must add up to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

DATA = Path(__file__).parent / "data" / "complete_journey"
LOCATION = "store-{}"

# One company read as three business lines. A line whose product is unknown belongs to who lists everything else, and
# every second household buys the brand's goods there: two front ends sell them, from the group's stock.
VIEWS = f"""
create view products as  -- the source writes one product as 9e+05, which no code may be
select * replace (if(product_id = '9e+05', '900000', product_id) as product_id) from '{DATA}/products.parquet';
create view assigned as
select product_id,
    case when department in ('PRODUCE', 'MEAT', 'MEAT-PCKGD', 'DELI', 'SEAFOOD', 'SEAFOOD-PCKGD', 'PASTRY', 'SALAD BAR',
                             'FLORAL', 'CHEF SHOPPE', 'RESTAURANT') then 'fresh'
         when brand = 'Private' then 'brand'
         else 'market' end as front_end
from products;
create view lines as
select if(front_end = 'brand' and household_id::bigint % 2 = 0, 'market', coalesce(front_end, 'market')) as front_end,
    coalesce(front_end = 'brand', false) as is_common, basket_id, household_id, 'store-' || store_id as location,
    product_id as sku, quantity::bigint as quantity, transaction_timestamp as sold_at,
    round(sales_value * 100)::bigint as paid, round((sales_value + retail_disc) * 100)::bigint as list,
    product_id in (select product_id from products) as is_known
from '{DATA}/transactions_sample.parquet' left join assigned using (product_id);
create view chosen as
select lines.* from lines join (
    select basket_id, row_number() over (order by min(sold_at), basket_id) as place, count(*) over () as all_there_are
    from lines group by basket_id
) using (basket_id)
where if(getvariable('is_spread'),  -- one whenever so many of all that there are make a whole one more
    place * getvariable('baskets') // all_there_are > (place - 1) * getvariable('baskets') // all_there_are,
    place <= getvariable('baskets'));
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a till receipt; money in cents."""

    sku: str
    quantity: int
    paid: int
    list: int


@dataclass(frozen=True, slots=True)
class Basket:
    """What one household bought from one business line at one till."""

    front_end: str
    basket_id: str
    household_id: str
    location: str
    at: datetime
    lines: tuple[Line, ...]


class Source:
    """The first `baskets` baskets of the year by time, as many spread evenly over the year, or all."""

    def __init__(self, baskets: int | None, *, is_spread: bool = False) -> None:
        self._duckdb = duckdb.connect()
        self._duckdb.execute("set variable is_spread = ?", [is_spread and baskets is not None])
        self._duckdb.execute("set variable baskets = ?", [baskets if baskets is not None else 2**31])
        self._duckdb.execute(VIEWS)

    def rows(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        return self._duckdb.execute(sql, args).fetchall()

    def days(self) -> tuple[date, date]:
        """Return the first and the last day of the baskets that are sold."""
        ((first, last),) = self.rows("select min(sold_at)::date, max(sold_at)::date from chosen")
        return first, last

    def front_ends(self) -> list[str]:
        return ["market", "brand", "fresh"]

    def products(self) -> Iterator[tuple[Any, ...]]:
        """Yield (front end, sku, seller, department, category, type, brand, package size) of all products."""
        result = self._duckdb.execute(
            """select front_end, product_id, manufacturer_id, department, coalesce(product_category, 'OTHER'),
                      coalesce(product_type, product_category, department), brand, package_size
               from products join assigned using (product_id) order by product_id"""
        )
        while rows := result.fetchmany(1_000):
            yield from rows

    def sold(self) -> list[tuple[Any, ...]]:
        """Return (front end, sku, location, quantity) of all that the chosen baskets take from stock."""
        return self.rows(
            """select front_end, sku, location, sum(quantity)::bigint from chosen
               where is_known and quantity > 0 group by all order by all"""
        )

    def prices(self) -> list[tuple[Any, ...]]:
        """Return (front end, sku, location, from, list, paid, per): the till's price from each time that it changed.

        What two front ends sell has its price at both, whoever sold it.
        """
        return self.rows(
            """with offered as (
                   select * from chosen union all
                   select * replace (if(front_end = 'brand', 'market', 'brand') as front_end)
                   from chosen where is_common),
               priced as (
                   select *, lag(list::varchar || '/' || paid::varchar || '/' || quantity::varchar)
                       over (partition by front_end, sku, location order by sold_at) as before
                   from offered where is_known and quantity > 0)
               select front_end, sku, location, sold_at, list, paid, quantity from priced
               where before is distinct from list::varchar || '/' || paid::varchar || '/' || quantity::varchar
               order by front_end, sku, location, sold_at"""
        )

    def households(self) -> list[tuple[Any, ...]]:
        """Return (front end, household id) of who shops where."""
        return self.rows("select distinct front_end, household_id from chosen order by all")

    def baskets(self) -> Iterator[Basket]:
        """Yield the baskets in order of time, each split by business line."""
        result = self._duckdb.execute(
            """select front_end, basket_id, any_value(household_id), any_value(location), min(sold_at) as sold_at,
                      list({sku: sku, quantity: quantity, paid: paid, list: list} order by sku)
               from chosen group by front_end, basket_id order by sold_at, basket_id, front_end"""
        )
        while rows := result.fetchmany(1_000):
            for front_end, basket_id, household_id, location, sold_at, lines in rows:
                yield Basket(
                    front_end,
                    basket_id,
                    household_id,
                    location,
                    sold_at.replace(tzinfo=UTC),
                    tuple(Line(**line) for line in lines),
                )

    def expected(self) -> dict[str, dict[str, int]]:
        """Return what SQL over the source says of each business line: orders, lines, sales, and what cannot be sold."""
        rows = self.rows(
            """select front_end,
                      count(distinct basket_id) filter (is_known and quantity > 0),
                      count(*) filter (is_known and quantity > 0),
                      coalesce(sum(paid) filter (is_known and quantity > 0), 0),
                      count(*) filter (not is_known and quantity > 0),
                      coalesce(sum(paid) filter (not is_known and quantity > 0), 0),
                      count(*) filter (quantity = 0),
                      coalesce(sum(paid) filter (quantity = 0), 0)
               from chosen group by front_end order by front_end"""
        )
        names = (
            "orders", "lines", "sales_minor", "unknown_lines", "unknown_minor", "zero_lines", "zero_minor"
        )  # fmt: skip
        return {str(row[0]): dict(zip(names, map(int, row[1:]), strict=True)) for row in rows}

    def total(self) -> tuple[int, int, int]:
        """Return baskets, lines and cents of the chosen part of the source, refused lines included."""
        ((baskets, lines, minor),) = self.rows(
            "select count(distinct basket_id), count(*), sum(paid)::bigint from chosen"
        )
        return int(baskets), int(lines), int(minor)
