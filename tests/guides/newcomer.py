"""What somebody new asks of the data, as they would type it, each with plain SQL over the platform's tables."""

from __future__ import annotations

from typing import Final

STANDS: Final = "state not in ('cancelled', 'expired')"
TILL_WEEK: Final = "date_trunc('week', placed_at at time zone 'America/New_York')::date::text"

# question, as asked of `isthmus data ask` (amounts as JSON gives them: minor units), and what SQL says
QUESTIONS: Final = {
    "How many orders did each business line take?": (
        "order.orders --by front_end",
        f'select front_end, count(*) from "order".orders where {STANDS} group by 1',
    ),
    "How many times did somebody pay, however many sellers were in the basket?": (
        "order.baskets --by front_end",
        f'select front_end, count(distinct group_id) from "order".orders where {STANDS} group by 1',
    ),
    "What did we sell in each week, by New York time?": (
        "order.net-sales --by time:week --tz America/New_York",
        f'select {TILL_WEEK}, sum(total_minor - refunded_minor) from "order".orders where {STANDS} group by 1',
    ),
    "What is paid at once in the market, on average?": (
        "order.basket-value --where 'front_end = market'",
        f"""select sum(total_minor)::float8 / count(distinct group_id) from "order".orders
            where {STANDS} and front_end = 'market'""",
    ),
    "Which share of the price list do we give away?": (
        "order.discount-share --by front_end",
        f"""select front_end, (sum(list_minor) - sum(amount_minor - discount_minor))::float8 / sum(list_minor)
            from "order".lines join "order".orders using (front_end, order_id) where {STANDS} group by 1""",
    ),
    "How many different people bought, and how many came back within a year?": (
        "order.buyers order.returning-buyers --by front_end",
        f"""with paid as (
                select front_end, member_id, group_id, min(placed_at) as at from "order".orders
                where {STANDS} and member_id is not null group by 1, 2, 3)
            select front_end, count(distinct member_id) as bought,
                count(distinct member_id) filter (where exists (
                    select from paid later where later.front_end = one.front_end and later.member_id = one.member_id
                    and later.group_id <> one.group_id and later.at >= one.at
                    and later.at <= one.at + interval '365 days')) as came_back
            from paid one group by 1""",
    ),
    "Which five brands sell most units?": (
        "order.units --by catalog.product.brand --order -order.units --limit 5",
        f"""select brand, sum(quantity) from "order".lines join "order".orders using (front_end, order_id)
            join catalog.sku using (sku) join catalog.product using (product_id) where {STANDS}
            group by 1 order by 2 desc, 1 limit 5""",
    ),
    "What do sellers of the market turn over, above ten dollars?": (
        "order.line-sales --by order.line.seller --where 'front_end = market' --having 'order.line-sales > 1000'",
        f"""select seller, sum(l.total_minor) from "order".lines l join "order".orders using (front_end, order_id)
            where {STANDS} and front_end = 'market' group by 1 having sum(l.total_minor) > 1000""",
    ),
    "How many units are in stock, and whose are they?": (
        "inventory.on-hand --by front_end",
        "select front_end, sum(on_hand) from inventory.stock group by 1",
    ),
    "On which days of the week do people buy at a till?": (
        "order.orders --by time:weekday --where 'order.order.channel = store'",
        f"""select extract(isodow from placed_at at time zone 'UTC')::int, count(*) from "order".orders
            where {STANDS} and channel = 'store' group by 1""",
    ),
    "How much money came in, and by which provider?": (
        "payment.captured --by payment.payment.provider",
        "select provider, sum(captured_minor) from payment.payment group by 1",
    ),
}  # fmt: skip
