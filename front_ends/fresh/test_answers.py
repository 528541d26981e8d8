"""The grocer's rules, alone."""

from datetime import UTC, datetime

from front_ends.fresh import answers
from isthmus.kernel import PASS
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing
from isthmus.values import GUEST, Address, money


def lettuce(hour: int) -> pricing.ListedLine:
    return pricing.ListedLine(
        sku="lettuce",
        quantity=1,
        location="",
        price_list="standard",
        amount=money(200, "USD"),
        sale_amount=None,
        per=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_to=None,
        now=datetime(2026, 5, 1, hour, tzinfo=UTC),
    )


def test_the_evening_costs_thirty_percent_less_and_the_day_does_not() -> None:
    assert list(answers.evening_markdown([lettuce(18)], GUEST)) == [PASS]
    (price,) = answers.evening_markdown([lettuce(19)], GUEST)
    assert price.amount == money(140, "USD")


def test_a_tenth_stays_for_who_walks_in() -> None:
    stock = inventory.StockAt(sku="lettuce", location="store-1", on_hand=50, reserved=10)
    assert list(answers.some_for_walk_ins([stock])) == [35]


def test_goods_come_from_the_buyers_own_region_first() -> None:
    near, far = (
        inventory.Offer(
            stock=inventory.StockAt(sku="lettuce", location=code, on_hand=5, reserved=0, region=region),
            available=5,
            back_order=0,
        )
        for code, region in (("near", "OH"), ("far", "TX"))
    )
    line = inventory.SourcingLine(line=0, sku="lettuce", quantity=1, offers=(far, near))
    (found,) = answers.nearest_shop([line], Address(country="US", region="OH"))
    assert found.locations == ("near", "far")


def test_fish_travels_in_a_booked_slot_only() -> None:
    fish = fulfilment.DeliveryLine(sku="cod", quantity=1, attributes={"department": "SEAFOOD"})
    ask = fulfilment.QuoteDelivery(lines=(fish,), amount=money(1000, "USD"))
    post = fulfilment.DeliveryOption(method="post", name="Post", fee=money(500, "USD"))
    slot = fulfilment.DeliveryOption(method="van", name="Van", fee=money(500, "USD"), needs_slot=True)
    assert not answers.cold_goods_need_a_slot(ask, post).is_allowed
    assert answers.cold_goods_need_a_slot(ask, slot).is_allowed
