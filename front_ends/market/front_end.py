"""What the marketplace is, what it uses, and what it answers."""

from isthmus.kernel import FrontEnd
from isthmus.packs.inventory import api as inventory
from isthmus.packs.promotion import api as promotion
from isthmus.products.group_buy import GROUP_BUY, best_one_only, from_one_place
from isthmus.products.presale import PRESALE, leave_stock_alone
from isthmus.products.wholesale import WHOLESALE

from . import answers

FRONT_END = FrontEnd(
    code="market",
    name="Market",
    owner="marketplace team",
    doc="A marketplace: each manufacturer sells, one basket holds it all, each seller sends its own.",
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
        "media.*",
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
        "settlement.*",
        "sync.*",
        "tax.*",
        "webhooks.*",
    ),
    products=(GROUP_BUY, PRESALE, WHOLESALE),
    order={
        inventory.source_lines: (from_one_place, answers.each_line_from_one_seller),
        inventory.sellable_quantity: (leave_stock_alone, answers.keep_one_on_the_shelf),
        promotion.rank_candidates: (best_one_only, answers.most_for_the_buyer),
    },
    answers=(
        answers.makers_first,
        answers.wishes_are_kept,
        answers.each_line_from_one_seller,
        answers.keep_one_on_the_shelf,
        answers.one_price_online,
        answers.round_to_even,
        answers.many_sellers_bonus,
        answers.frequent_buyers_bonus,
        answers.most_for_the_buyer,
        answers.budget_is_named,
        answers.no_heavy_parcels,
        answers.one_shipment_a_seller,
        answers.cheapest_first,
        answers.territories_are_taxed_at_home,
        answers.charities_pay_no_tax,
        answers.each_seller_its_own_order,
        answers.a_share_of_what_sellers_sell,
        answers.not_too_many_sellers,
        answers.sellers_are_paid_for_packing,
        answers.opened_goods_come_back_at_a_discount,
        answers.terms_are_accepted,
        answers.sold_by_somebody,
        answers.name_the_seller,
        answers.not_by_the_case,
        answers.no_wallet_for_large_amounts,
        answers.large_refunds_need_a_person,
        answers.sellers_send_their_own,
        answers.a_word_about_each_parcel,
    ),
)
