"""The manifest of after-sale, with the condition that lies between its domains."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Every, Job, Personal, Step, Within
from isthmus.markings import Conversion

from . import api
from .service import changes, desk, goods

AFTER_SALE = Pack(
    name="after-sale",
    owner="checkout",
    api=api,
    service=(goods, changes, desk),
    migrations="isthmus.flows.after_sale:migrations",
    brings=(
        Step(name="return", calls=(api.take_back, api.refund_return, api.take_hand_in, api.receive_hand_in)),
        Within(kind="seller", capabilities=(api.ship_order,)),
        Within(kind="order", capabilities=(api.ship_order,)),
        Personal(
            because="it is passed on to the packs that keep it",
            purposes={
                "free-text": "to say why an order was changed, closed or given back",
                "email": "to answer with the order as it is then",
                "address": "to send goods where the buyer now wants them",
                "identifier": "to answer with the order as it is then, coupons included",
            },
        ),
        # who stands at a desk waits so long for an answer
        Job(name="after-sale.answer-hand-ins", when=Every(seconds=5), calls=api.answer_hand_ins),
        Job(name="after-sale.settle-hand-ins", when=Every(seconds=15), calls=api.settle_hand_ins),
    ),
    metrics=(
        Conversion(
            name="after-sale.returned",
            start="order.orders",
            goal="order.returns",
            by=("order.order.order_id", "order.return.order_id"),
            within_days=30,
            doc="Orders of which something is asked to be taken back within thirty days, of those that stand.",
        ),
        Conversion(
            name="after-sale.returned-orders",
            start="order.orders",
            goal="order.returns",
            by=("order.order.order_id", "order.return.order_id"),
            within_days=30,
            show="count",
            doc="How many orders that is.",
            unit="order",
        ),
    ),
    conditions=(
        Condition(
            name="after-sale.refunds-are-paid-out",
            sentence="What the orders of a group say was refunded is what their payments gave back, in whatever way.",
            sql="""with refunded as (
                       select front_end, group_id, sum(refunded_minor) as minor from "order".orders
                       group by front_end, group_id)
                   select refunded.front_end, group_id, minor, coalesce(given, 0) as given from refunded
                   left join (
                       select front_end, split_part(reference, '/', 1) as paid_for, sum(refunded_minor) as given
                       from payment.payment group by front_end, paid_for) back
                       on back.front_end = refunded.front_end and paid_for = group_id::text
                   where coalesce(given, 0) <> minor""",
        ),
    ),
)
