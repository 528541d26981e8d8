"""A year of real shopping at three front ends, as the packs' own rows in a lake that is DuckDB alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from isthmus.data.model.model import build
from isthmus.packs.catalog import entities as catalog
from isthmus.packs.member import entities as member
from isthmus.packs.order import entities as order
from tests.data.conftest import World

SOURCE = Path(__file__).resolve().parents[2] / "demo" / "data" / "complete_journey"
FRESH = (
    "'PRODUCE', 'MEAT', 'MEAT-PCKGD', 'DELI', 'SEAFOOD', 'SEAFOOD-PCKGD', 'PASTRY', 'SALAD BAR', 'FLORAL', "
    "'CHEF SHOPPE', 'RESTAURANT'"
)
# An id that says what it is of: a household is one person with a membership at each front end where it bought.
SQL = f"""
create schema "order"; create schema member; create schema catalog; create schema lake;
create macro id(kind, number) as
    (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(number::varchar, 12, '0'))::uuid;
create temp table sold as
    select case when department in ({FRESH}) then 'fresh' when brand = 'Private' then 'brand' else 'market' end as code,
        basket_id::bigint as basket, household_id::bigint as household, product_id as sku, department,
        product_category as category, quantity::bigint as quantity, round(sales_value * 100)::bigint as minor,
        transaction_timestamp at time zone 'UTC' as sold_at
    from '{SOURCE}/transactions_sample.parquet' join '{SOURCE}/products.parquet' using (product_id)
    where quantity between 1 and 100 and sales_value > 0;
create temp table codes as
    select code, row_number() over (order by code) as number from (select distinct code from sold);
create table "order".orders as
    select code as front_end, id(codes.number, basket) as order_id, id(9, basket) as group_id, 'completed' as state,
        id(codes.number, any_value(household)) as member_id, 'standard' as order_kind, 'store' as channel,
        'USD' as currency,
        'counter' as delivery_method, 0::bigint as delivery_fee_minor, sum(minor)::bigint as total_minor,
        0::bigint as refunded_minor, min(sold_at) as placed_at, null::json as attributes
    from sold join codes using (code) group by code, codes.number, basket;
create table "order".lines as
    select code as front_end, id(codes.number, basket) as order_id,
        row_number() over (partition by code, basket order by sku) as line, sku, '' as seller, '' as location, quantity,
        minor as list_minor, minor as amount_minor, 0::bigint as discount_minor, 0::bigint as tax_minor,
        minor as total_minor, 0::bigint as commission_minor, 0::bigint as commission_returned_minor,
        0::bigint as refunded_minor, null::json as attributes
    from sold join codes using (code);
create table member.membership as
    select code as front_end, id(codes.number, household) as member_id, id(9, household) as person_id,
        'active' as state, '' as tier, 0::bigint as points, min(sold_at) as joined_at, null::json as attributes
    from sold join codes using (code) group by code, codes.number, household;
create table member.person as select person_id, min(joined_at) as made_at from member.membership group by person_id;
create table lake.resolved as select front_end, member_id, person_id from member.membership;
create table catalog.category as
    select distinct department as code, department as name, null::varchar as parent, department as level_1,
        null::varchar as level_2, null::varchar as level_3, null::varchar as level_4 from sold;
create table catalog.product as
    select id(8, sku::bigint) as product_id, sku as code, any_value(category) as title,
        any_value(department) as category, '' as brand, '' as seller from sold group by sku;
create table catalog.sku as select code as sku, product_id, '' as unit, true as is_current from catalog.product;
"""


PACKS = (
    (catalog, (catalog.Category, catalog.Product, catalog.Sku)),
    (member, member.ENTITIES),
    (order, (order.Order, order.Line)),
)


def journey(folder: Path, happened: str = "") -> World:
    """Give the year; happened: SQL of what else came to pass in it."""
    entities = [(one, pack.__name__.split(".")[-2]) for pack, ones in PACKS for one in ones]
    metrics = [one for pack, _ in PACKS for one in pack.METRICS if one.name != "order.returns"]
    return World(build(entities, metrics), SQL + happened, folder / "receipts", now=datetime(2018, 1, 2, tzinfo=UTC))
