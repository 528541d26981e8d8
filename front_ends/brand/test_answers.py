"""The brand shop's rules, alone."""

from datetime import UTC, datetime

import pytest

from front_ends.brand import answers
from isthmus.kernel import PASS
from isthmus.packs.notification import api as notification
from isthmus.packs.pricing import api as pricing
from isthmus.products.member_price import member_price
from isthmus.values import GUEST, Buyer, money


def listed(sale: int | None = None) -> pricing.ListedLine:
    return pricing.ListedLine(
        sku="cup",
        quantity=1,
        location="",
        price_list="standard",
        amount=money(1000, "USD"),
        sale_amount=None if sale is None else money(sale, "USD"),
        per=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_to=None,
        now=datetime(2026, 5, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(("tier", "minor"), [("silver", 970), ("gold", 920)])
def test_members_of_a_tier_pay_less(tier: str, minor: int) -> None:
    (price,) = member_price([listed()], Buyer(tier=tier))
    assert price.amount == money(minor, "USD")


def test_what_is_on_sale_costs_members_no_less() -> None:
    assert list(member_price([listed(sale=800)], Buyer(tier="gold"))) == [PASS]


def test_guests_pay_the_shelf_price() -> None:
    assert list(answers.members_only([listed(sale=800)], GUEST)) == [False]


@pytest.mark.parametrize(("points", "tier"), [(0, ""), (200, "silver"), (999, "silver"), (1000, "gold")])
def test_points_make_tiers(points: int, tier: str) -> None:
    assert answers.silver_and_gold(points) == tier


def test_thanks_name_every_piece_in_the_readers_language() -> None:
    items = (notification.Item(title="Cup", quantity=2),)
    facts = {"number": "B-1", "total": "24.00 EUR"}
    placed = notification.Draft(kind="order.placed", facts=facts, items=items, text="t")
    said = answers.thanks_in_our_voice(placed)
    assert isinstance(said, notification.Content)
    assert said.subject == "Thank you for order B-1"
    assert "2 × Cup" in said.text
    german = notification.Draft(kind="order.placed", facts=facts, items=items, text="t", language="de-AT")
    assert answers.thanks_in_our_voice(german).subject == "Danke für Bestellung B-1"
    assert answers.thanks_in_our_voice(notification.Draft(kind="order.paid", text="t")) is PASS
