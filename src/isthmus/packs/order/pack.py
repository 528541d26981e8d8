"""The manifest of orders."""

from isthmus.kernel import Condition, Pack
from isthmus.language import mark
from isthmus.manifest import (
    Growing,
    Headlines,
    Keeps,
    Lines,
    Movements,
    Named,
    Page,
    Personal,
    Resource,
    Search,
    Step,
    Within,
    clear,
)
from isthmus.markings import Segment

from . import api, entities
from .api import numbers
from .service import baskets, changes, claiming, desks, forgetting, orders, returns, reviews
from .storage import contacts

GROWING = Growing(
    metrics=("order.sales", "order.orders"), chain=("order.buyers", "order.orders", "order.units", "order.sales"),
    lines=(
        Lines(name="category", metric="order.line-sales", by="catalog.category.level_1"),
        Lines(name="product", metric="order.line-sales", by="catalog.product.code", label="catalog.product.title"),
        Lines(name="cohort", metric="order.sales", by="member.membership.joined_at:quarter"),
    ),
    movements=Movements(
        account="member.membership", person="member.person", member="order.order.member_id",
        earlier="order.orders-earlier", recent="order.orders-13-weeks", before="order.orders-quarter-before"),
    combined=("order.order.order_kind", "order.order.channel", "order.order.delivery_method"),
)  # fmt: skip
GONE = mark("until the person is erased; amounts, goods, country and region stay")
PERSONAL = Personal(
    forgets=api.forget,
    entity="order.order",
    purposes={
        "email": "to confirm an order, and to answer about it",
        "address": "to deliver what was ordered, and to tax it",
        "identifier": "a coupon may be a person's own",
        "free-text": "to say why an order was changed or came back",
    },
    keeps=(
        Keeps(
            table='"order".orders',
            in_the_clear=clear.OWN,
            columns={
                "contact_email": "email",
                "address": "address",
                "coupons": "identifier",
                "attributes": "free-text",
            },
            why="to deliver what was ordered, to answer about it, and to prove what was sold",
            until=GONE,
            whose="""member_id::text = any($1) or member_id is null
                and (lower(contact_email) = any($2) or encode(email_hash, 'hex') = any($1))""",
            leads_to=("order_id::text", "group_id::text"),
            hidden=("email_hash",),
            sealed=contacts.SEALED,
        ),
        Keeps(
            table='"order".lines',
            in_the_clear=clear.OWN,
            columns={"attributes": "free-text"},
            why="what the buyer wants of the goods, such as an engraving",
            until=GONE,
            whose="order_id::text = any($1)",
        ),
        Keeps(
            table='"order".history',
            in_the_clear=clear.REMARK,
            columns={"note": "free-text"},
            why="who of the desk changed what, and why",
            until=GONE,
            whose="order_id::text = any($1)",
        ),
        Keeps(
            table='"order".return',
            in_the_clear=clear.REMARK,
            columns={"note": "free-text"},
            why="why goods come back, and what was decided",
            until=GONE,
            whose="order_id::text = any($1)",
            leads_to=("return_id::text",),
        ),
        Keeps(
            table='"order".hand_in',
            in_the_clear=clear.REMARK,
            columns={"note": "free-text"},
            why="why a desk of another front end took goods, or did not",
            until="with the return: it is the desk's word, and names nobody",
            whose="return_id::text = any($1)",
        ),
        Keeps(
            table='"order".discount',
            in_the_clear=clear.COUNTED,
            columns={"coupon": "identifier"},
            why="which coupon took how much off",
            until=GONE,
            whose="group_id::text = any($1)",
        ),
        Keeps(
            table='"order".basket',
            in_the_clear=clear.OWN,
            columns={"lines": "free-text", "coupons": "identifier"},
            why="what a member has chosen and not ordered yet",
            until="until it is emptied or ordered, or the person is erased",
            whose="member_id::text = any($1)",
        ),
    ),
)

WITHIN = (api.get_order, api.list_orders, api.complete_order, api.get_return, api.list_returns)

PACK = Pack(
    name="order",
    owner="orders",
    api=api,
    service=(orders, baskets, changes, claiming, returns, reviews, desks, forgetting),
    migrations="isthmus.packs.order:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Step(
            name="basket",
            calls=(api.open_basket, api.set_lines, api.set_coupons, api.get_basket, api.merge_basket),
            begins=(api.open_basket,),
        ),
        Step(
            name="return",
            calls=(api.request_return, api.ask_hand_in, api.receive_return, api.get_return, api.get_hand_in),
            begins=(api.request_return, api.ask_hand_in),
            ends=(api.settle_return,),
            complaints=(api.request_return, api.ask_hand_in),
        ),
        PERSONAL,
        Named(
            kind="order",
            by="order_id",
            opens=api.get_order,
            attributes={"state": "String", "channel": "String", "order_kind": "String"},
            rows="""
                select order_id::text as name, state, channel, order_kind from "order".orders
                where front_end = $1 and order_id = any (array(select said::uuid from unnest($2::text[]) as said
                    where said ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))""",
        ),
        Within(kind="seller", capabilities=WITHIN, rows={"order.line": "seller"}),
        Within(kind="order", capabilities=WITHIN),
        Headlines(metrics=("order.orders", "order.sales", "order.refunds", "order.basket-value")),
        GROWING,
        Page(
            path="/orders",
            menu="Orders",
            at="isthmus.packs.order.pages:show_list",
            template="orders.html",
            needs=api.list_orders,
        ),
        Page(
            path="/orders/{front_end}/{order_id}",
            at="isthmus.packs.order.pages:show_one",
            template="order.html",
            needs=api.list_orders,
        ),
        Page(
            path="/orders/{front_end}/{order_id}/return",
            at="isthmus.packs.order.pages:give_back",
            template="order.html",
            needs=api.list_orders,
            is_form=True,
        ),
        Page(
            path="/orders/{front_end}/{order_id}/returns/{return_id}",
            at="isthmus.packs.order.pages:decide",
            template="order.html",
            needs=api.list_orders,
            is_form=True,
        ),
        Page(
            path="/orders/{front_end}/{order_id}/change",
            at="isthmus.packs.order.pages:change",
            template="order.html",
            needs=api.list_orders,
            is_form=True,
        ),
        Page(
            path="/orders/{front_end}/{order_id}/{act}",
            at="isthmus.packs.order.pages:act",
            template="order.html",
            needs=api.list_orders,
            is_form=True,
        ),
        Page(
            path="/hand-ins",
            menu="Return desks",
            at="isthmus.packs.order.pages:show_hand_ins",
            template="hand_ins.html",
            needs=api.list_hand_ins,
        ),
        Page(
            path="/hand-ins/{front_end}/{hand_in_id}",
            at="isthmus.packs.order.pages:take_hand_in",
            template="hand_ins.html",
            needs=api.list_hand_ins,
            is_form=True,
        ),
        Search(at="isthmus.packs.order.pages:find", needs=api.list_orders),
        Resource(
            kind=api.Numbers,
            make=numbers.made,
            settings=numbers.NumberSettings,
            in_shadow=numbers.UnusedNumbers,
            stands_alone=True,
        ),
        Segment(
            code="frequent-buyer",
            version=1,
            metric="order.orders",
            member="order.order.member_id",
            least=10,
        ),
    ),
    conditions=(
        Condition(
            name="order.numbers-are-explained",
            sentence="Order numbers of a shop have no duplicate, and no number lies outside a leased block.",
            sql="""select orders.front_end, orders.number, count(*) as orders from "order".orders
                   left join "order".number_lease lease on lease.front_end = orders.front_end
                        and orders.number between lease.first and lease.last
                   group by orders.front_end, orders.number
                   having count(*) > 1 or count(lease.first) <> count(*)""",
        ),
        Condition(
            name="order.leases-have-no-gap",
            sentence="The leased blocks of numbers of a shop follow one another without gap or overlap.",
            sql="""select * from (
                       select front_end, first,
                              lag(last, 1, 0::bigint) over (partition by front_end order by first) as before
                       from "order".number_lease) blocks
                   where first <> before + 1""",
        ),
        Condition(
            name="order.gaps-are-written-down",
            sentence="A number of a closed lease belongs to an order or is written down as unused, and not both.",
            sql="""select lease.front_end, number, order_id is not null as is_used from "order".number_lease lease
                   cross join lateral generate_series(lease.first, lease.last) as number
                   left join "order".orders using (front_end, number)
                   where closed_at is not null and (order_id is not null) = (number <@ lease.unused)""",
        ),
        Condition(
            name="order.line-count-is-its-lines",
            sentence="An order's line count is the number of its lines.",
            sql="""select orders.front_end, order_id, line_count, count(lines.line) as lines from "order".orders
                   left join "order".lines using (front_end, order_id)
                   group by orders.front_end, order_id, line_count having line_count <> count(lines.line)""",
        ),
        Condition(
            name="order.total-is-its-lines",
            sentence="An order's total is what its lines and its delivery come to.",
            sql="""select orders.front_end, order_id, orders.total_minor from "order".orders
                   join "order".lines using (front_end, order_id)
                   group by orders.front_end, order_id, orders.total_minor, delivery_fee_minor
                   having orders.total_minor <> sum(lines.total_minor) + delivery_fee_minor""",
        ),
        Condition(
            name="order.state-is-what-happened",
            sentence="Open orders are all less closed ones: each order's state is the last of its history.",
            sql="""select orders.front_end, order_id, state from "order".orders
                   where state is distinct from (select what from "order".history
                       where history.front_end = orders.front_end and history.order_id = orders.order_id
                         and what not in ('deposit-paid', 'in-review', 'review-ended', 'claimed')
                       order by entry desc limit 1)""",
        ),
        Condition(
            name="order.discount-is-its-shares",
            sentence="Each discount is the sum of its shares over the lines, and a line's discount what it has of all.",
            sql="""select discount.front_end, group_id, discount::text as of, amount_minor as said,
                       coalesce(sum(minor), 0) as shared
                   from "order".discount left join "order".discount_share using (front_end, group_id, discount)
                   where target = 'lines' group by discount.front_end, group_id, discount, amount_minor
                   having amount_minor <> coalesce(sum(minor), 0)
                   union all
                   select lines.front_end, group_id, order_id || '/' || line, discount_minor, coalesce(sum(minor), 0)
                   from "order".lines join "order".orders using (front_end, order_id)
                   left join "order".discount_share using (front_end, group_id, order_id, line)
                   where exists (select from "order".discount where discount.front_end = lines.front_end
                       and discount.group_id = orders.group_id)
                   group by lines.front_end, group_id, order_id, line, discount_minor
                   having discount_minor <> coalesce(sum(minor), 0)""",
        ),
        Condition(
            name="order.refund-is-its-lines",
            sentence="What was refunded of an order is what its book says, and no less than of its lines.",
            sql="""select orders.front_end, orders.order_id, refunded_minor, booked, of_lines from "order".orders
                   cross join lateral (select coalesce(sum(amount_minor), 0) as booked from "order".refund
                       where refund.front_end = orders.front_end and refund.order_id = orders.order_id) book
                   cross join lateral (select sum(lines.refunded_minor) as of_lines from "order".lines
                       where lines.front_end = orders.front_end and lines.order_id = orders.order_id) goods
                   where refunded_minor <> booked or refunded_minor < of_lines or refunded_minor > total_minor""",
        ),
        Condition(
            name="order.nothing-left-is-sent",
            sentence="An order that waits to be sent has something left to send; no line is sent and closed beyond it.",
            sql="""select orders.front_end, order_id, orders.state from "order".orders
                   join "order".lines using (front_end, order_id)
                   group by orders.front_end, order_id, orders.state
                   having (state in ('paid', 'part-shipped') and sum(quantity - shipped - closed) = 0)
                       or bool_or(shipped + closed > quantity)""",
        ),
        Condition(
            name="order.returns-are-within-what-was-paid",
            sentence="What comes back or is closed of a line is no more than there was, worth no more than was paid.",
            sql="""select lines.front_end, order_id, line, sum(back.quantity) as quantity, sum(worth_minor) as worth
                   from "order".lines join "order".return_line back using (front_end, order_id, line)
                   join "order".return using (front_end, return_id, order_id) where state <> 'rejected'
                   group by lines.front_end, order_id, line, shipped, closed, total_minor, refunded_minor
                   having sum(back.quantity) > shipped + closed or sum(worth_minor) > total_minor
                       or sum(back.refund_minor) filter (where state = 'refunded') <> lines.refunded_minor""",
        ),
    ),
)
