"""The manifest of checkout, with the conditions that lie between domains."""

from isthmus.kernel import Condition, Pack

from . import api, service, service_paying

CHECKOUT = Pack(
    name="checkout",
    owner="checkout",
    api=api,
    service=(service, service_paying),
    conditions=(
        Condition(
            name="checkout.revenue-is-the-payment-legs",
            sentence="Revenue of a shop is the sum of its payment legs: each paid order has its money.",
            sql="""with sold as (
                       select front_end, group_id, sum(total_minor) as total from "order".orders
                       where state in ('paid', 'part-shipped', 'shipped', 'completed') group by front_end, group_id)
                   select sold.front_end, group_id, total, captured_minor, authorised_minor from sold
                   left join payment.payment on payment.front_end = sold.front_end and reference = group_id::text
                   where payment_id is null or greatest(captured_minor, authorised_minor) < total""",
        ),
        Condition(
            name="checkout.total-shown-is-charged",
            sentence="A group is charged what its orders come to: no more, and no less than those that were paid.",
            sql="""select orders.front_end, group_id, sum(total_minor) as total, amount_minor from "order".orders
                   join payment.payment on payment.front_end = orders.front_end and reference = group_id::text
                   group by orders.front_end, group_id, amount_minor
                   having amount_minor > sum(total_minor)
                       or amount_minor < coalesce(sum(total_minor) filter (where exists (
                            select from "order".history
                            where history.front_end = orders.front_end and history.order_id = orders.order_id
                              and what in ('paid', 'completed'))), 0)""",
        ),
        Condition(
            name="checkout.receivable-is-delivered-less-paid",
            sentence="A member owes nothing for what was delivered: it was paid before it left.",
            sql="""select orders.front_end, member_id, order_id from "order".orders
                   left join payment.payment on payment.front_end = orders.front_end and reference = group_id::text
                   where orders.state in ('part-shipped', 'shipped', 'completed')
                     and coalesce(captured_minor, 0) = 0 and total_minor > 0""",
        ),
        Condition(
            name="checkout.each-order-holds-its-goods",
            sentence="Every open order has its goods reserved, and no order that ended unpaid holds any.",
            sql="""select orders.front_end, orders.group_id, orders.state from "order".orders
                   left join inventory.reservation on reservation.front_end = orders.front_end
                        and reservation.reference = orders.group_id::text
                   where orders.state in ('placed', 'paid') and reservation.reference is null""",
        ),
        Condition(
            name="checkout.events-and-keys-once",
            sentence="Each event exists exactly once, and each idempotency key has one effect.",
            sql="""select id, count(*) as times from isthmus.event group by id having count(*) > 1""",
        ),
    ),
)
