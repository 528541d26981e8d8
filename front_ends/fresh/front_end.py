"""What the grocer is, what it uses, and what it answers."""

from isthmus.kernel import FrontEnd
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.pricing import api as pricing
from isthmus.products.group_buy import GROUP_BUY, from_one_place, group_price
from isthmus.products.member_price import MEMBER_PRICE, member_price
from isthmus.products.subscription import SUBSCRIPTION, costs_less_again

from . import answers, notifying, picking, screens
from .attributes import Doorstep
from .metrics import METRICS

FRONT_END = FrontEnd(
    code="fresh",
    name="Fresh",
    owner="grocery team",
    doc="A grocer: goods by weight, marked down in the evening, brought in slots.",
    uses=(
        "after-sale.*",
        "audit.*",
        "catalog.*",
        "checkout.*",
        "closing.*",
        "devices.*",
        "flags.*",
        "fulfilment.*",
        "grants.*",
        "inventory.*",
        "invoices.*",
        "invoicing.*",
        "ledger.*",
        "member.*",
        "messaging.*",
        "order.*",
        "payment.*",
        "policy.*",
        "pricing.*",
        "promotion.*",
        "reconciliation.*",
        "releases.*",
        "renewals.*",
        "risk-checks.*",
        "risk.*",
        "settlement.*",
        "subscription.*",
        "sync.*",
        "tax.*",
    ),
    products=(GROUP_BUY, MEMBER_PRICE, SUBSCRIPTION),
    order={
        pricing.adjust_unit_price: (group_price, costs_less_again, answers.evening_markdown, member_price),
        inventory.source_lines: (from_one_place, answers.nearest_shop),
    },
    answers=(
        answers.by_what_it_is,
        answers.kept_on_the_phone,
        answers.evening_markdown,
        answers.shop_then_region,
        answers.round_down,
        answers.no_price_for_years,
        answers.nearest_shop,
        answers.some_for_walk_ins,
        answers.nothing_that_is_not_there,
        answers.never_sold_again,
        answers.nearest_in_price,
        answers.bring_something_like_it,
        answers.once_more_tomorrow,
        answers.nothing_off_on_credit,
        answers.cold_goods_need_a_slot,
        answers.not_at_night,
        answers.soonest_first,
        answers.groceries_are_food,
        answers.worth_the_way,
        answers.not_left_in_the_sun,
        answers.a_share_of_the_concessions,
        answers.not_once_picked,
        answers.on_the_same_day,
        answers.half_for_a_change_of_mind,
        answers.regulars,
        answers.a_point_for_each_two,
        answers.no_unverified_phone,
        answers.in_small_steps,
        answers.the_last_by_name,
        answers.at_most_a_basket,
    ),
    capabilities=(
        picking.list_for_picking,
        picking.to_pick,
        picking.picked,
        screens.home.capability,
        notifying.notify_of_slot,
    ),
    implementations=(picking.put_on_list, picking.read_list, picking.take_off_list, screens.home, notifying.notify),
    subscriptions={order.OrderPlaced: (picking.list_for_picking,), order.OrderMoved: (notifying.notify_of_slot,)},
    attributes={"order.order": Doorstep},
    metrics=METRICS,
)
