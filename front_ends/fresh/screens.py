"""The first page of the app: the shelf with its prices, the basket, what it costs, the next slots and the orders."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.packs.catalog import api as catalog
from isthmus.packs.flags import api as flags
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.releases import api as releases
from isthmus.screens import AskScreen, Part, Screen, screen
from isthmus.values import Buyer, Moment, Money

SHELF = 24
SLOTS = 3
OFFERS = 5
ORDERS = 3
APP = releases.Train(app="fresh", platform="web")


class AskHome(AskScreen):
    """Ask for the first page. device and version: of the app, for its flags and whether it may go on."""

    currency: str = "USD"
    member_id: UUID | None = None
    basket_id: UUID | None = None
    device: Annotated[str, Pii("identifier"), Meta(max_length=200)] = ""
    version: Annotated[str, Meta(max_length=40)] = ""


class BillInShort(Value):
    """What the basket costs now, how many of its lines are short, and whether it could be ordered."""

    total: Money
    short: int
    can_be_placed: bool


class OfferInShort(Value):
    """A promotion that runs."""

    code: str
    title: str
    valid_to: Moment | None


class OrderInShort(Value):
    """An order, to go on to."""

    order_id: UUID
    number: str
    state: order.OrderState
    placed_at: Moment
    total: Money


class Home(Screen):
    """The first page."""

    goods: catalog.FoundPage | None = None
    described: catalog.SkusDescribed | None = None
    buyer: Buyer | None = None
    prices: pricing.Quote | None = None
    departments: catalog.Categories | None = None
    basket: order.Basket | None = None
    bill: BillInShort | None = None
    slots: fulfilment.SlotPage | None = None
    offers: tuple[OfferInShort, ...] | None = None
    orders: tuple[OrderInShort, ...] | None = None
    update: releases.Update | None = None
    flags: flags.Evaluations | None = None


def _goods(ask: AskHome) -> catalog.Search:
    return catalog.Search(limit=SHELF)


def _described(ask: AskHome, goods: catalog.FoundPage) -> catalog.DescribeSkus | None:
    return catalog.DescribeSkus(skus=tuple(one.sku for one in goods.items)) if goods.items else None


def _buyer(ask: AskHome) -> member.GetMember | None:
    return member.GetMember(member_id=ask.member_id) if ask.member_id else None


def _prices(ask: AskHome, described: catalog.SkusDescribed, buyer: Buyer = Buyer()) -> pricing.QuoteLines | None:
    lines = tuple(
        pricing.QuoteLine(sku=one.item.sku, quantity=one.offer.min_quantity) for one in described.items if one.offer
    )
    return pricing.QuoteLines(lines=lines, currency=ask.currency, buyer=buyer, is_partial=True) if lines else None


def _departments(ask: AskHome) -> catalog.ListCategories:
    return catalog.ListCategories()


def _basket(ask: AskHome) -> order.GetBasket | None:
    return order.GetBasket(basket_id=ask.basket_id) if ask.basket_id else None


def _bill(ask: AskHome, basket: order.Basket) -> checkout.PreviewOrder | None:
    if not basket.lines:
        return None
    return checkout.PreviewOrder(currency=basket.currency, basket_id=basket.basket_id, member_id=ask.member_id)


def _bill_in_short(found: checkout.OrderPreview) -> BillInShort:
    return BillInShort(total=found.bill.total, short=len(found.shortages), can_be_placed=found.can_be_placed)


def _slots(ask: AskHome) -> fulfilment.ListSlots:
    return fulfilment.ListSlots(limit=SLOTS)


def _offers(ask: AskHome) -> promotion.ListPromotions:
    return promotion.ListPromotions(running_only=True, limit=OFFERS)


def _offers_in_short(found: promotion.PromotionPage) -> tuple[OfferInShort, ...]:
    shown = [one for one in found.items if not one.needs_coupon]
    return tuple(OfferInShort(code=one.code, title=one.title, valid_to=one.valid_to) for one in shown)


def _orders(ask: AskHome) -> order.ListOrders | None:
    return order.ListOrders(member_id=ask.member_id, limit=ORDERS) if ask.member_id else None


def _orders_in_short(found: order.OrderPage) -> tuple[OrderInShort, ...]:
    return tuple(
        OrderInShort(
            order_id=one.order_id, number=one.number, state=one.state, placed_at=one.placed_at, total=one.total
        )
        for one in found.items
    )


def _update(ask: AskHome) -> releases.CheckUpdate | None:
    if not (ask.device and ask.version):
        return None
    return releases.CheckUpdate(train=APP, version=ask.version, device=ask.device, member_id=str(ask.member_id or ""))


def _flags(ask: AskHome) -> flags.EvaluateAll | None:
    whose = str(ask.member_id) if ask.member_id else ask.device
    context = flags.Context(targeting_key=whose, attributes={"version": ask.version} if ask.version else {})
    return flags.EvaluateAll(context=context) if whose else None


@screen(
    "fresh.home",
    version="1.0",
    goods=Part(catalog.search, _goods),
    described=Part(catalog.describe_skus, _described),
    buyer=Part(member.get_buyer, _buyer),
    prices=Part(pricing.quote, _prices),
    departments=Part(catalog.list_categories, _departments),
    basket=Part(order.get_basket, _basket),
    bill=Part(checkout.preview_order, _bill, shows=_bill_in_short, within_ms=2_000),
    slots=Part(fulfilment.list_slots, _slots),
    offers=Part(promotion.list_promotions, _offers, shows=_offers_in_short, within_ms=500),
    orders=Part(order.list_orders, _orders, shows=_orders_in_short),
    update=Part(releases.check_update, _update, within_ms=500),
    flags=Part(flags.evaluate_all, _flags, within_ms=500),
)
def home(ask: AskHome) -> Home:
    """Show the first page of the app: the shelf and its prices, the basket, the next slots, the latest orders."""
    ...
