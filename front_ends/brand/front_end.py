"""What the brand's shop is, what it uses, and what it answers."""

from isthmus.kernel import FrontEnd
from isthmus.packs.pricing import api as pricing
from isthmus.products.member_price import MEMBER_PRICE, member_price
from isthmus.products.presale import PRESALE
from isthmus.products.subscription import SUBSCRIPTION, costs_less_again
from isthmus.products.wholesale import WHOLESALE, wholesale_list

from . import answers, screens
from .attributes import Engraving, Gift
from .metrics import METRICS

FRONT_END = FrontEnd(
    code="brand",
    name="Brand",
    owner="brand team",
    doc="The brand's own shop: one maker, members in tiers with prices of their own, presales of what is to come.",
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
        "messages.*",
        "notification.*",
        "messaging.*",
        "order.*",
        "payment.*",
        "policy.*",
        "pricing.*",
        "promotion.*",
        "reconciliation.*",
        "releases.*",
        "renewals.*",
        "settlement.*",
        "subscription.*",
        "tax.*",
    ),
    products=(PRESALE, MEMBER_PRICE, SUBSCRIPTION, WHOLESALE),
    order={
        pricing.choose_price_lists: (wholesale_list, answers.gold_has_its_own_list),
        pricing.adjust_unit_price: (costs_less_again, member_price),
    },
    answers=(
        answers.gold_has_its_own_list,
        answers.members_only,
        answers.no_dumping,
        answers.no_clearance,
        answers.half_at_least,
        answers.free_from_fifty,
        answers.workshop_day,
        answers.opened_goes_to_the_outlet,
        answers.gift_cards_are_money,
        answers.not_the_whole_shelf,
        answers.what_comes_later_apart,
        answers.not_while_engraved,
        answers.within_thirty_days,
        answers.presales_cost_a_tenth,
        answers.silver_and_gold,
        answers.a_point_for_each_unit,
        answers.by_our_name,
        answers.no_display_pieces,
        answers.cards_first,
        answers.another_of_ours,
        answers.nothing_but_what_was_chosen,
        answers.prices_stay,
        answers.always_the_first,
        answers.taxed_at_the_counter,
        answers.presales_are_sold_apart,
        answers.thanks_in_our_voice,
    ),
    capabilities=(screens.account.capability,),
    implementations=(screens.account,),
    attributes={"order.order": Gift, "order.line": Engraving},
    metrics=METRICS,
)
