"""The manifest of checkout, with the conditions that lie between domains."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import DemoData, Every, Job, Personal, Step
from isthmus.packs.payment import api as payment

from . import api
from .service import carrying, joining, order, pay

CHECKOUT = Pack(
    name="checkout",
    owner="checkout",
    api=api,
    service=(order, carrying, pay, joining),
    brings=(
        Step(
            name="basket",
            calls=(api.check_basket, api.preview_order, api.place_order),
            ends=(api.place_order,),
            total="orders.total",
            by="basket_id",
        ),
        Step(
            name="pay",
            calls=(api.pay_order, api.confirm_payment),
            begins=(api.pay_order,),
            ends=(api.pay_order,),
        ),
        Personal(
            because="it is passed on to the packs that keep it",
            purposes={
                "email": "to confirm the order, and to answer about it",
                "address": "to work out delivery and tax, and to send the goods",
                "name": "to address the parcel",
                "phone": "for the carrier to reach who receives the parcel",
                "identifier": "to redeem coupons and cards, and to pay with the provider's token",
                "free-text": "to say why an order is cancelled",
            },
        ),
        # an unpaid order gives its stock back at most so much later than promised
        Job(name="checkout.expire-orders", when=Every(seconds=15), calls=api.expire_orders),
        # a payment whose provider was silent is looked up at most so much later
        Job(
            name="checkout.settle-payments", when=Every(seconds=60), calls=api.settle_payments, ask=payment.Reconcile()
        ),
        DemoData(
            name="checkout.sales",
            doc="Twelve baskets of the last days, paid at the till.",
            at="isthmus.flows.checkout.demo:load_sales",
            needs=(api.place_order,),
        ),
    ),
    conditions=(
        Condition(
            name="checkout.revenue-is-the-payment-legs",
            sentence="Revenue of a shop is the sum of its payment legs: each paid order has its money.",
            sql="""with paid as (
                       select front_end, split_part(reference, '/', 1) as paid_for, sum(authorised_minor) as authorised
                       from payment.payment group by front_end, paid_for),
                   sold as (
                       select front_end, group_id, sum(total_minor) as total from "order".orders
                       where state in ('paid', 'part-shipped', 'shipped', 'completed') group by front_end, group_id)
                   select sold.front_end, group_id, total, authorised from sold
                   left join paid on paid.front_end = sold.front_end and paid.paid_for = group_id::text
                   where coalesce(authorised, -1) < total""",
        ),
        Condition(
            name="checkout.total-shown-is-charged",
            sentence="A group is charged what its orders come to: no more, and no less than those that were paid.",
            sql="""with asked as (
                       select front_end, split_part(reference, '/', 1) as paid_for, sum(amount_minor) as asked
                       from payment.payment group by front_end, paid_for)
                   select orders.front_end, group_id, sum(total_minor) as total, asked from "order".orders
                   join asked on asked.front_end = orders.front_end and paid_for = group_id::text
                   group by orders.front_end, group_id, asked
                   having asked > sum(total_minor)
                       or asked < coalesce(sum(total_minor) filter (where exists (
                            select from "order".history
                            where history.front_end = orders.front_end and history.order_id = orders.order_id
                              and what in ('paid', 'completed'))), 0)""",
        ),
        Condition(
            name="checkout.receivable-is-delivered-less-paid",
            sentence="A member owes nothing for what was delivered: it was paid before it left.",
            sql="""select orders.front_end, member_id, order_id from "order".orders
                   left join (
                       select front_end, split_part(reference, '/', 1) as paid_for, sum(captured_minor) as captured
                       from payment.payment group by front_end, paid_for) paid
                       on paid.front_end = orders.front_end and paid_for = group_id::text
                   where orders.state in ('part-shipped', 'shipped', 'completed')
                     and coalesce(captured, 0) = 0 and total_minor > 0""",
        ),
        Condition(
            name="checkout.held-money-is-under-way",
            sentence="Money that is held for orders is being taken or let go; nobody has forgotten it.",
            sql="""select payment.front_end, payment_id, reference, orders.state as orders from payment.payment
                   join "order".orders on orders.front_end = payment.front_end
                        and orders.group_id::text = split_part(reference, '/', 1)
                   where payment.state = 'authorised' and (payment.provider <> 'credit' or orders.state <> 'placed')
                     and not exists (
                        select from "order".orders held where held.front_end = payment.front_end
                        and held.group_id = orders.group_id and held.review_until > now() - interval '10 minutes')
                     and not exists (
                        select from payment.attempt where attempt.front_end = payment.front_end
                        and attempt.payment_id = payment.payment_id
                        and (attempt.state in ('pending', 'unknown')
                             or attempt.ended_at > now() - interval '10 minutes'))""",
        ),
        Condition(
            name="checkout.paid-orders-are-paid-for",
            sentence="Of each order that is paid something was taken, or is being taken.",
            sql="""select orders.front_end, order_id, group_id from "order".orders
                   where state = 'paid' and total_minor > 0 and not exists (
                        select from payment.payment where payment.front_end = orders.front_end
                        and split_part(reference, '/', 1) = group_id::text
                        and (captured_minor > 0 or state = 'authorised'))""",
        ),
        Condition(
            name="checkout.attempts-have-an-end",
            sentence="What a provider was asked has an outcome, or was looked up within the last ten minutes.",
            sql="""select front_end, payment_id, key, begun_at from payment.attempt
                   where state in ('pending', 'unknown')
                     and coalesce(looked_up_at, begun_at) < now() - interval '10 minutes'""",
        ),
        Condition(
            name="checkout.expired-orders-hold-nothing",
            sentence="No order that ran out or was cancelled whole has goods reserved.",
            sql="""select reservation.front_end, reservation.reference from inventory.reservation
                   where state in ('held', 'confirmed') and exists (
                        select from "order".orders where orders.front_end = reservation.front_end
                        and group_id::text = reservation.reference)
                     and not exists (
                        select from "order".orders where orders.front_end = reservation.front_end
                        and group_id::text = reservation.reference and orders.state not in ('cancelled', 'expired'))""",
        ),
        Condition(
            name="checkout.flows-are-finished",
            sentence="A flow in steps whose runner is gone is finished or undone by others within ten minutes.",
            sql="""select front_end, capability, key, version, tries, left_at from isthmus.saga
                   where ask is not null and (left_at < now() - interval '10 minutes' or tries >= 10)""",
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
